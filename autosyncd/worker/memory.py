"""What a worker must still know after a restart: a pause, and questions that were answered."""

import json
import logging
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autosyncd import clock
from autosyncd.service.journal import fields
from autosyncd.vcs.statefile import replace
from autosyncd.worker.events import Recalled

log = logging.getLogger("autosyncd")


@dataclass(slots=True)
class Memory:
    """As it is written down. `paused_until` is wall clock seconds: it must outlive a reboot."""

    paused_until: float | None = None
    """None: not paused; infinity: until resumed."""
    allowed: list[str] = field(default_factory=list)


class MemoryFile:
    """Where the memory of one repository lies; that is known once its tree was looked at."""

    def __init__(self, repository: str) -> None:
        self._repository = repository
        self._file: Path | None = None
        self._early: tuple[float, frozenset[str]] | None = None
        """What was to be remembered before that."""

    def recall(self, state_folder: bytes) -> Recalled | None:
        """What was remembered before this worker began, if anything was, or has been said since; only
        the first call says it."""
        if self._file is not None:
            return None
        self._file = Path(os.fsdecode(state_folder), "worker.json")
        memory = _read(self._file)
        if self._early is not None:
            paused_until, allowed = self._early
            self.remember(paused_until, allowed | frozenset(memory.allowed))
            return Recalled(paused_until, allowed | frozenset(memory.allowed))
        left = _paused_for(memory, clock.wall())
        if left is None and not memory.allowed:
            return None
        until = -math.inf if left is None else clock.now() + left
        return Recalled(until, frozenset(memory.allowed))

    def remember(self, paused_until: float, allowed: frozenset[str]) -> None:
        """Write it down (`paused_until`: seconds of clock.now()). A full disk costs the memory, not the
        worker."""
        if self._file is None:
            self._early = paused_until, allowed
            return
        left = paused_until - clock.now()
        memory = Memory(clock.wall() + left if left > 0 else None, sorted(allowed))
        try:
            _write(self._file, memory)
        except OSError as reason:
            text = f"The pause or answer can't be remembered over a restart: {reason}"
            log.warning("%s", text, extra=fields(repo=self._repository))


def _read(file: Path) -> Memory:
    """What was remembered; nothing when there is nothing readable."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Memory()
    match stored:
        case {"paused_until": None | int() | float() as until, "allowed": [*allowed]}:
            return Memory(until, [kind for kind in allowed if isinstance(kind, str)])
    return Memory()


def _write(file: Path, memory: Memory) -> None:
    """Whole or not at all."""
    if memory == Memory():
        file.unlink(missing_ok=True)
        return
    replace(file, json.dumps(asdict(memory)).encode("ascii"), durable=False)


def _paused_for(memory: Memory, wall: float) -> float | None:
    """Seconds a remembered pause still lasts; None: it is over, or there was none."""
    if memory.paused_until is None or memory.paused_until <= wall:
        return None
    return math.inf if memory.paused_until == math.inf else memory.paused_until - wall
