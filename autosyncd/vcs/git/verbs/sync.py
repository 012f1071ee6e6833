"""Sync: fetch, merge, publish, and only then touch the work tree.

The merge is made off the tree and pushed first: the window in which another machine can be faster is
one merge long. A rejected merge is thrown away and made anew from the newer tip, as often as it takes.
"""

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.driver import Watcher
from autosyncd.vcs.git import held, ownrefs, signing
from autosyncd.vcs.git.committing.attempt import Committer
from autosyncd.vcs.git.condition import obstacle, rewritten
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.merging.merge import incoming_hosts
from autosyncd.vcs.git.permission import refused
from autosyncd.vcs.git.remotes import doubts, place
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.remotes.answer import PushVerdict
from autosyncd.vcs.git.remotes.publish import Publisher
from autosyncd.vcs.git.remotes.tips import Tips
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import moved, takenback
from autosyncd.vcs.git.updating.update import Updated, update
from autosyncd.vcs.git.verbs.agreement import Agreement
from autosyncd.vcs.git.verbs.settings import follow
from autosyncd.vcs.git.verbs.snapshot import Snapshots
from autosyncd.vcs.orders import Stage, SyncOrder
from autosyncd.vcs.outcomes import Away, Dirty, Question, Synced, SyncOutcome, together
from autosyncd.vcs.priority import at_low_priority

TRIES = 200
"""Lost races in a row before the verb gives way for a moment; it is due again at once."""
UNFETCHED = 2
"""Pushes in a row that may go out without a fetch before them."""
JITTER_STEP, JITTER_CAP = 0.03, 0.3
"""Seconds: doubling would starve the slowest of three busy machines."""


