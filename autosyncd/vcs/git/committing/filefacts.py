"""What the plan of a commit needs to know of a file on disk."""

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from autosyncd.vcs.git.disk import absent


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What lies under a name."""

    kind: str
    """file, link, folder, other, none; or long, for a name that the system doesn't take."""
    size: int = 0
    readable: bool = True


def facts_on_disk(root: bytes) -> Callable[[bytes], FileFacts]:
    """Facts read from the work tree below `root`."""

    def facts(path: bytes) -> FileFacts:
        full = os.path.join(root, path)
        try:
            return _read(full, None)
        except OSError as problem:
            if absent(problem):
                return FileFacts("none")
            return _from(root, path) if problem.errno == errno.ENAMETOOLONG else _SHUT

    return facts


_SHUT = FileFacts("file", readable=False)
"""It is there, or may be: what can't be looked at is not known to be away."""


def _from(root: bytes, path: bytes) -> FileFacts:
    """The whole name may be too long for a system call (PATH_MAX, path_resolution(7)) where the part
    below the top is not; that is the part that git uses."""
    try:
        top = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as problem:
        return FileFacts("none") if absent(problem) else _SHUT
    try:
        return _read(path, top)
    except OSError as problem:
        if absent(problem):
            return FileFacts("none")
        too_long = problem.errno == errno.ENAMETOOLONG
        return FileFacts("long", readable=False) if too_long else _SHUT
    finally:
        os.close(top)


def _read(path: bytes, top: int | None) -> FileFacts:
    """Raises OSError where nothing can be looked at."""
    found = os.stat(path, dir_fd=top, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        return FileFacts("link", found.st_size)
    if stat.S_ISREG(found.st_mode):
        return FileFacts("file", found.st_size, os.access(path, os.R_OK, dir_fd=top))
    if stat.S_ISDIR(found.st_mode):
        inside = os.access(path, os.R_OK | os.X_OK, dir_fd=top)
        return FileFacts("folder", readable=inside)
    return FileFacts("other")
