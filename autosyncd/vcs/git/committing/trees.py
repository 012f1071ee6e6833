"""Tree objects taken apart, changed and written anew, folder by folder.

git reads and writes the objects (children.py); the only format known here is that of one tree
(git's tree-walk.c: `mode SP name NUL id`, the id as raw bytes).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from autosyncd.errors import AutosyncError
from autosyncd.vcs.git.disk import Version

FOLDER = b"40000"
"""The mode of a folder's entry in a tree object."""
REMEMBERED = 100_000
"""Entries of trees that are kept, some 20 MB at most."""
LARGEST = 20_000
"""Entries of one folder beyond which writing it anew takes longer than an index does."""

Folder = dict[bytes, Version]
"""Name → mode and id."""
Read = Callable[[Sequence[bytes]], list[tuple[bytes, bytes] | None]]
"""Names of trees (`ROOT:PATH`) → id and bytes of each, None where there is none."""


class Doubtful(AutosyncError):
    """The quick way is not sure of its ground; str() says why. The general one is taken instead."""


def parse(data: bytes, id_bytes: int) -> Folder:
    """The entries of a tree object; ids are `id_bytes` long (20 for sha1, 32 for sha256)."""
    entries: Folder = {}
    at = 0
    while at < len(data):
        space = data.index(b" ", at)
        end = data.index(b"\0", space)
        at, mode = end + 1 + id_bytes, data[at:space]
        entries[data[space + 1 : end]] = Version(mode, data[end + 1 : at].hex().encode())
    return entries


def listing(folder: Folder) -> bytes:
    """As `git mktree -z --batch` reads it; an empty record ends it."""
    kinds = {FOLDER: b"tree", b"160000": b"commit"}
    rows = [
        b"%s %s %s\t%s\0" % (one.mode, kinds.get(one.mode, b"blob"), one.oid, name)
        for name, one in folder.items()
    ]
    return b"".join(rows) + b"\0"


def tree_id(folder: Folder, object_format: str) -> bytes:
    """The id that git will give the tree. An entry's place is by its name, a folder's as if that
    ended in a slash (git's base_name_compare)."""
    order = sorted(folder, key=lambda name: name + b"/" * (folder[name].mode == FOLDER))
    data = b"".join(
        b"%s %s\0%s" % (folder[name].mode, name, bytes.fromhex(folder[name].oid.decode()))
        for name in order
    )
    new = hashlib.sha256 if object_format == "sha256" else hashlib.sha1
    return new(b"tree %d\0" % len(data) + data).hexdigest().encode()


def parents(path: bytes) -> list[bytes]:
    """The folders above a path, the root (empty) first."""
    parts = path.split(b"/")[:-1]
    return [b"/".join(parts[:count]) for count in range(len(parts) + 1)]


class Known:
    """Trees that were read or written lately: what an id stands for never changes."""

    def __init__(self, object_format: str) -> None:
        self.object_format = object_format
        self._folders: dict[bytes, Folder] = {}
        self._entries = 0

    def get(self, oid: bytes) -> Folder | None:
        """The folder with this id, if it is remembered."""
        return self._folders.get(oid)

    def keep(self, oid: bytes, folder: Folder) -> None:
        """Remember one; of too many, all are forgotten."""
        self._entries += len(folder)
        if self._entries > REMEMBERED:
            self._folders.clear()
            self._entries = len(folder)
        self._folders[oid] = folder


class Trees:
    """The folders of one tree that lie above some paths."""

    def __init__(self, root: bytes, paths: Iterable[bytes], known: Known, read: Read) -> None:
        """Raises Doubtful where a folder is something else in the tree, or too large."""
        self._known = known
        self._folders: dict[bytes, Folder] = {}
        unread = []
        for level in _levels(folder for path in paths for folder in parents(path)):
            for folder in level:
                if not self._is_known(folder, root):
                    unread.append(folder)
        names = [root + b":" + folder for folder in unread]
        for folder, found in zip(unread, read(names), strict=True):
            entries: Folder = {}
            if found is not None:
                entries = parse(found[1], len(root) // 2)
                known.keep(found[0], entries)
            elif folder and self.entry(folder) is not None:
                raise Doubtful("A folder is a file, a link or a submodule in the last commit.")
            self._folders[folder] = dict(entries)
        if any(len(entries) > LARGEST for entries in self._folders.values()):
            raise Doubtful("A folder has too many entries.")

    def _is_known(self, folder: bytes, root: bytes) -> bool:
        """Whether it is remembered, or known not to be there."""
        oid: bytes | None = root
        if folder:
            above, _, name = folder.rpartition(b"/")
            if above not in self._folders:
                return False
            found = self._folders[above].get(name)
            if found is not None and found.mode != FOLDER:
                raise Doubtful("A folder is a file, a link or a submodule in the last commit.")
            oid = found.oid if found is not None else None
        entries = self._known.get(oid) if oid is not None else {}
        if entries is not None:
            self._folders[folder] = dict(entries)
        return entries is not None

    def entry(self, path: bytes) -> Version | None:
        """What the tree has under this name, in one of the folders that were asked for."""
        folder, _, name = path.rpartition(b"/")
        return self._folders[folder].get(name)

    def changed(self, changes: Mapping[bytes, Version | None]) -> dict[bytes, Folder]:
        """The trees to be written, by the ids that they are going to have, the root last, when these
        entries are put in, or taken out (None)."""
        for path, version in changes.items():
            self._put(path, version)
        made: dict[bytes, Folder] = {}
        levels = _levels(folder for path in changes for folder in parents(path))
        for folder in [folder for level in reversed(levels) for folder in level]:
            entries = self._folders[folder]
            oid = tree_id(entries, self._known.object_format)
            if folder:
                self._put(folder, Version(FOLDER, oid) if entries else None)
            if entries or not folder:
                made.pop(oid, None)
                made[oid] = entries
        for oid, entries in made.items():
            self._known.keep(oid, entries)
        return made

    def _put(self, path: bytes, version: Version | None) -> None:
        folder, _, name = path.rpartition(b"/")
        if version is None:
            self._folders[folder].pop(name, None)
        else:
            self._folders[folder][name] = version


def _levels(folders: Iterable[bytes]) -> list[list[bytes]]:
    """Each folder once, by depth, the root first."""
    levels: dict[int, list[bytes]] = {}
    for folder in sorted(set(folders)):
        levels.setdefault(folder.count(b"/") + 1 if folder else 0, []).append(folder)
    return [levels[depth] for depth in sorted(levels)]
