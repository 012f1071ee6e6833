"""Pure: what the machine makes of the end of a Sync, and of a Sweep."""

from autosyncd.link.messages import (
    Conflict,
    HeadMoved,
    Pulled,
    cut_paths,
)
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.outcomes import (
    Aborted,
    Away,
    AwayKind,
    Dirty,
    Failed,
    NoRemote,
    Question,
    Synced,
    Waiting,
)
from autosyncd.worker import asking
from autosyncd.worker import events as ev
from autosyncd.worker.commands import Say
from autosyncd.worker.setbacks import name_of, some_names, wait
from autosyncd.worker.state import (
    NEVER,
    RETRY_MOST,
    SWEEP_FIRST,
    Activity,
    look_after,
    retry_after,
)
from autosyncd.worker.turn import Turn

REFUSED_EVERY = 600.0
"""Seconds between pushes to a remote that refuses them."""
CONSENT_EVERY = 3600.0
"""Seconds until a key that wants somebody's consent asks for it again, unless a person says sync."""
SYNC_PROBLEMS = (
    *(kind.value for kind in AwayKind),
    *("sync-failed", "diverged", "push-refused", "push-full"),
)
"""Kinds of problems that are about one remote."""
HELD_AGAIN = look_after(6)
"""Seconds (23) until files that somebody has open are tried again, though they don't change."""
WORTH_AN_ALERT = 8
"""Failed tries in a row (a quarter of an hour) before a remote that is away is told to a person."""


def sync_ended(turn: Turn, event: ev.SyncEnded) -> None:
    """Here and there agree, or it must be done later."""
    outcome = event.outcome
    turn.change(activity=Activity.IDLE, stage=None)
    _try_held_again(turn)
    match outcome:
        case Synced():
            asking.void(turn, in_sync=True)
            _synced(turn, outcome)
        case NoRemote():
            asking.void(turn, in_sync=True)
            turn.change(remote=None, unpushed=False, pull_ordered=False, hurry=False)
        case Dirty(text):
            _dirty(turn, text)
        case Away(kind, text):
            _away(turn, kind, text)
        case Waiting():
            turn.change(pull_ordered=True)
            wait(turn, outcome)
        case Question():
            turn.change(pull_ordered=True, last_sync=turn.now)
            if outcome.kind in asking.OF_COMMITS:
                turn.change(scope=turn.state.scope | EVERYTHING)
            asking.halt(turn, outcome)
        case Failed(kind, text):
            _sync_failed(turn, kind, text)
        case Aborted():
            turn.change(pull_ordered=True)


def _synced(turn: Turn, synced: Synced) -> None:
    order = turn.state.syncing
    if order is None or not order.local:
        _agreed(turn, synced, pushing=order is None or order.push)
    turn.change(waiting=None, looks=turn.state.looks if turn.state.trouble else 0)
    if synced.ahead:
        turn.change(unpushed=True, first_unpushed=turn.now, last_commit=turn.now)
    if synced.sweep:
        turn.change(sweep_due=turn.now + SWEEP_FIRST, sweeps=0)
    _hold(turn, synced.held)
    _tell_in_the_way(turn, frozenset(synced.in_the_way))
    if synced.note:
        turn.command(Say(synced.note))
    _tell_news(turn, synced)


def _agreed(turn: Turn, synced: Synced, *, pushing: bool) -> None:
    """The remote was asked, and agrees with what is here."""
    _back_in_touch(turn)
    turn.change(staged_since=None)
    asking.serve(turn, turn.state.allowed)
    turn.change(last_sync=turn.now, hurry=False)
    if pushing:
        _tell_refused(turn, synced)


def _try_held_again(turn: Turn) -> None:
    """However the try ended; _hold() knows better if it ended well. No other sync is one."""
    if turn.state.syncing is not None and turn.state.syncing.local:
        turn.change(held_due=turn.now + HELD_AGAIN)


