"""Push the target.

A push that is accepted proves that the remote has the commit: only then is it announced. So does a
fetch that finds it there, though no push of ours was answered. One that is
rejected lost a race: the merge is thrown away and made anew. A machine that keeps losing asks the others
for help (tips.py).
"""

import os
import shlex
from dataclasses import dataclass

from autosyncd import clock
from autosyncd.model import Head
from autosyncd.vcs.driver import Watcher
from autosyncd.vcs.git import durable
from autosyncd.vcs.git.committing import hooks
from autosyncd.vcs.git.remotes import addresses, place
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.remotes.addresses import Address, Addresses
from autosyncd.vcs.git.remotes.answer import (
    PushAnswer,
    PushVerdict,
    hub_full,
    hub_locked,
    no_answer,
    not_taken,
    push_answer,
    refusal,
)
from autosyncd.vcs.git.remotes.doubts import seen_ref
from autosyncd.vcs.git.remotes.unpush import blamed
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.orders import Stage
from autosyncd.vcs.outcomes import Away, together

PATIENCE_WITH_A_LOCK = 30
"""Pushes in a row, some seconds, that may find the hub's branch locked: more is not another machine."""

WORDS = 300
"""Characters of a server's words where a command is to follow."""

FURTHER_AGAIN = 300.0
"""Seconds until an address that did not take what was pushed is tried again."""
_TAKEN = PushVerdict.ACCEPTED
_TELLING = (
    PushVerdict.MOVED,
    PushVerdict.LOCKED,
    PushVerdict.REFUSED,
    PushVerdict.FULL,
    PushVerdict.AWAY,
)
"""What tells most of a push to several addresses that came to nothing comes first."""


