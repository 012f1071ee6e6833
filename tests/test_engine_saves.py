"""A save at any instant of an update survives it."""

from pathlib import Path

import pytest

from tests.bench.bench_saves import measure


@pytest.mark.slow
def test_no_save_is_destroyed(tmp_path: Path) -> None:
    fates, _ = measure(tmp_path, "ours", 40, 500)
    assert fates.keys() <= {"kept", "put off, kept"}, fates
    assert fates["kept"] > 20, "hardly anything was updated"
