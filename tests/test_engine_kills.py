"""A worker that is killed at any instant leaves nothing that its successor can't put in order."""

from pathlib import Path

import pytest

from tests.bench.bench_kills import measure


@pytest.mark.slow
def test_nothing_is_lost_or_stuck(tmp_path: Path) -> None:
    tally = measure(tmp_path, 25)
    assert tally.failures == []
