"""Pure: the messages that cross a link between the supervisor and a worker (outside.py: the messenger).

Orders go down, reports go up. Each is level-triggered and idempotent: hearing it twice does no harm,
and the newest of a kind and subject stands for those before it (that is what `subject` is for).
Fields are str, int, float, bool, None, tuple, Enum and the frozen nouns of model.py only. Long texts
and lists are cut by whoever makes the message, so that it fits into one pipe write (channel.py).
"""

from dataclasses import dataclass

from autosyncd.model import Channel, Head, Status, TreeId

TEXT_LIMIT = 600
"""Characters of a text that cross a link; enough for a server's own words."""
PATHS_LIMIT = 5
"""Names in a list that crosses a link; the count beside it tells how many there are."""
PATH_LIMIT = 150
"""Characters of each. A character takes up to four bytes, and the name of a repository some hundred
more."""


def cut(text: str, limit: int = TEXT_LIMIT) -> str:
    """The text, or its beginning with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def cut_paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    """The first few names, each short enough; said beside a count of all."""
    return tuple(cut(path, PATH_LIMIT) for path in paths[:PATHS_LIMIT])


@dataclass(frozen=True, slots=True)
class Message:
    """What an outbox needs to know of a message."""

    @property
    def subject(self) -> object:
        """Messages of one class and subject: the newest replaces one that was not sent yet."""
        return None


# supervisor → worker


@dataclass(frozen=True, slots=True)
class PullOrder(Message):
    """Sync now: another machine has pushed `head` (None: it is not known what, or whether)."""

    head: Head | None

    @property
    def subject(self) -> object:
        return self.head.branch if self.head else None


@dataclass(frozen=True, slots=True)
class SyncNow(Message):
    """The person asks for a commit and a sync at once, waits or not."""


@dataclass(frozen=True, slots=True)
class Pause(Message):
    """Touch nothing until `until` (wall clock seconds; None: until resumed)."""

    until: float | None


@dataclass(frozen=True, slots=True)
class Resume(Message):
    """End a pause, or answer the question of a halted repository with "go on"."""


@dataclass(frozen=True, slots=True)
class Describe(Message):
    """The person's own words for the next commit."""

    text: str


@dataclass(frozen=True, slots=True)
class Shutdown(Message):
    """Commit what has settled and end, within `grace` seconds."""

    grace: float


@dataclass(frozen=True, slots=True)
class Woke(Message):
    """The machine comes out of a suspend (from the messenger, passed on to every worker)."""


@dataclass(frozen=True, slots=True)
class Online(Message):
    """The network came or went (from the messenger, passed on to every worker)."""

    yes: bool


@dataclass(frozen=True, slots=True)
class Retry(Message):
    """The person asks for a reload: what was given up is tried again (to workers and messenger)."""


# worker → supervisor


@dataclass(frozen=True, slots=True)
class Located(Message):
    """Where the repository's path leads to; not said where it leads nowhere else."""

    path: str


@dataclass(frozen=True, slots=True)
class Identity(Message):
    """Who this tree is; the supervisor routes by it."""

    tree: TreeId
    channels: tuple[Channel, ...]
    remote: str | None
    """The remote's name, never its address. None: commit only."""
    branch: str
    head: str | None
    url: str = ""
    """The remote's address without credentials, for peers that speak of nothing else."""


@dataclass(frozen=True, slots=True)
class StatusChanged(Message):
    """What people see. `since` is wall clock seconds; `reason` one plain sentence or empty."""

    status: Status
    reason: str
    since: float
    until: float | None = None
    """When a pause ends by itself, wall clock seconds; None: it does not, or there is none."""


@dataclass(frozen=True, slots=True)
class HeadMoved(Message):
    """The history merged here now contains `head`."""

    head: Head


@dataclass(frozen=True, slots=True)
class Announce(Message):
    """`head` was proved to be on the remote: tell the other machines."""

    head: Head

    @property
    def subject(self) -> object:
        return self.head.branch


@dataclass(frozen=True, slots=True)
class Committed(Message):
    """A commit was made here."""

    head: Head
    files: int
    subject_line: str


@dataclass(frozen=True, slots=True)
class Pulled(Message):
    """Changes of other machines are in the work tree."""

    head: Head
    files: int
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conflict(Message):
    """A merge kept both versions of `count` files; `paths` are the first few."""

    count: int
    paths: tuple[str, ...]

    @property
    def subject(self) -> object:
        return self.paths


@dataclass(frozen=True, slots=True)
class Problem(Message):
    """Something a person should know; `kind` is stable (`push-refused`), `text` a sentence."""

    kind: str
    text: str

    @property
    def subject(self) -> object:
        return self.kind


@dataclass(frozen=True, slots=True)
class Solved(Message):
    """The problem of this kind is over."""

    kind: str

    @property
    def subject(self) -> object:
        return self.kind


@dataclass(frozen=True, slots=True)
class Alive(Message):
    """The sender's loop turns (once a minute; the messenger sends it too)."""
