"""A batch: the folder in which the new versions of an update are staged, and the old ones end up.

    batches/ID/plan      what each path was, and is to become (written before the first swap)
    batches/ID/tree/…    the new versions, written by git itself; after a swap, the old inodes
    batches/ID/gone/N    the inodes of deleted files, by their number in the plan

Sweeping a batch unlinks what is proved to be in history and gives everything else back to the person
beside its path. It is the same after an update (a writer may still hold an old inode) and after a kill
at any instant: recovery is a sweep.
"""

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path

from autosyncd.vcs.git import filters
from autosyncd.vcs.git.command import LONG, GitFailed, Result
from autosyncd.vcs.git.committing.cache import cache_of
from autosyncd.vcs.git.disk import Hasher, Version, flush
from autosyncd.vcs.git.lease import leases_work
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating.filtered import Learned

ARMED = b"/armed"
"""Written when git has staged everything: a batch without it holds nothing but copies."""


class Batch:
    """One staged update."""

    def __init__(self, folder: bytes, steps: Sequence[Step], learned: Learned) -> None:
        self.folder = folder
        self.steps = tuple(steps)
        self._learned = learned
        self.raw: dict[bytes, bytes] = {}
        """Path → id of what a filter of the person's made of the new version. What it makes of that
        on the way back may be something else each time, or nothing (a locked key)."""

    def spot(self, number: int) -> bytes:
        """Relative to the batch's folder: where the new version is, or the deleted one goes."""
        step = self.steps[number]
        return b"tree/" + step.path if step.new is not None else b"gone/%d" % number

    def write_plan(self) -> None:
        """So that a kill at any instant leaves nothing that can't be told apart."""
        rows = [
            [
                step.path.hex(),
                _text(step.old),
                _text(step.new),
                [oid.decode() for oid in self._raw_ids(step.path)],
            ]
            for step in self.steps
        ]
        os.makedirs(self.folder + b"/gone", exist_ok=True)
        with open(self.folder + b"/plan", "w", encoding="ascii") as file:
            file.write(json.dumps(rows))

    def _raw_ids(self, path: bytes) -> set[bytes]:
        made = {self.raw[path]} if path in self.raw else set()
        return self._learned.get(path, set()) | made


def stage(
    repository: Repository,
    steps: Sequence[Step],
    index: bytes,
    *,
    learned: Learned | None = None,
    early: Callable[["Batch"], set[bytes]] = lambda _: set(),
) -> Batch:
    """Let git write the new versions (filters, line ends, modes, links), and make them durable.
    `index` has them all. `early` may put some of them there first (early.py)."""
    folder = batches_of(repository) + b"/" + secrets.token_hex(8).encode()
    os.makedirs(folder + b"/tree", mode=0o700)
    batch = Batch(folder, steps, learned or {})
    batch.write_plan()
    there = early(batch)
    _write(repository, batch, index, there)
    if _know_filtered(repository, batch, there):
        batch.write_plan()
    _arm(folder)
    return batch


def _write(repository: Repository, batch: Batch, index: bytes, there: set[bytes]) -> None:
    """Let git write the new versions that are not there yet. Where a filter fails, the others are
    written all the same: what is missing afterwards is held back by whoever applies the batch."""
    paths = [step.path for step in batch.steps if step.new is not None and step.path not in there]
    while paths:
        said = _checkout(repository, batch, index, paths)
        if said.code == 0:
            return
        if "No space left" in said.complaint or "Disk quota" in said.complaint:
            raise GitFailed("checkout-index", said.code, said.complaint)
        missing = [path for path in paths if not _is_staged(batch, path)]
        paths = missing if len(missing) < len(paths) else paths[1:]  # it stumbles over the first


def _checkout(repository: Repository, batch: Batch, index: bytes, paths: list[bytes]) -> Result:
    prefix = b"--prefix=" + batch.folder + b"/tree/"
    stdin = b"".join(path + b"\0" for path in paths)
    write = ("checkout-index", "-q", "-z", "--stdin", prefix)
    return repository.git(*write, stdin=stdin, index=index, ok=(0, 1, 128), timeout=LONG)


def _know_filtered(repository: Repository, batch: Batch, there: set[bytes]) -> bool:
    """Note what filters have made, so that the sweep knows its own copies. Whether they made any."""
    coming = [step.path for step in batch.steps if step.new is not None]
    if not cache_of(repository).settings.has_filters_out:
        return False
    hasher = Hasher(repository.object_format)
    for path in filters.filtered(repository, coming, but=filters.STABLE):
        found = None if path in there else _hashed(hasher, batch.folder + b"/tree/" + path)
        if found is not None:
            batch.raw[path] = found.oid
    return bool(batch.raw)


def _hashed(hasher: Hasher, staged: bytes) -> Version | None:
    """The version in a staged file; None for a link, or what git could not write."""
    try:
        handle = os.open(staged, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return hasher.of_file(handle)
    finally:
        os.close(handle)


def _is_staged(batch: Batch, path: bytes) -> bool:
    return os.path.lexists(batch.folder + b"/tree/" + path)


def _arm(folder: bytes) -> None:
    """Make the staged files durable, else a power cut leaves empty ones that look like edits; from
    here on a file of the person's may be in the batch."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not leases_work(folder):
            _flush_each(folder + b"/tree")  # FUSE passes no syncfs(2) on
        flush(handle)
        with open(folder + ARMED, "wb") as file:
            os.fsync(file.fileno())
        os.fsync(handle)
    finally:
        os.close(handle)


def _flush_each(folder: bytes) -> None:
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # a link, say
                handle = os.open(base + b"/" + name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)


def batches_of(repository: Repository) -> bytes:
    """Where batches lie: beside the index, or at the top of the work tree where that is another
    file system (files can only be swapped within one)."""
    if os.stat(repository.state).st_dev == os.stat(repository.root).st_dev:
        return repository.state + b"/batches"
    top = repository.root + b"/.autosync"
    if not os.path.isdir(top):
        os.mkdir(top, 0o700)
        with open(top + b"/.gitignore", "w", encoding="ascii") as file:
            file.write("*\n")
    return top + b"/batches"


def _text(version: Version | None) -> str:
    return f"{version.mode.decode()} {version.oid.decode()}" if version is not None else ""


def read_plan(folder: bytes) -> list[tuple[Step, set[bytes]]]:
    """The steps of a batch, each with the ids of raw bytes that are its old version too; none
    where there is no plan."""
    try:
        rows = json.loads(Path(os.fsdecode(folder), "plan").read_text())
    except (OSError, ValueError):
        return []
    return [
        (
            Step(bytes.fromhex(path), _version(old), _version(new)),
            {oid.encode() for oid in raw},
        )
        for path, old, new, raw in rows
    ]


def _version(text: str) -> Version | None:
    mode, _, oid = text.partition(" ")
    return Version(mode.encode(), oid.encode()) if oid else None
