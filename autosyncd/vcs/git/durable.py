"""Objects that a commit needs, on the disk before the branch moves.

The children of a quick commit do not flush what they write (one journal commit of the file system for
each object would be most of the cost); all of it is flushed here at once. A file marks the time in
between: if we are killed then, objects lie in the store that git takes for good and would never write
again, so whoever comes next flushes the whole file system first.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterable

from autosyncd.vcs.git.disk import FOLDER_FLAGS, flush
from autosyncd.vcs.git.lease import file_system
from autosyncd.vcs.git.repository import Repository

SEPARATELY = 32
"""Files that are flushed one by one; for more, the file system as a whole is faster."""
IN_ORDER = {0xEF53, 0x58465342}
"""f_type of statfs(2): ext4 and xfs, whose journals have every rename that came before the one that is
flushed. btrfs flushes a folder's names alone: the files swapped in the work tree would come later."""
_WRITE = 2
"""SYNC_FILE_RANGE_WRITE of sync_file_range(2): begin to write, so that the flushes that follow find
everything on its way and share one commit of the journal."""
_libc = ctypes.CDLL(None, use_errno=True)


def _mark(repository: Repository) -> bytes:
    return repository.state + b"/unflushed"


def begin(repository: Repository) -> None:
    """From here on there may be objects that are not flushed. What a killed predecessor left is."""
    if os.path.exists(_mark(repository)):
        flush_all(repository)
    os.close(os.open(_mark(repository), os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def settle(repository: Repository) -> None:
    """If a predecessor was killed before it had flushed its objects, that is done now."""
    if os.path.exists(_mark(repository)):
        flush_all(repository)
        end(repository)


def end(repository: Repository) -> None:
    """All that was begun is flushed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_mark(repository))


def flush_objects(repository: Repository, oids: Iterable[bytes], *also: bytes) -> None:
    """Flush these objects (those that lie in packs are so already), and some files besides."""
    objects = repository.common_dir + b"/objects/"
    files = [*(objects + oid[:2] + b"/" + oid[2:] for oid in oids), *also]
    if len(files) > SEPARATELY:
        flush_all(repository)
        return
    with contextlib.ExitStack() as stack:
        handles = []
        for file in files:
            with contextlib.suppress(FileNotFoundError):
                handle = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
                stack.callback(os.close, handle)
                handles.append(handle)
        for handle in handles:
            _libc.sync_file_range(handle, ctypes.c_int64(0), ctypes.c_int64(0), _WRITE)
        for handle in handles:
            os.fsync(handle)


def ensure(repository: Repository, commit: str | None) -> None:
    """What is built on this commit, or pushed, will be reported. If the person's git has made it, it
    may not be on the disk yet: git does not flush loose objects by itself, nor refs."""
    if commit is not None and commit != repository.durable:
        flush_all(repository)
        repository.durable = commit


def flush_ref(repository: Repository) -> None:
    """Make the branch's move durable; where a folder can't be flushed without the rest that is to
    come with it, everything."""
    folder = os.path.dirname(repository.common_dir + b"/" + os.fsencode(repository.ref))
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):  # other storages of refs
        flush_folder(folder, everything=file_system(folder) not in IN_ORDER)


def flush_all(repository: Repository) -> None:
    """Flush the file systems of objects and state: whoever wrote there, and whatever."""
    for folder in (repository.common_dir + b"/objects", repository.state):
        flush_folder(folder, everything=True)


def flush_folder(folder: bytes, *, everything: bool = False) -> None:
    """Make names durable that have come into a folder; or its whole file system."""
    handle = os.open(folder, FOLDER_FLAGS)
    try:
        if everything:
            flush(handle)
        else:
            os.fsync(handle)
    finally:
        os.close(handle)
