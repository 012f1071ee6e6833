"""Pure: what autosyncctl prints.

JSON (`--json`): `status` prints one object a line,

    {"summary": text, "repositories": [{"name", "path", "status", "reason", "branch", "head",
     "remote": text, "since": seconds since 1970, "until": the same or null}]}

and so does each change under `--watch`; every other verb that asks the daemon prints
{"asked": verb, "repositories": [names]}. Keys are only ever added. `status` is one of starting idle
settling committing pushing pulling retrying waiting paused halted failed stopping; `until` is when a
pause ends by itself.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from autosyncd import clock

HEADINGS = ("NAME", "STATUS", "BRANCH", "SINCE", "REASON")
GAP = "  "
REASON_AT_LEAST = 24
"""Columns; with less room the reason gets a line of its own."""
ALARMING = ("halted", "failed")
COLOURS = {"halted": 31, "failed": 31, "retrying": 33, "waiting": 33, "paused": 33, "idle": 32}
"""Status → SGR colour (ECMA-48 8.3.117): red, yellow, green."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SAID = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
NONE_YET = "No repository is configured yet."


@dataclass(frozen=True, slots=True)
class Row:
    """One repository as the daemon shows it; `since` and `until` are seconds since 1970."""

    name: str
    path: str
    status: str
    reason: str
    since: float
    branch: str = ""
    head: str = ""
    remote: str = ""
    until: float | None = None

    @property
    def alarming(self) -> bool:
        """It does nothing until a person does something."""
        return self.status in ALARMING


def duration(text: str) -> int:
    """Seconds of 90s, 30m, 2h, 1d or 1h30m. ValueError, as a sentence, for anything else."""
    if re.fullmatch(r"(\d{1,9}[smhd])+", text, re.ASCII):
        parts = re.findall(r"(\d+)([smhd])", text)
        if seconds := sum(int(count) * UNITS[unit] for count, unit in parts):
            return seconds
    raise ValueError(f"{text!r} is no length of time; write 30m, 2h or 1d.")


def exact_length(seconds: int) -> str:
    """A length of time with all its units: 1 h 30 min."""
    parts = []
    for size, unit in SAID:
        count, seconds = divmod(seconds, size)
        parts += [f"{count} {unit}"] if count else []
    return " ".join(parts)


def length(seconds: float) -> str:
    """About a length of time, in its largest unit that fits: 45 s, 3 min, 2 h, 5 d."""
    size, unit = next((each for each in SAID if seconds >= each[0]), SAID[-1])
    return f"{max(0, int(seconds // size))} {unit}"


def ends(repository: Row, now: float) -> str:
    """When its pause does, in the person's own time: "until 14:30", with the day if that is another;
    empty: it does not end by itself, or there is none."""
    if repository.until is None:
        return ""
    (today, _), (day, time) = (clock.stamp(at).split() for at in (now, repository.until))
    return f"until {time[:5]}" if day == today else f"until {day} {time[:5]}"


def plain(text: str) -> str:
    """One line without control characters: a file's name or a server's words steer no terminal."""
    return "".join(c if c.isprintable() else "�" for c in " ".join(text.split()))


def columns(text: str) -> int:
    """The terminal columns the text takes: two for wide characters, none for combining ones."""
    return sum(_columns(character) for character in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int | None) -> str:
    """The text, or as much of it as fits, with an ellipsis; None: no limit."""
    if width is None or columns(text) <= width:
        return text
    used, kept = 1, ""
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept += character
    return kept.rstrip() + "…"


def _pad(text: str, width: int) -> str:
    return text + " " * (width - columns(text))


def _cells(repository: Row, now: float) -> tuple[str, ...]:
    since = length(now - repository.since)
    reason = repository.reason or ends(repository, now)
    parts = (repository.name, repository.status, repository.branch, since, reason)
    return tuple(plain(part) for part in parts)


def table(repositories: Sequence[Row], *, now: float, width: int | None, colour: bool) -> str:
    """One line a repository, and a heading. `width`: the terminal's columns, None: as they come."""
    if not repositories:
        return NONE_YET + "\n"
    rows = [_cells(repository, now) for repository in repositories]
    widths = [max(columns(row[i]) for row in (HEADINGS, *rows)) for i in range(len(HEADINGS) - 1)]
    used = sum(widths) + len(GAP) * len(widths)
    room = None if width is None else width - used
    if room is not None and room < REASON_AT_LEAST:
        return _narrow(rows, widths, width, colour=colour)
    lines = [_line(HEADINGS, widths, room, colour=False)]
    lines += [_line(row, widths, room, colour=colour) for row in rows]
    return "".join(lines)


def _narrow(
    rows: Sequence[tuple[str, ...]], widths: Sequence[int], width: int | None, *, colour: bool
) -> str:
    lines = [_line((*HEADINGS[:-1], ""), widths, None, colour=False)]
    for row in rows:
        lines.append(_line((*row[:-1], ""), widths, None, colour=colour))
        if row[-1]:
            lines.append(fit("    " + row[-1], width) + "\n")
    return "".join(lines)


def _line(row: Sequence[str], widths: Sequence[int], room: int | None, *, colour: bool) -> str:
    cells = [_pad(text, wide) for text, wide in zip(row[:-1], widths, strict=True)]
    code = COLOURS.get(row[1]) if colour else None
    if code:
        cells[1] = f"\x1b[{code}m{cells[1]}\x1b[0m"
    return GAP.join([*cells, fit(row[-1], room)]).rstrip() + "\n"


def card(repository: Row, *, now: float) -> str:
    """Everything about one repository, a line each; what is not known is left out."""
    branch = repository.branch
    if repository.head:
        branch += f" at {repository.head[:12]}"
    doing = f"{repository.status} {ends(repository, now)}".rstrip()
    facts = {
        "status": f"{doing} ({length(now - repository.since)})",
        "reason": repository.reason,
        "path": repository.path,
        "branch": branch,
        "remote": repository.remote or "none: changes are committed, not sent",
    }
    lines = [f"  {key:<8}{plain(value)}\n" for key, value in facts.items() if value]
    return f"{plain(repository.name)}\n" + "".join(lines)


def change(repository: Row, *, now: float) -> str:
    """One line that says what a repository does from now on."""
    doing = f"{repository.status} {ends(repository, now)}".rstrip()
    reason = f": {repository.reason}" if repository.reason else ""
    return plain(f"{clock.stamp(now)} {repository.name}: {doing}{reason}") + "\n"


def status_json(summary: str, repositories: Sequence[Row]) -> str:
    """The state of everything as one line of JSON (see the module)."""
    state = {"summary": summary, "repositories": [asdict(each) for each in repositories]}
    return json.dumps(state) + "\n"


def asked_json(verb: str, names: Sequence[str]) -> str:
    """What was asked of the daemon as one line of JSON (see the module)."""
    return json.dumps({"asked": verb, "repositories": list(names)}) + "\n"
