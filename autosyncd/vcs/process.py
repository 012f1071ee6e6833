"""The one file that starts programs.

A child has its own session (so that all it starts can be ended with it), no terminal, a deadline, and
a line in the ledger while it runs: a worker that is killed leaves its children there, and its
successor ends them before it touches anything.
"""

import contextlib
import os
import selectors
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from autosyncd import clock
from autosyncd.errors import ChildAborted
from autosyncd.vcs.session import (
    boot_id,
    end_and_wait,
    kill_and_wait,
    members,
    signal_all,
    start_time,
)

OUTPUT_LIMIT = 256 << 20
"""Bytes of output a child may produce before it is ended: a fault, not a result."""
KILL_AFTER = 2.0
"""Seconds between asking a child to end and ending it."""


@dataclass(frozen=True, slots=True)
class Completed:
    """A child that ended. `timed_out`: we ended it, since it was over its deadline or silent."""

    code: int
    out: bytes
    err: bytes
    timed_out: bool = False


def start(
    argv: Sequence[str | bytes], *, cwd: bytes, env: Mapping[str, str], complaints: int
) -> tuple[int, int, int]:
    """A child that goes on (partner.py): the descriptors of its input and output, its number. What it
    complains about goes to the descriptor `complaints`."""
    child = subprocess.Popen(
        argv,
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        start_new_session=True,
    )
    pipes = (cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout))
    asked, answers = (os.dup(pipe.fileno()) for pipe in pipes)
    for pipe in pipes:
        pipe.close()
    child.returncode = 0  # whoever has the number waits for it
    return asked, answers, child.pid


class Runner:
    """Starts children for one worker, one at a time."""

    def __init__(self, ledger: Path | None = None) -> None:
        self.ledger = ledger
        self._lock = threading.Lock()
        self._current: _Conversation | None = None
        self._network = False
        self._refused: frozenset[bool] = frozenset()
        """Of which kinds no child may start any more: those of the network (True), local ones."""
        self._interruptible = self._interrupted = False
        self.stopping = threading.Event()

    def run(
        self,
        argv: Sequence[str | bytes],
        *,
        cwd: bytes | str,
        env: Mapping[str, str],
        stdin: bytes = b"",
        timeout: float,
        silence: float | None = None,
        network: bool = False,
    ) -> Completed:
        """Run to the end. `timeout` seconds in all; `silence` seconds without any output.

        Raises ChildAborted when abort() or interrupt() ended it or forbids it, OSError when it can't
        be started.
        """
        with self._lock:
            self._check(network=network)
            self._write("starting")
            child = subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            talk = _Conversation(child, timeout, silence)
            self._current, self._network = talk, network
            self._note(child.pid)
        try:
            done = talk.run(stdin)
        finally:
            with self._lock:
                self._current = None
                self._note(None)
                talk.close()
        self._check(network=network)
        return done

    def _check(self, *, network: bool) -> None:
        if network in self._refused:
            raise ChildAborted("No command may run any more, since the worker is stopping.")
        if self._interruptible and self._interrupted:
            raise ChildAborted("The command gives way to something else.")

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """What runs within may be ended by interrupt()."""
        with self._lock:
            self._interruptible = True
        try:
            yield
        finally:
            with self._lock:
                self._interruptible = self._interrupted = False

    def interrupt(self) -> None:
        """From another thread: end what is interruptible and running, or else what is so next."""
        with self._lock:
            self._interrupted = True
            if self._interruptible and self._current is not None:
                self._current.hurry()

    def abort(self, *, network_only: bool) -> None:
        """From another thread: end the running child (if it is one of the network) for good."""
        with self._lock:
            self._refused |= {True} if network_only else {True, False}
            if self._current is not None and self._network in self._refused:
                self._current.hurry()
        self.stopping.set()

    @property
    def refuses_local(self) -> bool:
        """abort() was called, and not for the network alone."""
        return False in self._refused

    @property
    def was_interrupted(self) -> bool:
        """Whether a predecessor was killed while a child of it ran (its ledger was not closed)."""
        try:
            return self.ledger is not None and self.ledger.stat().st_size > 0
        except OSError:
            return False

    def end_predecessors(self) -> int:
        """End what a killed worker left running; how many processes that were."""
        if self.ledger is None:
            return 0
        try:
            words = self.ledger.read_text(errors="replace").split()
        except (FileNotFoundError, NotADirectoryError):
            return 0
        if len(words) != 3 or words[2] != boot_id():
            return 0
        if not all(word.isascii() and word.isdigit() for word in words[:2]) or int(words[0]) < 2:
            return 0
        found = members(int(words[0]), int(words[1]))
        end_and_wait(found, KILL_AFTER)
        end_and_wait(members(int(words[0]), int(words[1])), 0)  # what they have started meanwhile
        self._note(None)
        return len(found)

    def _note(self, pid: int | None) -> None:
        """Keep the ledger: the session's leader, its start time and the boot; or nothing."""
        self._write(f"{pid} {start_time(pid)} {boot_id()}" if pid is not None else "")

    def _write(self, text: str) -> None:
        """Whole or not at all: there is no instant at which a child runs and the ledger is empty."""
        if self.ledger is None:
            return
        fresh = self.ledger.with_suffix(".new")
        with contextlib.suppress(OSError):
            fresh.write_text(text)
            fresh.rename(self.ledger)


class _Conversation:
    """Feeds and reads one child without ever waiting for one of its pipes alone.

    It is over when the child is: what that has left running in the background (a shared ssh
    connection, a credential cache) may keep the pipes.
    """

    def __init__(
        self, child: "subprocess.Popen[bytes]", timeout: float, silence: float | None
    ) -> None:
        self._child = child
        self._input = cast("IO[bytes]", child.stdin)
        self._pipes = (cast("IO[bytes]", child.stdout), cast("IO[bytes]", child.stderr))
        self._heard: dict[int, bytearray] = {pipe.fileno(): bytearray() for pipe in self._pipes}
        self._gone = os.pidfd_open(child.pid)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._end = clock.now() + timeout
        self._silence = silence or timeout
        self._hurried = False
        self._quiet_until = clock.now() + self._silence

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
            _end_session(self._child)
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
                self._quiet_until = clock.now() + self._silence
                if len(self._heard[handle]) > OUTPUT_LIMIT:
                    return True
        except BlockingIOError:
            return True
        return False


def _end_session(child: "subprocess.Popen[bytes]") -> None:
    """The child and all that it has started, in whatever process group."""
    started = start_time(child.pid)
    signal_all(child.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(KILL_AFTER)
    for pid in members(child.pid, started):
        kill_and_wait(pid)
    child.wait()
