"""One inotify instance: the thin edge to the kernel (inotify(7), through inotify_simple)."""

import contextlib
import errno
import os
from collections.abc import Iterator
from enum import Enum

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

# plain integers: each operation on the library's IntEnum costs more than the event it looks at
CREATE = int(flags.CREATE)
DELETE = int(flags.DELETE)
MOVED_FROM = int(flags.MOVED_FROM)
MOVED_TO = int(flags.MOVED_TO)
ATTRIB = int(flags.ATTRIB)
DELETE_SELF = int(flags.DELETE_SELF)
MOVE_SELF = int(flags.MOVE_SELF)
UNMOUNT = int(flags.UNMOUNT)
IGNORED = int(flags.IGNORED)
ISDIR = int(flags.ISDIR)
Q_OVERFLOW = int(flags.Q_OVERFLOW)

MASK = int(
    CREATE | DELETE | MOVED_FROM | MOVED_TO | ATTRIB | DELETE_SELF | MOVE_SELF
    | flags.CLOSE_WRITE | flags.MODIFY | flags.ONLYDIR | flags.DONT_FOLLOW | flags.EXCL_UNLINK
)  # fmt: skip


class Refusal(Enum):
    """Why a folder isn't watched."""

    ABSENT = "there is no folder of this name"
    UNREADABLE = "this user may not read it"
    NO_ROOM = "the kernel's limit is reached"
    FAULT = "the kernel or the file system failed"


_REFUSALS = {
    errno.ENOENT: Refusal.ABSENT,
    errno.ENOTDIR: Refusal.ABSENT,
    errno.ELOOP: Refusal.ABSENT,
    errno.EACCES: Refusal.UNREADABLE,
    errno.EPERM: Refusal.UNREADABLE,
    errno.ENOSPC: Refusal.NO_ROOM,
}


class Instance:
    """An inotify instance that may fail to open; then it watches nothing, and can be opened later."""

    def __init__(self) -> None:
        self._inotify: INotify | None = None
        self.error: int | None = None
        """The errno of the last open(), None when it succeeded."""
        self.open()

    def open(self) -> bool:
        """Whether there is an instance now; makes one if there is none."""
        if self._inotify is None:
            try:
                self._inotify = INotify()
                self.error = None
            except OSError as error:
                self.error = error.errno
        return self._inotify is not None

    def close(self) -> None:
        """End all watches."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def fileno(self) -> int | None:
        """What to select on; None while there is no instance."""
        return None if self._inotify is None else self._inotify.fileno()

    def add(self, folder: bytes) -> int | Refusal:
        """Watch the folder (absolute path). Its descriptor is the same each time it is asked for:
        that tells which folder is at a path at this moment, whatever the events said."""
        if self._inotify is None:
            return Refusal.NO_ROOM
        try:
            wd: int = self._inotify.add_watch(folder, MASK)
        except OSError as error:
            return _REFUSALS.get(error.errno or 0, Refusal.FAULT)
        return wd

    def remove(self, wd: int) -> None:
        """End a watch; no harm if the kernel has ended it already."""
        if self._inotify is not None:
            with contextlib.suppress(OSError):
                self._inotify.rm_watch(wd)

    def events(self) -> Iterator[tuple[int, int, bytes]]:
        """All that is in the queue now, without waiting: descriptor, mask, name (b"": the folder
        itself). The cookie is left out: add() tells more surely what was moved where."""
        if self._inotify is not None:
            for wd, mask, _cookie, name in self._inotify.read(timeout=0):
                yield wd, mask, os.fsencode(name)
