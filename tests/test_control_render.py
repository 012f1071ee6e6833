"""What autosyncctl prints."""

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosyncd import clock
from autosyncd.control import render
from autosyncd.control.render import (
    Row,
    columns,
    duration,
    ends,
    exact_length,
    fit,
    length,
    plain,
)

NOTES = Row(
    name="笔记",
    path="/home/a/notes",
    status="halted",
    reason="214 of 230 files vanished",
    since=1000.0,
    branch="main",
    head="0123456789abcdef",
    remote="origin",
)
DOTS = Row("dotfiles", "/home/a/dots", "idle", "", 900.0, branch="main", remote="origin")
BOTH = [DOTS, NOTES]


def table(width: int | None = None, *, colour: bool = False) -> str:
    return render.table(BOTH, now=1180.0, width=width, colour=colour)


def test_the_table_is_aligned_also_with_wide_names():
    assert table() == (
        "NAME      STATUS  BRANCH  SINCE  REASON\n"
        "dotfiles  idle    main    4 min\n"
        "笔记      halted  main    3 min  214 of 230 files vanished\n"
    )


def test_a_reason_is_cut_to_the_terminal():
    lines = table(58).splitlines()
    assert lines[2].endswith("214 of 230 files vanished")
    assert table(57).splitlines()[2].endswith("  214 of 230 files vanish…")


def test_a_narrow_terminal_gets_the_reason_on_a_line_of_its_own():
    assert table(40) == (
        "NAME      STATUS  BRANCH  SINCE\n"
        "dotfiles  idle    main    4 min\n"
        "笔记      halted  main    3 min\n"
        "    214 of 230 files vanished\n"
    )


def test_colour_changes_nothing_but_colour():
    coloured = table(80, colour=True)
    assert "\x1b[31mhalted\x1b[0m" in coloured
    for code in ("\x1b[31m", "\x1b[32m", "\x1b[0m"):
        coloured = coloured.replace(code, "")
    assert coloured == table(80)
    assert "\x1b" not in table(80)


def test_no_repository_is_said():
    assert render.table([], now=0, width=80, colour=False) == "No repository is configured yet.\n"


def test_a_card_tells_everything_that_is_known():
    assert render.card(NOTES, now=1180.0) == (
        "笔记\n"
        "  status  halted (3 min)\n"
        "  reason  214 of 230 files vanished\n"
        "  path    /home/a/notes\n"
        "  branch  main at 0123456789ab\n"
        "  remote  origin\n"
    )
    alone = render.card(replace(DOTS, remote="", branch=""), now=1180.0)
    assert "  remote  none: changes are committed, not sent\n" in alone
    assert "branch" not in alone


def test_a_change_is_one_line():
    line = render.change(replace(NOTES, reason="a\nb\x1b[2J"), now=1180.0)
    assert line == f"{clock.stamp(1180.0)} 笔记: halted: a b�[2J\n"


def test_the_end_of_a_pause_is_told_by_the_clock_on_the_wall(monkeypatch):
    monkeypatch.setenv("TZ", "UTC-1")
    time.tzset()
    try:
        now, half_past_two = 20 * 86400.0, 20 * 86400 + 13.5 * 3600
        paused = replace(DOTS, status="paused", since=now - 60, until=half_past_two)
        rows = render.table([paused], now=now, width=None, colour=False)
        assert rows.splitlines()[1].split()[3:] == ["1", "min", "until", "14:30"]
        assert "status  paused until 14:30 (1 min)\n" in render.card(paused, now=now)
        told = render.change(paused, now=now)
        assert told == "1970-01-21 01:00:00 dotfiles: paused until 14:30\n"
        tomorrow = replace(paused, until=half_past_two + 86400)
        assert ends(tomorrow, now) == "until 1970-01-22 14:30"
        assert ends(replace(paused, until=None), now) == ""
    finally:
        monkeypatch.undo()
        time.tzset()


def test_json_has_stable_keys():
    state = json.loads(render.status_json("all well", BOTH))
    assert state["summary"] == "all well"
    keys = {"name", "path", "status", "reason", "branch", "head", "remote", "since", "until"}
    assert [set(row) for row in state["repositories"]] == [keys, keys]
    assert state["repositories"][1]["name"] == "笔记"
    assert render.status_json("", BOTH).count("\n") == 1
    asked = {"asked": "sync", "repositories": ["a"]}
    assert json.loads(render.asked_json("sync", ["a"])) == asked


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1h30m", 5400)]
)
def test_durations(text, seconds):
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0m", "2", "h", "2 h", "-2h", "2w", "1.5h", "\uff12h", "9" * 10 + "d"]
)
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="write 30m, 2h or 1d"):
        duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 s"), (0.9, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")],
)
def test_lengths(seconds, text):
    assert length(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(90, "1 min 30 s"), (5400, "1 h 30 min"), (90_061, "1 d 1 h 1 min 1 s")]
)
def test_exact_lengths(seconds, text):
    assert exact_length(seconds) == text


@given(st.text(), st.integers(1, 60))
def test_a_fitted_text_fits(text, width):
    fitted = fit(plain(text), width)
    assert columns(fitted) <= width
    assert plain(text).startswith(fitted.removesuffix("…"))


@given(st.text())
def test_plain_text_steers_no_terminal(text):
    assert plain(text).isprintable()
