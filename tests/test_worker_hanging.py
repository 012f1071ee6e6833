"""A file system that doesn't answer: it is told, and nobody works beside who hangs in it."""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosyncd.errors import LinkClosed
from autosyncd.link import beat
from autosyncd.link.channel import pair
from autosyncd.link.messages import Alive, Problem, Solved, StatusChanged
from autosyncd.model import RepoConfig, Status
from autosyncd.worker import hanging, main
from autosyncd.worker.hanging import HANGS_AFTER, LOOK_EVERY, Hanging
from tests.daemons import git
from tests.testbed.program import require
from tests.waiting import eventually


class Sleeper:
    """A child in one sleep that nobody can interrupt, as those in a file system are: it waits for one
    of its own that comes to no exec, since nobody writes to a FIFO (vfork(2))."""

    def __init__(self, folder: Path) -> None:
        self.fifo = folder / "fifo"
        os.mkfifo(self.fifo)
        self.pid = os.fork()
        if self.pid == 0:
            opening = [(os.POSIX_SPAWN_OPEN, 0, str(self.fifo), os.O_RDONLY, 0)]
            os.waitpid(os.posix_spawn("/bin/true", ["true"], {}, file_actions=opening), 0)
            os._exit(0)
        eventually(lambda: [*hanging._asleep(self.pid)])

    def wake(self) -> None:
        if self.pid:
            self.fifo.write_text("")
            os.waitpid(self.pid, 0)
            self.pid = 0


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Sleeper]:
    one = Sleeper(tmp_path)
    yield one
    one.wake()


def looks(one: Hanging, since: float, until: float, *, busy: bool = True) -> float | None:
    """The first point in time at which it is said that something hangs."""
    now = since
    while now <= until:
        one.tick(now, busy=busy)
        if one.hangs:
            return now
        now += LOOK_EVERY
    return None


def test_one_long_sleep_is_told_within_two_minutes_and_its_end_at_once(sleeper: Sleeper) -> None:
    one = Hanging()
    told = looks(one, 0.0, 300.0)
    assert told is not None
    assert HANGS_AFTER < told <= 120.0
    sleeper.wake()
    assert one.tick(told + LOOK_EVERY, busy=True)
    assert not one.hangs


def test_nobody_looks_while_there_is_nothing_to_do(sleeper: Sleeper) -> None:
    one = Hanging()
    assert looks(one, 0.0, 300.0, busy=False) is None
    assert one.due == float("inf")
    assert looks(one, 300.0, 300.0 + HANGS_AFTER) is None  # what was before does not count


def test_a_disk_at_work_does_not_hang() -> None:
    assert looks(Hanging(), 0.0, 300.0) is None


def sleeps(shell: int) -> bool:
    """It has begun what it waits for: until then vfork(2) keeps it as a hung disk would."""
    begun = Path(f"/proc/{shell}/task/{shell}/children").read_text()
    return (
        bool(begun) and Path(f"/proc/{shell}/stat").read_text().rpartition(")")[2].split()[0] == "S"
    )


def test_a_long_hook_does_not_hang() -> None:
    hook = subprocess.Popen(["sh", "-c", "sleep 300; true"], process_group=0)
    waiting = threading.Thread(target=hook.wait)
    waiting.start()
    try:
        eventually(lambda: sleeps(hook.pid))
        assert looks(Hanging(), 0.0, 300.0) is None
    finally:
        os.killpg(hook.pid, signal.SIGKILL)
        waiting.join(5)


