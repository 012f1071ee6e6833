"""The log of HEAD, watched beside the tree: git writes a line there whenever the branch moves.

A person's own commit changes no file that the tree's watch would tell. The log's folder is watched in
the same inotify instance, as there may be a hundred trees and only 128 instances (inotify(7)); so its
events are picked out on their way to the tree's watch, which knows nothing of them and passes over them.
"""

import os
from collections.abc import Iterator

from autosyncd.watch.instance import IGNORED, Instance, Refusal


class Tapped(Instance):
    """An inotify instance, in which one more file is watched than whoever uses it knows."""

    def __init__(self, under: Instance) -> None:
        self._under = under
        self._file: bytes | None = None
        self._wd: int | None = None
        self._written = False

    @property
    def error(self) -> int | None:  # type: ignore[override]
        """The errno of the last open()."""
        return self._under.error

    def listen(self, file: bytes) -> None:
        """The file, from now on; its folder may come into being later."""
        old, self._file, self._wd = self._wd, file or None, None
        self._watch()
        if old not in (None, self._wd):
            self._under.remove(old)

    def written(self) -> bool:
        """Whether somebody has written to it since this was asked last."""
        written, self._written = self._written, False
        return written

    def open(self) -> bool:
        """Whether there is an instance now."""
        return self._under.open()

    def close(self) -> None:
        """End all watches."""
        self._under.close()

    def fileno(self) -> int | None:
        """What to select on."""
        return self._under.fileno()

    def add(self, folder: bytes) -> int | Refusal:
        """Watch a folder of the tree."""
        return self._under.add(folder)

    def remove(self, wd: int) -> None:
        """End a watch."""
        if wd != self._wd:
            self._under.remove(wd)

    def events(self) -> Iterator[tuple[int, int, bytes]]:
        """All that is in the queue now."""
        self._watch()
        for wd, mask, name in self._under.events():
            if wd == self._wd and self._file is not None:
                self._written |= name == os.path.basename(self._file)
                self._wd = None if mask & IGNORED else self._wd
            yield wd, mask, name

    def _watch(self) -> None:
        if self._wd is None and self._file is not None:
            wd = self._under.add(os.path.dirname(self._file))
            self._wd = None if isinstance(wd, Refusal) else wd
