"""Names that differ in case alone, where the file system sees no difference (core.ignorecase).

Git's trees can hold `f` and `F` beside each other; such a file system has one place for both. The
second is given the name of a conflict copy, in a commit that all machines get: both versions are kept.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.history import make_commit
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.listings import files_in
from autosyncd.vcs.git.merging.apart import Apart
from autosyncd.vcs.git.merging.conflict import conflict_name
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.merging.merge import Hosts
from autosyncd.vcs.git.repository import Repository


def distinct(repository: Repository, here: str, target: str, joiner: Joiner) -> str:
    """The target, or a commit on it whose names can all lie on this machine's disk."""
    if here == target or not ignores_case(repository):
        return target
    files = files_in(repository, target)
    second = sorted(_second(files, set(files_in(repository, here))))
    if not second:
        return target
    hosts = Hosts(Apart(repository, here, target))
    taken = {fold(name) for path in files for name in (path, *_parents(path))}
    entries: dict[bytes, Version | None] = dict.fromkeys(second)
    for path in second:
        version = files[path]
        host = hosts.of(target, path, version.oid)
        name = conflict_name(path, host, version.oid, lambda name: fold(name) not in taken)
        taken.add(fold(name))
        entries[name] = version
    joiner.conflicts += second
    tree = tree_with(repository, repository.tree_of(target), entries)
    message = f"{joiner.name}: tell names apart that differ in case alone"
    return make_commit(repository, tree, [target], message=message, author=joiner.author)


def ignores_case(repository: Repository) -> bool:
    """git sets core.ignorecase where it makes a repository (git-config(1)); it is asked only where
    the word stands in the repository's own configuration."""
    config = Path(os.fsdecode(repository.common_dir), "config").read_bytes()
    return (
        b"ignorecase" in config.lower()
        and repository.git("config", "--bool", "core.ignorecase", ok=(0, 1)).text == "true"
    )


def fold(path: bytes) -> bytes:
    """As such a file system compares names."""
    return os.fsencode(os.fsdecode(path).casefold())


def _second(files: Mapping[bytes, Version], first: set[bytes]) -> Iterator[bytes]:
    """Files whose place another has: one that is here already, else the first by name. A folder's
    name goes before a file's, since what lies in it can't move."""
    folders = {fold(parent) for path in files for parent in _parents(path)}
    places: dict[bytes, bytes] = {}
    for path in sorted(files, key=lambda path: (path not in first, path)):
        place = fold(path)
        if places.setdefault(place, path) != path or place in folders:
            yield path


def _parents(path: bytes) -> Iterator[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path
