"""Programs that autosyncctl starts and stays with: shown while they run, ended with it.

vcs/process.py runs a git command to its end and returns what it said; here are the two things that
it can't do: a program that runs beside us (demo.py), and a clone whose progress is seen (clone.py).
"""

import contextlib
import os
import select
import signal
import sys
from collections.abc import Mapping, Sequence

from autosyncd import clock
from autosyncd.control.render import plain
from autosyncd.redaction import without_secrets
from autosyncd.vcs.conversation import Completed
from autosyncd.vcs.process import Runner

END_WITHIN = 15.0
"""Seconds a program gets to end by itself; a daemon takes 10 at the most."""


class Program:
    """A child in a session of its own, so that Ctrl-C reaches it only through end()."""

    def __init__(
        self, argv: Sequence[str | bytes], environment: Mapping[str, str], *, output: int
    ) -> None:
        """Start it; all it says goes to the descriptor `output`. OSError if it can't be started."""
        self._status: int | None = None
        self.pid = os.posix_spawnp(
            argv[0],
            list(argv),
            dict(environment),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, output, 1),
                (os.POSIX_SPAWN_DUP2, output, 2),
            ],
            setsid=True,
            setsigdef=[signal.SIGINT, signal.SIGPIPE],
        )
        self._pidfd = os.pidfd_open(self.pid)

    def status(self, within: float = 0.0) -> int | None:
        """Its exit status, or minus the signal that ended it; None: it still runs after that many
        seconds."""
        if self._status is None and _ready(self._pidfd, within):
            self._signal(signal.SIGKILL)  # what it left: its number is ours until it is waited for
            self._status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._pidfd)
        return self._status

    def end(self) -> int:
        """Ask it to end, and end it if it does not; nothing of its session is left."""
        if self.status() is None:
            self._signal(signal.SIGTERM)
            if self.status(END_WITHIN) is None:
                self._signal(signal.SIGKILL)
        while (status := self.status(END_WITHIN)) is None:
            pass
        return status

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


class Shown(Runner):
    """A Runner whose commands of the network are seen on stderr, if that is a terminal."""

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
        """As Runner.run(); a command of the network runs in our own folder and is given nothing."""
        if not network:
            return super().run(argv, cwd=cwd, env=env, stdin=stdin, timeout=timeout)
        reading, writing = os.pipe2(os.O_CLOEXEC)
        try:
            program = Program(argv, env, output=writing)
        finally:
            os.close(writing)
        try:
            said, in_time = _listen(reading, clock.now() + timeout, silence or timeout)
            code = program.status(within=END_WITHIN) if in_time else None
        finally:
            ended = program.end()
            os.close(reading)
        return Completed(ended if code is None else code, b"", said, timed_out=code is None)


def _ready(handle: int, within: float) -> bool:
    """Whether it can be read (a process: has ended) within that many seconds."""
    watched = select.poll()
    watched.register(handle, select.POLLIN)
    return bool(watched.poll(within * 1000))


def _listen(reading: int, end: float, silence: float) -> tuple[bytes, bool]:
    """All that comes until the pipe is closed, shown as it comes; False: it took too long."""
    said = line = b""
    while (left := min(silence, end - clock.now())) > 0:
        if not _ready(reading, left):
            break
        data = os.read(reading, 1 << 16)
        if not data:
            return said, True
        said += data
        *lines, line = (line + data).replace(b"\r", b"\r\n").split(b"\n")
        for one in lines:
            _show(one)
    return said, False


def _show(line: bytes) -> None:
    if sys.stderr.isatty():
        text = plain(without_secrets(line.decode("utf-8", "replace")))
        sys.stderr.write(text + ("\r" if line.endswith(b"\r") else "\n"))
        sys.stderr.flush()
