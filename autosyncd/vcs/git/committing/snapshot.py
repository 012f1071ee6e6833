"""Snapshot: make the bytes safe while the person's own git goes first.

In the middle of a merge, on another branch, or with something staged, nothing may be committed; but
what lies in the work tree can still get into history beside it. A snapshot is a commit of the work
tree on `refs/autosync/wip/TREE`, pushed; HEAD, index and files stay untouched. When autosyncd goes on,
its own commit holds the same, and the ref is taken away; what it has alone is kept for a while.
"""

from dataclasses import dataclass

from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.committing.scan import scan
from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.ownrefs import holds_alone
from autosyncd.vcs.git.remotes import doubts
from autosyncd.vcs.git.remotes.tips import push_own
from autosyncd.vcs.git.repository import Repository


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The snapshots of one tree."""

    repository: Repository
    config: RepoConfig
    author: Author

    @property
    def ref(self) -> str:
        """Where the newest lies, here and on the remote."""
        return f"refs/autosync/wip/{self.repository.memory.tree}"

    def take(self) -> str | None:
        """The commit of the work tree as it is; None when that is in history already."""
        repository = self.repository
        if not repository.memory.adopted:
            return None  # nobody has agreed yet to what would be committed here
        index = repository.state + b"/snapshot.index"
        indexes.copy_to(repository, index)
        found = scan(repository, EVERYTHING, self.config, index, beside=True)
        indexes.put(repository, index, dict(found.take(repository, index)))
        tree = indexes.write_tree(repository, index)
        head = repository.commit_at("HEAD")
        last = repository.commit_at(self.ref)
        if any(tree == repository.tree_of(known) for known in (head, last) if known):
            return None
        parents = [last] if last else [head] if head else []
        message = f"{self.config.name}: snapshot while git is in use"
        commit = make_commit(repository, tree, parents, message, self.author)
        repository.git("update-ref", self.ref, commit)
        return commit

    def push(self, remote: str) -> bool:
        """Bring the newest to the remote; a hub that takes no such refs costs only the try."""
        return push_own(self.repository, remote, f"+{self.ref}:{self.ref}")

    def forget(self, remote: str | None) -> str:
        """It has served: what it held is in history. Where the person has thrown something of it away
        (`git switch -f`, `git merge --abort`), it is kept for a while (ownrefs.py): a sentence then."""
        repository = self.repository
        last = repository.commit_at(self.ref)
        if last is None:
            return ""
        said = ""
        if holds_alone(repository, last):
            kept = doubts.keep(repository, last)
            said = (
                "What lay in the work tree while your git went first is not in history; for three "
                f"months it can be had with: git show {kept}"
            )
        if remote is not None:
            repository.git.network("push", "--no-verify", remote, f":{self.ref}")
        repository.git("update-ref", "-d", self.ref)
        return said
