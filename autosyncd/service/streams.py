"""Standard input, output and errors: there, and taking any text, however the program was started."""

import contextlib
import io
import os
import sys
from typing import TextIO


def make_usable() -> None:
    """Before anything else is opened, which would get the number of a stream that was closed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # noqa: FBT003 - the call has no name for it
    os.close(number)
    sys.stdout = _any_text(sys.stdout, 1)
    sys.stderr = _any_text(sys.stderr, 2)


def leave_output() -> None:
    """Nobody reads it any more: what is still buffered must not complain when the program ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _any_text(stream: TextIO | None, number: int) -> TextIO:
    """It shows what its encoding has not as escapes. Python has None for what was closed."""
    if stream is None:
        return open(number, "w", errors="backslashreplace", closefd=False)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
