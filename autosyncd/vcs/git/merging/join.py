"""Join tips of history into one: fast-forward where that is enough, else a merge commit."""

from dataclasses import dataclass, field

from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.merging.merge import merge
from autosyncd.vcs.git.repository import Repository


@dataclass(slots=True)
class Joiner:
    """Joins, and remembers whose versions had to be put beside."""

    repository: Repository
    name: str
    author: Author
    conflicts: list[bytes] = field(default_factory=list)
    carried: list[str] = field(default_factory=list)
    """Edits beside the branch of which only what was edited is in it."""
    left: str | None = None
    """The commit here whose history the remote has left for another."""

    def join(self, ours: str, theirs: str) -> str:
        """A commit that contains both; of a history that is left, only what was edited since."""
        contains, left = self.repository.contains, self.left
        if left is not None and contains(ours, left) and not contains(theirs, left):
            return self.carry_over(ours, theirs, left)
        if contains(ours, theirs):
            return ours
        if contains(theirs, ours):
            return theirs
        merged = merge(self.repository, ours, theirs)
        self.conflicts += merged.conflicts
        message = f"{self.name}: merge changes of other machines"
        return self._commit(merged.tree, [ours, theirs], message)

    def carry_over(self, ours: str, theirs: str, left: str) -> str:
        """What `ours` has changed since `left`, on `theirs`. For the merge, theirs stands where it
        would be if it had been made from `left`."""
        if ours == left:
            return theirs
        repository = self.repository
        tree = repository.tree_of(theirs)
        message = f"{self.name}: edits made before the history was rewritten"
        stand_in = self._commit(tree, [left], message)
        merged = merge(repository, ours, stand_in)
        if merged.tree == tree:
            return theirs
        self.conflicts += merged.conflicts
        return self._commit(merged.tree, [theirs], message)

    def _commit(self, tree: str, parents: list[str], message: str) -> str:
        return make_commit(self.repository, tree, parents, message=message, author=self.author)
