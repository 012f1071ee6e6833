"""What lives from one commit of a few paths to the next: children, what they have read, known trees."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autosyncd.vcs.git.committing.children import GitChildren
from autosyncd.vcs.git.committing.draft import Doubtful, Draft
from autosyncd.vcs.git.committing.stamps import Rules, Settings, read_settings
from autosyncd.vcs.git.committing.trees import Known, Trees
from autosyncd.vcs.git.entries import Pair
from autosyncd.vcs.git.repository import Repository


@dataclass(slots=True, kw_only=True)
class CommitCache:
    """Of one repository."""

    repository: Repository
    children: GitChildren
    settings: Settings
    rules: Rules
    known: Known
    idents: dict[str, bytes] = field(default_factory=dict)
    """Who commits, as git says it, by role."""
    _promised: list[bytes] = field(default_factory=list)
    """Trees that git was asked to write and has not answered for."""

    def end(self) -> None:
        """Let the children go."""
        self._promised = []
        self.children.end()

    def begin(self) -> None:
        """Another draft is to be made; if the last one was dropped, what is said of it is not waited
        for."""
        if self._promised:
            self.end()

    def keep_rules(self, folders: Sequence[bytes]) -> None:
        """Children that have read other rules than those which hold in these folders are let go."""
        if not self.rules.still_hold(folders):
            self.end()
            self.rules.forget()
            self.rules.still_hold(folders)

    def trees(self, root: str, paths: Sequence[bytes]) -> Trees:
        """The folders above these paths, of one tree. Raises Doubtful."""
        return Trees(root.encode(), paths, self.known, self.children.contents)

    def draft(
        self,
        root: str,
        trees: Trees,
        entries: dict[bytes, Pair],
        *,
        seen: Mapping[bytes, os.stat_result],
        new_size: int,
    ) -> Draft:
        """The commit on the tree `root` that these entries make; git is asked to write its trees."""
        changed = {path: pair[1] for path, pair in entries.items()}
        made = trees.changed(changed) if changed else {}
        written = dict(made.values())
        self.children.write_trees(list(written.values()))
        self._promised = list(written)
        oids = [one.oid for one in changed.values() if one is not None]
        return Draft(
            before=root,
            after=made[b""][0].decode() if made else root,
            entries=entries,
            seen={path: found for path, found in seen.items() if changed.get(path) is not None},
            folders={folder: (trees.before.get(folder), new) for folder, (new, _) in made.items()},
            new_size=new_size,
            objects=(*oids, *written),
        )

    def confirm(self) -> None:
        """The trees of the draft are written, and are what they were computed to be. Raises Doubtful;
        until it was called, nothing may rely on them."""
        promised, self._promised = self._promised, []
        if self.children.written_trees() != promised:
            raise Doubtful("A tree came out otherwise than expected.")


def cache_of(repository: Repository) -> CommitCache:
    """What is kept of the last commit, or begun anew."""
    cache = repository.quick
    if not isinstance(cache, CommitCache) or not cache.settings.still_hold:
        if cache is not None:
            cache.end()
        cache = CommitCache(
            repository=repository,
            children=GitChildren(repository.git),
            settings=read_settings(repository),
            rules=Rules(repository.root),
            known=Known(repository.object_format),
        )
        repository.quick = cache
    return cache
