"""How long it takes to watch a big tree, and what it costs in memory.

    python -m tests.bench.bench_watch FOLDER [--folders 10000] [--files 100000]

The tree is made in a new folder below FOLDER and removed at the end. Set-up is measured in a process
of its own, several times, with the tree in the page cache.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time


def make_tree(root: str, folders: int, files: int) -> None:
    """Folders ten to a folder, so some levels deep, and the files spread evenly among them."""
    made = [root]
    for number in range(folders - 1):
        path = os.path.join(made[number // 10], f"folder{number}")
        os.mkdir(path)
        made.append(path)
    for number in range(files):
        with open(os.path.join(made[number % folders], f"file{number}.txt"), "wb"):
            pass


def resident() -> float:
    """RSS of this process in MiB (proc_pid_statm(5))."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measure(root: str) -> None:
    """Print seconds, MiB before, MiB after, folders."""
    from autosyncd.watch.inotify import TreeWatch

    watch = TreeWatch(os.fsencode(root))
    before = resident()
    start = time.perf_counter()
    watch.arm()
    seconds = time.perf_counter() - start
    print(seconds, before, resident(), watch.watched)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", default=tempfile.gettempdir())
    parser.add_argument("--folders", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure(options.folder)
        return 0
    root = tempfile.mkdtemp(prefix="bench-watch-", dir=options.folder)
    try:
        make_tree(root, options.folders, options.files)
        command = [sys.executable, "-m", "tests.bench.bench_watch", "--measure", root]
        runs = [
            [float(word) for word in subprocess.check_output(command, text=True).split()]
            for _ in range(options.runs)
        ]
    finally:
        shutil.rmtree(root)
    seconds, before, after, watched = zip(*runs, strict=True)
    print(f"files             {options.files}")
    print(f"folders watched   {watched[0]:.0f}")
    print(f"set-up            {statistics.median(seconds):.3f} s (worst {max(seconds):.3f} s)")
    print(f"RSS               {statistics.median(after):.1f} MiB, of which")
    grown = statistics.median(a - b for a, b in zip(after, before, strict=True))
    print(f"  for the watches {grown:.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
