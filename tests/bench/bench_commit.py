"""What a commit of a few known paths costs beside `git add PATH..; git commit`.

    python -m tests.bench.bench_commit [--files 100000] [--folders 2500] [--paths 1,10,200]
                                       [--runs 30] [DIR]

Alternating in one run, in one tree. Ours counts from the verb's begin until the branch has moved by
compare-and-swap; the person's index, which follows at once, is a figure of its own (the whole verb).
The other two ways are what is taken where the quick one isn't sure (decision 0013).
Beside git with its own settings, and beside git that flushes what ours does.
The default takes about four minutes.
"""

import argparse
import os
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType
from unittest import mock

from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git import history
from autosyncd.vcs.git.committing import excerpt, quick
from autosyncd.vcs.git.committing.children import GitChildren
from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.git.driver import GitDriver
from autosyncd.vcs.orders import CommitOrder
from autosyncd.vcs.outcomes import CommitMade
from tests.bench.bench_start import committed_tree
from tests.bench.driven import driver_of
from tests.bench.figures import heading, row
from tests.daemons import git

AIMS = {"quick": 3, "on an index of them": 12}
"""Per cent of plain git that one path may cost, by the way to it."""
FLUSHED = ("-c", "core.fsync=committed")
"""Ours flushes every object that it writes, git of itself none (git-config(1), core.fsync)."""
Timed = tuple[float, float]
"""Seconds until the branch has moved, and of the whole."""


class Moved:
    """When the branch was moved last, whichever way."""

    def __init__(self) -> None:
        self.at = 0.0

    @contextmanager
    def watched(self) -> Iterator[None]:
        places: list[tuple[object, str]] = [(GitChildren, "end_move"), (history, "_swap")]
        before = [getattr(place, name) for place, name in places]
        for (place, name), original in zip(places, before, strict=True):
            setattr(place, name, self._noting(original))
        try:
            yield
        finally:
            for (place, name), original in zip(places, before, strict=True):
                setattr(place, name, original)

    def _noting(self, original: Callable[..., object]) -> Callable[..., object]:
        def noting(*arguments: object) -> object:
            result = original(*arguments)
            self.at = time.perf_counter()
            return result

        return noting


@contextmanager
def without(*ways: ModuleType) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise Doubtful("Another way is measured.")

    with ExitStack() as stack:
        for way in ways:
            stack.enter_context(mock.patch.object(way, "draft", refuse))
        yield


def edit(tree: Path, names: list[str]) -> None:
    for name in names:
        with (tree / name).open("a") as file:
            file.write(f"{random.random()}\n")


def ours(driver: GitDriver, moved: Moved, names: list[str]) -> Timed:
    scope = Scope(frozenset(map(os.fsencode, names)))
    begin = time.perf_counter()
    outcome = driver.commit(CommitOrder(scope))
    end = time.perf_counter()
    assert isinstance(outcome, CommitMade), outcome
    return moved.at - begin, end - begin


def by_hand(tree: Path, names: list[str], *options: str) -> float:
    begin = time.perf_counter()
    git(tree, *options, "add", "--", *names)
    git(tree, *options, "commit", "-qm", "by hand")
    return time.perf_counter() - begin


def measure(tree: Path, files: list[str], paths: int, runs: int, way: str) -> None:
    driver, moved, chance = driver_of(tree), Moved(), random.Random(paths)
    mine: list[Timed] = []
    plain: list[float] = []
    flushed: list[float] = []
    with moved.watched():
        for number in range(runs + 2):
            # each side works in a row of its own: after the person's git ours looks at the index anew
            names = chance.sample(files, paths)
            edit(tree, names)
            mine.append(ours(driver, moved, names))
            if number % 3 == 0:
                names = chance.sample(files, paths)
                edit(tree, names)
                plain.append(by_hand(tree, names))
                edit(tree, names)
                flushed.append(by_hand(tree, names, *FLUSHED))
                edit(tree, names[:1])
                ours(driver, moved, names[:1])  # not counted: it learns what the index holds now
    driver.close()
    assert git(tree, "status", "--porcelain") == ""
    report(paths, mine[2:], plain, way)
    moved_after = statistics.median(one[0] for one in mine[2:])
    hand = statistics.median(flushed)
    row("    of git that flushes as much", f"{moved_after / hand:.1%} of {hand * 1000:.0f} ms")


def report(paths: int, mine: list[Timed], plain: list[float], way: str) -> None:
    moved, whole = (statistics.median(one[part] for one in mine) for part in (0, 1))
    hand = statistics.median(plain)
    aim = f"<= {AIMS[way]} %" if paths == 1 and way in AIMS else ""
    label = f"{paths} paths, {way}: until the branch moved"
    row(label, f"{moved * 1000:.1f} ms, {moved / hand:.1%} of {hand * 1000:.0f} ms", aim)
    row("    with the person's index", f"{whole * 1000:.0f} ms, {whole / hand:.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folders", type=int, default=2500)
    parser.add_argument("--paths", default="1,10,200")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("where", nargs="?", help="a folder of the file system to measure on")
    options = parser.parse_args()
    heading(f"commits in a tree of {options.files} files in {options.folders} folders")
    folder = Path(tempfile.mkdtemp(prefix="bench-commit-", dir=options.where))
    try:
        tree = folder / "archive"
        committed_tree(tree, options.folders, options.files)
        files = git(tree, "ls-files").split("\n")
        some = list(map(int, options.paths.split(",")))
        for paths in some:
            measure(tree, files, paths, options.runs, "quick")
        with without(quick):
            for paths in some:
                measure(tree, files, paths, options.runs, "on an index of them")
        with without(quick, excerpt):
            measure(tree, files, 1, options.runs, "on the whole index")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
