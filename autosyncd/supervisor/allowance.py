"""Pure: how many notices of one sender for one channel are obeyed (a token bucket for each)."""

from collections.abc import Mapping
from dataclasses import dataclass

from autosyncd.model import Channel

BURST = 20.0
"""Notices that are obeyed at once."""
REFILL = 0.5
"""Notices a second after that."""
COUNTED = 1000
"""Channels and senders that are counted; beyond it the longest silent is forgotten."""

ChannelSender = tuple[Channel, str]
"""What an allowance is for."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of it, as of `at` (seconds of clock.now())."""

    notices: float
    at: float


def spend(
    allowances: Mapping[ChannelSender, Allowance], key: ChannelSender, now: float
) -> tuple[dict[ChannelSender, Allowance], bool]:
    """One notice more has come: what is left to everybody, and whether it is to be obeyed."""
    old = allowances.get(key, Allowance(BURST, now))
    notices = min(BURST, old.notices + max(0.0, now - old.at) * REFILL)
    obeyed = notices >= 1.0
    # re-inserted at the end: the first of all is the one longest silent
    left = {other: allowance for other, allowance in allowances.items() if other != key}
    left[key] = Allowance(notices - 1.0 if obeyed else notices, now)
    if len(left) > COUNTED:
        del left[next(iter(left))]
    return left, obeyed
