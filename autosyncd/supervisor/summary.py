"""Pure: the one line that `systemctl status` and `autosyncctl status` show, worst first."""

from collections.abc import Sequence
from dataclasses import dataclass

from autosyncd.link.messages import cut
from autosyncd.model import Status

SHOWN = 3
"""Repositories with something to say that are named; the rest is counted."""
LINE_LIMIT = 400
"""Characters."""

_WORST_FIRST = (
    Status.HALTED,
    Status.FAILED,
    Status.RETRYING,
    Status.WAITING,
    Status.PAUSED,
    Status.STARTING,
    Status.STOPPING,
)
"""What is named, with its reason; the other states are work or rest."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the summary needs of one repository."""

    name: str
    status: Status
    reason: str = ""


def summary(
    lines: Sequence[Line], problems: Sequence[str] = (), transports: Sequence[str] = ()
) -> str:
    """One line for people.

    `problems` are those of the configuration, `transports` a sentence for each that is not online.
    """
    parts = [_told(line) for line in _worst(lines)[:SHOWN]]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        parts.append(f"configuration: {problems[0]}{more}")
    parts.append(_rest(lines))
    parts += transports
    return cut(" ".join("; ".join(part for part in parts if part).split()), LINE_LIMIT)


def _worst(lines: Sequence[Line]) -> list[Line]:
    named = [line for line in lines if line.status in _WORST_FIRST]
    return sorted(named, key=lambda line: (_WORST_FIRST.index(line.status), line.name))


def _told(line: Line) -> str:
    reason = line.reason.strip().rstrip(".")
    return f"{line.name}: {line.status.value}" + (f": {reason}" if reason else "")


def _rest(lines: Sequence[Line]) -> str:
    """The repositories that are not named, or all of them if none is."""
    if not lines:
        return "no repositories yet; add one with: autosyncctl add PATH"
    named = len(_worst(lines))
    well = [line for line in lines if line.status not in _WORST_FIRST]
    busy = sorted(line.name for line in well if line.status is not Status.IDLE)
    unnamed = named - min(named, SHOWN)
    parts = [f"{unnamed} more with a problem"] if unnamed else []
    if busy:
        parts.append(f"working on {busy[0]}" if len(busy) == 1 else f"working on {len(busy)}")
    elif well and named:
        parts.append(f"{len(well)} in sync")
    if named:
        return "; ".join(parts)
    count = "1 repository" if len(lines) == 1 else f"{len(lines)} repositories"
    rest = parts[0] if parts else ("in sync" if len(lines) == 1 else "all in sync")
    return f"{count}, {rest}"
