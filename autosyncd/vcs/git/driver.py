"""git behind the door of vcs/driver.py: each verb, with what can go wrong turned into a value."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from autosyncd.errors import ChildAborted
from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.driver import Compose, Guard, Watcher
from autosyncd.vcs.git import excludes, history
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.committing.attempt import Committer
from autosyncd.vcs.git.disk import Hasher
from autosyncd.vcs.git.healing import mark
from autosyncd.vcs.git.lease import leases_work
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import sweep as sweeping
from autosyncd.vcs.git.verbs import commit as committing
from autosyncd.vcs.git.verbs import housekeep as housekeeping
from autosyncd.vcs.git.verbs import snapshot as snapshotting
from autosyncd.vcs.git.verbs import sync as syncing
from autosyncd.vcs.git.verbs.guarded import NOT_INSPECTED, guarded, is_elsewhere, without_reason
from autosyncd.vcs.git.verbs.identity import KnownIdentity
from autosyncd.vcs.git.verbs.opening import Opened, Opening, TreeLock, ledger, relinked
from autosyncd.vcs.git.verbs.settings import follow
from autosyncd.vcs.orders import CommitOrder, Stage, SyncOrder
from autosyncd.vcs.outcomes import (
    Aborted,
    AtHead,
    CommitOutcome,
    Failed,
    IdentifyOutcome,
    InspectOutcome,
    Snapshotted,
    SyncOutcome,
    Waiting,
)
from autosyncd.vcs.priority import at_low_priority
from autosyncd.vcs.process import Runner

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Open:
    """The tree that is worked in."""

    repository: Repository
    committer: Committer


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
        written: str = "",
    ) -> None:
        """`written`: the path as the configuration has it, if that is another than `config` has."""
        self._config = config
        self._guard, self._compose, self._watcher = guard, compose, watcher
        self._runner = Runner()
        self._lock = TreeLock()
        self._opening = Opening(
            config=config,
            runner=self._runner,
            lock=self._lock,
            host=host,
            machine=machine,
            environment=environment,
            written=written or config.path,
        )
        self._opened: _Open | None = None
        self._identity: KnownIdentity | None = None

    def inspect(self) -> InspectOutcome:
        """Open the tree, end what a killed predecessor left, and say what tree this is."""
        opened = self._opened
        if opened is not None and is_elsewhere(self._config.path, opened.repository):
            opened.repository.rest()
            self._opened = None  # nothing is to be looked for in it
        return self._guarded(self._inspect)

    def identify(self) -> IdentifyOutcome:
        """Say whether the path leads elsewhere now, and where the branch is; tell if the remote or the
        channels are others."""
        if self._opened is None:
            return NOT_INSPECTED
        repository = self._opened.repository

        def work() -> AtHead:
            self._tell_identity()
            head = repository.head
            return AtHead(None if head is None else Head(repository.memory.branch, head))

        moved = relinked(self._opening.written, self._config.path)
        return self._guarded(work) if moved is None else moved

    def judge(self, folders: frozenset[bytes]) -> frozenset[bytes]:
        """Which of these folders are ignored; when git can't say, none."""
        if self._opened is None:
            return frozenset()
        with contextlib.suppress(GitFailed, ChildAborted, OSError):
            follow(self._opened.repository, self._config)
            return excludes.judge(self._opened.repository, folders)
        return frozenset()

    def commit(self, order: CommitOrder) -> CommitOutcome:
        """Bring what changed into history."""
        if self._opened is None:
            return NOT_INSPECTED
        opened = self._opened
        self._watcher.stage(Stage.COMMIT)

        def work() -> CommitOutcome:
            self._tell_identity()
            return committing.commit(opened.repository, opened.committer, order)

        gentle = order.gentle
        return self._guarded(lambda: at_low_priority(work, wanted=gentle), gentle=gentle)

    def sync(self, order: SyncOrder) -> SyncOutcome:
        """Fetch, merge, publish, and bring the work tree along."""
        if self._opened is None:
            return NOT_INSPECTED
        opened, wait = self._opened, self._runner.stopping.wait

        def work() -> SyncOutcome:
            self._tell_identity()
            return syncing.sync(
                opened.repository, opened.committer, order, watcher=self._watcher, wait=wait
            )

        return self._guarded(work, gentle=order.gentle)

    def snapshot(self) -> Snapshotted:
        """Make the bytes of the work tree safe beside history."""
        if self._opened is None:
            return Snapshotted()
        repository, author = self._opened.repository, self._opened.committer.author
        taken = self._guarded(lambda: snapshotting.snapshot(repository, self._config, author))
        return without_reason("Snapshot", taken) or Snapshotted(left=True)

    def housekeep(self) -> bool:
        """Pack what has gathered, when that is worth it; whether it was."""
        if self._opened is None:
            return False
        repository = self._opened.repository

        def work() -> bool:
            with self._runner.interruptible():
                return housekeeping.housekeep(repository)

        return without_reason("Housekeep", self._guarded(work)) or False

    def sweep(self) -> bool:
        """Let go of old versions that nobody writes to any more; True: some are left for later."""
        if self._opened is None:
            return False
        repository = self._opened.repository
        hasher, leases = Hasher(repository.object_format), leases_work(repository.root)
        swept = self._guarded(lambda: sweeping.sweep_all(repository, hasher, leases=leases))
        left = without_reason("Sweep", swept)
        return True if left is None else left

    @property
    def stays(self) -> Mapping[str, object]:
        """The runner of children: each process has its own."""
        return {"runner": self._runner}

    def hand_over(self) -> tuple[object, int | None]:
        """The opened repository, the author of our commits, and the lock of the tree."""
        self._end_cleanly()
        lock = self._lock.pass_on()
        if self._opened is None:
            return None, lock
        repository, author = self._opened.repository, self._opened.committer.author
        repository.rest()
        return (repository, author, self._identity), lock

    def take_over(self, known: Any, lock: int | None) -> None:
        """Have the tree open as it was handed over."""
        self._lock.handle = lock
        if known is not None:
            repository, author, self._identity = known
            self._runner.ledger = ledger(repository)
            self._opened = self._with_committer(repository, author)
            with contextlib.suppress(OSError):
                mark.begin(repository, healed=False)

    def abort(self, *, network_only: bool) -> None:
        """From another thread: end the running verb's children; for good."""
        self._runner.abort(network_only=network_only)

    def interrupt(self) -> None:
        """From another thread: end a housekeep() that runs or was just ordered."""
        self._runner.interrupt()

    def close(self) -> None:
        """Let another worker have the tree."""
        if self._opened is not None:
            self._opened.repository.rest()
        if self._lock.handle is not None:
            self._end_cleanly()
            self._lock.let_go()

    def _end_cleanly(self) -> None:
        """At rest: nothing need be looked at when it goes on in the same boot."""
        if self._opened is not None:
            with contextlib.suppress(OSError):
                mark.end(self._opened.repository)

    def _guarded(
        self, verb: Callable[[], T], *, gentle: bool = False
    ) -> T | Waiting | Failed | Aborted:
        repository = self._opened.repository if self._opened is not None else None
        try:
            return guarded(verb, self._config.path, repository)
        finally:
            if gentle and repository is not None:
                repository.rest()  # children that stay would stay behind everything else

    def _tell_identity(self) -> None:
        if self._opened is None or self._identity is None:
            return
        news = self._identity.news(self._opened.repository, self._config, self._opening.machine)
        if news is not None:
            self._watcher.identified(news)

    def _inspect(self) -> InspectOutcome:
        opened = self._opening.run()
        if not isinstance(opened, Opened):
            return opened
        if self._opened is not None:
            self._opened.repository.rest()  # or the children of its git would stay
        self._opened = self._with_committer(opened.repository, opened.author)
        self._identity = KnownIdentity(opened.ready.identity, opened.settings)
        opened.repository.pause()
        return opened.ready

    def _with_committer(self, repository: Repository, author: history.Author) -> _Open:
        committer = Committer(self._config, self._guard, self._compose, author)
        return _Open(repository, committer)
