"""At most so many network commands at once for one host, over all workers of a person.

sshd drops connections beyond its MaxStartups (10 that have not logged in yet, sshd_config(5)), and a
hub in a small box has better things to do than a hundred handshakes at once. A slot is a file that is
locked (flock(2)) while a command runs, so a worker that is killed holds none.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from hashlib import sha256

from autosyncd import clock

AT_ONCE = 4
"""Network commands for one host."""
WAITS_AT_MOST = 30.0
"""Seconds; after that a command goes without, since a host that hangs must not hold up others' news
that it does."""
LOOKS_FIRST, LOOKS_LAST = 0.02, 0.25
"""Seconds between two looks for a free slot, growing from the first to the last."""


class Slots:
    """The slots of every host, in a folder that all workers share."""

    def __init__(self, folder: str | None, *, at_once: int = AT_ONCE) -> None:
        """`folder` None: nothing is limited."""
        self._folder = folder
        self._at_once = at_once

    @contextlib.contextmanager
    def held(self, host: str, stopping: threading.Event) -> Iterator[bool]:
        """Hold a slot of the host, or go without once `stopping` is set or the wait is too long.

        An empty host is this machine, which needs no protection. True: a slot is held.
        """
        slot = self._wait(host, stopping) if host and self._folder else None
        try:
            yield slot is not None
        finally:
            if slot is not None:
                os.close(slot)

    def _wait(self, host: str, stopping: threading.Event) -> int | None:
        end, pause = clock.now() + WAITS_AT_MOST, LOOKS_FIRST
        try:
            while (slot := self._free(host)) is None and clock.now() < end:
                if stopping.wait(pause):
                    return None
                pause = min(2 * pause, LOOKS_LAST)
        except OSError:  # a full or read-only runtime folder: better too many at once than none
            return None
        return slot

    def _free(self, host: str) -> int | None:
        """A slot that nobody held until now. Raises OSError if the folder can't be used."""
        folder = os.path.join(self._folder or "", "slots")
        os.makedirs(folder, mode=0o700, exist_ok=True)
        name = sha256(host.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        for number in range(self._at_once):
            path = os.path.join(folder, f"{name}.{number}")
            slot = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(slot)
            except OSError:
                os.close(slot)
                raise
            else:
                return slot
        return None
