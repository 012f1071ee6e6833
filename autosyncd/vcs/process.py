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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from autosyncd import clock
from autosyncd.errors import ChildAborted

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


class Runner:
    """Starts children for one worker, one at a time."""

    def __init__(self, ledger: Path | None = None) -> None:
        self.ledger = ledger
        self._lock = threading.Lock()
        self._current: subprocess.Popen[bytes] | None = None
        self._network = False
        self._refuse: str | None = None
        """None, `network` or `all`: what may no longer be started."""
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

        Raises ChildAborted when abort() ended it or forbids it, OSError when it can't be started.
        """
        with self._lock:
            if self._refuse == "all" or (self._refuse == "network" and network):
                raise ChildAborted("The command was not started, since the worker is stopping.")
            child = subprocess.Popen(
                argv,
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            self._current, self._network = child, network
            self._note(child.pid)
        try:
            done = _Conversation(child, timeout, silence).run(stdin)
        finally:
            with self._lock:
                self._current = None
                self._note(None)
        if self._refuse == "all" or (self._refuse == "network" and network):
            raise ChildAborted("The command was ended, since the worker is stopping.")
        return done

    def abort(self, *, network_only: bool) -> None:
        """From another thread: end the running child (if it is one of the network) for good."""
        with self._lock:
            self._refuse = "network" if network_only and self._refuse is None else "all"
            if not network_only:
                self._refuse = "all"
            if self._current is not None and (self._network or not network_only):
                _signal_session(self._current.pid, signal.SIGTERM)
        self.stopping.set()

    def end_predecessors(self) -> int:
        """End what a killed worker left running; how many processes that were."""
        if self.ledger is None:
            return 0
        try:
            words = self.ledger.read_text().split()
        except (FileNotFoundError, NotADirectoryError):
            return 0
        if len(words) != 2 or not all(word.isdigit() for word in words):
            return 0
        session, started = int(words[0]), int(words[1])
        members = _session_members(session, started)
        for pid in members:
            _kill_and_wait(pid)
        self._note(None)
        return len(members)

    def _note(self, pid: int | None) -> None:
        """Keep the ledger: the session's leader and its start time, or nothing."""
        if self.ledger is None:
            return
        with contextlib.suppress(OSError):
            self.ledger.write_text(f"{pid} {_start_time(pid)}\n" if pid is not None else "")


class _Conversation:
    """Feeds and reads one child without ever waiting for one of its pipes alone."""

    def __init__(
        self, child: "subprocess.Popen[bytes]", timeout: float, silence: float | None
    ) -> None:
        self._child = child
        self._input = cast("IO[bytes]", child.stdin)
        self._pipes = (cast("IO[bytes]", child.stdout), cast("IO[bytes]", child.stderr))
        self._heard: dict[int, bytearray] = {pipe.fileno(): bytearray() for pipe in self._pipes}
        self._end = clock.now() + timeout
        self._silence = silence or timeout
        self._quiet_until = clock.now() + self._silence

    def run(self, stdin: bytes) -> Completed:
        """To the child's end, or ours of it."""
        in_time = self._talk(memoryview(stdin)) and self._ended_by_itself()
        if not in_time:
            _end_session(self._child)
        out, err = (bytes(self._heard[pipe.fileno()]) for pipe in self._pipes)
        for pipe in self._pipes:
            pipe.close()
        with contextlib.suppress(BrokenPipeError):
            self._input.close()
        return Completed(self._child.returncode, out, err, timed_out=not in_time)

    def _talk(self, given: memoryview) -> bool:
        """Until the child closes its pipes; False when it took too long, or said too much."""
        with selectors.DefaultSelector() as waits:
            for pipe in self._pipes:
                waits.register(pipe, selectors.EVENT_READ)
            if given:
                os.set_blocking(self._input.fileno(), False)
                waits.register(self._input, selectors.EVENT_WRITE)
            else:
                self._input.close()
            while waits.get_map():
                left = min(self._end, self._quiet_until) - clock.now()
                if left <= 0 or sum(map(len, self._heard.values())) > OUTPUT_LIMIT:
                    return False
                for key, _ in waits.select(left):
                    if key.fileobj is not self._input:
                        self._hear(waits, key)
                    elif not (given := _feed(key.fd, given)):
                        waits.unregister(self._input)
                        self._input.close()
        return True

    def _hear(self, waits: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
        data = os.read(key.fd, 1 << 16)
        self._quiet_until = clock.now() + self._silence
        if data:
            self._heard[key.fd] += data
        else:
            waits.unregister(key.fileobj)

    def _ended_by_itself(self) -> bool:
        try:
            self._child.wait(max(0.1, self._end - clock.now()))
        except subprocess.TimeoutExpired:
            return False
        return True


def _feed(pipe: int, given: memoryview) -> memoryview:
    """Write what the pipe takes; nothing is left when the reader has gone."""
    try:
        return given[os.write(pipe, given[: 1 << 16]) :]
    except BlockingIOError:
        return given
    except BrokenPipeError:
        return given[:0]


def _end_session(child: "subprocess.Popen[bytes]") -> None:
    _signal_session(child.pid, signal.SIGTERM)
    try:
        child.wait(KILL_AFTER)
    except subprocess.TimeoutExpired:
        _signal_session(child.pid, signal.SIGKILL)
        child.wait()
    _signal_session(child.pid, signal.SIGKILL)


def _signal_session(leader: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name (proc(5): state is the first, number 3)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(")") + 2 :].split()


def _start_time(pid: int) -> int:
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else 0


def _session_members(session: int, started: int) -> list[int]:
    """Live processes of a session whose leader started at `started` (it may be gone itself)."""
    leader = _stat_fields(session)
    if leader and int(leader[19]) != started:
        return []  # the number serves another process now
    members = []
    for entry in os.listdir("/proc"):
        fields = _stat_fields(int(entry)) if entry.isdigit() else []
        if fields and int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry))
    return members


def _kill_and_wait(pid: int) -> None:
    """SIGKILL, then wait until it is really gone (a pidfd says so, also for a stranger's child)."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        with selectors.DefaultSelector() as waits:
            waits.register(handle, selectors.EVENT_READ)
            waits.select(10)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)
