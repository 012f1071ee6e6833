"""Pure: one value of the configuration, from its text and back.

A reader takes the text of a YAML scalar and answers with the value, or with a Mistake that says
what would be right. A writer gives the text that the reader turns into the same value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autosyncd.config.meant import suggestion
from autosyncd.model import AlertKind

Reader = Callable[[str], Any]
"""Text to value or Mistake. Any: what it is depends on the key, and the schema pairs the two."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Why a value can't be taken, and what would be right; follows `key: ` in a problem's text."""

    text: str


_DURATIONS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}  # in milliseconds
_SIZES = {"B": 1} | {
    unit: base**power
    for power, letter in enumerate("kMGT", start=1)
    for unit, base in ((f"{letter}B", 1000), (f"{letter}iB", 1024))
}
_SIZES_ANY_CASE = {unit.lower(): factor for unit, factor in _SIZES.items()}
_NUMBER = r"(\d{1,15}(?:\.\d{1,6})?)"
_WITH_UNIT = re.compile(_NUMBER + r" ?([a-zA-Z]+)", re.ASCII)
_BARE = re.compile(_NUMBER, re.ASCII)
_PERCENTAGE = re.compile(_NUMBER + r" ?%", re.ASCII)
_LONGEST = 366 * 24 * 3600
_YES, _NO = ("true", "yes", "on"), ("false", "no", "off")
# fmt: off
PLACEHOLDERS = frozenset((
    "summary", "repo", "host", "user", "files", "added", "modified", "deleted", "renamed", "time",
    "branch",
))
# fmt: on


def shown(text: str) -> str:
    """The text in quotes, one line of it, short enough for a message."""
    short = text if len(text) <= 40 else text[:39] + "…"
    return repr(short)


def _millionths(number: str) -> int:
    """What _NUMBER takes, exactly."""
    whole, _, rest = number.partition(".")
    return int(whole + rest.ljust(6, "0"))


def duration(minimum: float = 0.0) -> Reader:
    """A reader of 500ms, 2s, 5m, 1h; the value is seconds."""

    def read(text: str) -> float | Mistake:
        if _BARE.fullmatch(text) and float(text) != 0:
            return Mistake(f"{text} has no unit (did you mean {text}s?)")
        match = _WITH_UNIT.fullmatch("0s" if _BARE.fullmatch(text) else text)
        if not match or match[2] not in _DURATIONS:
            near = _meant_duration(text)
            return Mistake(f"{shown(text)} is no duration{near}; write 500ms, 2s, 5m or 1h")
        seconds = _millionths(match[1]) * _DURATIONS[match[2]] / 10**9
        if not minimum <= seconds <= _LONGEST:
            least = duration_text(minimum)
            return Mistake(f"{text} is out of range; write at least {least}, at most a year")
        return seconds

    return read


def _meant_duration(text: str) -> str:
    """What 5 min, 10 seconds or 1m30s would be, as a suggestion."""
    parts = re.findall(r"(\d{1,6}) ?([a-z]+)", text.lower()[:40])
    spelt = "".join(f"{number}{unit}" for number, unit in parts)
    first = [unit if unit == "ms" else unit[:1] for _, unit in parts]
    if not parts or spelt != text.lower().replace(" ", "") or not set(first) <= _DURATIONS.keys():
        return ""
    pairs = zip(parts, first, strict=True)
    milliseconds = sum(int(number) * _DURATIONS[unit] for (number, _), unit in pairs)
    return f" (did you mean {duration_text(milliseconds / 1000)}?)"


