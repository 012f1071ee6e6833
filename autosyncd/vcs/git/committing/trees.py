"""Tree objects taken apart, changed and put together anew, folder by folder.

git reads and writes the objects (children.py); the only format known here is that of one tree
(git's tree-walk.c: `mode SP name NUL id`, the id as raw bytes).
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.git.disk import Version

FOLDER = b"40000"
"""The mode of a folder's entry in a tree object."""
GITLINK = b"160000"
REMEMBERED = 8 << 20
"""Bytes of trees that are kept."""
LARGEST = 20_000
"""Entries of one folder beyond which writing it anew takes longer than an index does."""
_ENTRY = {width: re.compile(rb"[0-7]+ ([^\0]+)\0.{%d}" % width, re.S) for width in (20, 32)}

Contents = Callable[[Sequence[bytes]], list[tuple[bytes, bytes] | None]]
"""Names of trees (`ROOT:PATH`) → id and bytes of each, None where there is none."""


class Folder:
    """One tree object that can be changed; its entries are kept as git writes them."""

    def __init__(self, data: bytes = b"", id_bytes: int = 20) -> None:
        """Of a tree object's bytes; ids are `id_bytes` long (20 for sha1, 32 for sha256)."""
        self._entries = {found[1]: found[0] for found in _ENTRY[id_bytes].finditer(data)}
        self._sorted = True

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, name: bytes) -> Version | None:
        """The entry with this name."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        mode = entry[: entry.index(b" ")]
        return Version(mode, entry[len(mode) + len(name) + 2 :].hex().encode())

    def put(self, name: bytes, version: Version | None) -> None:
        """Set an entry, or take it out (None)."""
        old = self._entries.pop(name, None) if version is None else self._entries.get(name)
        if version is not None:
            oid = bytes.fromhex(version.oid.decode())
            self._entries[name] = b"%s %s\0%s" % (version.mode, name, oid)
            self._sorted &= old is not None and _is_folder(old) == (version.mode == FOLDER)

    def items(self) -> list[tuple[bytes, Version]]:
        """Name and version of each entry."""
        return [(name, one) for name in self._entries if (one := self.get(name)) is not None]

    @property
    def data(self) -> bytes:
        """The bytes of the tree object. An entry's place is by its name, a folder's as if that ended
        in a slash (git's base_name_compare)."""
        if not self._sorted:
            order = sorted(self._entries.items(), key=_place)
            self._entries, self._sorted = dict(order), True
        return b"".join(self._entries.values())


def _is_folder(entry: bytes) -> bool:
    return entry.startswith(FOLDER + b" ")


def _place(entry: tuple[bytes, bytes]) -> bytes:
    return entry[0] + b"/" if _is_folder(entry[1]) else entry[0]


def tree_id(data: bytes, object_format: str) -> bytes:
    """The id that git will give a tree object of these bytes."""
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
        self.id_bytes = 32 if object_format == "sha256" else 20
        self._bytes: dict[bytes, bytes] = {}
        self._size = 0

    def get(self, oid: bytes) -> bytes | None:
        """The bytes of the tree with this id, if it is remembered."""
        return self._bytes.get(oid)

    def keep(self, oid: bytes, data: bytes) -> None:
        """Remember one; of too many, all are forgotten."""
        self._size += len(data)
        if self._size > REMEMBERED:
            self._bytes.clear()
            self._size = len(data)
        self._bytes[oid] = data

    def below(
        self, folder: bytes, oid: bytes, contents: Contents, most: int
    ) -> dict[bytes, Version]:
        """Every file, link and submodule below a folder with this tree, by its path. Raises Doubtful
        for more than `most`."""
        found: dict[bytes, Version] = {}
        level = {folder: oid}
        while level:
            unknown = [one for one in dict.fromkeys(level.values()) if one not in self._bytes]
            read = dict(zip(unknown, contents(unknown), strict=True))
            deeper: dict[bytes, bytes] = {}
            for above, one in level.items():
                data = self._bytes.get(one)
                if data is None:
                    came = read[one]
                    if came is None:
                        raise Doubtful("A folder of the last commit is missing.")
                    data = came[1]
                    self.keep(one, data)
                for name, version in Folder(data, self.id_bytes).items():
                    inside = deeper if version.mode == FOLDER else None
                    if inside is not None:
                        inside[above + b"/" + name] = version.oid
                    else:
                        found[above + b"/" + name] = version
            if len(found) + len(deeper) > most:
                raise Doubtful("A folder holds too much.")
            level = deeper
        return found


class Trees:
    """The folders of one tree that lie above some paths."""

    def __init__(
        self, root: bytes, paths: Iterable[bytes], known: Known, contents: Contents
    ) -> None:
        """Raises Doubtful where a folder is something else in the tree, or too large."""
        self._known = known
        self._folders: dict[bytes, Folder] = {}
        self.before: dict[bytes, bytes] = {}
        """Folder → the id of its tree, where there is one."""
        unread = []
        for level in _levels(folder for path in paths for folder in parents(path)):
            for folder in level:
                if not self._is_known(folder, root):
                    unread.append(folder)
        names = [root + b":" + folder for folder in unread]
        for folder, found in zip(unread, contents(names), strict=True):
            if found is not None:
                known.keep(*found)
                self._have(folder, *found)
            elif folder and self.entry(folder) is not None:
                raise Doubtful("A folder is a file, a link or a submodule in the last commit.")
            else:
                self._folders[folder] = Folder()
        if any(len(folder) > LARGEST for folder in self._folders.values()):
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
        data = self._known.get(oid) if oid is not None else None
        if data is not None and oid is not None:
            self._have(folder, oid, data)
        elif oid is None:
            self._folders[folder] = Folder()
        return folder in self._folders

    def _have(self, folder: bytes, oid: bytes, data: bytes) -> None:
        self._folders[folder] = Folder(data, self._known.id_bytes)
        self.before[folder] = oid

    def entry(self, path: bytes) -> Version | None:
        """What the tree has under this name, in one of the folders that were asked for."""
        folder, _, name = path.rpartition(b"/")
        return self._folders[folder].get(name)

    def changed(self, changes: Mapping[bytes, Version | None]) -> dict[bytes, tuple[bytes, bytes]]:
        """The trees to be written, by their folders, the root last: the id that each is going to have
        and its bytes, when these entries are put in, or taken out (None)."""
        for path, version in changes.items():
            self._put(path, version)
        made: dict[bytes, tuple[bytes, bytes]] = {}
        levels = _levels(folder for path in changes for folder in parents(path))
        for folder in [folder for level in reversed(levels) for folder in level]:
            data = self._folders[folder].data
            oid = tree_id(data, self._known.object_format)
            if data or not folder:
                made[folder] = oid, data
            if folder and (data or not changes.get(folder)):  # else a file has taken its place
                self._put(folder, Version(FOLDER, oid) if data else None)
        for oid, data in made.values():
            self._known.keep(oid, data)
        return made

    def _put(self, path: bytes, version: Version | None) -> None:
        folder, _, name = path.rpartition(b"/")
        self._folders[folder].put(name, version)


def _levels(folders: Iterable[bytes]) -> list[list[bytes]]:
    """Each folder once, by depth, the root first."""
    levels: dict[int, list[bytes]] = {}
    for folder in sorted(set(folders)):
        levels.setdefault(folder.count(b"/") + 1 if folder else 0, []).append(folder)
    return [levels[depth] for depth in sorted(levels)]
