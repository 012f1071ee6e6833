"""The program's files are replaced while it runs: when it has to start anew, and how.

What runs goes on with what it has loaded. But a new messenger loads files of its own (asyncio and the
libraries weigh too much for the others), and those of another version do not go together with what the
supervisor has loaded. So before it would need them it ends in order, and becomes the new version under
the same process id, which no service manager takes for a failure.
"""

import contextlib
import os
import sys

import autosyncd
from autosyncd.service.notify import Notifier
from autosyncd.supervisor.descriptors import give_back


def _stamp() -> tuple[int, int, int] | None:
    """Tells one version of the program's files from another; None: there are none now."""
    try:
        found = os.stat(autosyncd.__file__)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns


def _here() -> str:
    """The current folder, or the root if that was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return "/"


class Program:
    """What was started, and where."""

    def __init__(self) -> None:
        self._folder = _here()
        self._stamp = _stamp()

    def upgraded(self) -> bool:
        """Whether another version lies there; one that is only taken away is not."""
        now = _stamp()
        return now is not None and now != self._stamp

    def start_anew(self, notifier: Notifier) -> None:
        """Become what lies there now; does not return. OSError: that can't be started."""
        with contextlib.suppress(OSError):
            os.chdir(self._folder)
        environment = {**os.environ, **notifier.told}
        give_back()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606
