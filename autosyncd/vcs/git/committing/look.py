"""What lies on disk under a few paths, looked at twice: before it is hashed, and afterwards."""

import os
import stat
from collections.abc import Mapping, Sequence

from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.git.disk import Version

LARGEST_FILE = 32 << 20
"""Bytes; a larger file is worth a process of its own, which may take its time."""


class FoldersAbove:
    """The folders above some paths, none of which may be a link or a repository of its own."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self.known: dict[bytes, os.stat_result | None] = {}
        """lstat(2) of each that was looked at; None where there is none."""

    def exist_above(self, path: bytes) -> bool:
        """Whether all folders above a path are there. Raises Doubtful where something else is."""
        folder = path.rpartition(b"/")[0]
        if folder not in self.known:
            self.known[folder] = self._look_at(folder)
        return self.known[folder] is not None

    def _look_at(self, folder: bytes) -> os.stat_result | None:
        if folder and not self.exist_above(folder):
            return None
        full = self._root + b"/" + folder
        found = _lstat(full)
        if found is not None:
            if not stat.S_ISDIR(found.st_mode):
                raise Doubtful("Something else lies where a folder is expected.")
            if folder and _lstat(full + b"/.git") is not None:
                raise Doubtful("A folder is a repository of its own.")
        return found


class Look:
    """lstat(2) of some paths and of every folder above them."""

    def __init__(self, root: bytes, paths: Sequence[bytes]) -> None:
        """Raises Doubtful for a folder among them, what is no file or link, what can't be read."""
        self._root, self._paths = root, paths
        self.found: dict[bytes, os.stat_result] = {}
        """Files and links that are there."""
        self._above = FoldersAbove(root)
        for path in paths:
            if self._above.exist_above(path):
                self._look_at(path)
        self._texts = {
            path: os.readlink(root + b"/" + path)
            for path, found in self.found.items()
            if stat.S_ISLNK(found.st_mode)
        }

    @property
    def folders(self) -> list[bytes]:
        """Those above the paths, as far as they exist."""
        return [folder for folder, found in self._above.known.items() if found is not None]

    @property
    def gone(self) -> list[bytes]:
        """Paths where nothing is."""
        return [path for path in self._paths if path not in self.found]

    def is_link(self, path: bytes) -> bool:
        """Whether it is a symbolic link."""
        return path in self._texts

    def link_text(self, path: bytes) -> bytes:
        """Where a symbolic link leads."""
        return self._texts[path]

    def version(self, path: bytes, oid: bytes) -> Version:
        """What git calls it, given the id of its bytes."""
        if self.is_link(path):
            return Version(b"120000", oid)
        return Version(b"100755" if self.found[path].st_mode & 0o100 else b"100644", oid)

    def check(self) -> None:
        """Raises Doubtful if anything is another now, or was changed."""
        now = Look(self._root, self._paths)
        same = now._texts == self._texts and _stamps(now.found) == _stamps(self.found)
        if not same or _places(now._above.known) != _places(self._above.known):
            raise Doubtful("A file changed while it was hashed.")

    def _look_at(self, path: bytes) -> None:
        full = self._root + b"/" + path
        found = _lstat(full)
        if found is None:
            return
        if stat.S_ISREG(found.st_mode):
            if found.st_size > LARGEST_FILE or not os.access(full, os.R_OK):
                raise Doubtful("A file is large, or can't be read.")
        elif not stat.S_ISLNK(found.st_mode):
            raise Doubtful("It is a folder, or no file.")
        self.found[path] = found


def is_folder(root: bytes, path: bytes) -> bool:
    """Whether a folder (and no link to one) lies there."""
    found = _lstat(root + b"/" + path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def files_below(root: bytes, folder: bytes, most: int) -> list[bytes]:
    """All that is no folder, below a folder. Raises Doubtful for more than `most`, and where there is
    another repository."""
    found: list[bytes] = []
    waiting = [folder]
    while waiting:
        above = waiting.pop()
        try:
            with os.scandir(root + b"/" + above) as entries:
                for entry in entries:
                    inside = waiting if entry.is_dir(follow_symlinks=False) else found
                    inside.append(above + b"/" + entry.name)
                    if entry.name == b".git" or len(found) + len(waiting) > most:
                        raise Doubtful("A folder is a repository of its own, or holds too much.")
        except OSError as problem:
            raise Doubtful(f"A folder can't be looked at: {problem}") from problem
    return found


def _lstat(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as problem:
        raise Doubtful(f"A file can't be looked at: {problem}") from problem


def _stamps(found: Mapping[bytes, os.stat_result]) -> dict[bytes, tuple[int, ...]]:
    return {
        path: (one.st_dev, one.st_ino, one.st_mode, one.st_size, one.st_mtime_ns, one.st_ctime_ns)
        for path, one in found.items()
    }


def _places(known: Mapping[bytes, os.stat_result | None]) -> dict[bytes, tuple[int, int] | None]:
    return {path: (one.st_dev, one.st_ino) if one else None for path, one in known.items()}
