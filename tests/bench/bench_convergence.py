"""Random histories of several machines: do all end the same, with nothing lost?

    python -m tests.bench.bench_convergence [--hosts 3] [--rounds 500] [--seed 1] [--seeds 1]
        [--record FILE] [--in FOLDER]

Of the rounds of each seed nine in ten run the engine in this process (most of them without waiting for
real seconds; some with machines that are offline, some with workers that are killed at any instant),
one in ten runs whole daemons with a reflector between them, whose workers are killed. Besides there are
rounds in which people amend, take back, revert, pull, move, remove and leave the branch with their own
git. After every ten rounds people go home and a judge looks at files, history, fsck and status. With a
record, parts that it names are skipped, so that a long programme goes on where it was left.
"""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.convergence.report import Report
from tests.convergence.run import daemons, inprocess, killed

JUDGE_EVERY = 10
Play = Callable[[Path, int, int, int, int], Report]
PARTS: dict[str, tuple[int, Play]] = {
    "calm": (80, partial(inprocess, calm=True)),
    "busy": (5, inprocess),
    "killed": (5, killed),
    "daemons": (10, daemons),
    "unusual": (10, partial(inprocess, calm=True, unusual=True)),
}
"""What is played → the share of the rounds, in per cent, and how."""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="bench_convergence", description=__doc__)
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=500, help="of one seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--record", type=Path, default=None)
    parser.add_argument("--in", dest="folder", type=Path, default=None)
    options = parser.parse_args()
    sys.setswitchinterval(1e-4)  # threads that act as people get their turns
    for seed in range(options.seed, options.seed + options.seeds):
        for name in options.parts:
            share, play = PARTS[name]
            rounds = max(1, options.rounds * share // 100)
            part = f"hosts {options.hosts}, seed {seed}, {name}, {rounds} rounds: "
            if options.record and part in _read(options.record):
                continue
            folder = Path(tempfile.mkdtemp(prefix="convergence-", dir=options.folder))
            began = time.monotonic()
            report = play(folder, options.hosts, rounds, seed, JUDGE_EVERY)
            line = f"{part}{report.line()} ({time.monotonic() - began:.0f} s)"
            print(line, flush=True)
            if report.faults:
                print("\n".join(f"  FAULT: {one}" for one in report.faults[:12]))
                print(f"  the world: {folder}")
                return 1
            shutil.rmtree(folder, ignore_errors=True)
            if options.record:
                with options.record.open("a") as record:
                    record.write(line + "\n")
    return 0


def _read(record: Path) -> str:
    return record.read_text() if record.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
