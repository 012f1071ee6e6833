"""What git lists, entry by entry.

of a tree      `<mode> <kind> <id> TAB <path>`     git-ls-tree(1)
of an index    `<mode> <id> <stage> TAB <path>`    git-ls-files(1), -s and -u; git-merge-tree(1)
"""

from collections.abc import Iterable, Iterator

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.repository import Repository

Stages = dict[bytes, dict[int, Version]]
"""Path → its versions by their stages, where it is in conflict: 1 base, 2 first, 3 second."""


def of_tree(records: Iterable[bytes]) -> Iterator[tuple[bytes, bytes, Version]]:
    """Path, kind (`blob`, `tree`, `commit`) and version of each entry."""
    for record in records:
        info, path = record.split(b"\t", 1)
        mode, kind, oid = info.split(b" ")
        yield path, kind, Version(mode, oid)


def of_index(records: Iterable[bytes]) -> Iterator[tuple[bytes, int, Version]]:
    """Path, stage (0: no conflict) and version of each entry."""
    for record in records:
        info, path = record.split(b"\t", 1)
        mode, oid, stage = info.split(b" ")
        yield path, int(stage), Version(mode, oid)


def stages_of(records: Iterable[bytes]) -> Stages:
    """The entries of an index, by path."""
    stages: Stages = {}
    for path, stage, version in of_index(records):
        stages.setdefault(path, {})[stage] = version
    return stages


def files_in(repository: Repository, tree: str) -> dict[bytes, Version]:
    """Every file, link and submodule of a tree or commit, by its path."""
    listed = repository.git("ls-tree", "-r", "-z", "--full-tree", tree, timeout=LONG)
    return {path: version for path, _, version in of_tree(listed.records)}
