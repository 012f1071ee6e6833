"""Pure: what a worker's machine orders."""

from dataclasses import dataclass

from autosyncd.link.messages import Message
from autosyncd.vcs.orders import Verb


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
