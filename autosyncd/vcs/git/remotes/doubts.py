"""What a fetch can bring that a person should decide: a branch gone, rewritten, or a stranger's."""

import os
import shlex
from collections.abc import Collection
from enum import Enum

from autosyncd.vcs.git import ownrefs, refs
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.remotes import place
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.remotes.anew import is_made_anew
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import Question

BRANCH_GONE = "branch-gone"
REWRITTEN = "rewritten-history"
UNRELATED = "unrelated-history"


class Rewriting(Enum):
    """What it means here that the remote's branch is not what it was."""

    NONE = "none"
    """Nothing that was taken away there would come back from here."""
    FOLLOWED = "followed"
    """All that is here was there once, and was made anew: it can be left, and is kept beside."""
    SET_BACK = "set back"
    """Commits have gone, and nothing came: somebody took them out, or it lost them (a backup)."""
    PASSED_OVER = "passed over"
    """The same, and another machine, which had not got that far, has pushed since."""
    ASKED = "asked"
    """Here is something that was never there: a person must say."""


def seen_ref(repository: Repository) -> str:
    """Where we remember the remote's branch as we last agreed with it. A person's own `git fetch`
    moves the remote-tracking branch, and must not hide from us that history was rewritten."""
    memory = repository.memory
    return refs.seen(memory.tree, memory.branch)


def saw(repository: Repository, tip: str | None) -> None:
    """Remember it."""
    ref = seen_ref(repository)
    if tip is not None and repository.commit_at(ref) != tip:
        repository.git("update-ref", ref, tip)
    place.agreed(repository)


def rewriting(
    repository: Repository, here: str | None, there: str | None, before: str | None
) -> Rewriting:
    """How `there` came about; `before` is where it was before the fetch, should nothing be
    remembered."""
    seen = repository.commit_at(seen_ref(repository)) or before
    if seen is None or here is None or there is None or repository.contains(there, seen):
        return Rewriting.NONE
    if place.is_another(repository):
        return _elsewhere(repository, here, there)
    shared = repository.git("merge-base", here, seen, ok=(0, 1)).text
    if not shared or repository.contains(there, shared):
        return Rewriting.NONE
    if repository.contains(seen, there):
        return Rewriting.SET_BACK
    if not repository.contains(seen, here):
        return Rewriting.ASKED
    anew = is_made_anew(repository, there, seen)
    return Rewriting.FOLLOWED if anew else Rewriting.PASSED_OVER


def _elsewhere(repository: Repository, here: str, there: str) -> Rewriting:
    """The same, where `seen` was seen at another place. An older copy is brought along, and what has
    nothing in common is told apart elsewhere (unrelated()). Whether commits were never in another one,
    or were taken out of it, can't be known."""
    shared = repository.git("merge-base", here, there, ok=(0, 1)).text
    return Rewriting.NONE if shared in ("", there) else Rewriting.ASKED


def left_here(repository: Repository, here: str, there: str, before: str | None) -> str | None:
    """A commit of the remote's that the branch here has left: the person has amended or rebased what
    was pushed already (gitrevisions(7): the branch was at it once, by its log). What they made of it
    is to stand against that commit, not beside it. `before` as in rewriting().

    It must have been there until now. What had gone from the remote as well, and is there again, was
    brought back by somebody who was asked."""
    if repository.contains(here, there) or repository.contains(there, here):
        return None
    git = repository.git
    was_here = set(git("rev-list", "-g", repository.ref, "--", ok=(0, 128)).text.split())
    alone = git("rev-list", "--topo-order", there, f"^{here}", "--", timeout=LONG).text.split()
    left = [commit for commit in alone if commit in was_here]
    until_now = [tip for tip in (repository.commit_at(seen_ref(repository)), before) if tip]
    if not left or not until_now:
        return None
    still = set(git("rev-list", *until_now, f"^{here}", "--", timeout=LONG).text.split())
    return next((commit for commit in left if commit in still), None)


