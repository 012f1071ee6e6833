"""Pure: what has changed in a work tree, or may have."""

from dataclasses import dataclass
from enum import Enum

PATHS_WORTH_NAMING = 5000
"""Of more changed paths only so many are named, and everything is looked at."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What may have changed: some paths (a folder stands for all below it), or everything.

    Paths are named also where it is everything: these are read, whatever stat says of them.
    """

    paths: frozenset[bytes] = frozenset()
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.paths)

    def __or__(self, other: "Scope") -> "Scope":
        paths, everything = self.paths | other.paths, self.everything or other.everything
        if len(paths) <= PATHS_WORTH_NAMING:
            return Scope(paths, everything)
        first = [*sorted(self.paths), *sorted(other.paths - self.paths)]
        return Scope(frozenset(first[:PATHS_WORTH_NAMING]), everything=True)


NOTHING_CHANGED = Scope()
EVERYTHING = Scope(everything=True)


class ChangeKind(Enum):
    """The letter git and the commit message use."""

    ADDED = "A"
    MODIFIED = "M"
    DELETED = "D"
    RENAMED = "R"


@dataclass(frozen=True, slots=True)
class Change:
    """One file that a commit changes; `source` is the old name of a renamed one."""

    kind: ChangeKind
    path: bytes
    source: bytes | None = None


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What is about to happen, for the safety limits and the commit message."""

    changes: tuple[Change, ...]
    tracked: int
    """Files under version control before it."""
    new_size: int = 0
    """Bytes of the files that would be added."""
    adopting: bool = False
    """The first commit that autosyncd would make here."""
    incoming: bool = False
    """It comes from another machine and would change the work tree."""

    def count(self, kind: ChangeKind) -> int:
        """How many of one kind."""
        return sum(change.kind is kind for change in self.changes)
