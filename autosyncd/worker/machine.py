"""Pure: what one repository does about what it hears.

    state, commands = step(state, event, now=clock.now(), policy=config)
    wait until deadline(state, now=..., policy=config), then step(state, Tick(), ...)

Each event has one handler, here or in the file of its subject (_HANDLERS says where). What is due next
is decided in one place, work.work(), and begun in one, beginnings.begin().
"""

from collections.abc import Callable
from typing import Any

from autosyncd.link.messages import (
    Announce,
    Describe,
    Online,
    PullOrder,
    Resume,
    Retry,
    SyncNow,
    Woke,
)
from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.outcomes import AwayKind
from autosyncd.worker import asking, atrest, looking, outcomes, synced, wishes
from autosyncd.worker import events as ev
from autosyncd.worker.beginnings import begin
from autosyncd.worker.commands import AbortNetwork, Command, Quit, Remember, Say, SettleWatches
from autosyncd.worker.setbacks import snapshots_help
from autosyncd.worker.state import NEVER, SNAPSHOT_AFTER, SNAPSHOT_AGAIN, Activity, State
from autosyncd.worker.status import shown
from autosyncd.worker.turn import Turn
from autosyncd.worker.work import work


def step(
    state: State, event: ev.Event, *, now: float, policy: RepoConfig
) -> tuple[State, list[Command]]:
    """What becomes of the state, and what is to be done, in this order."""
    before = shown(state, policy)
    turn = Turn(state, now, policy)
    if state.activity is not Activity.STOPPED:
        _HANDLERS[type(event)](turn, event)
        if -NEVER < turn.state.paused_until <= now:
            turn.change(paused_until=-NEVER)
            # or a clock that is set back would bring it back with the next start
            turn.command(Remember(-NEVER, turn.state.allowed))
        atrest.give_way(turn, event)
        _begin_work(turn)
    after = shown(turn.state, policy)
    if after != before:
        turn.report(after)
    return turn.state, turn.commands


def deadline(state: State, *, now: float, policy: RepoConfig) -> float:
    """When the next Tick is wanted (seconds of clock.now(); infinity: only an event can help)."""
    verb, due = work(state, now, policy)
    return now if verb is not None else due


def _begin_work(turn: Turn) -> None:
    verb, _ = work(turn.state, turn.now, turn.policy)
    if verb is not None:
        begin(turn, verb)
    elif turn.state.stopping and turn.state.activity is Activity.IDLE:
        turn.change(activity=Activity.STOPPED)
        turn.command(Quit())


# it changes


def _changed(turn: Turn, event: ev.Changed) -> None:
    state, now = turn.state, turn.now
    first = state.first_change if state.scope else now
    turn.change(
        scope=state.scope | event.scope,
        first_change=first,
        last_change=now,
        last_activity=now,
        unjudged=state.unjudged | event.new_folders,
        held_due=now + turn.policy.commit_after if state.held else NEVER,
    )
    _take_snapshot_when_quiet(turn)
    asking.look_when_quiet(turn)


def _take_snapshot_when_quiet(turn: Turn) -> None:
    """If nothing can be committed now. It has a longest wait, as a commit has."""
    state, now = turn.state, turn.now
    if not snapshots_help(state):
        turn.change(snapshot_due=NEVER, snapshot_by=NEVER)
        return
    by = min(state.snapshot_by, now + turn.policy.commit_within)
    turn.change(snapshot_due=min(now + SNAPSHOT_AFTER, by), snapshot_by=by)


def _rules_changed(turn: Turn, _event: ev.RulesChanged) -> None:
    """Look again at what is ignored, then at everything: files may have become ours."""
    _changed(turn, ev.Changed(EVERYTHING))
    state, quiet = turn.state, turn.now + turn.policy.commit_after
    by = min(state.inspect_by, turn.now + turn.policy.commit_within)
    due = min(quiet, by if state.inspected else state.inspect_due)
    turn.change(inspect_due=due, inspect_by=by)


