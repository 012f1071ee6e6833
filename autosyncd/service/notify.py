"""What systemd hears of us (sd_notify(3)): readiness, the status line, the watchdog.

sdnotify encodes Latin-1 and silently drops what it can't encode, so it is handed UTF-8 bytes that
are dressed up as Latin-1. Outside systemd ($NOTIFY_SOCKET is not set) everything here does nothing.
"""

import os
from typing import TYPE_CHECKING

from sdnotify import SystemdNotifier  # type: ignore[import-untyped]

from autosyncd.service.journal import printable

if TYPE_CHECKING:
    from collections.abc import Mapping


class Notifier:
    """The service's voice to systemd. No method raises if systemd's socket is gone."""

    def __init__(self) -> None:
        self._systemd = SystemdNotifier() if os.environ.get("NOTIFY_SOCKET") else None
        self.watchdog_every = _watchdog_every(os.environ)
        """Seconds between two calls of watchdog(); None: systemd does not ask for any."""
        self.told: dict[str, str] = {}
        """What the service manager has said in the environment, for whoever takes this one's place."""
        for variable in ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"):
            if variable in os.environ:
                self.told[variable] = os.environ.pop(
                    variable
                )  # no child is to speak for the service

    @property
    def is_heard(self) -> bool:
        """A service manager has started this process and listens."""
        return self._systemd is not None

    def ready(self) -> None:
        """The service does its work, or does it again after reloading()."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """The one line for people; line breaks and other control characters become escapes."""
        self._send(f"STATUS={printable(text)}")

    def watchdog(self) -> None:
        """The loop turns."""
        self._send("WATCHDOG=1")

    def reloading(self, monotonic_usec: int) -> None:
        """The configuration is being read again; `monotonic_usec` is clock.monotonic_usec()."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={monotonic_usec}")

    def stopping(self) -> None:
        """The service ends."""
        self._send("STOPPING=1")

    def close(self) -> None:
        """Give the descriptor back; what is said later is not heard."""
        if self._systemd is not None and self._systemd.socket is not None:
            self._systemd.socket.close()

    def _send(self, text: str) -> None:
        if self._systemd is not None:
            self._systemd.notify(text.encode().decode("latin-1"))


def _watchdog_every(environment: "Mapping[str, str]") -> float | None:
    """Half of $WATCHDOG_USEC, in seconds, if it is meant for this process (sd_watchdog_enabled)."""
    meant_for = environment.get("WATCHDOG_PID", "")
    usec = environment.get("WATCHDOG_USEC", "")
    if not usec.isdecimal() or int(usec) == 0 or meant_for not in ("", str(os.getpid())):
        return None
    return int(usec) / 2_000_000
