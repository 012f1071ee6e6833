"""autosyncd installed in a booted machine, and alice, who uses it: for the tests with a real systemd."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from tests.testbed import CHECKOUT, Box, execute
from tests.waiting import eventually

UNIT = "autosyncd.service"
SUITE = os.environ.get("BOX_SUITE")
"""A Debian release to boot instead of this host's system: bookworm or trixie."""


class Service:
    """alice's autosyncd, through her own systemctl."""

    def __init__(self, box: Box) -> None:
        self.box = box

    def systemctl(self, *words: str) -> str:
        return self.box.run("systemctl", "--user", *words).stdout.strip()

    def show(self, field: str) -> str:
        return self.systemctl("show", "--value", "-p", field, UNIT)

    def start(self) -> None:
        self.systemctl("enable", "--now", "autosyncd")

    def override(self, text: str, name: str = "test") -> None:
        """A drop-in of the person's own for the unit."""
        folder = f".config/systemd/user/{UNIT}.d"
        self.box.run("sh", "-ec", f"mkdir -p {folder}; cat >{folder}/{name}.conf", input=text)
        self.systemctl("daemon-reload")

    def add_repository(self, name: str, **settings: str) -> None:
        """A git folder ~/NAME, and the drop-in that names it."""
        self.box.shell(f"git init -q -b main ~/{name}")
        self.configure(name, f"~/{name}", **settings)

    def configure(self, name: str, path: str, **settings: str) -> None:
        """The drop-in that names a repository."""
        keys = {"path": path, "commit_after": "500ms", "push_after": "500ms", **settings}
        entry = "\n    ".join(f"{key}: {value}" for key, value in keys.items())
        folder = ".config/autosync/autosync.d"
        script = f"mkdir -p {folder}; cat >{folder}/.new; mv {folder}/.new {folder}/{name}.yaml"
        self.box.run("sh", "-ec", script, input=f"repositories:\n  - {entry}\n")

    def subjects(self, name: str) -> str:
        """The subjects of the commits that there are."""
        return self.box.shell(f"git -C ~/{name} log --format=%s 2>&1", check=False)

    def journal(self, *words: str) -> str:
        return self.box.run("journalctl", "--user", "-u", "autosyncd", "-o", "cat", *words).stdout


class BareBox(Box):
    """A machine of a minimal Debian, on the host's network."""

    def __init__(self, suite: str, **words: Any) -> None:
        super().__init__(**words)
        image = CHECKOUT / f".cache/clean-room/{suite}.tar"
        if not image.exists():
            clean_room = CHECKOUT / "tests/testbed/clean-room"
            execute([clean_room, suite, "--", "true"], timeout=600)
        self.options += ["--image", str(image), "--net-host"]

    def start(self) -> None:
        """Boot it; its pip finds the network as this host's does."""
        super().start()
        known = {"PIP_INDEX_URL": "index-url", "PIP_CERT": "cert", "https_proxy": "proxy"}
        lines = [f"{key} = {os.environ[name]}" for name, key in known.items() if name in os.environ]
        pip = "\n".join(["[global]", *lines, ""])
        self.run("sh", "-ec", "cat >/etc/pip.conf", user="root", input=pip)

    def apt(self, *words: str) -> None:
        """Install packages, and only what they can't do without."""
        apt = "export DEBIAN_FRONTEND=noninteractive; apt-get -qq update; apt-get -qq -y install"
        command = f"{apt} --no-install-recommends {' '.join(words)} </dev/null"
        self.run("sh", "-ec", command, user="root", timeout=400)


def configured(box: Box) -> Service:
    """alice's service, and a git that knows who she is."""
    box.shell("git config --global user.name Alice; git config --global user.email a@example.org")
    return Service(box)


def works(service: Service) -> None:
    """It runs, and an edit becomes a commit."""
    service.add_repository("notes")
    service.start()
    service.box.shell("echo buy milk >notes/todo.md")
    try:
        eventually(lambda: "todo.md" in service.subjects("notes"), seconds=20, every=0.2)
    except AssertionError:
        raise AssertionError(service.journal()) from None
    assert service.show("NRestarts") == "0"
    assert "notes" in service.box.run("autosyncctl", "status").stdout


@contextlib.contextmanager
def installed(*packages: str) -> Iterator[Box]:
    """A machine on which script/install has run, and alice with a git identity. `packages` are
    what a bare machine lacks."""
    with BareBox(SUITE, user="alice") if SUITE else Box(user="alice") as box:
        if isinstance(box, BareBox):
            box.apt("man-db", *packages)
        said = box.run("/checkout/script/install", user="root", timeout=300).stdout
        assert said.rstrip().endswith("systemctl --user enable --now autosyncd")
        configured(box)
        yield box


@contextlib.contextmanager
def cleaned(box: Box) -> Iterator[Service]:
    """alice's service; afterwards nothing of it is left."""
    yield Service(box)
    box.shell(
        "systemctl --user disable --now autosyncd; systemctl --user reset-failed;"
        "rm -rf .config/autosync .config/systemd .local/state/autosync notes;"
        "systemctl --user daemon-reload",
        check=False,
    )
