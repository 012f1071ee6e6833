"""The quick way to a commit of a few known paths: no index is read, no process is started.

What the last commit has of each path is looked up in its trees, what lies on disk is hashed by git, and
new trees are written for the folders above; all of it by children that go on living (children.py). It
is taken only where the outcome is certain to be that of the general way (scan.py): whatever is unusual
raises Doubtful, and the general way is taken instead.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git import excludes, filters, held
from autosyncd.vcs.git.committing.cache import CommitCache, cache_of
from autosyncd.vcs.git.committing.draft import Doubtful, Draft
from autosyncd.vcs.git.committing.look import Look, files_below, is_folder
from autosyncd.vcs.git.committing.trees import FOLDER, GITLINK, Trees, parents
from autosyncd.vcs.git.disk import Hasher, Version
from autosyncd.vcs.git.repository import Repository

MOST = 200
"""Paths of one quick commit."""
ATTRIBUTES = b".gitattributes"
_UNUSUAL = re.compile(
    # names that git may forbid (git's path.c), files of rules, and what takes quoting twice
    rb"^(\.git|git~[0-9])([ .:\\].*)?$|^\.?gitmod.*$|^gi[0-9a-f]{4}~[0-9].*$"
    rb"|^\.gitattributes$|^\.gitignore$|[\\\n\r]|^\.{0,2}$",
    re.I | re.S,
)


def draft(repository: Repository, tree: str, scope: Scope, config: RepoConfig) -> Draft:
    """The quick draft of a commit on this tree. Raises Doubtful where there can't be one."""
    if not repository.file_modes:
        raise Doubtful("The file system knows no modes.")
    _check_names(scope.paths)
    cache = cache_of(repository)
    if not cache.settings.are_plain:
        raise Doubtful("The configuration is not plain.")
    cache.begin()
    return _Quick(cache, config).draft(tree, sorted(scope.paths))


def _check_names(paths: Iterable[bytes]) -> None:
    if any(_UNUSUAL.search(part) for part in {part for path in paths for part in path.split(b"/")}):
        raise Doubtful("A name is unusual.")


@dataclass(frozen=True, slots=True)
class _Quick:
    """The draft of one commit."""

    cache: CommitCache
    config: RepoConfig

    def draft(self, tree: str, named: Sequence[bytes]) -> Draft:
        """What a commit of these paths on this tree would be. Raises Doubtful."""
        cache, repository = self.cache, self.cache.repository
        trees = cache.trees(tree, named)
        paths = self._files(trees, named)
        if paths != named:
            _check_names(paths)
            trees = cache.trees(tree, paths)
        self._check_known(paths)
        look = Look(repository.root, paths)
        cache.keep_rules(look.folders)
        before = {path: trees.entry(path) for path in paths}
        if any(one is not None and one.mode in (FOLDER, GITLINK) for one in before.values()):
            raise Doubtful("It is a folder or a submodule in the last commit.")
        self._check_attributes(look.folders, trees)
        new = [path for path in look.found if before[path] is None]
        self._check_new(new, look)
        ignored = {path for path, out in zip(new, cache.children.ignored(new), strict=True) if out}
        wanted = [path for path in paths if path in look.found and path not in ignored]
        now: dict[bytes, Version | None] = dict(self._hashed(wanted, look, before))
        now |= dict.fromkeys(path for path in look.gone if before[path] is not None)
        entries = {path: (before[path], one) for path, one in now.items() if one != before[path]}
        new_size = sum(look.found[path].st_size for path in new if path in entries)
        return cache.draft(tree, trees, entries, seen=look.found, new_size=new_size)

    def _files(self, trees: Trees, named: Sequence[bytes]) -> list[bytes]:
        """The files that are meant: of a folder all that is in it, on disk or in the last commit."""
        cache, root = self.cache, self.cache.repository.root
        found: set[bytes] = set()
        for path in named:
            known = trees.entry(path)
            on_disk = is_folder(root, path)
            if known is not None and known.mode == FOLDER:
                contents = cache.children.contents
                found |= cache.known.below(path, known.oid, contents, MOST).keys()
            if on_disk:
                found.update(files_below(root, path, MOST))
            elif known is None or known.mode != FOLDER:
                found.add(path)
            if len(found) > MOST:
                raise Doubtful("These are many files.")
        return sorted(found)

    def _check_known(self, paths: Sequence[bytes]) -> None:
        repository = self.cache.repository
        inventory = repository.inventory
        if inventory is None or not inventory.set_aside.isdisjoint(paths):
            raise Doubtful("The index is not known, or a file was set aside in it.")
        if not held.recall(repository).keys().isdisjoint(paths):
            raise Doubtful("A file is held.")

    def _check_attributes(self, folders: Sequence[bytes], trees: Trees) -> None:
        """git takes attributes from the index where their file is gone; the children don't."""
        for folder in folders:
            path = folder + b"/" + ATTRIBUTES if folder else ATTRIBUTES
            if not self.cache.rules.exist(folder, ATTRIBUTES) and trees.entry(path) is not None:
                raise Doubtful("A file of attributes is gone.")

    def _check_new(self, new: Sequence[bytes], look: Look) -> None:
        for path in new:
            if excludes.looks_secret(path):
                raise Doubtful("A new file may be a secret.")
            if self.config.large_file and look.found[path].st_size > self.config.large_file:
                raise Doubtful("A new file is large.")

    def _hashed(
        self, paths: Sequence[bytes], look: Look, before: Mapping[bytes, Version | None]
    ) -> dict[bytes, Version]:
        """The versions on disk."""
        files = [path for path in paths if not look.is_link(path)]
        links = [path for path in paths if look.is_link(path)]
        children = self.cache.children
        oids = [*children.blobs(files), *children.raw_blobs([look.link_text(one) for one in links])]
        look.check()
        versions = {
            path: look.version(path, oid) for path, oid in zip(files + links, oids, strict=True)
        }
        changed = [path for path in files if versions[path] != before[path]]
        if not self._are_stable(changed):
            raise Doubtful("A filter makes other bytes of the same file each time.")
        for path in files:
            if before[path] is not None and self._may_keep_line_ends(path, versions[path]):
                raise Doubtful("Whether line ends are converted depends on the index.")
        return versions

    def _are_stable(self, paths: Sequence[bytes]) -> bool:
        """Whether no filter says something else each time; asked until each that there is was tried."""
        repository, names = self.cache.repository, self.cache.settings.filters
        known = repository.stable_filters
        if all(known.get(name) for name in names):
            return True
        return not filters.unstable(repository, filter(self._is_ruled, paths))

    def _is_ruled(self, path: bytes) -> bool:
        """Whether a file of attributes may say something of it."""
        rules, settings = self.cache.rules, self.cache.settings
        return settings.may_convert or any(
            rules.exist(folder, ATTRIBUTES) for folder in parents(path)
        )

    def _may_keep_line_ends(self, path: bytes, version: Version) -> bool:
        """git converts no line ends of a file under text=auto whose version in the index has CRLF
        (gitattributes(5), "text"); a child knows no index. So what holds CRLF and was converted
        somehow is left to the general way."""
        repository = self.cache.repository
        if not self._is_ruled(path):
            return False
        with open(repository.root + b"/" + path, "rb") as file:
            data = file.read()
        raw = Hasher(repository.object_format).of_bytes(data)
        return b"\r\n" in data and raw != version.oid
