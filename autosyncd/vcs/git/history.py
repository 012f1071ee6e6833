"""Reading and making commits: trees compared, commits written, branches moved by compare-and-swap."""

import contextlib
import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autosyncd.vcs.changes import Change, ChangeKind
from autosyncd.vcs.git import condition, durable, indexes, ownindex, signing
from autosyncd.vcs.git.command import LONG, GitFailed
from autosyncd.vcs.git.entries import entries_between
from autosyncd.vcs.git.lock import IndexBusy, IndexLock
from autosyncd.vcs.git.repository import Repository

RENAMES_WORTH_FINDING = "400"
"""Beyond so many added and deleted files a message need not tell which of them are renames."""

_NOBODY = re.compile(
    r"tell me who you are|empty ident|no (name|email) was given|auto-detection is disabled"
)


def changes_between(
    repository: Repository, old: str, new: str, *, renames: bool = True
) -> tuple[Change, ...]:
    """What differs between two trees or commits, file by file."""
    how = ("-M", f"-l{RENAMES_WORTH_FINDING}") if renames else ("--no-renames",)
    said = repository.git(
        "diff-tree", "-r", "-z", "--name-status", *how, old, new, "--", timeout=LONG
    )
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
    host: str = ""


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
        return Author(names, trailers, host=host)
    return Author(
        names,
        trailers,
        f"git knows no author here, so commits are made as {address}; to set another: "
        "git config --global user.email YOU@EXAMPLE.ORG",
        host,
    )


def make_commit(
    repository: Repository, tree: str, parents: list[str], *, message: str, author: Author
) -> str:
    """Write a commit object; nothing points to it yet."""
    arguments = ["commit-tree", tree]
    for parent in parents:
        arguments += ["-p", parent]
    arguments += ["-F", "-"]
    stdin = whole_message(message, author)
    try:
        return _commit_tree(repository, arguments, stdin, author)
    except GitFailed as problem:
        if not _NOBODY.search(problem.complaint):
            raise
        return _commit_tree(repository, arguments, stdin, _asked_anew(repository, author.host))


def _commit_tree(repository: Repository, arguments: list[str], stdin: bytes, author: Author) -> str:
    if signing.wanted(repository):
        return signing.commit_tree(repository, arguments[1:], stdin, author.environment)
    return repository.git(*arguments, stdin=stdin, environment=author.environment).text


def _asked_anew(repository: Repository, host: str) -> Author:
    """The person may have taken the name away, or emptied it, since the tree was opened."""
    return author(repository, host)


def whole_message(message: str, author: Author) -> bytes:
    """The message as a commit holds it, with the trailers."""
    return (message.rstrip("\n") + "\n\n" + author.trailers).encode("utf-8", "replace")


def advance(repository: Repository, lock: IndexLock, old: str | None, new: str) -> bool:
    """Move the adopted branch from `old` to `new`, and let the private index become the person's
    own when the lock is left: both or neither, whatever kills us (settle() ends what was begun).

    False when the branch is no longer at `old`, or the person has left it.
    """
    if condition.elsewhere(repository) is not None:
        return False
    durable.settle(repository)
    durable.ensure(repository, old)
    write_journal(repository, old, new)
    if not _swap(repository, old, new):
        return False
    ownindex.about_to_publish(repository)
    lock.publish(repository.private_index)
    return True


def _swap(repository: Repository, old: str | None, new: str) -> bool:
    try:
        before = old or "0" * len(new)
        repository.git("update-ref", "-m", "autosyncd", repository.ref, new, before)
    except GitFailed as problem:
        if repository.head == new:
            return True  # git fails after it too, where the log of HEAD can't be written
        forget_journal(repository)
        if "Unable to create" in problem.complaint:
            raise  # a lock that somebody left behind: git names it, and what to do
        return False
    return True


def settle(repository: Repository) -> None:
    """End what was begun and not ended: the branch has moved, its index has not come along. Costs a
    look at whether there is such a thing."""
    try:
        old, new = Path(journal(repository)).read_text().split()
    except (FileNotFoundError, ValueError):
        return
    if repository.head == new:
        try:
            with IndexLock(repository) as lock:
                _catch_up(repository, lock, None if old == "-" else old, new)
        except IndexBusy:
            return  # the journal stays: it is done as soon as the lock is free
    forget_journal(repository)


def _catch_up(repository: Repository, lock: IndexLock, old: str | None, new: str) -> None:
    """Bring the index along by what the commit changed. What the person has staged or marked since
    stays, so the index that was made ready is of use only where they have none."""
    before, after = repository.tree_of(old), repository.tree_of(new)
    index = repository.private_index
    if not os.path.exists(repository.index) and _stands_for(repository, index, after):
        lock.publish(index)
        return
    changed = entries_between(repository, before, after)
    have = indexes.entries(repository, repository.index, changed)
    late = {path: pair[1] for path, pair in changed.items() if have.get(path) == pair[0]}
    if not late:
        return
    indexes.copy_own(repository)
    if repository.sparse:
        indexes.read_sparse(repository, index, before, indexes.tree_with(repository, before, late))
    else:
        skipped, assumed = indexes.flagged(repository, index, late)
        indexes.put(repository, index, late)
        indexes.restore_flags(repository, index, skipped, assumed)
    lock.publish(index)


def _stands_for(repository: Repository, index: bytes, tree: str) -> bool:
    try:
        return os.path.exists(index) and indexes.write_tree(repository, index) == tree
    except GitFailed:
        return False


def journal(repository: Repository) -> str:
    """Where it is written that branch and index are being moved, from which commit to which."""
    return os.fsdecode(repository.state + b"/journal")


def write_journal(repository: Repository, old: str | None, new: str, *, flush: bool = True) -> None:
    """What is about to be done; without `flush` the caller makes it durable."""
    with open(journal(repository), "w", encoding="ascii") as file:
        file.write(f"{old or '-'} {new}\n")
        file.flush()
        if flush:
            os.fsync(file.fileno())


def published(repository: Repository, commit: str) -> None:
    """advance() is done: the lock was left, branch and index are where they belong. Once this has
    returned, they are so after a power cut too."""
    durable.flush_ref(repository)
    repository.durable = commit
    with contextlib.suppress(FileNotFoundError):  # its content is on the disk: the best record
        os.rename(journal(repository), last_move(repository))
    ownindex.was_published(repository, repository.tree_of(commit))


def last_move(repository: Repository) -> str:
    """Where the last move of the branch is written, should a later one of the person's git be torn."""
    return os.fsdecode(repository.state + b"/last-move")


def forget_journal(repository: Repository) -> None:
    """What advance() began is done, or was not begun."""
    Path(journal(repository)).unlink(missing_ok=True)
