"""The commit that a machine and its remote should agree on: both their tips, and what waits beside."""

from dataclasses import dataclass
from functools import partial

from autosyncd.vcs.git import held, ownrefs
from autosyncd.vcs.git.committing.attempt import Committer
from autosyncd.vcs.git.history import make_commit
from autosyncd.vcs.git.merging import case
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.remotes import doubts
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.remotes.tips import Tips
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import Failed, Question, SyncOutcome
from autosyncd.vcs.priority import at_low_priority


@dataclass(slots=True, kw_only=True)
class Agreement:
    """Looked for anew in each try of one Sync."""

    repository: Repository
    committer: Committer
    allowed: frozenset[str]
    """Questions that a person has answered with "go on"."""
    remote: str
    tips: Tips
    joiner: Joiner
    gentle: bool
    """Merges run behind all else."""

    def find(
        self, here: str | None, there: str | None, before: str | None
    ) -> str | SyncOutcome | None:
        """The commit; None when there is none anywhere. `before` is where the remote's branch was
        before it was fetched."""
        repository = self.repository
        self.joiner.conflicts.clear()
        self.joiner.carried.clear()
        self.joiner.left = None
        if not self.committer.config.pull:
            return self._without_pull(here, there, before) if here and there else here
        if here is None or there is None:
            return here or there
        related = repository.contains(here, there) or repository.contains(there, here)
        if not related:
            stop = remotes.deepen(repository, self.remote, here, there)
            if stop is not None:
                return stop
        question = self._doubt(here, there, before, related=related)
        if question is not None:
            return question
        if self.joiner.left is not None:
            return there
        return at_low_priority(partial(self._joined, here, there, before), wanted=self.gentle)

    def find_here(self, here: str) -> str:
        """The commit where no remote is asked: the one here, and our own edits that wait beside it.
        What lies on disk of a held file may be one of those."""
        target = self.with_sides(here, here)
        return case.distinct(self.repository, here, target, self.joiner)

    def _joined(self, here: str, there: str, before: str | None) -> str:
        """Both, our edits that wait beside, and what others could not push."""
        target = self.joiner.join(self._onto(here, there, before), there)
        target = self.with_sides(target, here)
        for tip in self.tips.waiting():
            if doubts.left_below(self.repository, target, tip) is None:
                target = self.joiner.join(target, tip)
        return case.distinct(self.repository, here, target, self.joiner)

    def _onto(self, here: str, there: str, before: str | None) -> str:
        """What is here, as an edit of the commit that the person has amended or rebased, if so."""
        left = doubts.left_here(self.repository, here, there, before)
        if left is None:
            return here
        message = f"{self.committer.config.name}: rewritten here after it was pushed"
        tree, author = self.repository.tree_of(here), self.committer.author
        return make_commit(self.repository, tree, [here, left], message=message, author=author)

    def with_sides(self, target: str, here: str) -> str:
        """Joined with our edits that wait beside; without what the branch has left since."""
        for edit in ownrefs.sides(self.repository, here):
            target = doubts.join_edit(self.repository, self.joiner, target, edit)
        return target

    def _doubt(
        self, here: str, there: str, before: str | None, *, related: bool
    ) -> Question | None:
        """What of the two a person should decide. A rewritten history is followed where all that
        is here has been there: then `joiner.left` says so."""
        repository = self.repository
        found = doubts.rewriting(repository, here, there, before)
        if found is not doubts.Rewriting.NONE and doubts.REWRITTEN not in self.allowed:
            edits = held.recall(repository) or ownrefs.sides(repository, here)
            if found is not doubts.Rewriting.FOLLOWED or edits:
                return doubts.rewritten(repository, self.remote, found)
            self.joiner.left = here
            return None
        if related or doubts.UNRELATED in self.allowed:
            return None
        limit = self.committer.config.safety.min_files
        return doubts.unrelated(repository, self.remote, here, there, min_files=limit)

    def _without_pull(self, here: str, there: str, before: str | None) -> str | Question | Failed:
        """`pull: false`: what the remote has more than we is left there."""
        repository = self.repository
        if repository.contains(here, there) or repository.contains(there, here):
            found = doubts.rewriting(repository, here, there, before)
            if found is doubts.Rewriting.SET_BACK and doubts.REWRITTEN not in self.allowed:
                return doubts.rewritten(repository, self.remote, found)
            return here
        return Failed(
            "diverged",
            f"{self.remote} has commits of others, and pull is off, so nothing can be pushed; "
            "merge by hand, or set pull: true.",
        )
