"""What the watch tells the machine."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosyncd.vcs.changes import EVERYTHING, Scope
from autosyncd.watch.inotify import TreeWatch
from autosyncd.watch.instance import Instance
from autosyncd.watch.treechanges import TreeChanges
from autosyncd.worker.events import Changed, RootGone, RulesChanged
from autosyncd.worker.watching import REARMS_AT_ONCE, Watching

LOST = TreeChanges(changed=frozenset({b"f"}), rescan=True)
FOUND = TreeChanges(changed=frozenset({b"g"}))
F, G = Changed(Scope(frozenset({b"f"}))), Changed(Scope(frozenset({b"g"})))


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[Watching]:
    one = Watching(os.fsencode(tmp_path), Instance(), lambda _folders: None)
    assert one.arm(frozenset(), b"") == []
    yield one
    one.close()


def test_what_changed_is_told_with_the_folders_to_be_judged(watching: Watching, tmp_path: Path):
    (tmp_path / "new").mkdir()
    (tmp_path / "f").write_text("x")
    changed = Scope(frozenset({b"f", b"new"}))
    assert watching.read() == [Changed(changed, frozenset({b"new"}))]
    assert watching.judged(frozenset(), frozenset({b"new"})) == [
        Changed(Scope(frozenset({b"new"})))
    ]


def test_nothing_is_told_before_the_tree_was_looked_at(tmp_path: Path):
    with contextlib.closing(Instance()) as instance:
        one = Watching(os.fsencode(tmp_path), instance, lambda _folders: None)
        assert one.read() == one.judged(frozenset(), frozenset({b"f"})) == []


@pytest.mark.parametrize(
    ("rearmed", "told"),
    [
        ([FOUND], [Changed(EVERYTHING), F, G]),
        ([LOST, FOUND], [Changed(EVERYTHING), F, Changed(EVERYTHING), F, G]),
        ([TreeChanges(gone=True)], [Changed(EVERYTHING), F, RootGone()]),
        # folders that never stop moving
        (
            [LOST] * REARMS_AT_ONCE,
            [*[Changed(EVERYTHING), F] * REARMS_AT_ONCE, RulesChanged(), F],
        ),
    ],
)
def test_after_lost_events_everything_is_looked_at_once_the_watches_are_right(
    watching: Watching,
    monkeypatch: pytest.MonkeyPatch,
    rearmed: list[TreeChanges],
    told: list[object],
):
    left = list(rearmed)
    monkeypatch.setattr(TreeWatch, "read", lambda _: LOST)
    monkeypatch.setattr(TreeWatch, "rearm", lambda *_: left.pop(0))
    assert watching.read() == told
    assert not left


@pytest.mark.parametrize(
    ("lost", "told"),
    [
        (TreeChanges(gone=True, rescan=True), RootGone()),
        (TreeChanges(rules_changed=True), RulesChanged()),
    ],
)
def test_what_is_armed_anew_anyway_is_not_made_right_before(
    watching: Watching, monkeypatch: pytest.MonkeyPatch, lost: TreeChanges, told: object
):
    monkeypatch.setattr(TreeWatch, "read", lambda _: lost)
    monkeypatch.delattr(TreeWatch, "rearm")
    assert watching.read() == [told]
