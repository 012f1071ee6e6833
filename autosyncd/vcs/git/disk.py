"""What lies on disk under a name, as git would call it, and the three system calls Python lacks."""

import ctypes
import errno
import hashlib
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
"""Flags of renameat2(2)."""
PLAIN = 0
"""rename(2) into a batch, where no other name is taken. What stands in for RENAME_NOREPLACE would
unlink a name in the tree that somebody may have taken anew."""
UNKNOWN_FLAG = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""What renameat2(2) says where it knows a flag not. (A name that can't be is EINVAL too: then link(2)
fails as well.)"""
CHUNK = 1 << 20
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


class NoExchange(OSError):
    """The file system can't swap two names."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a file: git's mode (`100644`, `100755`, `120000`) and the id of its bytes."""

    mode: bytes
    oid: bytes


class Kind(Enum):
    """What a name stands for on disk."""

    NOTHING = "nothing"
    FILE = "file"
    LINK = "link"
    FOLDER = "folder"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Place:
    """A name in an open folder."""

    folder: int
    """The folder's descriptor."""
    name: bytes

    def stat(self) -> os.stat_result | None:
        """lstat(2), or None when there is nothing."""
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def kind(self) -> Kind:
        """What is there now."""
        found = self.stat()
        if found is None:
            return Kind.NOTHING
        if stat.S_ISREG(found.st_mode):
            return Kind.FILE
        if stat.S_ISLNK(found.st_mode):
            return Kind.LINK
        return Kind.FOLDER if stat.S_ISDIR(found.st_mode) else Kind.OTHER

    def unlink(self) -> None:
        """unlink(2); only for what is proved to be in history."""
        os.unlink(self.name, dir_fd=self.folder)


def rename(source: Place, target: Place, flags: int) -> None:
    """renameat2(2): RENAME_EXCHANGE swaps two names, RENAME_NOREPLACE fails if the target exists.

    Where the file system (FUSE, old network ones) knows no RENAME_NOREPLACE, link(2) stands in for
    it: that never replaces either. Raises OSError, NoExchange where two names can't be swapped.
    """
    if not _libc.renameat2(source.folder, source.name, target.folder, target.name, flags):
        return
    number = ctypes.get_errno()
    if number not in UNKNOWN_FLAG:
        raise OSError(number, os.strerror(number), os.fsdecode(target.name))
    if flags == RENAME_EXCHANGE:
        raise NoExchange(number, os.strerror(number), os.fsdecode(target.name))
    _link_and_unlink(source, target)


def _link_and_unlink(source: Place, target: Place) -> None:
    """Raises OSError where there are no links either: then no new name can be taken safely."""
    os.link(
        source.name,
        target.name,
        src_dir_fd=source.folder,
        dst_dir_fd=target.folder,
        follow_symlinks=False,
    )
    source.unlink()


def flush(folder: int) -> None:
    """syncfs(2): everything written to this file system so far survives a power cut."""
    if _libc.syncfs(folder):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Hasher:
    """Ids of raw bytes, in the repository's hash (gitformat-loose(5): `blob SIZE NUL BYTES`)."""

    def __init__(self, object_format: str) -> None:
        self._new = hashlib.sha256 if object_format == "sha256" else hashlib.sha1

    def of_bytes(self, data: bytes) -> bytes:
        """The id of these bytes as a blob."""
        return self._new(b"blob %d\0" % len(data) + data).hexdigest().encode()

    def of_file(
        self,
        handle: int,
        give_up: Callable[[], bool] = lambda: False,
        found: os.stat_result | None = None,
    ) -> Version | None:
        """The version in an open regular file (`found`: its fstat(2), if that is known); None when
        it changed size under the hashing, or when `give_up`, asked after each MiB, says so."""
        found = found or os.fstat(handle)
        left = found.st_size
        digest = self._new(b"blob %d\0" % left)
        # asked for one byte more than there should be: so one call sees the end as well
        while data := os.pread(handle, min(CHUNK, left + 1), found.st_size - left):
            left -= len(data)
            if left < 0 or give_up():
                return None
            digest.update(data)
            if not left and len(data) < CHUNK:
                break
        if left:
            return None
        mode = b"100755" if found.st_mode & 0o100 else b"100644"
        return Version(mode, digest.hexdigest().encode())

    def of_link(self, place: Place) -> Version:
        """The version that a symbolic link is."""
        text = os.readlink(place.name, dir_fd=place.folder)
        return Version(b"120000", self.of_bytes(text))


def absent(problem: OSError) -> bool:
    """Whether the name, or a folder on the way to it, isn't there (any more)."""
    return problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
