"""The general way to a commit of known paths, on an index that holds nothing but them.

A tree of 100,000 files has an index of 11 MB, which every git process reads (10 to 15 ms) and some
write (80 ms). Of that, what git says of some paths depends on their own entries, on what lies below
them, and on the files of rules above. When it is known that nothing is staged, those entries are the
last commit's; so they are put into an index of their own, on which git does what it does on a whole one
(scan.py): nothing about filters, line ends, ignored or forbidden names, submodules or held files is
decided here.

Where git would look at more of an index than that (names that differ in case alone, a sparse checkout,
marks on entries), Doubtful is raised, and the whole one is taken.
"""

import contextlib
import os
from collections.abc import Collection, Iterable

from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.committing.attempt import Attempt
from autosyncd.vcs.git.committing.cache import CommitCache, cache_of
from autosyncd.vcs.git.committing.draft import Doubtful, Draft
from autosyncd.vcs.git.committing.look import FoldersAbove
from autosyncd.vcs.git.committing.scan import scan
from autosyncd.vcs.git.committing.stamps import RULES
from autosyncd.vcs.git.committing.trees import FOLDER, parents
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import LeftOut

MOST = 5_000
"""Entries beyond which the whole index costs little more."""
WIDER = ("core.ignorecase", "core.precomposeunicode", "core.sparsecheckout", "core.splitindex")
"""Settings with which git looks further, or writes further files."""
MODULES = b".gitmodules"


def draft(attempt: Attempt, tree: str) -> tuple[Draft, tuple[LeftOut, ...]]:
    """The draft of a commit on this tree, and what is to be said of what it leaves out. Nothing is
    staged. Raises Doubtful."""
    repository, scope = attempt.repository, attempt.order.scope
    cache = cache_of(repository)
    cache.begin()
    if any(map(cache.settings.is_on, WIDER)):
        raise Doubtful("git looks at the whole index.")
    paths = sorted(scope.paths)
    _check_paths(repository, paths)
    entries = _entries(cache, tree, paths)
    try:
        index = _written(repository, entries)
        found = scan(repository, scope, attempt.committer.config, index, excerpt=True)
    except GitFailed as problem:
        raise Doubtful(f"git can't look at these paths alone: {problem}") from problem
    seen = _seen(repository, found.plan.take)
    left_out = attempt.take(found, index)
    now = indexes.everything(repository, index)
    before = {path: entries.get(path) for path in now.keys() | entries.keys()}
    pairs = {path: (old, now.get(path)) for path, old in before.items() if old != now.get(path)}
    trees = cache.trees(tree, list(pairs))
    return cache.draft(tree, trees, pairs, seen=seen, new_size=found.plan.new_size), left_out


def _check_paths(repository: Repository, paths: Iterable[bytes]) -> None:
    """None may lie below a link, or in another repository: there git asks the index what is meant."""
    folders = FoldersAbove(repository.root)
    for path in paths:
        if not path or b"\n" in path:
            raise Doubtful("It is the whole tree, or has a name of several lines.")
        folders.exist_above(path)


def _entries(cache: CommitCache, tree: str, paths: list[bytes]) -> dict[bytes, Version]:
    """What the last commit has of these paths, and the files of rules above them."""
    trees = cache.trees(tree, [*paths, MODULES])
    found: dict[bytes, Version] = {}
    for path in [*paths, *_rules_above(paths)]:
        entry = trees.entry(path)
        if entry is not None and entry.mode == FOLDER:
            found |= cache.known.below(path, entry.oid, cache.children.contents, MOST)
        elif entry is not None:
            found[path] = entry
        if len(found) > MOST:
            raise Doubtful("These are many files.")
    inventory, named = cache.repository.inventory, frozenset(paths)
    if inventory is None or any(_is_meant(one, named, found) for one in inventory.set_aside):
        raise Doubtful("The index is not known, or a file was set aside in it.")
    return found


def _is_meant(path: bytes, named: Collection[bytes], found: Collection[bytes]) -> bool:
    """Whether it is one of these, or lies below; the last commit need not have it."""
    return path in found or any(one in named for one in (path, *parents(path)))


def _rules_above(paths: Iterable[bytes]) -> list[bytes]:
    folders = dict.fromkeys(folder for path in paths for folder in parents(path))
    above = [folder + b"/" + name if folder else name for folder in folders for name in RULES]
    return [*above, MODULES]


def _written(repository: Repository, entries: dict[bytes, Version]) -> bytes:
    """An index of these entries. It knows no times: git goes by the content of the files."""
    index = indexes.empty(repository, "excerpt.index")
    complaint = indexes.put(repository, index, dict(entries))
    if complaint:  # what is left out of the index would be taken for deleted
        raise Doubtful(f"git does not take all that is in the last commit: {complaint}")
    return index


def _seen(repository: Repository, paths: Iterable[bytes]) -> dict[bytes, os.stat_result]:
    """lstat(2) before git reads them: what is changed later is seen to be so."""
    seen = {}
    for path in paths:
        with contextlib.suppress(OSError):
            seen[path] = os.lstat(repository.root + b"/" + path)
    return seen
