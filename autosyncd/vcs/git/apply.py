"""Carry the steps of one update out: stage, then replace file by file, then say what came of each."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from autosyncd.vcs.driver import Waiting, Why
from autosyncd.vcs.git.batch import Batch, stage
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import Folders, Hasher, Kind, Version
from autosyncd.vcs.git.lease import Lease, leases_work
from autosyncd.vcs.git.replace import Replacer, Result, Step
from autosyncd.vcs.git.repository import Repository


@dataclass(slots=True)
class Applied:
    """What became of the steps."""

    done: set[bytes] = field(default_factory=set)
    entries: dict[bytes, Version | None] = field(default_factory=dict)
    """What lies there now, for the paths that are done."""
    dirty: set[bytes] = field(default_factory=set)
    held: set[bytes] = field(default_factory=set)
    in_the_way: set[bytes] = field(default_factory=set)
    """Things of the person's that block a path, above it."""


def apply(
    repository: Repository, steps: Sequence[Step], learned: dict[bytes, set[bytes]]
) -> Applied:
    """Bring these files from their old to their new versions, as far as nobody is in the way."""
    applied = Applied()
    attributes = [step for step in steps if step.path.rpartition(b"/")[2] == b".gitattributes"]
    rest = [step for step in steps if step not in attributes]
    if attributes and rest:  # what lies on disk was written by the attributes of before
        hasher = Hasher(repository.object_format)
        learn(repository, hasher, [step for step in rest if step.old is not None], learned)
    for some in (attributes, rest):  # what git writes depends on the attributes that lie there
        if some:
            _apply_some(repository, some, learned, applied)
    return applied


def _apply_some(
    repository: Repository,
    steps: Sequence[Step],
    learned: dict[bytes, set[bytes]],
    applied: Applied,
) -> None:
    batch = stage(repository, steps, learned)
    hasher = Hasher(repository.object_format)
    tree, staged = Folders(repository.root), Folders(batch.folder)
    modes = repository.file_modes
    replacer = Replacer(tree, staged, hasher, leases=leases_work(repository.root), modes=modes)
    replacer.learned = learned
    try:
        for number in _in_order(steps):
            _note(applied, steps[number], _carry_out(replacer, batch, number), repository)
    finally:
        tree.close()
        staged.close()
    unlearned = [step for step in steps if step.path in applied.dirty and step.old is not None]
    learn(repository, hasher, unlearned, learned)


def _in_order(steps: Sequence[Step]) -> list[int]:
    """Deletions first, the deepest first: a folder's place may be wanted by a file."""
    gone = [number for number, step in enumerate(steps) if step.new is None]
    come = [number for number, step in enumerate(steps) if step.new is not None]
    return sorted(gone, key=lambda number: steps[number].path, reverse=True) + come


def _carry_out(replacer: Replacer, batch: Batch, number: int) -> Result:
    step, spot = batch.steps[number], batch.spot(number)
    return replacer.remove(step, spot) if step.new is None else replacer.put(step, spot)


def _note(applied: Applied, step: Step, result: Result, repository: Repository) -> None:
    if result is Result.DONE:
        applied.done.add(step.path)
        applied.entries[step.path] = step.new
    elif result is Result.HELD:
        applied.held.add(step.path)
    else:
        applied.dirty.add(step.path)
        above = occupant(repository.root, step.path)
        if above is not None:
            applied.in_the_way.add(above)


def learn(
    repository: Repository,
    hasher: Hasher,
    steps: Iterable[Step],
    learned: dict[bytes, set[bytes]],
) -> None:
    """Files whose raw bytes git's filters (line ends, LFS, ident …) turn into the old version are
    as we believed. The bytes that were cleaned are the bytes that were hashed."""
    folders = Folders(repository.root)
    try:
        for step in steps:
            data = _read(folders, step.path)
            if data is None:
                continue
            said = repository.git(
                "hash-object",
                "--stdin",
                b"--path=" + step.path,
                stdin=data,
                ok=(0, 1, 128),
                timeout=LONG,
            )
            raw = hasher.of_bytes(data)
            if step.old is not None and said.text.encode() == step.old.oid and raw != step.old.oid:
                learned.setdefault(step.path, set()).add(raw)
    finally:
        folders.close()


def _read(folders: Folders, path: bytes) -> bytes | None:
    try:
        place = folders.place(path)
        if place.kind() is not Kind.FILE:
            return None
        with Lease(place, trusted=False) as file, open(file.handle, "rb", closefd=False) as stream:
            return stream.read()
    except OSError:
        return None


def in_the_way(repository: Repository, steps: Iterable[Step]) -> Waiting | None:
    """An ignored file where an incoming one belongs: it is kept, and not published either."""
    there = {
        found
        for step in steps
        if step.new is not None and (found := occupant(repository.root, step.path, step.old))
    }
    folders = [path for path in there if _is_folder(repository.root, path)]
    ignored = _ignored_below(repository, folders) if folders else []
    files = sorted(there.difference(folders))
    if files:
        stdin = b"".join(path + b"\0" for path in files)
        said = repository.git("check-ignore", "-z", "--stdin", stdin=stdin, ok=(0, 1))
        ignored += said.records
    if not ignored:
        return None
    names = ", ".join(os.fsdecode(path) for path in ignored[:3])
    return Waiting(
        Why.IN_THE_WAY,
        f"An incoming file has the name of one that you ignore here: {names}; "
        "it goes on when yours is renamed or deleted.",
    )


def _ignored_below(repository: Repository, folders: list[bytes]) -> list[bytes]:
    """Ignored files in folders whose place an incoming file wants."""
    listed = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--")
    return repository.git("--literal-pathspecs", *listed, *sorted(folders)[:500]).records


def _is_folder(root: bytes, path: bytes) -> bool:
    full = os.path.join(root, path)
    return os.path.isdir(full) and not os.path.islink(full)


def occupant(root: bytes, path: bytes, expected: Version | None = None) -> bytes | None:
    """What has the place of `path`: itself (but no file where one is expected), or the parent of it
    that is no folder."""
    parts = path.split(b"/")
    for end in range(1, len(parts) + 1):
        part = b"/".join(parts[:end])
        full = os.path.join(root, part)
        if not os.path.lexists(full):
            return None
        if end == len(parts):
            return part if expected is None or _is_folder(root, part) else None
        if not _is_folder(root, part):
            return part
    return None
