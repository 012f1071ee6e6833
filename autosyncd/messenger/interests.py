"""Pure: what all repositories together want to hear of, and who is trusted with it."""

from collections.abc import Iterable

from autosyncd.link.outside import (
    Subscribe,
)
from autosyncd.model import Channel
from autosyncd.transport.base import Interest


def union(subscriptions: Iterable[Subscribe]) -> dict[Channel, Interest]:
    """Every channel that some repository wants to hear of.

    Who is trusted by one repository that holds a channel is trusted with this channel alone.
    """
    found: dict[Channel, Interest] = {}
    for one in subscriptions:
        own = Interest(frozenset(one.trust), frozenset({one.remote} - {""}))
        for channel in one.channels:
            known = found.get(channel)
            found[channel] = _both(known, own) if known else own
    return found


def _both(one: Interest, other: Interest) -> Interest:
    return Interest(one.trusted | other.trusted, one.remotes | other.remotes)
