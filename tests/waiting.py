"""Wait for the thing itself, with a deadline, never for a guessed time."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


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
