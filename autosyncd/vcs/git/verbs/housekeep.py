"""Housekeeping: a year of one commit a minute must stay fast.

Our calls never start git's own `gc` (it would run in the middle of something else, and throw away what
a person may still want); so packing is done here, when the repository is at rest. Nothing is ever
thrown away that is not in history: git-repack(1) with --geometric keeps what is unreachable, and a ref
goes only when the branch has all that it holds (ownrefs.py).
"""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from autosyncd import clock
from autosyncd.vcs.git import ownrefs
from autosyncd.vcs.git.command import LONG, GitFailed
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.priority import at_low_priority

LOOSE_LIMIT = 5000
"""Loose objects beyond which they are packed; a commit makes three to five."""
PACK_LIMIT = 50
"""Packs (a fetch may bring one) beyond which they are put together."""
NIGHTLY = 24 * 3600.0
"""Seconds after which any loose object is reason enough."""
SAMPLE = b"17"
"""One of the 256 folders of loose objects; git's own gc estimates from this one too."""
LEFT_BEHIND = 24 * 3600.0
"""Seconds after which a temporary file of git belongs to nobody any more."""
GC_AT_MOST = 12 * 3600.0
"""Seconds for which git itself believes a gc.pid (git's builtin/gc.c)."""
GENTLE = ("-c", "core.fsync=all", "-c", "pack.threads=1", "-c", "repack.writeBitmaps=false")
"""Loose objects go once they are packed: so packs must be durable with their indexes."""

_TEMPORARY = re.compile(rb"\.?tmp[-_]")
"""How git calls what it has not finished: tmp_obj_…, tmp_pack_…, .tmp-PID-pack-…, tmp_graph_…"""
_QUARANTINE = re.compile(rb"tmp_objdir-|incoming-\w{6}\Z")
"""Folders of objects that are no part of the repository yet (git-receive-pack(1))."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What lies in the object store."""

    loose: int
    """About how many loose objects, from one folder of 256."""
    packs: int


def is_due(gathered: Gathered, last: float, now: float) -> bool:
    """Whether packing is worth it; `last` is when it was done before, both in seconds since 1970."""
    if gathered.loose >= LOOSE_LIMIT or gathered.packs >= PACK_LIMIT:
        return True
    return gathered.loose > 0 and abs(now - last) >= NIGHTLY


def gather(repository: Repository) -> Gathered:
    """Look into two folders."""
    objects = repository.common_dir + b"/objects/"
    packs = [name for name in _listed(objects + b"pack") if name.endswith(b".pack")]
    return Gathered(len(_listed(objects + SAMPLE)) * 256, len(packs))


def housekeep(repository: Repository) -> bool:
    """Clean up, and pack if it is worth it; whether it was. Does nothing while a git of the person's
    works. It may be killed at any instant: the next one ends what was begun."""
    if is_in_use(repository):
        return False
    _remove_leftovers(repository)
    ownrefs.drop_contained(repository)
    now = clock.wall()
    if not is_due(gather(repository), _last(repository), now):
        return False
    with _on_record(repository):
        at_low_priority(lambda: _pack(repository))
        at_low_priority(lambda: ownrefs.drop_expired(repository, now))
    with open(_done(repository), "wb"):
        os.utime(_done(repository), (now, now))
    return True


def is_in_use(repository: Repository) -> bool:
    """Whether the person's git writes: the index, refs, or in a housekeeping of its own."""
    locks = (repository.index + b".lock", repository.common_dir + b"/packed-refs.lock")
    if any(map(os.path.exists, locks)):
        return True
    try:
        began = os.stat(repository.common_dir + b"/gc.pid").st_mtime
    except FileNotFoundError:
        return False
    return clock.wall() - began < GC_AT_MOST


def _pack(repository: Repository) -> None:
    git = repository.git
    packs = _listed(repository.common_dir + b"/objects/pack")
    if not any(name.endswith(b".promisor") for name in packs):  # a partial clone packs by itself
        # first what is in history, by walking it: objects that are packed as they lie are not
        # compared with the versions before them, and take six times the room
        git(*GENTLE, "repack", "-d", "-q", timeout=LONG)
        # then what is in none, and packs of doubling size, so that none is written often
        git(*GENTLE, "repack", "-d", "-q", "--geometric=2", timeout=LONG)
        git("prune-packed", "-q", timeout=LONG)
    # who wrote a path last is asked at every conflict: --changed-paths spares most trees
    graph = ("commit-graph", "write", "--reachable", "--split", "--changed-paths", "--no-progress")
    with contextlib.suppress(GitFailed):  # somebody else writes one, or an old git knows less
        git(*GENTLE, *graph, timeout=LONG)
    for log in _logs(repository):
        with contextlib.suppress(GitFailed):
            git("reflog", "expire", "--expire-unreachable=never", log, timeout=LONG)


def _logs(repository: Repository) -> list[str]:
    """The refs whose logs grow with each of our commits. What the person's settings call old is
    taken off them (gc.reflogExpire, 90 days), as their own `git gc` does."""
    branch = os.fsencode(repository.memory.branch)
    logs = repository.common_dir + b"/logs/"
    remotes = [b"refs/remotes/" + name + b"/" + branch for name in _listed(logs + b"refs/remotes")]
    grown = [ref for ref in (b"refs/heads/" + branch, *remotes) if os.path.isfile(logs + ref)]
    return [*map(os.fsdecode, grown), "HEAD"]


def _remove_leftovers(repository: Repository) -> None:
    """What a killed git left half done. Its content is elsewhere: it was being copied."""
    objects = repository.common_dir + b"/objects"
    graphs = objects + b"/info/commit-graphs"
    folders = [objects + b"/" + name for name in _listed(objects) if len(name) == 2]
    old = clock.wall() - LEFT_BEHIND
    for folder in (objects, objects + b"/pack", objects + b"/info", graphs, *folders):
        for name in _listed(folder):
            if _TEMPORARY.match(name):
                _unlink_if(folder + b"/" + name, written_before=old)
    for name in _listed(objects):
        if _QUARANTINE.match(name) and _newest(objects + b"/" + name) < old:
            shutil.rmtree(objects + b"/" + name, ignore_errors=True)
    try:
        began = os.stat(_begun(repository)).st_mtime
    except FileNotFoundError:
        return
    # ours, killed: whoever takes this lock holds it for seconds
    lock = graphs + b"/commit-graph-chain.lock"
    with contextlib.suppress(FileNotFoundError):
        if os.stat(lock).st_mtime >= began:
            _unlink_if(lock, written_before=clock.wall() - LONG)


def _unlink_if(path: bytes, *, written_before: float) -> None:
    with contextlib.suppress(OSError):
        if os.lstat(path).st_mtime < written_before:
            os.unlink(path)


def _newest(folder: bytes) -> float:
    """When anything in a folder was written last."""
    times = [os.lstat(folder).st_mtime]
    for base, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with contextlib.suppress(FileNotFoundError):
                times.append(os.lstat(os.path.join(base, name)).st_mtime)
    return max(times)


@contextlib.contextmanager
def _on_record(repository: Repository) -> Iterator[None]:
    """So that the next one knows what was begun and not ended."""
    if not os.path.exists(_begun(repository)):
        os.close(os.open(_begun(repository), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    yield
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_begun(repository))


def _last(repository: Repository) -> float:
    try:
        return os.stat(_done(repository)).st_mtime
    except FileNotFoundError:
        return 0.0


def _begun(repository: Repository) -> bytes:
    return repository.state + b"/housekeeping"


def _done(repository: Repository) -> bytes:
    return repository.state + b"/housekept"


def _listed(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
