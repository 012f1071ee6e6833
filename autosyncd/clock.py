"""The only file that reads a clock.

Everything that decides takes the time as an argument; only the loops ask for it, and they ask here.
"""

import time


def now() -> float:
    """Seconds since boot, suspended time included (CLOCK_BOOTTIME, clock_gettime(2)).

    Deadlines are set on this clock: it never jumps, and after a night's suspend what was due is due.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def wall() -> float:
    """Seconds since 1970. For what people read and for what outlives a reboot, never for a delay."""
    return time.time()


def monotonic_usec() -> int:
    """Microseconds on CLOCK_MONOTONIC, as sd_notify(3) wants beside RELOADING=1."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def stamp(seconds: float) -> str:
    """A point of wall() in the person's own time zone, to the second: 2026-11-23 17:02:09."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def zone(seconds: float) -> str:
    """How far the person's own time zone is from UTC at a point of wall(): +0100."""
    return time.strftime("%z", time.localtime(seconds))


def pause(seconds: float) -> None:
    """Do nothing for a while; only where a few milliseconds are waited out."""
    time.sleep(seconds)
