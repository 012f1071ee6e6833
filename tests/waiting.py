"""Wait for the thing itself, with a deadline, never for a guessed time."""

import threading
import time
from collections.abc import Callable
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
