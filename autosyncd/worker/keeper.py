"""The worker process: it keeps what must outlive the work, and has a child do the work.

Code that runs writes reference counts into the pages it shares with the supervisor, and memory that
was once used is not given back: a process that has ever committed weighs 7 MiB, one that only sleeps
less than half of that. So the process that the supervisor knows, the *keeper*, does next to nothing.
It holds the link, the inotify instance and the lock of the tree. Whenever something is heard or due,
it forks a *shift* (loop.py), which does everything until there was nothing to do for a moment, hands
over what it knows, and ends. What happens in between waits in the kernel's queue and in the pipe.

A shift that ends without handing over takes the keeper with it, so that the supervisor starts anew.
"""

import contextlib
import logging
import os
import select
import signal
import socket
from collections.abc import Callable
from types import FrameType

from autosyncd import clock
from autosyncd.errors import LinkClosed
from autosyncd.link.beat import next_beat
from autosyncd.link.channel import Link
from autosyncd.link.lifeline import end_with_parent
from autosyncd.worker.handover import Handover, receive, send

FAILED = 1
"""Exit status of a shift that came to an unexpected end."""
START_OVER = 75
"""Exit status of a shift whose repository is elsewhere now: the next begins without knowledge."""

Shift = Callable[[Handover | None], Handover | int]
"""Work, with what the last shift left, until there is nothing to do (what is left to the next) or for
good (the exit status of the worker)."""
log = logging.getLogger("autosyncd")


class Keeper:
    """Sleeps, and starts shifts. `watch` is the descriptor of the inotify instance, if there is one."""

    def __init__(self, link: Link, watch: int | None, shift: Shift) -> None:
        self._link, self._shift = link, shift
        self._news = select.poll()
        for source in (link.inbox.fileno(), watch):
            if source is not None:
                self._news.register(source, select.POLLIN)
        self._working: int | None = None
        """The shift's process while there is one."""
        self._ending = False

    def run(self) -> int:
        """Until a shift ends for good. The exit status."""
        signal.signal(signal.SIGTERM, self._terminated)
        left: Handover | None = None
        try:
            while True:
                status, left = self._have_worked(left)
                if self._ending or (left is None and status != START_OVER):
                    return status
                if left is not None:
                    self._sleep(left.due)
        except LinkClosed:
            return 0

    def _terminated(self, _number: int, _frame: FrameType | None) -> None:
        """The supervisor is gone (PR_SET_PDEATHSIG): the shift ends its children, then itself."""
        self._ending = True
        if self._working is None:
            raise LinkClosed("The supervisor is gone.")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._working, signal.SIGTERM)

    def _sleep(self, due: float) -> None:
        """Until there is news, or something is due."""
        while True:
            now = clock.now()
            wait = max(0.0, min(due, next_beat(now)) - now)
            if self._news.poll(wait * 1000 + 1) or clock.now() >= due:
                return
            self._link.outbox.say_alive()

    def _have_worked(self, left: Handover | None) -> tuple[int, Handover | None]:
        """One shift: its exit status, and what it left."""
        near, far = socket.socketpair()
        parent = os.getpid()
        # a shift has handlers of its own before a signal reaches it, and we know its number
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        try:
            pid = os.fork()
            if pid == 0:
                near.close()
                self._be_shift(far, parent, left)
            self._working = pid
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            far.close()
        if left is not None and left.lock is not None:
            os.close(left.lock)
        with near:
            found = receive(near)
        _, status = os.waitpid(pid, 0)
        self._working = None
        code = os.waitstatus_to_exitcode(status)
        return (code if code >= 0 else 128 - code), found  # as a shell tells a signal

    def _be_shift(self, line: socket.socket, parent: int, left: Handover | None) -> None:
        """All of the child's life; never returns."""
        status = FAILED
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # by SIGKILL: a keeper that is killed has a successor, and there are never two of us
            if end_with_parent(parent, signal.SIGKILL):
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
                outcome = self._shift(left)
                if isinstance(outcome, Handover):
                    send(line, outcome)
                    status = 0
                else:
                    status = outcome
        except Exception:  # the entry of a process: whatever it is, it is said
            log.exception("A worker ends because of an unexpected error.")
        finally:
            with contextlib.suppress(OSError, ValueError):
                logging.shutdown()
            os._exit(status)
