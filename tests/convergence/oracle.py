"""What people are owed: the bytes that must be found in history once everybody has come to rest.

A content is what a person left in one inode when he had finished writing. It is owed

- at rest, if nobody but the driver has touched it since: wherever its inode has gone;
- when its own writer overwrites or deletes it, if a commit that began after it was written (or last
  renamed) was completed before, covered its path and did not leave it out;
- when something else is found in its place that no person put there.

A content that its writer destroys before any commit could see it is not owed.
"""

import hashlib
import math
import os
import threading
import time
from dataclasses import dataclass, field

from autosyncd.vcs.changes import Scope


@dataclass(frozen=True, slots=True)
class Written:
    """What a person left in an inode."""

    path: str
    data: bytes
    since: float
    how: str
    unseen: bool = False
    """Written through a mapping: stat(2) may not show it, only a commit that names the path can."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A commit that was completed."""

    began: float
    ended: float
    scope: Scope
    left_out: frozenset[bytes] = frozenset()

    def saw(self, written: Written, before: float) -> bool:
        """Whether it has to have seen a content that stood until `before`."""
        if not (written.since < self.began and self.ended <= before):
            return False
        path = os.fsencode(written.path)
        if any(path == out or path.startswith(out + b"/") for out in self.left_out):
            return False
        if self.scope.everything:
            return not written.unseen
        return any(path == top or path.startswith(top + b"/") for top in self.scope.paths)


@dataclass(frozen=True, slots=True)
class Owed:
    """One obligation."""

    written: Written
    why: str
    host: str

    def __str__(self) -> str:
        return (
            f"{self.host}:{self.written.path} ({self.written.how} at {self.written.since:.3f}; "
            f"{self.why}): {self.written.data[:70]!r}"
        )


@dataclass
class Oracle:
    """The obligations towards one clone's person. The caller holds `lock` where he acts."""

    host: str
    standing: dict[int, Written] = field(default_factory=dict)
    """By inode: a rename does not change what is owed."""
    owed: dict[str, Owed] = field(default_factory=dict)
    scans: list[Scanned] = field(default_factory=list)
    destroyed: set[int] = field(default_factory=set)
    """Inodes whose last name a person took away."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def wrote(
        self,
        inode: int,
        path: str,
        data: bytes,
        how: str,
        *,
        unseen: bool = False,
        open: bool = False,
    ) -> None:
        """A person has finished writing; `open`: by a mapping that is still there, of which no event
        tells, so that no commit has to see it yet."""
        if inode in self.standing:
            self._owe(self.standing[inode], "its inode was destroyed, and not by a person")
        self.destroyed.discard(inode)
        since = math.inf if open else time.monotonic()
        self.standing[inode] = Written(path, data, since, how, unseen)

    def overwritten(self, inode: int, before: float, found: bytes | None) -> None:
        """A person destroys what is in an inode; `found`: what he saw there, if he looked."""
        written = self.standing.pop(inode, None)
        if written is None:
            return
        if found is not None and found != written.data:
            self._owe(written, "something else was found in its inode")
        elif any(scan.saw(written, before) for scan in self.scans):
            self._owe(written, "a commit saw it")

    def moved(self, inode: int, path: str, before: float) -> None:
        """A person has renamed it: a scan meanwhile may have missed it under both names."""
        written = self.standing.get(inode)
        if written is not None:
            if any(scan.saw(written, before) for scan in self.scans):
                self._owe(written, "a commit saw it under its old name")
            since = max(written.since, time.monotonic())
            how = written.how + ", renamed"
            self.standing[inode] = Written(path, written.data, since, how, written.unseen)

    def unsure(self, path: str) -> None:
        """A person destroyed what was at a path, and can't say which inode it was."""
        for inode in [one for one, written in self.standing.items() if written.path == path]:
            del self.standing[inode]

    def settle(self) -> list[Owed]:
        """At rest: everything that is owed, and a clean slate."""
        for written in self.standing.values():
            self._owe(written, "it was the last that was written there")
        owed = list(self.owed.values())
        self.standing.clear()
        self.owed.clear()
        self.scans.clear()
        self.destroyed.clear()
        return owed

    def _owe(self, written: Written, why: str) -> None:
        self.owed[blob_id(written.data)] = Owed(written, why, self.host)


def blob_id(data: bytes) -> str:
    """git's name for these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
