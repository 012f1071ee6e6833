"""A pause and answers outlive the worker."""

import json
import math
import os
from pathlib import Path

import pytest

from autosyncd import clock
from autosyncd.worker.memory import MemoryFile


def begun(folder: Path) -> MemoryFile:
    one = MemoryFile("notes")
    one.recall(os.fsencode(folder))
    return one


def recalled(folder: Path) -> object:
    return MemoryFile("notes").recall(os.fsencode(folder))


def test_a_pause_and_answers_are_recalled_once(tmp_path: Path):
    begun(tmp_path).remember(clock.now() + 60, frozenset({"mass-deletion"}))
    one = MemoryFile("notes")
    found = one.recall(os.fsencode(tmp_path))
    assert found is not None
    assert 50 < found.paused_until - clock.now() <= 60
    assert found.allowed == {"mass-deletion"}
    assert one.recall(os.fsencode(tmp_path)) is None


def test_a_pause_until_it_is_resumed_has_no_end(tmp_path: Path):
    begun(tmp_path).remember(math.inf, frozenset())
    found = MemoryFile("notes").recall(os.fsencode(tmp_path))
    assert found is not None
    assert found.paused_until == math.inf


def test_what_is_over_is_not_recalled(tmp_path: Path):
    one = begun(tmp_path)
    one.remember(clock.now() + 60, frozenset())
    one.remember(-math.inf, frozenset())
    assert not list(tmp_path.iterdir())
    (tmp_path / "worker.json").write_text(json.dumps({"paused_until": 5.0}))
    assert recalled(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"other": 1}',
        '{"paused_until": "x", "allowed": []}',
        '{"paused_until": Infinity, "allowed": 5}',
    ],
)
def test_what_is_not_readable_is_nothing(tmp_path: Path, text: str):
    (tmp_path / "worker.json").write_text(text)
    assert recalled(tmp_path) is None


def test_where_nothing_can_be_written_the_worker_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    begun(tmp_path / "away").remember(math.inf, frozenset())
    assert "can't be remembered" in caplog.text


def test_what_is_said_before_the_tree_was_looked_at_holds(tmp_path: Path):
    begun(tmp_path).remember(-math.inf, frozenset({"mass-deletion"}))
    one = MemoryFile("notes")
    one.remember(math.inf, frozenset())
    found = one.recall(os.fsencode(tmp_path))
    assert found is not None
    assert (found.paused_until, found.allowed) == (math.inf, {"mass-deletion"})
    assert MemoryFile("notes").recall(os.fsencode(tmp_path)) == found
