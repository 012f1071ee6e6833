"""Pure: housekeeping, which gives way to whatever else there is to do."""

from autosyncd.link.messages import PullOrder, SyncNow, Woke
from autosyncd.vcs.orders import Housekeep
from autosyncd.worker import events as ev
from autosyncd.worker.commands import Interrupt
from autosyncd.worker.state import Activity
from autosyncd.worker.turn import Turn

HOUSEKEEP_FIRST, HOUSEKEEP_EVERY = 600.0, 6 * 3600.0
"""Seconds from the start, and between later times, until it is looked whether to pack."""
HOUSEKEEP_AGAIN, INTERRUPTIONS = 600.0, 3
"""Seconds until it is begun again where it had to give way; how often in a row it has to."""
ALWAYS = (ev.Stop, ev.Paused)
"""What it gives way to, however often it had to."""
URGENT = (*ALWAYS, ev.Changed, ev.RulesChanged, ev.RootGone, PullOrder, SyncNow, Woke)


def begin_housekeep(turn: Turn, _verb: Housekeep) -> None:
    """It is looked whether to pack."""
    turn.change(activity=Activity.HOUSEKEEPING, housekeep_due=turn.now + HOUSEKEEP_EVERY)


def give_way(turn: Turn, event: ev.Event) -> None:
    """Something is wanted, and packing may take a minute: it is ended, and begun anew later. In a
    tree that never rests it may finish at last, else it would never be done."""
    state = turn.state
    if state.activity is not Activity.HOUSEKEEPING or state.interrupting:
        return
    if isinstance(event, ALWAYS if state.interruptions >= INTERRUPTIONS else URGENT):
        turn.change(interrupting=True)
        turn.command(Interrupt())


def housekeep_ended(turn: Turn, event: ev.HousekeepEnded) -> None:
    """It was packed, or there was nothing to pack, or it gave way."""
    state = turn.state
    interrupted = state.interrupting and not event.packed
    turn.change(
        activity=Activity.IDLE,
        interrupting=False,
        interruptions=state.interruptions + 1 if interrupted else 0,
        housekeep_due=turn.now + HOUSEKEEP_AGAIN if interrupted else state.housekeep_due,
    )
