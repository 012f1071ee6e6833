"""Another branch is to be synced from now on: `branch:` was changed.

What waits beside the branch of before (held.py) stays with it, until that is synced again. What a held
file has on disk stays too, and on record stays which commit that is: but if only the other branch has
that commit, it counts as one that was left. So what is edited from now on goes into this branch, and
nothing of the other's history with it (remotes/doubts.py, left_below).
"""

from collections.abc import Collection, Iterator

from autosyncd.vcs.git import held, ownrefs
from autosyncd.vcs.git.repository import Repository


def take_up(repository: Repository, branch: str) -> None:
    """Go by that branch; to be remembered by the caller. Killed before that, it is done again."""
    memory = repository.memory
    if branch == memory.branch:
        return
    was_another = bool(memory.branch)
    if was_another:
        ownrefs.name_branch_of_sides(repository)
    memory.branch, memory.roots = branch, []
    if was_another:
        _leave_versions(repository)


def _leave_versions(repository: Repository) -> None:
    """Hold what held files come from that the branch has not; and what the edits come from that have
    waited here since it was synced before, since the other branch may have let go of it. One that git
    has lost is seen to by held.forget_lost()."""
    head, waiting = repository.head, {commit for commit, _ in ownrefs.side_refs(repository)}
    bases = {*held.recall(repository).values(), *_parents(repository, waiting)}
    for base in sorted(bases - waiting):
        known = repository.commit_at(base) is not None
        if known and (head is None or not repository.contains(head, base)):
            ownrefs.keep_before(repository, base)


def _parents(repository: Repository, commits: Collection[str]) -> Iterator[str]:
    if commits:
        stdin = "".join(one + "\n" for one in commits).encode()
        said = repository.git("rev-list", "--no-walk", "--parents", "--stdin", stdin=stdin)
        for line in said.text.split("\n"):
            yield from line.split()[1:]
