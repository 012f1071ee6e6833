"""Snapshot: make the bytes safe while the person's own git goes first.

In the middle of a merge, on another branch, or with something staged, nothing may be committed; but
what lies in the work tree can still get into history beside it. A snapshot is a commit of the work
tree on `refs/autosync/wip/TREE`, pushed; HEAD, index and files stay untouched. When autosyncd goes on,
its own commit holds the same, and the ref is taken away; what it has alone is kept for a while.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.git import indexes, ownrefs, refs
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.committing.scan import scan
from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.remotes.tips import push_own
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.verbs.settings import follow
from autosyncd.vcs.outcomes import Snapshotted


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The snapshots of one tree."""

    repository: Repository
    config: RepoConfig
    author: Author

    @property
    def ref(self) -> str:
        """Where the newest lies, here and on the remote."""
        return refs.snapshot(self.repository.memory.tree)

    def take(self) -> str | None:
        """The commit of the work tree as it is; None when that is in history already."""
        repository = self.repository
        if not repository.memory.adopted:
            return None  # nobody has agreed yet to what would be committed here
        index = repository.own_index("snapshot.index")
        indexes.copy_to(repository, index)
        staged = self._staged(index)
        found = scan(repository, EVERYTHING, self.config, index, beside=True)
        indexes.put(repository, index, dict(found.take(repository, index)))
        tree = indexes.write_tree(repository, index)
        head, last, last_staged = map(repository.commit_at, ("HEAD", self.ref, f"{self.ref}^2"))
        safe = {repository.tree_of(known) for known in (head, last, last_staged) if known}
        if {tree, staged or tree} <= safe:
            return None
        parents = [last] if last else [head] if head else []
        if staged is not None and staged not in safe | {tree}:
            subject = f"{self.config.name}: staged content"
            base = [head] if head else []
            parents.append(self._commit(staged, base, subject))
        message = f"{self.config.name}: snapshot while git is in use"
        commit = self._commit(tree, parents, message)
        repository.git("update-ref", self.ref, commit)
        return commit

    def _commit(self, tree: str, parents: list[str], message: str) -> str:
        return make_commit(self.repository, tree, parents, message=message, author=self.author)

    def _staged(self, index: bytes) -> str | None:
        """The tree of what is staged, which may be nowhere else; None with conflicts."""
        try:
            return indexes.write_tree(self.repository, index)
        except GitFailed:
            return None

    def publish(self, remote: str) -> bool:
        """Bring the newest to the remote, unless it is there; whether that is done, or can't be."""
        repository = self.repository
        last = repository.commit_at(self.ref)
        if last is None or last == self._pushed() or remotes.refuses_own_refs(repository):
            return True
        if not push_own(repository, remote, f"+{self.ref}:{self.ref}"):
            return remotes.refuses_own_refs(repository)
        self._note.write_text(last, encoding="ascii")
        return True

    @property
    def _note(self) -> Path:
        """Where it is written which one the remote has."""
        return Path(os.fsdecode(self.repository.state), "snapshot-pushed")

    def _pushed(self) -> str | None:
        try:
            return self._note.read_text(encoding="ascii")
        except (OSError, ValueError):
            return None

    def forget(self, remote: str | None) -> str:
        """It has served: what it held is in history. Where the person has thrown something of it away
        (`git switch -f`, `git merge --abort`), it is kept for a while (ownrefs.py): a sentence then."""
        repository = self.repository
        last = repository.commit_at(self.ref)
        if last is None:
            return ""
        said = ""
        if ownrefs.holds_alone(repository, last):
            kept = ownrefs.keep_before(repository, last)
            said = (
                "What lay in the work tree while your git went first is not in history; for three "
                f"months it can be had with: git show {kept}"
            )
        if remote is not None:
            repository.git.network("push", "--no-verify", remote, f":{self.ref}")
        repository.git("update-ref", "-d", self.ref)
        self._note.unlink(missing_ok=True)
        return said


def snapshot(repository: Repository, config: RepoConfig, author: Author) -> Snapshotted:
    """The verb Snapshot. Raises GitFailed for what is not expected."""
    follow(repository, config)
    snapshots = Snapshots(repository, config, author)
    taken = snapshots.take() is not None
    remote = remotes.choose(repository, config) if config.push else None
    return Snapshotted(taken, left=remote is not None and not snapshots.publish(remote))
