"""Wait for the thing itself, with a deadline, never for a guessed time."""

import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")


class HasHandle(Protocol):
    """What poll(2) can watch."""

    def fileno(self) -> int: ...


def ready(source: int | HasHandle, seconds: float = 10.0, *, writing: bool = False) -> bool:
    """Whether a descriptor can be read (or written) within that time; a process: has ended.

    Not select(2): one that runs many tests may have numbers above its 1,024.
    """
    watched = select.poll()
    watched.register(source, select.POLLOUT if writing else select.POLLIN)
    return bool(watched.poll(max(0.0, seconds) * 1000))


def eventually(probe: Callable[[], T], seconds: float = 10.0, every: float = 0.01) -> T:
    """The first true answer of `probe`; AssertionError with its last answer after `seconds`."""
    tick = threading.Event()
    end = time.monotonic() + seconds
    while not (answer := probe()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s; the last answer was {answer!r}")
        tick.wait(every)
    return answer


def listens(address: Path) -> bool:
    """Whether somebody takes calls at a socket in the file system; its name comes before that."""
    with socket.socket(socket.AF_UNIX) as caller:
        return caller.connect_ex(str(address)) == 0
