"""Pure: the name of the version that gives way in a conflict.

It must come out the same on every machine, show whose it is, keep the extension (so that a double
click opens it) and fit into 255 bytes (NAME_MAX, limits.h) whatever the original's length.
"""

import re
from collections.abc import Callable
from itertools import count

NAME_MAX = 255
"""Bytes of one component of a path (limits(5), statvfs(3))."""
MARK = b".sync-conflict-"
HOST_MAX = 32
EXTENSION_MAX = 32


def host_slug(host: bytes) -> bytes:
    """A host or committer as part of a file name: letters, digits, `-` and `_`."""
    slug = re.sub(rb"[^A-Za-z0-9_-]+", b"-", host).strip(b"-")
    return slug[:HOST_MAX].rstrip(b"-") or b"unknown"


def conflict_name(path: bytes, host: bytes, oid: bytes, is_free: Callable[[bytes], bool]) -> bytes:
    """The first free name beside `path`; a version that already was one doesn't grow another mark."""
    names = (_numbered(path, host, oid, number) for number in count())
    return next(name for name in names if is_free(name))


def is_conflict_name(name: bytes, path: bytes, oid: bytes) -> bool:
    """Whether conflict_name() gives this name to the version `oid` of `path`, of whatever host."""
    after = name.rpartition(b"/")[2].partition(MARK)[2]
    found = re.match(rb"([A-Za-z0-9_-]+)-" + oid[:8] + rb"(?:-(\d{1,6}))?(?:\.|\Z)", after)
    return found is not None and name == _numbered(path, found[1], oid, int(found[2] or 0))


def _numbered(path: bytes, host: bytes, oid: bytes, number: int) -> bytes:
    folder, slash, name = path.rpartition(b"/")
    before, marked, _ = name.partition(MARK)
    stem, dot, extension = name.rpartition(MARK)[2].rpartition(b".")
    if not stem or len(extension) > EXTENSION_MAX:
        stem, dot, extension = name, b"", b""
    if marked:
        stem = before
    more = b"-%d" % number if number else b""
    ending = MARK + host + b"-" + oid[:8] + more + dot + extension
    return folder + slash + _cut(stem, NAME_MAX - len(ending)) + ending


def _cut(stem: bytes, limit: int) -> bytes:
    """At most `limit` bytes, not ending inside a UTF-8 character if the whole was UTF-8."""
    if len(stem) <= limit:
        return stem
    try:
        stem.decode()
    except UnicodeDecodeError:
        return stem[:limit]
    return stem[:limit].decode("utf-8", "ignore").encode()
