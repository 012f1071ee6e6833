"""What a verb of autosyncctl is, and what it returns."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from autosyncd.errors import AutosyncError

DONE = 0
PROBLEM_FOUND = 1
WRONG_USAGE = 2
NOT_REACHABLE = 3


class WrongUsage(AutosyncError):
    """What was typed can't be meant; str() is a sentence. The exit status is WRONG_USAGE."""


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: `where` is module:function, imported when the verb is used.

    The function takes the parsed options (`options.json` is always there) and returns an exit
    status. It may raise WrongUsage, NotReachable and any other AutosyncError: each is printed as
    its sentence and becomes 2, 3 and 1.
    """

    summary: str
    where: str
    arguments: Callable[[ArgumentParser], None]

    def run(self, options: Namespace) -> int:
        """Do it."""
        module, _, function = self.where.partition(":")
        status = getattr(import_module(module), function)(options)
        if not isinstance(status, int):
            raise TypeError(f"{self.where} returned {status!r} instead of an exit status")
        return status