def _hold(turn: Turn, held: tuple[str, ...]) -> None:
    """Files that somebody has open are tried again when they change, and now and then."""
    due = turn.now + HELD_AGAIN if held else NEVER
    turn.change(held=held, held_due=due)


def _tell_in_the_way(turn: Turn, files: frozenset[bytes]) -> None:
    """Told once, and again when there are more of them."""
    before = turn.state.in_the_way
    turn.change(in_the_way=files)
    if files == before:
        return
    if not files or files - before:
        turn.solved("in-the-way")
    if files - before:
        turn.problem(
            "in-the-way",
            f"Something comes in where you have {some_names(files)}, which is left out here: yours "
            "stays as it is and is not published; what comes in waits until yours is renamed or "
            "deleted.",
        )


def _tell_news(turn: Turn, synced: Synced) -> None:
    if synced.head is not None and synced.head == turn.state.ordered:
        turn.change(pull_ordered=False, ordered=None)  # ordered again while it was on its way
    if synced.head is not None and synced.head != turn.state.merged:
        turn.change(merged=synced.head)
        turn.report(HeadMoved(synced.head))
    if synced.pulled and synced.head is not None:
        turn.change(last_activity=turn.now)
        turn.report(Pulled(synced.head, synced.pulled, cut_paths(synced.hosts)))
    if synced.conflicts:
        names = tuple(name_of(path) for path in synced.conflicts)
        turn.report(Conflict(len(names), cut_paths(names)))


def sweep_ended(turn: Turn, event: ev.SweepEnded) -> None:
    """Old versions were let go of; what somebody still writes to is looked at again."""
    sweeps = turn.state.sweeps + 1
    due = turn.now + min(SWEEP_FIRST * 2 ** min(sweeps, 5), 60.0) if event.left else NEVER
    turn.change(activity=Activity.IDLE, sweeps=sweeps, sweep_due=due)


def _back_in_touch(turn: Turn) -> None:
    turn.change(failures=0, sync_trouble="", sync_not_before=-NEVER)
    turn.solved(*(kind.value for kind in AwayKind), "sync-failed", "diverged")


def _tell_refused(turn: Turn, synced: Synced) -> None:
    """The remote did not take the push, and pulls go on; or there is no such trouble (any more)."""
    refused = synced.refused or synced.full
    every = REFUSED_EVERY if synced.refused else RETRY_MOST
    until = turn.now + every if refused else -NEVER
    turn.change(refused=refused, refused_until=until, unpushed=bool(refused))
    for kind, text in (("push-refused", synced.refused), ("push-full", synced.full)):
        if text:
            turn.problem(kind, text)
        else:
            turn.solved(kind)


def _dirty(turn: Turn, text: str) -> None:
    """Commit what slipped in, then sync again; slower each time, should it not be committable."""
    failures = turn.state.failures + 1
    turn.change(
        scope=turn.state.scope | EVERYTHING,
        first_change=-NEVER,
        pull_ordered=True,
        failures=failures,
        sync_not_before=turn.now + min(0.1 * 2 ** min(failures, 12), RETRY_MOST),
        sync_trouble=text if failures > 3 else "",
    )
    asking.look_now(turn)


def _away(turn: Turn, kind: AwayKind, text: str) -> None:
    _try_later(turn, text)
    if kind is AwayKind.CONFIRMATION:
        turn.change(sync_not_before=turn.now + CONSENT_EVERY)
    if kind is not AwayKind.NETWORK or turn.state.failures >= WORTH_AN_ALERT:
        turn.problem(kind.value, text)


def _sync_failed(turn: Turn, kind: str, text: str) -> None:
    _try_later(turn, text)
    turn.problem("diverged" if kind == "diverged" else "sync-failed", text)


def _try_later(turn: Turn, text: str) -> None:
    failures = turn.state.failures + 1
    turn.change(
        failures=failures,
        pull_ordered=True,
        hurry=False,
        sync_trouble=text,
        sync_not_before=turn.now + retry_after(failures),
    )
    asking.look_now(turn)
