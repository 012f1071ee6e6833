"""Pure: what the machine makes of the end of Inspect and Commit; one branch per outcome."""

from autosyncd.link.messages import (
    Committed,
    Identity,
    cut,
)
from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED
from autosyncd.vcs.outcomes import (
    Aborted,
    CommitMade,
    Failed,
    LeftOut,
    NothingToCommit,
    Question,
    Ready,
    Unfit,
    Waiting,
)
from autosyncd.worker import events as ev
from autosyncd.worker.atrest import HOUSEKEEP_FIRST
from autosyncd.worker.setbacks import fail, halt, some_names, wait
from autosyncd.worker.state import (
    NEVER,
    SWEEP_FIRST,
    Activity,
    look_after,
)
from autosyncd.worker.turn import Turn

# Inspect


def inspected(turn: Turn, event: ev.Inspected) -> None:
    """The tree was looked at: it can be worked in, or is looked at again later."""
    outcome = event.outcome
    turn.change(activity=Activity.IDLE)
    match outcome:
        case Ready():
            _ready(turn, outcome)
        case Unfit(text):
            turn.change(unfit=text, inspect_due=turn.now + look_after(10))
            turn.problem("unfit", text)
        case Waiting():
            wait(turn, outcome)
        case Failed(kind, text):
            fail(turn, kind, text)
        case Aborted():
            pass


def _ready(turn: Turn, ready: Ready) -> None:
    turn.change(
        inspected=True,
        unfit="",
        waiting=None,
        looks=0,
        trouble="",
        remote=ready.remote,
        scope=turn.state.scope | EVERYTHING,
        first_change=turn.now,
        last_change=-NEVER,
        sweep_due=turn.now + SWEEP_FIRST,
        housekeep_due=turn.now + HOUSEKEEP_FIRST,
        held_due=turn.now if ready.held else NEVER,
    )
    turn.solved("unfit", "gone")
    turn.command(ev.SetWatches(ready.ignored))
    url = cut(ready.url, 300)
    turn.report(Identity(ready.tree, ready.channels, ready.remote, ready.branch, ready.head, url))
    if ready.note and ready.note != turn.state.noted:  # a tree comes back as it went
        turn.change(noted=ready.note)
        turn.command(ev.Say(ready.note))


# Commit


def commit_ended(turn: Turn, event: ev.CommitEnded) -> None:
    """A commit was made, or there was nothing, or it must be done later."""
    outcome = event.outcome
    turn.change(activity=Activity.IDLE, stage=None)
    match outcome:
        case CommitMade():
            _committed(turn, outcome)
        case NothingToCommit(_, left_out):
            _clean(turn, left_out)
        case Waiting():
            _put_back(turn)
            wait(turn, outcome)
        case Question():
            _put_back(turn)
            halt(turn, outcome)
        case Failed(kind, text):
            _put_back(turn)
            fail(turn, kind, text)
        case Aborted():
            _put_back(turn)
            turn.change(not_before=NEVER)  # it is aborted only to end


def _committed(turn: Turn, made: CommitMade) -> None:
    state = turn.state
    _clean(turn, made.left_out)
    turn.change(
        unpushed=True,
        first_unpushed=state.first_unpushed if state.unpushed else turn.now,
        last_commit=turn.now,
        description="",
    )
    turn.report(Committed(made.head, made.files, cut(made.subject, 200)))


def _clean(turn: Turn, left_out: tuple[LeftOut, ...]) -> None:
    """The work tree is in history."""
    working = turn.state.working
    turn.change(waiting=None, looks=0, trouble="", staged_since=None, working=NOTHING_CHANGED)
    if not turn.state.unpushed:
        turn.change(hurry=False)
    turn.change(snapshot_due=NEVER)
    turn.solved("waiting", "hook", "git-failed", "no-memory")
    turn.solved("disk-full", "read-only", "disk-error")
    if turn.state.remote is None:
        turn.change(allowed=frozenset(), unpushed=False, hurry=False)
    kept = frozenset() if working.everything else turn.state.left_out
    no_longer = {one for one in kept if one.kind == "nested" and one.path in working.paths}
    _tell_left_out(turn, (kept - no_longer) | frozenset(left_out))


COMMITTED = ("stale", "taken-back")
"""Kinds that are told the same way, though all of it is in history."""


def _tell_left_out(turn: Turn, left_out: frozenset[LeftOut]) -> None:
    """What is deliberately not in history is told once, by kind."""
    before = turn.state.left_out
    turn.change(left_out=left_out)
    for kind in sorted({one.kind for one in before | left_out}):
        now = [one.path for one in left_out if one.kind == kind]
        if not now:
            turn.solved(f"left-out-{kind}")
        elif {one for one in left_out - before if one.kind == kind}:
            text = next(one.text for one in left_out if one.kind == kind)
            turn.solved(f"left-out-{kind}")
            lead = "" if kind in COMMITTED else "Not committed: "
            turn.problem(f"left-out-{kind}", f"{lead}{some_names(now)}: {text}.")


def _put_back(turn: Turn) -> None:
    """The commit was not made: what it looked at is still to be done."""
    state = turn.state
    turn.change(scope=state.scope | state.working, working=NOTHING_CHANGED)
