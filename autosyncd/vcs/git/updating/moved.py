"""Held files that the person's git has moved.

`git mv` gives the index's entry the new name, and that is the incoming version, which nobody here has
seen yet; the file on disk keeps the version before it. Under its new name it goes on waiting: else what
lies there would be taken for an edit that undoes what came in.
"""

from autosyncd.vcs.git import durable, held, indexes, ownrefs
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.remotes import doubts
from autosyncd.vcs.git.repository import Repository

WORDS = "move a file whose incoming version waits"
"""What the commit is called."""


def follow(repository: Repository, author: Author, name: str) -> None:
    """Find such files. The move is committed on the version that lies on disk, kept by a ref for the
    next Sync to merge, and on record. To be called before what lies on disk is looked at."""
    record = held.recall(repository)
    away = [path for path in record if not held.lies_there(repository, path)]
    head = repository.head if away else None
    if head is None:
        return
    entries = indexes.everything(repository, repository.index)
    moves = {
        path: new
        for path in away
        if path not in entries and (new := _moved_to(repository, head, path, record[path], entries))
    }
    if not moves:
        return
    durable.settle(repository)
    for path, new in moves.items():
        base = record.pop(path)
        before = held.version_in(repository, base, path)
        tree = tree_with(repository, repository.tree_of(base), {path: None, new: before})
        message = f"{name}: {WORDS}"
        record[new] = make_commit(repository, tree, [base], message=message, author=author)
        ownrefs.keep_side(repository, record[new])
    held.record(repository, record)


def _moved_to(
    repository: Repository, head: str, path: bytes, base: str, entries: dict[bytes, Version]
) -> bytes | None:
    """The one name that has the incoming version of the path now, and neither had nor has another."""
    before = held.version_in(repository, base, path)
    seen = repository.commit_at(doubts.seen_ref(repository))
    had = (held.version_in(repository, one, path) for one in (head, seen) if one is not None)
    incoming = next(filter(None, had), None)
    if before is None or incoming is None or before == incoming:
        return None
    places = [other for other, version in entries.items() if version == incoming]
    if len(places) != 1 or held.version_in(repository, base, places[0]) is not None:
        return None
    return places[0] if held.lies_there(repository, places[0]) else None
