"""What lies on disk under a name, as git would call it, and the three system calls Python lacks.

Paths are taken apart and every folder on the way is opened without following links (openat(2),
O_NOFOLLOW): a folder that somebody replaced by a link never leads us out of the tree.
"""

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
CHUNK = 1 << 20
MOST_OPEN = 200
"""Folders that one Folders keeps open."""
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


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

    Raises OSError; EINVAL or ENOSYS where the file system can't.
    """
    if _libc.renameat2(source.folder, source.name, target.folder, target.name, flags):
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS):
            raise OSError(number, os.strerror(number), os.fsdecode(target.name))
        if flags == RENAME_NOREPLACE:
            _rename_new(source, target)
        else:
            _rename_over(source, target)


def _rename_new(source: Place, target: Place) -> None:
    """RENAME_NOREPLACE where the file system (FUSE, old network ones) has none: link(2) never
    replaces either."""
    os.link(
        source.name,
        target.name,
        src_dir_fd=source.folder,
        dst_dir_fd=target.folder,
        follow_symlinks=False,
    )
    source.unlink()


def _rename_over(source: Place, target: Place) -> None:
    """RENAME_EXCHANGE where there is none: the old one is put aside first. If somebody takes the
    name in between, theirs stays, and what was put aside lies at `source` for the caller."""
    aside = Place(source.folder, source.name + b".new")
    os.rename(source.name, aside.name, src_dir_fd=source.folder, dst_dir_fd=source.folder)
    try:
        os.rename(target.name, source.name, src_dir_fd=target.folder, dst_dir_fd=source.folder)
        _rename_new(aside, target)
    except FileExistsError:
        raise
    except OSError:
        if source.kind() is Kind.NOTHING:
            os.rename(aside.name, source.name, src_dir_fd=source.folder, dst_dir_fd=source.folder)
        raise


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

    def of_file(self, handle: int, give_up: Callable[[], bool] = lambda: False) -> Version | None:
        """The version in an open regular file; None when it changed size under the hashing, or
        when `give_up`, asked after each MiB, says so."""
        found = os.fstat(handle)
        digest = self._new(b"blob %d\0" % found.st_size)
        offset = 0
        while data := os.pread(handle, CHUNK, offset):
            if give_up():
                return None
            digest.update(data)
            offset += len(data)
        if offset != found.st_size:
            return None
        mode = b"100755" if found.st_mode & 0o100 else b"100644"
        return Version(mode, digest.hexdigest().encode())

    def of_link(self, place: Place) -> Version:
        """The version that a symbolic link is."""
        text = os.readlink(place.name, dir_fd=place.folder)
        return Version(b"120000", self.of_bytes(text))


class Folders:
    """Open folders below one root, each opened once; close() lets go of them all."""

    def __init__(self, root: bytes) -> None:
        self._open: dict[bytes, int] = {b"": os.open(root, FOLDER_FLAGS)}

    def place(self, path: bytes, *, make: bool = False) -> Place:
        """Where `path` is. FileNotFoundError without `make`, NotADirectoryError when something that
        is no folder stands in the way."""
        parent, _, name = path.rpartition(b"/")
        return Place(self.folder(parent, make=make), name)

    def folder(self, path: bytes, *, make: bool = False) -> int:
        """The descriptor of a folder, made if that is wanted."""
        if not path:
            return self._open[path]
        parent, _, name = path.rpartition(b"/")
        above = self.folder(parent, make=make)
        known = self._open.get(path)  # only now: what is above may have been another folder
        if known is not None:
            if self._is_still(known, above, name):
                return known
            self.forget(path)
        try:
            handle = os.open(name, FOLDER_FLAGS, dir_fd=above)
        except FileNotFoundError:
            if not make:
                raise
            os.mkdir(name, dir_fd=above)
            handle = os.open(name, FOLDER_FLAGS, dir_fd=above)
        except OSError as problem:
            if problem.errno == errno.ELOOP:  # a link stands where a folder belongs
                raise NotADirectoryError(errno.ENOTDIR, "a link is in the way") from problem
            raise
        if len(self._open) > MOST_OPEN:
            self._shrink(path)
        self._open[path] = handle
        return handle

    def _is_still(self, known: int, above: int, name: bytes) -> bool:
        """Whether the open folder is the one that has this name now: it may have been moved."""
        try:
            there = os.stat(name, dir_fd=above, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(known))

    def forget(self, path: bytes) -> None:
        """Close this folder and what is below it: it may be another one now."""
        for known in [one for one in self._open if one == path or one.startswith(path + b"/")]:
            if known:
                os.close(self._open.pop(known))

    def remove_empty(self, path: bytes) -> None:
        """rmdir(2) of the folders above `path` that are empty now."""
        parent = path.rpartition(b"/")[0]
        while parent:
            above, _, name = parent.rpartition(b"/")
            try:
                os.rmdir(name, dir_fd=self.folder(above))
            except OSError:
                return
            self.forget(parent)
            parent = above

    def close(self) -> None:
        """Close them all."""
        for handle in self._open.values():
            os.close(handle)
        self._open.clear()

    def _shrink(self, path: bytes) -> None:
        """Close all but the folders on the way to `path`."""
        for known in [one for one in self._open if not path.startswith(one)]:
            os.close(self._open.pop(known))


def absent(problem: OSError) -> bool:
    """Whether the name, or a folder on the way to it, isn't there (any more)."""
    return problem.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
