"""What is said to a child and heard from it, and how it is ended when it takes too long."""

import contextlib
import os
import selectors
import signal
from dataclasses import dataclass
from typing import IO, Any, Protocol, cast

from autosyncd import clock
from autosyncd.vcs.session import kill_and_wait, members, signal_all, start_time

OUTPUT_LIMIT = 256 << 20
"""Bytes of output a child may produce before it is ended: a fault, not a result."""
KILL_AFTER = 2.0
"""Seconds between asking a child to end and ending it."""


class Patience(Protocol):
    """Says of a child that has been silent whether it may be so for longer."""

    @property
    def step(self) -> float:
        """Seconds of silence after which it is asked first."""

    def look(self, leader: int, quiet: float, said: bytes) -> float:
        """The child with this number has said nothing for so many seconds, and this on its stderr
        before: in how many seconds to ask again. 0: it is to be ended."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A child that ended. `timed_out`: we ended it, since it was over its deadline or silent."""

    code: int
    out: bytes
    err: bytes
    timed_out: bool = False


class PipedChild(Protocol):
    """A process that was started with a pipe for each of its streams (subprocess.Popen)."""

    pid: int

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    @property
    def stderr(self) -> IO[bytes] | None: ...
    @property
    def returncode(self) -> Any: ...

    def wait(self) -> int: ...


class Conversation:
    """Feeds and reads one child without ever waiting for one of its pipes alone.

    It is over when the child is: what that has left running in the background (a shared ssh
    connection, a credential cache) may keep the pipes.
    """

    def __init__(
        self,
        child: PipedChild,
        timeout: float,
        silence: float | None,
        patience: Patience | None = None,
    ) -> None:
        self._child = child
        self._input = cast("IO[bytes]", child.stdin)
        self._pipes = (cast("IO[bytes]", child.stdout), cast("IO[bytes]", child.stderr))
        self._heard: dict[int, bytearray] = {pipe.fileno(): bytearray() for pipe in self._pipes}
        self._gone = os.pidfd_open(child.pid)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._end = clock.now() + timeout
        self._silence = patience.step if patience is not None else silence or timeout
        self._patience = patience
        self._hurried = False
        self._heard_at = clock.now()
        self._quiet_until = self._heard_at + self._silence

    def hurry(self) -> None:
        """From another thread: ask the child and all it has started to end; who is asked twice is
        ended, and so it is if it doesn't end soon."""
        signal_all(self._child.pid, signal.SIGKILL if self._hurried else signal.SIGTERM)
        self._hurried = True
        self._end = min(self._end, clock.now() + KILL_AFTER)
        os.eventfd_write(self._wake, 1)

    def run(self, stdin: bytes) -> Completed:
        """To the child's end, or ours of it."""
        in_time = self._talk(memoryview(stdin))
        if in_time:
            self._child.wait()
        else:
            self._end_session()
        for pipe in self._pipes:
            self._drain(pipe.fileno())
        out, err = (bytes(self._heard[pipe.fileno()]) for pipe in self._pipes)
        return Completed(self._child.returncode, out, err, timed_out=not in_time)

    def close(self) -> None:
        """Give the descriptors back."""
        for pipe in (*self._pipes, self._input):
            with contextlib.suppress(OSError):
                pipe.close()
        os.close(self._gone)
        os.close(self._wake)

    def _talk(self, given: memoryview) -> bool:
        """Until the child ends; False when it took too long, or said too much."""
        with selectors.DefaultSelector() as waits:
            self._register(waits, feed=bool(given))
            while True:
                self._ask_for_patience()
                left = min(self._end, self._quiet_until) - clock.now()
                if left <= 0 or sum(map(len, self._heard.values())) > OUTPUT_LIMIT:
                    return False
                ready = {key.fd for key, _ in waits.select(left)}
                if self._gone in ready:
                    return True
                if self._wake in ready:
                    os.eventfd_read(self._wake)
                for handle in ready & self._heard.keys():
                    if not self._drain(handle):
                        waits.unregister(handle)
                if not self._input.closed and self._input.fileno() in ready:
                    given = self._feed(waits, given)

    def _ask_for_patience(self) -> None:
        now = clock.now()
        if self._patience is not None and now >= self._quiet_until:
            said = bytes(self._heard[self._pipes[1].fileno()])
            more = self._patience.look(self._child.pid, now - self._heard_at, said)
            self._quiet_until = now + more

    def _end_session(self) -> None:
        """The child and all that it has started, in whatever process group."""
        started = start_time(self._child.pid)
        signal_all(self._child.pid, signal.SIGTERM)
        with selectors.DefaultSelector() as end:
            end.register(self._gone, selectors.EVENT_READ)
            end.select(KILL_AFTER)
        for pid in members(self._child.pid, started):
            kill_and_wait(pid)
        self._child.wait()

    def _register(self, waits: selectors.BaseSelector, *, feed: bool) -> None:
        for handle in self._heard:
            os.set_blocking(handle, False)
        for handle in (*self._heard, self._gone, self._wake):
            waits.register(handle, selectors.EVENT_READ)
        if feed:
            os.set_blocking(self._input.fileno(), False)
            waits.register(self._input.fileno(), selectors.EVENT_WRITE)
        else:
            self._input.close()

    def _feed(self, waits: selectors.BaseSelector, given: memoryview) -> memoryview:
        """Write what the pipe takes; nothing is left when the reader has gone."""
        try:
            left = given[os.write(self._input.fileno(), given[: 1 << 16]) :]
        except BlockingIOError:
            return given
        except BrokenPipeError:
            left = given[:0]
        if not left:
            waits.unregister(self._input.fileno())
            self._input.close()
        return left

    def _drain(self, handle: int) -> bool:
        """Read what is there now; False at the end."""
        try:
            while data := os.read(handle, 1 << 16):
                self._heard[handle] += data
                self._heard_at = clock.now()
                self._quiet_until = self._heard_at + self._silence
                if len(self._heard[handle]) > OUTPUT_LIMIT:
                    return True
        except BlockingIOError:
            return True
        return False
