"""Here and the hub come to agree, and what the person has on disk is never lost for it."""

import os
from dataclasses import replace
from typing import Any

import pytest

from autosyncd.model import Head
from autosyncd.vcs.git.command import Git, Result
from autosyncd.vcs.git.lock import IndexLock
from autosyncd.vcs.orders import Stage
from autosyncd.vcs.outcomes import (
    Away,
    Dirty,
    Synced,
)
from tests.trees import World, push_from


def test_nothing_anywhere_is_in_sync(world: World) -> None:
    assert world.clone("laptop").sync() == Synced(None)


def test_the_first_push_fills_an_empty_hub_and_is_told(world: World) -> None:
    laptop = world.clone("laptop")
    laptop.edit("a.txt", "one\n")
    head = laptop.committed().head
    assert laptop.sync() == Synced(head, pushed=True)
    assert world.hub_git("rev-parse", "main") == head.commit
    assert laptop.told.heads == [head]
    assert laptop.told.stages == [Stage.COMMIT, Stage.FETCH, Stage.PUSH]
    assert laptop.sync() == Synced(head)
    assert laptop.told.heads == [head]


def test_a_clone_without_a_commit_gets_all_of_a_full_hub(world: World) -> None:
    desktop = world.clone("desktop")
    laptop = world.clone("laptop")
    head = push_from(laptop, "folder/a.txt", "one\n")
    outcome = desktop.sync()
    assert isinstance(outcome, Synced)
    assert (outcome.head, outcome.pulled) == (Head("main", head), 1)
    assert outcome.hosts == ("laptop",)
    assert desktop.files() == laptop.files()
    desktop.is_clean()


def test_a_clone_without_a_commit_gets_a_commit_without_a_file(world: World) -> None:
    laptop, desktop = world.clone("laptop"), world.clone("desktop")
    laptop.git("commit", "-q", "--allow-empty", "-m", "begin")
    laptop.sync()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    desktop.is_clean()
    desktop.edit("a.txt", "a\n")
    desktop.committed("a.txt")


def test_an_index_that_can_not_be_published_keeps_nobody_waiting(world: World) -> None:
    (laptop, _) = world.share({"a.txt": "a\n"})
    repository = laptop.driver._opened.repository  # type: ignore[union-attr]
    with pytest.raises(FileNotFoundError), IndexLock(repository) as lock:
        lock.publish(b"/nonexistent/index")
    laptop.edit("a.txt", "again\n")
    laptop.committed("a.txt")


def test_a_fast_forward(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "gone.txt": "x\n", "moved.txt": "y\n" * 20})
    laptop.edit("a.txt", "two\n")
    laptop.delete("gone.txt")
    laptop.move("moved.txt", "folder/moved.txt")
    os.chmod(laptop.path("a.txt"), 0o755)
    laptop.link("link", "a.txt")
    laptop.committed()
    laptop.sync()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.hosts == ("laptop",)
    assert outcome.pulled == 5
    assert not outcome.pushed
    assert desktop.files() == laptop.files()
    assert os.access(desktop.path("a.txt"), os.X_OK)
    desktop.is_clean()
    assert desktop.tree() == laptop.tree()


def test_diverged_and_merged_cleanly(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    push_from(laptop, "a.txt", "laptop\n")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert (outcome.pulled, outcome.conflicts) == (1, ())
    assert desktop.files() == {b"a.txt": b"laptop\n", b"b.txt": b"desktop\n"}
    assert world.hub_git("rev-parse", "main") == outcome.head.commit  # type: ignore[union-attr]
    desktop.is_clean()


def test_without_fetch_only_what_is_new_here_is_pushed(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    laptop.told.stages.clear()
    outcome = laptop.sync(fetch=False)
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert laptop.told.stages == [Stage.PUSH]


def test_a_push_the_hub_has_moved_away_from_is_merged_and_pushed_again(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    push_from(laptop, "a.txt", "laptop\n")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync(fetch=False)
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert desktop.read("a.txt") == b"laptop\n"


def test_the_persons_own_commits_are_pushed_too(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit("a.txt", "two\n")
    laptop.git("commit", "-qam", "By hand")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert world.hub_git("log", "-1", "--format=%s", "main") == "By hand"


def test_a_commit_of_the_person_during_the_push_is_not_lost(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    push_from(laptop, "a.txt", "laptop\n")
    hook = desktop.root / ".git/hooks/pre-push"
    hook.write_text(
        "#!/bin/sh\nunset GIT_DIR\necho mine >b.txt\ngit commit -qam 'By hand'\nrm $0\n"
    )
    hook.chmod(0o755)
    desktop.edit("c.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync()
    assert isinstance(outcome, Dirty | Synced), outcome
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("b.txt") == b"mine\n"
    assert desktop.read("a.txt") == b"laptop\n"
    assert "By hand" in world.hub_git("log", "--format=%s", "main")
    desktop.is_clean()


@pytest.mark.parametrize("push", [True, False])
def test_what_the_person_has_pushed_is_announced_once(world: World, *, push: bool) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.reopen(push=push)
    desktop.sync()
    laptop.told.heads.clear()
    laptop.commit_by_hand("a.txt", "two\n")
    laptop.git("push", "-q", "origin", "main")
    for _ in range(2):
        assert isinstance(laptop.sync(fetch=False), Synced)
        assert [head.commit for head in laptop.told.heads] == [laptop.git("rev-parse", "HEAD")]
    for _ in range(2):
        assert isinstance(desktop.sync(), Synced)
        assert desktop.told.heads == [], "it has only pulled it"


@pytest.mark.parametrize("fetch", [True, False])
def test_a_push_whose_answer_was_lost_is_announced_by_the_next_sync(
    world: World, monkeypatch: pytest.MonkeyPatch, *, fetch: bool
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.told.heads.clear()
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    network = Git.network

    def cut_off(git: Git, *arguments: Any, **how: Any) -> Result:
        said = network(git, *arguments, **how)
        if arguments[0] != "push":
            return said
        cut = "fatal: the remote end hung up unexpectedly"
        return replace(said, code=128, out=b"", complaint=cut)

    with monkeypatch.context() as broken:
        broken.setattr(Git, "network", cut_off)
        assert isinstance(laptop.sync(), Away)
    assert world.hub_git("rev-parse", "main") == laptop.git("rev-parse", "HEAD")
    assert laptop.told.heads == []
    for _ in range(2):
        assert isinstance(laptop.sync(fetch=fetch), Synced)
        assert [head.commit for head in laptop.told.heads] == [laptop.git("rev-parse", "HEAD")]
