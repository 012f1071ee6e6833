"""Pure: what was announced a short while ago, for those who could not hear it then."""

from dataclasses import dataclass, replace

from autosyncd.model import Channel, PushNotice

KEPT_FOR = 60.0
"""Seconds in which a notice is also owed to a peer that comes later: what was said to it before may
have been lost with its session, or with ours."""
KEPT_LIMIT = 1000

Key = tuple[tuple[Channel, ...], str]
"""Channels and branch: what a newer notice takes the place of."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """A notice, and since when it counts as announced."""

    notice: PushNotice
    at: float
    again: bool = False
    """Announced by a second session already."""


class Recent:
    """What was announced a short while ago, or while there was no session to announce it by."""

    def __init__(self) -> None:
        self._kept: dict[Key, Remembered] = {}
        self._away = True

    def put(self, notice: PushNotice, *, now: float) -> None:
        """Remember it as the newest of its channels and branch."""
        key = (notice.channels, notice.branch)
        self._kept.pop(key, None)
        self._kept[key] = Remembered(notice, now)
        if len(self._kept) > KEPT_LIMIT:
            del self._kept[next(iter(self._kept))]

    def fresh(self, *, now: float) -> list[PushNotice]:
        """All of it that is not too old, the oldest first."""
        self._kept = {key: one for key, one in self._kept.items() if now - one.at <= KEPT_FOR}
        return [one.notice for one in self._kept.values()]

    def lost(self, *, now: float) -> None:
        """The session is over: what is fresh now may have died with it, and waits however long."""
        if not self._away:
            self.fresh(now=now)
        self._away = True

    def began(self, *, now: float) -> None:
        """A session: what has waited counts as announced now, but no notice does so twice."""
        self._away = False
        for key, one in self._kept.items():
            if not one.again:
                self._kept[key] = replace(one, at=now, again=True)
