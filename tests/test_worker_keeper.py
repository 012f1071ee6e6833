"""The keeper: shifts come and go, what they know goes on, and nobody is left behind."""

import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from autosyncd import clock
from autosyncd.link import beat
from autosyncd.link.channel import Link, pair
from autosyncd.link.messages import Alive, Online, Problem
from autosyncd.model import RepoConfig
from autosyncd.service import journal
from autosyncd.worker import keeper as keepers
from autosyncd.worker import main
from autosyncd.worker.handover import Handover, pack, receive, send, unpack
from autosyncd.worker.keeper import Keeper
from tests.waiting import eventually, ready

LONG = 1e9
HERE = "/notes"
Work = Callable[[Link, Handover | None], Handover | int]


class Kept:
    """A keeper in a process of its own, and the supervisor's end of its link."""

    def __init__(self, shift: Work, watch: int | None = None) -> None:
        self.link, below = pair()
        self.pid = os.fork()
        if self.pid == 0:
            status = 99
            with contextlib.suppress(Exception):
                self.link.close()
                status = Keeper(below, watch, partial(shift, below)).run()
            os._exit(status)
        below.close()
        self.said: list[object] = []

    def says(self, text: str) -> None:
        """Wait for a shift to say so."""

        def heard() -> bool:
            self.said += self.link.inbox.receive()
            return any(isinstance(one, Problem) and one.text == text for one in self.said)

        eventually(heard)

    def shifts(self) -> list[int]:
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(word) for word in found.split()]

    def ended(self) -> int:
        """Wait for its exit status."""
        watch = os.pidfd_open(self.pid)
        assert ready(watch)
        os.close(watch)
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def kept() -> Iterator[Callable[..., Kept]]:
    living: list[Kept] = []

    def begin(shift: Work, watch: int | None = None) -> Kept:
        living.append(Kept(shift, watch))
        return living[-1]

    yield begin
    for one in living:
        if one.pid:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        one.link.close()


def says(link: Link, text: str) -> None:
    link.outbox.post(Problem("test", text))


def counting(link: Link, left: Handover | None) -> Handover | int:
    """Each shift reads its orders and adds one to what the last knew."""

    count = 1 + (unpack(left.knowledge, {}) if left else 0)
    link.inbox.receive()
    says(link, f"shift {count}")
    return Handover(HERE, pack(count, {}), LONG)


def test_news_on_the_link_begin_a_shift_that_knows_what_the_last_knew(kept):
    one = kept(counting)
    one.says("shift 1")
    eventually(lambda: not one.shifts())
    one.link.outbox.post(Online(True))
    one.says("shift 2")
    one.link.outbox.post(Online(False))
    one.says("shift 3")


def test_news_of_the_kernel_begin_one_too(kept):
    readable, writable = os.pipe()

    def reading(link: Link, left: Handover | None) -> Handover | int:
        said = os.read(readable, 100).decode() if left else "first"
        says(link, said)
        return Handover(HERE, b"", LONG)

    one = kept(reading, readable)
    one.says("first")
    os.write(writable, b"a file has changed")
    one.says("a file has changed")
    os.close(readable)
    os.close(writable)


def test_what_is_due_begins_one_without_any_news(kept):
    def dozing(link: Link, left: Handover | None) -> Handover | int:
        says(link, "early" if left and clock.now() < left.due else f"shift {left is not None}")
        return Handover(HERE, b"", clock.now() + 0.05)

    one = kept(dozing)
    one.says("shift True")
    assert not any(isinstance(said, Problem) and said.text == "early" for said in one.said)


def test_a_sleeping_worker_says_that_it_lives(kept, monkeypatch):
    monkeypatch.setattr(beat, "ALIVE_EVERY", 0.02)
    one = kept(counting)
    one.says("shift 1")
    eventually(lambda: Alive() in one.link.inbox.receive())
    eventually(lambda: Alive() in one.link.inbox.receive())
    assert one.shifts() == []


