"""What the journal hears, and that it hears each thing once."""

import logging
from math import inf

import pytest

from autosyncd.link.messages import HeadMoved, Problem, Solved, StatusChanged
from autosyncd.model import Head, Status
from autosyncd.service import journal
from autosyncd.supervisor.record import HOLD, Record, of_reload

GONE = Problem("gone", "It isn't there.")


@pytest.fixture
def lines(monkeypatch):
    heard: list[tuple[str, str]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append((record.levelname, record.getMessage()))

    monkeypatch.setattr(journal.log, "handlers", [Listener()])
    monkeypatch.setattr(journal.log, "propagate", False)
    monkeypatch.setattr(journal.log, "level", logging.INFO)
    journal.log.manager._clear_cache()
    yield heard
    journal.log.manager._clear_cache()


@pytest.mark.parametrize("status", [Status.HALTED, Status.FAILED])
def test_a_problem_and_the_status_it_leads_to_are_one_line(lines, status):
    record = Record()
    record.of_worker("notes", GONE, 1.0)
    record.of_worker("notes", HeadMoved(Head("main", "c")), 1.0)
    record.of_worker("notes", StatusChanged(status, GONE.text, 0.0), 1.1)
    record.tick(9.0)
    assert lines == [("WARNING", f"{status.value}: It isn't there.")]
    assert record.deadline() == inf


def test_a_problem_without_such_a_status_is_written_a_moment_later(lines):
    record = Record()
    record.of_worker("notes", GONE, 1.0)
    record.of_worker("dots", StatusChanged(Status.HALTED, GONE.text, 0.0), 1.0)
    assert record.deadline() == 1.0 + HOLD
    record.tick(1.0 + HOLD)
    assert lines == [("WARNING", "halted: It isn't there."), ("WARNING", "It isn't there. (gone)")]


@pytest.mark.parametrize(
    "then",
    [
        StatusChanged(Status.HALTED, "Another reason.", 0.0),
        StatusChanged(Status.RETRYING, GONE.text, 0.0),
        Problem("disk-full", "No room."),
        Solved("gone"),
    ],
)
def test_nothing_that_is_another_thing_takes_its_place(lines, then):
    record = Record()
    record.of_worker("notes", GONE, 1.0)
    record.of_worker("notes", then, 1.0)
    assert lines[0] == ("WARNING", "It isn't there. (gone)")
    record.flush()
    assert sum("(gone)" in text for _, text in lines) == 1


def test_what_waits_at_the_end_is_written(lines):
    record = Record()
    record.of_worker("notes", GONE, 1.0)
    record.flush()
    assert lines == [("WARNING", "It isn't there. (gone)")]


def test_a_pause_and_its_end_are_a_line_each(lines):
    record = Record()
    for status in (
        Status.IDLE,
        Status.PAUSED,
        Status.HALTED,  # what a question says meanwhile
        Status.PAUSED,
        Status.STOPPING,
        Status.STARTING,
        Status.PAUSED,
    ):
        record.of_worker("notes", StatusChanged(status, "", 0.0), 1.0)
    record.of_worker("dots", StatusChanged(Status.IDLE, "", 0.0), 1.0)
    paused = ("INFO", "the pause begins")
    assert [one for one in lines if one[0] == "INFO"] == [paused]
    for status in (Status.SETTLING, Status.IDLE):
        record.of_worker("notes", StatusChanged(status, "", 0.0), 1.0)
    assert [one for one in lines if one[0] == "INFO"] == [paused, ("INFO", "the pause is over")]


def test_a_reload_tells_who_came_and_went(lines):
    of_reload(["notes", "old"], ["notes", "new"])
    assert lines == [
        ("INFO", "added to the configuration"),
        ("INFO", "removed from the configuration"),
    ]