# a real one


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that can be frozen, with a tree in it."""
    require(programs={"mkfs.ext4": "e2fsprogs", "fsfreeze": "util-linux"})
    image, place = tmp_path / "disk", tmp_path / "mnt"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, place], check=False).returncode:
        pytest.skip("no loop device can be mounted here")
    (place / "tree").mkdir()
    git(place / "tree", "init", "-q", "-b", "main")
    try:
        yield place
    finally:
        subprocess.run(["fsfreeze", "-u", place], check=False, capture_output=True)
        subprocess.run(["umount", "--lazy", place], check=True)


class Worker:
    """A whole worker in a process of its own, and what it says."""

    def __init__(self, tree: Path, commit_after: float = 0.1) -> None:
        self.link, below = pair()
        self.said: list[object] = []
        self.pid = os.fork()
        if self.pid == 0:
            status = 99
            with contextlib.suppress(Exception):
                self.link.close()
                config = RepoConfig(str(tree), "notes", commit_after=commit_after)
                status = main.run(config, below, lambda: str(tree))
            os._exit(status)
        below.close()

    def hears(self, *wanted: object) -> None:
        def heard() -> bool:
            self.said += self.link.inbox.receive()
            return all(any(_like(one, it) for one in self.said) for it in wanted)

        eventually(heard, 20)

    def is_gone(self) -> bool:
        """Its end of the link is closed: nobody of it is left (supervisor/children.py)."""
        try:
            while self.link.inbox.receive():
                pass
        except LinkClosed:
            return True
        return False


def _like(one: object, wanted: object) -> bool:
    if isinstance(one, StatusChanged) and isinstance(wanted, Status):
        return one.status is wanted
    if isinstance(one, Problem) and isinstance(wanted, Problem):
        return one.kind == wanted.kind
    return one == wanted


@pytest.mark.root
def test_a_frozen_file_system_is_told_and_its_worker_is_not_gone_before_it_answers(
    disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging, "LOOK_EVERY", 0.2)
    monkeypatch.setattr(hanging, "HANGS_AFTER", 1.0)
    monkeypatch.setattr(beat, "ALIVE_EVERY", 0.2)
    worker = Worker(disk / "tree")
    try:
        worker.hears(Status.IDLE)
        (disk / "tree/edit").write_text("one\n")
        subprocess.run(["fsfreeze", "-f", disk], check=True)
        worker.hears(Problem("stuck", ""), Status.FAILED)
        text = next(one.text for one in worker.said if isinstance(one, Problem))
        assert text == f"The file system of {disk}/tree doesn't answer; nothing can be done there."
        worker.said.clear()
        select.select([], [], [], 1.0)  # five times ALIVE_EVERY
        worker.said += worker.link.inbox.receive()
        assert Alive() not in worker.said
        os.kill(worker.pid, signal.SIGKILL)
        os.waitpid(worker.pid, 0)
        select.select([], [], [], 1.0)
        assert not worker.is_gone()
        subprocess.run(["fsfreeze", "-u", disk], check=True)
        eventually(worker.is_gone)
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(worker.pid, signal.SIGKILL)
            os.waitpid(worker.pid, 0)


@pytest.mark.root
def test_when_it_answers_again_all_goes_on(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hanging, "LOOK_EVERY", 0.2)
    monkeypatch.setattr(hanging, "HANGS_AFTER", 1.0)
    worker = Worker(disk / "tree")
    try:
        worker.hears(Status.IDLE)
        (disk / "tree/edit").write_text("one\n")
        subprocess.run(["fsfreeze", "-f", disk], check=True)
        worker.hears(Status.FAILED)
        worker.said.clear()
        subprocess.run(["fsfreeze", "-u", disk], check=True)
        worker.hears(Solved("stuck"), Status.IDLE)
        assert "edit" in git(disk / "tree", "ls-tree", "--name-only", "HEAD")
    finally:
        os.kill(worker.pid, signal.SIGTERM)
        os.waitpid(worker.pid, 0)


class Mount:
    """A FUSE mount, whose program can be made to answer nobody: it stands for sshfs and its like."""

    def __init__(self, folder: Path) -> None:
        behind, self.place = folder / "behind", folder / "mnt"
        behind.mkdir()
        self.place.mkdir()
        git(behind, "init", "-q", "-b", "main")
        (behind / "file").write_text("one\n")
        self._program = subprocess.Popen(["bindfs", "-f", str(behind), str(self.place)])
        eventually(lambda: self._program.poll() is not None or self.place.is_mount())

    def hang(self) -> None:
        self._program.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._program.pid, os.WSTOPPED)

    def answer(self) -> None:
        self._program.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.answer()
        subprocess.run(["umount", "--lazy", self.place], check=False, capture_output=True)
        self._program.terminate()
        self._program.wait(5)


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    require(programs={"bindfs": "bindfs"})
    one = Mount(tmp_path)
    try:
        if not one.place.is_mount():
            pytest.skip("no FUSE here")
        yield one
    finally:
        one.end()


@pytest.mark.root
def test_who_reads_in_this_very_process_can_hang_in_fuse(mount: Mount) -> None:
    mount.hang()
    reading = threading.Thread(target=lambda: (mount.place / "file").read_bytes())
    reading.start()
    eventually(lambda: [*hanging._asleep(os.getpid())])
    one = Hanging()
    told = looks(one, 0.0, 300.0)
    assert told is not None
    assert HANGS_AFTER < told <= 120.0
    mount.answer()
    reading.join(5)
    assert one.tick(told + LOOK_EVERY, busy=True)
    assert not one.hangs


@pytest.mark.root
def test_fuse_that_hangs_is_told_and_all_goes_on_when_it_answers(
    mount: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hanging, "LOOK_EVERY", 0.2)
    monkeypatch.setattr(hanging, "HANGS_AFTER", 1.0)
    worker = Worker(mount.place, commit_after=2.0)
    try:
        worker.hears(Status.IDLE)
        worker.said.clear()
        (mount.place / "edit").write_text("one\n")
        worker.hears(
            Status.SETTLING
        )  # else its loop hangs, which sets the watches, and says nothing
        mount.hang()
        worker.hears(Problem("stuck", ""), Status.FAILED)
        worker.said.clear()
        mount.answer()
        worker.hears(Solved("stuck"), Status.IDLE)
        assert "edit" in git(mount.place, "ls-tree", "--name-only", "HEAD")
    finally:
        mount.answer()
        os.kill(worker.pid, signal.SIGTERM)
        os.waitpid(worker.pid, 0)
