"""What an update costs beside `git merge --ff-only`, and how long it holds index.lock.

    python -m tests.bench.bench_update [--tree 20000] [--changed 1,100,5000] [--runs 5] [--profile] [DIR]

Alternating in one run on each folder's file system (without any: /dev/shm and the temporary folder).
Ours is the whole update with index and branch; the fetch before it is not counted. index.lock is
watched with inotify. `--profile` counts the git processes of one update and what else takes time. The
default takes about three minutes.
"""

import argparse
import cProfile
import pstats
import random
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import inotify_simple

from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.git.updating.update import Update, Updated
from autosyncd.vcs.orders import SyncOrder
from autosyncd.vcs.outcomes import Synced
from tests.bench.driven import begin_tree, driver_of
from tests.bench.figures import heading, row

TARGETS = {1: ("2.0", "0.25"), 100: ("2.0", "0.25"), 5000: ("3.0", "")}


class Arena:
    """A tree of many files, and for each size a commit ahead of it that changes so many."""

    def __init__(self, folder: Path, files: int) -> None:
        self.folder, self.tree = folder, folder / "tree"
        self.tree.mkdir()
        self.files = [f"d{number // 40:04}/f{number:06}" for number in range(files)]
        begin_tree(self.tree)
        self.base = self._import("main", self.files, "base", None)
        self.git("reset", "-q", "--hard")
        self.git("clone", "-q", "--bare", ".", "../hub")
        self.git("remote", "add", "origin", "../hub")
        self.git("fetch", "-q", "origin")

    def git(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.tree,
            capture_output=True,
            check=True,
            input=stdin,
            text=True,
        )
        return done.stdout.strip()

    def _import(self, branch: str, names: list[str], side: str, parent: str | None) -> str:
        lines = [f"commit refs/heads/{branch}\ncommitter a <a@b> 1700000000 +0000\ndata 1\nx"]
        if parent:
            lines.append(f"from {parent}")
        for name in names:
            data = f"{side} {name}\n" * 8
            lines.append(f"M 100644 inline {name}\ndata {len(data)}\n{data}")
        self.git("fast-import", "--quiet", "--force", stdin="\n".join(lines) + "\n")
        return self.git("rev-parse", branch)

    def ahead(self, changed: int) -> str:
        names = random.Random(changed).sample(self.files, changed)
        return self._import(f"ahead{changed}", names, "ahead", self.base)

    def reset(self) -> None:
        self.git("reset", "-q", "--hard", self.base)
        self.git("update-index", "-q", "--refresh")


class LockWatch:
    """How long index.lock was there."""

    def __init__(self, tree: Path) -> None:
        self._inotify = inotify_simple.INotify()
        flags = inotify_simple.flags
        self._inotify.add_watch(
            tree / ".git", flags.CREATE | flags.MOVED_FROM | flags.MOVED_TO | flags.DELETE
        )
        self.held = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        since: float | None = None
        flags = inotify_simple.flags
        while not self._ended.is_set():
            for event in self._inotify.read(timeout=50):
                if event.name != "index.lock":
                    continue
                if event.mask & (flags.CREATE | flags.MOVED_TO):
                    since = since or time.perf_counter()
                elif since is not None:
                    self.held, since = self.held + time.perf_counter() - since, None

    def close(self) -> float:
        self._ended.set()
        self._thread.join()
        self._inotify.close()
        return self.held


@dataclass
class Costs:
    """Seconds of each run."""

    ours: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)
    lock: list[float] = field(default_factory=list)
    lock_plain: list[float] = field(default_factory=list)


@contextmanager
def timed_updates() -> Iterator[list[float]]:
    """Appends what each Update.run() takes: a verb Sync without its fetch."""
    taken: list[float] = []
    real = Update.run

    def run(self: Update, base: str | None, target: str) -> object:
        begin = time.perf_counter()
        outcome = real(self, base, target)
        taken.append(time.perf_counter() - begin)
        assert isinstance(outcome, Updated), outcome
        return outcome

    Update.run = run  # type: ignore[method-assign,assignment]
    try:
        yield taken
    finally:
        Update.run = real  # type: ignore[method-assign]


def measure(arena: Arena, changed: int, runs: int) -> Costs:
    target = arena.ahead(changed)
    arena.git("push", "-qf", "origin", f"{target}:refs/heads/main")
    costs = Costs()
    for _ in range(runs):
        arena.reset()
        watch = LockWatch(arena.tree)
        begin = time.perf_counter()
        arena.git("merge", "-q", "--ff-only", target)
        costs.plain.append(time.perf_counter() - begin)
        costs.lock_plain.append(watch.close())
        arena.reset()
        driver = driver_of(arena.tree)
        watch = LockWatch(arena.tree)
        with timed_updates() as taken:
            synced = driver.sync(SyncOrder(fetch=True, push=False))
        assert isinstance(synced, Synced), synced
        assert synced.pulled == changed, synced
        costs.lock.append(watch.close())
        costs.ours += taken
        assert driver.sweep() is False
        driver.close()
    return costs


def profile(arena: Arena) -> None:
    """Where one update (the last that was measured) spends its time."""
    arena.reset()
    driver = driver_of(arena.tree)
    spent: dict[str, list[float]] = defaultdict(list)
    real = Git.__call__

    def call(self: Git, *arguments: str | bytes, **words: object) -> object:
        begin = time.perf_counter()
        try:
            return real(self, *arguments, **words)  # type: ignore[arg-type]
        finally:
            verb = next(str(one) for one in arguments if str(one)[:1] != "-")
            spent[verb].append(time.perf_counter() - begin)

    Git.__call__ = call  # type: ignore[method-assign,assignment]
    profiler = cProfile.Profile()
    with timed_updates() as taken:
        inner = Update.run
        Update.run = lambda *given: profiler.runcall(inner, *given)  # type: ignore[method-assign]
        real_sync = driver.sync(SyncOrder(fetch=True, push=False))
        assert isinstance(real_sync, Synced)
    Git.__call__ = real  # type: ignore[method-assign]
    driver.close()
    print(
        f"    one update under the profiler: {taken[0] * 1e3:.0f} ms; git commands of the whole verb:"
    )
    for verb, times in sorted(spent.items(), key=lambda item: -sum(item[1])):
        print(f"      {len(times):3} x {verb:<18} {sum(times) * 1e3:7.0f} ms")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(14)


def report(changed: int, costs: Costs) -> None:
    ours, plain = statistics.median(costs.ours), statistics.median(costs.plain)
    ratio, lock = TARGETS.get(changed, ("", ""))
    row(
        f"{changed:,} changed files",
        f"{ours * 1e3:.0f} ms, {ours / plain:.2f} times ff-only's {plain * 1e3:.0f} ms",
        f"<= {ratio}" if ratio else "",
    )
    row(
        "  index.lock held",
        f"{statistics.median(costs.lock):.3f} s, worst {max(costs.lock):.3f} "
        f"(ff-only: {statistics.median(costs.lock_plain):.3f} s)",
        f"<= {lock} s" if lock else "",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--tree", type=int, default=20_000, help="files")
    parser.add_argument("--changed", default="1,100,5000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    ignore_breaks()
    heading(f"an update of a tree of {options.tree:,} files")
    for folder in options.folders or [Path("/dev/shm"), Path(tempfile.gettempdir())]:
        print(f"  {folder}:")
        place = Path(tempfile.mkdtemp(prefix="update-", dir=folder))
        try:
            arena = Arena(place, options.tree)
            for changed in map(int, options.changed.split(",")):
                report(changed, measure(arena, changed, options.runs))
                if options.profile:
                    profile(arena)
        finally:
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
