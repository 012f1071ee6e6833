"""Work that may take all of a processor runs behind whatever a person does there."""

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

NICENESS = 15

T = TypeVar("T")


def at_low_priority(work: Callable[[], T], *, wanted: bool = True) -> T:
    """Run it, and the children it starts, behind everything else, if that is wanted; what it raises is
    raised here.

    On Linux niceness (and by it the priority of input and output, ioprio_set(2)) is of a thread, and
    nobody but root can take it back: so it is a thread that ends with the work (setpriority(2)).
    """
    if not wanted:
        return work()
    with ThreadPoolExecutor(1, initializer=_be_nice) as thread:
        return thread.submit(work).result()


def _be_nice() -> None:
    """Nicer than the process may be already, never less so (root could)."""
    thread = threading.get_native_id()
    with contextlib.suppress(OSError):
        nice = max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread))
        os.setpriority(os.PRIO_PROCESS, thread, nice)