def left_below(
    repository: Repository, target: str, edit: str, carried: Collection[str] = ()
) -> str | None:
    """The newest commit that `edit`, which waits to be merged, was made on and that the branch has left:
    it was there once, or where a held file comes from (otherbranch.py), and `target` is without it.
    Merged as it is, the edit would bring it back. Of edits that were `carried` over the target has
    what was edited."""
    git, before = repository.git, refs.below("before", repository.memory.tree)
    alone = git("rev-list", "--topo-order", edit, f"^{target}", "--", timeout=LONG).text.split()
    was_here = set(git("rev-list", "-g", repository.ref, "--", ok=(0, 128)).text.split())
    kept = {commit for commit, _ in ownrefs.listed(repository, before)}
    # another branch may have left what is still to be merged into this one
    waiting = {commit for commit, _ in ownrefs.side_refs(repository)}
    was_here |= {*(kept - waiting), *carried}
    return next((commit for commit in alone if commit in was_here), None)


def join_edit(repository: Repository, joiner: Joiner, target: str, edit: str) -> str:
    """The target joined with an edit that waits beside; without what the branch has left since."""
    left = left_below(repository, target, edit, joiner.carried)
    if left is None:
        return joiner.join(target, edit)
    joiner.carried.append(edit)
    return joiner.carry_over(edit, target, left)


def followed(repository: Repository, remote: str, left: str) -> str:
    """The branch has left that history: nothing of it is to be merged again. The sentence to say."""
    tree = repository.memory.tree
    for commit, _ in ownrefs.side_refs(repository):
        if repository.contains(commit, left):  # an edit during the update, which was carried over
            ownrefs.leave_side(repository, commit)
    repository.memory.roots = []  # they may be others there
    repository.remember()
    return (
        f"The history of {repository.memory.branch} on {remote} was rewritten, and this tree has "
        f"followed it; what was here is kept: git log {refs.before(tree, left)}"
    )


def branch_missing(
    repository: Repository, remote: str, allowed: Collection[str], *, pushes: bool
) -> Question | str:
    """The remote hasn't got our branch: somebody has removed it; or it has never been there, of which
    a sentence is said where there are others: who syncs one of those is never met. Nothing is to be
    said while a remote has none. `pushes`: whether it is about to be there."""
    branch = repository.memory.branch
    was_there = repository.memory.published == branch and not place.is_another(repository)
    if not (was_there or pushes) or remotes.is_empty(repository, remote):
        return ""
    if not was_there:
        return (
            f"{remote} has other branches, and had no {branch} yet: machines that sync another one "
            "neither get what is made here nor send theirs; see: autosyncctl doctor."
        )
    if BRANCH_GONE in allowed:
        return ""
    text = f"The branch {branch} was removed from {remote}; going on pushes it again."
    return Question(BRANCH_GONE, text)


def rewritten(repository: Repository, remote: str, found: Rewriting) -> Question:
    """Somebody forced the branch to another history: merging would bring back what was removed."""
    branch = repository.memory.branch
    if place.is_another(repository):
        text = (
            f"{remote} leads to another place now, and {branch} there went another way than here; "
            "going on merges both, which brings back what may have been removed there."
        )
    elif found in (Rewriting.SET_BACK, Rewriting.PASSED_OVER):
        root, there = os.fsdecode(repository.root), f"{remote}/{branch}"
        out = ("git", "-C", root, "rebase", "--onto", there, seen_ref(repository))
        instead = "nothing" if found is Rewriting.SET_BACK else "others, not made of them,"
        text = (
            f"{remote} has lost the newest commits of {branch} and got {instead} instead, as by a "
            "backup that was put back; going on pushes them again. If they were removed on purpose, "
            f"take them out here as well, and keep what was made here since: {shlex.join(out)}"
        )
    else:
        text = (
            f"The history of {branch} on {remote} was rewritten, and here are commits that were never "
            "there; going on merges both, which brings back what was removed there."
        )
    return Question(REWRITTEN, text)


def unrelated(
    repository: Repository, remote: str, here: str, there: str, *, min_files: int
) -> Question | None:
    """Two histories without a common beginning: a fresh README may join, a life's work is asked."""
    if repository.git("merge-base", here, there, ok=(0, 1)).code == 0:
        return None
    sizes = [
        repository.git("ls-tree", "-r", "-z", "--name-only", tip).out.count(b"\0")
        for tip in (here, there)
    ]
    if min(sizes) <= min_files:
        return None
    return Question(
        UNRELATED,
        f"The history on {remote} ({sizes[1]} files) has nothing in common with the one here "
        f"({sizes[0]} files); going on merges the two.",
    )
