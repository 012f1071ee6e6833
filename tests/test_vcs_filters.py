"""Filters of the person's that fail, or never say the same twice: each keeps only its own file back."""

import os

import pytest

from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Synced
from tests.trees import Clone, World


def program(world: World, name: str, script: str) -> str:
    path = world.folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return os.fspath(path)


class Key:
    """A filter that swaps upper and lower case, as long as its key is there."""

    def __init__(self, world: World, *clones: Clone, required: bool = True) -> None:
        self.file = world.folder / "key"
        self.file.touch()
        swap = program(world, "swap", f"test -e {self.file} || exit 1; exec tr A-Za-z a-zA-Z")
        for clone in clones:
            for setting, value in (("clean", swap), ("smudge", swap), ("required", "true")):
                if setting != "required" or required:
                    clone.git("config", f"filter.swap.{setting}", value)
            clone.reopen()


@pytest.fixture
def trees(world: World) -> tuple[Clone, Clone, Key]:
    laptop, desktop = world.share({"plain.txt": "one\n", ".gitattributes": "*.up filter=swap\n"})
    key = Key(world, laptop, desktop)
    laptop.edit("a.up", "Hello\n")
    laptop.edit("b.up", "Hello too\n")
    laptop.committed()
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
    return laptop, desktop, key


@pytest.mark.parametrize("named", [True, False], ids=["known paths", "everything"])
def test_a_locked_key_keeps_no_other_file_from_history(
    trees: tuple[Clone, Clone, Key], *, named: bool
) -> None:
    """Of a file of the same size git asks the filter whether it has changed, and dies with it."""
    laptop, _, key = trees
    key.file.unlink()
    laptop.edit("a.up", "Other\n")
    laptop.edit("plain.txt", "two\n")
    laptop.edit("new.txt", "new\n")
    paths = ("a.up", "plain.txt", "new.txt") if named else ()
    made = laptop.commit(*paths)
    assert isinstance(made, CommitMade), made
    # git would ask it of b.up too, if that is as young as the index
    assert b"a.up" in {one.path for one in made.left_out} <= {b"a.up", b"b.up"}
    assert laptop.git("show", "HEAD:plain.txt") == "two"
    assert laptop.git("show", "HEAD:a.up") == "hELLO"
    laptop.git("branch", "side")
    laptop.git("symbolic-ref", "HEAD", "refs/heads/side")
    laptop.edit("plain.txt", "three\n")
    assert laptop.driver.snapshot().new
    assert laptop.history_has("three\n")
    laptop.git("symbolic-ref", "HEAD", "refs/heads/main")
    key.file.touch()
    laptop.edit("plain.txt", "two\n")
    laptop.committed("a.up")
    assert laptop.git("show", "HEAD:a.up") == "oTHER"


def test_a_locked_key_keeps_no_other_file_from_coming_in(trees: tuple[Clone, Clone, Key]) -> None:
    laptop, desktop, key = trees
    laptop.edit("a.up", "Other\n")
    laptop.edit("plain.txt", "two\n")
    laptop.committed()
    laptop.sync()
    key.file.unlink()
    desktop.edit("b.up", "Edited it\n")
    for _ in range(2):
        outcome = desktop.sync()
        assert isinstance(outcome, Synced), outcome
        assert [one for one in outcome.held if one.startswith("a.up")]
        assert desktop.read("plain.txt") == b"two\n"
        assert desktop.read("a.up") == b"Hello\n"
    key.file.touch()
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.up") == b"Other\n"
    assert laptop.sync()
    assert laptop.files() == desktop.files()
    desktop.is_clean()


@pytest.mark.parametrize("first", ["commit", "sync"])
def test_a_file_that_is_made_where_a_locked_key_kept_one_out_is_a_file_like_any(
    trees: tuple[Clone, Clone, Key], first: str
) -> None:
    laptop, desktop, key = trees
    laptop.edit("c.up", "Of the laptop\n")
    laptop.committed()
    laptop.sync()
    key.file.unlink()
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert synced.held
    key.file.touch()
    desktop.edit("c.up", "Of the desktop\n")
    if first == "commit":
        desktop.commit()
    for clone in (desktop, laptop, desktop, laptop):
        assert isinstance(clone.sync(), Synced)
        clone.commit()
    assert laptop.files() == desktop.files()
    assert {b"Of the laptop\n", b"Of the desktop\n"} <= set(laptop.files().values())


