"""A merge path by path, without renames: where those make git fail (bygit.py).

The three trees are held against each other path by path; what both have changed is merged as text if
that goes cleanly, and is a conflict of two whole versions otherwise.
"""

import os
import tempfile

from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.listings import Stages, stages_of
from autosyncd.vcs.git.merging.apart import RULES, Apart
from autosyncd.vcs.git.repository import Repository


def merge_by_path(
    repository: Repository, apart: Apart, base: str, tips: tuple[str, str]
) -> tuple[str, Stages]:
    """The tree of what is decided, and the stages of what is not. `base`: a commit or tree."""
    index = repository.own_index("path.index")
    if os.path.exists(index):
        os.unlink(index)
    trees = (base, *tips)
    repository.git("read-tree", "-i", "-m", "--aggressive", *trees, index=index, timeout=LONG)
    stages = stages_of(repository.git("ls-files", "-u", "-z", index=index, timeout=LONG).records)
    decided = {path: _as_text(repository, apart, path, entries) for path, entries in stages.items()}
    indexes.put(repository, index, dict.fromkeys(stages))
    indexes.put(repository, index, {path: one for path, one in decided.items() if one})
    left = {path: entries for path, entries in stages.items() if decided[path] is None}
    return indexes.write_tree(repository, index), left


def _as_text(
    repository: Repository, apart: Apart, path: bytes, entries: dict[int, Version]
) -> Version | None:
    """Both sides' edits of one text, if they go together (git-merge-file(1)); those of rules do."""
    rules = path.rpartition(b"/")[2] in RULES
    needed = {2, 3} if rules else {1, 2, 3}
    if not needed <= set(entries) or any(one.mode[:3] != b"100" for one in entries.values()):
        return None
    how = ("--union",) if rules else ()
    with tempfile.TemporaryDirectory(dir=os.fsdecode(repository.state)) as folder:
        names = []
        for stage in (2, 1, 3):
            name = os.path.join(folder, str(stage))
            with open(name, "wb") as file:
                if stage in entries:
                    file.write(repository.git("cat-file", "blob", entries[stage].oid).out)
            names.append(name)
        merged = apart("merge-file", "-p", "-q", *how, *names, ok=tuple(range(256)))
    if merged.code != 0:
        return None
    oid = repository.git("hash-object", "-w", "--stdin", stdin=merged.out).text
    return Version(max(entries[2].mode, entries[3].mode), oid.encode())
