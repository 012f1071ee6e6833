"""Seeing the moment at which something becomes true on disk: told by the kernel, not by polling."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from inotify_simple import INotify, flags

_NEWS = flags.CLOSE_WRITE | flags.MOVED_TO | flags.MODIFY


class Lookout:
    """Looks again whenever a file in one of these folders is written or put in place."""

    def __init__(self, *folders: Path) -> None:
        self._inotify = INotify()
        for folder in folders:
            self._inotify.add_watch(os.fspath(folder), _NEWS)

    def sees(self, probe: Callable[[], object], seconds: float = 120.0) -> float:
        """When (time.perf_counter) the probe was first true; TimeoutError after so many seconds."""
        end = time.perf_counter() + seconds
        while not probe():
            left = end - time.perf_counter()
            if left <= 0:
                raise TimeoutError(f"It did not happen within {seconds:.0f} s.")
            self._inotify.read(timeout=left * 1000)
        return time.perf_counter()

    def reads(self, path: Path, content: str, seconds: float = 120.0) -> float:
        """When the file was there with all of this content."""
        return self.sees(lambda: _text(path) == content, seconds)

    def close(self) -> None:
        """End the watches."""
        self._inotify.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
