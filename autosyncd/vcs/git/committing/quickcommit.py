"""The last steps of the quick way: the commit's object, its durability, and the branch's move."""

import contextlib
import os

from autosyncd import clock
from autosyncd.vcs.git import history, indexes
from autosyncd.vcs.git.command import GitFailed, readable
from autosyncd.vcs.git.committing import durable
from autosyncd.vcs.git.committing.quick import Draft, Quick
from autosyncd.vcs.git.committing.trees import Doubtful
from autosyncd.vcs.git.history import Author, whole_message
from autosyncd.vcs.git.lock import IndexLock
from autosyncd.vcs.git.repository import Inventory, Repository
from autosyncd.vcs.partner import PartnerFailed

ROLES = ("AUTHOR", "COMMITTER")


def write_commit(quick: Quick, tree: str, parents: list[str], message: str, author: Author) -> str:
    """Write a commit object as git commit-tree does; its id. Raises Doubtful."""
    whole = whole_message(message, author)
    if b"\0" in whole:
        raise Doubtful("The message can't be part of a commit.")
    now = clock.wall()
    when = f"{int(now)} {clock.zone(now)}\n".encode()
    lines = [f"tree {tree}\n", *(f"parent {parent}\n" for parent in dict.fromkeys(parents))]
    text = "".join(lines).encode()
    for role in ROLES:
        text += b"%s %s %s" % (role.lower().encode(), _ident(quick, role, author), when)
    return quick.children.commit(text + b"\n" + whole).decode()


def _ident(quick: Quick, role: str, author: Author) -> bytes:
    """`NAME <ADDRESS>` of our commits; git is asked once."""
    git = quick.repository.git
    if role not in quick.idents:
        if git.variable(f"GIT_{role}_DATE") is not None:
            raise Doubtful("The time of a commit is set from outside.")
        said = git("var", f"GIT_{role}_IDENT", environment=author.environment, ok=(0, 128))
        name, found, _ = said.out.rpartition(b">")
        if said.code or not found:
            raise Doubtful("git does not say who commits.")
        quick.idents[role] = name + b">"
    return quick.idents[role]


def publish(quick: Quick, signature: object, draft: Draft, old: str, new: str) -> bool:
    """Move the branch from `old` to `new` by compare-and-swap, then let the person's index follow;
    False when the branch or the index was moved by somebody else."""
    repository = quick.repository
    with contextlib.suppress(FileNotFoundError):
        os.unlink(repository.private_index)  # settle() must not take it for this commit's
    quick.confirm()
    durable.ensure(repository, old)
    with IndexLock(repository) as lock:
        if not _move(quick, signature, draft, old, new):
            history.forget_journal(repository)
            return False
        indexes.bring_along(
            repository, {path: pair[1] for path, pair in draft.entries.items()}, draft.seen
        )
        indexes.about_to_publish(repository)
        lock.publish(repository.private_index)
    history.published(repository, new)
    _keep_inventory(repository, draft.growth)
    quick.children.prepare()
    return True


def _move(quick: Quick, signature: object, draft: Draft, old: str, new: str) -> bool:
    """Compare and swap. While git locks the ref and writes its new value, the objects are flushed."""
    repository = quick.repository
    try:
        quick.children.begin_move(repository.ref, old, new)
        history.write_journal(repository, old, new, flush=False)
        journal = os.fsencode(history.journal(repository))
        durable.flush_objects(repository, (*draft.objects, new.encode()), journal)
        durable.end(repository)
        return indexes.signature(repository) == signature and quick.children.end_move()
    except PartnerFailed as problem:
        # the child may have ended before the move or after it: the branch itself says which
        if repository.head == new:
            return True
        history.forget_journal(repository)
        raise GitFailed("update-ref", 1, readable(str(problem).encode())) from problem
    finally:
        quick.children.leave_move()


def _keep_inventory(repository: Repository, growth: int) -> None:
    """The index was written by us, so what is in it is known without counting."""
    known, clean = repository.inventory, repository.clean
    if known is not None and clean is not None:
        repository.inventory = Inventory(clean[0], known.tracked + growth, known.set_aside)
