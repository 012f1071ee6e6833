"""How soon a big tree is watched and at rest, and what one small commit costs in it.

    python -m tests.bench.bench_start [--files 100000] [--folders 10000] [--commits 5]

The tree is committed already and in the page cache; it has no remote. From the daemon's start to
"watched" (the worker says who it is once every folder has its watch) and to rest; then one-file
commits, and in the same tree `git add PATH; git commit` for comparison, both after the daemon's
waits. Takes about a minute.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from tests.bench.bench_watch import make_tree
from tests.bench.ending import end_tidily
from tests.bench.figures import heading, row
from tests.bench.lookout import Lookout
from tests.bench.machines import at_rest
from tests.bench.usage import children_cpu_seconds, cpu_seconds, rss
from tests.daemons import Daemon, daemon, git

COMMIT_AFTER = 0.2


def committed_tree(root: Path, folders: int, files: int) -> None:
    root.mkdir()
    make_tree(str(root), folders, files)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "gc.auto", "0")  # none in the background while something is measured
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all of it")
    git(root, "gc", "-q")
    git(root, "status")


def measure_start(machine: Daemon, tree: Path) -> None:
    machine.log.touch()
    with Lookout(machine.home) as lookout:
        begin = time.perf_counter()
        machine.start()
        watched = lookout.sees(lambda: f"[{tree.name}] Identity(" in machine.text()) - begin
        rest = lookout.sees(lambda: looked_through(machine, tree)) - begin
    at_rest(machine)
    (worker,) = (pid for name, pid in machine.workers().items() if name == tree.name[:6])
    row("from the start to watched", f"{watched:.2f} s", "<= 2.5 s")
    row("from the start to rest", f"{rest:.2f} s")
    row("processor time until then", f"{cpu_seconds(machine.processes()):.2f} s")
    row("the worker's RSS", f"{rss(worker):.1f} MiB")


def looked_through(machine: Daemon, tree: Path) -> bool:
    """Its first look at everything is over, and nothing else is due."""
    _, committing, after = machine.text().partition(f"[{tree.name}] committing\n")
    return bool(committing) and after.rstrip().endswith(f"[{tree.name}] idle")


def by_daemon(machine: Daemon, tree: Path, number: int) -> tuple[float, float]:
    """Seconds beyond the wait until a one-file edit is in the branch; processor seconds in all."""
    at_rest(machine)
    used = cpu_seconds(machine.processes())
    reflog = tree / ".git/logs/HEAD"
    old = reflog.read_text()
    with Lookout(reflog.parent) as lookout:
        (tree / "file0.txt").write_text(f"edit {number}\n")
        begin = time.perf_counter()
        seconds = lookout.sees(lambda: reflog.read_text() != old) - begin - COMMIT_AFTER
    at_rest(machine)
    return seconds, cpu_seconds(machine.processes()) - used


def by_hand(tree: Path, number: int) -> tuple[float, float]:
    """The same by git add and git commit."""
    (tree / "file0.txt").write_text(f"by hand {number}\n")
    begin, used = time.perf_counter(), children_cpu_seconds()
    git(tree, "add", "file0.txt")
    git(tree, "commit", "-qm", "by hand")
    return time.perf_counter() - begin, children_cpu_seconds() - used


def compare(ours: list[tuple[float, float]], plain: list[tuple[float, float]]) -> None:
    for part, label in enumerate(("one-file commit, beyond the wait", "its processor time")):
        mine, by_git = (statistics.median(one[part] for one in runs) for runs in (ours, plain))
        ratio = f"{mine / by_git:.1f} times plain git's {by_git:.2f} s"
        row(label, f"{mine:.2f} s, {ratio}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--folders", type=int, default=10_000)
    parser.add_argument("--commits", type=int, default=5)
    options = parser.parse_args()
    heading(f"a tree of {options.files} files in {options.folders} folders")
    folder = Path(tempfile.mkdtemp(prefix="bench-start-"))
    try:
        tree = folder / "archive"
        committed_tree(tree, options.folders, options.files)
        with daemon(folder) as machine:
            machine.configure({"path": str(tree), "commit_after": f"{COMMIT_AFTER * 1000:.0f}ms"})
            measure_start(machine, tree)
            ours = [by_daemon(machine, tree, number) for number in range(options.commits)]
        compare(ours, [by_hand(tree, number) for number in range(options.commits)])
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    end_tidily()
    main()
