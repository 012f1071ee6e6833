"""The limit of open files (getrlimit(2), RLIMIT_NOFILE): raised for the supervisor, not for others.

A process begins with 1,024 as a rule, since select(2) knows no higher numbers. The supervisor waits
otherwise, needs some descriptors for each child, and raises the soft limit for itself alone: its
children, and so git, hooks and ssh, get what the service was started with.
"""

import contextlib
import resource
import sys

OWN = 32
"""Descriptors that the supervisor needs for all else: the configuration, the selector, the journal."""
EACH = 4
"""Descriptors for each child while it is made: both ends of two pipes. Later on there are three."""
FIRST, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
"""The soft limit that this program was started with."""


def room_for(children: int) -> int:
    """How many of so many children there may be; the soft limit is raised for them as far as it goes."""
    wanted = OWN + EACH * children
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _number(soft) < wanted:
        allowed = min(wanted, _number(hard))
        with contextlib.suppress(OSError, ValueError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return max(0, min(children, (allowed_now() - OWN) // EACH))


def allowed_now() -> int:
    """The soft limit."""
    return _number(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def give_back() -> None:
    """The soft limit as it was at first, in a child or for the program that takes this one's place."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if _number(soft) > _number(FIRST):
        resource.setrlimit(resource.RLIMIT_NOFILE, (FIRST, hard))


def _number(limit: int) -> int:
    return sys.maxsize if limit == resource.RLIM_INFINITY else limit
