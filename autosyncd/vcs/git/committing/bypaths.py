"""A commit of some known paths, of which only those are looked at; without an index, or on a small one.

Both ways end in a draft. From there on they are one: the commit's object, the branch's move, and then
the person's index, which is brought along at once.
"""

import logging

from autosyncd.vcs.changes import ChangeSet
from autosyncd.vcs.git import durable, ownindex
from autosyncd.vcs.git.committing import excerpt, quick, quickcommit
from autosyncd.vcs.git.committing.attempt import Attempt
from autosyncd.vcs.git.committing.cache import CommitCache, cache_of
from autosyncd.vcs.git.committing.draft import Doubtful, Draft
from autosyncd.vcs.git.history import changes_between, make_commit
from autosyncd.vcs.outcomes import CommitOutcome, LeftOut

log = logging.getLogger("autosyncd")


def run(attempt: Attempt, head: str | None, before: str) -> CommitOutcome | None:
    """One try, on the commit `head` with the tree `before`; None when somebody moved the branch or
    the index meanwhile. Raises Doubtful where the whole index is needed."""
    repository = attempt.repository
    if head is None or attempt.order.scope.everything:
        raise Doubtful("These are not some known paths.")
    if attempt.committer.config.commit_hooks:
        raise Doubtful("Hooks want an index to look at.")
    signature = ownindex.signature(repository)
    if not ownindex.nothing_staged(repository, head, before):
        raise Doubtful("Something is staged.")
    ownindex.take_inventory(repository)
    durable.begin(repository)
    draft, left_out = _draft(attempt, before)
    if draft.after == before and attempt.missed:
        raise Doubtful("A lost commit is to be a parent, though nothing has changed.")
    cache = cache_of(repository)
    changes = _changes(attempt, cache, draft)
    question = attempt.question(changes)
    if question is not None:
        return question
    attempt.keep_edits()
    if draft.after == before:
        durable.end(repository)  # it has hashed only what there was already
        return attempt.nothing(head, left_out)
    message = attempt.message(changes)
    new = _commit(attempt, cache, draft, parents=[head, *attempt.missed], message=message)
    if not quickcommit.publish(cache, draft, signature=signature, old=head, new=new):
        attempt.missed = [new]
        return None
    return attempt.made(new, message, len(changes.changes), left_out)


def _draft(attempt: Attempt, before: str) -> tuple[Draft, tuple[LeftOut, ...]]:
    repository, scope = attempt.repository, attempt.order.scope
    try:
        if len(scope.paths) > quick.MOST:
            raise Doubtful("These are many paths.")
        if attempt.aside:
            raise Doubtful("A save of an older version was set aside.")
        return quick.draft(repository, before, scope, attempt.committer.config), ()
    except Doubtful as doubt:
        log.debug("A commit by an index of its paths: %s", doubt)
    return excerpt.draft(attempt, before)


def _changes(attempt: Attempt, cache: CommitCache, draft: Draft) -> ChangeSet:
    changes, inventory = draft.changes, attempt.repository.inventory
    if draft.may_hold_renames:
        cache.confirm()
        changes = changes_between(attempt.repository, draft.before, draft.after)
    tracked = inventory.tracked if inventory and attempt.worth_counting(changes) else 0
    return ChangeSet(changes, tracked, draft.new_size)


def _commit(
    attempt: Attempt, cache: CommitCache, draft: Draft, *, parents: list[str], message: str
) -> str:
    author = attempt.committer.author
    if cache.settings.are_plain:
        return quickcommit.write_commit(cache, draft.after, parents, message=message, author=author)
    cache.confirm()
    return make_commit(attempt.repository, draft.after, parents, message=message, author=author)
