"""Bring branch, index and work tree to a commit, under the hands of a person who keeps typing.

    on disk:  the tree of HEAD, but for what the person changed since and for held files
    wanted:   the target, joined with whatever slipped in meanwhile

Each round stages the difference, replaces file by file, and commits what turned out to be edited on
the version it was made from; then it joins again. The branch moves last. The person's index.lock is
held throughout: a tenth of a second for a few files.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autosyncd.vcs.changes import Change, ChangeKind, ChangeSet, Scope
from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.committing.commit import Committer
from autosyncd.vcs.git.committing.scan import scan
from autosyncd.vcs.git.condition import elsewhere, locked, obstacle, staged
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import (
    Entries,
    entries_between,
    is_gitlink,
    steps_between,
    steps_of,
)
from autosyncd.vcs.git.history import advance, changes_between, make_commit, published
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import arrivals, held, nextindex, submodules
from autosyncd.vcs.git.updating.apply import Applied, apply
from autosyncd.vcs.git.updating.intheway import ignored_in_the_way, occupant
from autosyncd.vcs.git.updating.overwritten import set_aside
from autosyncd.vcs.git.updating.step import Step
from autosyncd.vcs.orders import SyncOrder
from autosyncd.vcs.outcomes import Dirty, Question, Waiting, Why

ROUNDS = 30
"""How often the person may be faster before we let go and come back later."""

Steps = Mapping[bytes, Step]


@dataclass(frozen=True, slots=True)
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


@dataclass(slots=True)
class Update:
    """One run."""

    repository: Repository
    committer: Committer
    order: SyncOrder
    joiner: Joiner
    done: set[bytes] = field(default_factory=set)
    written: set[bytes] = field(default_factory=set)
    """Those of the done paths that still exist."""
    stubborn: set[bytes] = field(default_factory=set)
    """Edited here, and yet nothing to commit (assume-unchanged, or an ignored file in the way): they
    count as held."""
    reasons: dict[bytes, str] = field(default_factory=dict)
    occupied: dict[bytes, bytes] = field(default_factory=dict)
    """Incoming path → the file that has its place."""
    learned: dict[bytes, set[bytes]] = field(default_factory=dict)
    links: Entries = field(default_factory=dict)
    """Submodules that come, move or go."""
    behind: tuple[bytes, ...] = ()
    """Submodules whose link moves, and which stay where they are."""
    placed: dict[bytes, tuple[Version, os.stat_result]] = field(default_factory=dict)
    """What was put there, and its lstat(2)."""
    compared: dict[tuple[str, str], Entries] = field(default_factory=dict)

    def run(self, target: str) -> Updated | Dirty | Waiting | Question:
        """Bring everything to the target, or say why not now."""
        waiting = obstacle(self.repository)
        if waiting is not None:
            return waiting
        try:
            with IndexLock(self.repository) as lock:
                outcome = self._settle(lock, target)
        except IndexBusy:
            return locked(self.repository) or Waiting(Why.LOCKED, "Another git command is running.")
        if isinstance(outcome, Updated):
            published(self.repository, outcome.head)
        return outcome

    def _settle(self, lock: IndexLock, target: str) -> Updated | Dirty | Waiting | Question:
        repository = self.repository
        head = ours = repository.head
        indexes.copy_own(repository)
        waiting = staged(nextindex.staged_tree(repository), repository.tree_of(head))
        if waiting is not None:
            return waiting
        author, name = self.committer.author, self.committer.config.name
        for older in set_aside(repository, self.order.pending, author, name):
            target = self.joiner.join(target, older.commit)
        record = held.recall(repository)
        disk = held.disk_tree(repository, head, record)
        left: Waiting | None = None
        for number in range(ROUNDS):
            merged = self.joiner.join(ours, target) if ours else target
            steps = steps_of(self._entries(disk, repository.tree_of(merged)))
            if number == 0:
                question = self._guard(steps, disk, repository.tree_of(merged))
                if question is not None:
                    return question
            else:
                indexes.copy_own(repository)
            applied = self._apply(head, merged, steps)
            arrivals.note(repository, steps, applied.done, record, ours)
            self._spare_ignored(applied)
            dirty = applied.dirty - self.stubborn
            if dirty:
                disk = indexes.tree_with(repository, disk, applied.entries)
                ours, disk = self._absorb(ours, disk, dirty, applied)
                continue
            kept = {path: record.get(path, ours or merged) for path in applied.held | applied.dirty}
            held.record(repository, kept)  # before the branch moves
            self.behind = submodules.note(repository, self.links)
            if self._move(lock, head, merged):
                return left or self._updated(merged, kept)
            disk = indexes.tree_with(repository, disk, applied.entries)
            left = elsewhere(repository)
            if left is not None:
                if head is None:
                    return left
                target = ours = head  # what was put there is no part of the branch they are on
                continue
            target, head, ours = merged, repository.head, repository.head
        return Dirty("The files keep changing faster than they can be updated.")

    def _apply(self, head: str | None, merged: str, steps: Steps) -> Applied:
        """Make the index ready for `merged`, and bring the files there as far as nobody minds."""
        repository = self.repository
        trees = repository.tree_of(head), repository.tree_of(merged)
        changed = self._entries(*trees)
        self.links = {path: pair for path, pair in changed.items() if any(map(is_gitlink, pair))}
        skipped, assumed = nextindex.prepare(repository, trees, changed, steps)
        self.stubborn |= assumed
        wanted = [step for path, step in steps.items() if path not in skipped]
        applied = apply(repository, wanted, repository.private_index, self.learned)
        self.done |= applied.done
        self.placed |= applied.placed
        self.reasons |= applied.problems
        self.written |= {path for path, now in applied.entries.items() if now is not None}
        submodules.make_room(repository, self.links)
        return applied

    def _spare_ignored(self, applied: Applied) -> None:
        """An ignored file in the way is kept, and not published: the incoming one waits for it."""
        fresh = applied.dirty - self.stubborn
        for path, mine in ignored_in_the_way(self.repository, fresh).items():
            self.stubborn.add(path)
            self._wait_for(path, mine, f"{os.fsdecode(mine)}, which git ignores here,")

    def _wait_for(self, path: bytes, mine: bytes, words: str) -> None:
        self.occupied[path] = mine
        self.reasons[path] = f"{words} has its place; it comes when yours is renamed or deleted"

    def _updated(self, head: str, kept: held.Held) -> Updated:
        for path in kept.keys() - self.reasons.keys():
            if held.version_in(self.repository, kept[path], path) is None:
                mine = occupant(self.repository.root, path)  # it was ignored when this one came
                if mine is not None:
                    self._wait_for(path, mine, os.fsdecode(mine))
        why = {path: self.reasons.get(path, "") for path in sorted(kept)}
        in_the_way = {self.occupied[path] for path in kept if path in self.occupied}
        note = submodules.describe(self.behind)
        return Updated(head, len(self.done), why, tuple(sorted(in_the_way)), note)

    def _move(self, lock: IndexLock, head: str | None, merged: str) -> bool:
        """Branch and index, together; False when somebody has moved the branch."""
        nextindex.complete(self.repository, self.written, self.placed)
        if merged == head:
            lock.publish(self.repository.private_index)
            return True
        return advance(self.repository, lock, head, merged)

    def _guard(self, steps: Steps, disk: str, wanted: str) -> Question | None:
        """What the person has to be asked. A folder that got another name is no deletion: renames are
        looked for where there would be a question."""
        changes = tuple(Change(_kind(step), step.path) for step in steps.values())
        if len(changes) * 4 < self.committer.config.safety.min_files:
            return None
        listed = nextindex.count(self.repository)
        question = self.committer.guard(ChangeSet(changes, listed, incoming=True))
        if question is None or question.kind in self.order.allowed:
            return None
        changes = changes_between(self.repository, disk, wanted)
        question = self.committer.guard(ChangeSet(changes, listed, incoming=True))
        return question if question and question.kind not in self.order.allowed else None

    def _entries(self, old: str, new: str) -> Entries:
        """How two trees differ, asked of git once."""
        if (old, new) not in self.compared:
            self.compared[old, new] = entries_between(self.repository, old, new)
        return self.compared[old, new]

    def _absorb(
        self, ours: str | None, disk: str, dirty: Iterable[bytes], applied: Applied
    ) -> tuple[str | None, str]:
        """What slipped in becomes a commit on `ours`, its true base; what is on disk now."""
        repository = self.repository
        index = repository.private_index
        indexes.copy_own(repository)
        head_tree = repository.tree_of(repository.head)
        onto_disk = steps_between(repository, head_tree, disk)
        indexes.put(repository, index, {path: step.new for path, step in onto_disk.items()})
        scope = Scope(frozenset(dirty)) | Scope(frozenset(applied.in_the_way)) | self.order.pending
        found = scan(repository, scope, self.committer.config, index)
        edits = found.take(repository, index)
        if edits:
            author, name = self.committer.author, self.committer.config.name
            held.commit_edits(repository, held.recall(repository), edits, author, name)
        now = indexes.write_tree(repository, index)
        slipped_in = steps_between(repository, disk, now)
        self.stubborn |= {path for path in dirty if not _touched(path, slipped_in)}
        tree = indexes.tree_with(
            repository,
            repository.tree_of(ours),
            {path: step.new for path, step in slipped_in.items()},
        )
        if tree == repository.tree_of(ours):
            return ours, now
        changes = tuple(Change(_kind(step), step.path) for step in slipped_in.values())
        message = self.committer.compose(ChangeSet(changes, 0), repository.memory.branch, "")
        made = make_commit(repository, tree, [ours] if ours else [], message, self.committer.author)
        held.keep_side(repository, made)
        return made, now


def _kind(step: Step) -> ChangeKind:
    if step.old is None:
        return ChangeKind.ADDED
    return ChangeKind.DELETED if step.new is None else ChangeKind.MODIFIED


def _touched(path: bytes, steps: Steps) -> bool:
    """Whether the scan found something at a path, above it or below it."""
    return path in steps or any(
        other.startswith(path + b"/") or path.startswith(other + b"/") for other in steps
    )
