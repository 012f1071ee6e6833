"""Bring what changed in the work tree into history.

The work is done on a private copy of the person's index (a fresh one would commit what is marked
assume-unchanged or skip-worktree), and only its result is published: branch and index move together,
under index.lock, in a few milliseconds. If anything moved meanwhile, it is done again.
"""

import os
import re
import shutil
from dataclasses import dataclass

from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.driver import (
    Change,
    ChangeKind,
    ChangeSet,
    CommitMade,
    CommitOrder,
    CommitOutcome,
    Compose,
    Guard,
    LeftOut,
    NothingToCommit,
    Waiting,
    Why,
)
from autosyncd.vcs.git import excludes, survey
from autosyncd.vcs.git.command import LONG, GitFailed, readable
from autosyncd.vcs.git.condition import locked, obstacle
from autosyncd.vcs.git.history import (
    Author,
    advance,
    changes_between,
    forget_journal,
    index_signature,
    make_commit,
)
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.repository import Repository

TRIES = 8
"""How often somebody else may be faster before the verb gives way and is tried later."""
_UNTAKEABLE = re.compile(
    r"Unable to process path (?P<path>.*)|fatal: (?P<filtered>.*): clean filter '.*' failed", re.S
)


@dataclass(frozen=True, slots=True)
class Committer:
    """What a commit needs besides the tree: policy, limits, words, author."""

    config: RepoConfig
    guard: Guard
    compose: Compose
    author: Author


def commit(repository: Repository, committer: Committer, order: CommitOrder) -> CommitOutcome:
    """The verb Commit. Raises GitFailed for what is not expected."""
    for _ in range(TRIES):
        waiting = obstacle(repository)
        if waiting is not None:
            return waiting
        try:
            outcome = _attempt(repository, committer, order)
        except IndexBusy:
            return locked(repository) or Waiting(Why.LOCKED, "Another git command is running.")
        if outcome is not None:
            return outcome
    return Waiting(Why.LOCKED, "The repository keeps changing under us; it is tried again soon.")


def _attempt(
    repository: Repository, committer: Committer, order: CommitOrder
) -> CommitOutcome | None:
    """One try; None when somebody moved the branch or the index meanwhile."""
    head = repository.head
    before = repository.tree_of(head)
    signature = copy_index(repository)
    staged = _staged_tree(repository)
    if staged is None:
        return Waiting(
            Why.OPERATION, "There are unresolved conflicts in the index; it goes on after: git add"
        )
    if staged != before and not order.ignore_staged:
        return Waiting(Why.STAGED, "You have staged changes; it goes on after your: git commit")

    index = repository.private_index
    found = survey.differences(repository, order.scope, index=index)
    facts = survey.facts_on_disk(repository.root)
    plan = survey.plan(found, facts, large_file=committer.config.large_file)
    question = _adoption(repository, committer, order, plan)
    if question is not None:
        return question
    left_out = [*plan.left_out, *stage(repository, plan.take)]
    candidates = None if order.scope.everything else order.scope.paths
    left_out += excludes.held_secrets(repository, candidates)

    after = repository.git("write-tree", index=index, timeout=LONG).text
    if after == before:
        _adopted(repository, order)
        known = Head(repository.memory.branch, head) if head else None
        return NothingToCommit(known, tuple(left_out))
    changes = changes_between(repository, before, after)
    change_set = ChangeSet(changes, _tracked(repository, committer, changes), plan.new_size)
    question = committer.guard(change_set)
    if question is not None and question.kind not in order.allowed:
        return question
    message = committer.compose(change_set, repository.memory.branch, order.description)
    new = _commit_staged_first(repository, committer, [staged, before, after], head, message)
    with IndexLock(repository) as lock:
        if index_signature(repository) != signature or not advance(repository, lock, head, new):
            return None
    forget_journal(repository)
    _adopted(repository, order)
    subject = message.split("\n", 1)[0]
    return CommitMade(Head(repository.memory.branch, new), len(changes), subject, tuple(left_out))


def copy_index(repository: Repository) -> tuple[int, int, int] | None:
    """Begin with the person's index as it is; its signature tells later whether it still is."""
    signature = index_signature(repository)
    for leftover in (repository.private_index, repository.private_index + b".lock"):
        if os.path.exists(leftover):
            os.unlink(leftover)
    if signature is not None:
        shutil.copyfile(repository.index, repository.private_index)
    return signature


def _staged_tree(repository: Repository) -> str | None:
    """The tree that the person's `git commit` would make; None with unresolved conflicts."""
    written = repository.git(
        "write-tree", index=repository.private_index, ok=(0, 128), timeout=LONG
    )
    if written.code and "unmerged" not in written.complaint and "merge" not in written.complaint:
        raise GitFailed("write-tree", written.code, written.complaint)
    return None if written.code else written.text


def stage(repository: Repository, paths: tuple[bytes, ...]) -> list[LeftOut]:
    """Bring these paths into the private index, each taken literally; those git can't take are
    named and left out, so that one bad file never keeps the others from history."""
    wanted = list(paths)
    left_out: list[LeftOut] = []
    while wanted:
        said = repository.git(
            "update-index",
            "--add",
            "--remove",
            "--replace",
            "-z",
            "--stdin",
            stdin=b"".join(path + b"\0" for path in wanted),
            index=repository.private_index,
            ok=(0, 1, 128),
            timeout=LONG,
        )
        if said.code == 0:
            break
        bad = _untakeable(said.complaint, wanted)
        if bad is None:
            raise GitFailed("update-index", said.code, said.complaint)
        wanted.remove(bad)
        left_out.append(LeftOut(bad, "unreadable", f"can't be taken by git: {said.complaint}"))
    return left_out


def _untakeable(complaint: str, paths: list[bytes]) -> bytes | None:
    found = _UNTAKEABLE.search(complaint)
    if not found:
        return None
    named = found["path"] or found["filtered"]
    return next((path for path in paths if readable(path) == named.strip()), None)


def _adoption(
    repository: Repository, committer: Committer, order: CommitOrder, plan: survey.Plan
) -> CommitOutcome | None:
    """The first commit here is asked about before a single file is read into the repository."""
    if repository.memory.adopted or not order.scope.everything:
        return None
    added = tuple(Change(ChangeKind.ADDED, path) for path in plan.new)
    question = committer.guard(ChangeSet(added, 0, plan.new_size, adopting=True))
    return question if question is not None and question.kind not in order.allowed else None


def _adopted(repository: Repository, order: CommitOrder) -> None:
    if order.scope.everything and not repository.memory.adopted:
        repository.memory.adopted = True
        repository.remember()


def _tracked(repository: Repository, committer: Committer, changes: tuple[Change, ...]) -> int:
    """Files in the index; counted only where a safety limit could be reached at all."""
    if len(changes) * 4 < committer.config.safety.min_files:
        return 0
    listed = repository.git("ls-files", "-z", index=repository.index, timeout=LONG)
    return listed.out.count(b"\0")


def _commit_staged_first(
    repository: Repository,
    committer: Committer,
    trees: list[str],
    head: str | None,
    message: str,
) -> str:
    """The commit of the work tree, on one of what was staged, if that is something else."""
    staged, before, after = trees
    parents = [head] if head else []
    if staged not in (before, after):
        subject = f"{committer.config.name}: staged content"
        parents = [make_commit(repository, staged, parents, subject, committer.author)]
    return make_commit(repository, after, parents, message, committer.author)
