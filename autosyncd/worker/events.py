"""Pure: what a worker's machine hears, and what it orders. Orders from the supervisor are heard too."""

from dataclasses import dataclass

from autosyncd.link.messages import (
    Describe,
    Message,
    Online,
    PullOrder,
    Resume,
    Retry,
    SyncNow,
    Woke,
)
from autosyncd.model import Head
from autosyncd.vcs import outcomes
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.orders import Stage, Verb
from autosyncd.vcs.outcomes import (
    CommitOutcome,
    IdentifyOutcome,
    InspectOutcome,
    Snapshotted,
    SyncOutcome,
)

# events


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
class Inspected:
    """The verb Inspect is done."""

    outcome: InspectOutcome


@dataclass(frozen=True, slots=True)
class Identified:
    """The tree is known by something else now; the verb may still be running."""

    identity: outcomes.Identified


@dataclass(frozen=True, slots=True)
class IdentifyEnded:
    """The verb Identify is done."""

    outcome: IdentifyOutcome


@dataclass(frozen=True, slots=True)
class Judged:
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
class Swept:
    """The verb Sweep is done; `left`: somebody still writes to an old version."""

    left: bool


@dataclass(frozen=True, slots=True)
class Snapped:
    """The verb Snapshot is done."""

    outcome: Snapshotted


@dataclass(frozen=True, slots=True)
class Kept:
    """The verb Housekeep is done; `packed`: there was something to do."""

    packed: bool


@dataclass(frozen=True, slots=True)
class StageReached:
    """The running verb does something else now."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Pushed:
    """A push was proved; the verb may still be running."""

    head: Head


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


Event = (
    Changed
    | RulesChanged
    | RootGone
    | BranchMoved
    | WatchState
    | Recalled
    | Inspected
    | Identified
    | IdentifyEnded
    | Judged
    | CommitEnded
    | SyncEnded
    | Swept
    | Snapped
    | Kept
    | StageReached
    | Pushed
    | Paused
    | Stop
    | Tick
    | PullOrder
    | SyncNow
    | Resume
    | Retry
    | Describe
    | Woke
    | Online
)

# commands


@dataclass(frozen=True, slots=True)
class Run:
    """Let the engine run a verb; its end is an event."""

    verb: Verb


@dataclass(frozen=True, slots=True)
class SetWatches:
    """Watch everything but these folders; from here on the watch's events are complete."""

    ignored: frozenset[bytes]
    head_log: bytes = b""
    """A file whose writing means BranchMoved."""


@dataclass(frozen=True, slots=True)
class SettleWatches:
    """The judgement of new folders: watch the kept ones through, drop the ignored."""

    ignored: frozenset[bytes]
    kept: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class AbortNetwork:
    """End the running verb if it waits for the network; local git finishes."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """End the running Housekeep; it may come again."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the supervisor."""

    message: Message


@dataclass(frozen=True, slots=True)
class Remember:
    """What must survive a restart: a pause, and questions that were answered."""

    paused_until: float
    allowed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Say:
    """One line for the journal."""

    text: str


@dataclass(frozen=True, slots=True)
class Quit:
    """The worker is done."""

    elsewhere: bool = False
    """Only here: another machine, which knows nothing, begins where the repository is now."""


Command = (
    Run | SetWatches | SettleWatches | AbortNetwork | Interrupt | Report | Remember | Say | Quit
)
