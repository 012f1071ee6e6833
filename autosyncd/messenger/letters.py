"""Pure: which alerts become letters: chat messages to a person who may be anywhere.

A letter leaves the machine and rings a telephone, so there are few: what comes within some seconds
goes into one, at most one goes a minute and ten an hour, and what does not fit is counted in the
next. The same text is not written again within an hour, unless it was over in between; what is over
before its letter goes is not written at all. No letter holds a user or a password of an address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from autosyncd.link.outside import (
    Alert,
    Withdraw,
)
from autosyncd.redaction import without_secrets

GATHER = 10.0
"""Seconds to wait for more, so that one letter holds what belongs together."""
BETWEEN = 60.0
"""Seconds between two letters."""
AN_HOUR, PER_HOUR = 3600.0, 10
LINES = 10
"""Alerts that are spelt out in one letter."""
LINE_LENGTH = 300
"""Characters of one alert."""
WAITING = 50
"""Alerts that wait; of more, the oldest are only counted."""
ABOUT_LETTERS = "xmpp"
"""The topic of an alert that no letter can carry: that letters can't be sent."""

Key = tuple[str, str]
"""Repository and topic: what an alert is known by."""


@dataclass(frozen=True, slots=True)
class Write:
    """Send this person a chat message."""

    to: str
    text: str


@dataclass(frozen=True, slots=True)
class Letters:
    """What was written and what waits; times are seconds of the caller's clock."""

    to: str
    host: str
    """This machine's name, as the person knows it."""
    waiting: Mapping[Key, Alert] = field(default_factory=lambda: MappingProxyType({}))
    left_out: int = 0
    due: float | None = None
    said: Mapping[Key, tuple[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    """What was written of each, and when."""
    written_at: tuple[float, ...] = ()


Answer = tuple[Letters, tuple[Write, ...]]


def step(state: Letters, message: Alert | Withdraw | None, now: float) -> Answer:
    """What becomes of an alert, of its end, or (None) of time that has passed."""
    match message:
        case Alert():
            return alerted(state, message, now), ()
        case Withdraw(repository, topic):
            return withdrawn(state, (repository, topic)), ()
        case None:
            return ripened(state, now)


def alerted(state: Letters, alert: Alert, now: float) -> Letters:
    """It will be in the next letter, in the place of an older one of its kind."""
    key = (alert.repository, alert.topic)
    if key == ("", ABOUT_LETTERS):
        return state
    state = _forget_old(state, now)
    if alert.said:  # by the messenger before
        state = replace(state, said={**state.said, key: (_line(alert), now)})
    waiting = {other: one for other, one in state.waiting.items() if other != key}
    if state.said.get(key, ("", 0.0))[0] == _line(alert):
        return _settled(replace(state, waiting=waiting))
    waiting[key] = alert
    beyond = list(waiting)[:-WAITING]
    for old in beyond:
        del waiting[old]
    due = state.due if state.due is not None else max(now + GATHER, _room_at(state, now))
    return replace(state, waiting=waiting, left_out=state.left_out + len(beyond), due=due)


def withdrawn(state: Letters, key: Key) -> Letters:
    """The reason is gone: what was not written yet is not written any more."""
    waiting = {other: one for other, one in state.waiting.items() if other != key}
    said = {other: what for other, what in state.said.items() if other != key}
    return _settled(replace(state, waiting=waiting, said=said))


def gone(state: Letters, repository: str) -> Letters:
    """The repository is no longer in the configuration."""
    for key in [key for key in {*state.waiting, *state.said} if key[0] == repository]:
        state = withdrawn(state, key)
    return state


def ripened(state: Letters, now: float) -> Answer:
    """The letter whose time has come."""
    if state.due is None or state.due > now:
        return state, ()
    state = _forget_old(state, now)
    if (room := _room_at(state, now)) > now:
        return replace(state, due=room), ()
    lines = {key: _line(alert) for key, alert in state.waiting.items()}
    written = replace(
        state,
        waiting={},
        left_out=0,
        due=None,
        said={**state.said, **{key: (line, now) for key, line in lines.items()}},
        written_at=(*state.written_at, now),
    )
    return written, (Write(state.to, _text(state, list(lines.values()))),)


def deadline(state: Letters) -> float | None:
    """When `ripened` has something to do next."""
    return state.due


def _settled(state: Letters) -> Letters:
    """Nothing to write is no letter."""
    return state if state.waiting or state.left_out else replace(state, due=None)


def _forget_old(state: Letters, now: float) -> Letters:
    said = {key: what for key, what in state.said.items() if what[1] + AN_HOUR > now}
    written = tuple(at for at in state.written_at if at + AN_HOUR > now)
    return replace(state, said=said, written_at=written)


def _room_at(state: Letters, now: float) -> float:
    """When the next letter may go. After `_forget_old`."""
    times = [now]
    if state.written_at:
        times.append(state.written_at[-1] + BETWEEN)
    if len(state.written_at) >= PER_HOUR:
        times.append(state.written_at[-PER_HOUR] + AN_HOUR)
    return max(times)


def _line(alert: Alert) -> str:
    """One alert on one line."""
    said = alert.text if alert.text.startswith(alert.title) else f"{alert.title}: {alert.text}"
    line = without_secrets(" ".join(said.split()))
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 1] + "…"


def _text(state: Letters, lines: list[str]) -> str:
    left_out = state.left_out + len(lines[LINES:])
    shown = [f"autosync on {state.host}:", *lines[-LINES:]]
    if left_out:
        shown.append(f"and {left_out} more; `autosyncctl status` there shows how all is.")
    return "\n".join(shown)
