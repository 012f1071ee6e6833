"""Power cuts at random instants: is a commit lost that was reported, does git start again by itself?

    python -m tests.bench.bench_powercuts [--cuts 60] [--rounds 30] [--kind ext4,xfs,btrfs] [--seed 0]

One machine's tree lies on a disk that writes down all it is told (tests/testbed/recorded_disk.py). Its
owner edits, commits now and then by hand, and the engine commits and syncs with a hub that another
machine pushes to as well. Then the power is cut at random instants of this, half of them right after a
commit was reported: the disk holds what was flushed, and of the rest nothing, a half or everything.
Each time the journal of the file system is replayed, a new worker starts without the hub, and

    reported    every commit that was reported before the cut is in the history of the branch
    published   and so is every commit that the hub had got from here
    unsound     git fsck has nothing to say, git status is clean, the next commit works
    reverted    the first scan commits no older version of a file over a newer one

Needs root. 60 cuts take about a minute for each file system.
"""

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

from autosyncd.model import Head
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Ready, Waiting, Why
from tests.bench.ending import end_tidily
from tests.bench.figures import heading, row
from tests.testbed.recorded_disk import Cut, RecordedDisk
from tests.trees import Clone, Record

BOOT_ID = "autosyncd.vcs.git.healing.mark.boot_id"

BY_HAND = 0.15
"""Share of the rounds in which the person commits with their own git, which flushes less."""


@dataclass
class Tally:
    """What came of the cuts of one file system."""

    cuts: int = 0
    reported: int = 0
    """Commits whose report came before a cut, summed over all cuts."""
    published: int = 0
    lost: list[str] = field(default_factory=list)
    unsound: list[str] = field(default_factory=list)
    reverted: list[str] = field(default_factory=list)
    locked: int = 0
    """Starts that named the index.lock of the person's own git, which the cut had ended."""
    emptied: int = 0
    """Files of the person's that came back empty or with zeros: their editor did not flush."""
    healed: list[str] = field(default_factory=list)
    took: float = 0.0
    """The longest start after a cut, in seconds."""


