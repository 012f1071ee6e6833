"""The quick way to a commit of a few known paths: no index is read, no process is started.

What the last commit has of each path is looked up in its trees, what lies on disk is hashed by git, and
new trees are written for the folders above; all of it by children that go on living (children.py). It
is taken only where the outcome is certain to be that of the general way (scan.py): whatever is unusual
raises Doubtful, and the general way is taken instead.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import Change, ChangeKind, Scope
from autosyncd.vcs.git import excludes
from autosyncd.vcs.git.committing.children import Children
from autosyncd.vcs.git.committing.look import Look
from autosyncd.vcs.git.committing.stamps import Rules, Settings, read_settings
from autosyncd.vcs.git.committing.trees import FOLDER, Doubtful, Known, Trees, listing, parents
from autosyncd.vcs.git.disk import Hasher, Version
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import held

MOST = 200
"""Paths of one quick commit."""
ATTRIBUTES = b".gitattributes"
_UNUSUAL = re.compile(
    # names that git may forbid (git's path.c), files of rules, and what takes quoting twice
    rb"^(\.git|git~[0-9])([ .:\\].*)?$|^\.?gitmod.*$|^gi[0-9a-f]{4}~[0-9].*$"
    rb"|^\.gitattributes$|^\.gitignore$|[\\\n\r]|^\.{0,2}$",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A commit that could be made."""

    before: str
    after: str
    """Trees."""
    entries: dict[bytes, tuple[Version | None, Version | None]]
    """Path → what the last commit has of it, and what it is now."""
    seen: dict[bytes, os.stat_result]
    """lstat(2) of the files as they were hashed."""
    new_size: int
    """Bytes of the new files."""
    objects: tuple[bytes, ...]
    """Ids of all that the commit needs and its parent had not."""

    @property
    def changes(self) -> tuple[Change, ...]:
        """File by file, in git's order; renames are not looked for."""
        return tuple(Change(_kind(*self.entries[path]), path) for path in sorted(self.entries))

    @property
    def may_hold_renames(self) -> bool:
        """Whether something came and something went."""
        kinds = {change.kind for change in self.changes}
        return {ChangeKind.ADDED, ChangeKind.DELETED} <= kinds

    @property
    def growth(self) -> int:
        """How many files more there are afterwards."""
        return sum((new is not None) - (old is not None) for old, new in self.entries.values())


def _kind(old: Version | None, new: Version | None) -> ChangeKind:
    if old is None:
        return ChangeKind.ADDED
    return ChangeKind.DELETED if new is None else ChangeKind.MODIFIED


