"""kill -9 of a syncing process and all its children at random instants: is anything lost, or stuck?

    python -m tests.bench.bench_kills [--kills 60] [--in FOLDER]

Two trees of one hub are edited and synced; each time a child that commits and syncs is killed at a
random instant with every git it has started. Every fifth kill new drivers take over: both trees must
come to the same commit, with every content ever written in history, git fsck silent, `git status`
clean, no lock left. 60 kills take about a minute.
"""

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path

from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.git.driver import GitDriver
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.orders import CommitOrder, SyncOrder
from autosyncd.vcs.outcomes import Ready
from tests.bench.driven import new_driver
from tests.bench.figures import heading, row


@dataclass
class Tally:
    """What came of it."""

    kills: int = 0
    came_to_an_end: int = 0
    contents: int = 0
    locks_left: int = 0
    failures: list[str] = field(default_factory=list)


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


class Arena:
    """A hub and two trees."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.folder = folder
        git(folder, "init", "-q", "--bare", "-b", "main", "hub")
        self.trees = [folder / "laptop", folder / "desktop"]
        self.contents: set[str] = set()
        self.fresh: set[Path] = set()
        """Files whose content is in no history yet: not written over, that would be no loss of ours."""
        for tree in self.trees:
            git(folder, "clone", "-q", "hub", str(tree))
            git(tree, "symbolic-ref", "HEAD", "refs/heads/main")
            git(tree, "config", "user.email", "alice@example.org")
            git(tree, "config", "user.name", "Alice")

    def edit(self, tree: Path) -> None:
        for _ in range(self.random.randrange(1, 8)):
            path = tree / f"d{self.random.randrange(3)}" / f"f{self.random.randrange(8)}"
            if path in self.fresh:
                continue
            if path.exists() and self.random.random() < 0.15:
                path.unlink()
                continue
            path.parent.mkdir(exist_ok=True)
            text = f"content {len(self.contents)} {self.random.getrandbits(60)}\n"
            path.write_text(text)
            self.contents.add(text)
            self.fresh.add(path)

    def driver(self, tree: Path) -> GitDriver:
        return new_driver(tree, host=tree.name)

    def cycle(self, tree: Path) -> str:
        """What a new worker does; why it could not, if so."""
        driver = self.driver(tree)
        try:
            ready = driver.inspect()
            if not isinstance(ready, Ready):
                return f"inspect: {ready}"
            made = driver.commit(CommitOrder(EVERYTHING))
            synced = driver.sync(SyncOrder(fetch=True))
            driver.sweep()
            known = ("CommitMade", "NothingToCommit", "Synced", "Dirty")
            wrong = [one for one in (made, synced) if type(one).__name__ not in known]
            return f"{wrong[0]}" if wrong else ""
        finally:
            driver.close()

    def verify(self) -> list[str]:
        """What is wrong after everybody has come to rest."""
        wrong = []
        for _ in range(4):
            wrong = [f"{tree.name}: {text}" for tree in self.trees if (text := self.cycle(tree))]
        heads = {git(tree, "rev-parse", "main") for tree in self.trees}
        if len(heads) != 1:
            wrong.append(f"they differ: {heads}")
        objects = set(git(self.folder / "hub", "rev-list", "--objects", "--all").split())
        for text in self.contents:
            if blob_of(text) not in objects:
                wrong.append(f"lost: {text!r}")
        for tree in self.trees:
            if status := git(tree, "status", "--porcelain"):
                wrong.append(f"{tree.name} is not clean: {status!r}")
            wrong += [f"left behind: {lock}" for lock in locks(tree)]
            said = subprocess.run(
                ["git", "fsck", "--full", "--no-dangling", "--no-progress"],
                cwd=tree,
                capture_output=True,
                text=True,
            )
            if said.returncode or said.stdout:
                wrong.append(f"fsck: {said.stdout} {said.stderr}")
            copies = [path for path in tree.glob("d*/*sync-conflict*") if foreign(path)]
            wrong += [f"a copy of nothing anybody wrote: {path}" for path in copies]
        self.fresh.clear()
        return wrong


def locks(tree: Path) -> list[str]:
    """Lock files in its git directory, where children of a killed one may still be clearing up."""
    walk = os.walk(tree / ".git")  # passes over a folder that goes meanwhile; rglob() doesn't
    return [
        os.path.join(at, name) for at, _, names in walk for name in names if name.endswith(".lock")
    ]


def foreign(path: Path) -> bool:
    """Every whole content is one line that begins so."""
    text = path.read_text()
    return not (text.startswith("content ") and text.endswith("\n"))


def blob_of(text: str) -> str:
    data = text.encode()
    return sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def kill_all(leader: int) -> None:
    """The process and all that descends from it, whatever session that is in."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(leader, signal.SIGSTOP)
    family = {leader}
    for _ in range(3):
        for entry in os.listdir("/proc"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                stat = Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()
                if int(stat[1]) in family:
                    family.add(int(entry))
    for pid in family:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def killed(arena: Arena, tree: Path, seconds: float, *, children: bool) -> bool:
    """Run a cycle and kill it after so long; False if it had come to its end."""
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            arena.cycle(tree)
        os._exit(0)
    time.sleep(seconds)
    if children:
        kill_all(child)
    else:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def measure(folder: Path, kills: int, seed: int = 0) -> Tally:
    """So many kills; stops at the first failure."""
    ignore_breaks()
    place = Path(tempfile.mkdtemp(prefix="kills-", dir=folder))
    tally = Tally()
    try:
        arena = Arena(place, seed)
        for tree in arena.trees:
            arena.edit(tree)
        begin = time.perf_counter()
        tally.failures += arena.verify()
        takes = (time.perf_counter() - begin) / 8
        while tally.kills < kills and not tally.failures:
            for tree in arena.trees:
                arena.edit(tree)
            for _ in range(5):
                tree = arena.random.choice(arena.trees)
                after = arena.random.random() * takes * 1.3
                dead = killed(arena, tree, after, children=arena.random.random() < 0.7)
                tally.kills += dead
                tally.came_to_an_end += not dead
                tally.locks_left += len(locks(tree))
                arena.edit(tree)
            tally.failures += arena.verify()
        tally.contents = len(arena.contents)
    finally:
        if tally.failures:
            print("  kept for a look:", place)
        else:
            shutil.rmtree(place)
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--in", dest="folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    heading("kill -9 at random instants of commit and sync")
    tally = measure(options.folder, options.kills, options.seed)
    row("kills", f"{tally.kills}, {tally.came_to_an_end} came to their end before")
    row("contents written", f"{tally.contents}")
    row("locks that a kill left behind", f"{tally.locks_left}")
    row("lost, stuck or unsound", f"{len(tally.failures)}", "0")
    for failure in tally.failures:
        print("   ", failure)


if __name__ == "__main__":
    main()
