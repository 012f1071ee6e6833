"""Bring what changed in the work tree into history.

Three ways lead there, each with a longer reach and a higher price than the one before: without an index
(quick.py), on an index of the paths alone (excerpt.py), on a copy of the person's whole index
(wholeindex.py). Branch and index move together, under index.lock, in a few milliseconds. If anything
moved meanwhile, it is done again, and what was scanned the first time still gets into history.
"""

import logging
import signal

from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.committing import bypaths, wholeindex
from autosyncd.vcs.git.committing.attempt import Attempt, Committer
from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.git.condition import busy, obstacle
from autosyncd.vcs.git.lock import IndexBusy
from autosyncd.vcs.git.permission import refused, untakeable
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import moved, takenback
from autosyncd.vcs.git.updating.overwritten import set_aside
from autosyncd.vcs.git.verbs.settings import follow
from autosyncd.vcs.orders import CommitOrder
from autosyncd.vcs.outcomes import CommitOutcome, NothingToCommit, Waiting, Why

log = logging.getLogger("autosyncd")

TRIES = 8
"""How often somebody else may be faster before the verb gives way and is tried later."""
AGAIN = 2
"""How often it is tried again where git died as it compared: a program that cuts its file shorter just
then (mmap(2)) is no failing disk, and seldom so fast as often as that."""


def commit(repository: Repository, committer: Committer, order: CommitOrder) -> CommitOutcome:
    """The verb Commit. Raises GitFailed for what is not expected."""
    follow(repository, committer.config)
    outcome = _commit(repository, committer, order)
    if isinstance(outcome, NothingToCommit) and untakeable(outcome.left_out):
        return refused(repository) or outcome
    return outcome


def _commit(repository: Repository, committer: Committer, order: CommitOrder) -> CommitOutcome:
    """Try as often as it takes."""
    attempt = Attempt(repository, committer, order)
    for number in range(TRIES):
        waiting = obstacle(repository)
        if waiting is not None:
            return waiting
        try:
            outcome = _run(attempt)
        except IndexBusy:
            return busy(repository)
        except GitFailed as problem:
            if problem.code != -signal.SIGBUS or number >= AGAIN:
                raise
            continue
        if outcome is not None:
            return outcome
    return Waiting(Why.LOCKED, "The repository keeps changing under us; it is tried again soon.")


def _run(attempt: Attempt) -> CommitOutcome | None:
    """One try; None when somebody moved the branch or the index meanwhile."""
    repository, committer = attempt.repository, attempt.committer
    head = repository.head
    attempt.look_back(head)
    before = repository.tree_of(head)
    scope, author, name = attempt.order.scope, committer.author, committer.config.name
    moved.follow(repository, author, name)
    attempt.aside += takenback.bring_back(repository, author, name)
    attempt.aside += set_aside(repository, scope, author, name)
    try:
        return bypaths.run(attempt, head, before)
    except Doubtful as doubt:
        log.debug("A commit by the whole index: %s", doubt)
    return wholeindex.run(attempt, head, before)
