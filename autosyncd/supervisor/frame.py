"""What the supervisor's loop is set into; main.py sets it into the real thing, tests into another."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from autosyncd.config.settings import Configuration
from autosyncd.link.channel import Link
from autosyncd.model import OutsideConfig
from autosyncd.supervisor.child import Limits
from autosyncd.supervisor.pulse import READY_AFTER
from autosyncd.supervisor.whereabouts import WorkerEntry


@dataclass(frozen=True, slots=True)
class Entries:
    """What the children run."""

    worker: WorkerEntry
    messenger: Callable[[OutsideConfig, Link], int]
    afterwards: Callable[[], None] = lambda: None
    """Called in the supervisor when none is left: ends what was kept for those that might come."""


class Watch(Protocol):
    """Who notices that the configuration changed (config/watch.py)."""

    def fileno(self) -> int: ...
    def changed(self) -> bool: ...


@dataclass(frozen=True)
class Frame:
    """All that the loop does not make itself."""

    read: Callable[[Configuration | None], Configuration]
    """The configuration as it is now, given what held before."""
    entries: Entries
    host: str
    watch: Watch | None = None
    limits: Limits = field(default_factory=Limits)
    messenger_limits: Limits = field(default_factory=lambda: Limits(grace=3.0))
    ready_after: float = READY_AFTER
    upgraded: Callable[[], bool] = lambda: False
    """Whether another version of the program lies where this one was started from."""
