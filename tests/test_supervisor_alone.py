"""One daemon per configuration: the lock, and the one that waits for it."""

import contextlib
import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosyncd.service.notify import Notifier
from autosyncd.supervisor import alone
from autosyncd.supervisor.alone import Taken, take, wait
from tests.waiting import eventually


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("home", "run", "config"):
        (tmp_path / name).mkdir()
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home / "home"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        **more,
    }


def test_a_lock_for_each_configuration(home):
    env = environment(home)
    first = take(None, env)
    assert isinstance(first, int)
    assert take(None, env) == Taken(os.getpid())
    assert take(str(home / "config/autosync/autosync.yaml"), env) == Taken(os.getpid())
    other = take(str(home / "other.yaml"), env)
    assert isinstance(other, int)
    os.close(first)
    again = take(None, env)
    assert isinstance(again, int)
    names = [one.name for one in (home / "state/autosync").iterdir()]
    assert [len(name) for name in names] == [len("0123456789abcdef.lock")] * 2
    for lock in (other, again):
        os.close(lock)


def held(folder: Path) -> bool:
    return len(list(folder.glob("*.lock"))) == 1


def test_the_lock_is_the_same_whatever_the_runtime_folder(home: Path) -> None:
    """A service of the system, one of the user and a login with su have each another one."""
    first = take(None, environment(home))
    assert isinstance(first, int)
    for other in ("", str(home / "another")):
        assert take(None, environment(home, XDG_RUNTIME_DIR=other)) == Taken(os.getpid())
    assert held(home / "state/autosync")
    os.close(first)


def test_two_machines_with_one_home_have_a_lock_each(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = []
    for machine in ("one", "two"):
        monkeypatch.setattr(alone, "machine_id", lambda machine=machine: machine)
        locks.append(take(None, environment(home)))
    assert all(isinstance(lock, int) for lock in locks)
    for lock in locks:
        os.close(lock)  # type: ignore[arg-type]


def test_the_lock_goes_elsewhere_where_no_state_can_be_kept(home: Path) -> None:
    (home / "file").touch()
    closed = str(home / "file/in/it")
    for runtime, place in (
        (str(home / "run"), "run"),
        (closed, "home/.cache"),
        ("", "home/.cache"),
    ):
        env = environment(home, XDG_STATE_HOME=closed, XDG_RUNTIME_DIR=runtime)
        lock = take(None, env)
        assert isinstance(lock, int)
        assert take(None, env) == Taken(os.getpid())
        os.close(lock)
        assert held(home / place / "autosync")


def test_a_file_system_without_locks_is_not_used(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as NFS without its lock daemon."""
    real = fcntl.flock

    def flock(lock: int, how: int) -> None:
        if os.readlink(f"/proc/self/fd/{lock}").startswith(str(home / "state")):
            raise OSError(errno.ENOLCK, "No locks available")
        real(lock, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = take(None, environment(home))
    assert isinstance(lock, int)
    assert held(home / "run/autosync")
    os.close(lock)


class Service:
    """An autosyncd under a service manager, which hears what it says of itself."""

    def __init__(self, home: Path, name: str, **more: str) -> None:
        self.log = home / f"{name}.log"
        self.said: list[str] = []
        self._systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._systemd.bind(str(home / f"{name}.notify"))
        self._systemd.setblocking(False)
        more = {"NOTIFY_SOCKET": str(home / f"{name}.notify"), **more}
        with self.log.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "autosyncd"],
                env=environment(home, **more),
                stderr=stream,
            )

    def heard(self, words: str) -> bool:
        with contextlib.suppress(BlockingIOError):
            while True:
                self.said.append(self._systemd.recv(4096).decode())
        return any(words in line for line in self.said)

    def hears(self, words: str) -> None:
        eventually(lambda: self.heard(words), 15)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)

    def spent(self) -> float:
        """Seconds of processor time."""
        part = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(part[11]) + int(part[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._systemd.close()


@pytest.fixture
def service(home: Path) -> Iterator[Callable[..., Service]]:
    with contextlib.ExitStack() as all_of_them:

        def start(name: str, **more: str) -> Service:
            one = Service(home, name, **more)
            all_of_them.callback(one.end)
            return one

        yield start


WORKS = "STATUS=no repositories yet"


def test_a_service_of_another_kind_is_a_second_one_too(
    home: Path, service: Callable[..., Service]
) -> None:
    service("first").hears(WORKS)
    service("second", XDG_RUNTIME_DIR=str(home / "another")).hears("Another autosyncd")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_a_second_service_waits_and_takes_over(
    service: Callable[..., Service], end: signal.Signals
) -> None:
    first = service("first")
    first.hears(WORKS)
    second = service("second")
    who = f"Another autosyncd (process {first.process.pid}) runs with this configuration"
    text = f"{who}; this one waits, and takes over when that ends."
    second.hears(f"STATUS={text}")
    assert second.said == ["READY=1", f"STATUS={text}"]
    before = second.spent()
    second.process.send_signal(signal.SIGHUP)  # systemctl reload
    first.process.send_signal(end)
    first.process.wait(15)
    second.hears(WORKS)
    assert second.spent() - before < 5
    assert second.stop() == 0
    assert second.log.read_text().count("Another autosyncd") == 1


def test_a_reload_at_any_moment_of_taking_over_ends_nobody(
    service: Callable[..., Service],
) -> None:
    first = service("first")
    first.hears(WORKS)
    second = service("second")
    second.hears("Another autosyncd")
    first.process.send_signal(signal.SIGTERM)

    def works_while_it_is_pestered() -> bool:
        second.process.send_signal(signal.SIGHUP)
        second.process.send_signal(signal.SIGUSR1)
        assert second.process.poll() is None
        return second.heard(WORKS)

    eventually(works_while_it_is_pestered, 15, every=0.001)
    assert second.stop() == 0


def test_a_waiting_service_ends_at_once(service: Callable[..., Service]) -> None:
    first = service("first")
    first.hears(WORKS)
    second = service("second")
    second.hears("Another autosyncd")
    assert second.stop() == 0
    second.hears("STOPPING=1")
    assert first.process.poll() is None


class Heard(Notifier):
    """Says it to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def _send(self, text: str) -> None:
        self.said.append(text)


def test_a_dead_process_that_still_has_the_lock_wakes_nobody_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A child of it may have the descriptor for a moment longer, and nobody has reaped it yet."""
    monkeypatch.setattr(alone, "AGAIN", 0.3)
    dead = subprocess.Popen(["true"])
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    tries: list[int | Taken] = [Taken(dead.pid), Taken(dead.pid), Taken(dead.pid), 7]
    begun = alone.clock.now()
    assert wait(lambda: tries.pop(0), Heard()) == 7
    assert alone.clock.now() - begun >= 0.6
    dead.wait()


def test_a_folder_without_space_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alone, "AGAIN", 0.01)
    left = iter(range(3))

    def attempt() -> int:
        if next(left, None) is not None:
            raise OSError(28, "No space left on device")
        return 7

    said = Heard()
    assert wait(attempt, said) == 7
    assert said.said[0] == "READY=1"
    assert said.said[1].startswith(
        "STATUS=No lock can be taken ([Errno 28] No space left on device)"
    )
    assert len([one for one in caplog.records if "No lock" in one.message]) == 1
