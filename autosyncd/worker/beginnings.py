"""Pure: what the machine makes of the beginning of each verb."""

from collections.abc import Callable
from typing import Any

from autosyncd.vcs.changes import NOTHING_CHANGED
from autosyncd.vcs.orders import (
    CommitOrder,
    Housekeep,
    Identify,
    Inspect,
    Judge,
    Snapshot,
    Sweep,
    SyncOrder,
    Verb,
)
from autosyncd.worker import asking
from autosyncd.worker.atrest import begin_housekeep
from autosyncd.worker.commands import Run
from autosyncd.worker.state import NEVER, Activity
from autosyncd.worker.turn import Turn


def begin(turn: Turn, verb: Verb) -> None:
    """What it is to do is no longer due; the engine runs it."""
    _BEGINNINGS[type(verb)](turn, verb)
    turn.change(latest=turn.state.activity)
    turn.command(Run(verb))


def _begin_inspect(turn: Turn, _verb: Inspect) -> None:
    """What changes from here on is looked at again."""
    turn.change(activity=Activity.INSPECTING, inspect_due=NEVER, inspect_by=NEVER)


def _begin_identify(turn: Turn, _verb: Identify) -> None:
    turn.change(activity=Activity.IDENTIFYING, identify_due=NEVER)


def _begin_judge(turn: Turn, _verb: Judge) -> None:
    turn.change(activity=Activity.JUDGING, unjudged=frozenset())


def _begin_commit(turn: Turn, verb: CommitOrder) -> None:
    """What is looked at now is no longer "changed"; what changes from here on is, again."""
    state = turn.state
    asking.begin(turn)
    turn.change(
        activity=Activity.COMMITTING,
        stage=None,
        working=verb.scope,
        scope=NOTHING_CHANGED,
        last_scan=turn.now if verb.scope.everything else state.last_scan,
    )


def _begin_sync(turn: Turn, verb: SyncOrder) -> None:
    asking.begin(turn)
    turn.change(
        activity=Activity.SYNCING,
        stage=None,
        pull_ordered=turn.state.pull_ordered and verb.local,
        syncing=verb,
    )


def _begin_sweep(turn: Turn, _verb: Sweep) -> None:
    turn.change(activity=Activity.SWEEPING, sweep_due=NEVER)


def _begin_snapshot(turn: Turn, _verb: Snapshot) -> None:
    turn.change(activity=Activity.SNAPPING, snapshot_due=NEVER, snapshot_by=NEVER)


_BEGINNINGS: dict[type[Verb], Callable[[Turn, Any], None]] = {
    Inspect: _begin_inspect,
    Identify: _begin_identify,
    Judge: _begin_judge,
    CommitOrder: _begin_commit,
    SyncOrder: _begin_sync,
    Sweep: _begin_sweep,
    Snapshot: _begin_snapshot,
    Housekeep: begin_housekeep,
}
