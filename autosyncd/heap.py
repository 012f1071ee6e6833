"""What malloc(3) keeps for later goes back to the system."""

import ctypes
from collections.abc import Callable

_trim: Callable[[int], int] | None
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # only glibc has it


def trim() -> None:
    """Whole free pages, wherever they lie (malloc_trim(3)); some milliseconds."""
    if _trim is not None:
        _trim(0)
