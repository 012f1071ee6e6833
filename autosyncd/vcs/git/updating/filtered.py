"""Files whose raw bytes git's filters (line ends, ident, LFS …) turn into the version that history has.

Those raw bytes are as expected, though their id is not the blob's. They are learned only of files that
are hashed the same before and after git has looked at them.
"""

from collections.abc import Iterable

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import (
    Hasher,
    Kind,
)
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.lease import Lease
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step

Learned = dict[bytes, set[bytes]]
"""Path → ids of raw bytes that git's filters make into the old version."""


def learn(repository: Repository, hasher: Hasher, steps: Iterable[Step], learned: Learned) -> None:
    """Add what can be learned of these paths' old versions."""
    expected = {step.path: step.old.oid for step in steps if step.old is not None}
    folders = OpenFolders(repository.root)
    try:
        before = {path: _raw(folders, hasher, path) for path in expected}
        wanted = [path for path, raw in before.items() if raw not in (None, expected[path])]
        cleaned = _cleaned(repository, wanted)
        for path, oid in cleaned.items():
            raw = before[path]
            if raw is not None and oid == expected[path] and _raw(folders, hasher, path) == raw:
                learned.setdefault(path, set()).add(raw)
    finally:
        folders.close()


def _raw(folders: OpenFolders, hasher: Hasher, path: bytes) -> bytes | None:
    """The id of the bytes that lie there."""
    try:
        place = folders.place(path)
        if place.kind() is not Kind.FILE:
            return None
        with Lease(place, trusted=False) as file:
            version = hasher.of_file(file.handle)
            return version.oid if version is not None else None
    except OSError:
        return None


def _cleaned(repository: Repository, paths: list[bytes]) -> dict[bytes, bytes]:
    """What git makes of them: all in one go, or one by one where a file or its name stops git."""
    if not paths:
        return {}
    if not any(b"\n" in path or path.startswith(b'"') for path in paths):
        stdin = b"".join(path + b"\n" for path in paths)
        ask = ("hash-object", "--stdin-paths")
        said = repository.git(*ask, stdin=stdin, ok=(0, 1, 128), timeout=LONG)
        oids = said.out.split()
        if said.code == 0 and len(oids) == len(paths):
            return dict(zip(paths, oids, strict=True))
    if len(paths) == 1:
        said = repository.git("hash-object", "--", paths[0], ok=(0, 1, 128), timeout=LONG)
        return {paths[0]: said.text.encode()} if said.code == 0 else {}
    middle = len(paths) // 2
    return _cleaned(repository, paths[:middle]) | _cleaned(repository, paths[middle:])
