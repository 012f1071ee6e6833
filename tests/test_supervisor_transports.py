"""What the journal hears of transports that come and go: the first times, that it goes on, its end."""

import logging
from collections.abc import Iterator
from math import inf

import pytest

from autosyncd.link.outside import TransportChanged
from autosyncd.service import journal
from autosyncd.supervisor.transports import REASONS, STEADY_AFTER, TOLD, Transports

ONLINE = TransportChanged("xmpp", online=True)
Line = tuple[str, str]


def lost(reason: str = "Gone.") -> TransportChanged:
    return TransportChanged("xmpp", online=False, reason=reason)


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Line]]:
    heard: list[Line] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append((record.levelname, record.getMessage()))

    monkeypatch.setattr(journal.log, "handlers", [Listener()])
    monkeypatch.setattr(journal.log, "propagate", False)
    monkeypatch.setattr(journal.log, "level", logging.INFO)
    journal.log.manager._clear_cache()
    yield heard
    journal.log.manager._clear_cache()


def come_and_go(transports: Transports, times: int, start: float = 0.0) -> float:
    """Online and lost, again and again, a minute apart; when the last loss was."""
    now = start
    for now in (start + 60.0 * number for number in range(times)):
        transports.changed(ONLINE, now - 30)
        transports.changed(lost(), now)
    return now


def test_one_that_is_dropped_for_ever_is_told_a_few_times_and_then_no_more(
    lines: list[Line],
) -> None:
    transports = Transports()
    come_and_go(transports, 1000)
    assert len(lines) == 2 * (TOLD + 1)
    assert lines[:2] == [("INFO", "xmpp is online"), ("WARNING", "xmpp is not online: Gone.")]
    assert lines[-1] == (
        "WARNING",
        "xmpp is not online: Gone. That makes 4 times within 4 minutes; more is said once it has "
        "stayed online or away for 10 minutes, or for another reason.",
    )
    assert transports.away() == ["xmpp: Gone."], "the status line goes on"


@pytest.mark.parametrize(
    ("last", "line"),
    [
        (
            ONLINE,
            (
                "INFO",
                "xmpp is online for 10 minutes by now, after it was lost 300 times within 5 hours",
            ),
        ),
        (
            lost(),
            (
                "WARNING",
                "xmpp is not online for 10 minutes by now, after it was lost 301 times within 5 "
                "hours: Gone.",
            ),
        ),
    ],
)
def test_its_end_is_told_and_then_all_is_news_again(
    lines: list[Line], last: TransportChanged, line: Line
) -> None:
    transports = Transports()
    ended = come_and_go(transports, 300) + 30
    transports.changed(last, ended)
    lines.clear()
    assert transports.deadline() == ended + STEADY_AFTER
    transports.tick(ended + STEADY_AFTER - 1)
    assert not lines
    transports.tick(ended + STEADY_AFTER)
    assert lines == [line]
    assert transports.deadline() == inf
    come_and_go(transports, 1, start=ended + STEADY_AFTER + 60)
    assert lines[1:] == [("INFO", "xmpp is online"), ("WARNING", "xmpp is not online: Gone.")]


def test_losses_that_are_rare_are_told_each(lines: list[Line]) -> None:
    transports = Transports()
    for number in range(10):
        transports.changed(ONLINE, number * (STEADY_AFTER + 1))
        transports.changed(lost(), number * (STEADY_AFTER + 1) + 1)
    assert lines == [("INFO", "xmpp is online"), ("WARNING", "xmpp is not online: Gone.")] * 10
    assert transports.deadline() == inf


def test_another_reason_is_news_but_not_one_that_is_made_up_each_time(lines: list[Line]) -> None:
    transports = Transports()
    now = come_and_go(transports, 10)
    lines.clear()
    transports.changed(lost("The password is wrong."), now + 1)
    assert lines == [("WARNING", "xmpp is not online: The password is wrong.")]
    for number in range(1000):
        transports.changed(lost(f"No. {number}"), now + 2 + number)
    assert len(lines) < REASONS


def test_two_reasons_in_turn_are_told_like_any_coming_and_going(lines: list[Line]) -> None:
    """Of two addresses of one server, each may be closed in its own way."""
    transports = Transports()
    for number in range(100):
        transports.changed(lost("One." if number % 2 else "Two."), 40.0 * number)
    assert len(lines) == TOLD + 1


def test_who_has_the_configuration_read_again_hears_what_comes_of_it(lines: list[Line]) -> None:
    transports = Transports()
    now = come_and_go(transports, 10)
    lines.clear()
    transports.begin_anew()
    transports.changed(ONLINE, now + 1)
    assert lines == [("INFO", "xmpp is online")]


def test_one_transport_does_not_hush_another(lines: list[Line]) -> None:
    transports = Transports()
    now = come_and_go(transports, 10)
    lines.clear()
    transports.changed(TransportChanged("fanout", online=False, reason="No."), now)
    assert lines == [("WARNING", "fanout is not online: No.")]
    assert transports.away() == ["fanout: No.", "xmpp: Gone."]
    transports.died("messenger", "it died")
    assert transports.away() == ["messenger: it died"]
    transports.lives("messenger")
    assert transports.away() == []


def test_the_last_words_of_a_messenger_do_not_outlive_it() -> None:
    transports = Transports()
    transports.forget()  # by the new configuration there is no XMPP any more
    transports.changed(lost(), 1.0)
    transports.begins("messenger")
    assert transports.away() == []
    transports.died("messenger", "its process ended")
    transports.begins("messenger")
    assert transports.away() == ["messenger: its process ended"]
    transports.lives("messenger")
    assert transports.away() == []
