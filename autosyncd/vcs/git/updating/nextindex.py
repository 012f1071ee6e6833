"""The index as it is to become the person's: theirs, with what comes in, their marks, and the times of
the files that were put there."""

import os
import re
from collections.abc import Iterable, Mapping

from autosyncd.errors import AutosyncError
from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.entries import Pairs
from autosyncd.vcs.git.indexfile import IndexFile, Placed
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step

Marked = tuple[set[bytes], set[bytes]]
"""Paths that are skip-worktree, and paths that are assume-unchanged."""

_PASSED_OVER = re.compile(r"Ignoring path (.*)")


class ForbiddenName(AutosyncError):
    """The new version holds a name that git takes into no index here (`git~1`, say); str() is it."""


def staged_tree(repository: Repository) -> str | None:
    """The tree that the person's `git commit` would make, of the private index, a copy of theirs;
    None with unresolved conflicts."""
    noted = IndexFile(repository.private_index, repository.object_format).tree
    return noted or indexes.staged_tree(repository)


def prepare(
    repository: Repository, trees: tuple[str, str], changed: Pairs, steps: Mapping[bytes, Step]
) -> Marked:
    """Bring the private index, a copy of the person's, from the first tree to the second. Raises
    ForbiddenName: without that entry the index would look as if somebody had staged its deletion."""
    index = repository.private_index
    if repository.sparse:
        indexes.read_sparse(repository, index, *trees)
        return indexes.flagged(repository, index, {*changed, *steps})
    skipped, assumed = _marked(repository, index, changed, steps)
    entries = {path: pair[1] for path, pair in changed.items()}
    complaint = indexes.put(repository, index, entries)
    if passed_over := _PASSED_OVER.search(complaint):
        raise ForbiddenName(passed_over[1])
    if not os.path.exists(index):  # of a tree without files, where there was no index yet
        repository.git("read-tree", "--empty", index=index)
    indexes.restore_flags(repository, index, skipped & set(entries), assumed & set(entries))
    return skipped, assumed


def complete(repository: Repository, written: Iterable[bytes], placed: Placed) -> None:
    """Let the private index know the files that lie there, so that nobody need read them again."""
    index = repository.private_index
    ours = {path: placed[path] for path in written if path in placed}
    own = IndexFile(index, repository.object_format)
    known = own.write_times(repository.root, ours)
    indexes.refresh(repository, index, sorted(path for path in written if path not in known))


def count(repository: Repository) -> int:
    """How many files are tracked, by the private index."""
    index = repository.private_index
    known = IndexFile(index, repository.object_format).entries
    if known is not None:
        return known
    return repository.git("ls-files", "-z", index=index, timeout=LONG).out.count(b"\0")


def _marked(
    repository: Repository, index: bytes, changed: Pairs, steps: Mapping[bytes, Step]
) -> Marked:
    """Mostly there are none, and that can be seen without asking git."""
    here = {path: old for path, (old, _) in changed.items() if old}
    for path, step in steps.items():  # a held path, say: its entry is the new one already
        if path not in changed and step.new is not None:
            here[path] = step.new
    if IndexFile(index, repository.object_format).are_plain(here):
        return set(), set()
    return indexes.flagged(repository, index, {*changed, *steps})
