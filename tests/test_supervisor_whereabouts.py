"""The first thing a worker's process does, with a real link and real symbolic links."""

import os
import threading
from pathlib import Path

import pytest

from autosyncd.config.overlap import Neighbours
from autosyncd.errors import LinkClosed
from autosyncd.link.channel import pair
from autosyncd.link.messages import (
    Alive,
    Describe,
    Located,
    Pause,
    Problem,
    Resume,
    Shutdown,
    Solved,
    StatusChanged,
    SyncNow,
)
from autosyncd.model import RepoConfig, Status
from autosyncd.supervisor.whereabouts import find
from tests.waiting import eventually


class Child:
    """find() in a thread, and what the supervisor's end hears."""

    def __init__(self, path: Path, neighbours: Neighbours) -> None:
        self.link, self.below = pair()
        self.worked: list[str] = []
        self.heard: list[object] = []

        def run() -> None:
            real = find(RepoConfig(str(path), "link"), neighbours, self.below)
            self.worked += [real] if real is not None else []

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def hears(self, kind: type) -> object:
        def look() -> list[object]:
            self.heard += self.link.inbox.receive()
            return [one for one in self.heard if isinstance(one, kind)]

        return eventually(look)[-1]

    def answers(self) -> int:
        """How many times it has waited."""
        self.heard += self.link.inbox.receive()
        return sum(isinstance(one, Alive) for one in self.heard)

    def ended(self) -> bool:
        self.thread.join(5)
        return not self.thread.is_alive()


@pytest.fixture
def root(tmp_path):
    return Path(os.path.realpath(tmp_path))


def test_the_worker_gets_the_real_path(root):
    (root / "tree").mkdir()
    (root / "link").symlink_to("tree")
    child = Child(root / "link", Neighbours({f"{root}/link": "link"}))
    assert child.ended()
    assert child.worked == [f"{root}/tree"]


def test_a_path_that_is_not_there_is_the_workers_to_wait_for(root):
    child = Child(root / "none", Neighbours({f"{root}/none": "none"}, {f"{root}/a": "a"}))
    assert child.ended()
    assert child.worked == [f"{root}/none"]


def test_a_second_name_of_a_repository_is_told_until_it_leads_elsewhere(root):
    for name in ("tree", "other"):
        (root / name).mkdir()
    link = root / "link"
    link.symlink_to("tree")
    child = Child(link, Neighbours({f"{root}/tree": "notes", f"{root}/link": "link"}))
    said = f"{link} leads to {root}/tree, which is the repository notes already; keep one of"
    assert str(child.hears(Problem).text).startswith(said)
    status = child.hears(StatusChanged)
    assert (status.status, status.reason[: len(said)]) == (Status.FAILED, said)
    link.unlink()
    link.symlink_to("other")
    child.link.outbox.post(SyncNow())
    assert child.ended()
    assert child.worked == [f"{root}/other"]
    assert child.hears(Solved) == Solved("path")


def test_what_was_ordered_meanwhile_is_the_workers_to_hear(root):
    for name in ("tree", "other"):
        (root / name).mkdir()
    link = root / "link"
    link.symlink_to("tree")
    child = Child(link, Neighbours({f"{root}/tree": "notes", f"{root}/link": "link"}))
    child.hears(Problem)
    for number, order in enumerate((Resume(), Describe("a"), Pause(1.0), Resume(), Pause(None))):
        child.link.outbox.post(order)
        eventually(lambda wanted=number: child.answers() > wanted)
    link.unlink()
    link.symlink_to("other")
    child.link.outbox.post(SyncNow())
    assert child.ended()
    # the newest of each kind, in the order in which they were said last
    assert child.below.inbox.receive() == [Describe("a"), Resume(), Pause(None), SyncNow()]
    assert child.below.inbox.receive() == []


@pytest.mark.parametrize("how", ["shutdown", "hang up"])
def test_one_that_may_not_work_ends_when_it_is_told_to_or_left(root, how):
    (root / "tree").mkdir()
    (root / "link").symlink_to("tree")
    guarded = {f"{root}/tree/sync.yaml": "the configuration (sync.yaml)"}
    child = Child(root / "link", Neighbours({}, guarded))
    assert "the configuration (sync.yaml) lies in it, so a pull" in child.hears(Problem).text
    if how == "shutdown":
        child.link.outbox.post(Shutdown(5.0))
    else:
        child.link.close()
    assert child.ended()
    assert child.worked == []


def test_what_is_said_of_very_long_paths_fits_into_a_link(root):
    deep = root
    while len(str(deep)) < 1500:
        deep = deep / ("d" * 200)
    deep.mkdir(parents=True)
    (root / "link").symlink_to(deep)
    child = Child(root / "link", Neighbours({str(deep): "n" * 200}))
    assert child.hears(Problem).text.startswith(f"{root}/link leads to {root}/ddd")
    child.link.close()
    assert child.ended()


def test_it_is_said_once_where_a_link_leads(root):
    (root / "tree").mkdir()
    (root / "link").symlink_to("tree")
    child = Child(root / "link", Neighbours())
    assert child.hears(Located) == Located(f"{root}/tree")
    assert child.ended()
    plain = Child(root / "tree", Neighbours())
    assert plain.ended()
    plain.below.close()
    with pytest.raises(LinkClosed):  # nothing was said before its end
        plain.link.inbox.receive()
