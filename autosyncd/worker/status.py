"""Pure: what people see of a machine's state."""

from autosyncd.link.messages import StatusChanged
from autosyncd.model import RepoConfig, Status
from autosyncd.vcs.orders import Stage
from autosyncd.vcs.outcomes import Why
from autosyncd.worker.asking import said
from autosyncd.worker.state import NEVER, Activity, State

_STAGES = {
    Stage.COMMIT: Status.COMMITTING,
    Stage.PUSH: Status.PUSHING,
    Stage.FETCH: Status.PULLING,
    Stage.UPDATE: Status.PULLING,
}


def shown(state: State, policy: RepoConfig) -> StatusChanged:
    """The report, but for its times (reports.py): no `since` yet, `until` in seconds of clock.now()."""
    status, reason = _status_of(state, policy)
    ends = status is Status.PAUSED and state.paused_until < NEVER
    return StatusChanged(status, reason, 0.0, state.paused_until if ends else None)


def _status_of(state: State, policy: RepoConfig) -> tuple[Status, str]:
    """The status and its reason, one plain sentence or empty."""
    if state.stopping:
        return Status.STOPPING, ""
    if state.activity is Activity.STOPPED:
        return Status.STARTING, ""  # its successor does
    if state.question is not None:
        return Status.HALTED, said(state.question, policy)
    if state.waiting is not None and state.waiting.why is Why.GONE:
        return Status.HALTED, state.waiting.text
    if state.paused_until > -NEVER:
        return Status.PAUSED, ""
    if state.unfit:
        return Status.FAILED, state.unfit
    if state.activity is Activity.COMMITTING:
        return Status.COMMITTING, ""
    if state.activity is Activity.SYNCING:
        return (_STAGES[state.stage] if state.stage is not None else Status.SETTLING), ""
    return _at_rest(state, policy)


def _at_rest(state: State, policy: RepoConfig) -> tuple[Status, str]:
    if state.waiting is not None:
        return Status.WAITING, state.waiting.text
    if state.trouble or state.sync_trouble:
        return Status.RETRYING, state.trouble or state.sync_trouble
    if state.refused:
        return Status.RETRYING, state.refused
    if not state.inspected:
        return Status.STARTING, ""
    if state.held:
        return Status.WAITING, state.held[0]
    to_push = state.unpushed and policy.push and state.remote is not None
    if state.scope or to_push:
        return Status.SETTLING, ""
    return Status.IDLE, ""
