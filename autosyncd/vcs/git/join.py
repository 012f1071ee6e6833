"""Join tips of history into one: fast-forward where that is enough, else a merge commit."""

from dataclasses import dataclass, field

from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.merge import merge
from autosyncd.vcs.git.repository import Repository


@dataclass(slots=True)
class Joiner:
    """Joins, and remembers whose versions had to be put beside."""

    repository: Repository
    name: str
    author: Author
    conflicts: list[bytes] = field(default_factory=list)

    def join(self, ours: str, theirs: str) -> str:
        """A commit that contains both."""
        if self.repository.contains(ours, theirs):
            return ours
        if self.repository.contains(theirs, ours):
            return theirs
        merged = merge(self.repository, ours, theirs)
        self.conflicts += merged.conflicts
        message = f"{self.name}: merge changes of other machines"
        return make_commit(self.repository, merged.tree, [ours, theirs], message, self.author)
