"""Pure: what the machine makes of a verb's end. One function per verb, one branch per outcome."""

from autosyncd.link.messages import (
    Committed,
    Conflict,
    HeadMoved,
    Identity,
    Pulled,
    cut,
    cut_paths,
)
from autosyncd.vcs.driver import (
    EVERYTHING,
    NOTHING_CHANGED,
    Aborted,
    Away,
    AwayKind,
    CommitMade,
    Dirty,
    Failed,
    LeftOut,
    NoRemote,
    NothingToCommit,
    Question,
    Ready,
    Synced,
    Unfit,
    Waiting,
    Why,
)
from autosyncd.worker import events as ev
from autosyncd.worker.state import (
    HOUSEKEEP_FIRST,
    NEVER,
    REFUSED_EVERY,
    RETRY_MOST,
    SNAPSHOT_AFTER,
    WAITING_LONG,
    Activity,
    State,
    look_after,
    retry_after,
)
from autosyncd.worker.turn import Turn

SWEEP_FIRST = 2.0
"""Seconds an old version is kept at least: for a process between lookup and open of its name."""
WORTH_AN_ALERT = 8
"""Failed tries in a row (a quarter of an hour) before a remote that is away is told to a person."""


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
            _wait(turn, outcome)
        case Failed(kind, text):
            _fail(turn, kind, text)
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
        scope=EVERYTHING,
        first_change=turn.now,
        last_change=-NEVER,
        sweep_due=turn.now + SWEEP_FIRST,
        housekeep_due=turn.now + HOUSEKEEP_FIRST,
        held_due=turn.now if ready.held else NEVER,
    )
    turn.solved("unfit", "gone")
    turn.command(ev.SetWatches(ready.ignored))
    turn.report(Identity(ready.tree, ready.channels, ready.remote, ready.branch, ready.head))
    if ready.note:
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
            _wait(turn, outcome)
        case Question():
            _put_back(turn)
            _halt(turn, outcome)
        case Failed(kind, text):
            _put_back(turn)
            _fail(turn, kind, text)
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
    turn.solved("waiting", "git-failed", "disk-full", "read-only", "operation", "staged", "locked")
    if turn.state.remote is None:
        turn.change(allowed=frozenset(), unpushed=False, hurry=False)
    kept = frozenset() if working.everything else turn.state.left_out
    _tell_left_out(turn, kept | frozenset(left_out))


def _tell_left_out(turn: Turn, left_out: frozenset[LeftOut]) -> None:
    """What is deliberately not in history is told once, by kind."""
    before = turn.state.left_out
    turn.change(left_out=left_out)
    for kind in sorted({one.kind for one in before | left_out}):
        now = sorted(_name(one.path) for one in left_out if one.kind == kind)
        if not now:
            turn.solved(f"left-out-{kind}")
        elif {one for one in left_out - before if one.kind == kind}:
            text = next(one.text for one in left_out if one.kind == kind)
            names = ", ".join(cut(name, 80) for name in now[:3])
            more = f" and {len(now) - 3} more" if len(now) > 3 else ""
            turn.solved(f"left-out-{kind}")
            turn.problem(f"left-out-{kind}", f"Not committed: {names}{more}: {text}.")


def _put_back(turn: Turn) -> None:
    """The commit was not made: what it looked at is still to be done."""
    state = turn.state
    turn.change(scope=state.scope | state.working, working=NOTHING_CHANGED)


# Sync


def sync_ended(turn: Turn, event: ev.SyncEnded) -> None:
    """Here and there agree, or it must be done later."""
    outcome = event.outcome
    turn.change(activity=Activity.IDLE, stage=None)
    match outcome:
        case Synced():
            _synced(turn, outcome)
        case NoRemote():
            turn.change(remote=None, unpushed=False, pull_ordered=False, hurry=False)
        case Dirty(text):
            _dirty(turn, text)
        case Away(kind, text):
            _away(turn, kind, text)
        case Waiting():
            turn.change(pull_ordered=True)
            _wait(turn, outcome)
        case Question():
            turn.change(pull_ordered=True)
            _halt(turn, outcome)
        case Failed(kind, text):
            _sync_failed(turn, kind, text)
        case Aborted():
            turn.change(pull_ordered=True)


def _synced(turn: Turn, synced: Synced) -> None:
    order = turn.state.syncing
    if order is None or not order.local:
        _agreed(turn, synced, pushing=order is None or order.push)
    turn.change(waiting=None, looks=0)
    turn.solved("in-the-way")
    if synced.ahead:
        turn.change(unpushed=True, first_unpushed=turn.now, last_commit=turn.now)
    if synced.sweep:
        turn.change(sweep_due=turn.now + SWEEP_FIRST, sweeps=0)
    _hold(turn, synced.held)
    _tell_news(turn, synced)


def _agreed(turn: Turn, synced: Synced, *, pushing: bool) -> None:
    """The remote was asked, and agrees with what is here."""
    _back_in_touch(turn)
    if turn.state.allowed:
        turn.command(ev.Remember(turn.state.paused_until, frozenset()))
    turn.change(last_sync=turn.now, hurry=False, allowed=frozenset())
    if pushing:
        _tell_refused(turn, synced.refused)


