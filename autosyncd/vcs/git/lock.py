"""The person's index.lock: taken only for an instant, and known to be ours after a crash.

The lock file is made elsewhere, what identifies it written down, and only then linked into place; so
whatever kills us, the next start can tell our own stale lock from somebody else's. A lock that isn't
ours is never touched, however old it is.

An inode's number alone would not do: file systems give it to the next file as soon as it is free, which
may be the lock of a person's git that runs when we start again. So the record holds when it was written
as well, and its device as long as that can't have another number (until the next boot). The record is
the text of a symbolic link: unlike a file's bytes it can't come back empty from a power cut, and it is
never younger on disk than the lock, without waiting for the disk.
"""

import contextlib
import errno
import os
from dataclasses import dataclass
from pathlib import Path

from autosyncd.errors import AutosyncError
from autosyncd.vcs.git.disk import RENAME_NOREPLACE, Place, rename
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.session import boot_id

NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What a file system says that has no hard links (exFAT, vfat, many of FUSE)."""
AT_FDCWD = -100


class IndexBusy(AutosyncError):
    """Another git command holds the lock."""


class IndexLock:
    """Held inside a `with`; publish() makes a finished index the person's own on leaving."""

    def __init__(self, repository: Repository) -> None:
        self._lock = repository.index + b".lock"
        self._index = repository.index
        self._record = repository.state + b"/lock-owner"
        self._made = repository.state + b"/lock.new"
        self._ready: bytes | None = None

    def __enter__(self) -> "IndexLock":
        """Raises IndexBusy."""
        if os.path.lexists(self._lock):
            raise IndexBusy  # without a word on the record: it may be about this very lock
        _unlink(self._made)
        handle = os.open(self._made, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        self._mark = _Mark.of(os.fstat(handle))
        os.close(handle)
        _write_record(self._record, [self._mark])
        try:
            self._take()
        except FileExistsError:
            self._forget()
            raise IndexBusy from None
        finally:
            _unlink(self._made)
        return self

    def _take(self) -> None:
        """The lock's name for what was made, if it is free. Raises FileExistsError."""
        try:
            os.link(self._made, self._lock)
        except OSError as problem:
            if problem.errno not in NO_LINKS:
                raise
        else:
            return
        try:
            rename(Place(AT_FDCWD, self._made), Place(AT_FDCWD, self._lock), RENAME_NOREPLACE)
        except OSError as problem:
            if problem.errno not in NO_LINKS:
                raise
        else:
            return
        # a kill before the record is written leaves a lock of which nobody knows whose it is
        handle = os.open(self._lock, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        self._mark = _Mark.of(os.fstat(handle))
        os.close(handle)
        _write_record(self._record, [self._mark])

    def publish(self, index: bytes) -> None:
        """On leaving without an exception, this file becomes the index."""
        self._ready = index

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if self._ready is not None and kind is None:
                _write_record(self._record, [self._mark, _Mark.of(os.stat(self._ready))])
                os.rename(self._ready, self._lock)  # the lock's name is never free in between
                os.rename(self._lock, self._index)
            else:
                os.unlink(self._lock)
        except OSError:  # the journal knows what is still to be done; nobody shall wait for that
            _unlink(self._lock)
            raise
        finally:
            self._forget()

    def _forget(self) -> None:
        """Unless the lock could not be taken away, which the next start tries again."""
        with contextlib.suppress(OSError):
            found = os.stat(self._lock)
            if any(mark.is_on(found, same_boot=True) for mark in _read_record(self._record)[1]):
                return
        _unlink(self._record)


@dataclass(frozen=True, slots=True)
class _Mark:
    """What a file is known by, whatever name it has."""

    inode: int
    written: int
    """mtime in ns; a link or a rename leaves it alone."""
    device: int

    @classmethod
    def of(cls, found: os.stat_result) -> "_Mark":
        return cls(found.st_ino, found.st_mtime_ns, found.st_dev)

    def is_on(self, found: os.stat_result, *, same_boot: bool) -> bool:
        """Whether this is that file; a device may have another number after a boot."""
        same = (self.inode, self.written) == (found.st_ino, found.st_mtime_ns)
        return same and (not same_boot or self.device == found.st_dev)


def _write_record(record: bytes, marks: list[_Mark]) -> None:
    """Whole or not at all: there is no instant at which the lock is ours and nobody knows."""
    text = " ".join([boot_id(), *(f"{one.inode}:{one.written}:{one.device}" for one in marks)])
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record + b".new")
    try:
        os.symlink(text, record + b".new")
    except OSError:  # a file system without links
        Path(os.fsdecode(record + b".new")).write_text(text, encoding="ascii")
    os.rename(record + b".new", record)


def _read_record(record: bytes) -> tuple[str, list[_Mark]]:
    """The boot it was written in, and the lock, then what is to become the index; nothing when there
    is none, or it is damaged."""
    try:
        text = os.fsdecode(os.readlink(record))
    except OSError:
        try:
            text = Path(os.fsdecode(record)).read_text(encoding="ascii")
        except (OSError, ValueError):
            return "", []
    boot, *words = text.split() or [""]
    try:
        return boot, [_Mark(*map(int, word.split(":"))) for word in words[:2]]
    except (ValueError, TypeError):
        return "", []


def recover(repository: Repository) -> bool:
    """Remove our own lock of a run that was killed; whether there was one."""
    record = repository.state + b"/lock-owner"
    lock = repository.index + b".lock"
    boot, marks = _read_record(record)
    try:
        found = os.stat(lock)
    except FileNotFoundError:
        ours = []
    else:
        ours = [one for one in marks if one.is_on(found, same_boot=boot == boot_id())]
    if ours and ours == marks[1:]:
        os.rename(lock, repository.index)  # the branch has moved already: its index follows
    elif ours:
        os.unlink(lock)
    _unlink(record)
    return bool(ours)


def _unlink(path: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
