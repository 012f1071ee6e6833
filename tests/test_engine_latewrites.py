"""A writer who was just opening a file when it was replaced loses nothing."""

import os
from pathlib import Path

import pytest

from tests.bench.bench_latewrites import measure


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_no_write_is_lost(folder: str) -> None:
    if not os.path.isdir(folder):
        pytest.skip(f"there is no {folder}")
    tally = measure(Path(folder), 1000)
    assert tally.lost.total() == 0, tally
    assert tally.replaced > 0
