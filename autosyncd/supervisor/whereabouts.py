"""What a worker does first: find out which folder its repository's path leads to.

The supervisor compares paths as they are written, because whoever looks at a file system that doesn't
answer waits for as long as that lasts. This process may wait so: it is taken for hung then, and
nothing else is. Where the path leads to what may not be synced as a repository of its own, it says so
and waits: each order makes it look again. What was ordered meanwhile is the worker's to hear then: a
pause, say, which nobody would order twice.
"""

import os
import select
from collections.abc import Callable

from autosyncd import clock
from autosyncd.config.overlap import Neighbours, objection
from autosyncd.errors import LinkClosed
from autosyncd.link.beat import next_beat
from autosyncd.link.channel import Link
from autosyncd.link.messages import (
    Alive,
    Located,
    Message,
    Problem,
    Shutdown,
    Solved,
    StatusChanged,
    cut,
)
from autosyncd.model import RepoConfig, Status

Find = Callable[[], str | None]
"""find(), bound to one worker."""
WorkerEntry = Callable[[RepoConfig, Link, Find], int]

KIND = "path"
"""The kind of problem that is reported."""


def find(config: RepoConfig, neighbours: Neighbours, link: Link) -> str | None:
    """Where the path leads to, once somebody may work there; None: the worker is to end."""
    told = place = ""
    ordered: dict[type[Message], Message] = {}
    while True:
        real = os.path.realpath(config.path)
        if real not in (place, config.path) and cut(real) == real:
            link.outbox.post(Located(real))
        place = real
        text = cut(objection(config.path, real, neighbours))
        if not text:
            break
        if text != told:
            link.outbox.post(Problem(KIND, text))
            link.outbox.post(StatusChanged(Status.FAILED, text, clock.wall()))
        told = text
        orders = _wait(link)
        if orders is None:
            return None
        for order in orders:  # the newest of a kind, last; who begins pulls whatever there is
            ordered.pop(type(order), None)
            ordered[type(order)] = order
    if told:
        link.outbox.post(Solved(KIND))
    link.inbox.put_back(list(ordered.values()))
    return real


def _wait(link: Link) -> list[Message] | None:
    """Until orders or the next beat have come: these orders; None: the process is to end."""
    link.outbox.flush()
    watched = select.poll()
    watched.register(link.inbox, select.POLLIN)
    now = clock.now()
    watched.poll((next_beat(now) - now) * 1000)
    try:
        orders = link.inbox.receive()
    except LinkClosed:
        return None
    link.outbox.post(Alive())
    return None if any(isinstance(order, Shutdown) for order in orders) else orders
