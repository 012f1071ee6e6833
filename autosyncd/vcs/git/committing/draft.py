"""A commit that could be made of a few paths, whichever way it came about."""

import os
from dataclasses import dataclass

from autosyncd.errors import AutosyncError
from autosyncd.vcs.changes import Change, ChangeKind
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import Pair


class Doubtful(AutosyncError):
    """A way is not sure of its ground; str() says why. The more general one is taken instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A commit that could be made."""

    before: str
    after: str
    """Trees."""
    entries: dict[bytes, Pair]
    """What is changed, by its path: what the last commit has of it, and what it is now."""
    seen: dict[bytes, os.stat_result]
    """lstat(2) of the files before they were hashed."""
    folders: dict[bytes, tuple[bytes | None, bytes]]
    """The folders whose trees are others now, and the ids of those, before and after."""
    new_size: int
    """Bytes of the new files."""
    objects: tuple[bytes, ...]
    """Ids of all that the commit needs and its parent had not."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """File by file, in git's order; renames are not looked for."""
        return tuple(Change(_kind(*self.entries[path]), path) for path in sorted(self.entries))

    @property
    def may_hold_renames(self) -> bool:
        """Whether something came and something went."""
        kinds = {change.kind for change in self.changes}
        return {ChangeKind.ADDED, ChangeKind.DELETED} <= kinds

    @property
    def growth(self) -> int:
        """How many files more there are afterwards."""
        return sum((new is not None) - (old is not None) for old, new in self.entries.values())


def _kind(old: Version | None, new: Version | None) -> ChangeKind:
    if old is None:
        return ChangeKind.ADDED
    return ChangeKind.DELETED if new is None else ChangeKind.MODIFIED
