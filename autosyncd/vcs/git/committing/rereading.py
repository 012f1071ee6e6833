"""What differs in the whole tree where some paths are named besides: those by content.

A store through a mapping may move no time, but the kernel names the file. `git status` with many paths
compares each entry of the index with each of them: many seconds for 5,000 in a tree of 100,000 files.
So the entries of what is named are put into an index of their own, which knows no times.
"""

from autosyncd.vcs.changes import EVERYTHING, Scope
from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.committing import survey
from autosyncd.vcs.git.committing.trees import parents
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.repository import Repository


def differences(repository: Repository, scope: Scope, index: bytes) -> list[survey.Difference]:
    """All that git sees to differ from `index`, and what is named and differs in spite of that."""
    by_stat = survey.differences(repository, EVERYTHING, index=index)
    named = _entries(repository, scope, index)
    if not named:
        return by_stat
    alone = indexes.empty(repository, "reread.index")
    indexes.put(repository, alone, dict(named))
    found = {one.path: one for one in survey.differing_files(repository, alone)}
    return list((found | {one.path: one for one in by_stat}).values())


def _entries(repository: Repository, scope: Scope, index: bytes) -> dict[bytes, Version]:
    """What the index has of what is named, but for what a person has marked not to be looked at."""
    held = indexes.everything(repository, index)
    named = {path: one for path, one in held.items() if _is_named(path, scope)}
    skipped, assumed = indexes.flagged(repository, index, named)
    return {path: one for path, one in named.items() if path not in skipped | assumed}


def _is_named(path: bytes, scope: Scope) -> bool:
    """Itself, or a folder above it."""
    return any(one in scope.paths for one in (path, *parents(path)))
