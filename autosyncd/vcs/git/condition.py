"""May we work in this tree now? The person's own git always goes first."""

import os
from pathlib import Path

from autosyncd.vcs.git.others import holder_of
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import Dirty, Waiting, Why

OPERATIONS = (
    (b"rebase-merge", "a rebase", "git rebase --continue or --abort"),
    (b"rebase-apply/applying", "applying patches", "git am --continue or --abort"),
    (b"rebase-apply", "a rebase", "git rebase --continue or --abort"),
    (b"MERGE_HEAD", "a merge", "git commit or git merge --abort"),
    (b"CHERRY_PICK_HEAD", "a cherry-pick", "git cherry-pick --continue or --abort"),
    (b"REVERT_HEAD", "a revert", "git revert --continue or --abort"),
    (b"sequencer", "a cherry-pick or revert", "git cherry-pick --continue or --abort"),
    (b"BISECT_LOG", "a bisect", "git bisect reset"),
)
"""What each leaves in the git dir while it goes on (git's wt-status.c tells `git status` so)."""


def obstacle(repository: Repository) -> Waiting | None:
    """What keeps our hands off, or None. Costs a few stats."""
    path = os.fsdecode(repository.root)
    if not os.path.isdir(repository.root):
        return Waiting(Why.GONE, f"{path} isn't there; it goes on when it comes back.")
    if not os.path.lexists(repository.root + b"/.git"):
        return Waiting(
            Why.GONE,
            f"{path} holds no .git any more (perhaps a file system was mounted there, or unmounted); "
            "it goes on when that comes back.",
        )
    if not os.path.isdir(repository.git_dir):
        where = os.fsdecode(repository.git_dir)
        return Waiting(Why.GONE, f"{where} isn't there; it goes on when it comes back.")
    return elsewhere(repository) or locked(repository)


def elsewhere(repository: Repository) -> Waiting | None:
    """The person's git is in the middle of something, or not on the adopted branch. Asked once more
    under index.lock, right before the branch moves: `git switch -c` takes no lock."""
    for mark, what, finish in OPERATIONS:
        if os.path.exists(repository.git_dir + b"/" + mark):
            return Waiting(
                Why.OPERATION, f"You are in the middle of {what}; it goes on after: {finish}"
            )
    wanted = repository.memory.branch
    current = current_branch(repository)
    if current is None:
        text = f"HEAD is detached; it goes on after: git switch {wanted}"
        return Waiting(Why.DETACHED, text)
    if current != wanted:
        text = (
            f"{current} is checked out, {wanted} is synced; it goes on after: git switch {wanted}"
        )
        return Waiting(Why.OTHER_BRANCH, text)
    return _shared(repository)


def _shared(repository: Repository) -> Waiting | None:
    """Another work tree of this repository that has the branch checked out as well (git allows it by
    force): when the branch moves here, what lies there looks like a staged way back."""
    folder = repository.common_dir + b"/worktrees/"
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return None
    places = {folder + name: b"" for name in names}
    main, git_dir = os.path.split(repository.common_dir)
    if git_dir == b".git":  # else it is bare, or its work tree can't be known
        places[repository.common_dir] = main
    for git_dir, root in places.items():
        if not _has_checked_out(git_dir, os.fsencode(repository.ref)):
            continue
        root = root or _root_of(git_dir)
        mine = os.path.realpath(git_dir) == os.path.realpath(repository.git_dir)
        if not mine and os.path.lexists(root + b"/.git"):
            return Waiting(
                Why.OTHER_BRANCH,
                f"{os.fsdecode(root)} has {repository.memory.branch} checked out as well, and the two "
                "would take each other's edits back; it goes on when one of them is on another "
                "branch: git switch",
            )
    return None


def _has_checked_out(git_dir: bytes, ref: bytes) -> bool:
    try:
        return Path(os.fsdecode(git_dir), "HEAD").read_bytes().strip() == b"ref: " + ref
    except OSError:
        return False


def _root_of(git_dir: bytes) -> bytes:
    """The folder of a linked work tree (gitrepository-layout(5), worktrees/ID/gitdir)."""
    try:
        pointer = Path(os.fsdecode(git_dir), "gitdir").read_bytes().strip()
    except OSError:
        return b""
    return os.path.dirname(pointer)


def current_branch(repository: Repository) -> str | None:
    """The branch that is checked out (perhaps unborn); None when HEAD is detached."""
    text = Path(os.fsdecode(repository.git_dir), "HEAD").read_text(errors="surrogateescape")
    ref = text.removeprefix("ref: ").strip()
    if ref == text.strip():
        return None  # a commit, not a branch
    if ref == "refs/heads/.invalid":  # other ref storages keep only this for old readers
        ref = repository.git("symbolic-ref", "-q", "HEAD", ok=(0, 1)).text
    return ref.removeprefix("refs/heads/") or None


def staged(found: str | None, head_tree: str) -> Waiting | None:
    """What the person has in the index besides HEAD (indexes.staged_tree) is theirs to commit."""
    if found is None:
        return Waiting(
            Why.OPERATION, "There are unresolved conflicts in the index; it goes on after: git add"
        )
    if found != head_tree:
        return Waiting(Why.STAGED, "You have staged changes; it goes on after your: git commit")
    return None


def rewritten(repository: Repository, before: str | None, now: str | None) -> Dirty | None:
    """The branch was at `before` and is at `now`, which does not contain that: the person has taken
    commits back (amend, reset). What was joined with those would bring them back."""
    if before is None or (now is not None and repository.contains(now, before)):
        return None
    return Dirty("The branch was rewritten meanwhile.")


def busy(repository: Repository) -> Waiting:
    """index.lock was somebody else's when it was wanted; it may be free again by now."""
    return locked(repository) or Waiting(Why.LOCKED, "Another git command is running.")


def locked(repository: Repository) -> Waiting | None:
    """Somebody else's index.lock: never removed by its age, its holder is named if there is one."""
    lock = repository.index + b".lock"
    if not os.path.exists(lock):
        return None
    holder = holder_of(lock, repository.root)
    if holder:
        return Waiting(Why.LOCKED, f"{holder} is using the index; it goes on when that is done.")
    return Waiting(
        Why.LOCKED,
        "index.lock was left behind by a git command that is no longer running; "
        f"it goes on after: rm {os.fsdecode(lock)}",
    )
