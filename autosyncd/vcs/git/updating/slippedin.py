"""Edits that slipped in while an update was under way, committed on the version they were made from."""

import os
import stat
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import NOTHING_CHANGED, Change, ChangeSet, Scope
from autosyncd.vcs.git import held, indexes, ownrefs
from autosyncd.vcs.git.committing.attempt import Committer
from autosyncd.vcs.git.committing.scan import scan
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import steps_between
from autosyncd.vcs.git.history import make_commit
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating import nextindex
from autosyncd.vcs.git.updating.asking import Limits, kind_of
from autosyncd.vcs.git.updating.intheway import occupant
from autosyncd.vcs.outcomes import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class SlippedIn:
    """What came of them."""

    ours: str | None
    """The commit that has them, on the one that was given; that one where there was nothing."""
    disk: str
    """The tree that lies on disk now."""
    stubborn: frozenset[bytes]
    """Paths that differ, and lay there unchanged while nothing was found to commit."""
    reasons: Mapping[bytes, str] = field(default_factory=dict)
    """Why, as far as that is known."""
    held_edits: held.Held = field(default_factory=dict)
    """Held files that were edited, and the commit that has it, on the version it was made from."""


@dataclass(frozen=True, slots=True)
class _Lying:
    """What has the place of a path, and how that differs when another thing has it, or it was written
    to."""

    path: bytes
    inode: int
    mode: int
    changed: int


def still_held(repository: Repository, config: RepoConfig) -> held.Held:
    """The record, without what is as HEAD has it: the person's git may have put that back. Asked of the
    private index, a copy of theirs."""
    record = held.recall(repository)
    scope = NOTHING_CHANGED | Scope(frozenset(record))
    return scan(repository, scope, config).held if record else record


def absorb(
    repository: Repository,
    committer: Committer,
    *,
    ours: str | None,
    disk: str,
    dirty: Set[bytes],
    beside: Scope,
    allowed: frozenset[str],
) -> SlippedIn | Question:
    """Look at the dirty paths, at what has the places of these, and at what may have changed `beside`
    them; `disk` is the tree that was put there, `ours` the commit that it was made from. Beyond the
    safety limits nothing of it is committed: the question then, unless it is one of those that a person
    has `allowed`."""
    index = repository.private_index
    indexes.copy_own(repository)
    onto_disk = steps_between(repository, repository.tree_of(repository.head), disk)
    indexes.put(repository, index, {path: step.new for path, step in onto_disk.items()})
    limits = Limits(repository, committer, nextindex.count(repository), allowed)
    before = {path: _what_lies_at(repository.root, path) for path in dirty}
    places = dirty | {one.path for one in before.values() if one is not None}
    found = scan(repository, Scope(frozenset(places)) | beside, committer.config, index)
    question = limits.before_adopting(found.plan)
    if question is not None:
        return question
    edits, lost = found.take(repository, index), dict.fromkeys(found.lost)
    taken = indexes.write_tree(repository, index)
    slipped_in = steps_between(repository, disk, taken)
    edited = held.with_edits(repository, taken, edits)
    changed, size = slipped_in.keys() | edits.keys(), found.plan.new_size
    question = limits.before_committing(len(changed), size, trees=(disk, edited))
    if question is not None:
        return question
    held_edits = _commit_beside(repository, committer, edits)
    found_at = changed | lost.keys()
    silent = {path: before[path] for path in dirty if not _touched(path, found_at)}
    left_out = {one.path for one in found.left_out}
    stubborn = _unmoved(repository, disk, silent, left_out)
    reasons = {one.path: one.text for one in found.left_out if one.path in stubborn}
    return SlippedIn(
        ours=_commit(repository, committer, ours, slipped_in),
        disk=indexes.tree_with(repository, edited, lost),
        stubborn=stubborn,
        reasons=reasons,
        held_edits=held_edits,
    )


def _commit_beside(
    repository: Repository, committer: Committer, edits: Mapping[bytes, Version]
) -> held.Held:
    """Commit edits of held files; what is on record of them now."""
    record, name = held.recall(repository), committer.config.name
    known = set(record.items())
    held.commit_edits(repository, record, dict(edits), author=committer.author, name=name)
    return dict(record.items() - known)


def _commit(
    repository: Repository, committer: Committer, ours: str | None, steps: Mapping[bytes, Step]
) -> str | None:
    """A commit of these steps on `ours`, kept by a ref; that itself where they change nothing."""
    base = repository.tree_of(ours)
    tree = indexes.tree_with(repository, base, {path: step.new for path, step in steps.items()})
    if tree == base:
        return ours
    changes = tuple(Change(kind_of(step), step.path) for step in steps.values())
    message = committer.compose(ChangeSet(changes, 0), repository.memory.branch, "")
    parents = [ours] if ours else []
    made = make_commit(repository, tree, parents, message=message, author=committer.author)
    ownrefs.keep_side(repository, made)
    return made


def _unmoved(
    repository: Repository,
    disk: str,
    before: Mapping[bytes, _Lying | None],
    left_out: Set[bytes],
) -> frozenset[bytes]:
    """Those of the paths without news that lay there unchanged meanwhile. Any other may be news of a
    moment later; and where nothing is, and nothing was to be, nothing is in the way."""
    return frozenset(
        path
        for path, lying in before.items()
        if _is_same(lying, _what_lies_at(repository.root, path), left_out)
        and (lying is not None or held.version_in(repository, disk, path) is not None)
    )


def _is_same(before: _Lying | None, now: _Lying | None, left_out: Set[bytes]) -> bool:
    """What is no file (a pipe), or is left out anyhow (it is large), may have traffic all the time."""
    if before is None or now is None or before == now:
        return before == now
    busy = now.path in left_out or stat.S_IFMT(now.mode) not in (stat.S_IFREG, stat.S_IFDIR)
    return busy and replace(before, changed=now.changed) == now


def _what_lies_at(root: bytes, path: bytes) -> _Lying | None:
    there = occupant(root, path)
    try:
        found = os.lstat(os.path.join(root, there)) if there else None
    except OSError:
        return None
    if there is None or found is None:
        return None
    return _Lying(there, found.st_ino, found.st_mode, found.st_ctime_ns)


def _touched(path: bytes, found: Set[bytes]) -> bool:
    """Whether the scan found something at a path, above it or below it."""
    return path in found or any(
        other.startswith(path + b"/") or path.startswith(other + b"/") for other in found
    )
