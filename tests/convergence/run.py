"""Rounds of random histories, and the command line. See tests/convergence/__init__.py."""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from autosyncd.vcs.git.lease import ignore_breaks
from tests.convergence import nursery, person
from tests.convergence.deaths import Deaths
from tests.convergence.realtime import measure, summary
from tests.convergence.report import Report, count
from tests.convergence.whole import Machines
from tests.convergence.world import World, environment

LONG = 50
"""Rounds of whole daemons after which it is watched for a minute that nothing stirs."""


def inprocess(
    folder: Path,
    hosts: int,
    rounds: int,
    seed: int,
    judge_every: int,
    *,
    calm: bool = False,
    unusual: bool = False,
) -> Report:
    """The verbs are called here, in random order, while people act; `unusual`: with their git, too, in
    ways that rewrite, take back or go away."""
    ignore_breaks()
    report = Report(seed)
    world = World(folder, hosts, seed, calm=calm, unusual=unusual)
    for host in world.hosts:
        host.start()
    try:
        for number in range(1, rounds + 1):
            world.round()
            report.rounds = number
            if number % judge_every == 0 or number == rounds:
                report.faults = world.rest()
                report.judged += 1
                if report.faults:
                    break
    finally:
        world.end()
        count(report, world)
    return report


def killed(folder: Path, hosts: int, rounds: int, seed: int, judge_every: int) -> Report:
    """The verbs run in children that are killed at any instant, while people act."""
    nurses = nursery.Nursery()
    ignore_breaks()
    report = Report(seed)
    world = World(folder, hosts, seed)
    deaths = Deaths(world, nurses, report)
    try:
        for number in range(1, rounds + 1):
            deaths.round()
            report.rounds = number
            if number % judge_every == 0 or number == rounds:
                report.faults += deaths.rest()
                report.judged += 1
            if report.faults:
                break
    finally:
        world.end()
        nurses.close()
        count(report, world)
    return report


def daemons(folder: Path, hosts: int, rounds: int, seed: int, judge_every: int) -> Report:
    """Whole daemons; now and then a worker of theirs is killed."""
    report = Report(seed)
    machines = Machines(folder, hosts, seed, environment(folder))
    try:
        for number in range(1, rounds + 1):
            machines.round()
            if number % 5 == 0:
                machines.kill_a_worker()
            report.rounds = number
            if number % judge_every == 0 or number == rounds:
                report.faults = machines.rest()
                report.judged += 1
            if report.faults:
                break
        if rounds >= LONG and not report.faults:
            report.faults = machines.stays(60)
    finally:
        machines.end()
    report.totals["acts"] = sum(person.acts for person in machines.people)
    report.totals["contents verified"] = machines.verified
    report.totals["late writes"] = sum(person.late for person in machines.people)
    return report


def realtime(folder: Path, hosts: int, rounds: int, seed: int, _: int) -> Report:
    """`rounds` seconds of continuous pushing, then the judge."""
    ignore_breaks()
    report = Report(seed)
    world = World(folder, hosts, seed)
    try:
        times = measure(world.hosts, rounds)
        report.notes.append(summary(times))
        taken = [one for mine in times for one in mine.taken]
        report.worst, report.usual = max(taken), statistics.median(taken)
        report.faults = world.rest()
        report.judged = 1
    finally:
        world.end()
        count(report, world)
    return report


MODES = {"inprocess": inprocess, "killed": killed, "daemons": daemons, "realtime": realtime}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.convergence.run", description=__doc__)
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many runs, one seed after another")
    parser.add_argument("--mode", choices=list(MODES), default="inprocess")
    parser.add_argument("--calm", action="store_true", help="nobody waits for real seconds to pass")
    parser.add_argument("--unusual", action="store_true", help="people use their git in all ways")
    parser.add_argument("--kill", action="store_true", help="kill workers at any instant")
    parser.add_argument("--without-maps", action="store_true", help="nobody maps files")
    parser.add_argument("--judge-every", type=int, default=10, metavar="ROUNDS")
    parser.add_argument("--folder", type=Path, default=None, help="where the worlds lie")
    parser.add_argument("--keep", action="store_true", help="keep the world of a failed run")
    options = parser.parse_args()
    sys.setswitchinterval(1e-4)
    if options.without_maps:
        person.MAPPED = 0.0
    for seed in range(options.seed, options.seed + options.seeds):
        folder = Path(tempfile.mkdtemp(prefix=f"convergence-{seed}-", dir=options.folder))
        began = time.monotonic()
        play = MODES["killed" if options.kill else options.mode]
        if play is inprocess:
            play = partial(inprocess, calm=options.calm, unusual=options.unusual)
        report = play(folder, options.hosts, options.rounds, seed, options.judge_every)
        print(f"{report.line()} ({time.monotonic() - began:.0f} s)", flush=True)
        for note in report.notes:
            print(f"  {note}")
        for oddity in sorted(set(report.oddities))[:6]:
            print(f"  odd: {oddity}")
        if report.faults:
            print(
                "\n".join(
                    f"  FAULT seed {seed} round {report.rounds}: {one}"
                    for one in report.faults[:12]
                )
            )
            if options.keep:
                print(f"  the world: {folder}")
                return 1
        shutil.rmtree(folder, ignore_errors=True)
        if report.faults:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