def _watch_state(turn: Turn, event: ev.WatchState) -> None:
    turn.change(watch_complete=event.complete, watch_text=event.text)
    if event.text and not turn.state.watch_told:
        turn.change(watch_told=event.text, watch_retold_due=-NEVER)
        turn.problem("watch-limit", event.text)
    elif not event.text:
        turn.change(watch_told="")
        turn.solved("watch-limit")


def _recalled(turn: Turn, event: ev.Recalled) -> None:
    turn.change(paused_until=event.paused_until, allowed=turn.state.allowed | event.allowed)


def _judge_ended(turn: Turn, event: ev.JudgeEnded) -> None:
    turn.change(activity=Activity.IDLE)
    turn.command(SettleWatches(event.ignored, event.asked - event.ignored))


def _snapshot_ended(turn: Turn, event: ev.SnapshotEnded) -> None:
    again = turn.now + SNAPSHOT_AGAIN if event.outcome.left else turn.state.snapshot_due
    turn.change(activity=Activity.IDLE, snapshot_due=min(again, turn.state.snapshot_due))
    if event.outcome.new:
        turn.command(Say("a snapshot was taken while git is in use"))


# it syncs


def _stage_reached(turn: Turn, event: ev.StageReached) -> None:
    turn.change(stage=event.stage)


def _pushed(turn: Turn, event: ev.Pushed) -> None:
    turn.report(Announce(event.head))


def _pull_order(turn: Turn, event: PullOrder) -> None:
    """One push is often announced more than once: over two transports, on two channels."""
    state = turn.state
    if event.head is not None and event.head == state.merged:
        return
    same = not state.pull_ordered or event.head == state.ordered
    ordered = event.head if same else None
    turn.change(pull_ordered=True, ordered=ordered, last_activity=turn.now)
    asking.look_there(turn)
    _try_soon(turn)


def _woke(turn: Turn, _event: Woke) -> None:
    turn.change(pull_ordered=True, ordered=None)
    asking.look_there(turn)
    _try_soon(turn)


def _online(turn: Turn, event: Online) -> None:
    if event.yes:
        _try_soon(turn)


def _try_soon(turn: Turn) -> None:
    """The remote may answer now. Where that asks for somebody's consent, only a person says when."""
    if AwayKind.CONFIRMATION.value not in turn.state.problems:
        turn.change(sync_not_before=-NEVER)


# it ends


def _stop(turn: Turn, _event: ev.Stop) -> None:
    """Children of the network end at once, local git finishes, then what has settled is committed."""
    turn.change(stopping=True, last_scan=turn.now)
    turn.command(AbortNetwork())


def _tick(_turn: Turn, _event: ev.Tick) -> None:
    """Nothing happened but time; what is due is begun after every event."""


_HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
    ev.InspectEnded: looking.inspect_ended,
    ev.IdentityChanged: looking.identity_changed,
    ev.IdentifyEnded: looking.identify_ended,
    ev.JudgeEnded: _judge_ended,
    ev.CommitEnded: outcomes.commit_ended,
    ev.SyncEnded: synced.sync_ended,
    ev.Changed: _changed,
    ev.RulesChanged: _rules_changed,
    ev.RootGone: looking.root_gone,
    ev.BranchMoved: looking.branch_moved,
    ev.WatchState: _watch_state,
    ev.Recalled: _recalled,
    ev.SweepEnded: synced.sweep_ended,
    ev.SnapshotEnded: _snapshot_ended,
    ev.HousekeepEnded: atrest.housekeep_ended,
    ev.StageReached: _stage_reached,
    ev.Pushed: _pushed,
    ev.Paused: wishes.paused,
    ev.Stop: _stop,
    ev.Tick: _tick,
    PullOrder: _pull_order,
    SyncNow: wishes.sync_now,
    Resume: wishes.resume,
    Retry: looking.look_again,
    Describe: wishes.describe,
    Woke: _woke,
    Online: _online,
}
