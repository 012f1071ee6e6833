"""Pure: the names of our own refs, all of them below refs/autosync.

Whose a ref is stands in its name: TREE is the id of one work tree (memory.py), so machines that share a
remote, and worktrees that share a repository, never meet in one. Nobody but that tree's worker makes or
moves it. A person may delete any of them; what they alone hold is gone then.

    side/TREE/BRANCH/COMMIT
                          here    a commit that is still to be merged into that branch (held.py), until
                                  the branch contains it, or has what was edited in it; while another
                                  branch is synced, it waits
    wip/TREE              both    the newest snapshot (snapshot.py), until autosyncd has gone on
    seen/TREE/BRANCH      here    where the remote's branch was when both last agreed (doubts.py);
                                  stays, and moves with each Sync
    before/TREE/COMMIT    here    a history that was left (that of another branch, where a held file has
                                  its version from there), or thrown away: until the branch contains it,
                                  or for three months and until nothing is in it alone (ownrefs.py)
    unpushed/TREE/COMMIT  here    the commits that `autosyncctl unpush` made anew, as they were (a side's
                                  name ends in -COMMIT, its own); as long as those of before/
    tips/TREE/BRANCH      remote  what a machine that keeps losing races asks others to take along
                                  (tips.py), until it is in the branch; whoever finds one that has
                                  served takes it away
    theirs/TREE/BRANCH    here    tips/ as they were fetched, ours among them; until tips/ has none, or
                                  the branch contains it

"Here" is the repository, "remote" the remote, "both" a name that means the same in both.
"""

from typing import Literal

RefKind = Literal["side", "before", "unpushed", "tips"]
"""Kinds of which a tree may have many."""
OWN = "refs/autosync"
FETCHED_TIPS = f"{OWN}/theirs/"
"""Above every tip that was fetched."""


def below(kind: RefKind, tree: str) -> str:
    """Above every ref of one kind that is this tree's; with the slash."""
    return f"{OWN}/{kind}/{tree}/"


def side(tree: str, branch: str, commit: str) -> str:
    """What holds a commit that is still to be merged into that branch. Branches `a` and `a/b` can both
    have such: for a clash a branch would have to be named like a commit."""
    return f"{below('side', tree)}{branch}/{commit}"


def side_of_any_branch(tree: str, commit: str) -> str:
    """The same as versions before this one named it. They merged it into whatever branch they synced."""
    return below("side", tree) + commit


def before(tree: str, commit: str) -> str:
    """What holds a history that was left: `commit` is its newest."""
    return below("before", tree) + commit


def unpushed(tree: str, commit: str) -> str:
    """What holds a history as it was before a path was taken out of it: `commit` is its newest."""
    return below("unpushed", tree) + commit


def snapshot(tree: str) -> str:
    """The tree's newest snapshot, here and on the remote."""
    return f"{OWN}/wip/{tree}"


def seen(tree: str, branch: str) -> str:
    """The remote's branch as this tree last agreed with it."""
    return f"{OWN}/seen/{tree}/{branch}"


def tip(tree: str, branch: str) -> str:
    """What a tree asks others to take along; on the remote."""
    return below("tips", tree) + branch


def fetched_tip(tree: str, branch: str) -> str:
    """Where a fetch puts tip()."""
    return f"{FETCHED_TIPS}{tree}/{branch}"


def tips_refspec(branch: str) -> str:
    """What a fetch of that branch brings besides (git-fetch(1)). `*` stands for slashes too: a fetch
    for `main` brings the tips of `team/main` as well."""
    return f"+{tip('*', branch)}:{fetched_tip('*', branch)}"


def tree_and_branch(fetched: str) -> tuple[str, str]:
    """Of a ref as fetched_tip() makes them."""
    tree, _, branch = fetched.removeprefix(FETCHED_TIPS).partition("/")
    return tree, branch
