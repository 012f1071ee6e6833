"""Sync: fetch, merge, publish, and only then touch the work tree.

The merge is made off the tree and pushed first: the window in which another machine can be faster is
one merge long. A rejected merge is thrown away and made anew from the newer tip.
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
    Question,
    Stage,
    Synced,
    SyncOrder,
    SyncOutcome,
    Watcher,
)
from autosyncd.vcs.git import merge as merging
from autosyncd.vcs.git import remote as remotes
from autosyncd.vcs.git.commit import Committer
from autosyncd.vcs.git.complaint import PushVerdict, away, push_answer
from autosyncd.vcs.git.condition import obstacle
from autosyncd.vcs.git.history import make_commit
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.update import update

TRIES = 60
"""Rejected pushes in a row before the verb gives way for a moment; it is due again at once."""
JITTER_STEP, JITTER_CAP = 0.03, 0.3
"""Seconds: doubling would starve the slowest of three busy machines."""


@dataclass(frozen=True, slots=True)
class Target:
    """What one round wants to make true: `tip` here and on the remote."""

    tip: str
    conflicts: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Sync:
    """One run of the verb."""

    repository: Repository
    committer: Committer
    order: SyncOrder
    remote: str
    watcher: Watcher
    wait: Callable[[float], bool]
    """Sleeps so many seconds; True when the worker is stopping."""
    refused: str = ""
    pushed: bool = False

    @property
    def config(self) -> RepoConfig:
        """The repository's entry."""
        return self.committer.config

    def run(self) -> SyncOutcome:
        """The verb Sync. Raises GitFailed for what is not expected."""
        waiting = obstacle(self.repository)
        if waiting is not None:
            return waiting
        known = self._known()
        nothing_to_push = not self.order.push or known in (None, self.repository.head)
        must_fetch = self.order.fetch or nothing_to_push
        for tries in range(1, TRIES + 1):
            if must_fetch:
                stop = self._fetch(known)
                if stop is not None:
                    return stop
            target = self._target()
            if not isinstance(target, Target):
                return target or Synced(None)
            answer = self._publish(target)
            if answer is PushVerdict.MOVED:
                must_fetch = True
                if self.wait(random.random() * min(JITTER_CAP, JITTER_STEP * tries)):  # noqa: S311
                    break
                continue
            if isinstance(answer, Away):
                return answer
            return self._adopt(target)
        return Dirty("The remote branch keeps moving.")

    def _known(self) -> str | None:
        return self.repository.commit_at(remotes.tracking_ref(self.repository, self.remote))

    def _fetch(self, known: str | None) -> SyncOutcome | None:
        """None: fetched, or the hub is still empty."""
        self.watcher.stage(Stage.FETCH)
        said = remotes.fetch(self.repository, self.remote)
        if isinstance(said, Away):
            return said
        branch = self.repository.memory.branch
        if said == remotes.BRANCH_MISSING:
            if self.repository.memory.published and "branch-gone" not in self.order.allowed:
                return Question(
                    "branch-gone",
                    f"The branch {branch} was removed from {self.remote}; going on pushes it again.",
                )
            if known is not None:
                ref = remotes.tracking_ref(self.repository, self.remote)
                self.repository.git("update-ref", "-d", ref)
            return None
        tip = self._known()
        if known and tip and not self._contains(tip, known):
            return self._rewritten(known)
        return None

    def _rewritten(self, known: str) -> SyncOutcome | None:
        """Somebody forced the branch to another history: merging would bring back what was removed."""
        if "rewritten-history" in self.order.allowed:
            return None
        ref = remotes.tracking_ref(self.repository, self.remote)
        self.repository.git("update-ref", ref, known)  # so that it is seen again next time
        return Question(
            "rewritten-history",
            f"The history of {self.repository.memory.branch} on {self.remote} was rewritten; going on "
            "merges it with what is here, which brings back what was removed there.",
        )

    def _contains(self, tip: str, commit: str) -> bool:
        said = self.repository.git("merge-base", "--is-ancestor", commit, tip, ok=(0, 1))
        return said.code == 0

    def _target(self) -> Target | SyncOutcome | None:
        """What both sides should agree on; None when there is no commit anywhere."""
        here, there = self.repository.head, self._known()
        if here is None or there is None:
            tip = here or there
            return Target(tip) if tip else None
        if here == there or self._contains(here, there):
            return Target(here)
        if not self.config.pull:
            return self._without_pull(here, there)
        if self._contains(there, here):
            return Target(there)
        if not merging.related(self.repository, here, there):
            question = self._unrelated(here, there)
            if question is not None:
                return question
        merged = merging.merge(self.repository, here, there)
        message = f"{self.config.name}: merge changes of other machines"
        tip = make_commit(
            self.repository, merged.tree, [here, there], message, self.committer.author
        )
        return Target(tip, merged.conflicts)

    def _without_pull(self, here: str, there: str) -> Target | Failed:
        """`pull: false`: what the remote has more than we is left there."""
        if self._contains(there, here):
            return Target(here)
        return Failed(
            "diverged",
            f"{self.remote} has commits of others, and pull is off, so nothing can be pushed; "
            "merge by hand, or set pull: true.",
        )

    def _unrelated(self, here: str, there: str) -> Question | None:
        """Two histories without a common beginning: a fresh README may join, a life's work is asked."""
        if "unrelated-history" in self.order.allowed:
            return None
        sizes = [
            self.repository.git("ls-tree", "-r", "-z", "--name-only", tip).out.count(b"\0")
            for tip in (here, there)
        ]
        if min(sizes) <= self.config.safety.min_files:
            return None
        return Question(
            "unrelated-history",
            f"The history on {self.remote} ({sizes[1]} files) has nothing in common with the one here "
            f"({sizes[0]} files); going on merges the two.",
        )

    def _publish(self, target: Target) -> PushVerdict | Away:
        """Push the target, unless it is there, is not wanted, or was refused for good."""
        known = self._known()
        wanted = self.config.push and self.order.push and not self.refused
        if not wanted or target.tip == known or (known and self._contains(known, target.tip)):
            return PushVerdict.ACCEPTED
        self.watcher.stage(Stage.PUSH)
        branch = self.repository.memory.branch
        said = self.repository.git.network(
            "push",
            "--progress",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            self.remote,
            f"{target.tip}:refs/heads/{branch}",
        )
        porcelain = said.out.decode("utf-8", "replace")
        answer = push_answer(said.code, porcelain, said.complaint)
        if answer.verdict is PushVerdict.AWAY:
            return away(said.complaint, self.remote)
        if answer.verdict is PushVerdict.REFUSED:
            self.refused = answer.text
        elif answer.verdict is PushVerdict.ACCEPTED:
            self.pushed = True
            ref = remotes.tracking_ref(self.repository, self.remote)
            self.repository.git("update-ref", ref, target.tip)
            self.watcher.pushed(Head(branch, target.tip))
        return answer.verdict

    def _adopt(self, target: Target) -> SyncOutcome:
        """The remote has it (or will not take it): bring branch, index and work tree to it."""
        memory = self.repository.memory
        if not memory.published and (self.pushed or self._known()):
            memory.published = True
            self.repository.remember()
        head = Head(memory.branch, target.tip)
        here = self.repository.head
        if here == target.tip:
            return Synced(head, self.pushed, refused=self.refused)
        self.watcher.stage(Stage.UPDATE)
        hosts = merging.incoming_hosts(self.repository, here, target.tip)
        files = update(self.repository, self.committer.guard, here, target.tip, self.order.allowed)
        if not isinstance(files, int):
            return files
        return Synced(head, self.pushed, files, hosts, target.conflicts, self.refused)


def sync(
    repository: Repository,
    committer: Committer,
    order: SyncOrder,
    *,
    watcher: Watcher,
    wait: Callable[[float], bool],
) -> SyncOutcome:
    """The verb Sync for whatever remote is configured."""
    remote = remotes.choose(repository, committer.config)
    if remote is None:
        if committer.config.remote not in ("auto", "none"):
            name = committer.config.remote
            text = f"There is no remote called {name}; add it with: git remote add {name} URL"
            return Away(AwayKind.NOT_FOUND, text)
        return NoRemote()
    return Sync(repository, committer, order, remote, watcher, wait).run()
