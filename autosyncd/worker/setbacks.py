"""Pure: what keeps the machine from going on, whatever the verb: to wait, to halt and ask, to fail."""

from collections.abc import Iterable

from autosyncd.link.messages import cut
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.outcomes import Waiting, Why
from autosyncd.worker.asking import look_now
from autosyncd.worker.state import (
    NEVER,
    SNAPSHOT_AFTER,
    State,
    look_after,
    retry_after,
)
from autosyncd.worker.turn import Turn

WAITING_LONG = 3600.0
"""Seconds of waiting after which a person is reminded of what is waited for."""


def wait(turn: Turn, waiting: Waiting) -> None:
    """Keep the hands off and look again soon; it goes on by itself."""
    looks = turn.state.looks + 1
    since = turn.state.waiting_since if turn.state.waiting is not None else turn.now
    first = turn.state.waiting is None
    turn.change(
        waiting=waiting,
        waiting_since=since,
        looks=looks,
        not_before=turn.now + look_after(looks),
    )
    look_now(turn)
    if first and snapshots_help(turn.state):
        turn.change(snapshot_due=turn.now + SNAPSHOT_AFTER)
    if turn.now - since > WAITING_LONG:
        turn.problem("waiting", waiting.text)
    if waiting.why is Why.GONE:
        scope = turn.state.scope | EVERYTHING
        turn.change(inspected=False, inspect_due=-NEVER, scope=scope, unfit="")
        turn.problem("gone", waiting.text)
    if waiting.why is Why.HOOK:
        turn.problem("hook", waiting.text)
    if waiting.why is Why.STAGED:
        if turn.state.staged_since is None:
            turn.change(staged_since=turn.now)
    elif waiting.why is not Why.LOCKED:  # which hides whether something is staged
        turn.change(staged_since=None)


def snapshots_help(state: State) -> bool:
    """Whether it is the person's own git, or a hook, that keeps us from committing."""
    busy = (
        Why.OPERATION,
        Why.DETACHED,
        Why.OTHER_BRANCH,
        Why.LOCKED,
        Why.STAGED,
        Why.HOOK,
    )
    return state.waiting is not None and state.waiting.why in busy


def fail(turn: Turn, kind: str, text: str) -> None:
    """Say what went wrong, and try again; slower and slower, as long as it goes wrong."""
    looks = turn.state.looks + 1
    turn.change(looks=looks, trouble=text, not_before=turn.now + retry_after(looks))
    look_now(turn)
    turn.problem(kind, text)


def some_names(paths: Iterable[bytes]) -> str:
    """`a.txt, b.txt, c.txt and 2 more`."""
    names = sorted(map(name_of, paths))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(cut(name, 80) for name in names[:3]) + more


def name_of(path: bytes) -> str:
    """As os.fsdecode() would have it."""
    return path.decode("utf-8", "surrogateescape")
