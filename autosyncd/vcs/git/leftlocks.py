"""Locks that git commands of ours left behind when they were killed: on refs and on our own files.

The index's own lock is another matter (lock.py): the person's git may hold that one.
"""

import contextlib
import os

from autosyncd.vcs.git import refs
from autosyncd.vcs.git.others import working_in, working_on
from autosyncd.vcs.git.repository import Repository


def recover_refs(repository: Repository, remote: str | None) -> None:
    """After a kill in the middle of a git command of ours: the locks that it had taken on what it
    could have moved. Nothing is touched while any git works in this tree, or on its repository."""
    branch = os.fsencode(repository.memory.branch)
    names = [b"HEAD", b"packed-refs", b"refs/heads/" + branch]
    if remote is not None:
        names.append(b"refs/remotes/" + os.fsencode(remote) + b"/" + branch)
    if working_in(repository.root) is None and working_on(repository) is None:
        for folder in (repository.git_dir, repository.common_dir):
            for name in names:
                _unlink(folder + b"/" + name + b".lock")
        for base, _, files in os.walk(repository.common_dir + b"/" + os.fsencode(refs.OWN)):
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
