"""Pure: what a look at one thing comes to (doctor.py)."""

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How much it matters."""

    OK = "ok"
    HINT = "hint"
    """It works; a person may want it otherwise."""
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was looked at; `text` says how it is, and what to do about it."""

    level: Level
    what: str
    text: str


def ok(what: str, text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, what, text)


def hint(what: str, text: str) -> Finding:
    """It works, but."""
    return Finding(Level.HINT, what, text)


def problem(what: str, text: str) -> Finding:
    """It does not work."""
    return Finding(Level.PROBLEM, what, text)
