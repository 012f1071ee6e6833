"""Pure: what one file says, as somebody wrote it, and what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """What is wrong, and where. `line` counts from 1; 0 is the file as a whole."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.text}"


@dataclass(frozen=True, slots=True)
class Given:
    """One section as somebody wrote it: only the keys that are there, each with its line."""

    where: str = ""
    line: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    """Any: what a key holds is said by schema.py; a section within is a Given, a list a tuple."""
    lines: Mapping[str, int] = field(default_factory=dict)
    file: str = ""

    def place(self, key: str) -> str:
        """file:line of a key that is given."""
        return f"{self.file}:{self.lines[key]}"

    def section(self, key: str) -> "Given":
        """The section below `key`, empty where it is not given."""
        below = self.values.get(key)
        return below if isinstance(below, Given) else Given()

    def label(self, key: str) -> str:
        """What a message calls the key: repositories[1].path."""
        return f"{self.where}.{key}" if self.where else key


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What one file says."""

    file: str
    top: Given = field(default_factory=Given)
    problems: tuple[ConfigProblem, ...] = ()
    defaults_known: bool = True
    """False where it could not be read what `defaults:` says, or whether it is there at all."""

    @property
    def defaults(self) -> Given:
        return self.top.section("defaults")

    @property
    def repositories(self) -> tuple[Given, ...]:
        return tuple(self.top.values.get("repositories", ()))


def unreadable(file: str, line: int, text: str) -> ParsedFile:
    """A file of which nothing can be known but its problem."""
    return ParsedFile(file, Given(), (ConfigProblem(file, line, text),), defaults_known=False)
