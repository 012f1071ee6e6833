"""A read lease (fcntl(2), F_SETLEASE) says whether anybody has a file open for writing.

While we hold it, whoever opens the file for writing waits; F_GETLEASE then says so, and the waiter
gets the inode that he had looked up. Held for microseconds, never across a child: a lease that is
kept makes an editor wait. The kernel sends SIGIO when a lease is broken: the process must live
through that.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
from enum import Enum
from types import FrameType, TracebackType

from autosyncd.vcs.git.disk import Place

TRUSTED = {0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0x794C7630}
"""f_type of statfs(2): ext2-4, xfs, btrfs, tmpfs, overlay. Elsewhere leases are missing (NFSv3, 9p),
see local processes only (FUSE), or mean nothing (NFSv4, SMB without a delegation)."""

_libc = ctypes.CDLL(None, use_errno=True)


class Writers(Enum):
    """What can be known of those who have a file open for writing."""

    NONE = "none"
    """Nobody has, and whoever wants to waits while the lease is held."""
    SOME = "some"
    UNKNOWN = "unknown"
    """The file system, or another owner, gives no lease."""


def ignore_breaks() -> None:
    """Once per process, from its main thread: the default action of SIGIO would end it.

    By a handler: that a signal is ignored would be inherited by git and the person's hooks.
    """
    signal.signal(signal.SIGIO, _nothing)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The lease itself says that it is broken."""


def leases_work(root: bytes) -> bool:
    """Whether leases can be believed on the file system under `root`."""
    return file_system(root) in TRUSTED


def file_system(path: bytes) -> int:
    """f_type of statfs(2); 0 when it can't be had."""
    buffer = (ctypes.c_long * 32)()
    return 0 if _libc.statfs(path, buffer) else buffer[0]


class Lease:
    """An open file, with a lease on it if that can be had; to be used in a `with`."""

    def __init__(self, place: Place, *, trusted: bool) -> None:
        """Opens the file. OSError when it is gone, no file, or may not be read."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self.handle = os.open(place.name, flags, dir_fd=place.folder)
        self.writers = self._take() if trusted else Writers.UNKNOWN
        self.found = os.fstat(self.handle)
        """fstat(2), taken under the lease: while that holds, neither size nor time can change."""

    def _take(self) -> Writers:
        try:
            fcntl.fcntl(self.handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError as problem:
            if problem.errno == errno.EAGAIN:
                return Writers.SOME
            return Writers.UNKNOWN
        return Writers.NONE

    @property
    def broken(self) -> bool:
        """Somebody waits in open(2) or truncate(2) for us to let go."""
        if self.writers is not Writers.NONE:
            return False
        return fcntl.fcntl(self.handle, fcntl.F_GETLEASE) == fcntl.F_UNLCK

    @property
    def inode(self) -> int:
        """Of the open file."""
        return self.found.st_ino

    def release(self) -> None:
        """Let go. Unlocked by name: a child between fork and exec shares the open file."""
        if self.handle < 0:
            return
        if self.writers is Writers.NONE:
            with contextlib.suppress(OSError):
                fcntl.fcntl(self.handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        os.close(self.handle)
        self.handle = -1

    def __enter__(self) -> "Lease":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.release()
