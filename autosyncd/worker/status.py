"""Pure: what people see of a machine's state."""

from autosyncd.model import RepoConfig, Status
from autosyncd.vcs.orders import Stage
from autosyncd.vcs.outcomes import Why
from autosyncd.worker.asking import said
from autosyncd.worker.state import Activity, State

_STAGES = {
    Stage.COMMIT: Status.COMMITTING,
    Stage.PUSH: Status.PUSHING,
    Stage.FETCH: Status.PULLING,
    Stage.UPDATE: Status.PULLING,
}


def status_of(state: State, now: float, policy: RepoConfig) -> tuple[Status, str]:
    """The status and its reason, one plain sentence or empty."""
    if state.stopping:
        return Status.STOPPING, ""
    if state.activity is Activity.STOPPED:
        return Status.STARTING, ""  # its successor does
    if state.question is not None:
        return Status.HALTED, said(state.question, policy)
    if state.waiting is not None and state.waiting.why is Why.GONE:
        return Status.HALTED, state.waiting.text
    if now < state.paused_until:
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
