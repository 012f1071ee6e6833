"""Something of the person's lies where an incoming file belongs."""

import contextlib
import os
from collections.abc import Iterable

from autosyncd.vcs.git.disk import Place
from autosyncd.vcs.git.repository import Repository

MOST_NAMED = 500
"""Folders that are looked into for what is ignored."""


def ignored_in_the_way(repository: Repository, paths: Iterable[bytes]) -> dict[bytes, bytes]:
    """Which of these incoming paths can't come because of a file that is ignored here, and which
    file that is. It may be a secret: so it is kept, and not published either."""
    there = {path: found for path in paths if (found := occupant(repository.root, path))}
    folders = {path: found for path, found in there.items() if _is_folder(repository.root, found)}
    ignored = _ignored(repository, {found for path, found in there.items() if path not in folders})
    below = _ignored_below(repository, sorted(set(folders.values()))[:MOST_NAMED])
    blocked = {path: found for path, found in there.items() if found in ignored}
    for path, folder in folders.items():
        inside = [one for one in below if one.startswith(folder + b"/")]
        if inside:
            blocked[path] = inside[0]
    return blocked


def _ignored(repository: Repository, files: set[bytes]) -> set[bytes]:
    """Those that are ignored, whatever the index says: the incoming one may be there already."""
    if not files:
        return set()
    ask = ("check-ignore", "--no-index", "-z", "--stdin")
    stdin = b"".join(path + b"\0" for path in sorted(files))
    return set(repository.git(*ask, stdin=stdin, ok=(0, 1)).records)


def _ignored_below(repository: Repository, folders: list[bytes]) -> list[bytes]:
    """Ignored files in folders whose place an incoming file wants."""
    if not folders:
        return []
    listed = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--")
    return repository.git("--literal-pathspecs", *listed, *folders).records


def _is_folder(root: bytes, path: bytes) -> bool:
    full = os.path.join(root, path)
    return os.path.isdir(full) and not os.path.islink(full)


def occupant(root: bytes, path: bytes) -> bytes | None:
    """What has the place of `path`: itself, or the parent of it that is no folder."""
    parts = path.split(b"/")
    for end in range(1, len(parts) + 1):
        part = b"/".join(parts[:end])
        full = os.path.join(root, part)
        if not os.path.lexists(full):
            return None
        if end == len(parts):
            return part
        if not _is_folder(root, part):
            return part
    return None


def clear_skeleton(target: Place) -> bool:
    """Remove a folder in which there are only folders: empty ones don't count as content. Whether it
    is gone."""
    walked = list(os.fwalk(target.name, dir_fd=target.folder))
    if any(files for _, _, files, _ in walked):
        return False
    folders = [base for base, *_ in walked]
    for base in reversed(folders[1:]):
        with contextlib.suppress(OSError):
            os.rmdir(base, dir_fd=target.folder)
    try:
        os.rmdir(target.name, dir_fd=target.folder)
    except OSError:
        return False
    return True