@dataclass(slots=True, kw_only=True)
class Sync:
    """One run of the verb."""

    repository: Repository
    committer: Committer
    order: SyncOrder
    remote: str
    publisher: Publisher
    tips: Tips
    agreement: Agreement
    joiner: Joiner
    watcher: Watcher
    wait: Callable[[float], bool]
    """Sleeps so many seconds; True when the worker is stopping."""
    base: str | None = None
    """The commit here that the target was made from."""
    before: str | None = None
    """Where the remote's branch was before the first fetch."""
    apart: str = ""
    """What is said of a branch that nobody else has, if it gets there."""
    notes: list[str] = field(default_factory=list)
    """Sentences to say."""

    @property
    def config(self) -> RepoConfig:
        """The repository's entry."""
        return self.committer.config

    def run(self) -> SyncOutcome:
        """The verb Sync. Raises GitFailed for what is not expected."""
        waiting = obstacle(self.repository)
        if waiting is not None:
            return waiting
        self._bring_back()
        if self.order.local:
            here = self.base = self.repository.head
            return self._adopt(self.agreement.find_here(here)) if here else Synced(None)
        place.forget_old(self.repository)
        must_fetch = self._must_fetch()
        self.repository.unfetched += 0 if must_fetch else 1
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
            if answer not in (PushVerdict.MOVED, PushVerdict.LOCKED):
                self.tips.take_back()
                return self._adopt(target)
            must_fetch = True
            self.tips.ask(tries)
            if self.wait(random.random() * min(JITTER_CAP, JITTER_STEP * tries)):  # noqa: S311
                break
        return Dirty("The remote branch keeps moving.")

    def _bring_back(self) -> None:
        name, author = self.config.name, self.committer.author
        moved.follow(self.repository, author, name)
        for one in takenback.bring_back(self.repository, author, name):
            self.notes.append(f"{os.fsdecode(one.path)} {one.told}.")

    def _must_fetch(self) -> bool:
        """A push that is accepted proves that there was nothing to fetch."""
        repository = self.repository
        nothing_to_push = not self.order.push or self._known() in (None, repository.head)
        # whoever always wins must hear of those that lose (publish.py), so not always without
        often = repository.unfetched >= UNFETCHED
        unsure = place.is_another(repository) or self.publisher.is_unsure
        return self.order.fetch or nothing_to_push or often or unsure

    def _known(self) -> str | None:
        return self.repository.commit_at(remotes.tracking_ref(self.repository, self.remote))

    def _fetch(self) -> SyncOutcome | None:
        """None: fetched, or the hub is still empty."""
        self.watcher.stage(Stage.FETCH)
        repository = self.repository
        repository.unfetched = 0
        known = self._known()
        self.before = self.before or known
        said = remotes.fetch(repository, self.remote)
        if isinstance(said, Away):
            return said
        if said == remotes.BRANCH_MISSING:
            missing = doubts.branch_missing(
                repository, self.remote, self.order.allowed, pushes=self.publisher.wanted
            )
            if isinstance(missing, Question):
                return missing
            self.apart = missing
            if known is not None:
                ref = remotes.tracking_ref(repository, self.remote)
                repository.git("update-ref", "-d", ref)
        self.tips.drop_served()
        return None

    def _target(self) -> str | SyncOutcome | None:
        """The commit both sides should agree on; None when there is none anywhere."""
        here = self.base = self.repository.head
        return self.agreement.find(here, self._known(), self.before)

    def _adopt(self, target: str) -> SyncOutcome:
        """The remote has it (or will not take it): bring branch, index and work tree to it."""
        repository, memory = self.repository, self.repository.memory
        if memory.published != memory.branch and (self.publisher.pushed or self._known()):
            memory.published = memory.branch
            repository.remember()
        here = repository.head
        if (stop := rewritten(repository, self.base, here)) is not None:
            return stop
        if not self.order.local:
            snapshots = Snapshots(repository, self.config, self.committer.author)
            self.notes.append(snapshots.forget(self.remote if self.config.push else None))
        if here == target and not held.recall(repository):
            return self._synced(Synced(Head(memory.branch, target)))
        self.watcher.stage(Stage.UPDATE)
        if self.joiner.left is not None:
            ownrefs.keep_before(repository, self.joiner.left)
        bring = partial(update, repository, self.committer, self.order, joiner=self.joiner)
        bring_to = partial(bring, base=here, target=target)
        updated = at_low_priority(bring_to, wanted=self.order.gentle)
        if not isinstance(updated, Updated):
            return updated
        return self._synced(
            Synced(
                Head(memory.branch, updated.head),
                pulled=updated.files,
                hosts=incoming_hosts(repository, here, updated.head),
                conflicts=tuple(self.joiner.conflicts),
                ahead=updated.head != (self.base if self.order.local else target),
                held=held.describe(repository, updated.held),
                in_the_way=updated.in_the_way,
                sweep=True,
                note=updated.note,
            )
        )

    def _synced(self, synced: Synced) -> Synced:
        """Here and there agree: remember it, and say what is to be said."""
        notes = [synced.note, *self.notes, self.publisher.untaken]
        if not self.order.local:
            doubts.saw(self.repository, self._known())
            notes.append(remotes.to_tell(self.repository, self.remote))
        for edit in self.joiner.carried:
            ownrefs.leave_side(self.repository, edit)
        if self.joiner.left is not None:
            notes.append(doubts.followed(self.repository, self.remote, self.joiner.left))
        said = self.publisher
        note = together(*notes, self.apart if said.pushed else "")
        return replace(synced, pushed=said.pushed, refused=said.refused, full=said.full, note=note)


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
    follow(repository, config)
    remote = remotes.choose(repository, config)
    if remote is None and not order.local:
        return _told(repository, remotes.none_chosen(config))
    name = remote or ""
    wanted = config.push and order.push
    publisher, tips = Publisher(repository, name, watcher, wanted), Tips(repository, name, wanted)
    joiner = Joiner(repository, config.name, committer.author)
    agreement = Agreement(
        repository=repository,
        committer=committer,
        allowed=order.allowed,
        remote=name,
        tips=tips,
        joiner=joiner,
        gentle=order.gentle,
    )
    run = Sync(
        repository=repository,
        committer=committer,
        order=order,
        remote=name,
        publisher=publisher,
        tips=tips,
        agreement=agreement,
        joiner=joiner,
        watcher=watcher,
        wait=wait,
    )
    return _told(repository, run.run())


def _told(repository: Repository, outcome: SyncOutcome) -> SyncOutcome:
    """The outcome, with what is to be said besides."""
    if isinstance(outcome, Synced):
        return replace(outcome, note=together(outcome.note, signing.to_tell(repository)))
    if isinstance(outcome, Away):  # git tells a fetch that can't be stored in many ways
        return refused(repository) or outcome
    return outcome
