"""Standard input, output and errors: there, and taking any text, however the program was started.

What a command has to say goes out by say(), and what argparse says of it under written(), so that an
output that takes no more (a full disk, a reader that has gone) is one sentence and an exit status.
"""

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from autosyncd.errors import Unwritten

if TYPE_CHECKING:  # a service that is started without a word keeps no room for it
    from argparse import ArgumentParser, Namespace

EX_UNWRITTEN = 1
"""Exit status: what there was to say could not be written."""


def make_usable() -> None:
    """Before anything else is opened, which would get the number of a stream that was closed."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)  # noqa: FBT003 - the call has no name for it
    os.close(number)
    sys.stdout = _any_text(sys.stdout, 1)
    sys.stderr = _any_text(sys.stderr, 2)


def say(text: str) -> None:
    """Write it to standard output, now. Unwritten if that can't take it."""
    with written():
        sys.stdout.write(text)


def complain(text: str, program: str = "") -> None:
    """Write a line to standard error, if there is something to say and that takes it: nowhere else is
    left to say so."""
    if not text:
        return
    try:
        sys.stderr.write(f"{program}: {text}\n" if program else f"{text}\n")
        sys.stderr.flush()
    except OSError:
        _leave(2)


def parsed(parser: "ArgumentParser", arguments: Sequence[str] | None) -> "Namespace":
    """What the parser makes of them. SystemExit, as the parser raises it, once what it says is written;
    with EX_UNWRITTEN where it could not be."""
    try:
        with written():
            return parser.parse_args(arguments)
    except Unwritten as reason:
        complain(str(reason), parser.prog)
        raise SystemExit(EX_UNWRITTEN) from None


def obeys(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether the stream is a terminal that takes control sequences (ECMA-48)."""
    return environment.get("TERM") != "dumb" and stream.isatty()


def in_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether it is one whose reader wants colours (https://no-color.org: any value but an empty one
    says no)."""
    return not environment.get("NO_COLOR") and obeys(stream, environment)


@contextlib.contextmanager
def written() -> Iterator[None]:
    """All that is written to standard output within is out at the end. Unwritten if it can't be."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`)
        _leave(1)
        raise Unwritten from None
    except OSError as reason:
        _leave(1)
        raise Unwritten(f"The output can't be written ({reason.strerror}).") from None


def _leave(number: int) -> None:
    """What is still buffered for it must not complain when the program ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)


def _any_text(stream: TextIO | None, number: int) -> TextIO:
    """It shows what its encoding has not as escapes. Python has None for what was closed."""
    if stream is None:
        return open(number, "w", errors="backslashreplace", closefd=False)
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream
