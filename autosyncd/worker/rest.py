"""When a shift ends for want of work (keeper.py says why)."""

from autosyncd.worker.state import NEVER
from autosyncd.worker.watching import Watching

LINGER = 5.0
"""Seconds without anything to do after which a shift ends."""
WORTH_RESTING = 5.0
"""Seconds; what is due sooner is waited for."""
FOLDERS_TO_HAND_OVER = 5000
"""A larger tree's map would take longer to hand over than its memory is worth."""


class Rest:
    """How long there was nothing to do."""

    def __init__(self) -> None:
        self.due = NEVER
        """When the shift is to end, if nothing comes before (seconds of clock.now())."""

    def look(self, now: float, *, may_end: bool, stirred: bool) -> None:
        """After each turn of the loop. `may_end`: nothing would be missed; `stirred`: it has heard
        something."""
        if not may_end:
            self.due = NEVER
        elif stirred or self.due == NEVER:
            self.due = now + LINGER


def next_sees_all(watching: Watching, inherited: int | None) -> bool:
    """Whether the next shift misses nothing of the tree. `inherited`: the descriptor of the inotify
    instance that it has too."""
    return (
        watching.patience == NEVER
        and watching.fileno() in (None, inherited)
        and watching.folders <= FOLDERS_TO_HAND_OVER
    )
