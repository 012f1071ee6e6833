"""Pure: trouble that others make at will, told without filling the journal."""

from collections import Counter

COMPLAIN_EVERY = 60.0
"""Seconds in which one kind of trouble gets one line in the log, and one more with the count."""


class Complaints:
    """Trouble worth a line in the log, but not a line each time."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        self._held_back: Counter[str] = Counter()

    def note(self, kind: str, *, now: float, times: int = 1) -> bool:
        """Whether to log this one; else it is counted. `kind` is a phrase for the log."""
        if kind in self._until:
            self._held_back[kind] += times
            return False
        self._until[kind] = now + COMPLAIN_EVERY
        return True

    def deadline(self) -> float | None:
        """When `due` has something to do."""
        return min(self._until.values(), default=None)

    def due(self, *, now: float) -> list[str]:
        """The lines that tell how often each kind came again since its line."""
        over = [kind for kind, until in self._until.items() if until <= now]
        for kind in over:
            if self._held_back[kind]:
                self._until[kind] = now + COMPLAIN_EVERY
            else:
                del self._until[kind]
        counts = [(kind, self._held_back.pop(kind, 0)) for kind in over]
        return [f"{kind}: {count} more in the last minute" for kind, count in counts if count]
