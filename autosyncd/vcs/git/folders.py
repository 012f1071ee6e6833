"""Open folders of a work tree, and the places in them.

Paths are taken apart and every folder on the way is opened without following links (openat(2),
O_NOFOLLOW): a folder that somebody replaced by a link never leads us out of the tree.
"""

import errno
import os

from autosyncd.vcs.git.disk import FOLDER_FLAGS, Place

MOST_OPEN = 200
"""Folders that one OpenFolders keeps."""


class OpenFolders:
    """Open folders below one root, each opened once; close() lets go of them all."""

    def __init__(self, root: bytes, *, private: bool = False, within: int | None = None) -> None:
        """`private`: nobody else moves folders there, so an open one is always believed."""
        self._private = private
        self._open: dict[bytes, int] = {b"": os.open(root, FOLDER_FLAGS, dir_fd=within)}
        self._others: list[OpenFolders] = []
        self._are: dict[int, tuple[int, int]] = {}
        """Descriptor → device and inode of the folder that it was opened as."""

    def again(self) -> "OpenFolders":
        """Folders below the same root: what is asked of them closes none of these. Closed with them."""
        other = OpenFolders(b".", private=self._private, within=self._open[b""])
        self._others.append(other)
        return other

    def place(self, path: bytes, *, make: bool = False) -> Place:
        """Where `path` is, to be used before the next is asked for: that may close its folder.
        FileNotFoundError without `make`, NotADirectoryError when something that is no folder stands
        in the way."""
        parent, _, name = path.rpartition(b"/")
        return Place(self.folder(parent, make=make), name)

    def folder(self, path: bytes, *, make: bool = False) -> int:
        """The descriptor of a folder, made if that is wanted."""
        if not path:
            return self._open[path]
        if self._private and path in self._open:
            return self._open[path]
        parent, _, name = path.rpartition(b"/")
        above = self.folder(parent, make=make)
        known = self._open.get(path)  # only now: what is above may have been another folder
        if known is not None:
            if self._is_still(known, above, name):
                return known
            self.forget(path)
        handle = _open_folder(above, name, make=make)
        if len(self._open) > MOST_OPEN:
            self._shrink(path)
        found = os.fstat(handle)
        self._open[path], self._are[handle] = handle, (found.st_dev, found.st_ino)
        return handle

    def _is_still(self, known: int, above: int, name: bytes) -> bool:
        """Whether the open folder is the one that has this name now: it may have been moved."""
        try:
            there = os.stat(name, dir_fd=above, follow_symlinks=False)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == self._are[known]

    def forget(self, path: bytes) -> None:
        """Close this folder and what is below it: it may be another one now."""
        for known in [one for one in self._open if one == path or one.startswith(path + b"/")]:
            if known:
                os.close(self._open.pop(known))

    def keeps_names(self, path: bytes) -> bool:
        """Whether each name on the way to what is there is on disk as it is written: FAT and exFAT leave
        dots at the end of a name away, so that two names may be one file."""
        parts = path.split(b"/")
        for number, name in enumerate(parts):
            if name.endswith(b"."):
                above = self.folder(b"/".join(parts[:number]))
                if name not in map(os.fsencode, os.listdir(above)):
                    return False
        return True

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
        for other in self._others:
            other.close()
        for handle in self._open.values():
            os.close(handle)
        self._open.clear()

    def _shrink(self, path: bytes) -> None:
        """Close all but the folders on the way to `path`."""
        for known in [one for one in self._open if not path.startswith(one)]:
            os.close(self._open.pop(known))


def _open_folder(above: int, name: bytes, *, make: bool) -> int:
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=above)
    except FileNotFoundError:
        if not make:
            raise
    except OSError as problem:
        if problem.errno == errno.ELOOP:  # a link stands where a folder belongs
            raise NotADirectoryError(errno.ENOTDIR, "a link is in the way") from problem
        raise
    os.mkdir(name, dir_fd=above)
    return os.open(name, FOLDER_FLAGS, dir_fd=above)
