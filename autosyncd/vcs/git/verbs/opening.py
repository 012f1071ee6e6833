"""The verb inspect: open a tree, end and put right what a killed predecessor left, say what it is."""

import fcntl
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autosyncd import clock
from autosyncd.model import RepoConfig
from autosyncd.vcs.git import excludes, held, history, leftlocks, lock, otherbranch
from autosyncd.vcs.git.committing import hooks
from autosyncd.vcs.git.condition import busy, current_branch
from autosyncd.vcs.git.disk import Hasher
from autosyncd.vcs.git.finding import NotARepository, open_repository
from autosyncd.vcs.git.healing import heal, mark
from autosyncd.vcs.git.healing.refill import refill
from autosyncd.vcs.git.lease import leases_work
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import sweep
from autosyncd.vcs.git.verbs.guarded import gone
from autosyncd.vcs.git.verbs.identity import identify, stamps
from autosyncd.vcs.git.verbs.settings import follow
from autosyncd.vcs.outcomes import Ready, Relinked, Unfit, Waiting, together
from autosyncd.vcs.process import Runner

LET_GO_WITHIN = 1.0
"""Seconds for what a killed worker was just starting."""


class TreeLock:
    """One worker per tree: a flock(2) that dies with the last process that has it."""

    def __init__(self) -> None:
        self.handle: int | None = None

    def take(self, repository: Repository) -> bool:
        """Have the tree; False when another daemon has it."""
        path = repository.state + b"/lock"
        if self.handle is not None and _is_at(self.handle, path):
            return True
        self.let_go()  # of a repository that was there before, if of any
        handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self.handle = handle
        return True

    def pass_on(self) -> int | None:
        """The descriptor, whose lock is somebody else's to let go of from now on."""
        handle, self.handle = self.handle, None
        return handle

    def let_go(self) -> None:
        """Let another worker have the tree."""
        handle = self.pass_on()
        if handle is not None:
            os.close(handle)


def _is_at(handle: int, path: bytes) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Opened:
    """A tree that can be worked in."""

    repository: Repository
    author: history.Author
    """Of our commits."""
    ready: Ready
    settings: object
    """What the files looked like that say who the tree is (identity.stamps)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How one tree is opened."""

    config: RepoConfig
    runner: Runner
    lock: TreeLock
    host: str
    machine: str
    environment: Mapping[str, str]
    written: str
    """The path as the configuration has it; `config` has the folder that it once led to."""

    def run(self) -> Opened | Unfit | Relinked | Waiting:
        """Recover first, then look."""
        path = self.config.path
        moved = relinked(self.written, path)
        if moved is not None:
            return moved
        if not os.path.isdir(path):
            return gone(path)
        begun = heal.before_opening(path)
        try:
            repository = open_repository(path, self.runner, self.environment, machine=self.machine)
        except NotARepository as problem:
            return Unfit(str(problem))
        if not self._take(repository):
            return Unfit(f"Another autosyncd already works in {path}; it goes on when that ends.")
        self.runner.ledger = ledger(repository)
        known = mark.read(repository.state)
        try:
            healed = self._recover(repository, known, begun)
        except lock.IndexBusy:
            return busy(repository)
        unfit = self._adopt_branch(repository)
        if unfit is not None:
            return unfit
        follow(repository, self.config)  # before a file is written: a filter may have to be there
        history.settle(repository)
        hasher, leases = Hasher(repository.object_format), leases_work(repository.root)
        sweep.sweep_all(repository, hasher, leases=leases)
        refilled = refill(repository, known)
        author = history.author(repository, self.host)
        unheard = "" if self.config.commit_hooks else hooks.silence(repository)
        note = together(author.note, healed, refilled, unheard)
        settings = stamps(repository)
        return Opened(repository, author, self._ready(repository, note), settings)

    def _take(self, repository: Repository) -> bool:
        """Have the tree. What a killed worker was about to start has its lock until it runs
        (execve(2) closes it), so a moment is waited for that."""
        end = clock.now() + LET_GO_WITHIN
        while not self.lock.take(repository):
            if clock.now() > end or self.runner.stopping.wait(LET_GO_WITHIN / 50):
                return False
        return True

    def _recover(self, repository: Repository, known: mark.Mark, begun: list[str]) -> str:
        """End what a killed predecessor left running, and put right what it left half done."""
        interrupted = self.runner.was_interrupted or known.cut_off
        self.runner.end_predecessors()
        lock.recover(repository)
        leftlocks.recover_private(repository)
        if interrupted:
            leftlocks.recover_refs(repository, None)  # what healing may need to write
        try:
            return heal.heal(repository, lambda: remotes.choose(repository, self.config), begun)
        finally:
            if interrupted:
                leftlocks.recover_refs(repository, remotes.choose(repository, self.config))

    def _adopt_branch(self, repository: Repository) -> Unfit | None:
        """The branch to sync: as configured, else what was checked out when first adopted."""
        memory = repository.memory
        wanted = self.config.branch or memory.branch or current_branch(repository)
        if wanted is None:
            return Unfit(
                "HEAD is detached, so it is not known which branch to sync: git switch one."
            )
        otherbranch.take_up(repository, wanted)
        repository.remember()
        return None

    def _ready(self, repository: Repository, note: str) -> Ready:
        return Ready(
            identity=identify(repository, self.config, self.machine),
            ignored=excludes.ignored_folders(repository),
            state_folder=repository.state,
            held=bool(held.recall(repository)),
            head_log=repository.git_dir + b"/logs/HEAD",
            note=note,
        )


def ledger(repository: Repository) -> Path:
    """Where the running child of a worker is on record."""
    return Path(os.fsdecode(repository.state), "children")


def relinked(written: str, path: str) -> Relinked | None:
    """Where the configured path leads to, if that is not where it is worked any more."""
    real = os.path.realpath(written)
    return None if real == path else Relinked(f"{written} leads to {real} now; it goes on there.")
