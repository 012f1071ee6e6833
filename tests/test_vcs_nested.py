"""Repositories of the person's own inside the tree: nothing of theirs is committed, replaced or
published, also where something in them is tracked here."""

import shutil

import pytest

from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Synced
from tests.trees import Clone, World


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


def with_its_own(clone: Clone) -> Clone:
    """A repository in which something is committed."""
    becomes_a_repository(clone, "lib")
    own = Clone(clone.root / "lib", clone.environment)
    own.edit("x.txt", "its own\n")
    own.git("add", "-A")
    own.git("commit", "-qm", "its own")
    return own


def waits(clone: Clone, own: Clone) -> None:
    """Everything else comes; the repository is as it was."""
    for _ in range(2):
        synced = clone.sync()
        assert isinstance(synced, Synced), synced
        assert synced.in_the_way == (b"lib",)
        assert "lies in lib, which is a repository of its own here" in synced.held[0]
        assert isinstance(clone.commit(), NothingToCommit)
    assert own.status() == ""
    assert set(own.files()) == {b"x.txt"}
    assert own.read("x.txt") == b"its own\n"
    assert not clone.history_has("its own\n")


def test_what_comes_in_below_it_waits(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    own = with_its_own(desktop)
    laptop.edit("a.txt", "two\n")
    laptop.edit("lib/x.txt", "incoming\n")
    laptop.edit("lib/deep/y.txt", "incoming\n")
    laptop.committed()
    laptop.sync()
    waits(desktop, own)
    assert desktop.read("a.txt") == b"two\n"
    laptop.edit("lib/x.txt", "once more\n")
    laptop.committed()
    laptop.sync()
    waits(desktop, own)
    assert set(laptop.files()) == {b"a.txt", b"lib/x.txt", b"lib/deep/y.txt"}
    desktop.move("lib", "../moved-away")
    assert isinstance(desktop.commit(), NothingToCommit), "the way is free: nothing was deleted"
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert (synced.held, synced.in_the_way) == ((), ())
    assert desktop.files() == laptop.files()
    desktop.is_clean()


def test_what_is_edited_and_deleted_elsewhere_stays_as_it_is_in_it(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "1\n", "lib/x.txt": "1\n", "lib/z.txt": "1\n"})
    desktop.delete("lib/z.txt")
    desktop.committed()
    desktop.sync()
    laptop.sync()
    own = with_its_own(desktop)
    laptop.edit("lib/x.txt", "2\n")
    laptop.committed()
    laptop.sync()
    waits(desktop, own)
    laptop.delete("lib")
    laptop.committed()
    laptop.sync()
    for _ in range(2):
        assert isinstance(desktop.sync(), Synced)
        assert isinstance(desktop.commit(), NothingToCommit)
    assert desktop.status() == "?? lib/"
    assert (own.status(), own.read("x.txt")) == ("", b"its own\n")
    laptop.sync()
    assert set(laptop.files()) == {b"a.txt"}


def test_when_it_is_one_no_longer_both_versions_are_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    own = with_its_own(desktop)
    laptop.edit("lib/x.txt", "incoming\n")
    laptop.committed()
    laptop.sync()
    waits(desktop, own)
    is_one_no_longer(desktop, "lib")
    for _ in range(2):
        desktop.commit()
        synced = desktop.sync()
        assert isinstance(synced, Synced)
    desktop.delete("lib/x.txt")
    desktop.commit()
    desktop.sync()
    assert desktop.read("lib/x.txt") == b"incoming\n"
