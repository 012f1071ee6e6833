"""Random histories on the real kernel: whatever happens to a tree, once it is quiet every folder is
watched under its right name, and whoever looks only where the watch says so knows the whole tree."""

import contextlib
import os
import random
import shutil
import tempfile
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from inotify_simple import INotify

from autosyncd.watch import instance
from autosyncd.watch.inotify import TreeWatch
from autosyncd.watch.treechanges import TreeChanges
from autosyncd.worker.handover import pack, unpack

IGNORED = b"ignored"
NAMES = [b"a", b"b\n", b"\xfe", IGNORED]


def join(folder: bytes, name: bytes) -> bytes:
    return folder + b"/" + name if folder else name


class Disk:
    """A tree and a place outside of it, on one file system."""

    def __init__(self, base: bytes) -> None:
        self.root = os.path.join(base, b"tree")
        self.outside = os.path.join(base, b"outside")
        os.mkdir(self.root)
        os.mkdir(self.outside)
        self.serial = 0

    def below(self, path: bytes = b"") -> Iterator[tuple[bytes, bool]]:
        """Every folder and file that counts, at and below a path (relative)."""
        if IGNORED in path.split(b"/") or b".git" in path.split(b"/") or self._is_nested(path):
            return
        full = os.path.join(self.root, path)
        if not os.path.isdir(full) or os.path.islink(full):
            if os.path.lexists(full):
                yield path, False
            return
        if path and os.path.lexists(os.path.join(full, b".git")):
            return
        yield path, True
        for name in os.listdir(full):
            yield from self.below(join(path, name))

    def _is_nested(self, path: bytes) -> bool:
        parts = path.split(b"/")
        tops = (b"/".join(parts[:depth]) for depth in range(1, len(parts)))
        return any(os.path.lexists(os.path.join(self.root, top, b".git")) for top in tops)

    def files(self, path: bytes = b"") -> dict[bytes, bytes]:
        found = {}
        for name, is_folder in self.below(path):
            if not is_folder:
                with open(os.path.join(self.root, name), "rb") as file:
                    found[name] = file.read()
        return found

    def folders(self) -> set[bytes]:
        return {path for path, is_folder in self.below() if is_folder}

    def nested(self) -> set[bytes]:
        """The repositories directly below a folder that counts."""
        return {
            join(folder, name)
            for folder in self.folders()
            for name in os.listdir(os.path.join(self.root, folder))
            if name != b".git" and os.path.lexists(os.path.join(self.root, folder, name, b".git"))
        }

    def change(self, pick: random.Random) -> None:
        """One thing that somebody might do to the tree."""
        every = [os.path.join(base, path) for base, path in self._every()]
        here, there = pick.choice(every), pick.choice(every)
        target = os.path.join(there, pick.choice(NAMES))
        often = ["write", "write", "move"]
        seldom = ["mkdir", "deep", "write", "move", "in", "out", "rm", "nest", "unnest"]
        act = pick.choice([*often, *seldom])
        inside = here not in (self.root, self.outside)
        self.serial += 1
        if act == "mkdir":
            os.mkdir(target)
        elif act == "deep":
            os.makedirs(os.path.join(target, pick.choice(NAMES), pick.choice(NAMES)))
            self.write(os.path.join(target, b"file"))
        elif act == "write":
            self.write(os.path.join(here, b"file%d" % pick.randrange(3)))
        elif act == "move" and inside:
            os.rename(here, target)
        elif act == "in" and inside:
            os.rename(here, os.path.join(self.root, pick.choice(NAMES)))
        elif act == "out" and inside:
            os.rename(here, os.path.join(self.outside, pick.choice(NAMES)))
        elif act == "rm" and inside:
            shutil.rmtree(here)
        elif act == "nest" and inside and pick.random() < 0.2:
            os.mkdir(os.path.join(here, b".git"))
        elif act == "unnest" and inside:
            os.rmdir(os.path.join(here, b".git"))

    def write(self, path: bytes) -> None:
        with open(path, "wb") as file:
            file.write(b"%d" % self.serial)

    def _every(self) -> Iterator[tuple[bytes, bytes]]:
        for base in (self.root, self.outside):
            for folder, names, _ in os.walk(base):
                names[:] = sorted(name for name in names if name != b".git")
                yield base, folder


class Racing:
    """An inotify instance during whose calls the tree goes on changing, so that any path may be out
    of date at the moment when it is used."""

    def __init__(self, disk: Disk, pick: random.Random) -> None:
        self._inotify = INotify()
        self._disk = disk
        self._pick = pick
        self.share = 0.0

    def __getattr__(self, name: str) -> object:
        return getattr(self._inotify, name)

    def _change(self) -> None:
        while self._pick.random() < self.share:
            attempt(self._disk, self._pick)

    def add_watch(self, path: bytes, mask: int) -> int:
        self._change()
        wd: int = self._inotify.add_watch(path, mask)
        self._change()
        return wd

    def read(self, timeout: int) -> list[object]:
        events = list(self._inotify.read(timeout=timeout))
        self._change()
        return events


