"""Pure: announcements on their way to a server that echoes them."""

from typing import TYPE_CHECKING

from autosyncd.transport.notice import Announcement

if TYPE_CHECKING:
    from autosyncd.model import Channel

KEPT_FOR = 60.0
"""Seconds an announcement waits for a session; later the others have pulled on their own."""
OWN_LIMIT = 256
"""Own announcements that are remembered, to know their echoes."""


class Outbox:
    """Announcements on their way. One has arrived when its echo is back from the server."""

    def __init__(self) -> None:
        self._newest: dict[Channel, tuple[str, float]] = {}
        self._own: dict[Announcement, float] = {}

    def put(self, announcement: Announcement, *, now: float) -> None:
        """Remember it as the newest of its channel."""
        self._newest[announcement.channel] = (announcement.head, now)
        self._own.pop(announcement, None)
        self._own[announcement] = now
        if len(self._own) > OWN_LIMIT:
            del self._own[next(iter(self._own))]

    def is_echo(self, heard: Announcement, *, now: float) -> bool:
        """Whether this client said so itself a short while ago."""
        newest = self._newest.get(heard.channel)
        if newest is not None and newest[0] == heard.head:
            del self._newest[heard.channel]
        said = self._own.get(heard)
        return said is not None and now - said <= KEPT_FOR

    def unconfirmed(self, *, now: float) -> tuple[Announcement, ...]:
        """What a new session begins with; what is too old is forgotten."""
        fresh = {
            channel: (head, said)
            for channel, (head, said) in self._newest.items()
            if now - said <= KEPT_FOR
        }
        self._newest = fresh
        return tuple(Announcement(channel, head) for channel, (head, _) in fresh.items())
