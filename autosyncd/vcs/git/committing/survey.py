"""What differs between the work tree and the index, as git tells it.

`git status --porcelain=v2 -z` (git-status(1)) lists it; `plan` decides, purely, which of it is taken
into the next commit and what is left out, and why.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git import filters
from autosyncd.vcs.git.command import LONG, GitFailed
from autosyncd.vcs.git.committing.filefacts import FileFacts, facts_on_disk
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.indexes import portions
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import LeftOut

_SHUT = re.compile(r"could not open directory '(.+?)(?:(/?': )|$)", re.M)
"""git cuts what it says after 4096 bytes (usage.c): of a long name the end is missing."""
_NO_FILE = ("none", "folder")


@dataclass(frozen=True, slots=True)
class Difference:
    """One path as `git status` reports it."""

    path: bytes
    untracked: bool
    submodule: bool = False
    deleted: bool = False
    unmerged: bool = False
    too_deep: bool = False
    """Below it are longer names than the system takes; git does not say which."""
    indexed: Version | None = field(default=None, compare=False)
    """What the index has of it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Paths to bring into the index, and those left out."""

    take: tuple[bytes, ...]
    left_out: tuple[LeftOut, ...]
    gone: tuple[bytes, ...]
    """Tracked paths that are no more (perhaps a link stands where their folder was)."""
    new: tuple[bytes, ...]
    """Those of the taken ones that are not tracked yet."""
    new_size: int
    """Their bytes."""


def differences(repository: Repository, scope: Scope, *, index: bytes) -> list[Difference]:
    """What differs from `index`, of everything by stat alone. A scope git can't take becomes that."""
    if scope.everything:
        return list(_status(repository, [], index))
    with _content_counts(index):
        return _differences_in(repository, scope, index)


def differences_in_excerpt(repository: Repository, scope: Scope, index: bytes) -> list[Difference]:
    """The same of an index that holds the paths of the scope alone, and knows no times. `git status`
    would compare it with the whole of the last commit. Raises GitFailed for a scope git can't take."""
    others = ("--literal-pathspecs", "ls-files", "-z", "--others", "--exclude-standard", "--")
    found: dict[bytes, Difference] = {}
    for paths in portions(sorted(scope.paths)):
        said = repository.git(*others, *paths, index=index, timeout=LONG)
        for path in said.records:
            found[path] = Difference(path, untracked=True)
        for difference in _shut(repository, said.complaint):
            found[difference.path] = difference
        for difference in differing_files(repository, index, *paths):
            found[difference.path] = difference
    return list(found.values())


def differing_files(repository: Repository, index: bytes, *paths: bytes) -> Iterator[Difference]:
    """What is not as an index has it that knows no times: what is gets its times, and is not named."""
    filters.compare(repository, "update-index", "-q", "--refresh", index=index, ok=(0, 1))
    changed = ("--literal-pathspecs", "diff-files", "-z", "--raw", "--ignore-submodules=dirty")
    said = filters.compare(repository, *changed, "--no-renames", "--", *paths, index=index)
    return parse_raw(said.records)


def parse_raw(records: Sequence[bytes]) -> Iterator[Difference]:
    """The records of `git diff-files -z --raw`: `:mI mW hI hW LETTER`, then the path."""
    for info, path in zip(records[::2], records[1::2], strict=True):
        before, now, oid, _, letter = info[1:].split(b" ")
        yield Difference(
            path,
            untracked=False,
            submodule=now == b"160000",
            deleted=letter == b"D",
            unmerged=letter == b"U",
            indexed=Version(before, oid),
        )


@contextlib.contextmanager
def _content_counts(index: bytes) -> Iterator[None]:
    """Let git read the content of what is asked for, whatever stat says: a store through a shared
    mapping moves no time. An index of the year 1970 makes every entry doubtful (racy-git.txt)."""
    try:
        times = os.stat(index)
    except FileNotFoundError:
        yield
        return
    os.utime(index, (1, 1))
    try:
        yield
    finally:
        os.utime(index, ns=(times.st_atime_ns, times.st_mtime_ns))


