"""Submodules: their links are synced, what is checked out in them is the person's own affair."""

import subprocess

import pytest

from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Synced
from tests.trees import Clone, World

ALLOWED = ("-c", "protocol.file.allow=always")
"""git refuses to clone a submodule from a folder otherwise (CVE-2022-39253)."""


@pytest.fixture
def trees(world: World) -> tuple[Clone, Clone]:
    """Laptop and desktop have the submodule `library` checked out at its first commit."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    origin = world.folder / "library.git"
    subprocess.run(["git", "init", "-q", origin], env=world.environment, check=True)
    library = Clone(origin, world.environment)
    library.commit_by_hand("code.py", "one\n")
    laptop.git(*ALLOWED, "submodule", "--quiet", "add", str(origin), "library")
    laptop.git("commit", "-qm", "A submodule")
    sync(laptop, desktop)
    desktop.git(*ALLOWED, "submodule", "--quiet", "update", "--init")
    return laptop, desktop


def inside(clone: Clone) -> Clone:
    return Clone(clone.root / "library", clone.environment)


def sync(*clones: Clone) -> list[Synced]:
    outcomes = [clone.sync() for clone in clones]
    assert all(isinstance(one, Synced) for one in outcomes), outcomes
    return [one for one in outcomes if isinstance(one, Synced)]


def move_on(clone: Clone, content: str) -> str:
    """A commit in its submodule; the id."""
    inside(clone).commit_by_hand("code.py", content)
    return inside(clone).git("rev-parse", "HEAD")


def link(clone: Clone, at: str = "HEAD") -> str:
    return clone.git("rev-parse", f"{at}:library")


def test_a_link_that_comes_in_is_not_taken_back(trees: tuple[Clone, Clone]) -> None:
    """The submodule itself stays where it is, as with git pull; that is no edit of it."""
    laptop, desktop = trees
    moved = move_on(laptop, "two\n")
    laptop.committed("library")
    _, told = sync(laptop, desktop)
    assert "git submodule update library" in told.note
    for _ in range(3):
        for clone in (desktop, laptop):
            assert isinstance(clone.commit(), NothingToCommit)
            assert isinstance(clone.commit("library"), NothingToCommit)
            (said,) = sync(clone)
            assert said.note == ""
    assert link(laptop) == link(desktop) == moved
    assert desktop.status() == " M library"
    assert inside(desktop).read("code.py") == b"one\n"


def test_two_links_that_come_in_one_after_the_other(trees: tuple[Clone, Clone]) -> None:
    laptop, desktop = trees
    for content in ("two\n", "three\n"):
        moved = move_on(laptop, content)
        laptop.committed("library")
        sync(laptop, desktop)
        assert isinstance(desktop.commit(), NothingToCommit)
    assert link(desktop) == moved


def test_once_it_is_brought_along_it_is_a_submodule_like_any(trees: tuple[Clone, Clone]) -> None:
    laptop, desktop = trees
    first = link(laptop)
    move_on(laptop, "two\n")
    laptop.committed("library")
    inside(laptop).git("push", "-q", "origin", "HEAD:refs/heads/moved")
    sync(laptop, desktop)
    desktop.git(*ALLOWED, "submodule", "--quiet", "update")
    desktop.is_clean()
    assert isinstance(desktop.commit(), NothingToCommit)
    inside(desktop).git("checkout", "-q", first)  # back, on purpose
    desktop.committed("library")
    sync(desktop, laptop)
    assert link(laptop) == first


def test_another_commit_there_is_an_edit(trees: tuple[Clone, Clone]) -> None:
    laptop, desktop = trees
    move_on(laptop, "two\n")
    laptop.committed("library")
    sync(laptop, desktop)
    mine = move_on(desktop, "mine\n")
    desktop.committed("library")
    sync(desktop, laptop)
    assert link(laptop) == link(desktop) == mine


def test_a_sparse_checkout_leaves_submodules_alone(trees: tuple[Clone, Clone]) -> None:
    """Also where the person has git go into submodules (submodule.recurse)."""
    laptop, desktop = trees
    desktop.git("sparse-checkout", "set", "--no-cone", "/a.txt", "/library")
    desktop.git("config", "submodule.recurse", "true")
    inside(desktop).edit("code.py", "not committed\n")
    before = (
        inside(desktop).git("rev-parse", "HEAD"),
        inside(desktop).git("config", "core.worktree"),
    )
    inside(laptop).git("switch", "-qc", "other")
    move_on(laptop, "two\n")
    inside(laptop).git("push", "-q", "origin", "other")
    inside(desktop).git("fetch", "-q", "origin")
    laptop.committed("library")
    sync(laptop, desktop)
    after = inside(desktop).git("rev-parse", "HEAD"), inside(desktop).git("config", "core.worktree")
    assert after == before
    assert desktop.read("library/code.py") == b"not committed\n"
    desktop.has_nothing_to_commit()


def test_links_that_both_moved(trees: tuple[Clone, Clone]) -> None:
    """One of them stays, on both machines; the other is in history. None lies beside it, where
    nobody could clone it."""
    laptop, desktop = trees
    ends = {move_on(clone, f"{clone.root.name}\n") for clone in trees}
    for clone in trees:
        assert isinstance(clone.commit("library"), CommitMade)
    sync(laptop, desktop, laptop)
    assert link(laptop) == link(desktop)
    assert link(laptop) in ends
    past = desktop.git("log", "--format=", "--raw", "--no-abbrev", "-m", "--", "library")
    assert all(end in past for end in ends)
    for clone in trees:
        assert clone.tracked() == {b".gitmodules", b"a.txt", b"library"}
        assert isinstance(clone.commit(), NothingToCommit)


def test_a_file_where_a_submodule_is_lies_beside_it(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.commit_by_hand("library", "a file\n")
    origin = world.folder / "library.git"
    subprocess.run(["git", "init", "-q", origin], env=world.environment, check=True)
    Clone(origin, world.environment).commit_by_hand("code.py", "one\n")
    laptop.git(*ALLOWED, "submodule", "--quiet", "add", str(origin), "library")
    laptop.git("commit", "-qm", "A submodule")
    sync(desktop)
    (outcome,) = sync(laptop)
    assert outcome.conflicts == (b"library",)
    assert laptop.git("ls-tree", "HEAD", "library").startswith("160000")
    assert b"a file\n" in laptop.files().values()
    assert inside(laptop).read("code.py") == b"one\n"
