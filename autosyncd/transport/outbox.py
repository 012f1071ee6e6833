"""Pure: announcements on their way to a server that echoes them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autosyncd.transport.notice import Announcement

if TYPE_CHECKING:
    from autosyncd.model import Channel

KEPT_FOR = 60.0
"""Seconds in which what a session has begun with may be said by the next one, too."""
OWN_LIMIT = 256
"""Own announcements that are remembered, to know their echoes."""


@dataclass(frozen=True, slots=True)
class Unheard:
    """A head that has not come back, and since when it counts as said."""

    head: str
    at: float
    again: bool = False
    """A session has begun with it already."""


class Outbox:
    """Announcements on their way. One has arrived when its echo is back from the server."""

    def __init__(self) -> None:
        self._newest: dict[Channel, Unheard] = {}
        self._own: dict[Announcement, float] = {}

    def put(self, announcement: Announcement, *, now: float) -> None:
        """Remember it as the newest of its channel."""
        self._newest[announcement.channel] = Unheard(announcement.head, now)
        self._remember(announcement, now=now)

    def is_echo(self, heard: Announcement, *, now: float) -> bool:
        """Whether this client said so itself a short while ago."""
        newest = self._newest.get(heard.channel)
        if newest is not None and newest.head == heard.head:
            del self._newest[heard.channel]
        said = self._own.get(heard)
        return said is not None and now - said <= KEPT_FOR

    def unconfirmed(self, *, now: float) -> tuple[Announcement, ...]:
        """What a new session begins with: whatever has not come back, however long there was none.

        A server that never says it again would be told at each session, so after a minute that ends.
        """
        for channel, one in tuple(self._newest.items()):
            if not one.again:
                self._newest[channel] = Unheard(one.head, now, again=True)
            elif now - one.at > KEPT_FOR:
                del self._newest[channel]
        found = tuple(Announcement(channel, one.head) for channel, one in self._newest.items())
        for announcement in found:
            self._remember(announcement, now=now)
        return found

    def _remember(self, announcement: Announcement, *, now: float) -> None:
        self._own.pop(announcement, None)
        self._own[announcement] = now
        if len(self._own) > OWN_LIMIT:
            del self._own[next(iter(self._own))]
