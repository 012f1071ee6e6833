"""Pure: what one repository's machine knows, and when each thing is due.

All times are seconds of clock.now().
"""

import math
from dataclasses import dataclass, field
from enum import Enum

from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED, Scope
from autosyncd.vcs.orders import Stage, SyncOrder
from autosyncd.vcs.outcomes import LeftOut, Question, Waiting

NEVER = math.inf
RETRY_FIRST, RETRY_MOST = 5.0, 300.0
"""Seconds: a remote that is away is tried again after 5 s, doubling to 5 min."""
LOOK_FIRST, LOOK_MOST = 2.0, 30.0
"""Seconds between looks at whatever is waited for."""
GONE_AGAIN = 60.0
"""Seconds within which a root that was found and is gone again is looked for more slowly."""
SWEEP_FIRST = 2.0
"""Seconds an old version is kept at least: for a process between lookup and open of its name."""
SNAPSHOT_AFTER = 10.0
"""Seconds of quiet, while the person's own git goes first, after which a snapshot is taken."""
SNAPSHOT_AGAIN = 60.0
"""Seconds after which it is tried again to take one, or to bring it to the remote."""
SCAN_EVERY, SCAN_UNWATCHED = 3600.0, 60.0
"""Seconds between looks at everything; the second where not every folder is watched."""
POLL_BUSY, POLL_IDLE, BUSY_FOR = 15.0, 300.0, 600.0
"""poll_every: auto. While somebody works here or news came lately; at rest; how long "lately" is."""


class Activity(Enum):
    """What is going on (stored; what people see is derived from it, status.py)."""

    IDLE = "idle"
    INSPECTING = "inspecting"
    IDENTIFYING = "identifying"
    JUDGING = "judging"
    SWEEPING = "sweeping"
    SNAPPING = "snapping"
    HOUSEKEEPING = "housekeeping"
    COMMITTING = "committing"
    SYNCING = "syncing"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class State:
    """Everything the machine knows. Start-up is not special: idle, with everything due."""

    activity: Activity = Activity.IDLE
    latest: Activity = Activity.IDLE
    """What was begun last: where that is due again and again, others have their turn."""
    stage: Stage | None = None
    stopping: bool = False
    paused_until: float = -NEVER
    """Never in the past; minus infinity: not paused."""

    # Inspect
    inspected: bool = False
    inspect_due: float = -NEVER
    """Also where it was inspected, since what is ignored may be something else now."""
    inspect_by: float = NEVER
    """However often that changes until then."""
    last_gone: float = -NEVER
    gones: int = 0
    """How often in a row the watch said so soon again that the root is gone."""
    identify_due: float = NEVER
    unfit: str = ""
    remote: str | None = None
    address: str = ""
    """The remote's."""
    watch_complete: bool = True
    watch_text: str = ""
    """Why it isn't complete."""
    watch_told: str = ""
    watch_retold_due: float = -NEVER

    # Commit
    scope: Scope = EVERYTHING
    working: Scope = NOTHING_CHANGED
    """What the running commit looks at; it comes back into `scope` if that fails."""
    committed: bool = False
    """The last Commit ended well: what is in `scope` has come since then."""
    first_change: float = -NEVER
    last_change: float = -NEVER
    unjudged: frozenset[bytes] = frozenset()
    last_scan: float = -NEVER
    hurry: bool = False
    """The person asked: do not wait for the quiet time."""
    description: str = ""
    staged_since: float | None = None
    """Since when staged content is in the way, of a Commit or of what comes in."""
    left_out: frozenset[LeftOut] = frozenset()

    # Sync
    unpushed: bool = True
    first_unpushed: float = -NEVER
    last_commit: float = -NEVER
    pull_ordered: bool = True
    ordered: Head | None = None
    """What all open orders to pull are about, if that was said and is one thing."""
    last_sync: float = -NEVER
    last_activity: float = -NEVER
    merged: Head | None = None
    """What was last said to be merged here."""
    syncing: SyncOrder | None = None
    """What the running Sync was ordered to do."""
    housekeep_due: float = NEVER
    interrupting: bool = False
    """The running Housekeep was told to give way."""
    interruptions: int = 0
    """How often in a row it had to."""
    sweep_due: float = NEVER
    sweeps: int = 0
    held: tuple[str, ...] = ()
    """Files whose incoming version waits for somebody to close them, a sentence each."""
    held_due: float = NEVER
    in_the_way: frozenset[bytes] = frozenset()
    """Ignored files that have the place of incoming ones."""
    refused: str = ""
    """Why the remote does not take pushes: a sentence."""
    refused_until: float = -NEVER

    noted: str = ""
    """What was said when the tree was last looked at."""

    # what keeps it
    waiting: Waiting | None = None
    waiting_since: float = NEVER
    snapshot_due: float = NEVER
    snapshot_by: float = NEVER
    """However often something changes until then."""
    looks: int = 0
    not_before: float = -NEVER
    """Nothing is begun before: the obstacle, or the trouble, is looked at again then."""
    trouble: str = ""
    """Why the last Inspect or Commit failed."""
    failures: int = 0
    sync_not_before: float = -NEVER
    sync_trouble: str = ""
    """Why the last Sync failed; commits go on meanwhile."""
    question: Question | None = None
    """Nothing is committed, or nothing is synced, before a person has answered it or it is void."""
    asked_in_sync: bool = False
    relook_due: float = NEVER
    """When it is looked whether the question still stands, unless more changes before."""
    relook_by: float = NEVER
    relooks: int = 0
    """How often in a row it was the same."""
    allowed: frozenset[str] = frozenset()
    agreed: frozenset[str] = frozenset()
    """What was allowed when the running verb began."""
    problems: frozenset[str] = field(default_factory=frozenset)
    """Kinds of problems that were reported and are not solved."""


