"""The status line, word for word."""

import pytest

from autosyncd.model import Status
from autosyncd.supervisor.summary import LINE_LIMIT, Line, summary

IDLE = [Line(name, Status.IDLE) for name in ("dotfiles", "notes", "photos")]
HALTED = Line(
    "notes", Status.HALTED, "214 of 230 files vanished; go on with: autosyncctl resume notes"
)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "no repositories yet; add one with: autosyncctl add PATH"),
        (IDLE[:1], "1 repository, in sync"),
        (IDLE, "3 repositories, all in sync"),
        ([*IDLE[:2], Line("big", Status.PUSHING)], "3 repositories, working on big"),
        (
            [IDLE[0], Line("a", Status.PULLING), Line("b", Status.SETTLING)],
            "3 repositories, working on 2",
        ),
        (
            [*IDLE[:2], HALTED],
            "notes: halted: 214 of 230 files vanished; go on with: autosyncctl resume notes;"
            " 2 in sync",
        ),
        (
            [Line("b", Status.PAUSED), Line("a", Status.RETRYING, "no route to host."), HALTED],
            "notes: halted: 214 of 230 files vanished; go on with: autosyncctl resume notes;"
            " a: retrying: no route to host; b: paused",
        ),
        (
            [Line(name, Status.FAILED, "full") for name in "edcba"],
            "a: failed: full; b: failed: full; c: failed: full; 2 more with a problem",
        ),
        ([Line("a", Status.STARTING)], "a: starting"),
    ],
)
def test_the_line_for_people(lines, expected):
    assert summary(lines) == expected


def test_problems_of_the_configuration_and_transports_are_mentioned():
    problems = ("a.yaml:3: unknown key", "b.yaml:1: bad")
    assert (
        summary(IDLE, problems, ["fanout: connection refused"])
        == "configuration: a.yaml:3: unknown key (and 1 more); 3 repositories, all in sync;"
        " fanout: connection refused"
    )


def test_whatever_the_reasons_it_is_one_short_line():
    text = summary([Line("a", Status.FAILED, "one\ntwo\nREADY=1 " + "x" * 1000)])
    assert "\n" not in text
    assert len(text) <= LINE_LIMIT
