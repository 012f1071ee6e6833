"""git's index as a file (gitformat-index(5)): a few things read from it, and the times of files that we
have just put there written into it.

Each git command reads the whole index and mostly writes it again, and a refresh reads each changed file
once more. What an update needs is found by looking for the entries' own bytes. Everything here only ever
says "not known" where the index is of another kind (version 4, split, sparse): then git is asked.

git compares times by whole seconds. A file that was written again in the second of its entry, to the
same size, is found only while the index is no younger than that second: git reads such files
(racy-git.txt). So an index that is written here never hides an entry that was as young as it before, or
younger; and what was seen of a file is written only if it is so still, to the nanosecond, at the time
that the index is given.
"""

import contextlib
import hashlib
import os
import struct
from collections.abc import Iterator, Mapping

from autosyncd import clock
from autosyncd.vcs.git import cachedtree
from autosyncd.vcs.git.cachedtree import FolderTrees
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import Pairs

_HEADER = 12
_STAT = 40
"""Bytes of stat(2) data at the beginning of an entry; the id follows."""
_LONGEST = 0xFFF
YOUNG_FOR = 60.0
"""Seconds for which an index keeps its time, so that git reads what is as young. All that is committed
meanwhile is young as well."""
Placed = Mapping[bytes, tuple[Version, os.stat_result]]
"""Path → the version that lies there, and its lstat(2)."""


