"""Saves that overwrite what has just come in are set aside, to be merged (stale.py decides).

A save that was made from the version before an incoming edit becomes a commit on that version, kept
by a ref until it is merged, and its file is on record as held: nobody takes what lies on disk for an
edit of what came in, and the next Sync merges it and brings the file along.
"""

import os
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autosyncd import clock
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git import durable, held, ownrefs
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import (
    Hasher,
    Version,
)
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.merging.merge import merge
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.setaside import SetAside
from autosyncd.vcs.git.updating import arrivals
from autosyncd.vcs.git.updating.stale import (
    Arrival,
    Ledger,
    MergedSave,
    bases,
    hunks,
    is_fresh,
    remember,
    undoes,
)

LARGEST = 8 << 20
"""Bytes of a file beyond which nobody types in it."""
AS_MERGE_COMPARES = ("-U0", "--inter-hunk-context=0", "--histogram", "--no-indent-heuristic")
"""Options of git-diff(1) with which it finds the hunks that git's merge goes by."""
OLDER = "edit of the version before an incoming change"
"""What its commit is called."""
TOLD = (
    "was saved over a change that had just come in, so both are merged; to undo it, save it again"
)


def set_aside(
    repository: Repository, scope: Scope, author: Author, name: str
) -> tuple[SetAside, ...]:
    """Find what was saved over an incoming edit, commit it on the version it was made from, and put
    it on record. To be called before what changed in `scope` is taken."""
    ledger = arrivals.read(repository)
    head = repository.head if ledger.arrivals else None
    if head is None:
        return ()
    now, waiting = clock.wall(), held.recall(repository)
    newest = {one.path: one for one in ledger.arrivals if is_fresh(one.when, now)}
    found = []
    for path in _within(scope, newest):
        if path in waiting:
            continue  # it is known which version that was made from
        data = _read_file(repository, path)
        if data is None or _id_of(repository, data) == newest[path].new:
            continue
        made = _Save(repository, path, data, head).set_aside(ledger, now, author, name)
        if made is not None:
            found.append(made)
    if found:
        durable.settle(repository)
        for one in found:
            ownrefs.keep_side(repository, one.commit)
            waiting[one.path] = one.commit
        held.record(repository, waiting)
        asides = [MergedSave(one.path, now) for one in found]
        arrivals.write(repository, remember(ledger, asides, now))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Save:
    """Bytes that somebody has saved at a path, and the commit that they would go on."""

    repository: Repository
    path: bytes
    data: bytes
    head: str

    def set_aside(self, ledger: Ledger, now: float, author: Author, name: str) -> SetAside | None:
        """It as a commit of its own, if it undoes what came in."""
        current = held.version_in(self.repository, self.head, self.path)
        saved = self._hash()
        if current is None or saved is None:
            return None
        known = bases(ledger, self.path, current=current.oid, saved=saved.encode(), now=now)
        if not known or self._is_persons_own(current, saved):
            return None
        self._hash("-w")
        for base in known:
            if self.repository.git("cat-file", "-e", base.old, ok=(0, 1, 128)).code:
                continue  # the person has squashed history, and had git throw away what was
            incoming = hunks(self._diff(base.old, current.oid))
            if undoes(incoming, hunks(self._diff(base.old, saved.encode()))):
                return self._commit(base, saved, current, author=author, name=name)
        return None

    def _is_persons_own(self, current: Version, saved: str) -> bool:
        """Whether git's user has a hand in it: staged, put aside, or an older version again."""
        git = self.repository.git
        look = ("ls-files", "-v", "-s", "-z", "--", self.path)
        entry = b"H %s %s 0\t%s" % (current.mode, current.oid, self.path)
        if git("--literal-pathspecs", *look).records != [entry]:
            return True
        if git.lookup(saved) is None:
            return False
        # the bytes are known: perhaps from this file's own past
        past = ("log", "--format=", "--raw", "--no-abbrev", "-m", "-z", "--no-renames", self.head)
        said = git("--literal-pathspecs", *past, "--", self.path, timeout=LONG)
        return b" " + saved.encode() + b" " in said.out

    def _commit(
        self, base: Arrival, saved: str, current: Version, *, author: Author, name: str
    ) -> SetAside | None:
        """The commit, unless the merge would not bring both together."""
        repository = self.repository
        before = held.version_in(repository, base.commit, self.path)
        if before is None or before.oid != base.old:
            return None
        if not repository.contains(self.head, base.commit):
            return None
        mine = Version(before.mode, saved.encode())
        tree = tree_with(repository, repository.tree_of(base.commit), {self.path: mine})
        subject = f"{name}: {OLDER}"
        commit = make_commit(repository, tree, [base.commit], message=subject, author=author)
        merged = merge(repository, self.head, commit)
        both = held.version_in(repository, merged.tree, self.path)
        if merged.conflicts or both is None or both.oid in (mine.oid, current.oid):
            return None
        return SetAside(path=self.path, commit=commit, kind="stale", told=TOLD)

    def _hash(self, *options: str) -> str | None:
        """The blob that git makes of the bytes; None when a filter fails."""
        git, path = self.repository.git, b"--path=" + self.path
        said = git("hash-object", *options, "--stdin", path, stdin=self.data, ok=(0, 128))
        return said.text if said.code == 0 else None

    def _diff(self, old: bytes, new: bytes) -> bytes:
        """What differs between two blobs, line by line, whatever the person's settings."""
        plain = ("--no-ext-diff", "--no-textconv", "--no-color")
        return self.repository.git("diff", *plain, *AS_MERGE_COMPARES, old, new, "--").out


def _within(scope: Scope, paths: Iterable[bytes]) -> list[bytes]:
    """Those in a scope; a folder stands for all below it."""
    if scope.everything:
        return sorted(paths)
    return sorted(path for path in paths if any(one in scope.paths for one in _above(path)))


def _above(path: bytes) -> Sequence[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:end]) for end in range(len(parts) + 1)]


def _read_file(repository: Repository, path: bytes) -> bytes | None:
    """The bytes of a plain file that isn't too large; None for anything else."""
    folders = OpenFolders(repository.root)
    try:
        place = folders.place(path)

        def opener(name: str, flags: int) -> int:
            return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place.folder)

        # a descriptor handed to open() would stay open if it turns out to be that of a folder
        with open(os.fsdecode(place.name), "rb", opener=opener) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                return None
            return file.read()
    except OSError:
        return None
    finally:
        folders.close()


def _id_of(repository: Repository, data: bytes) -> bytes:
    return Hasher(repository.object_format).of_bytes(data)
