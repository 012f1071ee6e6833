"""One path of an update, and what may become of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from autosyncd.vcs.git.disk import Version


@dataclass(frozen=True, slots=True)
class Step:
    """One path of an update: what should be there, and what is to come."""

    path: bytes
    old: Version | None
    new: Version | None


Steps = Mapping[bytes, Step]
"""Path → its step."""


class StepResult(Enum):
    """What became of one path."""

    DONE = "done"
    DIRTY = "dirty"
    """It isn't what we believed: somebody edited it, made or deleted it. Untouched."""
    HELD = "held"
    """Somebody has it open for writing (or it can't be read). Untouched."""
    BLOCKED = "blocked"
    """Something that is no file of ours stands in the way. Untouched."""
