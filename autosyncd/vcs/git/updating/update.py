"""Bring branch, index and work tree to a commit, under the hands of a person who keeps typing.

    on disk:  the tree of HEAD, but for what the person changed since and for held files
    wanted:   the target, joined with whatever slipped in meanwhile

Each round stages the difference, replaces file by file, and commits what turned out to be edited on
the version it was made from; then it joins again. The branch moves last. The person's index.lock is
held throughout: a tenth of a second for a few files (what git's filters make is made before).
"""

import os
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git import held, indexes, submodules
from autosyncd.vcs.git.committing.attempt import Committer
from autosyncd.vcs.git.condition import busy, obstacle, rewritten, staged
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import Pairs, entries_between, is_gitlink, steps_of
from autosyncd.vcs.git.history import advance, published
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Steps
from autosyncd.vcs.git.updating import arrivals, early, nextindex
from autosyncd.vcs.git.updating.apply import Applied, apply
from autosyncd.vcs.git.updating.asking import incoming_question
from autosyncd.vcs.git.updating.early import NOTHING_EARLY, Early
from autosyncd.vcs.git.updating.overwritten import set_aside
from autosyncd.vcs.git.updating.remaining import Remaining
from autosyncd.vcs.git.updating.slippedin import absorb, still_held
from autosyncd.vcs.git.updating.standing import Standing
from autosyncd.vcs.orders import SyncOrder
from autosyncd.vcs.outcomes import Dirty, Failed, Question, Waiting

