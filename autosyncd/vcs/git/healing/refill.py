"""After a power cut: files that were committed, and came back empty or filled with zeros.

An editor that does not flush what it saves leaves such a file; the commit of it is on the disk, since
that is flushed. Committing the file as it is would carry the damage to every machine. There are no
bytes in it to lose, so the committed version is put back, by the same hands as an incoming one
(apply.py). One that has been emptied on purpose comes back as well: that is said.
"""

import os
import stat
from collections.abc import Iterator

from autosyncd.vcs.git import held, indexes
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import CHUNK, Hasher, Version
from autosyncd.vcs.git.healing.mark import Mark
from autosyncd.vcs.git.listings import of_index
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating.apply import apply


def refill(repository: Repository, known: Mark) -> str:
    """Put the committed versions back; a sentence about it, or nothing. `known`: the mark as it was
    found; within one boot nothing is emptied."""
    if not known.other_boot:
        return ""
    steps = list(_emptied(repository, known))
    if not steps:
        return ""
    indexes.copy_own(repository)
    done = sorted(apply(repository, steps, repository.private_index, learned={}).done)
    if not done:
        return ""
    names = ", ".join(os.fsdecode(path) for path in done[:3])
    more = f" and {len(done) - 3} more" if len(done) > 3 else ""
    return (
        f"After a power cut these files were empty, and got their last content back: {names}{more}."
    )


def _emptied(repository: Repository, known: Mark) -> Iterator[Step]:
    """Files that the index has with a content, and that have none now."""
    hasher = Hasher(repository.object_format)
    empty = hasher.of_bytes(b"")
    on_hold = held.recall(repository)
    for path, stage, last in of_index(repository.git("ls-files", "-s", "-z", timeout=LONG).records):
        plain = last.mode in (b"100644", b"100755")
        if stage != 0 or last.oid == empty or not plain or path in on_hold:
            continue
        full = os.path.join(repository.root, path)
        try:
            found = os.lstat(full)
            if not (stat.S_ISREG(found.st_mode) and known.younger(found)):
                continue
            nothing = _nothing(full)
        except OSError:
            continue
        if nothing is not None and hasher.of_bytes(nothing) != last.oid:
            now = b"100755" if found.st_mode & 0o100 else b"100644"
            yield Step(path, Version(now, hasher.of_bytes(nothing)), last)


def _nothing(path: bytes) -> bytes | None:
    """The zeros that are all there is in a file (of no more than a MiB); else None."""
    with open(path, "rb") as file:
        data = file.read(1)
        if data.strip(b"\0"):
            return None
        data += file.read(CHUNK)
    return None if data.strip(b"\0") or len(data) > CHUNK else data
