"""A long-lived child that is asked again and again.

Where the same kind of question is put to git a dozen times, a process for each would take most of the
time. A partner is started when first asked; whoever has it ends it. If the worker is killed, the end of
its input ends the partner too.
"""

import contextlib
import os
import select
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autosyncd import clock
from autosyncd.errors import ChildAborted
from autosyncd.vcs.process import start
from autosyncd.vcs.session import kill_and_wait, members, signal_all, start_time

ANSWER_WITHIN = 60.0
"""Seconds for one answer; a partner that takes longer is ended."""
ENDED_WITHIN = 2.0
"""Seconds between letting a partner go and killing it; also what a wait may take after an abort."""
GLANCE = 0.2
"""Seconds between two looks at whether the wait is still wanted."""
COMPLAINT = 4000
"""Bytes of a partner's last words that are kept."""
Extent = Callable[[bytearray], int | None]
"""How many of the bytes that came are the whole answer; None: more are to come."""


class PartnerFailed(OSError):
    """It gave no answer; str() holds its own last words, if it had any."""


@dataclass(slots=True)
class _Child:
    """One running child: the descriptors of its input, output and complaints; its number."""

    asked: int
    answers: int
    complaints: int
    number: int
    started: int
    unread: bytearray = field(default_factory=bytearray)


def lines(count: int) -> Extent:
    """An answer of so many lines."""

    def extent(came: bytearray) -> int | None:
        end = -1
        for _ in range(count):
            end = came.find(b"\n", end + 1)
            if end < 0:
                return None
        return end + 1

    return extent


def nothing(_came: bytearray) -> int:
    """No answer is waited for."""
    return 0


class Partner:
    """One such child. `given_up` says whether nobody waits for answers any more."""

    def __init__(
        self,
        argv: Sequence[str | bytes],
        *,
        cwd: bytes,
        env: Mapping[str, str],
        given_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._argv, self._cwd, self._env, self._given_up = argv, cwd, env, given_up
        self._child: _Child | None = None

    def __del__(self) -> None:
        self.end()

    def ask(self, question: bytes) -> bytes | None:
        """The answer to one line, without its newline; None when there is none to be had."""
        if b"\n" in question:
            return None
        for _ in range(2):  # one that has died meanwhile is started again, once
            with contextlib.suppress(OSError):
                return self.talk(question + b"\n", lines(1))[:-1]
        return None

    def wake(self) -> _Child:
        """Start it now, so that the first answer need not wait for that."""
        if self._child is not None:
            return self._child
        complaints = os.memfd_create("complaints", os.MFD_CLOEXEC)
        try:
            started = start(self._argv, cwd=self._cwd, env=self._env, complaints=complaints)
        except BaseException:
            os.close(complaints)
            raise
        asked, answers, number = started
        os.set_blocking(asked, False)
        self._child = _Child(
            asked=asked,
            answers=answers,
            complaints=complaints,
            number=number,
            started=start_time(number),
        )
        return self._child

    def talk(self, said: bytes, extent: Extent) -> bytes:
        """Say something, and hear an answer.

        Raises PartnerFailed when it ends or takes too long (the partner is ended then),
        ChildAborted when nobody waits any more.
        """
        try:
            return self._talk(self.wake(), memoryview(said), extent)
        except PartnerFailed:
            raise
        except OSError as problem:
            raise PartnerFailed(self._end_failed(str(problem))) from problem
        except BaseException:
            self.end()
            raise

    def say(self, said: bytes) -> None:
        """Say something whose answer is listened to later, by talk(b"", …): so partners work at the
        same time. Raises as talk() does."""
        self.talk(said, nothing)

    def _talk(self, child: _Child, left: memoryview, extent: Extent) -> bytes:
        end = clock.now() + ANSWER_WITHIN
        left = _written(child, left)
        while left or (length := extent(child.unread)) is None:
            if self._given_up():
                end = min(end, clock.now() + ENDED_WITHIN)
            wait = end - clock.now()
            if wait <= 0:
                if self._given_up():
                    raise ChildAborted("The command was ended, since the worker is stopping.")
                raise PartnerFailed(self._end_failed("it did not answer in time"))
            ready = _ready([child.answers], [child.asked] if left else [], min(wait, GLANCE))
            if child.asked in ready:
                left = _written(child, left)
            if child.answers in ready:
                data = os.read(child.answers, 1 << 16)
                if not data:
                    raise PartnerFailed(self._end_failed("it has ended"))
                child.unread += data
        answer = bytes(child.unread[:length])
        del child.unread[:length]
        return answer

    def _end_failed(self, why: str) -> str:
        """Let it go; why, and what it complained about."""
        if self._child is None:
            return why
        complaints = os.dup(self._child.complaints)
        try:
            self.end()
            said = os.pread(complaints, COMPLAINT, 0).decode("utf-8", "replace").strip()
        finally:
            os.close(complaints)
        return f"{why}: {said}" if said else why

    def end(self) -> None:
        """Let it go: the end of its input is enough, unless it hangs."""
        child, self._child = self._child, None
        if child is None:
            return
        os.close(child.asked)
        os.close(child.answers)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            _end_process(child)
        os.close(child.complaints)


def _ready(readable: Sequence[int], writable: Sequence[int], within: float) -> set[int]:
    """Those that can be read or written; poll(2), since select(2) knows descriptors below 1,024 only."""
    watched = select.poll()
    for descriptor in readable:
        watched.register(descriptor, select.POLLIN)
    for descriptor in writable:
        watched.register(descriptor, select.POLLOUT)
    return {descriptor for descriptor, _ in watched.poll(within * 1000)}


def _written(child: _Child, left: memoryview) -> memoryview:
    """Write what the pipe takes now; the rest."""
    try:
        return left[os.write(child.asked, left[: 1 << 16]) :]
    except BlockingIOError:
        return left


def _end_process(child: _Child) -> None:
    handle = os.pidfd_open(child.number)
    try:
        if not _ready([handle], [], ENDED_WITHIN):
            signal_all(child.number, signal.SIGTERM)  # git takes its lock files away then
            if not _ready([handle], [], ENDED_WITHIN):
                for number in members(child.number, child.started):
                    kill_and_wait(number)
        os.waitpid(child.number, os.WNOHANG)
    finally:
        os.close(handle)
