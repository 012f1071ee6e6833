"""Bring paths into an index, so that one that git can't take keeps no other from history."""

import contextlib
import os
import re
import signal
from collections.abc import Sequence

from autosyncd.vcs.git import filters, indexes
from autosyncd.vcs.git.command import (
    LONG,
    GitFailed,
    Result,
)
from autosyncd.vcs.git.committing import standstill
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.surroundings import readable
from autosyncd.vcs.outcomes import LeftOut

_UNTAKEABLE = re.compile(r"Unable to process path (.*)", re.S)
_ITS_OWN = re.compile(r"(read error while indexing|open\(\").*input/output error", re.I)
"""A file that the disk can't give back (git's object-file.c)."""
_UNSTABLE = re.compile(r"unstable object source data|short read while indexing")
_NOT_THE_FILES = re.compile(
    r"no space left|disk quota|read-only file system|input/output error|unable to write"
    r"|unable to create|index file|cannot allocate|out of memory|too many open files",
    re.I,
)
"""Failures that are not about one file: leaving it out would help nobody."""
KILLED = "no-memory"
"""The kind of a file that git was killed over."""


def stage(repository: Repository, index: bytes, paths: Sequence[bytes]) -> list[LeftOut]:
    """Bring these paths into an index, each taken literally; those git can't take are found, named
    and left out. Raises GitFailed where it can't take anything."""
    left_out = _stage(repository, index, paths)
    if paths and all(one.kind == KILLED for one in left_out) and len(left_out) == len(paths):
        raise GitFailed("update-index", -signal.SIGKILL, "")
    return left_out


def _stage(repository: Repository, index: bytes, paths: Sequence[bytes]) -> list[LeftOut]:
    if not paths:
        return []
    said = _add(repository, index, paths)
    if said.code == 0:
        return _ignored(said.complaint, paths) if said.complaint else []
    if _NOT_THE_FILES.search(said.complaint) and not _ITS_OWN.search(said.complaint):
        raise GitFailed("update-index", said.code, said.complaint)
    if _spare(repository, index, said.complaint):
        return _stage(repository, index, paths)
    if said.code == -signal.SIGKILL:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(index + b".lock")  # ours alone
    if len(paths) == 1 and said.code == -signal.SIGKILL:
        return [LeftOut(paths[0], KILLED, "takes more memory than there is; it waits")]
    if len(paths) == 1 and _moving(said) and standstill.take(repository, index, *paths):
        return []
    if len(paths) == 1:
        return [LeftOut(paths[0], "unreadable", _why(repository, said.complaint))]
    named = _UNTAKEABLE.search(said.complaint)
    bad = [path for path in paths if named and readable(path) == named[1].strip()]
    if bad:
        rest = [path for path in paths if path not in bad]
        return _stage(repository, index, bad) + _stage(repository, index, rest)
    middle = len(paths) // 2
    return _stage(repository, index, paths[:middle]) + _stage(repository, index, paths[middle:])


def _moving(said: Result) -> bool:
    """Whether git may have failed since the file was written to, or cut shorter, while it was read."""
    return said.code == -signal.SIGBUS or _UNSTABLE.search(said.complaint) is not None


def _why(repository: Repository, complaint: str) -> str:
    """What keeps one file out."""
    name = filters.failing(complaint)
    if name in repository.git.required_filters:
        return (
            f"needs the filter {name}, which fails or is not set up here; it waits for that, or for: "
            f"git config filter.{name}.required false"
        )
    said = complaint or "the disk does not give its content (see journalctl -k)"
    return f"can't be taken by git: {said}"


def _add(repository: Repository, index: bytes, paths: Sequence[bytes]) -> Result:
    return repository.git(
        "update-index",
        "--add",
        "--remove",
        "--replace",
        "-z",
        "--stdin",
        stdin=b"".join(path + b"\0" for path in paths),
        index=index,
        ok=(0, 1, 128, -signal.SIGBUS, -signal.SIGKILL),
        timeout=LONG,
    )


def _spare(repository: Repository, index: bytes, complaint: str) -> bool:
    """Where a filter fails on an entry that is as young as the index: git looks at such once more when
    it writes the index, whatever it was asked for. An entry without times is not looked at. Whether
    there was one."""
    name = filters.failed_on(complaint)
    if name is None:
        return False
    timed = {
        path: one
        for path, one in indexes.everything(repository, index).items()
        if readable(path) == name and not indexes.is_untimed(repository, index, path)
    }
    indexes.put(repository, index, dict(timed))
    return bool(timed)


def _ignored(complaint: str, paths: Sequence[bytes]) -> list[LeftOut]:
    """Names that git forbids (`.git`, `git~1` and the like) it passes over with a word."""
    return [
        LeftOut(path, "name", "has a name that git forbids")
        for path in paths
        if f"Ignoring path {readable(path)}" in complaint
    ]
