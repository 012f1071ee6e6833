"""Real daemons with a home of their own, for tests and benchmarks."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.waiting import eventually

ROOT = str(Path(__file__).parent.parent)
QUICK = {"commit_after": "200ms", "push_after": "200ms"}
"""Waits short enough for a test."""


def git(folder: Path, *arguments: str, check: bool = True) -> str:
    """git as a person would run it, with an identity."""
    named = ["-c", "user.name=Alice", "-c", "user.email=alice@example.org"]
    done = subprocess.run(
        ["git", *named, *arguments], cwd=folder, capture_output=True, check=False, text=True
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


def hub(folder: Path, name: str = "hub.git") -> Path:
    """An empty bare repository."""
    git(folder, "init", "-q", "--bare", "-b", "main", name)
    return folder / name


def clone(source: Path | str, target: Path) -> Path:
    """A clone of a (perhaps empty) hub, on main."""
    git(target.parent, "clone", "-q", str(source), str(target))
    git(target, "symbolic-ref", "HEAD", "refs/heads/main")
    return target


def processes_of(session: int) -> list[int]:
    """Live processes that descend from (or were started by) a daemon: its session's, and git's."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError, ValueError):
            environ = Path("/proc", entry, "environ").read_bytes()
            state = Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()[0]
            if b"AUTOSYNC_TEST=%d\0" % session in environ and state != "Z":
                found.append(int(entry))
    return found


class Daemon:
    """One autosyncd in a folder of its own."""

    count = 0

    def __init__(self, folder: Path, name: str = "machine", **environment: str) -> None:
        Daemon.count += 1
        self.mark = os.getpid() * 1000 + Daemon.count
        self.home = folder / name
        for part in (".config/autosync/autosync.d", "run"):
            (self.home / part).mkdir(parents=True, mode=0o700)
        self.config = self.home / ".config/autosync/autosync.yaml"
        self.log = self.home / "log"
        self.environment = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("GIT_", "XDG_", "DBUS_", "NOTIFY", "JOURNAL"))
        } | {
            "HOME": str(self.home),
            "XDG_RUNTIME_DIR": str(self.home / "run"),
            "AUTOSYNC_TEST": str(self.mark),
            "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent",
            "PYTHONPATH": ":".join(filter(None, (ROOT, os.environ.get("PYTHONPATH")))),
            **environment,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.words = ("--verbose",)
        """Its command line."""
        self.through: tuple[str, ...] = ()
        """What runs it: `ip netns exec NAME`, say."""

    def configure(self, *repositories: dict[str, object], fanout: int | None = None) -> None:
        """Write the main file: entries on top of quick defaults."""
        entries = [dict(entry) for entry in repositories]
        data: dict[str, object] = {"defaults": QUICK, "repositories": entries}
        if fanout is not None:
            data["transports"] = {"fanout": {"server": f"127.0.0.1:{fanout}", "tls": False}}
        write_yaml(self.config, data)

    def start(self) -> "Daemon":
        """Begin; returns at once."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.through, sys.executable, "-P", "-m", "autosyncd", *self.words],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def ready(self, *names: str) -> "Daemon":
        """Every named repository has reached rest once."""
        for name in names:
            self.says(f"[{name}] idle")
        return self

    def says(self, words: str, seconds: float = 20.0, times: int = 1) -> str:
        """Wait until the log holds these words so often; the whole log."""

        def heard() -> str:
            text = self.text()
            return text if text.count(words) >= times else ""

        try:
            return eventually(heard, seconds)
        except AssertionError:
            raise AssertionError(f"{words!r} not in:\n{self.text()}") from None

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def processes(self) -> list[int]:
        """Everything of it that lives, git children included."""
        return processes_of(self.mark)

    def workers(self) -> dict[str, int]:
        """Name → pid of the worker processes (names cut by the kernel), without their shifts."""
        assert self.process is not None
        found = {}
        for pid in self.processes():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{pid}/comm").read_text().strip()
                parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                if name.startswith("autosync:") and parent == self.process.pid:
                    found[name.removeprefix("autosync:")] = pid
        return found

    def stop(self, seconds: float = 15.0) -> int:
        """SIGTERM and wait; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL to the supervisor alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(5)

    def end(self) -> None:
        """Whatever is left of it."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop(12)
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(5)


@contextlib.contextmanager
def daemon(folder: Path, name: str = "machine", **environment: str) -> Iterator[Daemon]:
    """A daemon that is ended with all its processes."""
    one = Daemon(folder, name, **environment)
    try:
        yield one
    finally:
        one.end()


def write_yaml(path: Path, data: object) -> None:
    """Write a configuration file as a person's editor does: beside, then renamed over."""
    import yaml

    fresh = path.with_suffix(".new")
    fresh.write_text(yaml.safe_dump(data))
    fresh.chmod(0o600)
    fresh.rename(path)
