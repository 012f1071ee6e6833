"""What lies in the work tree when something comes in is kept, or asked about."""

import os

import pytest

from autosyncd.model import Safety
from autosyncd.vcs.changes import EVERYTHING, Scope
from autosyncd.vcs.outcomes import (
    CommitMade,
    Dirty,
    NothingToCommit,
    Question,
    Synced,
)
from tests.trees import Clone, World, push_from


def test_an_edit_that_is_not_committed_yet_is_kept_then_merged(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "laptop\n")
    desktop.edit("a.txt", "desktop\n")
    assert isinstance(desktop.sync(), Dirty | Synced)
    assert b"desktop\n" in desktop.files().values()
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    contents = set(desktop.files().values())
    assert contents == {b"laptop\n", b"desktop\n"}
    desktop.is_clean()


def test_an_edit_elsewhere_does_not_keep_news_out(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    push_from(laptop, "a.txt", "laptop\n")
    desktop.edit("b.txt", "not committed\n")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.files() == {b"a.txt": b"laptop\n", b"b.txt": b"not committed\n"}
    assert desktop.status() == " M b.txt"


def test_an_edit_of_the_same_length_and_time_is_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "laptop\n")
    desktop.git("config", "core.trustctime", "false")
    before = os.stat(desktop.path("a.txt"))
    desktop.edit("a.txt", "two\n")
    os.utime(desktop.path("a.txt"), ns=(before.st_atime_ns, before.st_mtime_ns))
    os.utime(desktop.path(".git/index"), ns=(before.st_atime_ns, before.st_mtime_ns))
    desktop.sync()
    desktop.commit()
    desktop.sync()
    assert b"two\n" in desktop.files().values() or desktop.history_has("two\n")


def test_an_untracked_file_in_the_way_is_kept_then_merged(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "new.txt", "laptop\n")
    desktop.edit("new.txt", "desktop\n")
    assert isinstance(desktop.sync(), Dirty | Synced)
    assert b"desktop\n" in desktop.files().values()
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert {b"laptop\n", b"desktop\n"} < set(desktop.files().values())


def test_an_untracked_file_with_the_incoming_content_is_no_trouble(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "new.txt", "same\n")
    desktop.edit("new.txt", "same\n")
    if not isinstance(desktop.sync(), Synced):
        desktop.committed()
        assert isinstance(desktop.sync(), Synced)
    assert desktop.files() == laptop.files()
    desktop.is_clean()


def test_an_untracked_folder_where_a_file_comes_in_is_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "x", "laptop\n")
    desktop.edit("x/inside.txt", "desktop\n")
    desktop.sync()
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert {b"laptop\n", b"desktop\n"} < set(desktop.files().values())


def holds_back(clone: Clone, name: str, content: bytes) -> None:
    """An incoming file waits for the person, whose file stays and goes nowhere; all else arrives."""
    for _ in range(3):
        synced = clone.sync()
        assert isinstance(synced, Synced), synced
        (sentence,) = synced.held
        assert f"{name}, which git ignores here, has its place" in sentence
        assert synced.in_the_way == (name.encode(),)
        assert clone.read(name) == content
        assert clone.read("a.txt") == b"at the same time\n"
        assert isinstance(clone.commit(), NothingToCommit)
        clone.driver.snapshot()
        assert not clone.history_has(content)
        blob = clone.git("hash-object", "--no-filters", "--stdin", stdin=content)
        clone.git("cat-file", "-e", blob, status=1)  # nor outside of history
        clone.reopen()


def with_more(laptop: Clone, name: str, text: str) -> None:
    """Another file changes in the same commit."""
    laptop.edit("a.txt", "at the same time\n")
    push_from(laptop, name, text)


