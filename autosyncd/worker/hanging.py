"""Whether what the engine has begun hangs, since a file system does not answer (proc(5)).

Whoever waits for a disk or a server of files can't be interrupted: its state is D. Whoever waits for the
program behind a FUSE mount can be (S), as in any other wait, so the kernel's name for what it waits in
(wchan) tells them apart: a hook or a fetch that takes long is no hang. One at work is woken again and
again, and its switches are counted; one long sleep means that nothing comes back. The loop's own thread
would then say that all is well for as long as that lasts, so it looks.
"""

import contextlib
import os
from collections.abc import Iterator
from math import inf

LOOK_EVERY = 10.0
"""Seconds between two looks while a verb runs."""
HANGS_AFTER = 100.0
"""Seconds in one sleep. Writing back what others have left in a cache takes long as well."""
_IN_FUSE = (
    "request_wait_answer",
    "__fuse_request_send",
    "__fuse_simple_request",
    "fuse_simple_request",
)
"""What a wait for FUSE is called, as far as the compiler has left a function of that name."""


class Hanging:
    """Looks at the threads of this process and of its children. `now` is clock.now()."""

    def __init__(self) -> None:
        self.due = inf
        """When tick() wants to look."""
        self.hangs = False
        self._sleepers: dict[str, tuple[str, float]] = {}

    def tick(self, now: float, *, busy: bool) -> bool:
        """Whether `hangs` has changed. `busy`: a verb runs."""
        if not busy:
            self.due = inf
            self._sleepers.clear()
        elif self.due == inf:
            self.due = now + LOOK_EVERY
        elif now >= self.due:
            self.due = now + LOOK_EVERY
            self._look(now)
        before = self.hangs
        since = min((since for _, since in self._sleepers.values()), default=inf)
        self.hangs = now - since >= HANGS_AFTER
        return self.hangs is not before

    def _look(self, now: float) -> None:
        known, self._sleepers = self._sleepers, {}
        for thread, switches in _asleep(os.getpid()):
            before = known.get(thread)
            same = before is not None and before[0] == switches
            self._sleepers[thread] = before if before and same else (switches, now)


def _asleep(pid: int) -> Iterator[tuple[str, str]]:
    """The threads of a process and all its descendants that wait for a file system, and how often each
    has slept."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return
    for thread in threads:
        place = f"/proc/{pid}/task/{thread}"
        with contextlib.suppress(OSError, ValueError, KeyError):
            said = dict(
                line.split(":\t", 1)
                for line in _read(f"{place}/status").splitlines()
                if ":\t" in line
            )
            if said["State"].startswith("D") or _waits_for_fuse(said["State"], place):
                yield place, said["voluntary_ctxt_switches"]
            for child in _read(f"{place}/children").split():
                yield from _asleep(int(child))


def _waits_for_fuse(state: str, place: str) -> bool:
    return state.startswith("S") and _read(f"{place}/wchan").startswith(_IN_FUSE)


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()
