"""The messenger's process, and what of the outside is out of its reach, for people to see."""

import logging
from collections.abc import Callable
from functools import partial

from autosyncd import clock
from autosyncd.link.channel import Link
from autosyncd.link.messages import Retry
from autosyncd.link.outside import TransportChanged
from autosyncd.model import OutsideConfig
from autosyncd.service.journal import Event, fields
from autosyncd.supervisor import news
from autosyncd.supervisor.child import Child, Life, Limits
from autosyncd.supervisor.children import Children
from autosyncd.supervisor.herald import Herald
from autosyncd.supervisor.transports import Transports

MESSENGER = "messenger"
"""The messenger's key among the children; the workers' are absolute paths."""

log = logging.getLogger("autosyncd")


class Reach:
    """`entry` is what the messenger runs."""

    def __init__(
        self,
        children: Children,
        herald: Herald,
        entry: Callable[[OutsideConfig, Link], int],
        limits: Limits,
    ) -> None:
        self._children = children
        self._herald = herald
        self._entry = entry
        self._limits = limits
        self._config: OutsideConfig | None = None
        self._transports = Transports()

    def lines(self) -> list[str]:
        """What is out of reach and why, for the summary."""
        return self._transports.away()

    def differs(self, config: OutsideConfig) -> bool:
        """Whether apply() would begin a messenger."""
        return self._config != config

    def apply(self, config: OutsideConfig) -> None:
        """Run a messenger by this; one that runs by another configuration ends first."""
        self._config = config
        self._transports.forget()
        self._herald.readdress()
        entry = partial(self._entry, config)
        self._children.keep(MESSENGER, MESSENGER, entry, self._limits)

    def retry(self) -> None:
        """Try anew what was given up: the messenger, or a transport of it."""
        self._transports.begin_anew()
        self._children.retry([MESSENGER])
        self._children.post(MESSENGER, Retry())

    def stop(self) -> None:
        """End the messenger."""
        self._children.stop(MESSENGER)

    def turned(self, after: Child) -> None:
        """A change in the life of the messenger's process."""
        if after.life is Life.STARTING:
            self._transports.begins(MESSENGER)
            self._herald.renew()
        elif after.life is Life.RUNNING:
            self._transports.lives(MESSENGER)
        elif after.life in (Life.BACKOFF, Life.FATAL):
            text = f"its process {news.ended(after, self._limits)}"
            self._transports.died(MESSENGER, text)
            level = logging.ERROR if after.life is Life.FATAL else logging.WARNING
            log.log(level, "messenger: %s", text, extra=fields(event=Event.CHILD_DIED))

    def changed(self, report: TransportChanged) -> None:
        """A transport came or went."""
        self._transports.changed(report, clock.now())

    def tick(self) -> None:
        """Say what has stayed as it is for a while, if that is news."""
        self._transports.tick(clock.now())

    def deadline(self) -> float:
        """When tick() has something to say."""
        return self._transports.deadline()
