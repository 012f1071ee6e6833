"""What lies below a folder, as far as watches go: the names of its folders, read from the disk."""

import os
from collections.abc import Callable

GIT = b".git"
"""A folder that has an entry of this name, whatever it is, is a repository of its own."""
TICK_EVERY = 256
"""A caller's `tick` is called after so many folders."""


def folder_names(folder: bytes) -> list[bytes] | None:
    """The names of the folders in a folder (absolute path), symlinks left out, and `.git` whatever
    it is. None: there is no such folder, or this user may not read it.

    Raises OSError if the file system fails or this process has no file descriptor left.
    """
    try:
        # the entry's type comes with the listing (readdir(3), d_type): no file is looked at
        with os.scandir(folder) as entries:
            return [
                entry.name
                for entry in entries
                if entry.is_dir(follow_symlinks=False) or entry.name == GIT
            ]
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def count_folders(
    root: bytes, top: bytes, not_entered: set[bytes], tick: Callable[[int], None]
) -> int:
    """How many folders would have to be watched from `top` (relative to `root`) downwards."""
    count = 0
    stack = [top]
    while stack:
        path = stack.pop()
        try:
            names = folder_names(join(root, path)) or []
        except OSError:
            names = []
        if GIT in names and path:
            continue
        count += 1
        if count % TICK_EVERY == 0:
            tick(count)
        below = (join(path, name) for name in names if name != GIT)
        stack.extend(path for path in below if path not in not_entered)
    return count


def join(folder: bytes, name: bytes) -> bytes:
    """Path and name; either may be empty."""
    return folder + b"/" + name if folder and name else folder or name