def test_a_filter_of_which_nothing_is_said_is_required(trees: tuple[Clone, Clone, Key]) -> None:
    """By itself git takes the file as it is where a filter fails: plain text that was to be encrypted
    would be pushed, and what could not be decrypted would come back as another file, for all."""
    laptop, desktop, key = trees
    for clone in (laptop, desktop):
        clone.git("config", "--unset", "filter.swap.required")
    laptop.edit("c.up", "From elsewhere\n")
    laptop.committed()
    laptop.sync()
    key.file.unlink()
    desktop.edit("a.up", "Private\n")
    desktop.edit("new.up", "Private too\n")
    assert isinstance(desktop.commit("a.up"), NothingToCommit)
    assert isinstance(desktop.commit(), NothingToCommit)
    outcome = desktop.sync()
    assert isinstance(outcome, Synced)
    assert len(outcome.held) == 1
    assert isinstance(desktop.commit(), NothingToCommit)
    key.file.touch()
    desktop.sync()
    desktop.committed()
    for clone in (desktop, laptop):
        clone.sync()
    assert not any(map(laptop.history_has, ("Private\n", "Private too\n", "From elsewhere\n")))
    assert laptop.files() == desktop.files()
    assert laptop.read("a.up") == b"Private\n"
    assert desktop.read("c.up") == b"From elsewhere\n"


@pytest.mark.parametrize("named", [True, False], ids=["known paths", "everything"])
def test_a_filter_whose_commands_have_gone_lets_nothing_through(
    trees: tuple[Clone, Clone, Key], named: bool
) -> None:
    """`git-crypt lock` takes them out of the configuration; git then stores a file as it is."""
    laptop, desktop, _ = trees
    swap = desktop.git("config", "filter.swap.clean")
    desktop.git("config", "--remove-section", "filter.swap")
    laptop.edit("plain.txt", "two\n")
    laptop.committed()
    laptop.sync()
    desktop.edit("a.up", "Private\n")
    desktop.edit("new.up", "Private too\n")
    desktop.edit("other.txt", "not private\n")
    made = desktop.commit(*(("a.up", "new.up", "other.txt") if named else ()))
    assert isinstance(made, CommitMade)
    assert {one.path for one in made.left_out} >= {b"a.up", b"new.up"}
    assert not {one.path for one in made.left_out} & {b"other.txt", b"plain.txt"}
    assert "git config filter.swap.required false" in made.left_out[0].text
    for _ in range(2):
        assert isinstance(desktop.sync(), Synced)
        assert isinstance(desktop.commit(), NothingToCommit)
    assert desktop.read("plain.txt") == b"two\n"
    desktop.reopen()
    assert isinstance(desktop.commit(), NothingToCommit)
    for setting in ("clean", "smudge"):
        desktop.git("config", f"filter.swap.{setting}", swap)
    desktop.committed()
    for clone in (desktop, laptop):
        clone.sync()
    assert not any(map(laptop.history_has, ("Private\n", "Private too\n")))
    assert laptop.files() == desktop.files()
    assert laptop.read("new.up") == b"Private too\n"


@pytest.fixture
def unsaid(world: World) -> tuple[Clone, Clone, Key]:
    """As above, but nothing says that the filter is required."""
    laptop, desktop = world.share({"plain.txt": "one\n", ".gitattributes": "*.up filter=swap\n"})
    key = Key(world, laptop, desktop, required=False)
    laptop.edit("a.up", "Hello\n")
    laptop.committed()
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
    return laptop, desktop, key


def test_a_filter_stays_required_when_the_configuration_is_read_again(
    unsaid: tuple[Clone, Clone, Key],
) -> None:
    """What we set ourselves is no word of the person's."""
    laptop, _, key = unsaid
    key.file.unlink()
    for number in range(3):
        laptop.git("config", "any.thing", str(number))
        laptop.edit("a.up", f"Private {number}\n")
        assert isinstance(laptop.commit(*(["a.up"] if number else [])), NothingToCommit)
    assert not any(laptop.history_has(f"Private {number}\n") for number in range(3))


