"""Bring the work tree from one commit to another that other machines have made.

git's own `read-tree -m -u` does it, on a private index: it refuses as a whole when a file that would
change was edited (then: commit, merge again), and overwrites nothing that is untracked. What it would
overwrite silently, an ignored file, is looked for before. The person's index.lock is held meanwhile.
"""

import os

from autosyncd.vcs.driver import (
    ChangeKind,
    ChangeSet,
    Dirty,
    Guard,
    Question,
    Waiting,
    Why,
)
from autosyncd.vcs.git.command import LONG, GitFailed
from autosyncd.vcs.git.commit import copy_index
from autosyncd.vcs.git.condition import locked, obstacle
from autosyncd.vcs.git.history import advance, changes_between, forget_journal
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.repository import Repository

_REFUSALS = ("not uptodate", "would be overwritten", "would be removed", "would lose untracked")


def update(
    repository: Repository, guard: Guard, old: str | None, new: str, allowed: frozenset[str]
) -> int | Dirty | Waiting | Question:
    """How many files came in, or why none did: the tree is changed as a whole or not at all."""
    waiting = obstacle(repository)
    if waiting is not None:
        return waiting
    before = repository.tree_of(old)
    changes = changes_between(repository, before, new, renames=False)
    listed = repository.git("ls-files", "-z", timeout=LONG).out.count(b"\0") if changes else 0
    question = guard(ChangeSet(changes, listed, incoming=True))
    if question is not None and question.kind not in allowed:
        return question
    added = [change.path for change in changes if change.kind is ChangeKind.ADDED]
    waiting = in_the_way(repository, added)
    if waiting is not None:
        return waiting
    try:
        with IndexLock(repository) as lock:
            copy_index(repository)
            refused = _read_tree(repository, before, new)
            if refused:
                return Dirty(refused)
            if not advance(repository, lock, old, new):
                return Dirty("The branch moved meanwhile.")
    except IndexBusy:
        return locked(repository) or Waiting(Why.LOCKED, "Another git command is running.")
    forget_journal(repository)
    return len(changes)


def in_the_way(repository: Repository, added: list[bytes]) -> Waiting | None:
    """An ignored file where an incoming one belongs: it is kept, and not published either."""
    there = {found for path in added if (found := _occupant(repository.root, path))}
    if not there:
        return None
    stdin = b"".join(path + b"\0" for path in sorted(there))
    ignored = repository.git("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1)).records
    if not ignored:
        return None
    names = ", ".join(os.fsdecode(path) for path in ignored[:3])
    return Waiting(
        Why.IN_THE_WAY,
        f"An incoming file has the name of one that you ignore here: {names}; "
        "it goes on when yours is renamed or deleted.",
    )


def _occupant(root: bytes, path: bytes) -> bytes | None:
    """The path itself or the parent that exists and is no folder, if there is one."""
    parts = path.split(b"/")
    for end in range(1, len(parts) + 1):
        part = b"/".join(parts[:end])
        full = os.path.join(root, part)
        if not os.path.lexists(full):
            return None
        if end == len(parts) or os.path.islink(full) or not os.path.isdir(full):
            return part
    return None


def _read_tree(repository: Repository, before: str, new: str) -> str:
    """git's words when something that would change was edited since; stale stat data is refreshed
    once. An empty text: done."""
    for refreshed in (False, True):
        said = repository.git(
            "read-tree",
            "-m",
            "-u",
            before,
            new,
            index=repository.private_index,
            ok=(0, 1, 128),
            timeout=LONG,
        )
        if said.code == 0:
            return ""
        if not any(words in said.complaint for words in _REFUSALS):
            raise GitFailed("read-tree", said.code, said.complaint)
        if not refreshed:
            repository.git(
                "update-index",
                "-q",
                "--refresh",
                index=repository.private_index,
                ok=(0, 1),
                timeout=LONG,
            )
    return said.complaint.split("\n", 1)[0]
