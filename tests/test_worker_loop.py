"""What a shift's loop does with what it hears."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from autosyncd.link.channel import pair
from autosyncd.link.messages import Alive
from autosyncd.model import RepoConfig
from autosyncd.watch.instance import Instance
from autosyncd.worker.engine import Mailbox
from autosyncd.worker.loop import Worker


def test_what_is_no_order_is_no_event():
    vcs = cast("Any", SimpleNamespace(close=lambda: None))
    mailbox, instance, (above, below) = Mailbox(), Instance(), pair()
    worker = Worker(RepoConfig("/notes", "notes"), below, mailbox, vcs, instance)
    above.outbox.post(Alive())
    with pytest.raises(TypeError, match="Alive is no order"):
        worker._hear_orders()
    worker._engine.end(5)
    for one in (mailbox, instance, above, below):
        one.close()
