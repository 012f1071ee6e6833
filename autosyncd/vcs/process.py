"""The one file that starts programs.

A child has its own session (so that all it starts can be ended with it), no terminal, a deadline, and
a line in the ledger while it runs: a worker that is killed leaves its children there, and its
successor ends them before it touches anything.
"""

import contextlib
import os
import secrets
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from autosyncd.errors import ChildAborted
from autosyncd.vcs.conversation import KILL_AFTER, Completed, Conversation, Patience
from autosyncd.vcs.session import (
    boot_id,
    end_and_wait,
    marked,
    members,
    start_time,
)
from autosyncd.vcs.statefile import replace


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
        close_fds=CLOSE_BEFOREHAND,
    )
    pipes = (cast("IO[bytes]", child.stdin), cast("IO[bytes]", child.stdout))
    asked, answers = (os.dup(pipe.fileno()) for pipe in pipes)
    for pipe in pipes:
        pipe.close()
    child.returncode = 0  # whoever has the number waits for it
    return asked, answers, child.pid


CLOSE_BEFOREHAND = False
"""All that we open is closed by execve(2) (PEP 446). Closed before that, the lock of the tree would be
let go of while a child of a killed worker is about to run, and can't be told from a stranger yet."""
STARTING = "starting"
"""In the ledger: a child is being started whose number is not known yet."""
MARK = "AUTOSYNC_CHILD"
"""In a child's environment: what the ledger knows it by until then."""


APPEARS_WITHIN = 0.05
"""Seconds: execve(2) lets go of the lock an instant before the environment can be read."""


def _found(mark: str) -> list[tuple[int, int]]:
    """Leaders of sessions with this mark, and when they started."""
    return [(pid, start_time(pid)) for pid in marked(f"{MARK}={mark}")]


class Runner:
    """Starts children for one worker, one at a time."""

    def __init__(self, ledger: Path | None = None) -> None:
        self.ledger = ledger
        self._lock = threading.Lock()
        self._current: Conversation | None = None
        self._patience: Patience | None = None
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
            mark = secrets.token_hex(8)
            self._write(f"{STARTING} {mark} {boot_id()}")
            child = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**env, MARK: mark},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                close_fds=CLOSE_BEFOREHAND,
            )
            talk = Conversation(child, timeout, silence, self._patience)
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
    def patient(self, patience: Patience) -> Iterator[None]:
        """Of what runs within, `patience` says how long it may be silent."""
        self._patience = patience
        try:
            yield
        finally:
            self._patience = None

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
        if words[0] == STARTING:
            leaders = _found(words[1])
            if not leaders and not self.stopping.wait(APPEARS_WITHIN):
                leaders = _found(words[1])
        elif all(word.isascii() and word.isdigit() for word in words[:2]) and int(words[0]) > 1:
            leaders = [(int(words[0]), int(words[1]))]
        else:
            return 0
        found = [pid for leader in leaders for pid in members(*leader)]
        end_and_wait(found, KILL_AFTER)
        late = [pid for leader in leaders for pid in members(*leader)]
        end_and_wait(late, 0)  # what they have started meanwhile
        self._note(None)
        return len(found)

    def _note(self, pid: int | None) -> None:
        """Keep the ledger: the session's leader, its start time and the boot; or nothing."""
        self._write(f"{pid} {start_time(pid)} {boot_id()}" if pid is not None else "")

    def _write(self, text: str) -> None:
        """There is no instant at which a child runs and the ledger is empty."""
        if self.ledger is not None:
            with contextlib.suppress(OSError):
                replace(self.ledger, text.encode(), durable=False)
