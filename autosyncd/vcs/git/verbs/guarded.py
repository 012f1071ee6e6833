"""A verb under guard: what it can't go on from becomes an outcome."""

import logging
import os
from collections.abc import Callable
from typing import TypeVar

from autosyncd.errors import ChildAborted
from autosyncd.vcs.git import history
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.complaint import failed
from autosyncd.vcs.git.permission import refused
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import Aborted, Failed, Waiting, Why

log = logging.getLogger("autosyncd")
T = TypeVar("T")

NOT_INSPECTED = Failed("not-inspected", "The tree was not looked at yet; that is done first.")


def guarded(
    verb: Callable[[], T], path: str, repository: Repository | None
) -> T | Waiting | Failed | Aborted:
    """Run a verb on the tree at `path`; `repository`: it, where it is open already."""
    try:
        if repository is not None:
            history.settle(repository)
        return verb()
    except ChildAborted:
        return Aborted()
    except (GitFailed, OSError) as problem:
        return _made_of(problem, path, repository)
    finally:
        if repository is not None:
            repository.pause()


def without_reason(name: str, outcome: T | Waiting | Failed | Aborted) -> T | None:
    """For a verb whose outcome has no place for why it failed: None then, and the log has it."""
    if isinstance(outcome, Waiting | Failed):
        log.debug("%s was not done: %s", name, outcome.text)
        return None
    return None if isinstance(outcome, Aborted) else outcome


def _made_of(
    problem: GitFailed | OSError, path: str, repository: Repository | None
) -> Waiting | Failed:
    if not os.path.lexists(path + "/.git"):
        return gone(path)
    if repository is not None and is_elsewhere(path, repository):
        return Waiting(Why.GONE, f"{path} has another git directory now; it is looked at next.")
    signal = -problem.code if isinstance(problem, GitFailed) else 0
    found = failed(problem, path, ended_by=signal)
    if repository is None or found.kind != "git-failed":
        return found
    return refused(repository) or found


def is_elsewhere(path: str, repository: Repository) -> bool:
    """Whether the git directory that was opened is no longer that of the tree: `git init
    --separate-git-dir` has moved it, say."""
    return os.path.lexists(path + "/.git") and not os.path.isdir(repository.state)


def gone(path: str) -> Waiting:
    """The tree isn't there, or no repository is in it."""
    return Waiting(Why.GONE, f"{path} isn't there; it goes on when it comes back.")
