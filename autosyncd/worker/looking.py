"""Pure: what the machine makes of a look at the tree: whether it is there, and what tree it is."""

from autosyncd.link.messages import Identity, Retry, SyncNow, cut
from autosyncd.model import Head
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.outcomes import (
    Aborted,
    AtHead,
    Failed,
    Identified,
    Ready,
    Relinked,
    Unfit,
    Waiting,
)
from autosyncd.worker import events as ev
from autosyncd.worker.asking import look_now, look_when_quiet
from autosyncd.worker.atrest import HOUSEKEEP_FIRST
from autosyncd.worker.commands import Quit, Say, SetWatches
from autosyncd.worker.setbacks import fail, wait
from autosyncd.worker.state import GONE_AGAIN, LOOK_MOST, NEVER, SWEEP_FIRST, Activity, look_after
from autosyncd.worker.synced import SYNC_PROBLEMS
from autosyncd.worker.turn import Turn

MOMENT = 0.2
"""Seconds from the first of several moves of the branch until it is asked where it is."""
MISSING_AGAIN = 30.0
"""Seconds until a remote that is missing is looked for again."""
UNFIT_AGAIN = LOOK_MOST
"""Seconds until a tree that can't be worked in is looked at again."""
TOLD_AFTER = 3
"""Times in a row that the root is gone and is found again, after which a person is told."""


def inspect_ended(turn: Turn, event: ev.InspectEnded) -> None:
    """The tree was looked at: it can be worked in, or is looked at again later."""
    outcome = event.outcome
    turn.change(activity=Activity.IDLE)
    match outcome:
        case Ready():
            _ready(turn, outcome)
        case Unfit(text):
            turn.change(inspected=False, unfit=text, inspect_due=turn.now + UNFIT_AGAIN)
            turn.problem("unfit", text)
        case Relinked(text):
            _relinked(turn, text)
        case Waiting():
            turn.change(inspect_due=turn.now)
            wait(turn, outcome)
        case Failed(kind, text):
            turn.change(inspect_due=turn.now)
            fail(turn, kind, text)
        case Aborted():
            turn.change(inspect_due=turn.now)


def _ready(turn: Turn, ready: Ready) -> None:
    again = turn.state.inspect_due < NEVER  # something changed while it was being looked at
    turn.change(
        inspected=True,
        inspect_due=turn.now + turn.policy.commit_after if again else NEVER,
        unfit="",
        waiting=None,
        looks=0,
        trouble="",
        remote=ready.identity.remote,
        address=ready.identity.url,
        scope=turn.state.scope | EVERYTHING,
        committed=False,
        first_change=turn.now,
        last_change=-NEVER,
        sweep_due=turn.now + SWEEP_FIRST,
        housekeep_due=turn.now + HOUSEKEEP_FIRST,
        held_due=turn.now if ready.held else NEVER,
    )
    turn.solved("unfit", "gone")
    look_now(turn)
    turn.command(SetWatches(ready.ignored, ready.head_log))
    _report_identity(turn, ready.identity)
    _miss_remote(turn, ready.identity)
    if ready.note and ready.note != turn.state.noted:  # a tree comes back as it went
        turn.change(noted=ready.note)
        turn.command(Say(ready.note))


def _report_identity(turn: Turn, who: Identified) -> None:
    url = cut(who.url, 300)
    turn.report(Identity(who.tree, who.channels, who.remote, who.branch, who.head, url))


def _miss_remote(turn: Turn, who: Identified) -> None:
    """The configuration names a remote that git does not know: say so, and look for it."""
    if who.missing:
        turn.change(sync_trouble=who.missing, identify_due=turn.now + MISSING_AGAIN)
        turn.problem("remote-not-found", who.missing)


def _relinked(turn: Turn, text: str) -> None:
    """What was told of the old folder is withdrawn, since its successor knows nothing of that."""
    if turn.state.stopping:
        return
    turn.solved(*sorted(turn.state.problems))
    turn.change(activity=Activity.STOPPED)
    turn.command(Say(text))
    turn.command(Quit(elsewhere=True))


def look_again(turn: Turn, _event: SyncNow | Retry) -> None:
    """A person asks for it: what was found out once may be otherwise."""
    state, now = turn.state, turn.now
    turn.change(
        identify_due=now,
        inspect_due=state.inspect_due if state.inspected else min(state.inspect_due, now),
        not_before=state.not_before if state.inspected else -NEVER,
    )
    look_now(turn)


def identify_ended(turn: Turn, event: ev.IdentifyEnded) -> None:
    """What was news was told meanwhile (identity_changed)."""
    turn.change(activity=Activity.IDLE)
    if turn.state.remote is None and turn.state.sync_trouble:  # it is missing still
        turn.change(identify_due=turn.now + MISSING_AGAIN)
    match event.outcome:
        case Relinked(text):
            _relinked(turn, text)
        case AtHead(head):
            at_head(turn, head)


def branch_moved(turn: Turn, _event: ev.BranchMoved) -> None:
    """Look who it was, in a moment: a rebase moves it often. What was staged is committed by that, or no
    longer what it was."""
    turn.change(identify_due=min(turn.state.identify_due, turn.now + MOMENT), staged_since=None)
    look_when_quiet(turn)


def at_head(turn: Turn, head: Head | None) -> None:
    """A commit of the person's goes out as ours do."""
    state, now = turn.state, turn.now
    if head is None or head == state.merged or state.unpushed or state.remote is None:
        return
    turn.change(unpushed=True, first_unpushed=now, last_commit=now, last_activity=now)


def identity_changed(turn: Turn, event: ev.IdentityChanged) -> None:
    """Others know the tree by other channels now. If there is another remote, or none, nothing that was
    found out about the old one holds."""
    who, now = event.identity, turn.now
    _report_identity(turn, who)
    if (who.remote, who.url) == (turn.state.remote, turn.state.address):
        return
    turn.change(
        remote=who.remote,
        address=who.url,
        unpushed=who.remote is not None,
        first_unpushed=now,
        last_commit=now,
        last_activity=now,
        pull_ordered=True,
        ordered=None,
        failures=0,
        sync_trouble="",
        sync_not_before=-NEVER,
        refused="",
        refused_until=-NEVER,
    )
    turn.solved(*SYNC_PROBLEMS)
    _miss_remote(turn, who)
    look_now(turn)
    here = "there is no remote any more; commits stay here"
    turn.command(Say(f"the remote is {who.remote} now: {who.url}" if who.remote else here))


def root_gone(turn: Turn, _event: ev.RootGone) -> None:
    """Look for it at once; slower and slower where git finds it each time and the kernel doesn't."""
    state, now = turn.state, turn.now
    gones = state.gones + 1 if now - state.last_gone < GONE_AGAIN else 0
    turn.change(
        inspected=False,
        inspect_due=now + look_after(gones) if gones else now,
        scope=state.scope | EVERYTHING,
        last_gone=now,
        gones=gones,
    )
    if gones >= TOLD_AFTER:
        path = turn.policy.path
        text = f"{path} can't be watched, since the kernel finds another folder there than git does"
        text += "; it is looked at again in a moment."
        turn.change(unfit=text)
        turn.problem("unwatchable", text)
