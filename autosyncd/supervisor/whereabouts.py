"""What a worker does first: find out which folder its repository's path leads to.

The supervisor compares paths as they are written, because whoever looks at a file system that doesn't
answer waits for as long as that lasts. This process may wait so: it is taken for hung then, and
nothing else is. Where the path leads to what may not be synced as a repository of its own, it says so
and waits: each order makes it look again.
"""

import os
import select
from collections.abc import Callable

from autosyncd import clock
from autosyncd.config.overlap import Neighbours, objection
from autosyncd.errors import LinkClosed
from autosyncd.link.beat import next_beat
from autosyncd.link.channel import Link
from autosyncd.link.messages import Alive, Located, Problem, Shutdown, Solved, StatusChanged, cut
from autosyncd.model import RepoConfig, Status

Find = Callable[[], str | None]
"""find(), bound to one worker."""
WorkerEntry = Callable[[RepoConfig, Link, Find], int]

KIND = "path"
"""The kind of problem that is reported."""


def find(config: RepoConfig, neighbours: Neighbours, link: Link) -> str | None:
    """Where the path leads to, once somebody may work there; None: the worker is to end."""
    told = place = ""
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
        if not _wait(link):
            return None
    if told:
        link.outbox.post(Solved(KIND))
    return real


def _wait(link: Link) -> bool:
    """Until an order or the next beat has come; False: the process is to end."""
    link.outbox.flush()
    watched = select.poll()
    watched.register(link.inbox, select.POLLIN)
    now = clock.now()
    watched.poll((next_beat(now) - now) * 1000)
    try:
        orders = link.inbox.receive()
    except LinkClosed:
        return False
    link.outbox.post(Alive())
    return not any(isinstance(order, Shutdown) for order in orders)
