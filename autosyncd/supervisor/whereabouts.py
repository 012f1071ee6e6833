"""What a worker does first: find out which folder its repository's path leads to.

The supervisor compares paths as they are written, because whoever looks at a file system that doesn't
answer waits for as long as that lasts. This process may wait so: it is taken for hung then, and
nothing else is. Where the path leads to what may not be synced as a repository of its own, it says so
and waits: each order makes it look again.
"""

import os
import select
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from autosyncd import clock
from autosyncd.config.choice import inside
from autosyncd.errors import LinkClosed
from autosyncd.link.channel import Link
from autosyncd.link.messages import Alive, Problem, Shutdown, Solved, StatusChanged, cut
from autosyncd.model import RepoConfig, Status

Find = Callable[[], str | None]
"""find(), bound to one worker."""
WorkerEntry = Callable[[RepoConfig, Link, Find], int]

KIND = "path"
"""The kind of problem that is reported."""
ALIVE_EVERY = 60.0
"""Seconds; aligned over all processes, as the workers' is."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What else the configuration speaks of, as it is written there."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Path to name of each repository."""
    guarded: Mapping[str, str] = field(default_factory=dict)
    """Paths that no repository may contain, and what each is."""


def find(config: RepoConfig, neighbours: Neighbours, link: Link) -> str | None:
    """Where the path leads to, once somebody may work there; None: the worker is to end."""
    told = ""
    while text := objection(config, real := os.path.realpath(config.path), neighbours):
        if text != told:
            link.outbox.post(Problem(KIND, text))
            link.outbox.post(StatusChanged(Status.FAILED, text, clock.wall()))
        told = text
        if not _wait(link):
            return None
    if told:
        link.outbox.post(Solved(KIND))
    return real


def objection(config: RepoConfig, real: str, neighbours: Neighbours) -> str:
    """Why nobody may work at `real`, which the path leads to, as a sentence; empty: nothing is wrong."""
    if real == config.path:
        return ""  # the supervisor has compared it
    leads = f"{config.path} leads to {real}"
    if real in neighbours.names:
        name = neighbours.names[real]
        return cut(f"{leads}, which is the repository {name} already; keep one of the two entries.")
    what = next((what for path, what in neighbours.guarded.items() if inside(path, real)), "")
    if what:
        return cut(f"{leads}, and {what} lies in it, so a pull could change it; move one of them.")
    return ""


def _wait(link: Link) -> bool:
    """Until an order or a minute has come; False: the process is to end."""
    link.outbox.flush()
    watched = select.poll()
    watched.register(link.inbox, select.POLLIN)
    watched.poll((ALIVE_EVERY - clock.now() % ALIVE_EVERY) * 1000)
    try:
        orders = link.inbox.receive()
    except LinkClosed:
        return False
    link.outbox.post(Alive())
    return not any(isinstance(order, Shutdown) for order in orders)