def _hold(turn: Turn, held: tuple[str, ...]) -> None:
    """Files that somebody has open are tried again when they change, and now and then."""
    due = turn.now + look_after(6) if held else NEVER
    turn.change(held=held, held_due=due)


def _tell_news(turn: Turn, synced: Synced) -> None:
    if synced.head is not None and synced.head == turn.state.ordered:
        turn.change(pull_ordered=False, ordered=None)  # ordered again while it was on its way
    if synced.head is not None and synced.head != turn.state.merged:
        turn.change(merged=synced.head)
        turn.report(HeadMoved(synced.head))
    if synced.pulled and synced.head is not None:
        turn.change(last_activity=turn.now)
        turn.report(Pulled(synced.head, synced.pulled, synced.hosts))
    if synced.conflicts:
        names = tuple(_name(path) for path in synced.conflicts)
        turn.report(Conflict(len(names), cut_paths(names)))


def swept(turn: Turn, event: ev.Swept) -> None:
    """Old versions were let go of; what somebody still writes to is looked at again."""
    sweeps = turn.state.sweeps + 1
    due = turn.now + min(SWEEP_FIRST * 2 ** min(sweeps, 5), 60.0) if event.left else NEVER
    turn.change(activity=Activity.IDLE, sweeps=sweeps, sweep_due=due)


def _back_in_touch(turn: Turn) -> None:
    turn.change(failures=0, sync_trouble="", sync_not_before=-NEVER)
    turn.solved(*(kind.value for kind in AwayKind), "sync-failed", "diverged")


def _tell_refused(turn: Turn, refused: str) -> None:
    until = turn.now + REFUSED_EVERY if refused else -NEVER
    turn.change(refused=refused, refused_until=until, unpushed=bool(refused))
    if refused:
        turn.problem(
            "push-refused",
            f"The remote refuses the push; commits stay here, and it is tried again slowly: {refused}",
        )
    else:
        turn.solved("push-refused")


def _dirty(turn: Turn, text: str) -> None:
    """Commit what slipped in, then sync again; slower each time, should it not be committable."""
    failures = turn.state.failures + 1
    turn.change(
        scope=EVERYTHING,
        first_change=-NEVER,
        pull_ordered=True,
        failures=failures,
        sync_not_before=turn.now + min(0.1 * 2 ** min(failures, 12), RETRY_MOST),
        sync_trouble=text if failures > 3 else "",
    )


def _away(turn: Turn, kind: AwayKind, text: str) -> None:
    failures = turn.state.failures + 1
    turn.change(
        failures=failures,
        pull_ordered=True,
        hurry=False,
        sync_trouble=text,
        sync_not_before=turn.now + retry_after(failures),
    )
    if kind is not AwayKind.NETWORK or failures >= WORTH_AN_ALERT:
        turn.problem(kind.value, text)


def _sync_failed(turn: Turn, kind: str, text: str) -> None:
    failures = turn.state.failures + 1
    turn.change(
        failures=failures,
        pull_ordered=True,
        hurry=False,
        sync_trouble=text,
        sync_not_before=turn.now + retry_after(failures),
    )
    turn.problem("diverged" if kind == "diverged" else "sync-failed", text)


# whatever the verb


def _wait(turn: Turn, waiting: Waiting) -> None:
    """Keep the hands off and look again soon; it goes on by itself."""
    looks = turn.state.looks + 1
    since = turn.state.waiting_since if turn.state.waiting is not None else turn.now
    first = turn.state.waiting is None
    turn.change(
        waiting=waiting,
        waiting_since=since,
        looks=looks,
        not_before=turn.now + look_after(looks),
    )
    if first and snapshots_help(turn.state):
        turn.change(snapshot_due=turn.now + SNAPSHOT_AFTER)
    if turn.now - since > WAITING_LONG:
        turn.problem("waiting", waiting.text)
    if waiting.why is Why.GONE:
        turn.change(inspected=False, inspect_due=-NEVER, scope=EVERYTHING, unfit="")
        turn.problem("gone", waiting.text)
    if waiting.why is Why.IN_THE_WAY:
        turn.problem("in-the-way", waiting.text)
    if waiting.why is Why.STAGED:
        if turn.state.staged_since is None:
            turn.change(staged_since=turn.now)
    else:
        turn.change(staged_since=None)


def snapshots_help(state: State) -> bool:
    """Whether it is the person's own git that keeps us from committing."""
    busy = (Why.OPERATION, Why.DETACHED, Why.OTHER_BRANCH, Why.LOCKED, Why.STAGED)
    return state.waiting is not None and state.waiting.why in busy


def _halt(turn: Turn, question: Question) -> None:
    """Stop before the limit and ask; resume goes on."""
    turn.change(activity=Activity.HALTED, question=question)
    go_on = f"To go on: autosyncctl resume {turn.policy.name}"
    turn.problem(question.kind, f"{question.text} {go_on}")


def _fail(turn: Turn, kind: str, text: str) -> None:
    looks = turn.state.looks + 1
    turn.change(looks=looks, trouble=text, not_before=turn.now + retry_after(looks))
    turn.problem(kind, text)


def _name(path: bytes) -> str:
    """As os.fsdecode() would have it."""
    return path.decode("utf-8", "surrogateescape")
