"""When systemd hears what: READY once, the status line within a second, the watchdog's beat."""

from math import inf

from autosyncd.service.notify import Notifier

READY_AFTER = 9.0
"""Seconds after which the service is ready, whoever has not answered by then. To load the program took
up to one more."""
STATUS_EVERY = 0.5
"""Seconds between two status lines."""


class Pulse:
    """Points in time are seconds of clock.now()."""

    def __init__(self, notifier: Notifier, now: float, ready_after: float = READY_AFTER) -> None:
        self._notifier = notifier
        self._ready_at = now + ready_after
        self._status = ""
        self._status_at = now - STATUS_EVERY
        self._beat_at = now
        self.ready = False
        self._late = False
        """A status line waits for its time."""

    def beat(self, now: float, *, answered: bool, status: str) -> None:
        """Say what is due; `answered`: every worker has said how its repository is."""
        if not self.ready and (answered or now >= self._ready_at):
            self.ready = True
            self._notifier.ready()
        self._late = status != self._status and now < self._status_at + STATUS_EVERY
        if status != self._status and not self._late:
            self._status, self._status_at = status, now
            self._notifier.status(status)
        every = self._notifier.watchdog_every
        if every is not None and now >= self._beat_at:
            self._beat_at = now + every
            self._notifier.watchdog()

    def deadline(self) -> float:
        """When beat() has something to say though nothing happens."""
        return min(
            inf if self.ready else self._ready_at,
            self._status_at + STATUS_EVERY if self._late else inf,
            inf if self._notifier.watchdog_every is None else self._beat_at,
        )
