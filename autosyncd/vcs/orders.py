"""Pure: the verbs of a driver (driver.py) as values: what the machine orders and the engine runs."""

from dataclasses import dataclass
from enum import Enum

from autosyncd.vcs.changes import NOTHING_CHANGED, Scope


@dataclass(frozen=True, slots=True)
class CommitOrder:
    """What to commit, and what the person has already agreed to."""

    scope: Scope
    allowed: frozenset[str] = frozenset()
    """Kinds of questions that were answered with "go on"."""
    ignore_staged: bool = False
    """staged_wait is over: commit what is staged first, then the rest."""
    description: str = ""
    """The person's own words for the message."""
    gentle: bool = False
    """Behind all else that runs here: the first look at a tree, which nobody waits for."""


@dataclass(frozen=True, slots=True)
class SyncOrder:
    """What to sync for."""

    fetch: bool
    """False: only push what is new here, unless that is rejected."""
    push: bool = True
    """False: the remote has refused for good lately, it is not asked again yet."""
    allowed: frozenset[str] = frozenset()
    pending: Scope = NOTHING_CHANGED
    """What has changed and is not committed yet: taken along should it meet what comes in."""
    local: bool = False
    """Only bring the work tree to what is here (held files that may be free now, and what was written
    into them); ask no remote."""
    gentle: bool = False
    """What comes in is merged and written behind all else that runs here: the first since the start. It
    is not fetched so: the connection of ssh that stays for the next would stay behind all else too."""


@dataclass(frozen=True, slots=True)
class Inspect:
    """Vcs.inspect()."""

    gentle: bool = False
    """Behind all else that runs here: the first one, which may have a whole history to look through."""


@dataclass(frozen=True, slots=True)
class Identify:
    """Vcs.identify()."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Vcs.judge()."""

    folders: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Sweep:
    """Vcs.sweep()."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Vcs.snapshot()."""


@dataclass(frozen=True, slots=True)
class Housekeep:
    """Vcs.housekeep()."""


Verb = Inspect | Identify | Judge | Sweep | Snapshot | Housekeep | CommitOrder | SyncOrder


class Stage(Enum):
    """What a long verb is doing, for the status line."""

    COMMIT = "commit"
    FETCH = "fetch"
    PUSH = "push"
    UPDATE = "update"