@pytest.mark.parametrize("status", [0, 3])
def test_a_shift_that_ends_for_good_ends_the_worker(kept, status):
    one = kept(lambda _link, _left: status)
    assert one.ended() == status


def test_a_shift_that_is_killed_ends_the_worker(kept):
    one = kept(lambda _link, _left: signal.pause())
    os.kill(eventually(one.shifts)[0], signal.SIGKILL)
    assert one.ended() == 128 + signal.SIGKILL


def test_a_bug_in_a_shift_ends_the_worker_with_a_status(kept, capfd):
    one = kept(lambda _link, _left: 1 // 0)
    assert one.ended() == keepers.FAILED


def test_a_bug_is_told_with_the_repository_it_is_about(capfd):
    _, below = pair()
    pid = os.fork()
    if pid == 0:
        journal.install(verbose=False)
        with contextlib.suppress(BaseException):
            os._exit(main.run(RepoConfig(HERE, "notes"), below, lambda: str(1 // 0)))
        os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == keepers.FAILED
    assert "[notes] error: A worker ends because of an unexpected" in capfd.readouterr().err


def test_a_keeper_that_is_killed_takes_its_shift_with_it(kept):
    one = kept(lambda _link, _left: signal.pause())
    shift = eventually(one.shifts)[0]
    os.kill(one.pid, signal.SIGKILL)
    assert one.ended() == -signal.SIGKILL
    eventually(lambda: not os.path.exists(f"/proc/{shift}/cmdline") or _is_zombie(shift))


def _is_zombie(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return ") Z" in Path(f"/proc/{pid}/stat").read_text()
    return True


def test_sigterm_at_rest_ends_the_worker(kept):
    one = kept(counting)
    one.says("shift 1")
    eventually(lambda: not one.shifts())
    os.kill(one.pid, signal.SIGTERM)
    assert one.ended() == 0


def test_sigterm_at_work_lets_the_shift_end_in_its_own_way(kept):
    def careful(link: Link, left: Handover | None) -> Handover | int:
        with contextlib.suppress(KeyboardInterrupt):
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            says(link, "at work")
            signal.pause()
        says(link, "children ended")
        return Handover(HERE, b"", LONG)  # even if it would rather rest: there is no supervisor

    one = kept(careful)
    one.says("at work")
    os.kill(one.pid, signal.SIGTERM)
    one.says("children ended")
    assert one.ended() == 0


def test_the_lock_of_the_tree_is_held_from_shift_to_shift(kept, tmp_path):
    path = tmp_path / "lock"

    def locking(link: Link, left: Handover | None) -> Handover | int:
        if left is None:
            lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
        else:
            assert left.lock is not None
            lock = left.lock
        link.inbox.receive()
        says(link, f"shift {left is not None}")
        return Handover(HERE, b"", LONG, lock)

    def free() -> bool:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    one = kept(locking)
    one.says("shift False")
    eventually(lambda: not one.shifts())
    assert not free()
    one.link.outbox.post(Online(True))
    one.says("shift True")
    eventually(lambda: not one.shifts())
    assert not free()
    os.kill(one.pid, signal.SIGKILL)
    one.ended()
    assert free()


def test_a_handover_that_breaks_off_is_none():
    whole = Handover(os.fsdecode(b"/caf\xe9"), b"x" * 5000, 12.5)
    near, far = socket.socketpair()
    send(far, whole)
    far.close()
    everything = b""
    with near:
        while data := near.recv(1 << 16):
            everything += data
    for length in (0, 1, len(everything) // 2, len(everything) - 1, len(everything)):
        near, far = socket.socketpair()
        far.sendall(everything[:length])
        far.close()
        with near:
            assert receive(near) == (whole if length == len(everything) else None)


def test_what_stays_is_not_copied():
    instance, other = object(), ["other"]
    known = unpack(pack((instance, other, instance), {"i": instance}), {"i": "the next one"})
    assert known == ("the next one", ["other"], "the next one")
