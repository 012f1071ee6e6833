"""What a person has to be asked before incoming changes reach their files, and before what was edited
meanwhile is committed."""

from collections.abc import Mapping
from dataclasses import dataclass

from autosyncd.vcs.changes import Change, ChangeKind, ChangeSet
from autosyncd.vcs.git.committing.attempt import Committer
from autosyncd.vcs.git.committing.survey import Plan
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


@dataclass(frozen=True, slots=True)
class Limits:
    """The safety limits, before a commit of what slipped in."""

    repository: Repository
    committer: Committer
    tracked: int
    """Files under version control before it."""
    allowed: frozenset[str]

    def before_adopting(self, plan: Plan) -> Question | None:
        """Where nothing was committed by us yet: asked before a file is read into the repository."""
        if self.repository.memory.adopted:
            return None
        added = tuple(Change(ChangeKind.ADDED, path) for path in plan.new)
        return self._ask(ChangeSet(added, 0, plan.new_size, adopting=True))

    def before_committing(
        self, changed: int, new_size: int, *, trees: tuple[str, str]
    ) -> Question | None:
        """So many files differ between the two trees."""
        if changed * 4 < self.committer.config.safety.min_files:
            return None
        changes = changes_between(self.repository, *trees)
        return self._ask(ChangeSet(changes, self.tracked, new_size))

    def _ask(self, changes: ChangeSet) -> Question | None:
        question = self.committer.guard(changes)
        return question if question and question.kind not in self.allowed else None


def kind_of(step: Step) -> ChangeKind:
    """What a step does to its path."""
    if step.old is None:
        return ChangeKind.ADDED
    return ChangeKind.DELETED if step.new is None else ChangeKind.MODIFIED
