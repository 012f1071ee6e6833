"""The ways onto a machine: script/install, the Debian package, the wheel; and off it again."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import packages
from tests.booted import Service, configured, works
from tests.testbed import CHECKOUT, Box, execute
from tests.waiting import eventually

PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
CARRIED = {"inotify_simple"}
"""What Debian 12 has no package of; docs/decisions/0019-debian-package.md."""
DEBIAN = {"PyYAML": "python3-yaml", "dbus-fast": "python3-dbus-fast"}


def control() -> str:
    return (CHECKOUT / "debian/control").read_text()


# --- what is written down in two places ---------------------------------------------------------------


def test_the_package_has_the_version_of_the_program() -> None:
    first = (CHECKOUT / "debian/changelog").read_text().split("\n")[0]
    assert first.startswith(f"autosyncd ({PROJECT['version']}) ")


@pytest.mark.parametrize("requirement", PROJECT["dependencies"])
def test_what_the_program_imports_comes_with_every_way_of_installing(requirement: str) -> None:
    name, _, version = requirement.partition(">=")
    if name in CARRIED:
        assert f"^{name.replace('_', '-')}==" in (CHECKOUT / "script/carry").read_text()
        return
    package = DEBIAN.get(name, f"python3-{name}")
    assert re.search(rf"^ +{package} \(>= {re.escape(version)}\)", control(), re.MULTILINE)
    assert re.search(rf"\b{package}\b", (CHECKOUT / "script/install").read_text())
    assert re.search(rf"\b{package}\b", (CHECKOUT / "script/bootstrap").read_text())


def test_everything_that_is_placed_is_there_and_has_a_place_of_its_own() -> None:
    lines = execute([CHECKOUT / "script/layout"]).stdout.splitlines()
    sources, targets = zip(*map(str.split, lines), strict=True)
    assert all((CHECKOUT / source).is_file() for source in sources)
    assert len(set(targets)) == len(targets)
    shipped = {path.relative_to(CHECKOUT) for path in (CHECKOUT / "systemd").iterdir()}
    shipped |= {path.relative_to(CHECKOUT) for path in (CHECKOUT / "docs/man").iterdir()}
    shipped |= {path.relative_to(CHECKOUT) for path in (CHECKOUT / "completions").glob("*/*")}
    assert {str(path) for path in shipped} <= set(sources)


@pytest.mark.parametrize("name", ["autosyncd.service", "autosyncd@.service"])
def test_no_dump_of_a_service_that_knows_a_password_is_kept(name: str) -> None:
    assert "\nLimitCORE=0\n" in (CHECKOUT / "systemd" / name).read_text()


# --- the limits ---------------------------------------------------------------------------------------


def test_limits_are_raised_and_never_lowered(tmp_path: Path) -> None:
    folder = tmp_path / "fs/inotify"
    folder.mkdir(parents=True)
    instances, watches = folder / "max_user_instances", folder / "max_user_watches"
    instances.write_text("128\n")
    watches.write_text("4194304\n")
    limits = CHECKOUT / "config/30-autosyncd.conf"
    done = execute([CHECKOUT / "script/raise-limits", limits], env={"PROC_SYS": str(tmp_path)})
    assert (instances.read_text(), watches.read_text()) == ("1024\n", "4194304\n")
    assert done.stdout + done.stderr == ""
    shutil.rmtree(tmp_path / "fs")
    done = execute([CHECKOUT / "script/raise-limits", limits], env={"PROC_SYS": str(tmp_path)})
    assert done.stdout + done.stderr == ""


# --- on a booted machine ------------------------------------------------------------------------------

VERIFY = ("systemd-analyze", "--user", "--man=no", "verify")
ON_A_MACHINE = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.debian_package(tmp_path_factory.mktemp("deb"))


class TestPackage:
    pytestmark = ON_A_MACHINE

    def test_it_runs_from_the_package_and_leaves_nothing_behind(self, package: Path) -> None:
        with Box(user="alice", binds={package.parent: "/packages"}) as box:
            box.run("dpkg", "-i", f"/packages/{package.name}", user="root")
            service = configured(box)
            works(service)
            assert service.show("FragmentPath") == "/usr/lib/systemd/user/autosyncd.service"
            assert box.run("autosyncctl", "install-unit", check=False).returncode == 1
            for page in ("1 autosyncctl", "5 autosync.yaml", "8 autosyncd", "8 autosync-reflector"):
                assert box.shell(f"man -w {page}").startswith("/usr/share/man")
            said = box.run("autosyncctl", "demo", "--once", timeout=120).stdout
            assert "desktop has it" in said
            service.systemctl("disable", "--now", "autosyncd")
            box.run("dpkg", "--purge", "autosyncd", user="root")
            left = "find /usr /etc /lib -name '*autosync*' ! -path '*/site-packages/*'"
            assert box.shell(left, user="root") == ""

    def test_an_upgrade_keeps_the_daemon_until_it_is_restarted(self, package: Path) -> None:
        with Box(user="alice", binds={package.parent: "/packages"}) as box:
            box.run("dpkg", "-i", f"/packages/{package.name}", user="root")
            service = configured(box)
            works(service)
            pid = service.show("MainPID")
            box.run("dpkg", "-i", f"/packages/{package.name}", user="root")
            assert service.show("MainPID") == pid
            box.shell("echo bread >>notes/todo.md")
            eventually(lambda: service.subjects("notes").count("\n") == 1, seconds=20, every=0.2)
            service.systemctl("restart", "autosyncd")
            assert service.show("ActiveState") == "active"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return packages.wheel(tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel"))


class TestWheel:
    pytestmark = ON_A_MACHINE

    @pytest.fixture
    def service(self, wheel: Path) -> Iterator[Service]:
        """alice has it in an environment of her own, as pipx makes one, and links in ~/.local/bin."""
        with Box(user="alice", binds={wheel.parent: "/wheel"}) as box:
            box.shell(
                "/usr/bin/python3 -m venv --system-site-packages '.local/my venv';"
                f"'.local/my venv/bin/pip' -q install --no-deps --no-index /wheel/{wheel.name};"
                "cp /wheel/carried/inotify_simple.py '.local/my venv'/lib/python3*/site-packages/;"
                "mkdir -p .local/bin; ln -s '../my venv/bin/autosyncd' '../my venv/bin/autosyncctl'"
                " .local/bin/"
            )
            yield configured(box)

    def test_it_runs_from_the_wheel_with_a_unit_of_its_own(self, service: Service) -> None:
        box = service.box
        said = box.shell(".local/bin/autosyncctl install-unit")
        assert "systemctl --user enable --now autosyncd" in said
        service.add_repository("notes")
        service.start()
        box.shell("echo buy milk >notes/todo.md")
        eventually(lambda: "todo.md" in service.subjects("notes"), seconds=20, every=0.2)
        assert service.show("NRestarts") == "0"
        assert "/home/alice/.local/bin/autosyncd" in service.show("ExecStart")
        verified = box.run(*VERIFY, service.show("FragmentPath"))
        assert verified.stdout + verified.stderr == ""
        box.shell(".local/bin/autosyncctl install-unit --remove")
        assert service.show("LoadState") == "not-found"
        assert box.shell("pgrep -u alice -f [b]in/autosyncd || echo none") == "none"
        assert box.shell("find .config/systemd ! -type d") == ""

    def test_what_belongs_to_it_comes_with_it(self, service: Service) -> None:
        found = service.box.shell("cd '.local/my venv/share' && find . -type f | sort").split("\n")
        for wanted in (
            "./autosyncd/hardening.conf",
            "./bash-completion/completions/autosyncctl",
            "./bash-completion/completions/autosyncd",
            "./fish/vendor_completions.d/autosyncctl.fish",
            "./man/man1/autosyncctl.1",
            "./zsh/site-functions/_autosyncctl",
        ):
            assert wanted in found


class TestInstall:
    pytestmark = ON_A_MACHINE

    def test_a_prefix_of_its_own_is_found_by_systemd_and_taken_away_whole(self) -> None:
        install = ("/checkout/script/install", "--prefix", "/opt/autosync")
        with Box(user="alice") as box:
            before = box.shell("find /usr /etc | sort", user="root")
            box.run(*install, user="root", timeout=120)
            box.shell("ln -s /opt/autosync/bin/autosyncctl /usr/local/bin/", user="root")
            works(configured(box))
            box.run(*install, user="root", timeout=120)
            assert box.shell("journalctl --list-catalog | grep -c autosyncd", user="root") != "0"
            Service(box).systemctl("disable", "--now", "autosyncd")
            box.run(*install, "--remove", user="root")
            box.shell("rm /usr/local/bin/autosyncctl", user="root")
            after = box.shell("find /usr /etc | sort", user="root")
            new = set(after.split("\n")) - set(before.split("\n"))
            assert all(box.shell(f"test -d '{path}' && echo folder") for path in new), new
            assert box.shell("find /opt/autosync ! -type d") == ""

    def test_of_two_installations_the_first_keeps_its_unit(self) -> None:
        with Box(user="alice") as box:
            box.run("/checkout/script/install", user="root", timeout=120)
            unit = "/usr/local/lib/systemd/user/autosyncd.service"
            before = box.shell(f"cat {unit}")
            words = ("/checkout/script/install", "--prefix", "/opt/autosync")
            said = box.run(*words, user="root", timeout=120).stderr
            assert f"{unit} is there already and stays" in said
            assert box.shell(f"cat {unit}") == before
            box.run(*words, "--remove", user="root")
            assert box.shell(f"cat {unit}") == before
            assert "ExecStart=/usr/local/bin/autosyncd" in before

    def test_instances_of_the_system_are_named_to_whoever_upgrades_or_removes(self) -> None:
        install, instance = "/checkout/script/install", "autosyncd@alice.service"
        with Box(user="alice") as box:
            box.run(install, user="root", timeout=120)
            box.run("systemctl", "enable", "--now", instance, user="root")
            said = box.run(install, user="root", timeout=120).stdout
            assert said.endswith(f"\n    sudo systemctl restart {instance}\n")
            said = box.run(install, "--remove", user="root").stdout
            assert said.endswith(f"\n    sudo systemctl disable {instance}\n")
            assert box.shell("pgrep -u alice -f [b]in/autosyncd || echo none") == "none"
            box.run("systemctl", "disable", instance, user="root")
            assert box.shell("find /etc/systemd -name 'autosyncd*'") == ""

    def test_a_file_that_a_newer_version_no_longer_has_goes_away(self) -> None:
        with Box(user="alice") as box:
            box.run("/checkout/script/install", user="root", timeout=120)
            old = "/usr/local/share/man/man1/autosync-old.1"
            box.shell(f"touch {old}; echo {old} >>/usr/local/lib/autosyncd/placed", user="root")
            box.run("/checkout/script/install", user="root", timeout=120)
            assert box.shell(f"test -e {old} || echo gone") == "gone"
