"""The person's index.lock: taken only for an instant, and known to be ours after a crash.

The lock file is made elsewhere, its inode written down, and only then linked into place; so whatever
kills us, the next start can tell our own stale lock from somebody else's. A lock that isn't ours is
never touched, however old it is.
"""

import contextlib
import os
from pathlib import Path

from autosyncd.errors import AutosyncError
from autosyncd.vcs.git.repository import Repository


class IndexBusy(AutosyncError):
    """Another git command holds the lock."""


class IndexLock:
    """Held inside a `with`; publish() makes a finished index the person's own on leaving."""

    def __init__(self, repository: Repository) -> None:
        self._lock = repository.index + b".lock"
        self._index = repository.index
        self._record = repository.state + b"/lock-owner"
        self._made = repository.state + b"/lock.new"
        self._ready: bytes | None = None

    def __enter__(self) -> "IndexLock":
        """Raises IndexBusy."""
        handle = os.open(self._made, os.O_CREAT | os.O_TRUNC | os.O_RDWR, 0o666)
        inode = os.fstat(handle).st_ino
        os.close(handle)
        self._write_record([inode])
        try:
            os.link(self._made, self._lock)
        except FileExistsError:
            self._forget()
            raise IndexBusy from None
        finally:
            os.unlink(self._made)
        self._inode = inode
        return self

    def publish(self, index: bytes) -> None:
        """On leaving without an exception, this file becomes the index."""
        self._ready = index

    def __exit__(self, kind: object, *_: object) -> None:
        if self._ready is not None and kind is None:
            self._write_record([self._inode, os.stat(self._ready).st_ino])
            os.rename(self._ready, self._lock)  # the lock's name is never free in between
            os.rename(self._lock, self._index)
        else:
            os.unlink(self._lock)
        self._forget()

    def _write_record(self, inodes: list[int]) -> None:
        """Whole or not at all: there is no instant at which the lock is ours and nobody knows."""
        with open(self._record + b".new", "w", encoding="ascii") as file:
            file.write(" ".join(map(str, inodes)))
        os.rename(self._record + b".new", self._record)

    def _forget(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._record)


def recover(repository: Repository) -> bool:
    """Remove our own lock of a run that was killed; whether there was one."""
    record = Path(os.fsdecode(repository.state), "lock-owner")
    lock = repository.index + b".lock"
    try:
        inodes = [int(word) for word in record.read_text().split()][:2]
        ours = os.stat(lock).st_ino in inodes
    except (FileNotFoundError, ValueError):
        ours = False
    if ours and len(inodes) == 2 and os.stat(lock).st_ino == inodes[1]:
        os.rename(lock, repository.index)  # the branch has moved already: its index follows
    elif ours:
        os.unlink(lock)
    record.unlink(missing_ok=True)
    return ours


def recover_others(repository: Repository, remote: str | None) -> None:
    """After a kill in the middle of a git command of ours: the locks that it had taken on what it
    could have moved. Nothing is touched while any git works in this tree."""
    branch = os.fsencode(repository.memory.branch)
    names = [b"HEAD", b"packed-refs", b"refs/heads/" + branch]
    if remote is not None:
        names.append(b"refs/remotes/" + os.fsencode(remote) + b"/" + branch)
    if working_in(repository.root) is None:
        for folder in (repository.git_dir, repository.common_dir):
            for name in names:
                _unlink(folder + b"/" + name + b".lock")
        for base, _, files in os.walk(repository.common_dir + b"/refs/autosync"):
            for name in files:
                if name.endswith(b".lock"):
                    _unlink(base + b"/" + name)


def recover_private(repository: Repository) -> None:
    """Our own indexes are nobody else's: a lock on one of them is a leftover."""
    for name in os.listdir(repository.state):
        if name.endswith(b".lock"):
            _unlink(repository.state + b"/" + name)


def _unlink(path: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def working_in(root: bytes) -> str | None:
    """`git (812)`: a git that works in this tree, if there is one."""
    return holder_of(b"", root)


def holder_of(lock: bytes, root: bytes) -> str | None:
    """`git commit (812)`: who holds the lock open, or is a git working in this tree."""
    working = None
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        base = f"/proc/{entry}"
        try:
            name = Path(base, "comm").read_text().strip()
            open_files = {os.readlink(f"{base}/fd/{fd}") for fd in os.listdir(f"{base}/fd")}
            place = os.fsencode(os.readlink(f"{base}/cwd"))
        except OSError:
            continue
        if os.fsdecode(lock) in open_files:
            return f"{name} ({entry})"
        if name.startswith("git") and (place == root or place.startswith(root + b"/")):
            working = f"{name} ({entry})"
    return working
