"""At most so many network commands at once for one host, over all workers of a person.

sshd drops connections beyond its MaxStartups (10 that have not logged in yet, sshd_config(5)), and a
hub in a small box has better things to do than a hundred handshakes at once. A slot is a file that is
locked (flock(2)) while a command runs, so a worker that is killed holds none; its time says when it was
last taken. As long as slots change hands, whoever has none waits on. Where none does, the host hangs, or
long hooks run: then those who wait go without, one after the other and never all together.
"""

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from hashlib import sha256
from random import SystemRandom

from autosyncd import clock

AT_ONCE = 4
"""Network commands for one host."""
STANDSTILL = 30.0
"""Seconds in which nobody has got a slot; after that somebody goes without, since a host that hangs must
not hold up others' news that it does."""
WITHOUT_EVERY = 3.0
"""Seconds between two that go without."""
LOOKS_FIRST, LOOKS_LAST = 0.02, 0.25
"""Seconds between two looks for a free slot, growing from the first to the last; up to a half less, so
that those who came together part."""


class Slots:
    """The slots of every host, in a folder that all workers share."""

    def __init__(self, folder: str | None, *, at_once: int = AT_ONCE) -> None:
        """`folder` None: nothing is limited."""
        self._folder = folder
        self._at_once = at_once

    @contextlib.contextmanager
    def held(self, host: str, stopping: threading.Event) -> Iterator[bool]:
        """Hold a slot of the host, or go without once `stopping` is set or nothing moves any more.

        An empty host is this machine, which needs no protection. True: a slot is held.
        """
        slot = self._wait(host, stopping) if host and self._folder else None
        try:
            yield slot is not None
        finally:
            if slot is not None:
                os.close(slot)

    def _wait(self, host: str, stopping: threading.Event) -> int | None:
        end, pause, chance = clock.now() + STANDSTILL, LOOKS_FIRST, SystemRandom()
        try:
            while (slot := self._free(host)) is None:
                if clock.now() >= end and self._may_go_without(host):
                    return None
                if stopping.wait(pause * chance.uniform(0.5, 1.0)):
                    return None
                pause = min(2 * pause, LOOKS_LAST)
        except OSError:  # a full or read-only runtime folder: better too many at once than none
            return None
        return slot

    def _free(self, host: str) -> int | None:
        """A slot that nobody held until now. Raises OSError if the folder can't be used."""
        for number in range(self._at_once):
            slot = self._locked(host, str(number))
            if slot is not None:
                os.utime(slot)
                return slot
        return None

    def _may_go_without(self, host: str) -> bool:
        """Nobody has got a slot for a while, and nobody has gone without just now."""
        numbers = map(str, range(self._at_once))
        if any(_since(os.stat(self._path(host, number))) < STANDSTILL for number in numbers):
            return False
        turn = self._locked(host, "without")
        if turn is None:
            return False
        try:
            if _since(os.fstat(turn)) < WITHOUT_EVERY:
                return False
            os.utime(turn)
            return True
        finally:
            os.close(turn)

    def _locked(self, host: str, name: str) -> int | None:
        """The file of that name, unless somebody has locked it."""
        path = self._path(host, name)
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        slot = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(slot, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(slot)
            return None
        except OSError:
            os.close(slot)
            raise
        return slot

    def _path(self, host: str, name: str) -> str:
        hashed = sha256(host.encode("utf-8", "surrogateescape")).hexdigest()[:16]
        return os.path.join(self._folder or "", "slots", f"{hashed}.{name}")


def _since(found: os.stat_result) -> float:
    """Seconds since a file was last taken; a clock that was set back means nothing."""
    return abs(clock.wall() - found.st_mtime)
