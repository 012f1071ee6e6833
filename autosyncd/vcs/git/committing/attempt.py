"""What all ways to a commit share: what is to be committed, by whom, and what came of it so far."""

from dataclasses import dataclass, field, replace

from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.changes import Change, ChangeSet
from autosyncd.vcs.driver import Compose, Guard
from autosyncd.vcs.git import excludes, held, ownrefs
from autosyncd.vcs.git.committing.scan import Found
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.history import Author, changes_between
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.setaside import SetAside
from autosyncd.vcs.orders import CommitOrder
from autosyncd.vcs.outcomes import CommitMade, LeftOut, NothingToCommit, Question


@dataclass(frozen=True, slots=True)
class Committer:
    """What a commit needs besides the tree: policy, limits, words, author."""

    config: RepoConfig
    guard: Guard
    compose: Compose
    author: Author


@dataclass(frozen=True, slots=True)
class _HeldEdits:
    """Edits of held files that are still to be committed."""

    record: held.Held
    edits: dict[bytes, Version]
    changes: tuple[Change, ...]
    """What they change in the branch, for the safety limits."""

    @classmethod
    def of(
        cls, repository: Repository, record: held.Held, edits: dict[bytes, Version]
    ) -> "_HeldEdits":
        """These, seen from HEAD: as if they were made of what comes in."""
        before = repository.tree_of(repository.head)
        edited = held.with_edits(repository, before, edits)
        return cls(record, edits, changes_between(repository, before, edited, renames=False))


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
    """Commits beside the branch, which the next Sync merges."""
    edits: held.Held = field(default_factory=dict)
    """Edits of held files, and the commits beside the branch that have them."""
    _found: _HeldEdits | None = None
    """Those of this try that are still to be committed."""

    def look_back(self, head: str | None) -> None:
        """Where somebody has taken commits back meanwhile (amend, reset), a commit on top of those
        must not bring them back as a parent: it stays, but beside the branch."""
        base, self.missed_on = self.missed_on, head
        if self.missed and base and not (head and self.repository.contains(head, base)):
            for lost in self.missed:
                ownrefs.keep_before(self.repository, lost)
            self.missed = []

    def question(self, changes: ChangeSet) -> Question | None:
        """What a person has to be asked before this is committed, and edits of held files beside it."""
        whole = replace(changes, changes=(*changes.changes, *self._beside))
        question = self.committer.guard(whole)
        return question if question and question.kind not in self.order.allowed else None

    def worth_counting(self, changes: tuple[Change, ...]) -> bool:
        """Whether a safety limit could be reached at all."""
        found = len(changes) + len(self._beside)
        return found * 4 >= self.committer.config.safety.min_files

    @property
    def _beside(self) -> tuple[Change, ...]:
        return self._found.changes if self._found else ()

    def message(self, changes: ChangeSet) -> str:
        """The words of the commit."""
        branch = self.repository.memory.branch
        return self.committer.compose(changes, branch, self.order.description)

    def take(self, found: Found, index: bytes) -> tuple[LeftOut, ...]:
        """Bring what differs into an index, edits of held files excepted (keep_edits()); what is to be
        said of it: files left out, likely secrets, saves of an older version."""
        repository, scope = self.repository, self.order.scope
        edits, record = found.take(repository, index), found.held
        if record != held.recall(repository):
            held.record(repository, record)
        self._found = _HeldEdits.of(repository, record, edits) if edits else None
        candidates = None if scope.everything else scope.paths
        secrets = excludes.held_secrets(repository, candidates)
        return (*found.left_out, *secrets, *(one.notice for one in self.aside))

    def keep_edits(self) -> None:
        """Commit what was found edited of held files, each on its own version. To be called when
        nobody has to be asked: what was committed would be merged, whatever is answered."""
        found, self._found = self._found, None
        if found is None:
            return
        author, name = self.committer.author, self.committer.config.name
        held.commit_edits(self.repository, found.record, found.edits, author=author, name=name)
        self.edits |= {path: found.record[path] for path in found.edits}

    def made(
        self, new: str, message: str, files: int, left_out: tuple[LeftOut, ...] = ()
    ) -> CommitMade:
        """The commit was made."""
        subject = message.split("\n", 1)[0]
        return CommitMade(Head(self.repository.memory.branch, new), files, subject, left_out)

    def nothing(
        self, head: str | None, left_out: tuple[LeftOut, ...] = ()
    ) -> CommitMade | NothingToCommit:
        """The branch need not move. A commit beside it is to be synced all the same: of several the
        last is named."""
        branch = self.repository.memory.branch
        beside = [*(one.commit for one in self.aside), *self.edits.values()]
        if not beside:
            return NothingToCommit(Head(branch, head) if head else None, left_out)
        last = beside[-1]
        subject = self.repository.git("show", "-s", "--format=%s", last).text
        return CommitMade(Head(branch, last), beside.count(last), subject, left_out)