@pytest.mark.parametrize("restarted", [True, False])
@pytest.mark.parametrize("name", ["a.up", "new.up"])
def test_what_comes_in_waits_for_a_filter_whose_commands_have_gone(
    unsaid: tuple[Clone, Clone, Key], name: str, restarted: bool
) -> None:
    """Else it would lie there as it is stored, and count as an edit once they are back."""
    laptop, desktop, _ = unsaid
    swap = desktop.git("config", "filter.swap.clean")
    desktop.git("config", "--remove-section", "filter.swap")
    if restarted:
        desktop.reopen()
    laptop.edit(name, "From elsewhere\n")
    laptop.committed()
    laptop.sync()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced)
    assert len(outcome.held) == 1
    assert isinstance(desktop.commit(), NothingToCommit)
    for setting in ("clean", "smudge"):
        desktop.git("config", f"filter.swap.{setting}", swap)
    for clone in (desktop, laptop, desktop):
        clone.commit()
        clone.sync()
    assert laptop.files() == desktop.files()
    assert desktop.read(name) == b"From elsewhere\n"


def test_a_filter_that_is_said_to_be_optional_is(trees: tuple[Clone, Clone, Key]) -> None:
    laptop, _, key = trees
    laptop.git("config", "filter.swap.required", "false")
    key.file.unlink()
    laptop.edit("a.up", "Public\n")
    assert isinstance(laptop.commit(), CommitMade)
    assert laptop.history_has("Public\n")


def test_a_locked_key_in_a_sparse_checkout(trees: tuple[Clone, Clone, Key], world: World) -> None:
    laptop, desktop, key = trees
    laptop.edit("outside/c.up", "Outside\n")
    laptop.committed()
    for clone in (laptop, desktop):
        clone.sync()
    desktop.git("sparse-checkout", "set", "--cone")
    desktop.reopen()
    for name in ("a.up", "outside/c.up"):
        laptop.edit(name, "Edited\n")
    laptop.edit("plain.txt", "two\n")
    laptop.committed()
    laptop.sync()
    key.file.unlink()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("plain.txt") == b"two\n"
    key.file.touch()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.up") == b"Edited\n"
    assert not os.path.exists(desktop.path("outside"))
    desktop.is_clean()


def test_a_filter_that_makes_other_bytes_each_time(world: World) -> None:
    """Encryption with a random salt: the first version goes in; later ones are git's to commit, since
    nobody can tell an edit from none. Neither machine commits what the other did anew."""
    laptop, desktop = world.share({"a.txt": "one\n", ".gitattributes": "*.enc filter=salt\n"})
    clean = program(world, "salt", "head -c 8 /dev/urandom | od -An -tx1; cat")
    for clone in (laptop, desktop):
        clone.git("config", "filter.salt.clean", clean)
        clone.git("config", "filter.salt.smudge", "tail -n +2")
        clone.reopen()
    laptop.edit("x.enc", "hello\n")
    assert isinstance(laptop.commit("x.enc"), CommitMade)
    laptop.sync()
    desktop.sync()
    assert desktop.read("x.enc") == b"hello\n"
    for number in range(3):
        for clone in (laptop, desktop):
            os.utime(clone.path("x.enc"), (number, number))
            for outcome in (clone.commit("x.enc"), clone.commit()):
                assert isinstance(outcome, NothingToCommit), outcome
                assert [(one.path, one.kind) for one in outcome.left_out] == [
                    (b"x.enc", "unstable")
                ]
            assert isinstance(clone.sync(), Synced)
    laptop.edit("x.enc", "edited\n")
    laptop.git("commit", "-qam", "By hand")
    laptop.edit("a.txt", "two\n")
    laptop.commit("a.txt")
    for clone in (laptop, desktop, laptop, desktop):
        assert isinstance(clone.sync(), Synced)
    assert desktop.read("a.txt") == b"two\n"
    assert set(desktop.files()) == {b"a.txt", b"x.enc", b".gitattributes"}
    assert desktop.git("rev-parse", "main") == laptop.git("rev-parse", "main")


def test_the_persons_git_is_not_locked_out_while_a_filter_works(world: World) -> None:
    """A filter on the way out may download; it asks the person's git, which needs the index."""
    laptop, desktop = world.share({"plain.txt": "one\n", ".gitattributes": "*.big filter=big\n"})
    seen = world.folder / "seen"
    lock = desktop.root / ".git/index.lock"
    fetch = program(world, "fetch", f"test -e {lock} && echo locked >>{seen}; exec cat")
    desktop.git("config", "filter.big.smudge", fetch)
    desktop.reopen()
    for content in ("one\n", "two\n"):
        laptop.edit("folder/a.big", content)
        laptop.edit("plain.txt", content)
        laptop.committed()
        laptop.sync()
        assert isinstance(desktop.sync(), Synced)
        assert desktop.files() == laptop.files()
        assert not seen.exists()
    desktop.driver.sweep()
    desktop.is_clean()


