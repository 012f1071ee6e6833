"""Sync: fetch, merge, publish, and only then touch the work tree.

The merge is made off the tree and pushed first: the window in which another machine can be faster is
one merge long. A rejected merge is thrown away and made anew from the newer tip, as often as it takes.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.driver import (
    Away,
    AwayKind,
    Dirty,
    Failed,
    NoRemote,
    Stage,
    Synced,
    SyncOrder,
    SyncOutcome,
    Watcher,
)
from autosyncd.vcs.git import doubts, held
from autosyncd.vcs.git import remote as remotes
from autosyncd.vcs.git.commit import Committer
from autosyncd.vcs.git.complaint import PushVerdict
from autosyncd.vcs.git.condition import obstacle
from autosyncd.vcs.git.join import Joiner
from autosyncd.vcs.git.merge import incoming_hosts
from autosyncd.vcs.git.publish import Publisher, waiting_commits
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.snapshot import Snapshots
from autosyncd.vcs.git.update import Update, Updated

TRIES = 200
"""Lost races in a row before the verb gives way for a moment; it is due again at once."""
UNFETCHED = 2
"""Pushes in a row that may go out without a fetch before them."""
JITTER_STEP, JITTER_CAP = 0.03, 0.3
"""Seconds: doubling would starve the slowest of three busy machines."""


@dataclass(slots=True)
class Sync:
    """One run of the verb."""

    repository: Repository
    committer: Committer
    order: SyncOrder
    remote: str
    publisher: Publisher
    joiner: Joiner
    watcher: Watcher
    wait: Callable[[float], bool]
    """Sleeps so many seconds; True when the worker is stopping."""

    @property
    def config(self) -> RepoConfig:
        """The repository's entry."""
        return self.committer.config

    def run(self) -> SyncOutcome:
        """The verb Sync. Raises GitFailed for what is not expected."""
        waiting = obstacle(self.repository)
        if waiting is not None:
            return waiting
        if self.order.local:
            head = self.repository.head
            return self._adopt(head) if head else Synced(None)
        must_fetch = self._must_fetch()
        for tries in range(1, TRIES + 1):
            if must_fetch:
                stop = self._fetch()
                if stop is not None:
                    return stop
            target = self._target()
            if not isinstance(target, str):
                return target or Synced(None)
            answer = self.publisher.publish(target, self._known())
            if isinstance(answer, Away):
                return answer
            if answer is not PushVerdict.MOVED:
                self.publisher.thank()
                return self._adopt(target)
            must_fetch = True
            self.publisher.ask_for_help(tries)
            if self.wait(random.random() * min(JITTER_CAP, JITTER_STEP * tries)):  # noqa: S311
                break
        return Dirty("The remote branch keeps moving.")

    def _must_fetch(self) -> bool:
        """A push that is accepted proves that there was nothing to fetch."""
        repository = self.repository
        nothing_to_push = not self.order.push or self._known() in (None, repository.head)
        repository.unfetched += 1
        # whoever always wins must hear of those that lose (publish.py), so not always without
        return self.order.fetch or nothing_to_push or repository.unfetched > UNFETCHED

    def _known(self) -> str | None:
        return self.repository.commit_at(remotes.tracking_ref(self.repository, self.remote))

    def _fetch(self) -> SyncOutcome | None:
        """None: fetched, or the hub is still empty."""
        self.watcher.stage(Stage.FETCH)
        self.repository.unfetched = 0
        known = self._known()
        said = remotes.fetch(self.repository, self.remote)
        if isinstance(said, Away):
            return said
        ref = remotes.tracking_ref(self.repository, self.remote)
        if said == remotes.BRANCH_MISSING:
            memory = self.repository.memory
            if memory.published == memory.branch and not self._allowed(doubts.BRANCH_GONE):
                return doubts.branch_gone(self.repository, self.remote)
            if known is not None:
                self.repository.git("update-ref", "-d", ref)
            return None
        tip = self._known()
        rewritten = known and tip and not self.repository.contains(tip, known)
        if rewritten and not self._allowed(doubts.REWRITTEN):
            self.repository.git("update-ref", ref, known or "")  # so that it is seen again
            return doubts.rewritten(self.repository, self.remote)
        return None

    def _allowed(self, kind: str) -> bool:
        return kind in self.order.allowed

    def _target(self) -> str | SyncOutcome | None:
        """The commit both sides should agree on; None when there is none anywhere."""
        here, there = self.repository.head, self._known()
        if not self.config.pull:
            return self._without_pull(here, there) if here and there else here
        if here is None or there is None:
            return here or there
        repository = self.repository
        related = repository.contains(here, there) or repository.contains(there, here)
        if not related and not self._allowed(doubts.UNRELATED):
            limit = self.config.safety.min_files
            question = doubts.unrelated(self.repository, self.remote, here, there, limit)
            if question is not None:
                return question
        self.joiner.conflicts.clear()
        target = self.joiner.join(here, there)
        for more in waiting_commits(repository, here):
            target = self.joiner.join(target, more)
        return target

    def _without_pull(self, here: str, there: str) -> str | Failed:
        """`pull: false`: what the remote has more than we is left there."""
        if self.repository.contains(here, there) or self.repository.contains(there, here):
            return here
        return Failed(
            "diverged",
            f"{self.remote} has commits of others, and pull is off, so nothing can be pushed; "
            "merge by hand, or set pull: true.",
        )

    def _adopt(self, target: str) -> SyncOutcome:
        """The remote has it (or will not take it): bring branch, index and work tree to it."""
        memory = self.repository.memory
        if memory.published != memory.branch and (self.publisher.pushed or self._known()):
            memory.published = memory.branch
            self.repository.remember()
        here = self.repository.head
        refused, pushed = self.publisher.refused, self.publisher.pushed
        if not self.order.local:
            snapshots = Snapshots(self.repository, self.config, self.committer.author)
            snapshots.forget(self.remote if self.config.push else None)
        if here == target and not held.recall(self.repository):
            return Synced(Head(memory.branch, target), pushed, refused=refused)
        self.watcher.stage(Stage.UPDATE)
        update = Update(self.repository, self.committer, self.order, self.joiner)
        updated = update.run(target)
        if not isinstance(updated, Updated):
            return updated
        return Synced(
            Head(memory.branch, updated.head),
            pushed,
            pulled=updated.files,
            hosts=incoming_hosts(self.repository, here, updated.head),
            conflicts=tuple(self.joiner.conflicts),
            refused=refused,
            ahead=updated.head != target,
            held=held.describe(self.repository, updated.held),
            sweep=True,
        )


def sync(
    repository: Repository,
    committer: Committer,
    order: SyncOrder,
    *,
    watcher: Watcher,
    wait: Callable[[float], bool],
) -> SyncOutcome:
    """The verb Sync for whatever remote is configured."""
    config = committer.config
    remote = remotes.choose(repository, config)
    if remote is None and not order.local:
        if config.remote not in ("auto", "none"):
            name = config.remote
            text = f"There is no remote called {name}; add it with: git remote add {name} URL"
            return Away(AwayKind.NOT_FOUND, text)
        return NoRemote()
    name = remote or ""
    publisher = Publisher(repository, name, watcher, config.push and order.push)
    joiner = Joiner(repository, config.name, committer.author)
    return Sync(repository, committer, order, name, publisher, joiner, watcher, wait).run()
