"""What a person types in script/ works, says what it does, and does nothing twice."""

import os
import re
import shutil
import time
import tomllib
from pathlib import Path

import pytest

from tests.testbed import CHECKOUT, Result, execute

SCRIPTS = CHECKOUT / "script"
SHELL_FILES = sorted(
    path
    for folder in (SCRIPTS, CHECKOUT / ".ci", CHECKOUT / "tests/testbed")
    for path in folder.iterdir()
    if path.is_file() and path.read_bytes()[:11] in (b"#!/bin/sh\n#", b"#!/bin/bash")
)
LOCKS = ("requirements-build.lock", "requirements.lock", "requirements-dev.lock")


def name(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


@pytest.mark.parametrize("path", SHELL_FILES, ids=name)
def test_shell_files_parse_and_can_be_run(path: Path) -> None:
    shell = path.read_text().split("\n", 1)[0].removeprefix("#!")
    execute([shell, "-n", path])
    assert os.access(path, os.X_OK)


@pytest.mark.slow
def test_shellcheck_has_nothing_to_say() -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("needs shellcheck: apt install shellcheck")
    execute(["shellcheck", *SHELL_FILES])


@pytest.mark.parametrize(
    "script", ["bootstrap", "packages", "launchers", "check", "test", "bench", "install"]
)
def test_scripts_explain_themselves(script: str) -> None:
    assert f"script/{script}" in execute([SCRIPTS / script, "--help"]).stdout


# --- the locks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_pin_every_package_with_hashes_and_name_no_host(lock: str) -> None:
    text = (CHECKOUT / lock).read_text()
    entries = [e for e in re.split(r"(?<!\\)\n", text) if e and not e.startswith("#")]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( \\\n    --hash=sha256:[0-9a-f]{64})+", entry)
    assert "://" not in text


def test_the_lock_holds_what_the_project_depends_on() -> None:
    def canonical(requirement: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[<>=! ]", requirement)[0]).lower()

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    for lock, wanted in (
        ("requirements.lock", project["dependencies"]),
        ("requirements-dev.lock", project["optional-dependencies"]["dev"]),
    ):
        pinned = {
            canonical(line) for line in (CHECKOUT / lock).read_text().splitlines() if "==" in line
        }
        assert {canonical(requirement) for requirement in wanted} <= pinned


# --- bootstrap, with a Python that only writes down what it was asked -------------------------------

RECORDING_PYTHON = """#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
    '-m venv '*) mkdir -p .venv/bin; rm -f .venv/*.stamp; cp "$0" .venv/bin/python ;;
    *get_path*) mkdir -p site; echo site ;;
    *"$FAILING"*) echo "no network" >&2; exit 1 ;;
esac
"""


class Bare:
    """A copy of what bootstrap reads, in which no real Python is started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "check out"  # a blank in the path must not matter
        shutil.copytree(SCRIPTS, self.folder / "script")
        for lock in LOCKS:
            shutil.copy(CHECKOUT / lock, self.folder)
        self.log = folder / "log"
        self.python = folder / "python"
        self.python.write_text(RECORDING_PYTHON)
        self.python.chmod(0o755)
        # what is installed on this machine is not the subject
        (self.folder / "script/packages").write_text("#!/bin/sh\nexit 3\n")

    def bootstrap(self, mode: str, failing: str = "nothing fails", *, check: bool = True) -> Result:
        self.log.write_text("")
        env = {"PYTHON": str(self.python), "LOG": str(self.log), "FAILING": failing}
        return execute([self.folder / "script/bootstrap", mode], env=env, check=check)

    def asked(self) -> list[tuple[str, str]]:
        """What matters of what Python was asked: environments made, locks installed."""
        return re.findall(r"-m (venv)|-r (\S+)$", self.log.read_text(), re.MULTILINE)


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


def test_bootstrap_installs_the_locks_by_hash_and_then_nothing_more(bare: Bare) -> None:
    bare.bootstrap("run")
    assert bare.asked() == [("venv", ""), ("", LOCKS[0]), ("", LOCKS[1])]
    installs = [line for line in bare.log.read_text().splitlines() if "-m pip" in line]
    assert all("--require-hashes" in line for line in installs)
    assert (bare.folder / "site/autosyncd.pth").read_text().strip() == str(bare.folder)
    bare.bootstrap("run")
    assert bare.log.read_text() == ""
    bare.bootstrap("test")
    assert bare.asked() == [("", LOCKS[2])]
    bare.bootstrap("test")
    assert bare.log.read_text() == ""


def test_bootstrap_starts_anew_when_a_lock_has_changed(bare: Bare) -> None:
    bare.bootstrap("test")
    with (bare.folder / "requirements.lock").open("a") as lock:
        lock.write("# newer\n")
    bare.bootstrap("test")
    assert [words for words in bare.asked() if words[0]] == [("venv", "")]


def test_bootstrap_that_fails_says_so_and_tries_again_the_next_time(bare: Bare) -> None:
    done = bare.bootstrap("run", failing="requirements.lock", check=False)
    assert done.returncode == 1
    assert "pip could not install requirements.lock" in done.stderr
    bare.bootstrap("run")
    assert ("", "requirements.lock") in bare.asked()


def test_bootstrap_makes_programs_that_start_in_a_folder_with_a_blank(bare: Bare) -> None:
    bare.bootstrap("run")
    bare.log.write_text("")
    launcher = bare.folder / ".venv/bin/autosyncctl"
    execute([launcher, "status"], env={"LOG": str(bare.log), "FAILING": "nothing fails"})
    assert bare.log.read_text().split("\n")[0] == f"-P -s {launcher} status"


def test_bootstrap_in_this_checkout_takes_no_time() -> None:
    stamp = CHECKOUT / ".venv/test.stamp"
    files = b"".join(
        (CHECKOUT / path).read_bytes() for path in ("script/bootstrap", "script/launchers", *LOCKS)
    )
    wanted = execute(["sha256sum"], input=f"{CHECKOUT}\n{files.decode()}").stdout
    if not stamp.exists() or stamp.read_text().strip() != wanted.strip():
        pytest.skip("script/bootstrap test has not run here")
    began = time.monotonic()
    execute([SCRIPTS / "bootstrap", "run"])
    assert time.monotonic() - began < 1.0


# --- packages -----------------------------------------------------------------------------------------


def with_programs(folder: Path, **programs: str) -> dict[str, str]:
    """An environment in which these programs (shell text) come first."""
    for program, text in programs.items():
        path = folder / program.replace("_", "-")
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_packages_that_are_there_cost_nothing(tmp_path: Path) -> None:
    env = with_programs(tmp_path, dpkg_query="echo installed git", apt_get="exit 99")
    done = execute([SCRIPTS / "packages", "git"], env=env)
    assert done.stdout + done.stderr == ""


def test_packages_without_root_names_the_missing_ones(tmp_path: Path) -> None:
    env = with_programs(
        tmp_path,
        dpkg_query="echo installed git; echo config-files lighttpd",
        id="echo 1000",
        sudo="exit 1",
    )
    done = execute([SCRIPTS / "packages", "git", "lighttpd", "dunst"], env=env, check=False)
    assert done.returncode == 3
    assert "apt install lighttpd dunst" in done.stderr


def test_packages_uses_sudo_where_it_asks_nothing(tmp_path: Path) -> None:
    env = with_programs(
        tmp_path,
        dpkg_query="exit 1",
        id="echo 1000",
        sudo=f'[ "$1" = -n ] || exit 1; shift; echo "$*" >>{tmp_path}/log',
    )
    execute([SCRIPTS / "packages", "dunst"], env=env)
    assert (tmp_path / "log").read_text().rstrip().endswith("sh dunst")


# --- install ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--prefix", "here"], "must begin with /"),
        (["--prefix", "/opt/a b"], "letters, digits"),
        (["--prefix", "//"], "can't be / itself"),
        (["--prefix", "/opt/.."], "can't be / itself"),
        (["--prefix", "/usr//"], "is for Debian packages"),
        (["--prefix", "/opt/../usr/."], "is for Debian packages"),
        (["--everything"], "unknown argument"),
    ],
)
def test_install_refuses_what_it_does_not_understand(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    env = with_programs(
        tmp_path, id="echo 1000"
    )  # whatever it takes for right, nothing is installed
    done = execute([SCRIPTS / "install", *arguments], check=False, env=env)
    assert done.returncode != 0
    assert said in done.stderr


def test_install_without_root_says_how(tmp_path: Path) -> None:
    env = with_programs(tmp_path, id="echo 1000")
    done = execute([SCRIPTS / "install"], env=env, check=False)
    assert done.returncode == 1
    assert "sudo script/install" in done.stderr


# --- a bare Debian ------------------------------------------------------------------------------------


@pytest.mark.root
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.skipif(
    os.environ.get("CLEAN_ROOM") != "1", reason="downloads a Debian; CLEAN_ROOM=1 runs it"
)
@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_a_bare_debian_is_ready_within_a_minute(suite: str) -> None:
    done = execute([CHECKOUT / "tests/testbed/clean-room", suite], timeout=1100)
    assert "took" in done.stdout
