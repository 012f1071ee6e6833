"""Pure: what a worker's machine hears. Orders from the supervisor are heard too."""

from dataclasses import dataclass

from autosyncd.link.messages import (
    Describe,
    Online,
    PullOrder,
    Resume,
    Retry,
    SyncNow,
    Woke,
)
from autosyncd.model import Head
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.orders import Stage
from autosyncd.vcs.outcomes import (
    CommitOutcome,
    Identified,
    IdentifyOutcome,
    InspectOutcome,
    Snapshotted,
    SyncOutcome,
)


@dataclass(frozen=True, slots=True)
class Changed:
    """The watch saw something; `new_folders` are to be judged (ignored or not) first."""

    scope: Scope
    new_folders: frozenset[bytes] = frozenset()


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """What is ignored may be something else now."""


@dataclass(frozen=True, slots=True)
class RootGone:
    """The watched folder was deleted, moved or unmounted."""


@dataclass(frozen=True, slots=True)
class BranchMoved:
    """Somebody has moved the branch: we, or the person's own git."""


@dataclass(frozen=True, slots=True)
class WatchState:
    """Whether every folder is watched; if not, a rescan finds what the watch can't."""

    complete: bool
    text: str = ""
    """Why not, as a sentence."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was remembered before the last restart."""

    paused_until: float
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class InspectEnded:
    """The verb Inspect is done."""

    outcome: InspectOutcome


@dataclass(frozen=True, slots=True)
class IdentifyEnded:
    """The verb Identify is done."""

    outcome: IdentifyOutcome


@dataclass(frozen=True, slots=True)
class JudgeEnded:
    """The verb Judge is done: these of the asked folders are ignored."""

    asked: frozenset[bytes]
    ignored: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class CommitEnded:
    """The verb Commit is done."""

    outcome: CommitOutcome


@dataclass(frozen=True, slots=True)
class SyncEnded:
    """The verb Sync is done."""

    outcome: SyncOutcome


@dataclass(frozen=True, slots=True)
class SweepEnded:
    """The verb Sweep is done; `left`: somebody still writes to an old version."""

    left: bool


@dataclass(frozen=True, slots=True)
class SnapshotEnded:
    """The verb Snapshot is done."""

    outcome: Snapshotted


@dataclass(frozen=True, slots=True)
class HousekeepEnded:
    """The verb Housekeep is done; `packed`: there was something to do."""

    packed: bool


VerbEnded = (
    InspectEnded
    | IdentifyEnded
    | JudgeEnded
    | CommitEnded
    | SyncEnded
    | SweepEnded
    | SnapshotEnded
    | HousekeepEnded
)


@dataclass(frozen=True, slots=True)
class StageReached:
    """The running verb does something else now."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class IdentityChanged:
    """The tree is known by something else now; the verb may still be running."""

    identity: Identified


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push was proved; the verb may still be running."""

    head: Head


Interim = StageReached | IdentityChanged | Pushed
"""What a verb says before it ends."""


@dataclass(frozen=True, slots=True)
class Paused:
    """Touch nothing until then (seconds of clock.now(); infinity: until resumed)."""

    until: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Commit what has settled, then end."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A deadline has passed."""


Order = PullOrder | SyncNow | Resume | Retry | Describe | Woke | Online
"""What the supervisor says and the machine hears as it is; the loop makes Paused and Stop of the
rest."""

Event = (
    VerbEnded
    | Interim
    | Changed
    | RulesChanged
    | RootGone
    | BranchMoved
    | WatchState
    | Recalled
    | Paused
    | Stop
    | Tick
    | Order
)
