"""After an unclean end (a power cut, a crash of the kernel, a disk that was pulled out): whatever is
empty or torn is put aside, never deleted, and made anew.

    blob            from the file in the work tree
    tree            from the index
    anything        from the remote, which is asked for all it has
    ref             the last commit of its log that is whole; the next scan commits the rest
    index           from HEAD; everything in the work tree is looked at then
    HEAD, config, our own memory    from what was kept when all was well

After a clean end, and no boot since, nothing is looked at (mark.py).
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from autosyncd.vcs.git import history, indexes
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.healing import mark, torn
from autosyncd.vcs.git.healing.aside import Aside
from autosyncd.vcs.git.healing.objects import Objects
from autosyncd.vcs.git.healing.tornrefs import Refs
from autosyncd.vcs.git.lock import IndexLock
from autosyncd.vcs.git.memory import MEMORY, stored
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.statefile import replace

FAR_BEHIND = 200
"""Commits back to which the tree of an index is looked for."""
KEPT_CONFIG = b"/config.kept"
Remote = Callable[[], str | None]
"""Says which remote to ask; only when there is need of one."""


def before_opening(path: str) -> list[str]:
    """What git needs to see a repository at all: HEAD and config. A sentence for each that was torn.

    Also our own memory of the tree, which the first look reads.
    """
    git_dir = _git_dir(os.fsencode(path))
    state = git_dir + b"/autosync"
    if not os.path.isdir(state) or (known := mark.read(state)).holds:
        return []
    common_dir = _common_dir(git_dir)
    aside, told = Aside(state, common_dir), []
    memory = _memory(state)
    if memory is None and known.memory:
        aside.take(state + MEMORY)
        Path(os.fsdecode(state + MEMORY)).write_text(json.dumps(known.memory))
        memory = known.memory
    branch = (memory or known.memory).get("branch")
    if branch and _is_torn_head(git_dir + b"/HEAD"):
        aside.take(git_dir + b"/HEAD")
        Path(os.fsdecode(git_dir), "HEAD").write_text(f"ref: refs/heads/{branch}\n")
        told.append(f"HEAD points to {branch} again")
    config = common_dir + b"/config"
    if os.path.exists(state + KEPT_CONFIG) and _is_torn(_bytes(config)):
        aside.take(config)
        shutil.copyfile(state + KEPT_CONFIG, config)
        told.append("git's config is the one of the last start")
    return told


def heal(repository: Repository, remote: Remote, begun: list[str]) -> str:
    """Look and heal, if that is called for; what was done, in one sentence (or nothing). `begun`:
    what before_opening() did."""
    known = mark.read(repository.state)
    fresh = not os.path.exists(repository.state + MEMORY)
    told = list(begun)
    if not known.holds and not fresh:
        told += Healing(repository, remote, known).run()
        repository.rest()
    mark.begin(repository, healed=not known.holds)
    _keep_config(repository)
    if not told:
        return ""
    damaged = Aside.of(repository).place
    return (
        f"After an unclean end (a power cut, say) this was put right: {'; '.join(told)}. "
        f"What was damaged lies in {damaged}."
    )


class Healing:
    """One run."""

    def __init__(self, repository: Repository, remote: Remote, known: mark.Mark) -> None:
        self._repository, self._remote = repository, remote
        self._aside = Aside.of(repository)
        self._objects = Objects(repository, self._aside, known)
        self._refs = Refs(repository, self._aside, known)
        self._told: list[str] = []

    def run(self) -> list[str]:
        """What was done, in a few words each."""
        repository = self._repository
        self._objects.look()
        self._refs.look()
        torn_index = self._put_torn_index_aside()
        damaged = len(self._objects.lost)
        self._objects.count_missing(self._refs.tips)
        if self._objects.lost:
            self._restore()
        if self._objects.lost:
            self._objects.bury()
        if damaged or self._objects.lost:
            left = len(self._objects.lost)
            gone = f", {left} could not be had again" if left else ""
            self._told.append(f"{damaged} objects were damaged{gone}")
        moved = self._refs.settle(self._objects.whole)
        self._told += [_where(name, target) for name, target in moved]
        if self._refs.trim_logs(self._objects.whole):
            self._told.append("lines that lead nowhere were taken out of the reflog")
        repository.rest()
        if torn_index or self._objects.lost or self._refs.branch in dict(moved):
            self._make_index_anew()
        else:
            self._note_index_behind()
        return self._told

    def _put_torn_index_aside(self) -> bool:
        """Whether the person's index has to be made anew. Ours is a copy, or about to become it."""
        repository = self._repository
        private = repository.private_index
        if os.path.exists(private) and not torn.is_sealed(private, repository.object_format):
            self._aside.take(private)
        if not os.path.exists(repository.index):
            return repository.head is not None
        if torn.is_sealed(repository.index, repository.object_format) or self._needs_no_seal():
            return False
        self._aside.take(repository.index)
        return True

    def _needs_no_seal(self) -> bool:
        """git can leave the checksum out (git-config(1), index.skipHash); what it reads then is good."""
        git = self._repository.git
        if "true" not in (git.config("index.skipHash"), git.config("feature.manyFiles")):
            return False
        return git("ls-files", "-s", ok=(0, 128), timeout=LONG).code == 0

    def _restore(self) -> None:
        """From what is nearest."""
        objects, tips = self._objects, self._refs.tips
        for index in (self._repository.index, self._repository.private_index):
            if os.path.exists(index):
                objects.make_from_tree(index)
        objects.count_missing(tips)
        remote = self._remote() if objects.lost else None
        if remote is not None and objects.fetch_again(remote):
            self._repository.rest()
            objects.count_missing(tips)

    def _make_index_anew(self) -> None:
        """From HEAD. Where the checkout is sparse git marks what is left out. Raises IndexBusy."""
        repository, index = self._repository, indexes.empty(self._repository, "index")
        self._aside.take(repository.index)
        if repository.head is not None:
            if repository.sparse:
                indexes.read_sparse(repository, index, "HEAD")
            else:
                repository.git("read-tree", "HEAD", index=index, timeout=LONG)
            with IndexLock(repository) as lock:
                lock.publish(index)
        self._told.append("the index was made anew")

    def _note_index_behind(self) -> None:
        """An index of an earlier commit had not come along on the disk. It would look as if the person
        had staged the way back; written down as a move, it is brought along (history.settle()).

        It is asked of a copy: git takes index.lock even to write a tree (git-write-tree(1)), and that
        of a git that is killed with us would be nobody's."""
        repository, index = self._repository, self._repository.private_index
        head = repository.head
        indexes.copy_own(repository)
        written = repository.git("write-tree", index=index, ok=(0, 128), timeout=LONG).text
        if head is None or not written or written == repository.tree_of(head):
            return
        listed = repository.git("log", "-n", str(FAR_BEHIND), "--format=%H %T", head, "--").text
        for line in listed.split("\n"):
            commit, _, tree = line.partition(" ")
            if tree == written:
                history.write_journal(repository, commit, head)
                return


