"""Reading and making commits: trees compared, commits written, branches moved by compare-and-swap."""

import contextlib
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autosyncd.vcs.driver import Change, ChangeKind
from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.command import LONG, GitFailed
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.repository import Repository

RENAMES_WORTH_FINDING = "400"
"""Beyond so many added and deleted files a message need not tell which of them are renames."""


def changes_between(
    repository: Repository, old: str, new: str, *, renames: bool = True
) -> tuple[Change, ...]:
    """What differs between two trees or commits, file by file."""
    how = ("-M", f"-l{RENAMES_WORTH_FINDING}") if renames else ("--no-renames",)
    said = repository.git("diff-tree", "-r", "-z", "--name-status", *how, old, new, timeout=LONG)
    changes = []
    fields = iter(said.records)
    for letter in fields:
        path = next(fields)
        if letter.startswith(b"R"):
            changes.append(Change(ChangeKind.RENAMED, next(fields), source=path))
        elif letter in (b"A", b"D"):
            changes.append(Change(ChangeKind(letter.decode()), path))
        else:  # M, and T: another type of file
            changes.append(Change(ChangeKind.MODIFIED, path))
    return tuple(changes)


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by: variables for git where it knows nobody, and the trailers."""

    environment: Mapping[str, str]
    trailers: str
    note: str = ""
    """The sentence to say once, when git knows no author here."""


def author(repository: Repository, host: str) -> Author:
    """The author of our commits; `user@host` where git knows none."""
    trailers = f"Autosync-Host: {host}\nAutosync-Tree: {repository.memory.tree}\n"
    user = pwd.getpwuid(os.getuid()).pw_name
    address = f"{user}@{host}"
    names: dict[str, str] = {}
    for part, stand_in in (("name", user), ("email", address)):
        if not any(map(repository.git.config, (f"user.{part}", f"author.{part}"))):
            for role in ("AUTHOR", "COMMITTER"):
                variable = f"GIT_{role}_{part.upper()}"
                names[variable] = os.environ.get(variable) or stand_in
    if address not in names.values():
        return Author(names, trailers)
    return Author(
        names,
        trailers,
        f"git knows no author here, so commits are made as {address}; to set another: "
        "git config --global user.email YOU@EXAMPLE.ORG",
    )


def make_commit(
    repository: Repository, tree: str, parents: list[str], message: str, author: Author
) -> str:
    """Write a commit object; nothing points to it yet."""
    arguments = ["commit-tree", tree]
    for parent in parents:
        arguments += ["-p", parent]
    whole = message.rstrip("\n") + "\n\n" + author.trailers
    stdin = whole.encode("utf-8", "replace")
    return repository.git(*arguments, "-F", "-", stdin=stdin, environment=author.environment).text


def advance(repository: Repository, lock: IndexLock, old: str | None, new: str) -> bool:
    """Move the adopted branch from `old` to `new`, and let the private index become the person's
    own when the lock is left: both or neither, whatever kills us (settle() ends what was begun).

    False when the branch is no longer at `old`.
    """
    _write_journal(repository, old, new)
    ref = f"refs/heads/{repository.memory.branch}"
    try:
        repository.git("update-ref", "-m", "autosyncd", ref, new, old or "0" * len(new))
    except GitFailed as problem:
        forget_journal(repository)
        if "Unable to create" in problem.complaint:
            raise  # a lock that somebody left behind: git names it, and what to do
        return False
    lock.publish(repository.private_index)
    return True


def settle(repository: Repository) -> None:
    """End what a killed move_branch() began: the branch has moved, its index has not come along."""
    try:
        old, new = Path(_journal(repository)).read_text().split()
    except (FileNotFoundError, ValueError):
        return
    if repository.head == new and os.path.exists(repository.private_index):
        behind = _tree_of_index(repository, repository.index)
        ready = _tree_of_index(repository, repository.private_index)
        before = repository.tree_of(None if old == "-" else old)
        if behind in (before, "") and ready == repository.tree_of(new):
            with contextlib.suppress(IndexBusy), IndexLock(repository) as lock:
                lock.publish(repository.private_index)
    forget_journal(repository)


def _tree_of_index(repository: Repository, index: bytes) -> str:
    return repository.git("write-tree", index=index, ok=(0, 128)).text


def _journal(repository: Repository) -> str:
    return os.fsdecode(repository.state + b"/journal")


def _write_journal(repository: Repository, old: str | None, new: str) -> None:
    with open(_journal(repository), "w", encoding="ascii") as file:
        file.write(f"{old or '-'} {new}\n")
        file.flush()
        os.fsync(file.fileno())


def published(repository: Repository, commit: str) -> None:
    """advance() is done: the lock was left, branch and index are where they belong."""
    forget_journal(repository)
    repository.clean = (indexes.signature(repository), repository.tree_of(commit))


def forget_journal(repository: Repository) -> None:
    """What advance() began is done, or was not begun."""
    Path(_journal(repository)).unlink(missing_ok=True)
