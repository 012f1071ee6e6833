"""What a worker must still know after a restart: a pause, and questions that were answered."""

import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Memory:
    """As it is written down. `paused_until` is wall clock seconds: it must outlive a reboot."""

    paused_until: float | None = None
    """None: not paused; infinity: until resumed."""
    allowed: list[str] = field(default_factory=list)


def recall(state_folder: bytes) -> Memory:
    """What was remembered; nothing when there is nothing readable."""
    try:
        stored = json.loads(_file(state_folder).read_text(encoding="utf-8"))
        return Memory(**stored)
    except (OSError, ValueError, TypeError):
        return Memory()


def remember(state_folder: bytes, memory: Memory) -> None:
    """Write it down, whole or not at all. A full disk costs the memory, not the worker."""
    file = _file(state_folder)
    if memory == Memory():
        file.unlink(missing_ok=True)
        return
    fresh = file.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(memory)), encoding="utf-8")
    fresh.rename(file)


def paused_for(memory: Memory, wall: float) -> float | None:
    """Seconds a remembered pause still lasts; None: it is over, or there was none."""
    if memory.paused_until is None or memory.paused_until <= wall:
        return None
    return math.inf if memory.paused_until == math.inf else memory.paused_until - wall


def _file(state_folder: bytes) -> Path:
    return Path(os.fsdecode(state_folder), "worker.json")
