"""Pure: how often a friend may make us look at a remote.

Each notice is a fetch, and takes away the pause after a fetch that failed. The own machines may do so as
often as they push; of what a friend says of one channel the first is heard at once, then the newest.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import inf

from autosyncd.model import Channel, PushNotice
from autosyncd.transport.xmpp.stanzas import bare

EVERY = 3.0
"""Seconds between two notices of one account about one channel."""

Key = tuple[str, Channel]


class Pace:
    """Of all friends in one session; what they are not believed does not come here."""

    def __init__(self) -> None:
        self._free_at: dict[Key, float] = {}
        self._waiting: dict[Key, tuple[str, PushNotice]] = {}

    def passes(self, sender: str, notice: PushNotice, *, now: float) -> PushNotice | None:
        """What of a notice is heard now, None if nothing; the rest waits, the newest of each channel."""
        free = tuple(
            channel
            for channel in notice.channels
            if self._free_at.get((bare(sender), channel), -inf) <= now
        )
        for channel in notice.channels:
            key = (bare(sender), channel)
            self._waiting.pop(key, None)
            if channel in free:
                self._free_at[key] = now + EVERY
            else:
                self._waiting[key] = (sender, replace(notice, channels=(channel,)))
        return replace(notice, channels=free) if free else None

    def due(self) -> float:
        """When take() has something to give."""
        return min((self._free_at[key] for key in self._waiting), default=inf)

    def take(self, *, now: float) -> Iterator[tuple[str, PushNotice]]:
        """What has waited long enough, and who said it."""
        for key in [key for key in self._waiting if self._free_at[key] <= now]:
            self._free_at[key] = now + EVERY
            yield self._waiting.pop(key)
