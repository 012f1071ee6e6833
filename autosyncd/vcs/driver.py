"""Pure: the one door to version control: its verbs, and what can come of them.

A driver is plain synchronous code that runs in a worker's engine thread, one verb at a time. Every
expected outcome is a value; a driver raises only ChildAborted (shutdown) and what is a bug.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from autosyncd.model import Channel, Head, TreeId

PATHS_WORTH_NAMING = 5000
"""Beyond so many changed paths a look at everything is cheaper than at each."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What may have changed: some paths (a folder stands for all below it), or everything."""

    paths: frozenset[bytes] = frozenset()
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.paths)

    def __or__(self, other: "Scope") -> "Scope":
        paths = self.paths | other.paths
        if self.everything or other.everything or len(paths) > PATHS_WORTH_NAMING:
            return EVERYTHING
        return Scope(paths)


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


class Why(Enum):
    """Why the driver keeps its hands off for now; it goes on by itself."""

    OPERATION = "operation"
    """The person is in a merge, rebase, cherry-pick, revert, am or bisect."""
    DETACHED = "detached"
    OTHER_BRANCH = "other-branch"
    LOCKED = "locked"
    """Another git command holds index.lock."""
    STAGED = "staged"
    """Somebody has staged something and is about to commit."""
    IN_THE_WAY = "in-the-way"
    """An ignored file lies where an incoming one belongs."""
    HOOK = "hook"
    """A hook of the person's declines the commit."""
    GONE = "gone"
    """The folder, or the repository in it, isn't there."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that was deliberately not committed, and why in a few words."""

    path: bytes
    kind: str
    """nested, large, secret, unreadable, name, stale (saved over what came in: merged instead)."""
    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not now: `text` says what is waited for."""

    why: Why
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A safety limit is reached: nothing was done, a person must say "go on" (resume)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The verb failed; it is tried again. `text` says what git said."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Aborted:
    """The verb was ended on purpose before it was done."""


# Inspect


@dataclass(frozen=True, slots=True)
class Ready:
    """The tree is one that can be worked in."""

    tree: TreeId
    channels: tuple[Channel, ...]
    remote: str | None
    branch: str
    head: str | None
    ignored: frozenset[bytes]
    """Folders that git ignores and that hold nothing tracked: they carry no watch."""
    state_folder: bytes
    """Where what belongs to this tree alone is remembered; never inside what is committed."""
    held: bool = False
    """Incoming versions of some files still wait (vcs/git/updating/held.py)."""
    note: str = ""
    """Something a person should be told once (no author known to git, say)."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """It can't be worked in until somebody changes something; looked at again now and then."""

    text: str


# Commit


@dataclass(frozen=True, slots=True)
class CommitMade:
    """A commit was made and is durable."""

    head: Head
    files: int
    subject: str
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class NothingToCommit:
    """The work tree is what HEAD says. `head` may have been moved by the person's own commits."""

    head: Head | None
    left_out: tuple[LeftOut, ...] = ()


# Sync


@dataclass(frozen=True, slots=True)
class Synced:
    """Here and the remote agree on `head` (as far as push and pull are wanted)."""

    head: Head | None
    pushed: bool = False
    """This verb pushed (the watcher was told what)."""
    pulled: int = 0
    """Files of the work tree that other machines' commits changed."""
    hosts: tuple[str, ...] = ()
    conflicts: tuple[bytes, ...] = ()
    """The files whose other version now lies beside them."""
    refused: str = ""
    """The remote refused the push for good: its own words."""
    ahead: bool = False
    """Edits slipped in meanwhile and are committed; they are still to be pushed."""
    held: tuple[str, ...] = ()
    """Files whose incoming version waits for somebody to close them, a sentence each."""
    sweep: bool = False
    """Old versions were put aside and are to be swept (the verb Sweep) in a moment."""
    note: str = ""
    """Something a person should be told once."""


@dataclass(frozen=True, slots=True)
class NoRemote:
    """There is nothing to sync with: commits stay here."""


@dataclass(frozen=True, slots=True)
class Dirty:
    """The work tree changed meanwhile: commit, then sync again. `text` is what git said."""

    text: str = ""


class AwayKind(Enum):
    """What a person could do about a remote that can't be reached."""

    NETWORK = "remote-away"
    CREDENTIALS = "credentials"
    HOST_KEY = "host-key"
    NOT_FOUND = "remote-not-found"
    DAMAGED = "remote-damaged"
    FULL = "remote-full"


@dataclass(frozen=True, slots=True)
class Away:
    """The remote can't be reached, or doesn't let us in."""

    kind: AwayKind
    text: str


InspectOutcome = Ready | Unfit | Waiting | Failed | Aborted
CommitOutcome = CommitMade | NothingToCommit | Waiting | Question | Failed | Aborted
SyncOutcome = Synced | NoRemote | Dirty | Away | Waiting | Question | Failed | Aborted


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
    """Only bring the work tree to HEAD (held files that may be free now); ask no remote."""


# the verbs as values: what the machine orders and the engine runs


@dataclass(frozen=True, slots=True)
class Inspect:
    """Vcs.inspect()."""


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


Verb = Inspect | Judge | Sweep | Snapshot | Housekeep | CommitOrder | SyncOrder


class Stage(Enum):
    """What a long verb is doing, for the status line."""

    COMMIT = "commit"
    FETCH = "fetch"
    PUSH = "push"
    UPDATE = "update"


class Watcher(Protocol):
    """Who is told, from the engine thread, what a verb has reached."""

    def stage(self, stage: Stage) -> None:
        """The verb begins another part of its work."""

    def pushed(self, head: Head) -> None:
        """`head` was proved to be on the remote."""


Guard = Callable[[ChangeSet], Question | None]
Compose = Callable[[ChangeSet, str, str], str]
"""(changes, branch, description) → subject and body of the commit message."""


class Vcs(Protocol):
    """A version-control system behind the door."""

    def inspect(self) -> InspectOutcome:
        """Recover what a killed predecessor left, then say what tree this is."""

    def judge(self, folders: frozenset[bytes]) -> frozenset[bytes]:
        """Which of these folders are ignored and hold nothing tracked."""

    def commit(self, order: CommitOrder) -> CommitOutcome:
        """Bring what changed into history."""

    def sync(self, order: SyncOrder) -> SyncOutcome:
        """Fetch, merge, publish, and bring the work tree along."""

    def housekeep(self) -> bool:
        """Pack what has gathered, when that is worth it; whether it was."""

    def snapshot(self) -> bool:
        """Make the bytes of the work tree safe beside history; whether there was anything new."""

    def sweep(self) -> bool:
        """Let go of old versions that nobody writes to any more; True: some are left for later."""

    @property
    def stays(self) -> Mapping[str, object]:
        """What hand_over()'s answer refers to and a next process makes anew, by name."""

    def hand_over(self) -> tuple[object, int | None]:
        """What this driver knows, for pickle, and the descriptor that keeps others out of the tree.
        No verb may run, and none may come afterwards."""

    def take_over(self, known: object, lock: int | None) -> None:
        """Go on from what a driver of the same tree has handed over."""

    def abort(self, *, network_only: bool) -> None:
        """From another thread: end the running verb's children."""

    def close(self) -> None:
        """Let go of everything held."""
