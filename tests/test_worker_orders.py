"""Conversations with a worker's machine about what must not be put off for ever, or forgotten."""

from dataclasses import replace

import pytest

from autosyncd.link.messages import PullOrder, SyncNow, Woke
from autosyncd.model import Head
from autosyncd.vcs.orders import SyncOrder
from autosyncd.vcs.outcomes import Synced
from autosyncd.worker import events as ev
from tests.test_worker_machine import HERE, NEWS, started

NEWER = Head("main", "e" * 40)
MOVED = ev.IdentityChanged(replace(HERE, url="/other.git"))


# pulls that were ordered


def test_notices_that_come_in_the_wrong_order_lose_none() -> None:
    talk = started().hear(PullOrder(Head("main", "9" * 40)))
    assert talk.runs == [SyncOrder(fetch=True)]
    talk.hear(PullOrder(NEWER)).hear(PullOrder(NEWS))
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1)))  # it had fetched before the newer was there
    assert talk.runs == [SyncOrder(fetch=True)]
    assert talk.hear(ev.SyncEnded(Synced(NEWER, pulled=1))).runs == []


@pytest.mark.parametrize("event", [SyncNow(), Woke(), PullOrder(None), MOVED])
@pytest.mark.parametrize("before", [False, True])
def test_a_sync_that_is_on_its_way_is_no_answer_to_what_is_asked_meanwhile(
    event: ev.Event, *, before: bool
) -> None:
    talk = started().hear(PullOrder(NEWS))
    for one in (event, PullOrder(NEWS)) if before else (PullOrder(NEWS), event):
        talk.hear(one)
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1)))
    assert talk.runs == [SyncOrder(fetch=True)]
