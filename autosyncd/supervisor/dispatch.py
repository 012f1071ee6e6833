"""What workers are ordered to do, since something was pushed (routing.py says who) or a person asks.

A worker that begins looks at everything, so it needs no order of the first kind that was given before.
Of what a person asked it knows nothing: that is kept for it.
"""

import logging
from collections.abc import Sequence

from autosyncd import clock
from autosyncd.link.messages import Announce, HeadMoved, Identity, Message
from autosyncd.link.outside import Heard
from autosyncd.supervisor import routing
from autosyncd.supervisor.child import Child, Life
from autosyncd.supervisor.children import Children
from autosyncd.supervisor.herald import Herald
from autosyncd.supervisor.routing import Routed, Table

SPREAD = 5.0
"""Seconds over which "pull all" is spread."""

log = logging.getLogger("autosyncd")


class Dispatch:
    """To all workers, which are known by their path. `host` is this machine's label in notices."""

    def __init__(self, children: Children, herald: Herald, host: str) -> None:
        self._children = children
        self._herald = herald
        self._host = host
        self._table = Table()
        self._asked: dict[str, dict[type[Message], Message]] = {}
        """What a person asked of workers that are not known to work, the newest of a kind last."""
        self._at_work: set[str] = set()
        """Whose worker has said what tree it has: it writes down what it must not forget."""
        self.hears = False
        """Whether other machines could be heard by now, over any transport."""

    def reported(self, path: str, report: Message) -> None:
        """A worker's report, which may be news to others."""
        match report:
            case Identity():
                self._at_work.add(path)
                self._asked.pop(path, None)
                if self.hears:
                    self._table = routing.may_have_missed(self._table, path, report, clock.now())
                self._table = routing.join(self._table, path, report)
            case HeadMoved(head):
                self._table = routing.merged(self._table, path, head)
            case Announce():
                self._table, routed = routing.announce(self._table, path, report, self._host)
                self._send(routed)

    def heard(self, report: Heard) -> None:
        """Another machine has pushed."""
        now = clock.now()
        self._table, routed = routing.heard(self._table, report.notice, report.sender, now)
        text = "a notice over %s from %s: %s"
        log.debug(text, report.transport, report.sender, routed.fate.value)
        self._send(routed)

    def pull_all(self, jitter: Sequence[float]) -> None:
        """What was missed is unknown: every repository pulls once, spread over SPREAD seconds."""
        self._table = routing.pull_all(self._table, clock.now(), SPREAD, jitter)

    def asked(self, path: str, order: Message) -> None:
        """A person asks for this; a worker that is away hears of it when it is back."""
        working = path in self._at_work and self._children[path].life is Life.RUNNING
        if not self._children.post(path, order) or not working:
            kept = self._asked.setdefault(path, {})
            kept.pop(type(order), None)
            kept[type(order)] = order

    def turned(self, path: str, after: Child) -> None:
        """A change in the life of a worker's process."""
        if after.life is Life.STARTING:
            self._at_work.discard(path)
            for order in self._asked.get(path, {}).values():
                self._children.post(path, order)

    def left(self, path: str) -> None:
        """There is no such worker any more."""
        self._asked.pop(path, None)
        self._at_work.discard(path)
        self._table = routing.leave(self._table, path)

    def tick(self) -> None:
        """Order the pulls whose time has come."""
        self._table, orders = routing.due(self._table, clock.now())
        for path, order in orders:
            self._children.post(path, order)

    def deadline(self) -> float:
        """When tick() has something to do."""
        return routing.deadline(self._table)

    def _send(self, routed: Routed) -> None:
        for path, order in routed.orders:
            self._children.post(path, order)
        if routed.tell is not None:
            self._herald.tell(routed.tell)
