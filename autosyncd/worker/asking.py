"""Pure: questions that a person must answer before anything is done, and their end without an answer.

Files are put back, or what came in is taken back where it was done: then there is nothing to ask any
more. So whatever asked is run again when something has changed: it is run without the answer, so it
still does nothing of what it would ask about.
"""

import shlex

from autosyncd.model import RepoConfig
from autosyncd.vcs.outcomes import Question
from autosyncd.worker.commands import Remember
from autosyncd.worker.state import NEVER
from autosyncd.worker.turn import Turn

RELOOK_MOST = 60.0
"""Seconds between looks at a tree that keeps changing while the question stays the same."""
TAKE_BACK = (
    "if it isn't meant, take it back where it was done, with git revert; it goes on by itself"
)
WAYS_BACK = {
    "mass-deletion": "to get the files back: git -C {path} checkout-index -aq",
    "mass-modification": "to get the old versions back: git -C {path} restore .",
    "incoming-mass-deletion": TAKE_BACK,
    "incoming-mass-modification": TAKE_BACK,
    "first-adoption": "to leave files out, add them to .gitignore; it looks again by itself",
}
"""What to do, by kind, where going on is not what a person wants."""
OF_COMMITS = frozenset({"mass-deletion", "mass-modification", "first-adoption"})
"""Kinds that are about what is committed here, also where a Sync met it: a Commit takes the answer."""


def said(question: Question, policy: RepoConfig) -> str:
    """The question, and both ways on."""
    back = WAYS_BACK.get(question.kind, "").format(path=shlex.quote(policy.path))
    go_on = f"{question.text} To go on: autosyncctl resume {policy.name}"
    return f"{go_on} ({back})" if back else go_on


def halt(turn: Turn, question: Question) -> None:
    """Stop before the limit and ask; resume goes on."""
    state = turn.state
    if question.kind in state.allowed - state.agreed:
        turn.change(hurry=True)  # it was answered while it was being asked once more
        return
    if question == state.question:
        turn.change(relooks=state.relooks + 1)
        return
    if state.question is not None:
        turn.solved(state.question.kind)
    in_sync = question.kind not in OF_COMMITS
    turn.change(question=question, asked_in_sync=in_sync, relooks=0)
    turn.problem(question.kind, said(question, turn.policy))


def void(turn: Turn, *, in_sync: bool) -> None:
    """What asked had nothing to ask this time."""
    question = turn.state.question
    if question is not None and turn.state.asked_in_sync == in_sync:
        turn.change(question=None)
        turn.solved(question.kind)


def look_when_quiet(turn: Turn) -> None:
    """Something has changed that may have been the reason."""
    state, now, policy = turn.state, turn.now, turn.policy
    if state.question is None:
        return
    wait = max(policy.commit_after, min(2.0**state.relooks, RELOOK_MOST))
    by = min(state.relook_by, now + max(wait, policy.commit_within))
    turn.change(relook_due=min(now + wait, by), relook_by=by)


def look_now(turn: Turn) -> None:
    """Run again what has asked, as soon as nothing else forbids it."""
    if turn.state.question is not None:
        turn.change(relook_due=turn.now)


def look_there(turn: Turn) -> None:
    """The same, where it was the remote that brought what is asked about."""
    if turn.state.asked_in_sync:
        look_now(turn)


def begin(turn: Turn) -> None:
    """A verb begins that may ask."""
    turn.change(relook_due=NEVER, relook_by=NEVER, agreed=turn.state.allowed)


def serve(turn: Turn, kinds: frozenset[str]) -> None:
    """What these answers were about is done: whatever comes next is asked about anew, also by a
    successor."""
    left = turn.state.allowed - kinds
    if left != turn.state.allowed:
        turn.change(allowed=left)
        turn.command(Remember(turn.state.paused_until, left))
