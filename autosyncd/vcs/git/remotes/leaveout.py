"""Paths that leave the index, and are not committed again: the part of an unpush that comes first.

What lies on disk of them stays; they get into `.git/info/exclude`, or are marked skip-worktree where the
branch keeps an older version.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.remotes.rewrite import Versions
from autosyncd.vcs.git.repository import Repository


@contextlib.contextmanager
def leaving_out(
    repository: Repository,
    versions: Versions,
    excluded: tuple[bytes, ...],
    set_aside: tuple[bytes, ...],
    *,
    to: str,
) -> Iterator[None]:
    """Inside of it the branch moves, `to` a commit that has these versions of the paths.

    The index is without them, and they are left out, before it moves: after a kill in between it looks
    as if their removal had been staged. The other way round it would look as if they had been, and
    what the remote refuses (a password, say) would be committed anew. Unless the branch gets there,
    all is taken back.
    """
    exclude, before = _excludes(repository), repository.own_index("unpush.before")
    rules = exclude.read_bytes() if exclude.exists() else None
    indexes.copy_to(repository, before)
    _exclude(exclude, excluded)
    os.rename(_index(repository, versions, set_aside), repository.index)
    try:
        yield
    except BaseException:
        if repository.head != to:
            os.rename(before, repository.index)
            _put_back(exclude, rules)
        raise
    os.unlink(before)


def _excludes(repository: Repository) -> Path:
    """gitignore(5)."""
    return Path(os.fsdecode(repository.common_dir), "info", "exclude")


def _exclude(file: Path, paths: tuple[bytes, ...]) -> None:
    """Add them, each once."""
    if not paths:
        return
    file.parent.mkdir(exist_ok=True)
    before = file.read_bytes() if file.exists() else b""
    lines = [line for line in map(pattern_for, paths) if line not in before.split(b"\n")]
    gap = b"" if before.endswith(b"\n") or not before else b"\n"
    with file.open("ab") as stream:
        stream.write(gap + b"".join(line + b"\n" for line in lines))


def _put_back(file: Path, content: bytes | None) -> None:
    if content is not None:
        file.write_bytes(content)
    else:
        file.unlink(missing_ok=True)


def pattern_for(path: bytes) -> bytes:
    """The line of gitignore(5) that means this path alone; a newline has no other sign than `?`."""
    escaped = re.sub(rb"([\\*?\[])", rb"\\\1", path).replace(b"\n", b"?").replace(b"\r", b"?")
    return b"/" + re.sub(rb" \Z", rb"\\ ", escaped)


def _index(repository: Repository, versions: Versions, set_aside: tuple[bytes, ...]) -> bytes:
    """The person's index with the path as the branch now has it."""
    index = repository.own_index("unpush.index")
    indexes.copy_to(repository, index)
    indexes.put(repository, index, versions)
    indexes.restore_flags(repository, index, set_aside, ())
    return index