def duration_text(seconds: float) -> str:
    """The shortest text for so many seconds, to the millisecond."""
    milliseconds = round(seconds * 1000)
    for unit in ("h", "m", "s"):
        if milliseconds and milliseconds % _DURATIONS[unit] == 0:
            return f"{milliseconds // _DURATIONS[unit]}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def size(text: str) -> int | Mistake:
    """Bytes: 0, 512B, 10MB (1000s), 1GiB (1024s); case does not matter."""
    if _BARE.fullmatch(text) and float(text) != 0:
        return Mistake(f"{text} has no unit (did you mean {text}MB?)")
    match = _WITH_UNIT.fullmatch("0B" if _BARE.fullmatch(text) else text)
    factor = _SIZES_ANY_CASE.get(match[2].lower()) if match else None
    if not match or not factor:
        return Mistake(f"{shown(text)} is no size; write 10MB, 1GiB or 0")
    return int(_millionths(match[1]) * factor // 10**6)


def size_text(number: int) -> str:
    """The shortest text for exactly so many bytes."""
    units = sorted(_SIZES, key=lambda unit: _SIZES[unit], reverse=True)
    exact = next((unit for unit in units if number and number % _SIZES[unit] == 0), None)
    return f"{number // _SIZES[exact]}{exact}" if exact else "0"


def percentage(text: str) -> float | Mistake:
    """A share such as 50%; the value is a fraction of 1."""
    match = _PERCENTAGE.fullmatch(text)
    if not match:
        bare = _BARE.fullmatch(text)
        number = float(text) if bare else 0.0
        meant = f" (did you mean {text}%?)" if 1 < number <= 100 else ""
        if 0 < number <= 1:
            meant = f" (did you mean {percentage_text(number)}?)"
        return Mistake(f"{shown(text)} is no percentage{meant}; write 0% to 100%")
    share = _millionths(match[1]) / 10**8
    return share if share <= 1 else Mistake(f"{text} is more than all; write 0% to 100%")


def percentage_text(share: float) -> str:
    """The text for a fraction of 1."""
    return f"{round(share * 100, 6):.6f}".rstrip("0").rstrip(".") + "%"


def count(text: str) -> int | Mistake:
    """A whole number, 0 or more."""
    if not re.fullmatch(r"\d{1,15}", text, re.ASCII):
        return Mistake(f"{shown(text)} is no whole number; write digits only, such as 20")
    return int(text)


def boolean(text: str) -> bool | Mistake:
    """True or false, in the words of YAML 1.1."""
    word = text.lower()
    if word in _YES or word in _NO:
        return word in _YES
    near = suggestion(word, _YES + _NO)
    return Mistake(f"{shown(text)} is neither true nor false{near}; write one of them")


def boolean_text(value: object) -> str:
    """true or false."""
    return "true" if value else "false"


def one_of(*words: str) -> Reader:
    """A reader of one of these words."""

    def read(text: str) -> str | Mistake:
        if text in words:
            return text
        allowed = ", ".join(words)
        return Mistake(f"{shown(text)} is none of {allowed}{suggestion(text, words)}")

    return read


def word_or(words: tuple[str, ...], other: Reader) -> Reader:
    """A reader of one of these words, or else of what `other` reads."""

    def read(text: str) -> Any:
        value = text if text in words else other(text)
        if isinstance(value, Mistake):
            allowed = ", ".join(words)
            return Mistake(f"{value.text}; or one of {allowed}{suggestion(text, words)}")
        return value

    return read


def text(text: str) -> str | Mistake:
    """Any text that is not empty and holds no NUL."""
    if not text or "\0" in text:
        return Mistake("is empty or holds a NUL character; write some text")
    return text


def line(line: str) -> str | Mistake:
    """Text on one line without control characters."""
    if not line or not all(character.isprintable() for character in line):
        return Mistake("is empty or holds a control character; write one line of text")
    return line


def name(text: str) -> str | Mistake:
    """What people call a repository, in messages and on the command line."""
    if isinstance(line(text), Mistake) or "/" in text or text[0] == "-" or text in (".", ".."):
        hint = "write a short name without a slash that does not begin with -"
        return Mistake(f"{shown(text)} is no name; {hint}")
    return text if len(text.encode(errors="replace")) <= 200 else Mistake("is too long for a name")


def ref(text: str) -> str | Mistake:
    """A branch or remote as git allows it (git-check-ref-format(1)), and no option."""
    if "://" in text or re.match(r"[^/]*@.*:|[\w.-]+:[^:]", text):  # it may hold a password
        how = "write the name of a remote, which has its address from `git remote add NAME ADDRESS`"
        return Mistake(f"is an address; {how}")
    bad = re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|/\.|[/.]$|\.lock(/|$)", text)
    if not text or text == "@" or bad:
        return Mistake(
            f"{shown(text)} is no name that git allows; write one such as main or origin"
        )
    return text


def message(text: str) -> str | Mistake:
    """A commit message with {placeholders}; other braces are braces."""
    for word in re.findall(r"\{(\w+)\}", text):
        if word not in PLACEHOLDERS:
            known = " ".join(sorted(PLACEHOLDERS))
            near = suggestion(word, PLACEHOLDERS)
            return Mistake(f"{{{word[:40]}}} is no placeholder{near}; known are {known}")
    return text if text.strip() and "\0" not in text else Mistake("is empty; write {summary}")


def server(port: int) -> Reader:
    """A reader of HOST, HOST:PORT or [IPv6]:PORT; the value is (host, port)."""
    form = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([\w.-]+))(?::(\d{1,5}))?")

    def read(text: str) -> tuple[str, int] | Mistake:
        match = form.fullmatch(text)
        number = int(match[3] or port) if match else 0
        if not match or not 0 < number < 65536:  # the text may hold a password: it is not shown
            return Mistake(f"is no server; write HOST or HOST:PORT, such as example.org:{port}")
        return (match[1] or match[2], number)

    return read


def alert_kinds(words: tuple[str, ...]) -> frozenset[AlertKind] | Mistake:
    """What the list `alerts:` of a repository adds up to."""
    if "none" in words or "everything" in words:
        if len(set(words)) > 1:
            return Mistake("none and everything stand alone; write one of them, or a list of kinds")
        return frozenset(AlertKind) if "everything" in words else frozenset()
    return frozenset(AlertKind(word) for word in words)


def alert_kinds_text(kinds: frozenset[AlertKind]) -> str:
    """The list as it would be written."""
    words = [kind.value for kind in AlertKind if kind in kinds]
    return f"[{', '.join(words)}]" if words else "none"
