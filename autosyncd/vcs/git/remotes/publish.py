"""Push the target.

A push that is accepted proves that the remote has the commit: only then is it announced. So does a
fetch that finds it there, though no push of ours was answered. One that is
rejected lost a race: the merge is thrown away and made anew. A machine that keeps losing asks the others
for help (tips.py).
"""

import os
import shlex
from dataclasses import dataclass

from autosyncd.model import Head
from autosyncd.vcs.channel import normalise
from autosyncd.vcs.driver import Watcher
from autosyncd.vcs.git import durable
from autosyncd.vcs.git.command import Result
from autosyncd.vcs.git.committing import hooks
from autosyncd.vcs.git.remotes import place
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.remotes.answer import (
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
from autosyncd.vcs.outcomes import Away

PATIENCE_WITH_A_LOCK = 30
"""Pushes in a row, some seconds, that may find the hub's branch locked: more is not another machine."""

WORDS = 300
"""Characters of a server's words where a command is to follow."""


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
    """What is said of a further place that is pushed to, and did not take it."""
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
            return PushVerdict.ACCEPTED
        durable.ensure(self.repository, self.repository.head)
        self.watcher.stage(Stage.PUSH)
        branch = self.repository.memory.branch
        places = self._places()
        said = self._push(tip, places[0], self._lease(tip, known))
        answer = push_answer(said.code, said.out.decode("utf-8", "replace"), said.complaint)
        if answer.verdict is PushVerdict.AWAY:
            return no_answer(said.complaint, self.remote)
        self.locked = self.locked + 1 if answer.verdict is PushVerdict.LOCKED else 0
        if self.locked >= PATIENCE_WITH_A_LOCK:
            return hub_locked(answer.text, self.remote)
        if answer.verdict is PushVerdict.REFUSED:
            hook = hooks.path_of(self.repository, hooks.PRE_PUSH) if answer.own_hook else None
            self.refused = refusal(self._way_out(answer.text, said.complaint), hook)
        elif answer.verdict is PushVerdict.FULL:
            self.full = hub_full(answer.text, self.remote)
        elif answer.verdict is PushVerdict.ACCEPTED:
            self.pushed = True
            self.watcher.pushed(Head(branch, tip))  # at once: others wait for it
            refs = remotes.tracking_ref(self.repository, self.remote), seen_ref(self.repository)
            stdin = "".join(f"update {ref} {tip}\n" for ref in refs).encode()
            self.repository.git("update-ref", "--stdin", stdin=stdin)
            place.agreed(self.repository)
            self._push_further(tip, places[1:])
        return answer.verdict

    def _push(self, tip: str, where: str, lease: tuple[str, ...] = ()) -> Result:
        return self.repository.git.network(
            "push",
            "--progress",
            "--porcelain",
            "--no-follow-tags",
            "--recurse-submodules=no",
            *lease,
            where,
            f"{tip}:{self.repository.ref}",
        )

    def _places(self) -> list[str]:
        """Where to push: the remote; where it has several `pushurl` (git-remote(1)) each of them by
        itself, first the one that is read, as its answer alone says what others can have."""
        git = self.repository.git
        to = git.addresses(self.remote, pushes=True)
        if len(to) == 1:
            return [self.remote]
        read = normalise(git.addresses(self.remote, pushes=False)[0], machine_id="")
        return sorted(to, key=lambda one: normalise(one, machine_id="") != read)

    def _push_further(self, tip: str, places: list[str]) -> None:
        """Nothing is known of where the branch is there, so nothing is leased."""
        for one in places:
            said = self._push(tip, one)
            if said.code:
                self.untaken = not_taken(said.complaint, self.remote, one)

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
