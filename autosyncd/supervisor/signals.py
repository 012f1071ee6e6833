"""Signals as something to select on (signal.set_wakeup_fd); no handler ever does anything."""

import os
import signal
from types import FrameType, TracebackType

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def ignore_wishes() -> None:
    """From now on those signals that ask for something end nobody, whenever they come.

    By default they would, and a service manager takes a death by SIGHUP for an end that was wanted. It
    holds while no Signals are entered, and for the program that takes this one's place (execve(2)).
    """
    for number in (signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)


class Signals:
    """While entered: fileno() is readable when one of HANDLED came."""

    def __enter__(self) -> "Signals":
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._wakeup = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._before = {number: signal.signal(number, nothing) for number in HANDLED}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup)
        os.close(self._read)
        os.close(self._write)

    def fileno(self) -> int:
        return self._read

    def received(self) -> frozenset[int]:
        """The signals that came since the last call."""
        try:
            return frozenset(os.read(self._read, 4096))
        except BlockingIOError:
            return frozenset()


def nothing(number: int, frame: FrameType | None) -> None:
    """Python writes the number to the wakeup descriptor, if there is one, before it calls this."""
