"""Pure: the extension "cached tree" of git's index (gitformat-index(5)): the ids of the trees that the
entries make, folder by folder, as far as git has noted them.

Each function takes the bytes of a whole index, and how many bytes an id has in it.
"""

import re
import struct
from collections.abc import Mapping

FolderTrees = Mapping[bytes, tuple[bytes | None, bytes]]
"""Folder → the id of its tree before and after."""
_NODE = re.compile(rb"(?P<name>[^\0]*)\0(?P<entries>-?\d+) (?P<below>\d+)\n")
_TREE = re.compile(rb"TREE(?P<size>.{4})\0(?P<entries>\d+) \d+\n", re.S)


def top(data: bytearray, width: int) -> str | None:
    """The id of the tree of all entries; None where it isn't noted, or something has changed since."""
    end = len(data) - width
    at = data.rfind(b"TREE", 0, end)
    found = _TREE.match(data, at) if at >= 0 else None
    if found is None or not _ends_at(data, at, end):
        return None
    return data[found.end() : found.end() + width].hex()


def change(data: bytearray, width: int, folders: FolderTrees) -> bool:
    """Write the other ids into it; a folder whose tree is not noted there has none above it either.
    False where that can't be done, or another id is noted than was expected; `data` is spoilt then."""
    at = data.rfind(b"TREE", 0, -width)
    if at < 0:
        return True
    nodes = _nodes(data, width, at)
    for folder, (old, new) in folders.items():
        where = nodes.get(folder)
        if where is None and folder and nodes.get(folder.rpartition(b"/")[0]) is not None:
            return False
        if where is not None:
            if old is None or data[where : where + width].hex().encode() != old:
                return False
            data[where : where + width] = bytes.fromhex(new.decode())
    return b"" in nodes


def _nodes(data: bytearray, width: int, at: int) -> dict[bytes, int | None]:
    """Folder → where in the extension that begins at `at` its tree's id is; None where git has noted
    that something has changed. Empty where that is no such extension."""
    found: dict[bytes, int | None] = {}
    if not _ends_at(data, at, len(data) - width):
        return found
    end = at + 8 + int(struct.unpack_from(">I", data, at + 4)[0])
    at += 8
    above: list[tuple[bytes, int]] = []
    while at < end and (node := _NODE.match(data, at, end)) is not None:
        prefix = above[-1][0] if above else b""
        folder = prefix + node["name"]
        at = node.end()
        found[folder] = at if int(node["entries"]) >= 0 else None
        at += width if int(node["entries"]) >= 0 else 0
        if above:
            above[-1] = prefix, above[-1][1] - 1
        above.append((folder + b"/" if above else b"", int(node["below"])))
        while above and not above[-1][1]:
            above.pop()
    return found if at == end and not above else {}


def _ends_at(data: bytearray, at: int, end: int) -> bool:
    """Whether from here on there are extensions, one after the other, to the end."""
    while at + 8 <= end:
        at += 8 + int(struct.unpack_from(">I", data, at + 4)[0])
    return at == end
