"""New versions that git could not stage where they belong: the name can't be here, or means another."""

import os

from autosyncd.vcs.git.disk import Hasher, Place
from autosyncd.vcs.git.step import Step


def unwritten(source: Place) -> OSError | None:
    """Why there is nothing of that name: it can't be here, which is tried; else a filter failed."""
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC
    try:
        os.close(os.open(source.name, flags, 0o600, dir_fd=source.folder))
        source.unlink()
    except OSError as problem:
        return problem
    return None


def drop(source: Place, step: Step, hasher: Hasher) -> None:
    """Take it away: under the name that it has no sweep would know it. But that may be another step's
    file, and what was exchanged for it."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(source.name, flags, dir_fd=source.folder)
    try:
        lies = hasher.of_file(handle)
        if lies is not None and step.new is not None and lies.oid == step.new.oid:
            source.unlink()
    finally:
        os.close(handle)