def test_an_edit_while_a_filter_works_is_not_lost(world: World) -> None:
    laptop, desktop = world.share({"a.big": "one\n", ".gitattributes": "*.big filter=big\n"})
    edit = (
        f"test -e {world.folder}/once || echo mine >{desktop.root}/a.big; touch {world.folder}/once"
    )
    desktop.git("config", "filter.big.smudge", program(world, "fetch", f"{edit}; exec cat"))
    desktop.reopen()
    laptop.edit("a.big", "two\n")
    laptop.committed()
    laptop.sync()
    desktop.sync()
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert {b"mine\n", b"two\n"} <= set(desktop.files().values())


BINARY = "*.bin binary\n\n\n\n"


@pytest.mark.parametrize("pending", [True, False])
@pytest.mark.parametrize("opened", [True, False])
def test_attributes_that_can_not_come_at_once_hold_what_they_govern(
    world: World, *, opened: bool, pending: bool
) -> None:
    """Attributes come with files for them, and somebody has just edited the attributes, or has them
    open. Files that they say nothing of come all the same."""
    before = {".gitattributes": BINARY, "old.up": "Old\n", "a.txt": "1\n"}
    laptop, desktop = world.share(before)
    Key(world, laptop, desktop)
    laptop.edit(".gitattributes", "*.up filter=swap\n" + BINARY)
    laptop.edit("new.up", "New\n")
    laptop.edit("old.up", "Newer\n")
    laptop.edit("a.txt", "2\n")
    laptop.committed()
    laptop.sync()
    scope = EVERYTHING if pending else NOTHING_CHANGED
    with open(desktop.path(".gitattributes"), "ab") as attributes:
        if not opened:
            attributes.write(b"*.jpg binary\n")
            attributes.close()
        synced = desktop.sync(pending=scope)
        assert isinstance(synced, Synced)
        assert desktop.read("a.txt") == b"2\n"
        assert len(synced.held) == (3 if opened else 0)
        if opened:
            assert desktop.read("old.up") == b"Old\n"
            assert not os.path.exists(desktop.path("new.up"))
            assert isinstance(desktop.commit(), NothingToCommit)
    for clone in (desktop, laptop, desktop):
        clone.commit()
        synced = clone.sync()
        assert isinstance(synced, Synced)
        assert not synced.held
    assert laptop.files() == desktop.files()
    assert (desktop.read("new.up"), desktop.read("old.up")) == (b"New\n", b"Newer\n")
    laptop.is_clean()
    desktop.is_clean()


@pytest.mark.parametrize("clean", ["salted", "locked"])
def test_what_was_staged_and_not_taken_is_known_again(world: World, clean: str) -> None:
    """A filter that makes other bytes each time, or can't make any, proves nothing of a staged file: it
    was noted what the filter made of it. Given back, it would go out as it is."""
    laptop, desktop = world.share({"a.txt": "one\n", ".gitattributes": "*.enc filter=salt\n"})
    key = world.folder / "key"
    key.touch()
    salt = "head -c 8 /dev/urandom | od -An -tx1" if clean == "salted" else "echo 1"
    program(world, "salt", f"test -e {key} || exit 1; {salt}; exec cat")
    for one in (laptop, desktop):
        one.git("config", "filter.salt.clean", os.fspath(world.folder / "salt"))
        one.git("config", "filter.salt.smudge", "tail -n +2")
        one.git("config", "filter.salt.required", "true")
        one.reopen()
    laptop.edit("x.enc", "hello\n")
    laptop.commit("x.enc")
    for one in (laptop, desktop):
        assert isinstance(one.sync(), Synced)
        one.driver.sweep()
    laptop.edit("x.enc", "edited\n")
    laptop.git("commit", "-qam", "By hand")
    laptop.sync()
    if clean == "locked":
        key.unlink()
    for _ in range(2):
        desktop.commit()
        desktop.sync()
        desktop.driver.sweep()
        desktop.sync(local=True)
        desktop.driver.sweep()
    assert set(desktop.files()) == {b"a.txt", b"x.enc", b".gitattributes"}
    names = world.hub_git("ls-tree", "-r", "--name-only", "main").split()
    assert set(names) == {"a.txt", "x.enc", ".gitattributes"}
