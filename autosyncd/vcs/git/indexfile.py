"""git's index as a file (gitformat-index(5)): a few things read from it, and the times of files that we
have just put there written into it.

Each git command reads the whole index and mostly writes it again, and a refresh reads each changed file
once more. What an update needs is found by looking for the entries' own bytes. Everything here only ever
says "not known" where the index is of another kind (version 4, split, sparse): then git is asked.
"""

import hashlib
import os
import re
import struct
from collections.abc import Mapping

from autosyncd.vcs.git.disk import Version

_HEADER = 12
_STAT = 40
"""Bytes of stat(2) data at the beginning of an entry; the id follows."""
_LONGEST = 0xFFF
_NODE = re.compile(rb"(?P<name>[^\0]*)\0(?P<entries>-?\d+) (?P<below>\d+)\n")
_TREE = re.compile(rb"TREE(?P<size>.{4})\0(?P<entries>\d+) \d+\n", re.S)
Placed = Mapping[bytes, tuple[Version, os.stat_result]]
"""Path → the version that lies there, and its lstat(2)."""
Pairs = Mapping[bytes, tuple[Version | None, Version | None]]
"""Path → its version before and after."""
Folders = Mapping[bytes, tuple[bytes | None, bytes]]
"""Folder → the id of its tree before and after."""


class IndexFile:
    """The bytes of one index; of no use any more when something was written, or could not be."""

    def __init__(self, path: bytes, object_format: str) -> None:
        self._data = _read(path)
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
        """The tree that the index stands for, where git has noted that and nothing has changed since
        (the extension "cached tree")."""
        end = len(self._data) - self._width
        at = self._data.rfind(b"TREE", 0, end)
        found = _TREE.match(self._data, at) if at >= 0 else None
        if found is None or not self._ends_at(at, end):
            return None
        return self._data[found.end() : found.end() + self._width].hex()

    def are_plain(self, entries: Mapping[bytes, Version]) -> bool:
        """Whether every one of these is there, without a mark (assume-unchanged, skip-worktree)."""
        at = _HEADER
        for path in sorted(entries):
            at = self._find(path, entries[path], at) if self._known else -1
            if at < 0:
                return False
        return True

    def write_times(self, placed: Placed) -> set[bytes]:
        """Write down what was seen of these files, so that `git status` need not read them. The
        paths for which that was done; at the first that is missing it is left at that."""
        if not self._known or not placed:
            return set()
        data, at, done = self._data, _HEADER, set()
        for path in sorted(placed):
            version, found = placed[path]
            at = self._find(path, version, at)
            if at < 0:
                break
            start = at - _STAT
            data[start:at] = _stat_data(found, bytes(self._data[start + 24 : start + 28]))
            done.add(path)
        if not done:
            return done
        self._write(self._path)
        return done

    def write_changed(
        self, target: bytes, pairs: Pairs, seen: Mapping[bytes, os.stat_result], folders: Folders
    ) -> bool:
        """Write a copy in which these files, all of them there before and after, have their other
        versions, and the trees that git has noted their other ids. False, and nothing is written,
        where an entry or a tree is not what it was expected to be."""
        if not self._known:
            return False
        data, at = self._data, _HEADER
        for path in sorted(pairs):
            old, new = pairs[path]
            at = self._find(path, old, at) if old is not None else -1
            if at < 0 or new is None:
                return False
            mode = struct.pack(">I", int(new.mode, 8))
            found = seen.get(path)
            empty = bytes(24) + mode + bytes(12)  # no times: git looks for itself
            data[at - _STAT : at] = _stat_data(found, mode) if found is not None else empty
            data[at : at + self._width] = bytes.fromhex(new.oid.decode())
        if not self._change_trees(folders):
            return False
        self._write(target)
        return True

    def _change_trees(self, folders: Folders) -> bool:
        """Write the other ids into the extension "cached tree"; a folder whose tree is not noted there
        has none above it either."""
        at = self._data.rfind(b"TREE", 0, -self._width)
        if at < 0:
            return True
        data, nodes = self._data, self._nodes(at)
        for folder, (old, new) in folders.items():
            where = nodes.get(folder)
            if where is None and folder and nodes.get(folder.rpartition(b"/")[0]) is not None:
                return False
            if where is not None:
                if old is None or data[where : where + self._width].hex().encode() != old:
                    return False
                data[where : where + self._width] = bytes.fromhex(new.decode())
        return b"" in nodes

    def _nodes(self, at: int) -> dict[bytes, int | None]:
        """Folder → where in the extension that begins at `at` its tree's id is; None where git has
        noted that something has changed. Empty where that is no such extension."""
        found: dict[bytes, int | None] = {}
        if not self._ends_at(at, len(self._data) - self._width):
            return found
        end = at + 8 + int(struct.unpack_from(">I", self._data, at + 4)[0])
        at += 8
        above: list[tuple[bytes, int]] = []
        while at < end and (node := _NODE.match(self._data, at, end)) is not None:
            prefix = above[-1][0] if above else b""
            folder = prefix + node["name"]
            at = node.end()
            found[folder] = at if int(node["entries"]) >= 0 else None
            at += self._width if int(node["entries"]) >= 0 else 0
            if above:
                above[-1] = prefix, above[-1][1] - 1
            above.append((folder + b"/" if above else b"", int(node["below"])))
            while above and not above[-1][1]:
                above.pop()
        return found if at == end and not above else {}

    def _find(self, path: bytes, version: Version, at: int) -> int:
        """Where the id of this entry is, looked for from `at` on; -1 when there is none such."""
        flags = struct.pack(">H", min(len(path), _LONGEST))
        return self._data.find(bytes.fromhex(version.oid.decode()) + flags + path + b"\0", at)

    def _ends_at(self, at: int, end: int) -> bool:
        """Whether from here on there are extensions, one after the other, to the end."""
        while at + 8 <= end:
            at += 8 + int(struct.unpack_from(">I", self._data, at + 4)[0])
        return at == end

    def _write(self, target: bytes) -> None:
        data = self._data
        if any(data[-self._width :]):  # else index.skipHash
            data[-self._width :] = self._new(memoryview(data)[: -self._width]).digest()
        mode = os.stat(self._path).st_mode & 0o777
        fresh = target + b".new"
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with open(handle, "wb") as file:
            file.write(data)
        os.rename(fresh, target)


def _read(path: bytes) -> bytearray:
    """The bytes of a file, which can be changed without being copied; none where there is no file."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = bytearray(os.fstat(file.fileno()).st_size)
            length = file.readinto(data)
    except FileNotFoundError:
        return bytearray()
    return data[:length] if length != len(data) else data


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
