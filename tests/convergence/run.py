"""Rounds of random histories, and the command line. See tests/convergence/__init__.py."""

import argparse
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from autosyncd.vcs.git.lease import ignore_breaks
from tests.convergence import nursery, person
from tests.convergence.host import Host
from tests.convergence.judge import Judge
from tests.convergence.realtime import measure, summary
from tests.convergence.whole import Machines


@dataclass
class Report:
    """What a run found."""

    seed: int
    rounds: int = 0
    judged: int = 0
    faults: list[str] = field(default_factory=list)
    totals: collections.Counter[str] = field(default_factory=collections.Counter)
    outcomes: collections.Counter[str] = field(default_factory=collections.Counter)
    oddities: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    worst: float = 0.0
    """Seconds until an own commit was on the hub (realtime only)."""

    def line(self) -> str:
        """The summary, in one line."""
        totals = ", ".join(f"{name} {number}" for name, number in sorted(self.totals.items()))
        said = "; ".join(f"{name} {number}" for name, number in sorted(self.outcomes.items()))
        verdict = f"FAULTS {len(self.faults)}" if self.faults else "no fault"
        return (
            f"seed {self.seed}: {verdict}; {self.rounds} rounds, judged {self.judged} times; "
            f"{totals} | {said}"
        )


class World:
    """A hub and its hosts in one folder."""

    def __init__(self, folder: Path, hosts: int, seed: int, *, calm: bool = False) -> None:
        self.folder, self.dice = folder, random.Random(seed)
        self.calm = calm
        """A single verb in most rounds, on one machine, and the hub is always there."""
        self.environment = environment(folder)
        self.hub = folder / "hub.git"
        self._git("init", "-q", "--bare", "-b", "main", "hub.git")
        self.hosts: list[Host] = []
        for number in range(hosts):
            root = folder / f"host{number}"
            self._git("clone", "-q", "./hub.git", root.name)
            self._git("remote", "set-url", "origin", "../hub.git", cwd=root)
            self.hosts.append(Host(root, self.dice, self.environment, folder / "gates"))
        self.judge = Judge(self.hub, self.hosts, self.environment)

    def _git(self, *arguments: str, cwd: Path | None = None) -> None:
        subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.folder,
            env=self.environment,
            check=True,
            capture_output=True,
        )

    # the hub

    def go_offline(self) -> None:
        if self.hub.exists():
            self.hub.rename(self.folder / "hub.away")

    def come_back(self) -> None:
        if not self.hub.exists():
            (self.folder / "hub.away").rename(self.hub)

    # rounds

    def round(self) -> None:
        """People and workers, all at once."""
        manner = self.dice.choice(("gates", "threads", "both"))
        for host in self.hosts:
            for _ in range(self.dice.randrange(4)):
                host.person.act()
        if manner != "threads":
            for host in self.hosts:
                host.boldness = self.dice.choice((0.0, 0.1, 0.25))
                host.gate.open()
        offline = self.dice.random() < 0.15 and not self.calm
        if offline:
            self.go_offline()
        with Busy(self.hosts if manner != "gates" else [], self.dice):
            self.work()
            if offline:
                self.come_back()
                self.work()
        for host in self.hosts:
            host.boldness = 0.0
            host.gate.close()

    def work(self) -> None:
        """Some verbs; once in a while on two machines at once, or by a new driver."""
        for _ in range(self.dice.choice((0, 1, 1)) if self.calm else self.dice.randrange(2, 6)):
            some = self.dice.sample(self.hosts, 1 if self.calm else self.dice.choice((1, 1, 2)))
            if self.dice.random() < 0.05:
                some[0].start()
            together([host.some_verb for host in some])

    def rest(self) -> list[str]:
        """Everybody goes home; the judge comes."""
        for host in self.hosts:
            host.person.go_home()
        faults = self.judge.judge()
        self.hosts[0].person.tidy()
        return faults

    def end(self) -> None:
        for host in self.hosts:
            host.end()


class Busy:
    """Inside of it, people act at random instants."""

    def __init__(self, hosts: list[Host], dice: random.Random) -> None:
        self._over = threading.Event()
        self._faults: list[BaseException] = []
        pace = dice.choice((0.001, 0.005, 0.02))
        self._threads = [threading.Thread(target=self._loiter, args=(host, pace)) for host in hosts]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def _loiter(self, host: Host, pace: float) -> None:
        dice = random.Random(host.person.dice.random())
        budget = 40
        while budget and not self._over.wait(dice.random() * pace * 2):
            budget -= 1
            try:
                host.person.act()
            except BaseException as fault:
                self._faults.append(fault)
                return


def together(calls: list[Callable[[], None]]) -> None:
    """All of them at once; the first exception of any is raised."""
    faults: list[BaseException] = []

    def call(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=call, args=(one,)) for one in calls[1:]]
    for thread in threads:
        thread.start()
    call(calls[0])
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def environment(folder: Path) -> dict[str, str]:
    """A person of whom git knows nothing else."""
    home = folder / "home"
    home.mkdir()
    identity = "[user]\n\tname = Alice\n\temail = alice@example.org\n"
    (home / ".gitconfig").write_text(identity + "[init]\n\tdefaultBranch = main\n")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GIT_", "XDG_", "EMAIL"))
    }
    return kept | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}


