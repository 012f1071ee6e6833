"""Pure: which alerts become bubbles, so that a person is told once and is not buried.

The newest alert of a repository and topic replaces its bubble. The same text is not shown again
within ten minutes; one that comes back after its bubble was closed, and stays, is shown when they
are over. At most five bubbles a minute: what comes beyond is gathered into one, "and 7 more".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import MappingProxyType

from autosyncd.link.outside import (
    Alert,
)
from autosyncd.model import AlertKind

AGAIN_AFTER = 600.0
"""Seconds before the same text is shown a second time."""
BUBBLES = 5
"""Bubbles shown within any WINDOW."""
WINDOW = 60.0
GATHER = 5.0
"""Seconds to wait for more when there are too many, so that one bubble counts them all."""

Key = tuple[str, str]
"""Repository and topic: what a bubble is known by."""
MORE: Key = ("", "more")


class Urgency(IntEnum):
    """Levels of the Desktop Notifications Specification; a critical bubble stays until closed."""

    LOW = 0
    NORMAL = 1
    CRITICAL = 2


URGENCY = {
    AlertKind.PROBLEM: Urgency.CRITICAL,
    AlertKind.CONFLICT: Urgency.NORMAL,
    AlertKind.PULLED: Urgency.LOW,
    AlertKind.PUSHED: Urgency.LOW,
}


@dataclass(frozen=True, slots=True)
class ShowBubble:
    """Show this bubble, in the place of the one with the same key."""

    key: Key
    title: str
    text: str
    urgency: Urgency


@dataclass(frozen=True, slots=True)
class CloseBubble:
    """Close the bubble with this key, if there is one."""

    key: Key


@dataclass(frozen=True, slots=True)
class LastSaid:
    """What a bubble said last; kept after it was closed, until AGAIN_AFTER is over."""

    title: str
    text: str
    at: float
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Delayed:
    """An alert that is not shown yet."""

    alert: Alert
    due: float


@dataclass(frozen=True, slots=True)
class Bubbles:
    """What was shown and what waits; times are seconds of the caller's clock."""

    said: Mapping[Key, LastSaid] = field(default_factory=lambda: MappingProxyType({}))
    waiting: Mapping[Key, Delayed] = field(default_factory=lambda: MappingProxyType({}))
    shown_at: tuple[float, ...] = ()


Answer = tuple[Bubbles, tuple[ShowBubble | CloseBubble, ...]]


def _key(alert: Alert) -> Key:
    return (alert.repository, alert.topic)


def _without(mapping: Mapping[Key, Delayed], key: Key) -> dict[Key, Delayed]:
    return {other: value for other, value in mapping.items() if other != key}


def _forget_old(state: Bubbles, now: float) -> Bubbles:
    said = {
        key: said
        for key, said in state.said.items()
        if not said.closed or said.at + AGAIN_AFTER > now
    }
    return replace(
        state, said=said, shown_at=tuple(at for at in state.shown_at if at + WINDOW > now)
    )


def _room_at(state: Bubbles) -> float | None:
    """When there is room for one more bubble; None: now. After `_forget_old`."""
    return state.shown_at[-BUBBLES] + WINDOW if len(state.shown_at) >= BUBBLES else None


def _show(state: Bubbles, alert: Alert, now: float) -> Answer:
    key = _key(alert)
    said = {**state.said, key: LastSaid(alert.title, alert.text, now)}
    shown = ShowBubble(key, alert.title, alert.text, URGENCY[alert.kind])
    state = replace(
        state,
        said=said,
        waiting=_without(state.waiting, key),
        shown_at=(*state.shown_at, now),
    )
    return state, (shown,)


def _wait(state: Bubbles, alert: Alert, due: float) -> Answer:
    waiting = {**state.waiting, _key(alert): Delayed(alert, due)}
    return replace(state, waiting=waiting), ()


def alerted(state: Bubbles, alert: Alert, now: float) -> Answer:
    """What an alert shows now, or when it waits (see the module)."""
    state = _forget_old(state, now)
    said = state.said.get(_key(alert))
    if said and (said.title, said.text) == (alert.title, alert.text):
        if said.closed:
            return _wait(state, alert, said.at + AGAIN_AFTER)
        if said.at + AGAIN_AFTER > now:
            return replace(state, waiting=_without(state.waiting, _key(alert))), ()
    if room := _room_at(state):
        return _wait(state, alert, max(now + GATHER, room))
    return _show(state, alert, now)


def withdrawn(state: Bubbles, key: Key, now: float) -> Answer:
    """Close the bubble of a reason that is gone, and show no more of what waits for it."""
    state = replace(_forget_old(state, now), waiting=_without(state.waiting, key))
    said = state.said.get(key)
    if said is None or said.closed:
        return state, ()
    return replace(state, said={**state.said, key: replace(said, closed=True)}), (CloseBubble(key),)


def gone(state: Bubbles, repository: str, now: float) -> Answer:
    """Withdraw everything a repository has shown or wants to show."""
    commands: tuple[ShowBubble | CloseBubble, ...] = ()
    keys = {*state.said, *state.waiting}
    for key in sorted(key for key in keys if key[0] == repository):
        state, more = withdrawn(state, key, now)
        commands += more
    return state, commands


def ripened(state: Bubbles, now: float) -> Answer:
    """What is shown because its waiting is over: one alert as it is, several as their number."""
    due = [waiting.alert for waiting in state.waiting.values() if waiting.due <= now]
    if not due:
        return state, ()
    state = _forget_old(state, now)
    if room := _room_at(state):
        later = {_key(alert): Delayed(alert, room) for alert in due}
        return replace(state, waiting={**state.waiting, **later}), ()
    if len(due) == 1:
        return _show(state, due[0], now)
    said = {_key(alert): LastSaid(alert.title, alert.text, now) for alert in due}
    waiting = {key: value for key, value in state.waiting.items() if key not in said}
    names = ", ".join(sorted({alert.repository or "autosyncd" for alert in due}))
    text = f"and {len(due)} more: {names}. `autosyncctl status` shows where each of them stands."
    urgency = max(URGENCY[alert.kind] for alert in due)
    state = replace(
        state,
        said={**state.said, **said},
        waiting=waiting,
        shown_at=(*state.shown_at, now),
    )
    return state, (ShowBubble(MORE, "autosync", text, urgency),)


def deadline(state: Bubbles) -> float | None:
    """When `ripened` has something to do next."""
    return min((waiting.due for waiting in state.waiting.values()), default=None)
