"""The first look at a tree runs behind what a person does; what follows them doesn't."""

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from autosyncd.vcs.git.command import Git
from autosyncd.vcs.outcomes import Synced
from autosyncd.vcs.priority import NICENESS, at_low_priority
from tests.trees import Clone, make_world


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    laptop, _ = make_world(tmp_path, monkeypatch).share({"a.txt": "a\n"})
    return laptop


def niceness(laptop: Clone) -> int:
    repository = laptop.driver._opened.repository  # type: ignore[union-attr]
    return int(repository.git("-c", "alias.nice=!nice", "nice").text)


def test_children_inherit_it(laptop: Clone) -> None:
    assert at_low_priority(lambda: niceness(laptop)) == max(NICENESS, niceness(laptop))


def test_what_goes_wrong_is_told(laptop: Clone) -> None:
    with pytest.raises(ZeroDivisionError):
        at_low_priority(lambda: 1 // 0)


def test_a_first_commit_is_at_low_priority_and_the_next_is_not(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    real = Git.__call__

    def call(self: Git, *arguments: str | bytes, **words: object) -> object:
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return real(self, *arguments, **words)  # type: ignore[arg-type]

    usual = niceness(laptop)
    monkeypatch.setattr(Git, "__call__", call)
    laptop.edit("b.txt", "b\n")
    laptop.commit(gentle=True)
    assert max(seen) == max(NICENESS, usual)
    del seen[:]
    laptop.edit("a.txt", "again\n")
    laptop.committed("a.txt")
    assert seen
    assert set(seen) == {usual}
    laptop.driver._opened.repository.git.lookup("HEAD")  # type: ignore[union-attr]
    child = laptop.driver._opened.repository.git._lookup._child  # type: ignore[union-attr]
    assert child is not None
    assert os.getpriority(os.PRIO_PROCESS, child.number) == usual


def test_what_comes_in_first_is_brought_in_at_low_priority_and_fetched_and_pushed_as_usual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, desktop = make_world(tmp_path, monkeypatch).share({"a.txt": "a\n", "b.txt": "b\n"})
    laptop.edit("b.txt", "ours\n")
    laptop.committed("b.txt")
    desktop.edit("a.txt", "theirs\n")
    desktop.committed("a.txt")
    assert isinstance(desktop.sync(), Synced)
    seen = levels(monkeypatch)
    usual = niceness(laptop)
    assert isinstance(laptop.sync(gentle=True), Synced)
    assert seen["fetch"] == seen["push"] == {usual}
    assert seen["merge-tree"] == {max(NICENESS, usual)}
    seen.clear()
    desktop.sync()
    assert seen["fetch"] == {usual}
    laptop.edit("b.txt", "ours again\n")
    laptop.committed("b.txt")
    desktop.edit("a.txt", "theirs again\n")
    desktop.committed("a.txt")
    assert isinstance(desktop.sync(), Synced)
    assert isinstance(laptop.sync(), Synced)
    assert {level for levels in seen.values() for level in levels} == {usual}


def levels(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[int]]:
    """At which priorities each command of git is begun from now on."""
    seen: dict[str, set[int]] = {}
    for way in ("__call__", "network"):
        monkeypatch.setattr(Git, way, _recording(getattr(Git, way), seen))
    return seen


def _recording(real: Callable[..., object], seen: dict[str, set[int]]) -> Callable[..., object]:
    def call(self: Git, *arguments: str | bytes, **words: object) -> object:
        level = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        for command in {"fetch", "push", "merge-tree", "read-tree"} & set(arguments):
            seen.setdefault(command, set()).add(level)  # type: ignore[arg-type]
        return real(self, *arguments, **words)

    return call
