"""What a person has to be asked before incoming changes reach their files."""

from collections.abc import Mapping

from autosyncd.vcs.changes import Change, ChangeKind, ChangeSet
from autosyncd.vcs.git.committing.attempt import Committer
from autosyncd.vcs.git.history import changes_between
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating import nextindex
from autosyncd.vcs.outcomes import Question


def incoming_question(
    repository: Repository,
    committer: Committer,
    steps: Mapping[bytes, Step],
    *,
    trees: tuple[str, str],
    allowed: frozenset[str],
) -> Question | None:
    """The question before these steps, from the first tree (on disk) to the second, unless a person
    has answered it. A folder that got another name is no deletion: renames are looked for where there
    would be a question."""
    changes = tuple(Change(kind_of(step), step.path) for step in steps.values())
    if len(changes) * 4 < committer.config.safety.min_files:
        return None
    listed = nextindex.count(repository)
    question = committer.guard(ChangeSet(changes, listed, incoming=True))
    if question is None or question.kind in allowed:
        return None
    changes = changes_between(repository, *trees)
    question = committer.guard(ChangeSet(changes, listed, incoming=True))
    return question if question and question.kind not in allowed else None


def kind_of(step: Step) -> ChangeKind:
    """What a step does to its path."""
    if step.old is None:
        return ChangeKind.ADDED
    return ChangeKind.DELETED if step.new is None else ChangeKind.MODIFIED
