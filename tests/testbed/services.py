"""git servers, a desktop, and a disk that can fail."""

from pathlib import Path

import pytest

from tests.testbed.machines import Net
from tests.testbed.program import Testbed, read_exports, require


class GitServers(Testbed):
    """ssh, git, http and https servers, on loopback or on a network's hub."""

    program = "git-servers"
    kinds = ("ssh", "git", "http", "https")

    def __init__(self, folder: Path, *repositories: str, net: Net | None = None) -> None:
        require(
            programs={
                "git": "git",
                "sshd": "openssh-server",
                "lighttpd": "lighttpd",
                "openssl": "openssl",
            }
        )
        if not Path("/usr/lib/lighttpd/mod_openssl.so").exists():
            pytest.skip("needs lighttpd's TLS module: apt install lighttpd-mod-openssl")
        super().__init__()
        self.folder = folder
        self.repositories = repositories or ("notes",)
        self.place = ["--ip", net.address("hub"), "--netns", net.namespace("hub")] if net else []

    def start(self) -> None:
        self.call("start", self.folder, *self.place, *self.repositories)

    def stop(self) -> None:
        self.call("remove", self.folder)

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs, so that it knows the servers and they know it."""
        return read_exports(self.folder / "env")

    def url(self, kind: str, repository: str | None = None) -> str:
        lines = self.call("urls", self.folder, repository or self.repositories[0]).split()
        return dict(zip(self.kinds, lines, strict=True))[kind]

    def path(self, repository: str | None = None) -> Path:
        """The bare repository itself."""
        return self.folder / "srv" / f"{repository or self.repositories[0]}.git"

    def kill(self, *servers: str) -> None:
        self.call("kill", self.folder, *servers)

    def restart(self) -> None:
        """Start those that do not run, at their old ports."""
        self.start()

    def pause(self, *servers: str) -> None:
        """They take connections and answer nothing."""
        self.call("pause", self.folder, *servers)

    def resume(self, *servers: str) -> None:
        self.call("resume", self.folder, *servers)


class Desktop(Testbed):
    """A screen, a session bus and dunst."""

    program = "desktop"

    def __init__(self, folder: Path) -> None:
        packages = {
            "Xvfb": "xvfb",
            "dunst": "dunst",
            "dbus-daemon": "dbus",
            "gdbus": "libglib2.0-bin",
        }
        require(programs=packages)
        super().__init__()
        self.folder = folder

    def start(self) -> None:
        self.call("start", self.folder)
        self.env |= self.environment

    def stop(self) -> None:
        self.call("stop", self.folder)

    @property
    def environment(self) -> dict[str, str]:
        return read_exports(self.folder / "env")

    def notify(self, application: str, summary: str, body: str, *actions: str) -> int:
        return int(self.call("notify", application, summary, body, *actions))

    def history(self) -> str:
        return self.call("history")

    def click(self, button: int = 1) -> None:
        require(programs={"xdotool": "xdotool", "xwininfo": "x11-utils"})
        self.call("click", str(button))

    def screenshot(self, picture: Path) -> None:
        require(programs={"import": "imagemagick"})
        self.call("shot", picture)


class Disk(Testbed):
    """A disk of its own under `path`, which can fill up, fail and lose power."""

    program = "faults"

    def __init__(self, folder: Path, size: str = "32M", kind: str = "ext4") -> None:
        require(root=True, programs={"mkfs.ext4": "e2fsprogs", "losetup": "mount"})
        super().__init__()
        self.folder, self.size, self.kind = folder, size, kind

    def start(self) -> None:
        self.call("disk", self.folder, self.size, self.kind)

    def stop(self) -> None:
        self.call("remove", self.folder)

    @property
    def path(self) -> Path:
        return self.folder / "mnt"

    def fault(self, name: str) -> None:
        """`fill`, `inodes`, `unfill`, `read-only`, `writable`, `power-cut` …: see faults --help."""
        self.call(name, self.folder)
