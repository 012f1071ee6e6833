"""Submodules that other machines have moved on: the person's own git brings theirs along.

An update moves the link in branch and index and leaves the submodule's folder alone, as git pull does.
What is checked out there is older than the link then, and is no edit: to commit it would take back the
move of the others, and they would take that back in turn, for ever. So it is on record which commit was
checked out when the link moved; only when that is another is it an edit.
"""

import contextlib
import os
import shlex
from collections.abc import Iterable

from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git import onrecord
from autosyncd.vcs.git.entries import Pairs, is_gitlink
from autosyncd.vcs.git.repository import Repository

Behind = onrecord.PathCommits
"""Path → the commit that is checked out there."""
FILE = "submodules.json"


def note(repository: Repository, links: Pairs) -> tuple[bytes, ...]:
    """Links that are about to move, and which of them leave their submodule behind. To be called
    before the branch moves."""
    record, fresh = recall(repository), []
    for path, (old, new) in links.items():
        if old is None or not is_gitlink(old) or not is_gitlink(new):
            continue
        here = checked_out(repository, path)
        if here is not None and here in (old.oid.decode(), record.get(path)):
            record[path] = here
            fresh.append(path)
    if fresh:
        _write(repository, record)
    return tuple(sorted(fresh))


def behind(repository: Repository, scope: Scope, differing: Iterable[bytes]) -> set[bytes]:
    """Which of the submodules in `scope` that differ from their links were left behind; the others are
    edits. What is behind no longer is forgotten."""
    record = recall(repository)
    if not record:
        return set()
    found = {path for path in differing if record.get(path) == checked_out(repository, path)}
    looked_at = {path for path in record if scope.everything or path in scope.paths}
    for path in looked_at - found:
        del record[path]
    if looked_at - found:
        _write(repository, record)
    return found


def checked_out(repository: Repository, path: bytes) -> str | None:
    """The commit that a submodule is at; None where it isn't checked out."""
    full = os.path.join(repository.root, path)
    if not os.path.lexists(full + b"/.git"):
        return None
    said = repository.git("-C", full, "rev-parse", "--verify", "-q", "HEAD", ok=(0, 1, 128))
    return said.text if said.code == 0 else None


def describe(paths: tuple[bytes, ...]) -> str:
    """What the person can do about it; an empty text where there are none."""
    names = " ".join(shlex.quote(os.fsdecode(path)) for path in paths[:5])
    return (
        f"Other machines have moved submodules on; bring yours along with: git submodule update {names}"
        if paths
        else ""
    )


def make_room(repository: Repository, links: Pairs) -> None:
    """A submodule that comes needs its folder, one that goes leaves none behind (when empty)."""
    for path, (old, new) in links.items():
        full = os.path.join(repository.root, path)
        with contextlib.suppress(OSError):
            if is_gitlink(new):
                os.makedirs(full, exist_ok=True)
            elif is_gitlink(old) and new is None:
                os.rmdir(full)


def recall(repository: Repository) -> Behind:
    """The record, empty when there is none."""
    return onrecord.recall(repository, FILE)


def _write(repository: Repository, record: Behind) -> None:
    """That it is lost in a power cut costs a commit of the older link."""
    onrecord.write(repository, FILE, record, durable=False)
