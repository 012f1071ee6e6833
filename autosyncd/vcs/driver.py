"""Pure: the one door to version control.

A driver is plain synchronous code that runs in a worker's engine thread, one verb (orders.py) at a time.
Every expected outcome is a value (outcomes.py), that it was ended on purpose among them; a driver raises
only what is a bug.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

from autosyncd.model import Head
from autosyncd.vcs.changes import ChangeSet
from autosyncd.vcs.orders import CommitOrder, Stage, SyncOrder
from autosyncd.vcs.outcomes import (
    CommitOutcome,
    Identified,
    IdentifyOutcome,
    InspectOutcome,
    Question,
    Snapshotted,
    SyncOutcome,
)


class Watcher(Protocol):
    """Who is told, from the engine thread, what a verb has reached."""

    def stage(self, stage: Stage) -> None:
        """The verb begins another part of its work."""

    def pushed(self, head: Head) -> None:
        """`head` was proved to be on the remote."""

    def identified(self, identity: Identified) -> None:
        """The remote, its address or the channels are not what was last said."""


Guard = Callable[[ChangeSet], Question | None]
Compose = Callable[[ChangeSet, str, str], str]
"""(changes, branch, description) → subject and body of the commit message."""


class Vcs(Protocol):
    """A version-control system behind the door."""

    def inspect(self) -> InspectOutcome:
        """Recover what a killed predecessor left, then say what tree this is."""

    def identify(self) -> IdentifyOutcome:
        """Where the branch is now. The watcher is told if the tree's identity has changed; commit() and
        sync() do so too."""

    def judge(self, folders: frozenset[bytes]) -> frozenset[bytes]:
        """Which of these folders are ignored and hold nothing tracked."""

    def commit(self, order: CommitOrder) -> CommitOutcome:
        """Bring what changed into history."""

    def sync(self, order: SyncOrder) -> SyncOutcome:
        """Fetch, merge, publish, and bring the work tree along."""

    def housekeep(self) -> bool:
        """Pack what has gathered, when that is worth it; whether it was."""

    def snapshot(self) -> Snapshotted:
        """Make the bytes of the work tree safe beside history."""

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

    def interrupt(self) -> None:
        """From another thread: end a housekeep() that runs or was just ordered."""

    def close(self) -> None:
        """Let go of everything held."""
