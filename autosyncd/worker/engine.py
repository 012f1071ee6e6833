"""The engine thread: runs one verb at a time, as plain synchronous code, and says how it ended.

It is the only thread that waits for git. What it has to say it puts into a mailbox, and wakes the
loop; it shares nothing else with it.
"""

import os
import threading
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue

from autosyncd.model import Head
from autosyncd.vcs.driver import Vcs
from autosyncd.vcs.orders import (
    CommitOrder,
    Housekeep,
    Identify,
    Inspect,
    Judge,
    Snapshot,
    Stage,
    Sweep,
    SyncOrder,
    Verb,
)
from autosyncd.vcs.outcomes import Identified
from autosyncd.vcs.priority import at_low_priority
from autosyncd.worker import events as ev


class Mailbox:
    """Events from the engine to the loop; readable (fileno) while there are any."""

    def __init__(self) -> None:
        self._events: deque[ev.VerbEnded | ev.Interim] = deque()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def fileno(self) -> int:
        """What to select on."""
        return self._wake

    def post(self, event: ev.VerbEnded | ev.Interim) -> None:
        """From any thread."""
        self._events.append(event)
        self.wake()

    def wake(self) -> None:
        """Have whoever selects on it look around."""
        os.eventfd_write(self._wake, 1)

    @property
    def pending(self) -> bool:
        """Something was posted and not taken."""
        return bool(self._events)

    def take(self) -> list[ev.VerbEnded | ev.Interim]:
        """Everything posted so far; never waits."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return []
        taken = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._wake)


class Herald:
    """Passes on what a running verb has reached (vcs.driver.Watcher)."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def stage(self, stage: Stage) -> None:
        """The verb begins another part of its work."""
        self._mailbox.post(ev.StageReached(stage))

    def pushed(self, head: Head) -> None:
        """`head` was proved to be on the remote."""
        self._mailbox.post(ev.Pushed(head))

    def identified(self, identity: Identified) -> None:
        """The remote, its address or the channels are not what was last said."""
        self._mailbox.post(ev.IdentityChanged(identity))


class Engine:
    """Owns the thread and the driver in it."""

    def __init__(
        self, vcs: Vcs, mailbox: Mailbox, crashed: Callable[[BaseException], None]
    ) -> None:
        self._vcs, self._mailbox, self._crashed = vcs, mailbox, crashed
        self._orders: SimpleQueue[Verb | None] = SimpleQueue()
        self.busy = False
        """A verb was ordered and its outcome not taken from the mailbox; only the loop looks here."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def order(self, verb: Verb) -> None:
        """Run this next; the machine orders one at a time."""
        self.busy = True
        self._orders.put(verb)

    def abort(self, *, network_only: bool) -> None:
        """End the running verb's children, and let no more of them start."""
        self._vcs.abort(network_only=network_only)

    def interrupt(self) -> None:
        """End the running Housekeep; it and all others may be ordered again."""
        self._vcs.interrupt()

    def end(self, within: float) -> bool:
        """Let the thread finish; whether it did within so many seconds."""
        self._orders.put(None)
        self._thread.join(within)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while (verb := self._orders.get()) is not None:
                self._mailbox.post(self._perform(verb))
        except Exception as bug:  # noqa: BLE001 - the thread's entry: the loop must hear of it
            self._crashed(bug)
        finally:
            self._vcs.close()

    def _perform(self, verb: Verb) -> ev.VerbEnded:
        match verb:
            case Inspect(gentle):
                return ev.InspectEnded(at_low_priority(self._vcs.inspect, wanted=gentle))
            case Identify():
                return ev.IdentifyEnded(self._vcs.identify())
            case Judge(folders):
                return ev.JudgeEnded(folders, self._vcs.judge(folders))
            case Housekeep():
                return ev.HousekeepEnded(self._vcs.housekeep())
            case Snapshot():
                return ev.SnapshotEnded(self._vcs.snapshot())
            case Sweep():
                return ev.SweepEnded(self._vcs.sweep())
            case CommitOrder():
                return ev.CommitEnded(self._vcs.commit(verb))
            case SyncOrder():
                return ev.SyncEnded(self._vcs.sync(verb))
