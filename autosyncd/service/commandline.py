"""What reads a command line; apart from streams.py, since a service that is started without a word needs
none of it."""

from argparse import ArgumentParser
from typing import NoReturn

from autosyncd.service.streams import complain

EX_WRONG = 2
"""Exit status: the command line is wrong (argparse)."""


class Parser(ArgumentParser):
    """One whose word on a wrong command line may be lost with standard error, its exit status not."""

    def error(self, message: str) -> NoReturn:
        complain(f"{self.format_usage()}{self.prog}: error: {message}")
        raise SystemExit(EX_WRONG)