@dataclass(slots=True)
class Publisher:
    """Pushes of one Sync."""

    repository: Repository
    remote: str
    watcher: Watcher
    wanted: bool
    refused: str = ""
    full: str = ""
    untaken: str = ""
    """What is said of further addresses that are pushed to, and did not take it."""
    pushed: bool = False
    locked: int = 0
    """Pushes in a row that found a lock file there."""

    def publish(self, tip: str, known: str | None) -> PushVerdict | Away:
        """Push `tip`, unless the remote has it, it is not wanted, or was refused for good."""
        if tip == known == self.repository.head:
            self._tell_of_others_push(tip)
        if not self.wanted or self.refused:
            return PushVerdict.ACCEPTED
        if known is not None and self._has(known, tip):
            self._make_up_for(tip)
            return PushVerdict.ACCEPTED
        return self._push_out(tip, known)

    def _push_out(self, tip: str, known: str | None) -> PushVerdict | Away:
        durable.ensure(self.repository, self.repository.head)
        self.watcher.stage(Stage.PUSH)
        to = addresses.of(self.repository, self.remote)
        if to.further:
            self._owe(owes=True)  # before a kill can come between two pushes
        answer, complaint = self._push_to(tip, known, to)
        if answer.verdict is PushVerdict.AWAY:
            return no_answer(complaint, self.remote)
        self.locked = self.locked + 1 if answer.verdict is PushVerdict.LOCKED else 0
        if self.locked >= PATIENCE_WITH_A_LOCK:
            return hub_locked(answer.text, self.remote)
        if answer.verdict is PushVerdict.REFUSED:
            hook = hooks.path_of(self.repository, hooks.PRE_PUSH) if answer.own_hook else None
            self.refused = refusal(self._way_out(answer.text, complaint), hook)
        elif answer.verdict is PushVerdict.FULL:
            self.full = hub_full(answer.text, self.remote)
        elif answer.verdict is PushVerdict.ACCEPTED:
            self._accepted(tip)
            if to.read is not None and to.further:
                self._push_further(tip, to.further)
        return answer.verdict

    def _accepted(self, tip: str) -> None:
        self.pushed = True
        # at once: others wait for it
        self.watcher.pushed(Head(self.repository.memory.branch, tip))
        refs = remotes.tracking_ref(self.repository, self.remote), seen_ref(self.repository)
        stdin = "".join(f"update {ref} {tip}\n" for ref in refs).encode()
        self.repository.git("update-ref", "--stdin", stdin=stdin)
        place.agreed(self.repository)

    @property
    def is_unsure(self) -> bool:
        """Whether it can't be told which of several addresses is the one that is read: then nothing is
        leased, so nothing may be pushed without a fetch."""
        return self.wanted and addresses.of(self.repository, self.remote).read is None

    def _push_to(self, tip: str, known: str | None, to: Addresses) -> tuple[PushAnswer, str]:
        """What came of it, and what was complained."""
        if to.read is not None:
            return self._push(tip, to.read, self._lease(tip, known))
        said = {one: self._push(tip, one) for one in to.further}
        missed = {one: what for one, what in said.items() if what[0].verdict is not _TAKEN}
        if missed and not self._is_there(tip):
            return min(missed.values(), key=lambda one: _TELLING.index(one[0].verdict))
        self._tell(missed)
        return PushAnswer(PushVerdict.ACCEPTED), ""

    def _push(self, tip: str, to: Address, lease: tuple[str, ...] = ()) -> tuple[PushAnswer, str]:
        said = self.repository.git.network(
            "push",
            "--progress",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            *lease,
            to.given,
            f"{tip}:{self.repository.ref}",
            address=to.whole,
        )
        text = said.out.decode("utf-8", "replace")
        return push_answer(said.code, text, said.complaint), said.complaint

    def _is_there(self, tip: str) -> bool:
        """Whether the branch is there where the remote is read."""
        said = self.repository.git.network("ls-remote", self.remote, self.repository.ref)
        return said.code == 0 and said.out.split()[:1] == [tip.encode()]

    def _push_further(self, tip: str, to: tuple[Address, ...]) -> None:
        """Nothing is known of where the branch is there, so nothing is leased."""
        self._tell({one: self._push(tip, one) for one in to})

    def _tell(self, said: dict[Address, tuple[PushAnswer, str]]) -> None:
        """Of further addresses, what they did not take; it is owed to them."""
        missed = {one: what for one, what in said.items() if what[0].verdict is not _TAKEN}
        for one, (answer, complaint) in missed.items():
            told = not_taken(answer, complaint, self.remote, one.whole)
            self.untaken = together(self.untaken, told)
        self._owe(owes=bool(missed))

    def _make_up_for(self, tip: str) -> None:
        """What further addresses did not get: they were away, or we were killed between two pushes."""
        repository, now = self.repository, clock.now()
        if not repository.memory.owes or now < repository.owed_due:
            return
        repository.owed_due = now + FURTHER_AGAIN
        further = addresses.of(repository, self.remote).further
        self._owe(owes=any(self._push(tip, one)[0].verdict is not _TAKEN for one in further))

    def _owe(self, *, owes: bool) -> None:
        """Remember whether a further address may be without what was pushed."""
        memory = self.repository.memory
        if memory.owes != owes:
            memory.owes = owes
            self.repository.remember()

    def _tell_of_others_push(self, tip: str) -> None:
        """What is here has come to the remote by a push of the person's, or by one of ours whose answer
        was lost: nobody has announced it. (The fetch has just shown that it is there.)"""
        seen = self.repository.commit_at(seen_ref(self.repository))
        if seen is not None and not self.repository.contains(seen, tip):
            self.watcher.pushed(Head(self.repository.memory.branch, tip))

    def _lease(self, tip: str, known: str | None) -> tuple[str, ...]:
        """Push only from where we know the branch to be (git-push(1)): one that was set back would take
        all that was removed again. The tip contains that, so nothing is ever forced."""
        if known is None or not self.repository.contains(tip, known):
            return ()
        return (f"--force-with-lease={self.repository.ref}:{known}",)

    def _way_out(self, words: str, complaint: str) -> str:
        """The server's words; and where they name a file of ours, the command that helps."""
        path = blamed(self.repository, complaint)
        if path is None:
            return words
        full = os.path.join(os.fsdecode(self.repository.root), os.fsdecode(path))
        return (
            f"{words[:WORDS]} To push all but that file, which stays here: "
            f"autosyncctl unpush {shlex.quote(full)}"
        )

    def _has(self, known: str, tip: str) -> bool:
        """Whether the remote has the tip already. (One that contains what it has is newer.)"""
        newer = tip != known and self.repository.contains(tip, known)
        return not newer and self.repository.contains(known, tip)
