"""A state file is the old one or the new one, whatever happens."""

import os
from pathlib import Path

import pytest

from autosyncd.vcs.statefile import replace


@pytest.mark.parametrize("durable", [True, False])
def test_the_new_bytes_are_whole_before_the_name_is_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, durable: bool
) -> None:
    file = tmp_path / "held.json"
    steps = []

    def fsync(handle: int) -> None:
        steps.append(("fsync", os.fstat(handle).st_size))

    def rename(old: bytes, new: bytes) -> None:
        steps.append((os.path.basename(os.fsdecode(old)), os.stat(old).st_size))
        os.replace(old, new)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    replace(file, b"older", durable=durable)
    replace(os.fsencode(file), b"newer one", durable=durable)
    flushed = [("fsync", 5), ("held.json.new", 5), ("fsync", 9), ("held.json.new", 9)]
    assert steps == [step for step in flushed if durable or step[0] != "fsync"]
    assert file.read_bytes() == b"newer one"
    assert os.listdir(tmp_path) == ["held.json"]


def test_what_can_not_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "held.json"
    file.write_bytes(b"older")
    (tmp_path / "held.json.new").mkdir()
    with pytest.raises(IsADirectoryError):
        replace(file, b"newer", durable=True)
    assert file.read_bytes() == b"older"
