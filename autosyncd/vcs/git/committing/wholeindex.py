"""A commit on a private copy of the person's whole index, whatever there may be in it."""

from collections import Counter

from autosyncd.vcs.changes import Change, ChangeKind, ChangeSet
from autosyncd.vcs.git import condition, durable, held, indexes, ownindex
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.committing import hooks
from autosyncd.vcs.git.committing.attempt import Attempt
from autosyncd.vcs.git.committing.scan import Found, on_disk, scan
from autosyncd.vcs.git.history import advance, changes_between, make_commit, published
from autosyncd.vcs.git.lock import IndexLock
from autosyncd.vcs.git.repository import Repository, Signature
from autosyncd.vcs.outcomes import CommitOutcome, Question, Waiting, Why


def run(attempt: Attempt, head: str | None, before: str) -> CommitOutcome | None:
    """One try, on the commit `head` with the tree `before`; None when somebody moved the branch or
    the index meanwhile."""
    repository = attempt.repository
    durable.settle(repository)
    signature = indexes.copy_own(repository)
    staged = indexes.staged_tree(repository)
    waiting = condition.staged(staged, before)
    if staged is None or (waiting is not None and not attempt.order.ignore_staged):
        return waiting
    repository.clean = (signature, staged)
    unstaged = waiting is not None and _unstage_held(repository, head)
    if unstaged:
        staged = indexes.write_tree(repository, repository.private_index)
    found = scan(repository, attempt.order.scope, attempt.committer.config)
    question = _ask_first(attempt, found)
    if question is not None:
        return question
    left_out = attempt.take(found, repository.private_index)
    nothing = not found.plan.take and not found.plan.gone
    after = staged if nothing else indexes.write_tree(repository, repository.private_index)
    changes = _changes(attempt, before, after, found.plan.new_size)
    question = attempt.question(changes)
    if question is not None:
        return question
    attempt.keep_edits()
    if after == before == staged and not attempt.missed:
        if unstaged and not _publish_index(repository, signature):
            return None
        _adopted(attempt)
        return attempt.nothing(head, left_out)
    message = attempt.message(changes)
    if attempt.committer.config.commit_hooks:
        heard = hooks.before_commit(repository, repository.private_index, message)
        if isinstance(heard, hooks.Declined):
            return Waiting(Why.HOOK, heard.text)
        message, after = heard, indexes.write_tree(repository, repository.private_index)
    new = _make(attempt, (staged, before, after), head, message)
    if not _publish(attempt, signature, head, new):
        attempt.missed = [new]
        return None
    kinds = Counter(change.kind for change in changes.changes)
    growth = kinds[ChangeKind.ADDED] - kinds[ChangeKind.DELETED]
    ownindex.keep_inventory(repository, signature, growth)
    _adopted(attempt)
    return attempt.made(new, message, len(changes.changes), left_out)


def _unstage_held(repository: Repository, head: str | None) -> bool:
    """`git add -A` has staged what lies on disk of held files: that is the version before what has
    come in, which a commit of it would take back for everybody. An edit of it goes on the version that
    it was made from, as ever. One that is staged as deleted was taken out on purpose, unless it had
    never come. Whether there was something so staged."""
    record = held.recall(repository) if head is not None else {}
    staged = indexes.entries(repository, repository.private_index, record)
    incoming = {path: held.version_in(repository, head or "", path) for path in record}
    for path, commit in record.items():
        mine, base = staged.get(path), held.version_in(repository, commit, path)
        as_it_lies = mine == base or (mine is not None and mine == on_disk(repository, path, base))
        if mine == incoming[path] or not as_it_lies:
            del incoming[path]
    indexes.put(repository, repository.private_index, incoming)
    return bool(incoming)


def _publish_index(repository: Repository, signature: Signature | None) -> bool:
    """The private index alone; False when somebody has written theirs meanwhile."""
    with IndexLock(repository) as lock:
        if ownindex.signature(repository) != signature:
            return False
        lock.publish(repository.private_index)
    return True


def _ask_first(attempt: Attempt, found: Found) -> Question | None:
    """The first commit here is asked about before a file is read into the repository."""
    if not attempt.order.scope.everything or attempt.repository.memory.adopted:
        return None
    added = tuple(Change(ChangeKind.ADDED, path) for path in found.plan.new)
    return attempt.question(ChangeSet(added, 0, found.plan.new_size, adopting=True))


def _changes(attempt: Attempt, before: str, after: str, new_size: int) -> ChangeSet:
    repository = attempt.repository
    changes = changes_between(repository, before, after) if after != before else ()
    tracked = 0
    if attempt.worth_counting(changes):
        listed = repository.git("ls-tree", "-r", "-z", "--name-only", before, timeout=LONG)
        tracked = listed.out.count(b"\0")
    return ChangeSet(changes, tracked, new_size)


def _make(attempt: Attempt, trees: tuple[str, str, str], head: str | None, message: str) -> str:
    """The commit of the work tree, on one of what was staged, if that is something else."""
    staged, before, after = trees
    repository, author = attempt.repository, attempt.committer.author
    parents = [head] if head else []
    if staged not in (before, after) or before == after:
        subject = f"{attempt.committer.config.name}: staged content"
        parents = [make_commit(repository, staged, parents, message=subject, author=author)]
    return make_commit(
        repository, after, [*parents, *attempt.missed], message=message, author=author
    )


def _publish(attempt: Attempt, signature: Signature | None, head: str | None, new: str) -> bool:
    repository = attempt.repository
    durable.flush_all(repository)
    repository.durable = head
    with IndexLock(repository) as lock:
        if ownindex.signature(repository) != signature:
            return False
        if not advance(repository, lock, head, new):
            return False
    published(repository, new)
    return True


def _adopted(attempt: Attempt) -> None:
    repository = attempt.repository
    if attempt.order.scope.everything and not repository.memory.adopted:
        repository.memory.adopted = True
        repository.remember()
