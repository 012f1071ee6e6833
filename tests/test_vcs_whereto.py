"""Which remote and branch a tree is synced with, and in which direction."""

import os
import subprocess

import pytest

from autosyncd.model import Safety
from autosyncd.vcs.outcomes import (
    Failed,
    NoRemote,
    Ready,
    Synced,
)
from tests.trees import World, push_from


def test_no_remote_is_no_remote(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.reopen(remote="none")
    assert laptop.sync() == NoRemote()
    laptop.reopen(remote="auto")
    laptop.git("remote", "remove", "origin")
    assert laptop.sync() == NoRemote()


def test_a_configured_remote_that_is_not_there_is_named(world: World) -> None:
    laptop = world.clone("laptop", remote="backup")
    outcome = laptop.sync()
    assert "backup" in getattr(outcome, "text", "")
    assert "git remote add" in getattr(outcome, "text", "")


@pytest.mark.parametrize("name", ["hub", "home/hub", "a.b", "zürich"])
def test_a_remote_may_be_called_anything(world: World, name: str) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.git("remote", "rename", "origin", name)
    ready = desktop.reopen()
    assert isinstance(ready, Ready)
    assert ready.identity.remote == name
    push_from(laptop, "a.txt", "two\n")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.txt") == b"two\n"
    push_from(desktop, "a.txt", "three\n")


def test_the_remote_is_the_configured_one_then_the_upstreams_then_the_only_one(
    world: World,
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.git("remote", "add", "backup", "../backup.git")
    chosen = []
    for config, upstream in (("backup", "origin"), ("auto", "backup"), ("auto", "nowhere")):
        laptop.git("config", "branch.main.remote", upstream)
        ready = laptop.reopen(remote=config)
        assert isinstance(ready, Ready)
        chosen.append(ready.identity.remote)
    assert chosen == ["backup", "backup", "origin"]


def test_a_remote_without_a_fetch_refspec_works(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.git("config", "--unset-all", "remote.origin.fetch")
    push_from(laptop, "a.txt", "two\n")
    assert isinstance(desktop.sync(), Synced)
    push_from(desktop, "a.txt", "three\n")


def test_a_branch_with_a_slash(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    for clone in (laptop, desktop):
        clone.git("switch", "-qc", "topic/x")
        clone.driver.close()
        ready = clone.reopen(branch="topic/x")
        assert isinstance(ready, Ready)
        assert ready.identity.branch == "topic/x"
    push_from(laptop, "a.txt", "two\n")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.txt") == b"two\n"


def test_push_false_pulls_and_keeps_its_own(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    desktop.reopen(push=False)
    push_from(laptop, "a.txt", "laptop\n")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    before = world.hub_git("rev-parse", "main")
    outcome = desktop.sync()
    assert isinstance(outcome, Synced)
    assert not outcome.pushed
    assert desktop.files() == {b"a.txt": b"laptop\n", b"b.txt": b"desktop\n"}
    assert world.hub_git("rev-parse", "main") == before
    desktop.is_clean()


def test_pull_false_pushes_and_takes_nothing(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.reopen(pull=False)
    push_from(desktop, "b.txt", "desktop\n")
    laptop.sync()
    push_from(laptop, "a.txt", "laptop\n")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.txt") == b"one\n"
    desktop.edit("b.txt", "again\n")
    desktop.committed()
    outcome = desktop.sync()
    assert isinstance(outcome, Failed)
    assert outcome.kind == "diverged"
    assert desktop.read("a.txt") == b"one\n"


def test_pull_false_takes_nothing_into_a_clone_without_a_commit(world: World) -> None:
    desktop = world.clone("desktop", pull=False)
    push_from(world.clone("laptop"), "a.txt", "laptop\n")
    desktop.sync()
    assert desktop.files() == {}


def test_an_order_not_to_push_still_pulls(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "two\n")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync(fetch=False, push=False)
    assert isinstance(outcome, Synced)
    assert not outcome.pushed
    assert desktop.read("a.txt") == b"two\n"


def test_a_shallow_clone_syncs_both_ways(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n", "b.txt": "one\n"}, "laptop")
    for n in range(3):
        push_from(laptop, "a.txt", f"{n}\n")
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", f"file://{world.hub}", "shallow"],
        cwd=world.folder,
        env=world.environment,
        check=True,
    )
    shallow = world.adopt("shallow")
    ready = shallow.driver.inspect()
    assert isinstance(ready, Ready)
    assert len(ready.identity.channels) == 1
    push_from(laptop, "a.txt", "laptop\n")
    shallow.edit("b.txt", "shallow\n")
    shallow.committed()
    outcome = shallow.sync()
    assert isinstance(outcome, Synced), outcome
    assert shallow.files() == {b"a.txt": b"laptop\n", b"b.txt": b"shallow\n"}
    assert isinstance(laptop.sync(), Synced)
    assert laptop.files() == shallow.files()


def test_a_shallow_clone_whose_fork_lies_beyond_its_border_fetches_more(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n", "b.txt": "one\n"}, "laptop")
    for n in range(3):
        push_from(laptop, "a.txt", f"{n}\n")
    hub = f"file://{world.hub}"
    clone = ("clone", "-q", "--depth=1", hub, "shallow")
    subprocess.run(["git", *clone], cwd=world.folder, env=world.environment, check=True)
    shallow = world.adopt("shallow", safety=Safety(min_files=0))
    assert isinstance(shallow.driver.inspect(), Ready)
    shallow.edit("b.txt", "shallow\n")
    shallow.committed()
    push_from(laptop, "a.txt", "laptop\n")
    shallow.git("fetch", "-q", "--depth=1", "origin")  # loses the base
    assert shallow.git("merge-base", "HEAD", "origin/main", status=1) == ""
    outcome = shallow.sync()
    assert isinstance(outcome, Synced), outcome
    assert shallow.files() == {b"a.txt": b"laptop\n", b"b.txt": b"shallow\n"}
    shallow.is_clean()


def test_clones_of_one_hub_share_their_channels(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.git("config", "url.../.insteadOf", "nearby:")
    desktop.git("remote", "set-url", "origin", "nearby:hub.git")
    first, second = laptop.reopen(), desktop.reopen()
    assert isinstance(first, Ready)
    assert isinstance(second, Ready)
    assert first.identity.channels == second.identity.channels
    assert len(first.identity.channels) == 2
    assert first.identity.tree != second.identity.tree


def test_channels_are_those_of_the_branch_that_is_synced(world: World) -> None:
    """Not those of whatever is checked out when they are first asked for."""
    laptop, desktop = world.share({"a.txt": "a\n"})
    theirs = laptop.reopen()
    os.unlink(desktop.path(".git/autosync/memory.json"))
    desktop.git("switch", "-q", "--orphan", "pages")
    desktop.git("commit", "-q", "--allow-empty", "-m", "Pages")
    mine = desktop.reopen(branch="main")
    assert isinstance(theirs, Ready)
    assert isinstance(mine, Ready)
    assert mine.identity.channels == theirs.identity.channels
    other = desktop.reopen(branch="pages")
    assert isinstance(other, Ready)
    assert len({*other.identity.channels} & {*theirs.identity.channels}) == 1, "that of the hub"


def test_a_tree_that_follows_a_history_from_its_root_on_has_its_channels(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "a\n", "b.txt": "b\n"})
    laptop.edit("b.txt", "rewritten\n")
    laptop.git("commit", "-qa", "--amend", "-m", "Another beginning")
    laptop.git("push", "-qf", "origin", "main")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.tree() == laptop.tree()
    desktop.sync()
    new = world.clone("new").reopen()
    assert isinstance(new, Ready)
    assert desktop.told.identities[-1].channels == new.identity.channels


def test_a_branch_beside_others_is_told_of(world: World) -> None:
    """Machines that sync different branches of one remote never meet, and nothing fails."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.git("branch", "-q", "-m", "main", "master")
    desktop.git("branch", "-q", "--unset-upstream")
    os.unlink(desktop.path(".git/autosync/memory.json"))
    desktop.reopen()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert "has other branches, and had no master yet" in outcome.note
    again = desktop.sync()
    assert isinstance(again, Synced)
    assert "other branches" not in again.note
    first = laptop.sync()
    assert isinstance(first, Synced)
    assert "other branches" not in first.note
