"""Where an update stands between two of its rounds, and what moves it on."""

from collections.abc import Mapping
from dataclasses import dataclass

from autosyncd.vcs.git import held, indexes
from autosyncd.vcs.git.condition import elsewhere
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating.slippedin import SlippedIn
from autosyncd.vcs.outcomes import Waiting


@dataclass(slots=True, kw_only=True)
class Standing:
    """Of one update."""

    head: str | None
    """Of the branch."""
    ours: str | None
    """The commit that has what lies on disk but for what came in: the head, or edits on it."""
    target: str
    disk: str
    """The tree of what lies there."""
    record: held.Held
    """What was held before."""
    left: Waiting | None = None
    """The person is on another branch: what came in is taken out again."""

    def take_in(self, found: SlippedIn, joiner: Joiner) -> None:
        """Edits slipped in, and are committed: they are part of what is wanted."""
        self.ours, self.disk = found.ours, found.disk
        self.record |= found.held_edits
        for edit in sorted(set(found.held_edits.values())):
            self.target = joiner.join(self.target, edit)

    def look_anew(
        self, repository: Repository, merged: str, entries: Mapping[bytes, Version | None]
    ) -> Waiting | None:
        """The branch was moved meanwhile, or the person has left it; `entries` were put on the disk for
        `merged`. Why it can't go on, if it can't."""
        self.disk = indexes.tree_with(repository, self.disk, entries)
        self.left = elsewhere(repository)
        if self.left is None:
            self.target, self.head, self.ours = merged, repository.head, repository.head
        elif self.head is None:
            return self.left
        else:  # what was put there is no part of the branch they are on
            self.target = self.ours = self.head
        return None
