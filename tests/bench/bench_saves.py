"""One save of the person's at a random instant of an update of 2,000 files: how many are destroyed?

    python -m tests.bench.bench_saves [--runs 150] [--files 2000] [--modes ours,merge,...] [--in FOLDER]

The save is a truncate and write, an atomic rename, or a slow write in place, in turn. Destroyed means:
its bytes are in no file and in no history afterwards. Side by side: what plain git commands do. 150
runs of all take about six minutes; 1,000 of `ours` about eight.
"""

import argparse
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.orders import CommitOrder, SyncOrder
from autosyncd.vcs.outcomes import Synced
from tests.bench.driven import begin_tree, driver_of
from tests.bench.figures import heading, row

if TYPE_CHECKING:
    from autosyncd.vcs.git.driver import GitDriver

MODES = ("ours", "merge", "ff-only", "checkout", "read-tree", "stash")


class Arena:
    """A tree on main; the branch `theirs` changes every file."""

    def __init__(self, folder: Path, files: int) -> None:
        self.tree = folder / "tree"
        self.files = files
        begin_tree(self.tree)
        self._fill("base")
        self.git("add", "-A")
        self.git("commit", "-qm", "base")
        self.base = self.git("rev-parse", "HEAD")
        self.git("checkout", "-qb", "theirs")
        self._fill("theirs")
        self.git("commit", "-qam", "theirs")
        self.theirs = self.git("rev-parse", "HEAD")
        self.git("checkout", "-q", "main")
        self.git("commit", "-q", "--allow-empty", "-m", "ours")
        self.ours = self.git("rev-parse", "HEAD")
        self.git("clone", "-q", "--bare", ".", "../hub")
        self.git("--git-dir=../hub", "update-ref", "refs/heads/main", self.theirs)
        self.git("remote", "add", "origin", "../hub")
        self.driver: GitDriver | None = None

    def git(self, *arguments: str, check: bool = True, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.tree, capture_output=True, check=check, input=stdin
        )
        return done.stdout.decode().strip()

    def succeeds(self, *arguments: str) -> bool:
        return not subprocess.run(
            ["git", *arguments], cwd=self.tree, capture_output=True
        ).returncode

    def _fill(self, side: str) -> None:
        for number in range(self.files):
            (self.tree / f"f{number:05}").write_text(f"{side} {number}\n")

    def reset(self, mode: str) -> None:
        if self.driver is not None:
            self.driver.close()
            self.driver = None
        shutil.rmtree(self.tree / ".git" / "autosync", ignore_errors=True)
        self.git("checkout", "-qf", "main")
        self.git("reset", "-q", "--hard", self.base if mode in ("ff-only", "stash") else self.ours)
        self.git("clean", "-qfd")
        self.git("stash", "clear")
        for ref in self.git("for-each-ref", "--format=%(refname)", "refs/autosync").split():
            self.git("update-ref", "-d", ref)
        if mode == "stash":
            (self.tree / "f00000").write_text("a local change\n")
        if mode == "ours":
            self.driver = driver_of(self.tree)

    def update(self, mode: str) -> bool:
        """True when it went through."""
        match mode:
            case "merge":
                return self.succeeds("merge", "-q", "--no-edit", "theirs")
            case "ff-only":
                return self.succeeds("merge", "-q", "--ff-only", "theirs")
            case "checkout":
                return self.succeeds("checkout", "-q", "theirs")
            case "read-tree":
                return self.succeeds("read-tree", "-m", "-u", "HEAD", "theirs")
            case "stash":
                merge = self.succeeds("stash", "-q") and self.succeeds(
                    "merge", "-q", "--ff-only", "theirs"
                )
                return merge and self.succeeds("stash", "pop", "-q")
        assert self.driver is not None
        return isinstance(self.driver.sync(SyncOrder(fetch=True, push=False)), Synced)

    def settle(self) -> None:
        """What the worker does in the next seconds."""
        assert self.driver is not None
        for _ in range(3):
            self.driver.sweep()
            self.driver.commit(CommitOrder(EVERYTHING, ignore_staged=True))
            self.driver.sync(SyncOrder(fetch=True, push=False))

    def has(self, data: bytes) -> bool:
        """In some file, or in some history."""
        for path in self.tree.iterdir():
            if path.is_file() and path.read_bytes() == data:
                return True
        blob = self.git("hash-object", "--stdin", stdin=data)
        tips = self.git("for-each-ref", "--format=%(objectname)").split()
        tips += self.git("stash", "list", "--format=%H").split()
        return blob in self.git("rev-list", "--objects", *tips, f"^{self.base}")


def truncate_and_write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def rename(path: Path, data: bytes) -> None:
    beside = path.with_suffix(".tmp~")
    beside.write_bytes(data)
    beside.rename(path)


def slowly_in_place(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    time.sleep(0.002)
    os.ftruncate(handle, 0)
    os.pwrite(handle, data, 0)
    os.close(handle)


SAVES: tuple[Callable[[Path, bytes], None], ...] = (truncate_and_write, rename, slowly_in_place)


def one_run(arena: Arena, mode: str, number: int, takes: float | None) -> tuple[str, float]:
    """What became of the save ("" when none was made, since `takes` is not known yet), and how long
    the update took."""
    arena.reset(mode)
    result: list[tuple[bool, float]] = []

    def update() -> None:
        begin = time.perf_counter()
        went = arena.update(mode)
        result.append((went, time.perf_counter() - begin))

    thread = threading.Thread(target=update)
    target = arena.tree / f"f{random.randrange(1, arena.files):05}"
    data = b"saved %d %d\n" % (number, random.getrandbits(60))
    thread.start()
    if takes is not None:
        time.sleep(random.random() * takes)
        SAVES[number % len(SAVES)](target, data)
    thread.join()
    went, seconds = result[0]
    if takes is None:
        return "", seconds
    if mode == "ours":
        arena.settle()
    if not arena.has(data):
        return "destroyed", seconds
    if not went:
        return ("put off, kept" if mode == "ours" else "git refused, kept"), seconds
    return "kept", seconds


def measure(folder: Path, mode: str, runs: int, files: int) -> tuple[Counter[str], float]:
    """What became of so many saves, and what an update took (seconds)."""
    ignore_breaks()
    place = Path(tempfile.mkdtemp(prefix="saves-", dir=folder))
    try:
        arena = Arena(place, files)
        takes = min(one_run(arena, mode, 0, None)[1] for _ in range(2))
        fates: Counter[str] = Counter()
        for number in range(runs):
            fate, seconds = one_run(arena, mode, number, takes)
            takes = 0.8 * takes + 0.2 * seconds
            fates[fate] += 1
    finally:
        shutil.rmtree(place)
    return fates, takes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=150)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--modes", default=",".join(MODES))
    parser.add_argument("--in", dest="folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    heading(f"one save during an update of {options.files:,} files, {options.runs} runs each")
    for mode in options.modes.split(","):
        fates, takes = measure(options.folder, mode, options.runs, options.files)
        rest = ", ".join(f"{name} {count}" for name, count in fates.items() if name != "destroyed")
        figure = f"destroyed {fates['destroyed']}, {rest} (the update takes {takes * 1e3:.0f} ms)"
        row(mode, figure, "0 destroyed" if mode == "ours" else "")


if __name__ == "__main__":
    main()
