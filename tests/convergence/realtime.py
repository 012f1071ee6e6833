"""Machines that never pause: how long until one's own commit is on the hub, and how many tries.

Each machine edits, commits and pushes at once, all of them on one hub, without a rest.
"""

import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from autosyncd.model import Head
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.orders import Stage
from autosyncd.vcs.outcomes import CommitMade, Identified, Synced
from tests.convergence.host import Host

FETCH = False
"""As a worker that has heard of nothing new: it pushes first."""


@dataclass
class Times:
    """Of one machine; seconds."""

    taken: list[float] = field(default_factory=list)
    tries: list[int] = field(default_factory=list)


class Stopwatch:
    """A watcher that notes when a push was proved, and how often it fetched first."""

    def __init__(self) -> None:
        self.fetched = 0
        self.at: float | None = None

    def begin(self) -> None:
        self.fetched, self.at = 0, None

    def stage(self, stage: Stage) -> None:
        self.fetched += stage is Stage.FETCH

    def identified(self, identity: Identified) -> None:
        pass

    def pushed(self, head: Head) -> None:
        self.at = self.at or time.monotonic()


def measure(hosts: list[Host], seconds: float) -> list[Times]:
    """All machines at once for so long; the first exception of any is raised."""
    faults: list[BaseException] = []
    times = [Times() for _ in hosts]
    end = time.monotonic() + seconds

    def push(host: Host, mine: Times) -> None:
        try:
            watch = Stopwatch()
            host.clone.told = watch  # type: ignore[assignment]
            host.start()
            number = 0
            while time.monotonic() < end:
                number += 1
                _one(host, mine, watch, number)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=push, args=pair) for pair in zip(hosts, times, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return times


def _one(host: Host, mine: Times, watch: Stopwatch, number: int) -> None:
    name = f"{host.name}-{number % 7}"
    Path(host.person.full(name)).write_text(f"{host.name} {number}\n")
    made = host.commit(Scope(frozenset({name.encode()})), ignore_staged=True)
    if not isinstance(made, CommitMade):
        return
    began = time.monotonic()
    watch.begin()
    while not isinstance(host.sync(fetch=FETCH), Synced):
        if time.monotonic() - began > 60:
            return
    mine.taken.append((watch.at or time.monotonic()) - began)
    mine.tries.append(watch.fetched + 1)


def summary(times: list[Times]) -> str:
    """Median, 95 %, worst, tries, over all machines."""
    taken = sorted(one for mine in times for one in mine.taken)
    tries = [one for mine in times for one in mine.tries]
    if not taken:
        return "nothing was pushed"
    return (
        f"own commit on the hub: {len(taken)} pushes of {len(times)} machines, "
        f"median {statistics.median(taken):.2f} s, 95 % {taken[int(len(taken) * 0.95)]:.2f} s, "
        f"worst {taken[-1]:.2f} s, at most {max(tries)} tries; "
        f"each machine's median {[round(statistics.median(m.taken), 2) for m in times if m.taken]}"
    )
