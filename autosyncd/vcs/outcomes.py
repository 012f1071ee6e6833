"""Pure: every outcome of a driver's verbs (driver.py) as a value."""

from dataclasses import dataclass
from enum import Enum

from autosyncd.model import Channel, Head, TreeId


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
    HOOK = "hook"
    """A hook of the person's declines the commit."""
    GONE = "gone"
    """The folder, or the repository in it, isn't there."""


@dataclass(frozen=True, slots=True)
class Snapshotted:
    """How the verb Snapshot ended."""

    new: bool = False
    """There was something that history did not hold yet."""
    left: bool = False
    """It could not be taken, or is not on the remote yet: to be tried again."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A path that was deliberately not committed, and why in a few words."""

    path: bytes
    kind: str
    """nested, large, secret, unreadable, name; and of what is merged instead: stale (saved over what
    came in), taken-back (committed without it)."""
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
class Identified:
    """Who the tree is to others. It may become another while it is worked in."""

    tree: TreeId
    channels: tuple[Channel, ...]
    remote: str | None
    branch: str
    head: str | None
    url: str
    """The remote's address, without credentials."""
    missing: str = ""
    """Why there is no remote though one is named; empty: none is named, or it is there."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The tree is one that can be worked in."""

    identity: Identified
    ignored: frozenset[bytes]
    """Folders that git ignores and that hold nothing tracked: they carry no watch."""
    state_folder: bytes
    """Where what belongs to this tree alone is remembered; never inside what is committed."""
    held: bool = False
    """Incoming versions of some files still wait (vcs/git/held.py)."""
    head_log: bytes = b""
    """A file that is written to whenever the branch moves, if there is one."""
    note: str = ""
    """Something a person should be told once (no author known to git, say)."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """It can't be worked in until somebody changes something; looked at again now and then."""

    text: str


@dataclass(frozen=True, slots=True)
class Relinked:
    """The configured path leads to another folder now (a link was put in the tree's place, say):
    nothing that is known of the old one holds there."""

    text: str


@dataclass(frozen=True, slots=True)
class AtHead:
    """The tree is where it was, and the branch is at `head`; the person may have moved it."""

    head: Head | None


# Commit


@dataclass(frozen=True, slots=True)
class CommitMade:
    """A commit was made and is durable."""

    head: Head
    """It may be beside the branch, where the next Sync merges it."""
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
    """The remote, or a hook here, refused the push for good: a sentence, with its own words."""
    full: str = ""
    """The remote has no room for the push: a sentence."""
    ahead: bool = False
    """Edits slipped in meanwhile and are committed; they are still to be pushed."""
    held: tuple[str, ...] = ()
    """Files whose incoming version waits for somebody to close them, a sentence each."""
    in_the_way: tuple[bytes, ...] = ()
    """Files that git ignores here and that have the place of incoming ones."""
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
    CONFIRMATION = "confirmation"
    """The key has to be touched or confirmed, and nobody did."""
    HOST_KEY = "host-key"
    NOT_FOUND = "remote-not-found"
    DAMAGED = "remote-damaged"
    FULL = "remote-full"
    LOCKED = "remote-locked"
    """A lock file that a killed push has left there."""


@dataclass(frozen=True, slots=True)
class Away:
    """The remote can't be reached, or doesn't let us in."""

    kind: AwayKind
    text: str


InspectOutcome = Ready | Unfit | Relinked | Waiting | Failed | Aborted
IdentifyOutcome = AtHead | Relinked | Waiting | Failed | Aborted
CommitOutcome = CommitMade | NothingToCommit | Waiting | Question | Failed | Aborted
SyncOutcome = Synced | NoRemote | Dirty | Away | Waiting | Question | Failed | Aborted


def together(*notes: str) -> str:
    """Several outcomes' `note`, what is to be said once, in one."""
    return " ".join(filter(None, notes))