class Timed(Record):
    """A watcher that remembers when the hub had what."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[tuple[int, str]] = []

    def pushed(self, head: Head) -> None:
        self.published.append((time.monotonic_ns(), head.commit))


class Machines:
    """The one whose power fails, and another that does not."""

    def __init__(self, folder: Path, disk: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.written = 0
        self.environment = _environment(folder)
        self.git(folder, "init", "-q", "--bare", "-b", "main", "hub")
        self.git(folder, "clone", "-q", "hub", disk / "notes")
        self.git(folder, "clone", "-q", "hub", folder / "other")
        self.here = Clone(disk / "notes", self.environment, branch="main")
        self.there = Clone(folder / "other", self.environment, branch="main")
        self.here.told = Timed()
        self.reported: list[tuple[int, str]] = []
        self.here.edit("kept.txt", "from the beginning\n")
        self.restart(self.here)

    def git(self, folder: Path, *arguments: str | Path) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env=self.environment, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def restart(self, clone: Clone) -> None:
        ready = clone.reopen()
        assert isinstance(ready, Ready), ready

    def edit(self, clone: Clone) -> list[str]:
        names = [f"d{self.random.randrange(4)}/f{self.random.randrange(9)}" for _ in range(3)]
        for name in names[: self.random.randrange(1, 4)]:
            self.written += 1
            clone.edit(name, f"{self.written} {self.random.getrandbits(200)}\n")
        return names

    def round(self) -> None:
        """An edit here, by hand or not; sometimes the other machine is faster."""
        names = self.edit(self.here)
        if self.random.random() < BY_HAND:
            self.here.git("add", "-A")
            self.here.git("commit", "-q", "-m", "by hand", status=None)
        made = self.here.commit(*(names if self.random.random() < 0.7 else ()))
        if isinstance(made, CommitMade):
            self.reported.append((time.monotonic_ns(), made.head.commit))
        if self.random.random() < 0.5:
            self.edit(self.there)
            self.there.commit()
            self.there.sync()
        if self.random.random() < 0.7:
            self.here.sync()
            self.here.driver.sweep()
        if self.random.random() < 0.1:
            self.here.driver.close()
            self.restart(self.here)


def _environment(folder: Path) -> dict[str, str]:
    """A person of whom git knows nothing else."""
    home = folder / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Alice\n\temail = alice@example.org\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"HOME": os.fspath(home), "GIT_CONFIG_NOSYSTEM": "1"}


def examine(machines: Machines, cut: Cut, tally: Tally) -> None:
    """Start again after one cut, and see."""
    number = tally.cuts = tally.cuts + 1
    clone = Clone(machines.here.root, machines.environment, branch="main", remote="none")
    name = f"{cut.disk.kind} cut {number}, {cut.kept} of {cut.after_flush} late writes"
    begin = time.perf_counter()
    ready = clone.driver.inspect()
    tally.took = max(tally.took, time.perf_counter() - begin)
    try:
        if not isinstance(ready, Ready):
            tally.unsound.append(f"{name}: {ready}")
            return
        if "unclean" in ready.note:
            tally.healed.append(f"{name}: {ready.note}")
        before = set(
            clone.git("rev-list", "--objects", "--no-object-names", "HEAD", status=None).split()
        )
        _look_for(machines, clone, cut, tally, name)
        made = clone.commit()
        if isinstance(made, Waiting) and made.why is Why.LOCKED:
            lock = clone.root / ".git/index.lock"
            assert f"{lock}" in made.text, made.text
            lock.unlink()  # as the text says
            tally.locked += 1
            made = clone.commit()
        if isinstance(made, CommitMade):
            _look_for_reverts(clone, before, tally, name)
        elif not isinstance(made, NothingToCommit):
            tally.unsound.append(f"{name}: {made}")
        said = clone.git("fsck", "--full", "--no-dangling", "--no-progress", status=None)
        said += clone.status()
        if said:
            tally.unsound.append(f"{name}: {said}")
    finally:
        clone.driver.close()


def _look_for(machines: Machines, clone: Clone, cut: Cut, tally: Tally, name: str) -> None:
    """Every commit that was spoken of must be in the branch."""
    have = set(clone.git("rev-list", "HEAD", status=None).split())
    told = machines.here.told
    assert isinstance(told, Timed)
    for what, spoken in (("reported", machines.reported), ("published", told.published)):
        known = [commit for when, commit in spoken if when <= cut.instant]
        lost = [commit for commit in known if commit not in have]
        setattr(tally, what, getattr(tally, what) + len(known))
        tally.lost += [f"{name}: {what} {commit}" for commit in lost]


def _look_for_reverts(clone: Clone, before: set[str], tally: Tally, name: str) -> None:
    """What the first scan has committed: no content may be an older one of that file."""
    diff = ("diff-tree", "-r", "--root", "--no-renames", "--no-commit-id", "HEAD")
    for line in filter(None, clone.git(*diff).split("\n")):
        _, _, _, oid, rest = line.split(" ", 4)
        data = clone.git("cat-file", "blob", oid) if set(oid) != {"0"} else "?"
        if not data.strip("\0"):
            tally.emptied += 1
        elif data != "?" and oid in before:
            tally.reverted.append(f"{name}: {rest}")


def measure(folder: Path, kind: str, *, rounds: int, cuts: int, seed: int) -> Tally:
    """Record so many rounds on one kind of file system, then cut the power so often."""
    ignore_breaks()
    place = Path(tempfile.mkdtemp(prefix="powercuts-", dir=folder))
    tally, chance = Tally(), random.Random(seed)
    try:
        with RecordedDisk(place / "disk", kind) as disk:
            machines = Machines(place, disk.path, seed)
            while not machines.reported:
                machines.round()
            begin = time.monotonic_ns()
            for _ in range(rounds):
                machines.round()
            end = time.monotonic_ns()
            machines.here.driver.close()
            disk.stop()
            instants = [chance.randrange(begin, end) for _ in range(cuts - cuts // 2)]
            instants += [chance.choice(machines.reported)[0] for _ in range(cuts // 2)]
            for number, cut in enumerate(disk.cuts(instants, chance)):
                boot = f"boot{number}"
                with cut.mounted(), mock.patch(BOOT_ID, lambda b=boot: b):
                    examine(machines, cut, tally)
            machines.there.driver.close()
    finally:
        shutil.rmtree(place)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cuts", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--kind", default="ext4,xfs,btrfs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in", dest="folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    heading("power cuts at random instants of commit and sync")
    for kind in options.kind.split(","):
        tally = measure(
            options.folder, kind, rounds=options.rounds, cuts=options.cuts, seed=options.seed
        )
        row(f"{kind}: cuts", f"{tally.cuts}")
        row("commits reported before a cut", f"{tally.reported}, published {tally.published}")
        row("of these lost", f"{len(tally.lost)}", "0")
        row("unsound, stuck or not clean", f"{len(tally.unsound)}", "0")
        row("older versions committed over newer ones", f"{len(tally.reverted)}", "0")
        row("files that came back empty, unflushed by their editor", f"{tally.emptied}")
        row("cuts after which something was healed", f"{len(tally.healed)}")
        row("cuts in the middle of a git of the person's, whose lock was named", f"{tally.locked}")
        row("longest start after a cut", f"{tally.took:.2f} s")
        for line in (*tally.lost, *tally.unsound, *tally.reverted, *tally.healed[:3]):
            print("   ", line[:600])


if __name__ == "__main__":
    end_tidily()
    main()
