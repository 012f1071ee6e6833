"""A burst of 1,000 files in 50 folders: one commit, and complete on the other machine how soon?

    python -m tests.bench.bench_burst [--runs 3] [--folders 50] [--files 20]

Two daemons that hear of each other through autosync-reflector, with the default waits. Complete means
that every file lies in the other tree with its content. Processor time is the daemon's processes'
with all their children (of the hub's, which is a local folder, too). Each run is followed by the same
burst by hand between two other clones: git add -A, commit, push; pull. Takes about a minute.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.ending import end_tidily
from tests.bench.figures import heading, row
from tests.bench.lookout import Lookout
from tests.bench.machines import at_rest, seeded_hub
from tests.bench.usage import children_cpu_seconds, cpu_seconds
from tests.daemons import Daemon, clone, daemon, git
from tests.reflector_process import ReflectorProcess

WAITS = {"commit_after": "2s", "push_after": "3s", "poll_every": "never"}
SECONDS_OF_WAITS = 5.0


@dataclass
class Burst:
    """What one burst took: seconds beyond the waits, processor seconds where it was made and where
    it arrived, commits."""

    seconds: float
    here: float
    there: float
    commits: int = 1


def files_of(run: int, folders: int, files: int) -> dict[str, str]:
    """Path → content."""
    return {
        f"run{run}-folder{folder}/file{number}": f"{run} {folder} {number}\n" * 20
        for folder in range(folders)
        for number in range(files)
    }


def write(tree: Path, burst: dict[str, str]) -> None:
    for name in burst:
        (tree / name).parent.mkdir(exist_ok=True)
        (tree / name).write_text(burst[name])


def complete(tree: Path, burst: dict[str, str]) -> bool:
    paths = [tree / name for name in burst]
    return all(path.exists() for path in reversed(paths)) and all(
        path.read_text() == text for path, text in zip(paths, burst.values(), strict=True)
    )


def commits(tree: Path) -> int:
    return int(git(tree, "rev-list", "--count", "HEAD"))


def by_daemons(machines: list[Daemon], trees: list[Path], burst: dict[str, str]) -> Burst:
    for machine in machines:
        at_rest(machine)
    used = [cpu_seconds(machine.processes()) for machine in machines]
    made = commits(trees[0])
    # git's index is put in place once the last file is written
    with Lookout(trees[1] / ".git") as lookout:
        write(trees[0], burst)
        begin = time.perf_counter()
        seconds = lookout.sees(lambda: complete(trees[1], burst)) - begin
    for machine in machines:
        at_rest(machine)
    here, there = (
        cpu_seconds(machine.processes()) - before
        for machine, before in zip(machines, used, strict=True)
    )
    return Burst(seconds - SECONDS_OF_WAITS, here, there, commits(trees[0]) - made)


def by_hand(trees: list[Path], burst: dict[str, str]) -> Burst:
    write(trees[0], burst)
    begin, used = time.perf_counter(), children_cpu_seconds()
    git(trees[0], "add", "-A")
    git(trees[0], "commit", "-qm", "burst")
    git(trees[0], "push", "-q", "origin", "main")
    pushed = children_cpu_seconds()
    git(trees[1], "pull", "-q", "--ff-only", "origin", "main")
    seconds = time.perf_counter() - begin
    assert complete(trees[1], burst)
    return Burst(seconds, pushed - used, children_cpu_seconds() - pushed)


def report(ours: list[Burst], plain: list[Burst]) -> None:
    def middle(bursts: list[Burst], name: str) -> float:
        return statistics.median(float(getattr(one, name)) for one in bursts)

    wanted = {"seconds": "<= 3 s", "here": "<= 2 s", "there": "<= 2 s"}
    labels = {
        "seconds": "complete, beyond 5 s of waits",
        "here": "processor, where it was made",
        "there": "processor, where it arrived",
    }
    for name, label in labels.items():
        mine, by_git = middle(ours, name), middle(plain, name)
        ratio = f"{mine / by_git:.1f} times" if by_git else "beside"
        row(label, f"{mine:.2f} s, {ratio} plain git's {by_git:.2f} s", wanted[name])
    row("commits a burst", ", ".join(str(one.commits) for one in ours), "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folders", type=int, default=50)
    parser.add_argument("--files", type=int, default=20, help="in each folder")
    options = parser.parse_args()
    heading(f"a burst of {options.folders * options.files} files in {options.folders} folders")
    folder = Path(tempfile.mkdtemp(prefix="bench-burst-"))
    try:
        with ExitStack() as stack:
            (folder / "plain").mkdir()
            shared, other = seeded_hub(folder), seeded_hub(folder / "plain")
            trees = [clone(shared, folder / f"{name}-notes") for name in ("laptop", "desktop")]
            plain = [clone(other, folder / "plain" / name) for name in ("laptop", "desktop")]
            server = stack.enter_context(ReflectorProcess())
            machines = [stack.enter_context(daemon(folder, name)) for name in ("laptop", "desktop")]
            for machine, tree in zip(machines, trees, strict=True):
                machine.configure({"path": str(tree), **WAITS}, fanout=server.port)
                machine.start().ready(tree.name).says("fanout is online")
            runs = []
            for number in range(options.runs):
                burst = files_of(number, options.folders, options.files)
                runs.append((by_daemons(machines, trees, burst), by_hand(plain, burst)))
    finally:
        shutil.rmtree(folder)
    report([ours for ours, _ in runs], [by_git for _, by_git in runs])


if __name__ == "__main__":
    end_tidily()
    main()
