"""Help for a machine that always loses the race: its own commits where nobody contests them.

`refs/autosync/tips/TREE/BRANCH` on the remote: the bytes are safe there, and whoever fetches takes them
along into the branch. A tip that the branch has had is never taken along again: when somebody takes
commits out of the branch and forces it, a tip that was forgotten there must not bring them back. So it
is taken away by its owner as soon as it has served, or by whoever finds it later. A tip on commits that
the branch has left is not taken along either: its owner is asked as soon as it fetches.
"""

from dataclasses import dataclass

from autosyncd.vcs.git import refs
from autosyncd.vcs.git.ownrefs import fetched_tips
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.remotes.answer import PushVerdict, push_answer
from autosyncd.vcs.git.remotes.doubts import seen_ref
from autosyncd.vcs.git.repository import Repository

HELP_AFTER = 4
"""Rejected pushes in a row after which we ask the others to take our commits along."""


@dataclass(slots=True)
class Tips:
    """The tips on one remote, as one Sync deals with them."""

    repository: Repository
    remote: str
    wanted: bool
    """Whether anything may be pushed."""
    asked: bool = False

    def ask(self, tries: int) -> None:
        """After some lost races; a hub that takes no such refs costs nothing but the try."""
        tip = self.repository.head
        if tries == HELP_AFTER and tip is not None:
            self.asked = push_own(self.repository, self.remote, f"+{tip}:{self._own}")

    def take_back(self) -> None:
        """Our commits are in the branch. A request that an earlier Sync could not take back any more
        is known by the fetch."""
        memory = self.repository.memory
        fetched = refs.fetched_tip(memory.tree, memory.branch)
        left = self.repository.commit_at(fetched)
        if not self.wanted or not (self.asked or left):
            return
        if push_own(self.repository, self.remote, f":{self._own}"):
            self.asked = False
            if left:
                self.repository.git("update-ref", "-d", fetched)

    def waiting(self) -> list[str]:
        """Those of other machines that the branch has never had."""
        seen, contains = self._seen, self.repository.contains
        return [tip for tip, _ in self._theirs() if seen is None or not contains(seen, tip)]

    def drop_served(self) -> None:
        """Take away those that the branch had already when we last agreed with the remote: their
        owners have not come to it. To be called after a fetch, before a push."""
        repository, seen = self.repository, self._seen
        if seen is None or not self.wanted or remotes.refuses_own_refs(repository):
            return
        for tip, tree in self._theirs():
            if not repository.contains(seen, tip):
                continue
            there = refs.tip(tree, repository.memory.branch)
            if push_own(repository, self.remote, f":{there}", f"--force-with-lease={there}:{tip}"):
                fetched = refs.fetched_tip(tree, repository.memory.branch)
                repository.git("update-ref", "-d", fetched)

    @property
    def _own(self) -> str:
        memory = self.repository.memory
        return refs.tip(memory.tree, memory.branch)

    @property
    def _seen(self) -> str | None:
        return self.repository.commit_at(seen_ref(self.repository))

    def _theirs(self) -> list[tuple[str, str]]:
        """Tip and tree of each other machine on this branch, as fetched."""
        memory = self.repository.memory
        return [
            (tip, tree)
            for tip, tree, branch in fetched_tips(self.repository)
            if tree != memory.tree and branch == memory.branch
        ]


def push_own(repository: Repository, remote: str, refspec: str, *options: str) -> bool:
    """Push one of our own refs; a hub that takes none of them costs only the try."""
    how = ("push", "--no-verify", "--progress", "--porcelain", *options)
    said = repository.git.network(*how, remote, refspec)
    answer = push_answer(said.code, said.out.decode("utf-8", "replace"), said.complaint)
    if answer.verdict is PushVerdict.REFUSED:
        remotes.own_refs_refused(repository)
    elif answer.verdict is PushVerdict.ACCEPTED:
        remotes.own_refs_taken(repository)
    return answer.verdict is PushVerdict.ACCEPTED
