"""Pure: when a child says that its loop turns (Alive)."""

ALIVE_EVERY = 60.0
"""Seconds. At each full minute of the machine's clock, so that an idle machine wakes once for all
processes."""


def next_beat(now: float) -> float:
    """The first time after `now` (both seconds of clock.now())."""
    return (now // ALIVE_EVERY + 1) * ALIVE_EVERY
