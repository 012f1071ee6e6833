"""Repositories of the person's own inside the tree: nothing of theirs is committed, replaced or
published, also where something in them is tracked here."""

import shutil
from pathlib import Path

import pytest

from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Synced
from tests.trees import Clone, World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def becomes_a_repository(clone: Clone, folder: str) -> None:
    clone.git("init", "-q", folder)


def is_one_no_longer(clone: Clone, folder: str) -> None:
    shutil.rmtree(clone.path(f"{folder}/.git"))


def left_out(outcome: object) -> list[tuple[bytes, str]]:
    assert isinstance(outcome, CommitMade | NothingToCommit), outcome
    return [(one.path, one.kind) for one in outcome.left_out]


@pytest.mark.parametrize("scope", [(), ("proj",)])
def test_a_folder_whose_files_are_tracked_becomes_a_repository(
    world: World, scope: tuple[str, ...]
) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "proj/p.txt": "one\n", "proj/deep/q": "q\n"})
    becomes_a_repository(laptop, "proj")
    assert left_out(laptop.commit(*scope)) == [(b"proj", "nested")]
    laptop.edit("proj/p.txt", "mine\n")
    laptop.edit("proj/new.txt", "mine, too\n")
    laptop.delete("proj/deep/q")
    outcome = laptop.commit(*scope)
    assert isinstance(outcome, NothingToCommit)
    assert left_out(outcome) == [(b"proj", "nested")]
    laptop.edit("a.txt", "two\n")
    assert left_out(laptop.commit("a.txt")) == []
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.txt") == b"two\n"
    assert desktop.read("proj/p.txt") == b"one\n"
    is_one_no_longer(laptop, "proj")
    assert left_out(laptop.commit(*scope)) == []
    laptop.is_clean()
    laptop.sync()
    desktop.sync()
    assert desktop.files() == laptop.files()
    assert desktop.read("proj/p.txt") == b"mine\n"


def test_a_snapshot_has_nothing_of_it(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n", "proj/p.txt": "one\n"}, "laptop")
    becomes_a_repository(laptop, "proj")
    laptop.git("switch", "-qc", "elsewhere")
    laptop.edit("proj/p.txt", "mine\n")
    laptop.edit("a.txt", "two\n")
    assert laptop.driver.snapshot().new
    assert laptop.history_has("two\n")
    assert not laptop.history_has("mine\n")
