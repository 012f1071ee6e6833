"""A file that is written to, or cut shorter, while git reads it: a copy that stands still is taken.

git dies (SIGBUS, mmap(2)) of a file that is cut shorter while it is mapped, and where the disk doesn't
give a page back. Reading with read(2) tells the two apart, and needs no page that may go: so a program
that rewrites its file all the time keeps nothing from history. What it writes afterwards is a change
like any other.
"""

import contextlib
import os
import stat
import tempfile

from autosyncd.vcs.git import held, indexes
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import CHUNK, Version
from autosyncd.vcs.git.repository import Repository

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def take(repository: Repository, index: bytes, path: bytes) -> bool:
    """Bring a file into an index as a copy of it is; False where it can't be read either. The entry
    has no times, so git looks at it again."""
    with tempfile.TemporaryDirectory(dir=os.fsdecode(repository.state)) as folder:
        copy = os.path.join(os.fsencode(folder), b"copy")
        mode = None
        with contextlib.suppress(OSError):
            mode = _copied(os.path.join(repository.root, path), copy)
        if mode is None or held.behind_link(repository, path):
            return False
        located = b"--path=" + path  # its filters hold
        said = repository.git(
            "hash-object", "-w", located, "--", copy, index=index, ok=(0, 128), timeout=LONG
        )
    if said.code:
        return False
    if not repository.file_modes:
        known = indexes.entries(repository, index, [path]).get(path)
        mode = known.mode if known is not None and known.mode.startswith(b"100") else b"100644"
    return not indexes.put(repository, index, {path: Version(mode, said.text.encode())})


def _copied(source: bytes, target: bytes) -> bytes | None:
    """The mode of a regular file that was copied. Raises OSError where that fails."""
    with open(os.open(source, _FLAGS), "rb") as there:
        found = os.fstat(there.fileno())
        if not stat.S_ISREG(found.st_mode):
            return None
        left = found.st_size  # of one that grows as fast as it is read, there would be no end
        with open(target, "xb") as here:
            while left and (data := there.read(min(CHUNK, left))):
                left -= here.write(data)
    return b"100755" if found.st_mode & stat.S_IXUSR else b"100644"