@dataclass(slots=True)
class Quick:
    """What lives from one quick commit to the next."""

    repository: Repository
    children: Children
    settings: Settings
    rules: Rules
    known: Known
    idents: dict[str, bytes] = field(default_factory=dict)
    """Who commits, as git says it, by role."""
    _promised: list[bytes] = field(default_factory=list)
    """Trees that git was asked to write and has not answered for."""

    def end(self) -> None:
        """Let the children go."""
        self.children.end()

    def draft(self, tree: str, scope: Scope, config: RepoConfig) -> Draft:
        """What a commit of these paths on this tree would be. Raises Doubtful."""
        if self._promised:
            self.children.end()  # the last draft was dropped: what is said of it is not waited for
            self._promised = []
        paths = sorted(scope.paths)
        look = Look(self.repository.root, paths)
        self._keep_rules(look.folders)
        trees = Trees(tree.encode(), paths, self.known, self.children.contents)
        before = {path: trees.entry(path) for path in paths}
        if any(one is not None and one.mode in (FOLDER, b"160000") for one in before.values()):
            raise Doubtful("It is a folder or a submodule in the last commit.")
        self._check_attributes(look.folders, trees)
        new = [path for path in look.found if before[path] is None]
        self._check_new(new, look, config)
        ignored = {path for path, out in zip(new, self.children.ignored(new), strict=True) if out}
        wanted = [path for path in paths if path in look.found and path not in ignored]
        now: dict[bytes, Version | None] = dict(self._hashed(wanted, look, before))
        now |= dict.fromkeys(path for path in look.gone if before[path] is not None)
        changed = {path: one for path, one in now.items() if one != before[path]}
        made = trees.changed(changed) if changed else {}
        self.children.write_trees([listing(entries) for entries in made.values()])
        self._promised = list(made)
        return Draft(
            tree,
            self._promised[-1].decode() if made else tree,
            {path: (before[path], one) for path, one in changed.items()},
            {path: look.found[path] for path, one in changed.items() if one is not None},
            sum(look.found[path].st_size for path in new if path in changed),
            (*(one.oid for one in changed.values() if one is not None), *made),
        )

    def confirm(self) -> None:
        """The trees of the draft are written, and are what they were computed to be. Raises Doubtful;
        until it was called, nothing may rely on them."""
        promised, self._promised = self._promised, []
        if self.children.written_trees(len(promised)) != promised:
            raise Doubtful("A tree came out otherwise than expected.")

    def _keep_rules(self, folders: Sequence[bytes]) -> None:
        if not self.rules.still_hold(folders):
            self.children.end()
            self.rules.forget()
            self.rules.still_hold(folders)

    def _check_attributes(self, folders: Sequence[bytes], trees: Trees) -> None:
        """git takes attributes from the index where their file is gone; the children don't."""
        for folder in folders:
            path = folder + b"/" + ATTRIBUTES if folder else ATTRIBUTES
            if trees.entry(path) is not None and not self.rules.exist(folder, ATTRIBUTES):
                raise Doubtful("A file of attributes is gone.")

    def _check_new(self, new: Sequence[bytes], look: Look, config: RepoConfig) -> None:
        for path in new:
            if excludes.looks_secret(path):
                raise Doubtful("A new file may be a secret.")
            if config.large_file and look.found[path].st_size > config.large_file:
                raise Doubtful("A new file is large.")

    def _hashed(
        self, paths: Sequence[bytes], look: Look, before: Mapping[bytes, Version | None]
    ) -> dict[bytes, Version]:
        """The versions on disk."""
        files = [path for path in paths if not look.is_link(path)]
        links = [path for path in paths if look.is_link(path)]
        texts = [look.link_text(path) for path in links]
        oids = [*self.children.blobs(files), *self.children.raw_blobs(texts)]
        look.check()
        versions = {
            path: look.version(path, oid) for path, oid in zip(files + links, oids, strict=True)
        }
        for path in files:
            if before[path] is not None and self._may_keep_line_ends(path, versions[path]):
                raise Doubtful("Whether line ends are converted depends on the index.")
        return versions

    def _may_keep_line_ends(self, path: bytes, version: Version) -> bool:
        """git converts no line ends of a file under text=auto whose version in the index has CRLF
        (gitattributes(5), "text"); a child knows no index. So what holds CRLF and was converted
        somehow is left to the general way."""
        ruled = any(self.rules.exist(folder, ATTRIBUTES) for folder in parents(path))
        if not ruled and not self.settings.may_convert:
            return False
        with open(os.path.join(self.repository.root, path), "rb") as file:
            data = file.read()
        raw = Hasher(self.repository.object_format).of_bytes(data)
        return b"\r\n" in data and raw != version.oid


def draft(repository: Repository, tree: str, scope: Scope, config: RepoConfig) -> Draft:
    """The quick draft of a commit on this tree. Raises Doubtful where there can't be one."""
    if not repository.file_modes:
        raise Doubtful("The file system knows no modes.")
    if any(_UNUSUAL.search(part) for path in scope.paths for part in path.split(b"/")):
        raise Doubtful("A name is unusual.")
    inventory = repository.inventory
    if inventory is None or not inventory.set_aside.isdisjoint(scope.paths):
        raise Doubtful("The index is not known, or a file was set aside in it.")
    if not scope.paths.isdisjoint(held.recall(repository)):
        raise Doubtful("A file is held.")
    return ready(repository).draft(tree, scope, config)


def ready(repository: Repository) -> Quick:
    """What is kept of the last quick commit, or begun anew. Raises Doubtful where the settings ask
    for what is not known here."""
    kept = repository.quick
    if not isinstance(kept, Quick) or not kept.settings.still_hold:
        if kept is not None:
            kept.end()
        kept = Quick(
            repository,
            Children(repository.git),
            read_settings(repository),
            Rules(repository.root),
            Known(repository.object_format),
        )
        repository.quick = kept
    if not kept.settings.are_plain:
        raise Doubtful("The configuration is not plain.")
    return kept
