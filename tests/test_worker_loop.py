"""What a shift's loop does with what it hears."""

import os
import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest

from autosyncd import clock
from autosyncd.link.channel import pair
from autosyncd.link.messages import Alive, Pause, Shutdown, StatusChanged
from autosyncd.model import RepoConfig, Status
from autosyncd.vcs.orders import Inspect
from autosyncd.vcs.outcomes import Unfit, Waiting, Why
from autosyncd.vcs.priority import NICENESS
from autosyncd.watch.instance import Instance
from autosyncd.worker.engine import Engine, Mailbox
from autosyncd.worker.handover import Handover, pack
from autosyncd.worker.hanging import Hanging
from autosyncd.worker.loop import Knowledge, Worker
from autosyncd.worker.memory import MemoryFile
from autosyncd.worker.reports import Reports
from autosyncd.worker.state import State
from autosyncd.worker.watching import Watching


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


def test_a_pause_that_comes_first_waits_for_the_first_look(monkeypatch):
    """Only who has looked knows where a pause is written down, so that it holds after a restart."""
    looked = []

    def inspect() -> Unfit:
        looked.append(True)
        return Unfit("It is away.")

    monkeypatch.setattr("signal.signal", lambda *_: None)
    vcs = cast("Any", SimpleNamespace(inspect=inspect, close=lambda: None, abort=lambda **_: None))
    mailbox, instance, (above, below) = Mailbox(), Instance(), pair()
    worker = Worker(RepoConfig("/notes", "notes"), below, mailbox, vcs, instance)
    above.outbox.post(Pause(None))
    above.outbox.post(Shutdown(5.0))
    assert worker.run(None) == 0
    assert looked
    for one in (mailbox, instance, above, below):
        one.close()


def test_a_status_goes_up_with_the_times_that_people_go_by():
    above, below = pair()
    reports = Reports(RepoConfig("/notes", "notes"), below)
    reports.post(StatusChanged(Status.PAUSED, "", 0.0, clock.now() + 1800))
    reports.post(StatusChanged(Status.IDLE, "", 0.0))
    paused, idle = above.inbox.receive()
    assert isinstance(paused, StatusChanged)
    assert isinstance(idle, StatusChanged)
    assert paused.since <= idle.since <= clock.wall()
    assert paused.until is not None
    assert abs(paused.until - paused.since - 1800) < 1
    assert idle.until is None
    above.close()
    below.close()


def through_a_hang(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb hangs, and goes on."""
    for hangs in (True, False):

        def tick(self: Hanging, _now: float, *, busy: bool, hangs: bool = hangs) -> bool:
            self.hangs = hangs
            return busy

        monkeypatch.setattr(Hanging, "tick", tick)
        reports.pass_time(busy=True)


def test_what_was_paused_before_a_hang_is_paused_until_the_same_time_after_it(monkeypatch):
    above, below = pair()
    reports = Reports(RepoConfig("/notes", "notes"), below)
    reports.post(StatusChanged(Status.PAUSED, "", 0.0, clock.now() + 1800))
    through_a_hang(reports, monkeypatch)
    heard = [one for one in above.inbox.receive() if isinstance(one, StatusChanged)]
    assert [one.status for one in heard] == [Status.PAUSED, Status.FAILED, Status.PAUSED]
    before, after = heard[0].until, heard[-1].until
    assert before is not None
    assert after is not None
    assert abs(after - before) < 1
    above.close()
    below.close()


def test_a_hang_in_a_later_shift_is_over_as_well(monkeypatch):
    """What the shift before has said of the tree holds again."""
    above, below = pair()
    vcs = cast(
        "Any",
        SimpleNamespace(stays={}, take_over=lambda _known, _lock: None, close=lambda: None),
    )
    mailbox, instance = Mailbox(), Instance()
    config = RepoConfig("/notes", "notes")
    worker = Worker(config, below, mailbox, vcs, instance)
    state = State(waiting=Waiting(Why.GONE, "It is away."))
    watching = Watching(b"/notes", instance, print)
    knowledge = Knowledge(state, watching, MemoryFile("notes"), None)
    stays = {"instance": instance, "tick": print}
    worker._take_over(Handover("/notes", pack(knowledge, stays), 0.0))
    through_a_hang(worker._reports, monkeypatch)
    heard = [one for one in above.inbox.receive() if isinstance(one, StatusChanged)]
    assert [(one.status, one.until) for one in heard] == [
        (Status.FAILED, None),
        (Status.HALTED, None),
    ]
    assert heard[-1].reason == "It is away."
    worker._engine.end(5)
    for one in (mailbox, instance, above, below):
        one.close()


def test_the_first_inspection_runs_behind_all_else_and_a_later_one_does_not():
    seen: list[int] = []

    def inspect() -> Unfit:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return Unfit("")

    vcs = cast("Any", SimpleNamespace(inspect=inspect, close=lambda: None))
    mailbox = Mailbox()
    engine = Engine(vcs, mailbox, crashed=lambda bug: pytest.fail(str(bug)))
    engine.order(Inspect(gentle=True))
    engine.order(Inspect())
    assert engine.end(5)
    assert len(mailbox.take()) == 2
    usual = os.getpriority(os.PRIO_PROCESS, 0)
    assert seen == [max(NICENESS, usual), usual]
    mailbox.close()
