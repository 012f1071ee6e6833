"""Which transports are away, and what the journal hears of their coming and going.

A server that lets us in and drops us again would be two lines a minute for as long as it does so. The
first times are told, then that it goes on; after that only what is new, until the transport has stayed
as it is for a while.
"""

import logging
from dataclasses import dataclass, field
from math import inf

from autosyncd.link.outside import TransportChanged
from autosyncd.service.event import Event
from autosyncd.service.journal import fields

log = logging.getLogger("autosyncd")

TOLD = 3
"""Losses in a row that are told, and what came between them; the next one is the last of them."""
STEADY_AFTER = 600.0
"""Seconds without a change after which the next loss is the first one again."""
REASONS = 8
"""Different ones that are told in a row; a server can make up more."""


@dataclass(slots=True)
class _Spell:
    """Changes of one transport, none of them later than STEADY_AFTER after the one before."""

    began: float
    latest: TransportChanged
    since: float
    losses: int = 0
    reasons: set[str] = field(default_factory=set)

    @property
    def quiet(self) -> bool:
        """The person knows by now that it comes and goes."""
        return self.losses > TOLD

    @property
    def steady_at(self) -> float:
        """When it is over, if nothing changes until then."""
        return self.since + STEADY_AFTER


class Transports:
    """All of them, and the messenger, without which there are none. Times are those of clock.now()."""

    def __init__(self) -> None:
        self._away: dict[str, str] = {}
        self._spells: dict[str, _Spell] = {}

    def away(self) -> list[str]:
        """For the status line: a sentence for each that is not online."""
        return [f"{name}: {reason}" for name, reason in sorted(self._away.items())]

    def forget(self) -> None:
        """They are others now."""
        self._away.clear()
        self.begin_anew()

    def begin_anew(self) -> None:
        """A person has had a hand in it: what comes next is news again."""
        self._spells.clear()

    def died(self, messenger: str, text: str) -> None:
        """The messenger is gone, and with it all that was known."""
        self._away = {messenger: text}

    def begins(self, messenger: str) -> None:
        """Another one begins, and will tell of its own transports: the last words of the one before
        were about those that it had, perhaps by another configuration."""
        self._away = {name: why for name, why in self._away.items() if name == messenger}

    def lives(self, messenger: str) -> None:
        """It is there again."""
        self._away.pop(messenger, None)

    def changed(self, report: TransportChanged, now: float) -> None:
        """One came or went, or is away for another reason."""
        self._away.pop(report.transport, None)
        if not report.online:
            self._away[report.transport] = report.reason or "not connected"
        self.tick(now)
        spell = self._spells.setdefault(report.transport, _Spell(now, report, now))
        spell.latest, spell.since = report, now
        _tell(spell, now)

    def tick(self, now: float) -> None:
        """What has stayed as it is for so long is told, if that is news."""
        for name in [name for name, spell in self._spells.items() if spell.steady_at <= now]:
            spell = self._spells.pop(name)
            if spell.quiet:
                _steady(spell)

    def deadline(self) -> float:
        """When tick() has something to tell."""
        return min((spell.steady_at for spell in self._spells.values() if spell.quiet), default=inf)


def _tell(spell: _Spell, now: float) -> None:
    """Writes a line for the newest change, at the level that it is worth."""
    name, reason = spell.latest.transport, spell.latest.reason
    if spell.latest.online:
        level = logging.DEBUG if spell.quiet else logging.INFO
        log.log(level, "%s is online", name, extra=fields(event=Event.TRANSPORT, peer=name))
        return
    known = spell.quiet
    spell.losses += 1
    text = f"{name} is not online: {reason}"
    if spell.quiet and not known:
        text += (
            f" That makes {spell.losses} times within {_span(now - spell.began)}; more is said once it "
            f"has stayed online or away for {_span(STEADY_AFTER)}, or for another reason."
        )
    new = reason not in spell.reasons and len(spell.reasons) < REASONS
    if new:
        spell.reasons.add(reason)
    level = logging.WARNING if new or not known else logging.DEBUG
    log.log(level, "%s", text, extra=fields(event=Event.TRANSPORT_DOWN, peer=name))


def _steady(spell: _Spell) -> None:
    """Writes the line that the coming and going is over."""
    name, online = spell.latest.transport, spell.latest.online
    stays = f"{'is' if online else 'is not'} online for {_span(STEADY_AFTER)} by now"
    before = f"after it was lost {spell.losses} times within {_span(spell.since - spell.began)}"
    text = f"{name} {stays}, {before}" + ("" if online else f": {spell.latest.reason}")
    event = Event.TRANSPORT if online else Event.TRANSPORT_DOWN
    level = logging.INFO if online else logging.WARNING
    log.log(level, "%s", text, extra=fields(event=event, peer=name))


def _span(seconds: float) -> str:
    """How long something went on, roughly."""
    if seconds < 100:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"
