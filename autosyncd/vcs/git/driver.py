"""git behind the door of vcs/driver.py: each verb, with what can go wrong turned into a value."""

import contextlib
import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from autosyncd.errors import ChildAborted
from autosyncd.model import RepoConfig
from autosyncd.vcs.driver import (
    Aborted,
    CommitOrder,
    CommitOutcome,
    Compose,
    Failed,
    Guard,
    InspectOutcome,
    Ready,
    Stage,
    Synced,
    SyncOrder,
    SyncOutcome,
    Unfit,
    Waiting,
    Watcher,
    Why,
)
from autosyncd.vcs.git import excludes, history, lock
from autosyncd.vcs.git import housekeep as housekeeping
from autosyncd.vcs.git import sync as syncing
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.committing import commit as committing
from autosyncd.vcs.git.committing import hooks, signing
from autosyncd.vcs.git.committing.snapshot import Snapshots
from autosyncd.vcs.git.condition import current_branch
from autosyncd.vcs.git.disk import Hasher
from autosyncd.vcs.git.healing import heal, mark
from autosyncd.vcs.git.healing.refill import refill
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.repository import (
    NotARepository,
    Repository,
    open_repository,
    tree_id,
)
from autosyncd.vcs.git.updating import held
from autosyncd.vcs.git.updating import sweep as sweeping
from autosyncd.vcs.git.updating.lease import leases_work
from autosyncd.vcs.process import Runner

T = TypeVar("T")


