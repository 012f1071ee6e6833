"""Bring what changed in the work tree into history.

The work is done on a private copy of the person's index, and only its result is published: branch and
index move together, under index.lock, in a few milliseconds. If anything moved meanwhile, it is done
again, and what was scanned the first time still gets into history.
"""

from dataclasses import dataclass, field

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
    Question,
    Waiting,
    Why,
)
from autosyncd.vcs.git import condition, excludes, held, indexes
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.condition import locked, obstacle
from autosyncd.vcs.git.history import (
    Author,
    advance,
    changes_between,
    make_commit,
    published,
)
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.scan import scan

TRIES = 8
"""How often somebody else may be faster before the verb gives way and is tried later."""


@dataclass(frozen=True, slots=True)
class Committer:
    """What a commit needs besides the tree: policy, limits, words, author."""

    config: RepoConfig
    guard: Guard
    compose: Compose
    author: Author


def commit(repository: Repository, committer: Committer, order: CommitOrder) -> CommitOutcome:
    """The verb Commit. Raises GitFailed for what is not expected."""
    attempt = Attempt(repository, committer, order)
    for _ in range(TRIES):
        waiting = obstacle(repository)
        if waiting is not None:
            return waiting
        try:
            outcome = attempt.run()
        except IndexBusy:
            return locked(repository) or Waiting(Why.LOCKED, "Another git command is running.")
        if outcome is not None:
            return outcome
    return Waiting(Why.LOCKED, "The repository keeps changing under us; it is tried again soon.")


@dataclass(slots=True)
class Attempt:
    """One commit, perhaps tried more than once."""

    repository: Repository
    committer: Committer
    order: CommitOrder
    missed: list[str] = field(default_factory=list)
    """Commits that were made but could not be published: parents of the next one."""

    def run(self) -> CommitOutcome | None:
        """One try; None when somebody moved the branch or the index meanwhile."""
        repository = self.repository
        head = repository.head
        before = repository.tree_of(head)
        signature = indexes.copy_own(repository)
        staged = indexes.staged_tree(repository)
        waiting = condition.staged(staged, before)
        if staged is None or (waiting is not None and not self.order.ignore_staged):
            return waiting
        found = self._scan()
        if isinstance(found, Question):
            return found
        left_out, new_size = found
        after = indexes.write_tree(repository, repository.private_index)
        if after == before == staged and not self.missed:
            self._adopted()
            return NothingToCommit(self._head(head), left_out)
        changes = self._changes(before, after, new_size)
        question = self._question(changes)
        if question is not None:
            return question
        message = self.committer.compose(changes, repository.memory.branch, self.order.description)
        new = self._make([staged, before, after], head, message)
        if not self._publish(signature, head, new):
            self.missed = [new]
            return None
        self._adopted()
        subject = message.split("\n", 1)[0]
        return CommitMade(
            Head(repository.memory.branch, new), len(changes.changes), subject, left_out
        )

    def _scan(self) -> Question | tuple[tuple[LeftOut, ...], int]:
        """Bring what changed into the private index: what was left out, and the size of what is
        new. The first commit here is asked about before a file is read into the repository."""
        repository, order = self.repository, self.order
        found = scan(repository, order.scope, self.committer.config)
        if order.scope.everything and not repository.memory.adopted:
            added = tuple(Change(ChangeKind.ADDED, path) for path in found.plan.new)
            question = self._question(ChangeSet(added, 0, found.plan.new_size, adopting=True))
            if question is not None:
                return question
        edits = found.take(repository, repository.private_index)
        if edits:
            record = held.recall(repository)
            author, name = self.committer.author, self.committer.config.name
            held.commit_edits(repository, record, edits, author, name)
        candidates = None if order.scope.everything else order.scope.paths
        secrets = excludes.held_secrets(repository, candidates)
        return (*found.left_out, *secrets), found.plan.new_size

    def _changes(self, before: str, after: str, new_size: int) -> ChangeSet:
        changes = changes_between(self.repository, before, after)
        tracked = 0
        if len(changes) * 4 >= self.committer.config.safety.min_files:
            # counted only where a safety limit could be reached at all
            listed = self.repository.git("ls-tree", "-r", "-z", "--name-only", before, timeout=LONG)
            tracked = listed.out.count(b"\0")
        return ChangeSet(changes, tracked, new_size)

    def _question(self, changes: ChangeSet) -> Question | None:
        question = self.committer.guard(changes)
        return question if question and question.kind not in self.order.allowed else None

    def _make(self, trees: list[str], head: str | None, message: str) -> str:
        """The commit of the work tree, on one of what was staged, if that is something else."""
        staged, before, after = trees
        author = self.committer.author
        parents = [head] if head else []
        if staged not in (before, after) or before == after:
            subject = f"{self.committer.config.name}: staged content"
            parents = [make_commit(self.repository, staged, parents, subject, author)]
        return make_commit(self.repository, after, [*parents, *self.missed], message, author)

    def _publish(self, signature: tuple[int, int, int] | None, head: str | None, new: str) -> bool:
        with IndexLock(self.repository) as lock:
            if indexes.signature(self.repository) != signature:
                return False
            if not advance(self.repository, lock, head, new):
                return False
        published(self.repository, new)
        return True

    def _head(self, commit: str | None) -> Head | None:
        return Head(self.repository.memory.branch, commit) if commit else None

    def _adopted(self) -> None:
        if self.order.scope.everything and not self.repository.memory.adopted:
            self.repository.memory.adopted = True
            self.repository.remember()
