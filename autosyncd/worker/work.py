"""Pure: what one repository's machine does next.

`work()` is the only place that says what is due: step() runs what it returns, deadline() waits for
the time it returns. (When the two had ideas of their own, a random history found an endless loop.)
"""

from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import EVERYTHING, Scope
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
from autosyncd.worker.state import (
    NEVER,
    Activity,
    State,
    commit_due,
    poll_due,
    push_due,
    scan_due,
    sync_due,
)


def work(state: State, now: float, policy: RepoConfig) -> tuple[Verb | None, float]:
    """The verb that is due now, or None and when there will be one."""
    if state.activity is not Activity.IDLE:
        return None, NEVER
    if state.stopping:
        return _last_commit(state, now, policy), NEVER
    inspects = max(state.inspect_due, state.not_before)
    if now < state.paused_until:
        if state.inspected or not _is_first(state):
            return None, state.paused_until
        # a pause is written down in the tree: until one is known it would not outlive this process
        due = min(inspects, state.paused_until)
        return (Inspect(gentle=True), now) if inspects <= now else (None, due)
    if not state.inspected:
        # nobody waits for the first one; the commit that follows it lets go of the children that stay
        return (Inspect(gentle=_is_first(state)), now) if inspects <= now else (None, inspects)
    if state.snapshot_due <= now:
        return Snapshot(), now
    if now < state.not_before:
        return None, min(state.not_before, state.snapshot_due)
    verb, due = _in_the_tree(state, now, policy)
    if state.unjudged and (verb is None or state.latest is not Activity.JUDGING):
        return Judge(state.unjudged), now  # first, and where they never stop coming, by turns
    return verb, due


def _in_the_tree(state: State, now: float, policy: RepoConfig) -> tuple[Verb | None, float]:
    """What there is to do but for new folders."""
    inspects = max(state.inspect_due, state.not_before)
    if inspects <= now:
        return Inspect(), now
    asked = state.question is not None
    verb, due = (_while_asked if asked else _commit_or_sync)(state, now, policy)
    return verb, min(due, inspects)


def _while_asked(state: State, now: float, policy: RepoConfig) -> tuple[Verb | None, float]:
    """A question stands. What asked it is run again, with the answers there were, to see whether it
    still does; what comes in may be asked about while commits go on, but not the other way round."""
    scans = scan_due(state)
    commits = commit_due(state, policy) if state.asked_in_sync else state.relook_due
    if min(commits, scans) <= now:
        scope = state.scope | EVERYTHING if scans <= now else state.scope
        return _commit_order(state, scope, now, policy), now
    if not state.asked_in_sync:
        return None, min(commits, scans)
    syncs = _sync_from(state, min(state.relook_due, poll_due(state, policy)))
    if syncs <= now:
        push = _may_push(state, now, policy)
        return SyncOrder(fetch=True, push=push, allowed=state.allowed, pending=state.scope), now
    return None, min(commits, scans, syncs)


def _commit_or_sync(state: State, now: float, policy: RepoConfig) -> tuple[Verb | None, float]:
    """Order when free: commit, then sync; by turns where commits fail."""
    syncs = _sync_from(state, sync_due(state, policy))
    has_failed = bool(state.trouble) and state.latest is Activity.COMMITTING
    sync_first = has_failed and syncs <= now
    if scan_due(state) <= now and not sync_first:
        return _commit_order(state, state.scope | EVERYTHING, now, policy), now
    due = commit_due(state, policy)
    if due <= now and not sync_first:
        return _commit_order(state, state.scope, now, policy), now
    if syncs <= now:
        push = _may_push(state, now, policy)
        # a push that is accepted proves that there is nothing to fetch
        fetch = state.pull_ordered or push_due(state, policy) > now
        gentle = state.last_sync == -NEVER
        return SyncOrder(fetch, push, state.allowed, state.scope, gentle=gentle), now
    if state.identify_due <= now:
        return Identify(), now
    held_due = state.held_due if _may_take_along(state) else NEVER
    if held_due <= now:
        return SyncOrder(fetch=False, push=False, pending=state.scope, local=True), now
    if state.sweep_due <= now:
        return Sweep(), now
    pushing = state.remote is not None and push_due(state, policy) < NEVER
    busy = bool(state.scope) or (pushing and not (state.refused or state.sync_trouble))
    housekeep_due = NEVER if busy else state.housekeep_due
    if housekeep_due <= now:
        return Housekeep(), now
    others = (state.identify_due, held_due, state.sweep_due, housekeep_due)
    return None, min(due, syncs, scan_due(state), *others)


def _sync_from(state: State, due: float) -> float:
    """When a Sync that is due then may begin."""
    return max(due, state.sync_not_before) if _may_take_along(state) else NEVER


def _may_take_along(state: State) -> bool:
    """Whether what is not committed is such that a Sync may take it along: not what a hook declines, nor
    a whole tree that no Commit has got through. Where that much changes during each Commit, a Sync comes
    after it."""
    return state.committed or not ("hook" in state.problems or state.scope.everything)


def _may_push(state: State, now: float, policy: RepoConfig) -> bool:
    return policy.push and (not state.refused or state.refused_until <= now)


def _last_commit(state: State, now: float, policy: RepoConfig) -> Verb | None:
    """On the way out, what has settled is still committed; the next start finds the rest."""
    if not state.inspected or now < state.not_before or now < state.paused_until:
        return None
    asked = state.question is not None and not state.asked_in_sync
    if asked or commit_due(state, policy) > now:
        return None
    return _commit_order(state, state.scope, now, policy)


def _commit_order(state: State, scope: Scope, now: float, policy: RepoConfig) -> CommitOrder:
    staged = state.staged_since
    overdue = staged is not None and now - staged >= policy.staged_wait
    gentle = _is_first(state)
    return CommitOrder(scope, state.allowed, overdue, state.description, gentle)


def _is_first(state: State) -> bool:
    """Whether nothing was looked through since the start."""
    return state.last_scan == -NEVER