def retry_after(failures: int) -> float:
    """Seconds to wait after so many failures in a row."""
    return float(min(RETRY_FIRST * 2 ** min(failures - 1, 10), RETRY_MOST))


def look_after(looks: int) -> float:
    """Seconds to wait before looking again whether the obstacle is gone."""
    return float(min(LOOK_FIRST * 1.5 ** min(looks, 10), LOOK_MOST))


def commit_due(state: State, policy: RepoConfig) -> float:
    """When what changed is committed: after the quiet time, or the longest wait. Where nothing has, what
    is staged may have been waited for too long."""
    if not state.scope:
        return NEVER if state.staged_since is None else state.staged_since + policy.staged_wait
    if state.hurry:
        return -NEVER
    quiet = state.last_change + policy.commit_after
    return min(quiet, state.first_change + policy.commit_within)


def scan_due(state: State) -> float:
    """When everything is looked at again, since no watch is perfect."""
    return state.last_scan + (SCAN_EVERY if state.watch_complete else SCAN_UNWATCHED)


def poll_due(state: State, policy: RepoConfig) -> float:
    """When the remote is asked without being told to."""
    if not policy.pull or policy.poll_every == "never":
        return NEVER
    if isinstance(policy.poll_every, (int, float)):
        return state.last_sync + policy.poll_every
    idle_for = state.last_sync - state.last_activity - BUSY_FOR
    slow = min(max(0.0, idle_for) / 20, POLL_IDLE - POLL_BUSY)
    return state.last_sync + POLL_BUSY + slow


def push_due(state: State, policy: RepoConfig) -> float:
    """When new commits go out: after the quiet time, or the longest wait."""
    if not state.unpushed or not policy.push:
        return NEVER
    if state.refused:
        return state.refused_until
    if state.hurry:
        return -NEVER
    quiet = state.last_commit + policy.push_after
    return min(quiet, state.first_unpushed + policy.commit_within)


def sync_due(state: State, policy: RepoConfig) -> float:
    """When the next Sync begins."""
    if state.remote is None or not (policy.push or policy.pull):
        return NEVER
    if state.pull_ordered and policy.pull:
        return -NEVER
    return min(push_due(state, policy), poll_due(state, policy))