def inprocess(
    folder: Path, hosts: int, rounds: int, seed: int, judge_every: int, *, calm: bool = False
) -> Report:
    """The verbs are called here, in random order, while people act."""
    ignore_breaks()
    report = Report(seed)
    world = World(folder, hosts, seed, calm=calm)
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


class Deaths:
    """Rounds in which workers are killed."""

    def __init__(self, world: World, nurses: nursery.Nursery, report: Report) -> None:
        self.world, self.nurses, self.report = world, nurses, report
        self.dice = world.dice
        self.number = 0

    def round(self) -> None:
        hosts = self.world.hosts
        for host in hosts:
            for _ in range(self.dice.randrange(3)):
                host.person.act()
            host.boldness = self.dice.choice((0.0, 0.0, 0.15))
            host.gate.open()
        loiterers = hosts if self.dice.random() < 0.6 else []
        with Busy(loiterers, self.dice):
            for _ in range(self.dice.randrange(1, 4)):
                self._life(self.dice.choice(hosts))
        for host in hosts:
            host.boldness = 0.0
            host.gate.close()

    def _life(self, host: Host) -> None:
        """One worker, from its start to its end."""
        self.number += 1
        self._mend_the_hub(host)
        mark = f"convergence-{os.getpid()}-{host.name}"
        log = self.world.folder / f"life{self.number}"
        log.touch()
        order = host.order(nursery.pick_verbs(self.dice), log, mark)
        manner = self.dice.choice(("live", "fuse", "fuse", "time", "time"))
        alone = self.dice.random() < 0.5
        host.fuse = self.dice.randrange(1, 70) if manner == "fuse" else None
        pid = self.nurses.start(order)
        host.burn = lambda: nursery.kill_alone(pid) if alone else nursery.kill_all(mark, pid)
        over = nursery.wait(pid, self.dice.random() * 2 if manner == "time" else 180)
        if not over:
            if manner != "time":
                self.report.faults.append(f"{host.name}: {order.verbs} did not end in 180 s")
            host.burn()
            nursery.wait(pid, 10)
            self.report.totals["kills by time"] += 1
        elif manner == "fuse" and host.fuse is None:
            self.report.totals["kills at a gate"] += 1
        host.fuse = None
        self._learn(host, log, order)

    def _learn(self, host: Host, log: Path, order: nursery.Order) -> None:
        for scanned in nursery.scans(log, order):
            host.committed(scanned)
        for line in log.read_text().splitlines():
            if '"verb": "crash"' in line:
                self.report.faults.append(f"{host.name}: a driver raised: {line}")
            elif "Failed(" in line or "Unfit(" in line:
                host.oddities.append(f"{host.name} {line}"[:600])
            self.report.outcomes[outcome_of(line)] += 1
        log.unlink()

    def _mend_the_hub(self, host: Host) -> None:
        """A hub is another machine: what dies with the client here, would not die there."""
        for other in self.world.hosts:
            mark = f"convergence-{os.getpid()}-{other.name}"
            if other is host:
                continue
            for pid in nursery.marked(mark):
                nursery.wait(pid, 10)
        if not nursery.marked(f"convergence-{os.getpid()}-{host.name}"):
            for lock in self.world.hub.rglob("*.lock"):
                lock.unlink(missing_ok=True)

    def rest(self) -> list[str]:
        """New workers everywhere, then as ever."""
        for host in self.world.hosts:
            self._mend_the_hub(host)
        for host in self.world.hosts:
            kind = host.start()
            if kind != "Ready":
                return [f"{host.name}: inspect says {kind} {host.oddities[-1:]}"]
        for lock in self.world.hub.rglob("*.lock"):
            lock.unlink(missing_ok=True)
        faults = self.world.rest()
        for host in self.world.hosts:
            host.stop()
        return faults


def outcome_of(line: str) -> str:
    """ "commit:CommitMade" of a line of a life's log."""
    facts = json.loads(line)
    return f"{facts['verb'].split()[0]}:{str(facts['outcome']).split('(')[0]}"


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
        report.worst = max((one for mine in times for one in mine.taken), default=0.0)
        report.faults = world.rest()
        report.judged = 1
    finally:
        world.end()
        count(report, world)
    return report


MODES = {"inprocess": inprocess, "daemons": daemons, "realtime": realtime}


def count(report: Report, world: World) -> None:
    """The totals of a world."""
    report.totals["contents verified"] = world.judge.verified
    report.totals["own commits kept"] = world.judge.kept
    for host in world.hosts:
        report.totals["acts"] += host.person.acts
        report.totals["late writes"] += host.person.late
        report.totals["gates passed"] += host.gate.passed
        report.outcomes += host.outcomes
        report.oddities += host.oddities


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests.convergence.run", description=__doc__)
    parser.add_argument("--hosts", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=1, help="so many runs, one seed after another")
    parser.add_argument("--mode", choices=list(MODES), default="inprocess")
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
        play = killed if options.kill else MODES[options.mode]
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
