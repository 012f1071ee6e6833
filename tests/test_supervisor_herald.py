"""What a new messenger is told of what stands."""

import pytest

from autosyncd import clock
from autosyncd.link.messages import Message
from autosyncd.link.outside import Alert, Tell, Withdraw
from autosyncd.model import AlertKind, Channel, PushNotice, TreeId
from autosyncd.supervisor.herald import SAID_AFTER, TOLD_AGAIN_FOR, Herald

PROBLEM = Alert("notes", AlertKind.PROBLEM, "push", "notes: a problem", "No.")


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
