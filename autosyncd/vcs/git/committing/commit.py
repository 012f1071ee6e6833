"""Bring what changed in the work tree into history.

The work is done on a private copy of the person's index, and only its result is published: branch and
index move together, under index.lock, in a few milliseconds. If anything moved meanwhile, it is done
again, and what was scanned the first time still gets into history.
"""

import logging
from dataclasses import dataclass, field

from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.changes import Change, ChangeKind, ChangeSet
from autosyncd.vcs.driver import Compose, Guard
from autosyncd.vcs.git import condition, excludes, indexes
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.committing import durable, hooks, quick, quickcommit
from autosyncd.vcs.git.committing.scan import scan
from autosyncd.vcs.git.committing.trees import Doubtful
from autosyncd.vcs.git.condition import locked, obstacle
from autosyncd.vcs.git.history import (
    Author,
    advance,
    changes_between,
    make_commit,
    published,
)
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.remotes import doubts
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import held
from autosyncd.vcs.git.updating.overwritten import OLDER, SetAside, set_aside
from autosyncd.vcs.orders import CommitOrder
from autosyncd.vcs.outcomes import (
    CommitMade,
    CommitOutcome,
    LeftOut,
    NothingToCommit,
    Question,
    Waiting,
    Why,
)

log = logging.getLogger("autosyncd")

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
    missed_on: str | None = None
    """What the branch was at when they were made."""
    aside: list[SetAside] = field(default_factory=list)
    """Saves of an older version, which the next Sync merges."""

    def run(self) -> CommitOutcome | None:
        """One try; None when somebody moved the branch or the index meanwhile."""
        head = self.repository.head
        self._look_back(head)
        before = self.repository.tree_of(head)
        author, name = self.committer.author, self.committer.config.name
        self.aside += set_aside(self.repository, self.order.scope, author, name)
        try:
            return self._run_quickly(head, before)
        except Doubtful as doubt:
            log.debug("The general way to a commit is taken: %s", doubt)
        return self._run_surely(head, before)

    def _look_back(self, head: str | None) -> None:
        """Where somebody has taken commits back meanwhile (amend, reset), a commit on top of those
        must not bring them back as a parent: it stays, but beside the branch."""
        base, self.missed_on = self.missed_on, head
        if self.missed and base and not (head and self.repository.contains(head, base)):
            for lost in self.missed:
                doubts.keep(self.repository, lost)
            self.missed = []

    def _run_quickly(self, head: str | None, before: str) -> CommitOutcome | None:
        """Without an index, for a few known paths (quick.py). Raises Doubtful."""
        repository = self.repository
        scope = self.order.scope
        if head is None or scope.everything or len(scope.paths) > quick.MOST:
            raise Doubtful("These are not a few known paths.")
        if self.committer.config.commit_hooks:
            raise Doubtful("Hooks want an index to look at.")
        if self.aside:
            raise Doubtful("A save of an older version was set aside.")
        signature = indexes.signature(repository)
        if not indexes.nothing_staged(repository, head, before):
            raise Doubtful("Something is staged.")
        inventory = indexes.take_inventory(repository)
        durable.begin(repository)
        draft = quick.draft(repository, before, scope, self.committer.config)
        if draft.after == before:
            if self.missed:
                raise Doubtful("A lost commit is to be a parent, though nothing has changed.")
            durable.end(repository)  # it has hashed only what there was already
            return NothingToCommit(self._head(head))
        kept = quick.ready(repository)
        changes = draft.changes
        if draft.may_hold_renames:
            kept.confirm()
            changes = changes_between(repository, before, draft.after)
        tracked = inventory.tracked if inventory and self._worth_counting(changes) else 0
        change_set = ChangeSet(changes, tracked, draft.new_size)
        question = self._question(change_set)
        if question is not None:
            return question
        message = self._message(change_set)
        parents = [head, *self.missed]
        author = self.committer.author
        new = quickcommit.write_commit(kept, draft.after, parents, message, author)
        if not quickcommit.publish(kept, signature, draft, head, new):
            self.missed = [new]
            return None
        return self._made(new, message, len(changes), ())

    def _run_surely(self, head: str | None, before: str) -> CommitOutcome | None:
        """On a private copy of the person's index, whatever there may be in it."""
        repository = self.repository
        durable.settle(repository)
        signature = indexes.copy_own(repository)
        staged = indexes.staged_tree(repository)
        waiting = condition.staged(staged, before)
        if staged is None or (waiting is not None and not self.order.ignore_staged):
            return waiting
        repository.clean = (signature, staged)
        found = self._scan()
        if isinstance(found, Question):
            return found
        left_out, new_size = found
        after = indexes.write_tree(repository, repository.private_index)
        if after == before == staged and not self.missed:
            self._adopted()
            return self._only_aside(head, left_out) or NothingToCommit(self._head(head), left_out)
        changes = self._changes(before, after, new_size)
        question = self._question(changes)
        if question is not None:
            return question
        message = self._message(changes)
        if self.committer.config.commit_hooks:
            heard = hooks.before_commit(repository, repository.private_index, message)
            if isinstance(heard, hooks.Declined):
                return Waiting(Why.HOOK, heard.text)
            message, after = heard, indexes.write_tree(repository, repository.private_index)
        new = self._make([staged, before, after], head, message)
        if not self._publish(signature, head, new):
            self.missed = [new]
            return None
        self._adopted()
        return self._made(new, message, len(changes.changes), left_out)

    def _made(
        self, new: str, message: str, files: int, left_out: tuple[LeftOut, ...]
    ) -> CommitMade:
        subject = message.split("\n", 1)[0]
        return CommitMade(Head(self.repository.memory.branch, new), files, subject, left_out)

    def _only_aside(self, head: str | None, left_out: tuple[LeftOut, ...]) -> CommitMade | None:
        """What was set aside is a commit to be synced, though the branch has not moved."""
        if not self.aside or head is None:
            return None
        subject = f"{self.committer.config.name}: {OLDER}"
        at = Head(self.repository.memory.branch, head)
        return CommitMade(at, len(self.aside), subject, left_out)

    def _message(self, changes: ChangeSet) -> str:
        branch = self.repository.memory.branch
        return self.committer.compose(changes, branch, self.order.description)

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
        stale = [one.notice for one in self.aside]
        return (*found.left_out, *secrets, *stale), found.plan.new_size

    def _changes(self, before: str, after: str, new_size: int) -> ChangeSet:
        changes = changes_between(self.repository, before, after)
        tracked = 0
        if self._worth_counting(changes):
            listed = self.repository.git("ls-tree", "-r", "-z", "--name-only", before, timeout=LONG)
            tracked = listed.out.count(b"\0")
        return ChangeSet(changes, tracked, new_size)

    def _worth_counting(self, changes: tuple[Change, ...]) -> bool:
        """Whether a safety limit could be reached at all."""
        return len(changes) * 4 >= self.committer.config.safety.min_files

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

    def _publish(self, signature: indexes.Signature | None, head: str | None, new: str) -> bool:
        durable.flush_all(self.repository)
        self.repository.durable = head
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
