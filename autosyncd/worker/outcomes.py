"""Pure: what the machine makes of the end of a Commit; one branch per outcome."""

from autosyncd.link.messages import (
    Committed,
    cut,
)
from autosyncd.vcs.changes import NOTHING_CHANGED, Scope
from autosyncd.vcs.outcomes import (
    Aborted,
    CommitMade,
    Failed,
    LeftOut,
    NothingToCommit,
    Question,
    Waiting,
)
from autosyncd.worker import asking
from autosyncd.worker import events as ev
from autosyncd.worker.looking import at_head
from autosyncd.worker.setbacks import fail, some_names, wait
from autosyncd.worker.state import GONE_AGAIN, NEVER, Activity
from autosyncd.worker.turn import Turn

WATCH_RETOLD = 3600.0
"""Seconds after which other numbers of folders that are not watched are worth telling again."""
TROUBLE = ("git-failed", "no-memory", "disk-full", "read-only", "disk-error", "not-writable")
"""Kinds of Failed that are over when a commit is made, or there is nothing to commit."""


def commit_ended(turn: Turn, event: ev.CommitEnded) -> None:
    """A commit was made, or there was nothing, or it must be done later."""
    outcome = event.outcome
    turn.change(activity=Activity.IDLE, stage=None)
    match outcome:
        case CommitMade():
            asking.void(turn, in_sync=False)
            _committed(turn, outcome)
            asking.look_when_quiet(turn)
        case NothingToCommit(head, left_out):
            asking.void(turn, in_sync=False)
            _clean(turn, left_out)
            at_head(turn, head)
        case Waiting():
            _put_back(turn)
            wait(turn, outcome)
        case Question():
            _put_back(turn)
            asking.halt(turn, outcome)
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
    turn.change(waiting=None, looks=0, trouble="", staged_since=None)
    turn.change(working=NOTHING_CHANGED, committed=True)
    if not turn.state.unpushed:
        turn.change(hurry=False)
    turn.change(snapshot_due=NEVER, snapshot_by=NEVER)
    turn.solved("waiting", "hook", *TROUBLE)
    if turn.now - turn.state.last_gone > GONE_AGAIN:
        turn.solved("unwatchable")
    _tell_watch(turn)
    asking.serve(turn, asking.OF_COMMITS)
    if turn.state.remote is None:
        asking.serve(turn, turn.state.allowed)
        turn.change(unpushed=False, hurry=False)
    kept = (one for one in turn.state.left_out if not _was_looked_at(one.path, working))
    _tell_left_out(turn, frozenset(left_out).union(kept))


def _tell_watch(turn: Turn) -> None:
    """Folders come one by one, so the numbers that were told first may be small; now they are known."""
    state = turn.state
    if state.watch_text == state.watch_told or turn.now < state.watch_retold_due:
        return
    turn.change(watch_told=state.watch_text, watch_retold_due=turn.now + WATCH_RETOLD)
    turn.solved("watch-limit")
    turn.problem("watch-limit", state.watch_text)


def _was_looked_at(path: bytes, scope: Scope) -> bool:
    """Whether it, or a folder above it, was in the scope of the commit."""
    if scope.everything or path in scope.paths:
        return True
    parts = path.split(b"/")
    return any(b"/".join(parts[:count]) in scope.paths for count in range(1, len(parts)))


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
    turn.change(scope=state.scope | state.working, working=NOTHING_CHANGED, committed=False)