class Follower:
    """Knows the tree by its first look and by what the watch reports since."""

    def __init__(self, disk: Disk, pick: random.Random) -> None:
        self.disk = disk
        self.racing = Racing(disk, pick)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(instance, "INotify", lambda: self.racing)
            self.watch = TreeWatch(disk.root, self.ignored_now())
        self.pending: set[bytes] = set()
        self.watch.arm()
        self.known = disk.files()

    def ignored_now(self) -> list[bytes]:
        return [
            os.path.relpath(os.path.join(folder, IGNORED), self.disk.root)
            for folder, names, _ in os.walk(self.disk.root)
            if IGNORED in names
        ]

    def hear(self, batch: TreeChanges) -> None:
        assert not batch.gone
        self.pending |= batch.new_folders
        if batch.rescan:
            self.hear(self.watch.rearm(self.ignored_now()))
            self.known = self.disk.files()
            return
        for path in (*batch.changed, *batch.nested):
            prefix = path + b"/"
            for name in [n for n in self.known if n == path or n.startswith(prefix)]:
                del self.known[name]
            if path in batch.changed:
                self.known |= self.disk.files(path)

    def judge(self) -> None:
        asked, self.pending = self.pending, set()
        ignored = {path for path in asked if IGNORED in path.split(b"/")}
        self.hear(self.watch.judged(ignored, asked - ignored))

    def quiet(self) -> None:
        """Until nothing more comes: all that happened is in the queue already."""
        self.racing.share = 0.0
        for _ in range(50):
            batch = self.watch.read()
            self.hear(batch)
            if self.pending:
                self.judge()
            elif self.watch.unsettled:
                self.watch.settle()
            elif batch == TreeChanges():
                return
        raise AssertionError("the watch never comes to rest")

    def check(self) -> None:
        self.quiet()
        folders = self.disk.folders()
        assert self.known == self.disk.files()
        assert self.watch.complete
        assert self.watch.watched == len(folders)
        with open(f"/proc/self/fdinfo/{self.watch.fileno()}") as file:
            # one more may watch .git/info; this tree has none
            count = sum(line.startswith("inotify wd:") for line in file)
        nested = self.disk.nested()
        # of one that is ignored as well, either may have been found first
        surely = [path for path in nested if not path.endswith(IGNORED)]
        assert len(surely) <= count - len(folders) <= len(nested)
        for folder in folders:
            self.disk.write(os.path.join(self.disk.root, folder, b"probe"))
        assert self.watch.read().changed == {join(folder, b"probe") for folder in folders}
        for folder in folders:
            os.unlink(os.path.join(self.disk.root, folder, b"probe"))
        self.watch.read()


def attempt(disk: Disk, pick: random.Random) -> None:
    # there may be something of that name, and a folder can't go into itself
    with contextlib.suppress(OSError):
        disk.change(pick)


class Histories(RuleBasedStateMachine):
    """Few operations between looks, so that each kind of timing comes up."""

    def __init__(self) -> None:
        super().__init__()
        self.base = os.fsencode(tempfile.mkdtemp())

    @initialize(seed=st.integers(0, 2**32), before=st.integers(0, 20))
    def begin(self, seed: int, before: int) -> None:
        self.pick = random.Random(seed)
        self.disk = Disk(self.base)
        for _ in range(before):
            attempt(self.disk, self.pick)
        self.follower = Follower(self.disk, self.pick)

    @rule(times=st.integers(1, 5))
    def change(self, times: int) -> None:
        for _ in range(times):
            attempt(self.disk, self.pick)

    @rule(share=st.sampled_from([0.0, 0.1, 0.5]))
    def race(self, share: float) -> None:
        self.follower.racing.share = share

    @rule()
    def read(self) -> None:
        self.follower.hear(self.follower.watch.read())

    @rule()
    def hand_over(self) -> None:
        """As between two shifts of a worker: the watches go on, all else is made anew."""
        watch = self.follower.watch
        stays = {"instance": watch._watches.instance, "tick": watch._watches.tick}
        self.follower.watch = unpack(pack(watch, stays), stays)

    @rule()
    def judge(self) -> None:
        self.follower.judge()

    @rule()
    def settle(self) -> None:
        self.follower.hear(self.follower.watch.read())
        self.follower.watch.settle()

    @rule()
    def check(self) -> None:
        self.follower.check()

    def teardown(self) -> None:
        try:
            self.follower.check()
        finally:
            self.follower.watch.close()
            shutil.rmtree(self.base)


Histories.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestHistories = pytest.mark.slow(Histories.TestCase)


@pytest.mark.parametrize("seed", range(12))
def test_two_hundred_operations(tmp_path: os.PathLike[str], seed: int) -> None:
    pick = random.Random(seed)
    disk = Disk(os.fsencode(tmp_path))
    follower = Follower(disk, pick)
    follower.racing.share = seed % 4 / 5
    while disk.serial < 200:
        attempt(disk, pick)
        if pick.random() < 0.3:
            follower.hear(follower.watch.read())
        if pick.random() < 0.2:
            follower.judge()
    follower.check()
    follower.watch.close()


def test_changes_while_it_looks(tmp_path: os.PathLike[str]) -> None:
    """A thread does what it can, so that the kernel's own timing comes up too."""
    pick = random.Random(1)
    disk = Disk(os.fsencode(tmp_path))
    follower = Follower(disk, pick)

    def storm() -> None:
        for _ in range(300):
            attempt(disk, pick)

    thread = threading.Thread(target=storm)
    thread.start()
    pending: set[bytes] = set()
    while thread.is_alive():
        pending |= follower.watch.read().new_folders
        ignored = {path for path in pending if IGNORED in path.split(b"/")}
        pending = set(follower.watch.judged(ignored, pending - ignored).new_folders)
    thread.join()
    follower.pending = pending
    follower.known = disk.files()  # here only the watches count
    follower.check()
    follower.watch.close()