def _where(name: str, target: str | None) -> str:
    if target is not None:
        return (
            f"{name.removeprefix('refs/heads/')} is at {target[:12]} again, its last whole commit"
        )
    if name.startswith("refs/remotes/"):
        return f"{name.removeprefix('refs/remotes/')} is fetched again"
    return f"{name} led nowhere and was put aside"


def _is_torn_head(path: bytes) -> bool:
    try:
        with open(path, "rb") as file:
            return torn.ref_value(file.read()) is None
    except FileNotFoundError:
        return True


def _is_torn(text: bytes) -> bool:
    """Empty (or not there), or with zeros in it."""
    return not text or b"\0" in text


def _keep_config(repository: Repository) -> None:
    """git has just read it, so it is a good one."""
    config, kept = _bytes(repository.common_dir + b"/config"), repository.state + KEPT_CONFIG
    if not _is_torn(config) and config != _bytes(kept):
        replace(kept, config, durable=False)


def _bytes(path: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return b""


def _memory(state: bytes) -> dict[str, object] | None:
    try:
        return stored(state)
    except OSError:  # what can't be read is put aside like what is damaged
        return None


def _git_dir(root: bytes) -> bytes:
    """`.git`, or where the file of that name points (gitrepository-layout(5))."""
    dot = root + b"/.git"
    if os.path.isfile(dot):
        target = _bytes(dot).removeprefix(b"gitdir: ").rstrip(b"\n")
        return os.path.join(root, target) if b"\0" not in target else dot
    return dot


def _common_dir(git_dir: bytes) -> bytes:
    common = _bytes(git_dir + b"/commondir").rstrip(b"\n")
    return os.path.realpath(os.path.join(git_dir, common)) if b"\0" not in common else git_dir
