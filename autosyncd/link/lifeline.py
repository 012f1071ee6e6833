"""A child that does not outlive its parent (prctl(2), PR_SET_PDEATHSIG)."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up once, not in every child


def end_with_parent(parent: int, by: signal.Signals) -> bool:
    """In the child: have the kernel send this signal when `parent` ends. False: it has ended."""
    _prctl(PR_SET_PDEATHSIG, int(by))
    return os.getppid() == parent
