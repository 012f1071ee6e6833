"""autosyncd installed in a booted machine, and alice, who uses it: for the tests with a real systemd."""

import contextlib
from collections.abc import Iterator

from tests.testbed import Box

UNIT = "autosyncd.service"


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


@contextlib.contextmanager
def installed() -> Iterator[Box]:
    """A machine on which script/install has run, and alice with a git identity."""
    with Box(user="alice") as box:
        said = box.run("/checkout/script/install", user="root", timeout=120).stdout
        assert said.rstrip().endswith("systemctl --user enable --now autosyncd")
        box.shell(
            "git config --global user.name Alice; git config --global user.email a@example.org"
        )
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