class GitDriver:
    """One work tree's git, as a worker's engine thread uses it."""

    def __init__(
        self,
        config: RepoConfig,
        *,
        guard: Guard,
        compose: Compose,
        watcher: Watcher,
        host: str,
        machine: str,
        environment: Mapping[str, str],
    ) -> None:
        self._config = config
        self._guard, self._compose, self._watcher = guard, compose, watcher
        self._host, self._machine, self._environment = host, machine, environment
        self._runner = Runner()
        self._opened: tuple[Repository, committing.Committer] | None = None
        self._held: int | None = None

    def inspect(self) -> InspectOutcome:
        """Open the tree, end what a killed predecessor left, and say what tree this is."""
        return self._guarded(self._inspect)

    def judge(self, folders: frozenset[bytes]) -> frozenset[bytes]:
        """Which of these folders are ignored; when git can't say, none."""
        if self._opened is None:
            return frozenset()
        try:
            return excludes.judge(self._opened[0], folders)
        except (GitFailed, ChildAborted, OSError):
            return frozenset()

    def commit(self, order: CommitOrder) -> CommitOutcome:
        """Bring what changed into history."""
        if self._opened is None:
            return _not_inspected()
        opened = self._opened
        self._watcher.stage(Stage.COMMIT)
        return self._guarded(lambda: committing.commit(*opened, order))

    def sync(self, order: SyncOrder) -> SyncOutcome:
        """Fetch, merge, publish, and bring the work tree along."""
        if self._opened is None:
            return _not_inspected()
        opened, wait = self._opened, self._runner.stopping.wait

        def work() -> SyncOutcome:
            outcome = syncing.sync(*opened, order, watcher=self._watcher, wait=wait)
            if isinstance(outcome, Synced):
                note = _together(outcome.note, signing.to_tell(opened[0]))
                return replace(outcome, note=note)
            return outcome

        return self._guarded(work)

    def snapshot(self) -> bool:
        """Make the bytes of the work tree safe beside history; whether there was anything new."""
        if self._opened is None:
            return False
        repository, committer = self._opened
        snapshots = Snapshots(repository, self._config, committer.author)

        def work() -> bool:
            taken = snapshots.take() is not None
            remote = remotes.choose(repository, self._config)
            if taken and remote is not None and self._config.push:
                snapshots.push(remote)
            return taken

        return self._guarded(work) is True

    def housekeep(self) -> bool:
        """Pack what has gathered, when that is worth it; whether it was."""
        if self._opened is None:
            return False
        repository = self._opened[0]
        return self._guarded(lambda: housekeeping.housekeep(repository)) is True

    def sweep(self) -> bool:
        """Let go of old versions that nobody writes to any more; True: some are left for later."""
        if self._opened is None:
            return False
        repository = self._opened[0]
        hasher = Hasher(repository.object_format)
        leases = leases_work(repository.root)
        swept = self._guarded(lambda: sweeping.sweep_all(repository, hasher, leases=leases))
        return swept if isinstance(swept, bool) else True

    @property
    def stays(self) -> Mapping[str, object]:
        """The runner of children: each process has its own."""
        return {"runner": self._runner}

    def hand_over(self) -> tuple[object, int | None]:
        """The opened repository, the author of our commits, and the lock of the tree."""
        self._end_cleanly()
        lock, self._held = self._held, None
        if self._opened is None:
            return None, lock
        repository, committer = self._opened
        repository.rest()
        return (repository, committer.author), lock

    def take_over(self, known: Any, lock: int | None) -> None:
        """Have the tree open as it was handed over."""
        self._held = lock
        if known is not None:
            repository, author = known
            self._runner.ledger = _ledger(repository)
            self._opened = (repository, self._committer(author))
            with contextlib.suppress(OSError):
                mark.begin(repository, healed=False)

    def abort(self, *, network_only: bool) -> None:
        """From another thread: end the running verb's children; for good."""
        self._runner.abort(network_only=network_only)

    def close(self) -> None:
        """Let another worker have the tree."""
        if self._opened is not None:
            self._opened[0].rest()
        if self._held is not None:
            self._end_cleanly()
            os.close(self._held)
            self._held = None

    def _end_cleanly(self) -> None:
        """At rest: nothing need be looked at when it goes on in the same boot."""
        if self._opened is not None:
            with contextlib.suppress(OSError):
                mark.end(self._opened[0])

    def _guarded(self, verb: Callable[[], T]) -> T | Waiting | Failed | Aborted:
        """Run a verb; what it can't go on from becomes an outcome."""
        try:
            if self._opened is not None:
                history.settle(self._opened[0])
            return verb()
        except ChildAborted:
            return Aborted()
        except (GitFailed, OSError) as problem:
            if not os.path.lexists(self._config.path + "/.git"):
                return _gone(self._config.path)
            return Failed(_kind(problem), f"{problem}; it is tried again.")
        finally:
            if self._opened is not None:
                self._opened[0].pause()

    def _inspect(self) -> InspectOutcome:
        path = self._config.path
        if not os.path.isdir(path):
            return _gone(path)
        begun = heal.before_opening(path)
        try:
            repository = open_repository(
                path, self._runner, self._environment, machine=self._machine
            )
        except NotARepository as problem:
            return Unfit(str(problem))
        if not self._hold(repository):
            return Unfit(f"Another autosyncd already works in {path}; it goes on when that ends.")
        self._runner.ledger = _ledger(repository)
        known = mark.read(repository.state)
        interrupted = self._runner.was_interrupted or known.cut_off
        self._runner.end_predecessors()
        lock.recover(repository)
        lock.recover_private(repository)
        if interrupted:
            lock.recover_others(repository, None)  # what healing may need to write
        healed = heal.heal(repository, lambda: remotes.choose(repository, self._config), begun)
        if interrupted:
            lock.recover_others(repository, remotes.choose(repository, self._config))
        unfit = self._adopt_branch(repository)
        if unfit is not None:
            return unfit
        history.settle(repository)
        hasher, leases = Hasher(repository.object_format), leases_work(repository.root)
        sweeping.sweep_all(repository, hasher, leases=leases)
        refilled = refill(repository, known)
        excludes.install(repository, self._config)
        author = history.author(repository, self._host)
        self._opened = (repository, self._committer(author))
        unheard = "" if self._config.commit_hooks else hooks.silence(repository)
        return self._ready(repository, _together(author.note, healed, refilled, unheard))

    def _committer(self, author: history.Author) -> committing.Committer:
        return committing.Committer(self._config, self._guard, self._compose, author)

    def _ready(self, repository: Repository, note: str) -> Ready:
        remote = remotes.choose(repository, self._config)
        channels = remotes.channels(repository, self._config, remote, machine=self._machine)
        return Ready(
            tree=tree_id(repository),
            channels=channels,
            remote=remote,
            branch=repository.memory.branch,
            head=repository.head,
            ignored=excludes.ignored_folders(repository),
            state_folder=repository.state,
            held=bool(held.recall(repository)),
            note=note,
        )

    def _adopt_branch(self, repository: Repository) -> Unfit | None:
        """The branch to sync: as configured, else what was checked out when first adopted."""
        memory = repository.memory
        wanted = self._config.branch or memory.branch or current_branch(repository)
        if wanted is None:
            return Unfit(
                "HEAD is detached, so it is not known which branch to sync: git switch one."
            )
        memory.branch = wanted
        repository.remember()
        return None

    def _hold(self, repository: Repository) -> bool:
        """One worker per tree: a lock that dies with the process."""
        if self._held is not None:
            return True
        handle = os.open(repository.state + b"/lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._held = handle
        return True


def _together(*notes: str) -> str:
    return " ".join(filter(None, notes))


def _ledger(repository: Repository) -> Path:
    return Path(os.fsdecode(repository.state), "children")


def _not_inspected() -> Failed:
    return Failed("not-inspected", "The tree was not looked at yet; that is done first.")


def _gone(path: str) -> Waiting:
    return Waiting(Why.GONE, f"{path} isn't there; it goes on when it comes back.")


def _kind(problem: GitFailed | OSError) -> str:
    """A stable name, so that the same trouble is one alert."""
    text = str(problem)
    if "No space left" in text or "Disk quota" in text:
        return "disk-full"
    return "read-only" if "Read-only file system" in text else "git-failed"
