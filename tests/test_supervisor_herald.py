"""What a new messenger is told of what stands."""

from dataclasses import replace

import pytest

from autosyncd import clock
from autosyncd.link.messages import Message
from autosyncd.link.outside import (
    Alert,
    RepositoryConflict,
    RepositoryGone,
    RepositoryStatus,
    Subscribe,
    Summary,
    Tell,
    Withdraw,
)
from autosyncd.model import AlertKind, Channel, PushNotice, Status, TreeId
from autosyncd.supervisor.herald import CONFLICTS_KEPT, SAID_AFTER, TOLD_AGAIN_FOR, Herald

PROBLEM = Alert("notes", AlertKind.PROBLEM, "push", "notes: a problem", "No.")

OTHERS = replace(PROBLEM, repository="dots", topic="disk-full")
ROW = RepositoryStatus("notes", "/notes", Status.IDLE, "", 1.0)


class Stage:
    """A herald, a clock, and a messenger that is there or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.there = True
        self.posted: list[Message] = []
        self.herald = Herald(self._post)
        monkeypatch.setattr(clock, "now", lambda: self.now)

    def _post(self, message: Message) -> bool:
        self.posted += [message] if self.there else []
        return self.there

    def heard(self) -> list[Message]:
        """All since the last call."""
        found, self.posted = self.posted, []
        return found

    def said(self) -> list[bool]:
        """Of each alert since the last call, whether it counts as said."""
        found = [message.said for message in self.posted if isinstance(message, Alert)]
        self.posted.clear()
        return found


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


def test_a_new_messenger_knows_what_the_old_one_had_time_to_say(stage):
    stage.herald.alert(PROBLEM)
    stage.herald.alert(PROBLEM)
    assert stage.said() == [False]
    stage.now += SAID_AFTER - 1  # it may have waited for more, and died
    stage.herald.renew()
    assert stage.said() == [False]
    stage.now += 1
    stage.herald.renew()
    assert stage.said() == [True]


def test_another_person_has_heard_of_nothing(stage):
    stage.herald.alert(PROBLEM)
    stage.now += 1000
    stage.herald.readdress()
    stage.herald.renew()
    assert stage.said() == [False, False]


def test_what_nobody_heard_was_not_said(stage):
    stage.there = False
    stage.herald.alert(PROBLEM)
    stage.now += 1000
    stage.there = True
    stage.herald.renew()
    assert stage.said() == [False]


def test_what_comes_back_is_new(stage):
    stage.herald.alert(PROBLEM)
    stage.now += 1000
    stage.herald.withdraw(Withdraw("notes", "push"))
    stage.herald.alert(PROBLEM)
    stage.herald.renew()
    assert stage.said() == [False, False, False]


@pytest.mark.parametrize("there", [True, False])
def test_a_notice_outlives_the_messenger_that_may_not_have_sent_it(stage, there):
    older, newest = (
        Tell(PushNotice((Channel("a" * 64),), "main", head, TreeId("t1"), "laptop"))
        for head in ("h1", "h2")
    )
    stage.there = there
    stage.herald.tell(older)
    stage.herald.tell(newest)
    stage.posted.clear()
    stage.there = True
    stage.now += TOLD_AGAIN_FOR
    stage.herald.renew()
    assert stage.posted == [newest]
    stage.now += 1
    stage.herald.renew()
    assert stage.posted == [newest]


def test_what_is_gone_is_taken_back_and_never_told_again(stage):
    for alert in (PROBLEM, OTHERS):
        stage.herald.alert(alert)
    stage.herald.row(ROW)
    stage.herald.channels(Subscribe("notes", (Channel("a" * 64),)))
    stage.herald.summary("all is well")
    stage.heard()
    stage.herald.gone("notes")
    taken_back = [Withdraw("notes", "push"), Subscribe("notes", ()), RepositoryGone("notes")]
    assert stage.heard() == taken_back
    stage.herald.gone("never")
    assert stage.heard() == [RepositoryGone("never")]
    stage.herald.renew()
    assert stage.heard() == [OTHERS, Summary("all is well")]


def test_a_new_workers_repository_keeps_the_alert_of_its_process_alone(stage):
    process = replace(PROBLEM, topic="process")
    for alert in (PROBLEM, process, OTHERS):
        stage.herald.alert(alert)
    stage.heard()
    stage.herald.withdraw_all("notes", spared="process")
    assert stage.heard() == [Withdraw("notes", "push")]
    stage.herald.withdraw(Withdraw("notes", "push"))
    assert stage.heard() == []


def test_what_happens_while_nobody_is_there_is_told_once_the_newest_last(stage):
    conflicts = [RepositoryConflict("notes", (name,)) for name in "ab"]
    pulled = Alert("notes", AlertKind.PULLED, "pulled", "notes: pulled", "1 file updated")
    stage.there = False
    for conflict in (*conflicts, conflicts[0]):
        stage.herald.conflict(conflict)
    stage.herald.alert(pulled)
    stage.there = True
    stage.herald.renew()
    assert stage.heard() == [conflicts[1], conflicts[0], pulled]
    stage.herald.renew()
    assert stage.heard() == []


def test_while_nobody_is_there_for_long_the_newest_conflicts_wait_and_all_else(stage):
    pulled = Alert("notes", AlertKind.PULLED, "pulled", "notes: pulled", "1 file updated")
    conflicts = [RepositoryConflict("notes", (str(n),)) for n in range(CONFLICTS_KEPT + 5)]
    stage.there = False
    stage.herald.alert(pulled)
    for conflict in conflicts:
        stage.herald.conflict(conflict)
    stage.there = True
    stage.herald.renew()
    assert stage.heard() == [pulled, *conflicts[5:]]


def test_a_state_is_told_when_it_changes(stage):
    for row in (ROW, ROW, replace(ROW, status=Status.PUSHING)):
        stage.herald.row(row)
    assert stage.heard() == [ROW, replace(ROW, status=Status.PUSHING)]
