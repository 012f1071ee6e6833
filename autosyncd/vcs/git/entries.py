"""How two trees differ: entry by entry, and as steps for the files on disk."""

from collections.abc import Mapping

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step

Pair = tuple[Version | None, Version | None]
"""The versions of a path in two trees: before and after a change."""
Pairs = Mapping[bytes, Pair]
"""Path → its pair."""


def steps_of(entries: Pairs) -> dict[bytes, Step]:
    """What has to change on disk (gitlinks are left alone)."""
    return {
        path: Step(path, *(None if is_gitlink(one) else one for one in pair))
        for path, pair in entries.items()
        if not all(one is None or is_gitlink(one) for one in pair)
    }


def steps_between(repository: Repository, old: str, new: str) -> dict[bytes, Step]:
    """What has to change on disk to come from one tree to another."""
    return steps_of(entries_between(repository, old, new))


def entries_between(
    repository: Repository, old: str, new: str
) -> dict[bytes, tuple[Version | None, Version | None]]:
    """How the entries of two trees differ."""
    if old == new:
        return {}
    raw = ("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new, "--")
    said = repository.git(*raw, timeout=LONG)
    entries = {}
    fields = iter(said.records)
    for info in fields:
        path = next(fields)
        old_mode, new_mode, old_oid, new_oid, _ = info.removeprefix(b":").split(b" ")
        entries[path] = (_version(old_mode, old_oid), _version(new_mode, new_oid))
    return entries


def _version(mode: bytes, oid: bytes) -> Version | None:
    return None if mode == b"000000" else Version(mode, oid)


def is_gitlink(version: Version | None) -> bool:
    """Whether the entry is a submodule's commit, not a file."""
    return version is not None and version.mode == b"160000"
