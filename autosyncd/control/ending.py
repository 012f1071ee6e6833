"""A terminal that is closed, or SIGTERM: what is half done is taken back, as at Ctrl-C."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Signals that end a command."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside of it each of them raises KeyboardInterrupt; but not one that is ignored (nohup(1))."""
    before = {number: signal.getsignal(number) for number in ENDING}
    heard = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in heard:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in heard:
            signal.signal(number, before[number])