def _differences_in(repository: Repository, scope: Scope, index: bytes) -> list[Difference]:
    found: dict[bytes, Difference] = {}
    try:
        for paths in portions(sorted(scope.paths)):
            for difference in _status(repository, paths, index):
                found[difference.path] = difference
    except GitFailed:
        # a path below what has become a submodule or a symbolic link can't be asked for
        return list(_status(repository, [], index))
    return list(found.values())


def _status(repository: Repository, paths: list[bytes], index: bytes) -> Iterator[Difference]:
    said = filters.compare(
        repository,
        "--literal-pathspecs",
        "status",
        "--porcelain=v2",
        "-z",
        "--untracked-files=all",
        "--ignore-submodules=dirty",
        "--no-renames",
        "--",
        *paths,
        index=index,
    )
    yield from parse_status(said.records)
    yield from _shut(repository, said.complaint)


def _shut(repository: Repository, complaint: str) -> Iterator[Difference]:
    """Folders that git could not read; it passes over them with a word, and what is new in them would
    be left out without one."""
    facts = facts_on_disk(repository.root)
    for name, whole in _SHUT.findall(complaint):
        path = os.fsencode(name)
        if not whole:
            yield Difference(path.rpartition(b"/")[0], untracked=True, too_deep=True)
        elif not facts(path).readable:
            yield Difference(path, untracked=True)


def parse_status(records: Iterable[bytes]) -> Iterator[Difference]:
    """The records of porcelain v2: `1 XY sub mH mI mW hH hI path`, `u …`, `? path`."""
    for record in records:
        if record.startswith(b"? "):
            yield Difference(record[2:], untracked=True)
        elif record.startswith(b"u "):
            yield Difference(record.split(b" ", 10)[10], untracked=False, unmerged=True)
        elif record.startswith(b"1 "):
            fields = record.split(b" ", 8)
            if fields[1][1:] != b".":
                yield Difference(
                    fields[8],
                    untracked=False,
                    submodule=fields[2].startswith(b"S"),
                    deleted=fields[1].endswith(b"D"),
                    indexed=Version(fields[4], fields[7]) if int(fields[4]) else None,
                )


def plan(
    found: Iterable[Difference], facts: Callable[[bytes], FileFacts], *, large_file: int
) -> Plan:
    """Which differences go into the commit. Pure but for what `facts` reads."""
    take: list[bytes] = []
    left_out: list[LeftOut] = []
    gone: list[bytes] = []
    new: list[bytes] = []
    new_size = 0
    for difference in found:
        path = difference.path
        if difference.untracked and path.endswith(b"/"):
            left_out.append(LeftOut(path[:-1], "nested", "is a repository of its own"))
            continue
        if difference.deleted:
            gone.append(path)
            continue
        known = facts(path)
        reason = None if difference.submodule else _reason(difference, known, large_file)
        if reason is not None:
            left_out.append(reason)
        elif known.kind != "other" and not (difference.untracked and known.kind in _NO_FILE):
            take.append(path)
            if difference.untracked:
                new.append(path)
                new_size += known.size
    return Plan(
        take=tuple(take),
        left_out=tuple(left_out),
        gone=tuple(gone),
        new=tuple(new),
        new_size=new_size,
    )


def _reason(difference: Difference, known: FileFacts, large_file: int) -> LeftOut | None:
    path = difference.path
    if difference.too_deep:
        return LeftOut(path, "name", "holds longer paths than the system takes")
    if known.kind == "long":
        return LeftOut(path, "name", "has a longer path than the system takes")
    if not known.readable:
        stays = "what history has of it" if known.kind == "folder" else "its last version"
        return LeftOut(path, "unreadable", f"can't be read; {stays} stays")
    if difference.untracked and large_file and known.size > large_file:
        return LeftOut(path, "large", f"is larger than large_file ({_megabytes(known.size)})")
    return None


def _megabytes(size: int) -> str:
    return f"{size / 1_000_000:,.0f} MB"
