"""One git work tree: where its parts are, and what is known of it.

What belongs to this tree alone lies in `<git dir>/autosync/`: its id, the adopted branch, root
commits, the ledger of running children, our private index. A linked worktree has a git dir, and so a
state folder, of its own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

from autosyncd.model import TreeId
from autosyncd.vcs.git.command import EMPTY_TREE, EMPTY_TREE_SHA256, Git
from autosyncd.vcs.git.memory import TreeMemory, remember

Signature = tuple[int, int, int, int]
"""Tells whether an index was written since: inode, size, times of content and name."""

OwnIndex = Literal[
    "index",
    "tree.index",
    "path.index",
    "excerpt.index",
    "reread.index",
    "snapshot.index",
    "early.index",
    "unpush.index",
    "unpush.before",
    "rewrite.index",
]
OWN_INDEXES: tuple[OwnIndex, ...] = get_args(OwnIndex)
"""Our indexes in the state folder: the first becomes the person's, the others serve for a moment."""


class Ending(Protocol):
    """What has to be let go of."""

    def end(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an index holds, as far as it can't be told from its tree."""

    signature: Signature | None
    tracked: int
    """Files."""
    set_aside: frozenset[bytes]
    """Those that are marked assume-unchanged or skip-worktree, those that are there by intent alone
    (`git add -N`), and those in conflict."""


@dataclass(frozen=True, slots=True)
class Steady:
    """An index that was written here."""

    signature: Signature
    youngest: int
    """The youngest second of a file (mtime) that was written into it since git wrote it: as long as the
    index is as old as that, or older, git reads the file (racy-git.txt)."""


@dataclass(slots=True)
class Repository:
    """An opened work tree."""

    git: Git
    root: bytes
    git_dir: bytes
    common_dir: bytes
    state: bytes
    memory: TreeMemory
    object_format: str = "sha1"
    """`sha1` or `sha256`."""
    file_modes: bool = True
    """Whether the file system knows what is executable (git-config(1), core.fileMode)."""
    clean: tuple[Signature | None, str] | None = None
    """A signature of the person's index, and the tree that the index with it stands for."""
    ready: Signature | None = None
    """The signature of the index that is about to become the person's."""
    steady: Steady | None = None
    """The person's index, if a quick commit wrote it last (indexes.bring_along)."""
    inventory: Inventory | None = None
    """What else is known of the index that `clean` is about."""
    quick: "Ending | None" = None
    """What a quick commit keeps from one to the next (committing/cache.py), children among it."""
    durable: str | None = None
    """A commit that is on the disk with all its history (durable.py)."""
    unfetched: int = 0
    """Syncs in a row that did not fetch."""
    owed_due: float = 0.0
    """When what further addresses did not take is pushed there again."""
    settings: Mapping[bytes, object] = field(default_factory=dict)
    """The files that the person's settings were read from, and their stamps then (verbs/settings.py)."""
    stable_filters: dict[bytes, bool] = field(default_factory=dict)
    """Whether a filter makes the same of the same bytes each time (filters.py), by its name."""
    chosen: tuple[object, str | None, str] | None = None
    """The remote that was chosen and the place that it leads to, as long as the configuration is the one
    with this stamp."""
    _trees: dict[str, str] = field(default_factory=dict)
    _contained: dict[tuple[str, str], bool] = field(default_factory=dict)
    _packed: tuple[int, int, int] | None = None
    """What packed-refs was like when it was last read."""

    @property
    def sparse(self) -> bool:
        """Whether the checkout is sparse now (git-sparse-checkout(1)); git is asked only where it
        ever was."""
        patterns = os.path.exists(self.git_dir + b"/info/sparse-checkout")
        return patterns and self.git.config("core.sparseCheckout") == "true"

    @property
    def index(self) -> bytes:
        """The person's own index."""
        return self.git_dir + b"/index"

    @property
    def private_index(self) -> bytes:
        """Our index: begins as a copy of the person's, and replaces it when a commit is made."""
        return self.own_index("index")

    def own_index(self, name: OwnIndex) -> bytes:
        """Where an index of ours lies."""
        return self.state + b"/" + name.encode()

    @property
    def empty_tree(self) -> str:
        """The id of the tree without entries, in this repository's hash."""
        return EMPTY_TREE_SHA256 if self.object_format == "sha256" else EMPTY_TREE

    def remember(self) -> None:
        """Write the memory down, whole or not at all."""
        remember(self.state, self.memory)

    def tree_of(self, commit: str | None) -> str:
        """The tree of a commit; of none, the empty tree."""
        if not commit:
            return self.empty_tree
        known = self._trees.get(commit) or self.git.lookup(f"{commit}^{{tree}}")
        if known is None:
            return self.git("rev-parse", f"{commit}^{{tree}}").text
        self._trees[commit] = known
        return known

    def commit_at(self, ref: str) -> str | None:
        """The commit a ref points to, or None."""
        packed = self._packed_refs()
        if packed != self._packed:
            # git knows a packed-refs again by its size and whole seconds: a child that has read one
            # takes the next of the same second for it
            self._packed = packed
            self.git.rest()
        return self.git.lookup(f"{ref}^{{commit}}")

    def _packed_refs(self) -> tuple[int, int, int] | None:
        try:
            found = os.stat(self.common_dir + b"/packed-refs")
        except FileNotFoundError:
            return None
        return (found.st_ino, found.st_size, found.st_mtime_ns)

    def contains(self, tip: str, commit: str) -> bool:
        """Whether `commit` is in the history of `tip`."""
        if tip == commit:
            return True
        known = self._contained.get((tip, commit))
        if known is None:
            said = self.git("merge-base", "--is-ancestor", commit, tip, ok=(0, 1))
            known = self._contained[tip, commit] = said.code == 0
        return known

    def pause(self) -> None:
        """A verb is done: children stay for the next, and the tree that was asked for last (a commit's
        tree never changes); what may be another tomorrow is forgotten."""
        self._trees = dict([self._trees.popitem()] if self._trees else [])
        self._contained.clear()

    def rest(self) -> None:
        """There will be no verb for a while: no child stays."""
        self.pause()
        self.stable_filters.clear()
        self.git.rest()
        if self.quick is not None:
            self.quick.end()
            self.quick = None

    @property
    def ref(self) -> str:
        """The adopted branch's full name."""
        return f"refs/heads/{self.memory.branch}"

    @property
    def head(self) -> str | None:
        """The commit of the adopted branch, or None while it is unborn."""
        return self.commit_at(self.ref)


def tree_id(repository: Repository) -> TreeId:
    """The tree's id as messages carry it."""
    return TreeId(repository.memory.tree)
