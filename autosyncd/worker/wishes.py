"""Pure: what the machine makes of a person's wishes: to sync now, to pause, to go on, to describe."""

from autosyncd.link.messages import Describe, Resume, SyncNow
from autosyncd.worker import events as ev
from autosyncd.worker.commands import Remember
from autosyncd.worker.looking import look_again
from autosyncd.worker.state import NEVER
from autosyncd.worker.turn import Turn


def sync_now(turn: Turn, event: SyncNow) -> None:
    """Commit and sync at once, whatever was waited for."""
    state = turn.state
    turn.change(
        hurry=bool(state.scope) or state.unpushed,
        pull_ordered=True,
        ordered=None,
        last_activity=turn.now,
        not_before=-NEVER,
        sync_not_before=-NEVER,
        refused_until=-NEVER,
    )
    look_again(turn, event)


def paused(turn: Turn, event: ev.Paused) -> None:
    """Touch nothing until then, also after a restart."""
    turn.change(paused_until=event.until)
    turn.command(Remember(event.until, turn.state.allowed))


def resume(turn: Turn, _event: Resume) -> None:
    """End a pause; to a halted repository it means: go on, the answer is yes."""
    question = turn.state.question
    allowed = turn.state.allowed | ({question.kind} if question else set())
    turn.change(
        paused_until=-NEVER,
        question=None,
        hurry=turn.state.hurry or question is not None,
        allowed=frozenset(allowed),
        not_before=-NEVER,
        sync_not_before=-NEVER,
    )
    if question is not None:
        turn.solved(question.kind)
    turn.command(Remember(-NEVER, frozenset(allowed)))


def describe(turn: Turn, event: Describe) -> None:
    """These words are for the next commit."""
    turn.change(description=event.text)
