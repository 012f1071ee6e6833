"""The last steps of the quick way: the commit's object, its durability, and the branch's move."""

import contextlib
import os

from autosyncd import clock
from autosyncd.vcs.git import condition, durable, history, indexes, ownindex
from autosyncd.vcs.git.command import (
    GitFailed,
)
from autosyncd.vcs.git.committing.cache import CommitCache
from autosyncd.vcs.git.committing.draft import Doubtful, Draft
from autosyncd.vcs.git.history import Author, whole_message
from autosyncd.vcs.git.lock import IndexLock
from autosyncd.vcs.git.repository import Signature, Steady
from autosyncd.vcs.git.surroundings import readable
from autosyncd.vcs.partner import PartnerFailed

ROLES = ("AUTHOR", "COMMITTER")


def write_commit(
    cache: CommitCache, tree: str, parents: list[str], *, message: str, author: Author
) -> str:
    """Write a commit object as git commit-tree does; its id. Raises Doubtful."""
    whole = whole_message(message, author)
    if b"\0" in whole:
        raise Doubtful("The message can't be part of a commit.")
    now = clock.wall()
    when = f"{int(now)} {clock.zone(now)}\n".encode()
    lines = [f"tree {tree}\n", *(f"parent {parent}\n" for parent in dict.fromkeys(parents))]
    text = "".join(lines).encode()
    for role in ROLES:
        text += b"%s %s %s" % (role.lower().encode(), _ident(cache, role, author), when)
    return cache.children.commit(text + b"\n" + whole).decode()


def _ident(cache: CommitCache, role: str, author: Author) -> bytes:
    """`NAME <ADDRESS>` of our commits; git is asked once."""
    git = cache.repository.git
    if role not in cache.idents:
        if git.variable(f"GIT_{role}_DATE") is not None:
            raise Doubtful("The time of a commit is set from outside.")
        said = git("var", f"GIT_{role}_IDENT", environment=author.environment, ok=(0, 128))
        name, found, _ = said.out.rpartition(b">")
        if said.code or not found:
            raise Doubtful("git does not say who commits.")
        cache.idents[role] = name + b">"
    return cache.idents[role]


def publish(
    cache: CommitCache, draft: Draft, *, signature: Signature | None, old: str, new: str
) -> bool:
    """Move the branch from `old` to `new` by compare-and-swap, then let the person's index follow;
    False when the branch or the index was moved by somebody else, or the person has left it."""
    repository = cache.repository
    with contextlib.suppress(FileNotFoundError):
        os.unlink(repository.private_index)  # settle() must not take it for this commit's
    cache.confirm()
    durable.ensure(repository, old)
    with IndexLock(repository) as lock:
        if not _move(cache, draft, signature=signature, old=old, new=new):
            history.forget_journal(repository)
            return False
        youngest = indexes.bring_along(repository, draft.entries, draft.seen, draft.folders)
        ownindex.about_to_publish(repository)
        lock.publish(repository.private_index)
    history.published(repository, new)
    published = repository.clean[0] if repository.clean is not None else None
    repository.steady = Steady(published, youngest) if published is not None else None
    ownindex.keep_inventory(repository, signature, draft.growth)
    cache.children.prepare()
    return True


def _move(
    cache: CommitCache, draft: Draft, *, signature: Signature | None, old: str, new: str
) -> bool:
    """Compare and swap. While git locks the ref and writes its new value, the objects are flushed."""
    repository = cache.repository
    try:
        cache.children.begin_move(repository.ref, old, new)
        history.write_journal(repository, old, new, flush=False)
        journal = os.fsencode(history.journal(repository))
        durable.flush_objects(repository, (*draft.objects, new.encode()), journal)
        durable.end(repository)
        moved = ownindex.signature(repository) != signature or condition.elsewhere(repository)
        return not moved and cache.children.end_move()
    except PartnerFailed as problem:
        # the child may have ended before the move or after it: the branch itself says which
        if repository.head == new:
            return True
        history.forget_journal(repository)
        raise GitFailed("update-ref", 1, readable(str(problem).encode())) from problem
    finally:
        cache.children.leave_move()