class IndexFile:
    """The bytes of one index; of no use any more when something was written, or could not be."""

    def __init__(self, path: bytes, object_format: str) -> None:
        self._data, self._written = _read(path)
        self._path = path
        self._new = hashlib.sha256 if object_format == "sha256" else hashlib.sha1
        self._width = self._new().digest_size
        magic, version, self._entries = (
            struct.unpack_from(">4sII", self._data)
            if len(self._data) > _HEADER
            else (b"DIRC", 2, 0)
        )
        self._known = magic == b"DIRC" and version in (2, 3)

    @property
    def entries(self) -> int | None:
        """How many entries there are; None where that isn't how many files there are."""
        extensions = (b"link", b"sdir")
        odd = not self._known or any(name in self._data for name in extensions)
        return None if odd else self._entries

    @property
    def tree(self) -> str | None:
        """The tree that the index stands for, where git has noted that and nothing has changed since."""
        return cachedtree.top(self._data, self._width)

    def are_plain(self, entries: Mapping[bytes, Version]) -> bool:
        """Whether every one of these is there, without a mark (assume-unchanged, skip-worktree)."""
        at = _HEADER
        for path in sorted(entries):
            at = self._find(path, entries[path], at) if self._known else -1
            if at < 0:
                return False
        return True

    def write_times(self, root: bytes, placed: Placed) -> set[bytes]:
        """Write down what was seen of these files below `root`, so that `git status` need not read
        them. The paths for which that was done; at the first that is missing it is left at that."""
        if not self._known or not placed:
            return set()
        data, at, done = self._data, _HEADER, set()
        for path in sorted(placed):
            version, found = placed[path]
            at = self._find(path, version, at)
            if at < 0:
                break
            if _is_still(root, path, found):
                start = at - _STAT
                data[start:at] = _stat_data(found, bytes(data[start + 24 : start + 28]))
                done.add(path)
        if done:
            with _fresh(self._path, self._path) as file:
                self._write(file, self._written)
        return done

    def write_changed(
        self,
        root: bytes,
        target: bytes,
        pairs: Pairs,
        *,
        seen: Mapping[bytes, os.stat_result],
        folders: FolderTrees,
        youngest: int,
    ) -> bool:
        """Write a copy in which these files below `root`, all of them there before and after, have
        their other versions, and the trees that git has noted their other ids. False, and nothing is
        written, where an entry or a tree is not what it was expected to be, or an entry has been as
        young as the index for long: git has to look at that file. `youngest`: a second that may be
        that of an entry, and the last that may."""
        young = youngest >= self._written // 10**9 or self._has_young()
        if not self._known or (young and clock.wall() - self._written / 1e9 > YOUNG_FOR):
            return False
        data, at, places = self._data, _HEADER, {}
        for path in sorted(pairs):
            old, new = pairs[path]
            at = self._find(path, old, at) if old is not None else -1
            if at < 0 or new is None:
                return False
            places[path] = at - _STAT, struct.pack(">I", int(new.mode, 8))
            data[at : at + self._width] = bytes.fromhex(new.oid.decode())
        if not cachedtree.change(data, self._width, folders):
            return False
        with _fresh(target, self._path) as file:
            written = self._written if young else os.fstat(file).st_mtime_ns
            for path, (start, mode) in places.items():
                found = seen.get(path)
                if found is not None and _is_still(root, path, found):
                    data[start : start + _STAT] = _stat_data(found, mode)
                else:  # no times: git looks for itself
                    data[start : start + _STAT] = bytes(24) + mode + bytes(12)
            self._write(file, written)
        return True

    def _find(self, path: bytes, version: Version, at: int) -> int:
        """Where the id of this entry is, looked for from `at` on; -1 when there is none such."""
        flags = struct.pack(">H", min(len(path), _LONGEST))
        return self._data.find(bytes.fromhex(version.oid.decode()) + flags + path + b"\0", at)

    def _has_young(self) -> bool:
        """Whether the times of an entry are of the second in which the index was written. Entries
        begin, and their times are, at every eighth byte."""
        second = struct.pack(">I", self._written // 10**9 & 0xFFFFFFFF)
        at = self._data.find(second, _HEADER)
        while (at - _HEADER) % 8 and at >= 0:
            at = self._data.find(second, at + 1)
        return at >= 0

    def _write(self, file: int, written: int) -> None:
        """All of it, as of a time in nanoseconds."""
        data = self._data
        if any(data[-self._width :]):  # else index.skipHash
            data[-self._width :] = self._new(memoryview(data)[: -self._width]).digest()
        with open(file, "wb", closefd=False) as stream:
            stream.write(data)
        os.utime(file, ns=(written, written))


@contextlib.contextmanager
def _fresh(target: bytes, like: bytes) -> Iterator[int]:
    """A new file, as readable as `like`, that gets the name `target` at the end."""
    mode = os.stat(like).st_mode & 0o777
    fresh = target + b".new"
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    try:
        yield file
    finally:
        os.close(file)
    os.rename(fresh, target)


def _read(path: bytes) -> tuple[bytearray, int]:
    """The bytes of a file, which can be changed without being copied, and the nanosecond of its last
    change; none where there is no file."""
    try:
        with open(path, "rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            data = bytearray(found.st_size)
            length = file.readinto(data)
    except FileNotFoundError:
        return bytearray(), 0
    return (data[:length] if length != len(data) else data), found.st_mtime_ns


def _is_still(root: bytes, path: bytes, found: os.stat_result) -> bool:
    """Whether nobody has written to a file since it was looked at."""
    try:
        now = os.lstat(root + b"/" + path)
    except OSError:
        return False
    return _facts(now) == _facts(found)


def _facts(found: os.stat_result) -> tuple[int, ...]:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _stat_data(found: os.stat_result, mode: bytes) -> bytes:
    """As git keeps it: 32 bits of each; the mode is git's own."""
    numbers = (
        found.st_ctime_ns // 10**9,
        found.st_ctime_ns % 10**9,
        found.st_mtime_ns // 10**9,
        found.st_mtime_ns % 10**9,
        found.st_dev,
        found.st_ino,
    )
    first = struct.pack(">6I", *(number & 0xFFFFFFFF for number in numbers))
    last = (found.st_uid, found.st_gid, found.st_size)
    return first + mode + struct.pack(">3I", *(number & 0xFFFFFFFF for number in last))
