"""Announcements until their echo is back: what a session begins with, and whose words an echo is."""

from autosyncd.model import Channel
from autosyncd.transport.notice import Announcement
from autosyncd.transport.outbox import KEPT_FOR, OWN_LIMIT, Outbox

CHANNEL = Channel("cd" * 32)
FIRST = Announcement(CHANNEL, "ab" * 20)
SECOND = Announcement(CHANNEL, "12" * 20)


def test_an_echo_is_known_for_a_minute_and_then_somebody_elses_word() -> None:
    outbox = Outbox()
    outbox.put(FIRST, now=0.0)
    assert outbox.is_echo(FIRST, now=KEPT_FOR)
    assert not outbox.is_echo(FIRST, now=KEPT_FOR + 1), "a machine that went back to it says so"
    assert not outbox.is_echo(SECOND, now=1.0)


def test_a_session_begins_with_the_newest_that_has_not_come_back_however_old() -> None:
    outbox = Outbox()
    outbox.put(FIRST, now=0.0)
    outbox.put(SECOND, now=1.0)
    assert outbox.is_echo(FIRST, now=2.0), "an older one, which confirms nothing"
    assert outbox.unconfirmed(now=5000.0) == (SECOND,)
    assert outbox.is_echo(SECOND, now=5001.0)
    assert outbox.unconfirmed(now=5002.0) == ()


def test_a_server_that_never_says_it_again_hears_it_for_a_minute() -> None:
    outbox = Outbox()
    outbox.put(FIRST, now=0.0)
    assert outbox.unconfirmed(now=1000.0) == (FIRST,)
    assert outbox.unconfirmed(now=1000.0 + KEPT_FOR) == (FIRST,)
    assert outbox.unconfirmed(now=1001.0 + KEPT_FOR) == ()


def test_it_remembers_only_so_many_of_its_own_words() -> None:
    outbox = Outbox()
    channels = [Channel(f"{number:064x}") for number in range(OWN_LIMIT + 1)]
    for channel in channels:
        outbox.put(Announcement(channel, FIRST.head), now=0.0)
    assert not outbox.is_echo(Announcement(channels[0], FIRST.head), now=1.0)
    assert outbox.is_echo(Announcement(channels[1], FIRST.head), now=1.0)
