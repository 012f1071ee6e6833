"""Repositories of the person's own inside the tree in which something is tracked here, too.

git leaves a folder with a `.git` alone only where nothing in it is tracked; else it goes on as if that
were not there (`git init` in a folder of the tree, or a file that comes in below a repository). For us
it is theirs all the same: nothing in it is committed, and nothing is put there.
"""

import os
from collections.abc import Iterable

from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import LeftOut

TEXT = "is a repository of its own"


def inside(root: bytes, paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """Those of the paths that lie in a repository below `root`, and that repository."""
    known: dict[bytes, bool] = {}
    found = {}
    for path in paths:
        top = _around(root, path, known)
        if top is not None:
            found[path] = top
    return found


def _around(root: bytes, path: bytes, known: dict[bytes, bool]) -> bytes | None:
    """The outermost one that `path` lies in."""
    end = path.find(b"/")
    while end >= 0:
        folder = path[:end]
        if folder not in known:
            known[folder] = os.path.lexists(os.path.join(root, folder, b".git"))
        if known[folder]:
            return folder
        end = path.find(b"/", end + 1)
    return None


def left_out(
    repository: Repository, scope: Scope, index: bytes, inner: Iterable[bytes]
) -> list[LeftOut]:
    """What is to be said: of the repositories of `inner`, and of those in the scope in which nothing
    has changed. (One in which nothing is tracked is named by git.)"""
    named = set(inner)
    listed = ("--literal-pathspecs", "ls-files", "-z")
    if scope.everything:
        tracked = repository.git(*listed, index=index).records
        named |= set(inside(repository.root, _one_a_folder(tracked)).values())
    else:
        tops = [path for path in scope.paths if _is_one(repository.root, path)]
        if tops:
            tracked = repository.git(*listed, "--", *sorted(tops), index=index).records
            named |= set(inside(repository.root, _one_a_folder(tracked)).values())
    return [LeftOut(path, "nested", TEXT) for path in sorted(named)]


def _is_one(root: bytes, path: bytes) -> bool:
    return bool(path) and os.path.lexists(os.path.join(root, path, b".git"))


def _one_a_folder(paths: Iterable[bytes]) -> Iterable[bytes]:
    """One of the paths of each folder: the rest of them lie nowhere else."""
    return {path.rpartition(b"/")[0]: path for path in paths}.values()