def test_an_ignored_file_in_the_way_is_kept_and_not_published(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit(".git/info/exclude", "*.cfg\n")
    desktop.edit("my.cfg", "mine\n")
    with_more(laptop, "my.cfg", "from the laptop\n")
    holds_back(desktop, "my.cfg", b"mine\n")
    push_from(laptop, "my.cfg", "and once more\n")
    holds_back(desktop, "my.cfg", b"mine\n")
    desktop.delete("my.cfg")
    assert isinstance(desktop.commit(), NothingToCommit), "the way is free: nothing was deleted"
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert (synced.held, synced.in_the_way) == ((), ())
    assert desktop.read("my.cfg") == b"and once more\n"
    desktop.is_clean()


def test_an_ignored_file_in_the_way_of_what_comes_with_other_ignore_rules(world: World) -> None:
    """It is ignored by the rules that were here when it was made; the new ones would publish it."""
    laptop, desktop = world.share({"a.txt": "one\n", ".gitignore": "my.cfg\n"})
    desktop.edit("my.cfg", "mine\n")
    laptop.edit(".gitignore", "\n")
    with_more(laptop, "my.cfg", "from the laptop\n")
    for content in ("and once more\n", "and more\n"):
        synced = desktop.sync()
        assert isinstance(synced, Synced)
        assert synced.in_the_way == (b"my.cfg",)
        assert isinstance(desktop.commit(), NothingToCommit)
        assert desktop.read("my.cfg") == b"mine\n"
        assert desktop.read("a.txt") == b"at the same time\n"
        assert not desktop.history_has("mine\n")
        push_from(laptop, "my.cfg", content)


def test_an_edit_of_what_is_tracked_though_ignored_is_no_file_in_the_way(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\ntwo\nthree\nfour\n"})
    laptop.edit(".gitignore", "a.txt\n")
    push_from(laptop, "a.txt", "ONE\ntwo\nthree\nfour\n")
    desktop.edit(".git/info/exclude", "a.txt\n")
    desktop.edit("a.txt", "one\ntwo\nthree\nFOUR\n")
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert (synced.held, synced.in_the_way) == ((), ())
    assert desktop.read("a.txt") == b"ONE\ntwo\nthree\nFOUR\n"


def test_an_ignored_file_in_the_way_that_is_ignored_no_longer_still_waits(world: World) -> None:
    """Nothing is published behind the person's back, and nothing is lost when it is moved."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit(".git/info/exclude", "*.cfg\n")
    desktop.edit("my.cfg", "mine\n")
    with_more(laptop, "my.cfg", "from the laptop\n")
    holds_back(desktop, "my.cfg", b"mine\n")
    desktop.edit(".git/info/exclude", "")
    desktop.commit()
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert "my.cfg has its place" in synced.held[0]
    assert synced.in_the_way == (b"my.cfg",)
    assert desktop.read("my.cfg") == b"mine\n"
    desktop.move("my.cfg", "mine.cfg")
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("my.cfg") == b"from the laptop\n"
    assert desktop.history_has("mine\n")


def test_an_ignored_file_where_a_folder_comes_in_still_waits_when_it_is_ignored_no_longer(
    world: World,
) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit(".git/info/exclude", "/out\n")
    desktop.edit("out", "mine\n")
    with_more(laptop, "out/page", "from the laptop\n")
    holds_back(desktop, "out", b"mine\n")
    desktop.edit(".git/info/exclude", "")
    for names in ((), ("out",)):
        desktop.commit(*names)
        synced = desktop.sync()
        assert isinstance(synced, Synced)
        assert synced.in_the_way == (b"out",)
    laptop.sync()
    assert laptop.read("out/page") == b"from the laptop\n"
    assert not desktop.history_has("mine\n")
    desktop.move("out", "mine")
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("out/page") == b"from the laptop\n"
    assert desktop.history_has("mine\n")


def test_a_secret_in_the_way_is_kept_and_not_published(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.reopen(exclude=("!.env",))
    desktop.edit(".env", "PASSWORD=mine\n")
    with_more(laptop, ".env", "PASSWORD=none\n")
    holds_back(desktop, ".env", b"PASSWORD=mine\n")


def test_an_ignored_file_where_a_folder_comes_in_is_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit(".git/info/exclude", "/out\n")
    desktop.edit("out", "mine\n")
    with_more(laptop, "out/deep/new.txt", "new\n")
    holds_back(desktop, "out", b"mine\n")


def test_an_ignored_file_in_a_folder_where_a_file_comes_in_is_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit(".git/info/exclude", "*.o\n")
    desktop.edit("out/mine.o", "mine\n")
    with_more(laptop, "out", "a file\n")
    holds_back(desktop, "out/mine.o", b"mine\n")


def test_an_ignored_file_in_a_tracked_folder_that_becomes_a_file_is_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "out/x.c": "code\n"})
    desktop.edit(".git/info/exclude", "*.o\n")
    desktop.edit("out/x.o", "mine\n")
    laptop.delete("out")
    with_more(laptop, "out", "a file\n")
    holds_back(desktop, "out/x.o", b"mine\n")


def test_an_ignored_file_in_a_folder_whose_tracked_files_go_is_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "out/x.c": "code\n"})
    desktop.edit(".git/info/exclude", "*.o\n")
    desktop.edit("out/x.o", "mine\n")
    laptop.delete("out")
    push_from(laptop, "a.txt", "two\n")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.files() == {b"a.txt": b"two\n", b"out/x.o": b"mine\n"}


def test_a_nested_repository_in_the_way_is_kept(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit("project/mine.txt", "mine\n")
    desktop.git("init", "-q", "project")
    push_from(laptop, "project", "a file\n")
    desktop.sync()
    desktop.commit()
    desktop.sync()
    assert desktop.read("project/mine.txt") == b"mine\n"
    assert os.path.isdir(desktop.path("project/.git"))


def test_incoming_mass_deletion_is_asked_about(world: World) -> None:
    laptop, desktop = world.share({f"{n}.txt": f"{n}\n" for n in range(30)})
    for n in range(25):
        laptop.delete(f"{n}.txt")
    assert isinstance(laptop.commit(allowed=frozenset({"mass-deletion"})), CommitMade)
    laptop.sync()
    question = desktop.sync()
    assert isinstance(question, Question)
    assert question.kind == "incoming-mass-deletion"
    assert len(desktop.files()) == 30
    assert isinstance(desktop.sync(allowed=frozenset({question.kind})), Synced)
    assert len(desktop.files()) == 5


def many(count: int, changed: str = "") -> dict[str, str | bytes]:
    return {f"{number:02}.txt": f"{number}{changed}\n" for number in range(count)}


def vanished(world: World) -> tuple[Clone, Clone]:
    """The laptop has pushed a few changes; on the desktop most files have vanished meanwhile."""
    laptop, desktop = world.share({**many(40), "old": "old\n"})
    for name in ("00.txt", "38.txt"):
        laptop.edit(name, "edited there\n")
    laptop.edit("new", "new\n")
    laptop.delete("old")
    laptop.committed()
    laptop.sync()
    for number in range(35):
        desktop.delete(f"{number:02}.txt")
    return laptop, desktop


@pytest.mark.parametrize("named", [True, False])
def test_a_tree_that_vanishes_during_an_update_is_asked_about(world: World, *, named: bool) -> None:
    """One of the files that vanished has an edit that comes in; others came already."""
    laptop, desktop = vanished(world)
    before = desktop.git("rev-parse", "HEAD")
    paths = frozenset(b"%02d.txt" % number for number in range(35))
    pending = Scope(paths) if named else EVERYTHING
    for _ in range(2):
        question = desktop.sync(pending=pending)
        assert isinstance(question, Question)
        assert question.kind == "mass-deletion"
        assert desktop.git("rev-parse", "HEAD") == before
        assert desktop.git("diff", "--cached") == ""
        assert desktop.files().keys() == {b"new", *(b"%02d.txt" % n for n in range(35, 40))}
        question = desktop.commit()
        assert isinstance(question, Question)
        assert question.kind == "mass-deletion"
    assert len(world.hub_git("ls-tree", "--name-only", "main").split()) == 41
    desktop.edit("38.txt", "edited there\nand here\n")  # on the version that has come
    desktop.edit("39.txt", "edited here\n")
    desktop.commit("38.txt", "39.txt")
    assert isinstance(desktop.sync(pending=pending), Question)
    go_on = frozenset({"mass-deletion"})
    synced = desktop.sync(pending=pending, allowed=go_on)
    assert isinstance(synced, Synced)
    assert synced.ahead
    desktop.sync()
    assert desktop.read("00.txt") == b"edited there\n", "an edit against a deletion"
    laptop.sync(allowed=frozenset({"incoming-mass-deletion"}))
    assert laptop.files() == desktop.files()
    assert laptop.files() == {
        b"00.txt": b"edited there\n",
        **{b"%02d.txt" % number: b"%d\n" % number for number in range(35, 38)},
        b"38.txt": b"edited there\nand here\n",
        b"39.txt": b"edited here\n",
        b"new": b"new\n",
    }
    for clone in (laptop, desktop):
        clone.is_clean()


@pytest.mark.parametrize("back", ["checkout-index -aq", "restore ."])
def test_files_that_are_put_back_while_an_update_asks_end_the_question(
    world: World, back: str
) -> None:
    """Git puts back what came in, too: that is no edit of it."""
    laptop, desktop = vanished(world)
    assert isinstance(desktop.sync(pending=EVERYTHING), Question)
    desktop.git(*back.split(), status=None)
    assert isinstance(desktop.sync(pending=EVERYTHING), Synced)
    assert desktop.files() == laptop.files()
    assert desktop.git("rev-parse", "HEAD") == laptop.git("rev-parse", "HEAD")
    desktop.is_clean()


def test_what_changed_at_once_during_an_update_is_asked_about(world: World) -> None:
    laptop, desktop = world.share(many(40))
    for name, content in many(40, " edited there").items():
        laptop.edit(name, content)
    laptop.commit(allowed=frozenset({"mass-modification"}))
    laptop.sync()
    for name, content in many(39, " edited here").items():
        desktop.edit(name, content)
    agreed = frozenset({"incoming-mass-modification"})
    question = desktop.sync(pending=EVERYTHING, allowed=agreed)
    assert isinstance(question, Question)
    assert question.kind == "mass-modification"
    assert not desktop.history_has("0 edited here\n")
    question = desktop.commit()
    assert isinstance(question, Question)
    assert isinstance(desktop.commit(allowed=frozenset({"mass-modification"})), CommitMade)
    desktop.sync(allowed=agreed)
    laptop.sync(allowed=agreed)
    assert laptop.files() == desktop.files()
    assert {b"0 edited here\n", b"0 edited there\n"} <= set(laptop.files().values())


def test_the_first_look_at_a_tree_is_asked_about_though_an_update_meets_it(world: World) -> None:
    (laptop,) = world.share({"x": "x\n"}, "laptop")
    desktop = world.clone("desktop")
    desktop.reopen(safety=Safety(max_new=3))
    for number in range(10):
        desktop.edit(f"{number}.txt", f"private {number}\n")
    assert isinstance(desktop.commit(), Question)
    laptop.edit("x", "edited there\n")
    laptop.committed()
    laptop.sync()
    desktop.edit("x", "edited here\n")
    question = desktop.sync(pending=EVERYTHING)
    assert isinstance(question, Question)
    assert question.kind == "first-adoption"
    assert desktop.read("x") == b"edited here\n"
    blob = desktop.git("hash-object", "--stdin", stdin=b"private 1\n")
    desktop.git("cat-file", "-e", blob, status=1)
    assert world.hub_git("ls-tree", "--name-only", "main") == "x"
    go_on = frozenset({"first-adoption"})
    assert isinstance(desktop.sync(pending=EVERYTHING, allowed=go_on), Synced)
    assert b"edited here\n" in desktop.files().values()
    desktop.is_clean()


def test_an_incoming_rename_of_a_folder_is_no_mass_deletion(world: World) -> None:
    laptop, desktop = world.share({f"docs/{n}.txt": f"{n}\n{n}\n{n}\n" for n in range(25)})
    laptop.move("docs", "papers")
    laptop.edit("papers/3.txt", "3\n3\n3\nedited\n")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.files() == laptop.files()
