"""One git work tree: where its parts are, and what is remembered of it.

What belongs to this tree alone lies in `<git dir>/autosync/`: its id, the adopted branch, root
commits, the ledger of running children, our private index. A linked worktree has a git dir, and so a
state folder, of its own.
"""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from autosyncd.errors import AutosyncError
from autosyncd.model import TreeId
from autosyncd.vcs.git.command import EMPTY_TREE, EMPTY_TREE_SHA256, Git
from autosyncd.vcs.process import Runner

MINIMUM_GIT = (2, 38)
"""merge-tree --write-tree came with 2.38."""


class NotARepository(AutosyncError):
    """The folder can't be worked in; str() says why and what to do."""


@dataclass(slots=True)
class Memory:
    """What must outlive the process."""

    tree: str = ""
    machine: str = ""
    path: str = ""
    branch: str = ""
    adopted: bool = False
    published: str = ""
    """The branch that was seen or made on the remote: if it is gone, somebody removed it."""
    roots: list[str] = field(default_factory=list)


class Ending(Protocol):
    """What has to be let go of."""

    def end(self) -> None:
        """Let go."""


@dataclass(frozen=True, slots=True)
class Inventory:
    """What an index holds, as far as it can't be told from its tree."""

    signature: object
    tracked: int
    """Files."""
    set_aside: frozenset[bytes]
    """Those that are marked assume-unchanged or skip-worktree, those that are there by intent alone
    (`git add -N`), and those in conflict."""


@dataclass(slots=True)
class Repository:
    """An opened work tree."""

    git: Git
    root: bytes
    git_dir: bytes
    common_dir: bytes
    state: bytes
    memory: Memory
    object_format: str = "sha1"
    """`sha1` or `sha256`."""
    file_modes: bool = True
    """Whether the file system knows what is executable (git-config(1), core.fileMode)."""
    clean: tuple[object, str] | None = None
    """A signature of the person's index, and the tree that the index with it stands for."""
    ready: object = None
    """The signature of the index that is about to become the person's."""
    steady: object = None
    """The signature of an index in which no entry is as young as itself (indexes.bring_along)."""
    inventory: Inventory | None = None
    """What else is known of the index that `clean` is about."""
    quick: "Ending | None" = None
    """What a quick commit keeps from one to the next (quick.py), children among it."""
    durable: str | None = None
    """A commit that is on the disk with all its history (durable.py)."""
    unfetched: int = 0
    """Syncs in a row that did not fetch."""
    stable_filters: dict[bytes, bool] = field(default_factory=dict)
    """Whether a filter makes the same of the same bytes each time (filters.py), by its name."""
    chosen: tuple[object, str | None] | None = None
    """The remote that was chosen, as long as the configuration is the one with this stamp."""
    _trees: dict[str, str] = field(default_factory=dict)
    _contained: dict[tuple[str, str], bool] = field(default_factory=dict)
    _packed: object = None
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
        return self.state + b"/index"

    @property
    def empty_tree(self) -> str:
        """The id of the tree without entries, in this repository's hash."""
        return EMPTY_TREE_SHA256 if self.object_format == "sha256" else EMPTY_TREE

    def remember(self) -> None:
        """Write the memory down, whole or not at all."""
        path = self.state + b"/memory.json"
        with open(path + b".new", "w", encoding="utf-8") as file:
            json.dump(asdict(self.memory), file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + b".new", path)

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

    def _packed_refs(self) -> object:
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


def open_repository(
    path: str, runner: Runner, environment: Mapping[str, str], *, machine: str
) -> Repository:
    """Open a work tree and its state folder.

    Raises NotARepository with a sentence; nothing is created then.
    """
    root = os.fsencode(path)
    git = Git(root, runner, environment)
    version = _version(git)
    if version < MINIMUM_GIT:
        found, wanted = (".".join(map(str, numbers)) for numbers in (version, MINIMUM_GIT))
        raise NotARepository(f"git {found} is too old; install git {wanted} or newer.")
    asked = git(
        "rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir", ok=(0, 128)
    )
    if asked.code:
        if "dubious ownership" in asked.complaint:
            raise NotARepository(
                f"{path} belongs to somebody else, so git refuses to work in it; allow it with: "
                f"git config --global --add safe.directory {path}"
            )
        raise NotARepository(f"{path} is not a git repository; make it one with: git init {path}")
    bare, git_dir, common = asked.text.split("\n")[:3]
    if bare == "true":
        raise NotARepository(f"{path} is a bare repository: it has no files that could be edited.")
    top = git("rev-parse", "--show-toplevel").text
    if os.path.realpath(top) != os.path.realpath(path):
        raise NotARepository(f"{path} lies inside the repository {top}; list that one instead.")
    state = os.fsencode(git_dir) + b"/autosync"
    os.makedirs(state, mode=0o700, exist_ok=True)
    common_dir = os.path.realpath(os.path.join(root, os.fsencode(common)))
    memory = _recall(state, path, machine)
    repository = Repository(
        git=git,
        root=root,
        git_dir=os.fsencode(git_dir),
        common_dir=common_dir,
        state=state,
        memory=memory,
        object_format=git("rev-parse", "--show-object-format").text,
        file_modes=git.config("core.fileMode") != "false",
    )
    git.use_quiet_ssh()
    return repository


def _recall(state: bytes, path: str, machine: str) -> Memory:
    """The memory of this tree; a tree copied from elsewhere gets an id of its own."""
    try:
        stored = json.loads(Path(os.fsdecode(state), "memory.json").read_text(encoding="utf-8"))
        memory = Memory(**stored)
    except (FileNotFoundError, ValueError, TypeError):
        memory = Memory()
    if (memory.machine, memory.path) != (machine, path) or not memory.tree:
        memory.tree, memory.machine, memory.path = secrets.token_hex(16), machine, path
    return memory


def tree_id(repository: Repository) -> TreeId:
    """The tree's id as messages carry it."""
    return TreeId(repository.memory.tree)


def _version(git: Git) -> tuple[int, ...]:
    words = git("--version").text.split()
    numbers = words[2].split(".") if len(words) > 2 else []
    return tuple(int(number) for number in numbers[:2] if number.isdigit())
