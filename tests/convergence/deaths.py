"""Rounds in which workers are killed at any instant."""

import json
import os
from pathlib import Path

from tests.convergence import nursery
from tests.convergence.host import Host
from tests.convergence.report import Report
from tests.convergence.world import Busy, World


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