ROUNDS = 30
"""How often the person may be faster before we let go and come back later."""
FORBIDDEN = (
    "What comes in holds {}, a name that git forbids here, so nothing of it is taken until that is "
    "renamed where it was made; what is committed here is pushed all the same."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """Branch, index and work tree are at `head`."""

    head: str
    files: int
    held: Mapping[bytes, str] = field(default_factory=dict)
    """Paths that keep their older version for now, and why ("" where that is to be found out)."""
    in_the_way: tuple[bytes, ...] = ()
    """Files of the person's that have the place of incoming ones and are not to be published."""
    note: str = ""
    """A sentence to say."""


@dataclass(slots=True, kw_only=True)
class Update:
    """One run."""

    repository: Repository
    committer: Committer
    order: SyncOrder
    joiner: Joiner
    remaining: Remaining
    done: set[bytes] = field(default_factory=set)
    written: set[bytes] = field(default_factory=set)
    """Those of the done paths that still exist."""
    early: Early = NOTHING_EARLY
    learned: dict[bytes, set[bytes]] = field(default_factory=dict)
    links: Pairs = field(default_factory=dict)
    """Submodules that come, move or go."""
    placed: dict[bytes, tuple[Version, os.stat_result]] = field(default_factory=dict)
    """What was put there, and its lstat(2)."""
    compared: dict[tuple[str, str], Pairs] = field(default_factory=dict)

    def run(self, base: str | None, target: str) -> Updated | Dirty | Waiting | Question | Failed:
        """See update()."""
        waiting = obstacle(self.repository)
        if waiting is not None:
            return waiting
        if early.may_take_long(self.repository):
            target, base = self._stage_early(base, target)
        try:
            with IndexLock(self.repository) as lock:
                outcome = self._settle(lock, base, target)
        except IndexBusy:
            return busy(self.repository)
        except nextindex.ForbiddenName as problem:
            return Failed("forbidden-name", FORBIDDEN.format(problem))
        if isinstance(outcome, Updated):
            published(self.repository, outcome.head)
        return outcome

    def _stage_early(self, base: str | None, target: str) -> tuple[str, str | None]:
        """What takes long, before the lock is taken; the commit to come to, and what was here."""
        repository, head = self.repository, self.repository.head
        if rewritten(repository, base, head) is not None:
            return target, base  # that is found under the lock
        indexes.copy_own(repository)
        merged = self.joiner.join(head, target) if head else target
        disk = held.disk_tree(repository, head, held.recall(repository))
        wanted = repository.tree_of(merged)
        steps = steps_of(self._entries(disk, wanted))
        if self._ask(steps, disk, wanted) is None:
            changed = self._entries(repository.tree_of(head), wanted)
            self.early = early.stage_early(repository, changed, steps)
        return merged, head

    def _settle(
        self, lock: IndexLock, base: str | None, target: str
    ) -> Updated | Dirty | Waiting | Question:
        repository, head = self.repository, self.repository.head
        if (stop := rewritten(repository, base, head)) is not None:
            return stop
        indexes.copy_own(repository)
        waiting = staged(nextindex.staged_tree(repository), repository.tree_of(head))
        if waiting is not None:
            return waiting
        author, name = self.committer.author, self.committer.config.name
        for older in set_aside(repository, self.order.pending, author, name):
            target = self.joiner.join(target, older.commit)
        record = still_held(repository, self.committer.config)
        disk = held.disk_tree(repository, head, record)
        at = Standing(head=head, ours=head, target=target, disk=disk, record=record)
        for number in range(ROUNDS):
            outcome = self._round(lock, at, first=number == 0)
            if outcome is not None:
                return outcome
        return Dirty("The files keep changing faster than they can be updated.")

    def _round(
        self, lock: IndexLock, at: Standing, *, first: bool
    ) -> Updated | Dirty | Waiting | Question | None:
        """Come as far as nobody minds; None when that was not to the end."""
        repository, remaining = self.repository, self.remaining
        merged = self.joiner.join(at.ours, at.target) if at.ours else at.target
        steps = steps_of(self._entries(at.disk, repository.tree_of(merged)))
        if first:
            question = self._ask(steps, at.disk, repository.tree_of(merged))
            if question is not None:
                return question
        else:
            indexes.copy_own(repository)
        remaining.spare_ignored_before(steps)
        applied = self._apply(at.head, merged, steps)
        arrivals.note(repository, steps, applied.done, record=at.record, commit=at.ours)
        at.put(applied.done, merged)
        remaining.spare_ignored(applied.dirty, steps)
        dirty = applied.dirty - remaining.stubborn
        if dirty and at.left is None:
            return self._absorb(at, merged, applied, dirty)
        kept = at.kept(repository, applied.held | applied.dirty, steps, merged)
        remaining.note_spared(kept)
        held.record(repository, kept)  # before the branch moves
        if at.left is not None:
            return at.left
        remaining.leave_submodules(self.links)
        if self._move(lock, at.head, merged):
            return self._updated(merged, kept)
        return at.look_anew(repository, merged, applied.entries)

    def _absorb(
        self, at: Standing, merged: str, applied: Applied, dirty: Set[bytes]
    ) -> Question | None:
        """Commit what was edited meanwhile, unless a person has to be asked."""
        disk = indexes.tree_with(self.repository, at.disk, applied.entries)
        beside = Scope(frozenset(applied.in_the_way)) | self.order.pending
        found = absorb(
            self.repository,
            self.committer,
            ours=at.ours,
            disk=disk,
            dirty=dirty,
            beside=beside,
            allowed=self.order.allowed,
        )
        if isinstance(found, Question):
            at.stop(self.repository, merged, self.done - applied.dirty - applied.held)
            return found
        at.take_in(found, dirty, self.joiner)
        self.remaining.stubborn |= found.stubborn
        self.remaining.reasons |= found.reasons
        return None

    def _apply(self, head: str | None, merged: str, steps: Steps) -> Applied:
        """Make the index ready for `merged`, and bring the files there as far as nobody minds."""
        repository = self.repository
        trees = repository.tree_of(head), repository.tree_of(merged)
        changed = self._entries(*trees)
        self.links = {path: pair for path, pair in changed.items() if any(map(is_gitlink, pair))}
        skipped, assumed = nextindex.prepare(repository, trees, changed, steps)
        self.remaining.stubborn |= assumed
        wanted = [step for path, step in steps.items() if path not in skipped]
        applied = apply(
            repository, wanted, repository.private_index, learned=self.learned, early=self.early
        )
        self.remaining.keep_out((skipped | assumed) - applied.done, changed)
        self.done |= applied.done
        self.placed |= applied.placed
        self.remaining.reasons |= applied.problems
        self.written |= {path for path, now in applied.entries.items() if now is not None}
        submodules.make_room(repository, self.links)
        return applied

    def _updated(self, head: str, kept: held.Held) -> Updated:
        waiting, in_the_way = self.remaining.settle(kept, self.written)
        return Updated(
            head=head,
            files=len(self.done),
            held=waiting,
            in_the_way=in_the_way,
            note=self.remaining.note,
        )

    def _move(self, lock: IndexLock, head: str | None, merged: str) -> bool:
        """Branch and index, together; False when somebody has moved the branch."""
        nextindex.complete(self.repository, self.written, self.placed)
        if merged == head:
            lock.publish(self.repository.private_index)
            return True
        return advance(self.repository, lock, head, merged)

    def _ask(self, steps: Steps, disk: str, wanted: str) -> Question | None:
        return incoming_question(
            self.repository, self.committer, steps, trees=(disk, wanted), allowed=self.order.allowed
        )

    def _entries(self, old: str, new: str) -> Pairs:
        """How two trees differ, asked of git once."""
        if (old, new) not in self.compared:
            self.compared[old, new] = entries_between(self.repository, old, new)
        return self.compared[old, new]


def update(
    repository: Repository,
    committer: Committer,
    order: SyncOrder,
    *,
    joiner: Joiner,
    base: str | None,
    target: str,
) -> Updated | Dirty | Waiting | Question | Failed:
    """Bring branch, index and work tree to the target, or say why not now. `base` is where the branch
    was when the target was made."""
    remaining = Remaining(repository, committer.config)
    run = Update(
        repository=repository, committer=committer, order=order, joiner=joiner, remaining=remaining
    )
    return run.run(base, target)
