"""Objects after a power cut: torn ones put aside (git takes an empty object for one that is there, and
never writes it anew), lost ones made again from the work tree or fetched again."""

import contextlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.healing import torn
from autosyncd.vcs.git.healing.aside import Aside
from autosyncd.vcs.git.healing.mark import Mark
from autosyncd.vcs.git.repository import Repository

_ID = re.compile(r"\b[0-9a-f]{40}(?:[0-9a-f]{24})?\b")


@dataclass(slots=True)
class Objects:
    """One look at them."""

    repository: Repository
    aside: Aside
    known: Mark
    lost: set[str] = field(default_factory=set)
    """Ids of objects that are not there, and should be."""

    def look(self) -> None:
        """Put aside what is torn: loose objects, packs, and what is derived from them."""
        for oid, entry in torn.loose_objects(self.repository.common_dir):
            found = entry.stat()
            if found.st_size <= torn.SMALL or self.known.younger(found):
                sound = torn.read_object(entry.path, oid) is not None
            else:
                sound = not torn.looks_torn(entry.path)
            if not sound:
                self.aside.take(entry.path)
                self.lost.add(oid)
        for folder in (b"/objects/pack", b"/objects/info", b"/objects/info/commit-graphs"):
            self._look_at_sealed(self.repository.common_dir + folder)

    def _look_at_sealed(self, folder: bytes) -> None:
        if not os.path.isdir(folder):
            return
        torn_ones = [entry.path for entry in os.scandir(folder) if self._is_torn_pack(entry)]
        for path in torn_ones:
            self.aside.take(path)
            if path.endswith(b".pack"):  # what is in it is found missing
                self.aside.take(path[:-5] + b".idx")
            elif path.endswith(b".idx") and os.path.exists(path[:-4] + b".pack"):
                self.repository.git("index-pack", path[:-4] + b".pack", ok=(0, 128), timeout=LONG)

    def _is_torn_pack(self, entry: os.DirEntry[bytes]) -> bool:
        sealed = entry.name.endswith(tuple(torn.SEALS)) and self.known.younger(entry.stat())
        return sealed and not torn.is_sealed(entry.path, self.repository.object_format)

    def whole(self, oid: str) -> bool:
        """Whether an object is there; with bury(), also all that it names."""
        return oid not in self.lost and self.repository.git.lookup(oid) is not None

    def count_missing(self, tips: Iterable[str]) -> None:
        """See what of these commits' history since the mark is not there."""
        git = self.repository.git
        self.lost = {oid for oid in self.lost if git.lookup(oid) is None}
        wanted = set(tips)
        self.lost |= {tip for tip in wanted if git.lookup(tip) is None}
        there = sorted(wanted - self.lost)
        if not there or git.config("extensions.partialClone"):
            return
        tip = self.known.tip
        known = ("--not", tip) if tip and git.lookup(tip) else ()
        walk = ("rev-list", "--objects", "--quiet", "--missing=print", *there, *known, "--")
        said = git(*walk, ok=(0, 128), timeout=LONG)
        self.lost |= {line[1:] for line in said.text.split("\n") if line.startswith("?")}
        if said.code:
            self.lost |= {oid for oid in _ID.findall(said.complaint) if git.lookup(oid) is None}

    def make_from_tree(self, index: bytes) -> None:
        """Blobs from the files of the work tree, trees from an index."""
        git = self.repository.git
        records = git("ls-files", "-s", "-z", index=index, ok=(0, 128), timeout=LONG).records
        at_head = git("ls-tree", "-r", "-z", "HEAD", ok=(0, 1, 128), timeout=LONG).records
        files: set[bytes] = set()
        links: set[bytes] = set()
        for record in records + at_head:
            info, _, path = record.partition(b"\t")
            words = info.decode().split()
            if self.lost.intersection(words):
                (links if words[0] == "120000" else files).add(path)
        for path in files | links:
            self._make_blob(path, link=path in links)
        self._make_trees([record for record in records if record.split(b"\t")[0].endswith(b" 0")])

    def _make_trees(self, records: list[bytes]) -> None:
        """In an index that does not remember which trees it has written: git would believe it."""
        git, index = self.repository.git, self.repository.own_index("tree.index")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(index)
        stdin = b"".join(record + b"\0" for record in records)
        git("update-index", "-z", "--index-info", stdin=stdin, index=index, timeout=LONG)
        git("write-tree", "--missing-ok", index=index, ok=(0, 128), timeout=LONG)

    def _make_blob(self, path: bytes, *, link: bool) -> None:
        """A blob that turns out to be another one is garbage, and the file's next commit wants it."""
        full = os.path.join(self.repository.root, path)
        git = self.repository.git
        if link and os.path.islink(full):
            git("hash-object", "-w", "--stdin", stdin=os.readlink(full), ok=(0, 128))
        elif not link and os.path.isfile(full) and not os.path.islink(full):
            git("hash-object", "-w", "--", path, ok=(0, 128), timeout=LONG)

    def fetch_again(self, remote: str) -> bool:
        """All the remote has, though we seem to have it (git-fetch(1), --refetch); whether it came."""
        fetch = ("fetch", "--refetch", "--quiet", "--no-write-fetch-head", remote)
        return self.repository.git.network(*fetch).code == 0

    def bury(self) -> None:
        """What names a lost object is of no use either: put aside, as if it had been lost too."""
        width = 32 if self.repository.object_format == "sha256" else 20
        names, paths = {}, {}
        for oid, entry in torn.loose_objects(self.repository.common_dir):
            loose = torn.read_object(entry.path, oid)
            if loose is not None and not loose.startswith(b"blob"):
                names[oid], paths[oid] = torn.names_of(loose, width), entry.path
        while more := {oid for oid, named in names.items() if named & self.lost}:
            for oid in more:
                self.aside.take(paths[oid])
                del names[oid]
            self.lost |= more
