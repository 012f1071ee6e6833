"""A long-lived child that answers one line for each line it is asked.

Where a verb asks git the same kind of question a dozen times, a process for each would take most of
its time. A partner is started when first asked, and ended when the verb is done: at rest there is
none. If the worker is killed, the end of its input ends the partner too.
"""

import contextlib
import os
import select
import signal
from collections.abc import Mapping, Sequence

from autosyncd.vcs.process import start

ANSWER_WITHIN = 60.0
"""Seconds for one answer; a partner that takes longer is ended."""


class Partner:
    """One such child."""

    def __init__(self, argv: Sequence[str | bytes], *, cwd: bytes, env: Mapping[str, str]) -> None:
        self._argv, self._cwd, self._env = argv, cwd, env
        self._child: tuple[int, int, int] | None = None
        """The descriptors of its input and output, and its number."""
        self._unread = b""

    def ask(self, question: bytes) -> bytes | None:
        """The answer without its newline; None when there is none to be had."""
        if b"\n" in question:
            return None
        for _ in range(2):  # one that has died meanwhile is started again, once
            try:
                return self._ask(question)
            except OSError:
                self.end()
        return None

    def end(self) -> None:
        """Let it go; closing its input is enough."""
        if self._child is None:
            return
        asked, answers, number = self._child
        self._child, self._unread = None, b""
        os.close(asked)
        os.close(answers)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(number, signal.SIGKILL)  # it only reads: nothing is left half done
            os.waitpid(number, 0)

    def _ask(self, question: bytes) -> bytes:
        if self._child is None:
            self._child = start(self._argv, cwd=self._cwd, env=self._env)
        asked, answers, _ = self._child
        os.write(asked, question + b"\n")
        while b"\n" not in self._unread:
            if not select.select([answers], [], [], ANSWER_WITHIN)[0]:
                raise TimeoutError("a partner did not answer")
            data = os.read(answers, 1 << 16)
            if not data:
                raise BrokenPipeError("a partner has ended")
            self._unread += data
        answer, _, self._unread = self._unread.partition(b"\n")
        return answer
