"""From a bare Debian 12 and 13: what a person types, each package, and the whole service."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autosyncd import __version__
from tests import packages
from tests.booted import UNIT, BareBox, Service, configured, works
from tests.testbed import CHECKOUT
from tests.waiting import eventually

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(
        os.environ.get("CLEAN_ROOM") != "1", reason="downloads a Debian; CLEAN_ROOM=1 runs it"
    ),
    pytest.mark.parametrize("suite", ["bookworm", "trixie"]),
]

OLDER = "0.0.9"
DROP_IN = ".config/autosync/autosync.d/photos.yaml"
# what somebody types into vi
MAKING = "a\nrepositories:\n  - path: ~/photos\n    commit_after: 500ms\n.\nwq\n"
RENAMING = "%s/commit_after/name: pictures\\r    commit_after/\nwq\n"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.debian_package(tmp_path_factory.mktemp("deb"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.wheel(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel"))


def commands_of_the_readme() -> list[str]:
    """Those that install it and begin to use it, in their order."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^## Try it, install it\n+```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block
    lines = [line.partition(" #")[0].strip() for line in block[1].splitlines()]
    return [line for line in lines if line and line not in ("script/demo", "script/test")]


def typed(box: BareBox, command: str) -> str:
    """What it prints for alice, who says yes; behind sudo, for root."""
    if command.startswith("sudo "):
        words = f"cd /checkout; {command.removeprefix('sudo ')}"
        return box.run("sh", "-ec", words, user="root", timeout=300).stdout
    if not command.startswith("autosyncctl add"):
        return box.run("sh", "-ec", command).stdout
    # script(1) gives it a terminal; whoever sits there answers when asked
    answer = "(until grep -qs 'Go on' asked; do sleep 0.1; done; echo y)"
    return box.shell(f"{answer} | script -qefc '{command}' asked; rm asked")


def install_an_older_one(box: BareBox) -> None:
    version = f"s/{re.escape(__version__)}/{OLDER}/"
    box.run(
        "sh",
        "-ec",
        "mkdir old; cd old; cp -r /checkout/[a-z]* /checkout/*.md .;"
        f"sed -i '{version}' autosyncd/__init__.py pyproject.toml; script/install",
        user="root",
        timeout=300,
    )
    assert OLDER in box.run("autosyncd", "--version").stdout


def test_what_the_readme_says_from_the_first_command_to_the_last(suite: str) -> None:
    with BareBox(suite, user="alice") as box:
        install, *use = commands_of_the_readme()
        assert install == "sudo script/install"
        install_an_older_one(box)
        service = configured(box)
        box.shell("mkdir notes; echo milk >notes/todo.md; git -C notes init -qb main")
        said = [typed(box, command) for command in use]
        assert any("todo.md" in text or "1 file" in text for text in said)
        eventually(lambda: "todo.md" in service.subjects("notes"), 30, every=0.2)
        pid = service.show("MainPID")

        assert "systemctl --user restart autosyncd" in typed(box, install)
        assert service.show("MainPID") == pid, "whoever works is not disturbed"
        box.shell("echo under way >notes/late.md; systemctl --user restart autosyncd")
        assert __version__ in box.run("autosyncd", "--version").stdout
        eventually(lambda: "late.md" in service.subjects("notes"), 30, every=0.2)

        a_drop_in_by_an_editor(box, service)

        typed(
            box, "sudo loginctl enable-linger alice"
        )  # alone it needs polkit, which a server has not
        box.shell("echo before >notes/boot.md")
        box.reboot()
        log = "git -c safe.directory='*' -C /home/alice/notes log --format=%s"
        eventually(lambda: "boot.md" in box.shell(log, user="root"), 30, every=0.2)

        history = service.subjects("notes")
        typed(box, "systemctl --user disable --now autosyncd")
        typed(box, "sudo script/install --remove")
        assert service.show("LoadState") == "not-found"
        assert service.subjects("notes") == history
        assert box.run("autosyncd", "--version", check=False).returncode != 0


def a_drop_in_by_an_editor(box: BareBox, service: Service) -> None:
    """Made, changed and removed, each within two seconds of its own and what a look takes."""
    box.shell("mkdir -p photos; git -C photos init -qb main")
    known = "autosyncctl status"
    box.run("vi", "-e", "-s", DROP_IN, input=MAKING)
    eventually(lambda: "photos" in box.shell(known, check=False), 10, every=0.2)
    box.shell("echo cat >photos/cat")
    eventually(lambda: "cat" in service.subjects("photos"), 20, every=0.2)
    box.run("vi", "-e", "-s", DROP_IN, input=RENAMING)
    eventually(lambda: "pictures" in box.shell(known, check=False), 10, every=0.2)
    box.shell(f"rm {DROP_IN}")
    eventually(lambda: "pictures" not in box.shell(known, check=False), 10, every=0.2)
    assert service.show("NRestarts") == "0"


def test_the_package_works(suite: str, package: Path) -> None:
    with BareBox(suite, user="alice", binds={package.parent: "/packages"}) as box:
        box.apt(f"/packages/{package.name}")
        service = configured(box)
        works(service)
        assert box.run("gcc", "--version", check=False).returncode != 0
        for manager, unit in (
            ("--user", f"user/{UNIT}"),
            ("--system", "system/autosyncd@.service"),
        ):
            words = ("systemd-analyze", manager, "--man=no", "verify", f"/usr/lib/systemd/{unit}")
            verified = box.run(*words, user=None if manager == "--user" else "root", check=False)
            assert verified.stdout + verified.stderr == ""
        box.run("apt-get", "-qq", "-y", "remove", "autosyncd", user="root")
        assert service.show("ActiveState") == "inactive"
        assert "watchdog" not in service.journal()


def test_the_package_is_made_there(suite: str) -> None:
    """Without build-essential; and that release's own lintian has no complaint."""
    with BareBox(suite) as box:
        box.apt("lintian", "python3-pip")
        made = box.run("/checkout/script/deb", "/root/made", user="root", timeout=400)
        assert "W: " not in made.stderr
        assert "lintian is not installed" not in made.stderr
        assert box.shell("ls /root/made/*.deb", user="root") == made.stdout.strip()


def test_the_wheel_works_with_pipx(suite: str, wheel: Path) -> None:
    with BareBox(suite, user="alice", binds={wheel.parent: "/wheel"}) as box:
        box.apt("git", "openssh-client", "pipx")
        box.run("pipx", "install", f"/wheel/{wheel.name}", timeout=300)
        box.shell(".local/bin/autosyncctl install-unit")
        box.shell("ln -s /home/alice/.local/bin/autosyncctl /usr/local/bin/", user="root")
        works(configured(box))


@pytest.mark.parametrize(
    "name",
    ["systemd", "systemd_journal", "systemd_people", "systemd_programs", "systemd_session"],
)
def test_the_service_is_at_home_there(suite: str, name: str) -> None:
    """The same tests as on this host's system, for its unit, its journal and the programs around git."""
    tests = CHECKOUT / "tests"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", str(tests / f"test_{name}.py")],
        env={**os.environ, "BOX_SUITE": suite},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert " skipped" not in done.stdout.splitlines()[-1], done.stdout[-2000:]
