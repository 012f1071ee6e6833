"""Here and the hub come to agree, and what the person has on disk is never lost for it."""

import json
import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autosyncd.model import Head, Safety
from autosyncd.vcs.changes import EVERYTHING, Scope
from autosyncd.vcs.git.command import Git, Result
from autosyncd.vcs.git.lock import IndexLock
from autosyncd.vcs.orders import Stage
from autosyncd.vcs.outcomes import (
    Away,
    CommitMade,
    Dirty,
    Failed,
    NoRemote,
    NothingToCommit,
    Question,
    Ready,
    Synced,
)
from tests.trees import Clone, World, make_world


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def push_from(clone: Clone, name: str, content: str) -> str:
    """Another machine edits, commits and pushes; the new head."""
    clone.edit(name, content)
    made = clone.committed()
    outcome = clone.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    return made.head.commit


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


# what lies in the work tree when something comes in


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


# where it is synced to


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


def test_a_shallow_clone_with_nothing_in_common_fetches_all_then_asks(world: World) -> None:
    desktop = unrelated(world, 3, 3)
    laptop = world.clones["laptop"]
    push_from(laptop, "there0.txt", "again\n")
    desktop.git("fetch", "-q", "--depth=1", f"file://{world.hub}", "+main:refs/remotes/origin/main")
    desktop.git("remote", "set-url", "origin", f"file://{world.hub}")
    assert Path(desktop.path(".git/shallow")).exists()
    question = desktop.sync()
    assert isinstance(question, Question), question
    assert question.kind == "unrelated-history"
    assert not Path(desktop.path(".git/shallow")).exists()


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


# when history is not what it was


def test_a_branch_that_was_removed_is_asked_about(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    world.hub_git("branch", "other", "main")
    world.hub_git("branch", "-D", "main")
    question = laptop.sync()
    assert isinstance(question, Question)
    assert question.kind == "branch-gone"
    assert isinstance(laptop.sync(), Question)
    outcome = laptop.sync(allowed=frozenset({"branch-gone"}))
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert world.hub_git("rev-parse", "main") == laptop.git("rev-parse", "HEAD")


def test_a_hub_made_anew_is_filled_again(world: World) -> None:
    """Nothing can be lost by it, and a person who has set one up waits for just that."""
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    world.hub.rename(world.folder / "broken.git")
    subprocess.run(["git", "init", "-q", "--bare", world.hub], env=world.environment, check=True)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed
    assert world.hub_git("rev-parse", "main") == laptop.git("rev-parse", "HEAD")


def rewritten(world: World, *names: str) -> list[Clone]:
    """All had "two"; the laptop has forced another version and another commit in its place."""
    laptop, *others = world.share({"a.txt": "one\n", "b.txt": "b\n"}, "laptop", *names)
    laptop.edit("gone.txt", "to be forgotten\n")
    push_from(laptop, "a.txt", "two\n")
    for clone in others:
        clone.sync()
    laptop.delete("gone.txt")
    laptop.edit("a.txt", "rewritten\n")
    laptop.git("commit", "-qa", "--amend", "-m", "Another two")
    laptop.git("push", "-qf", "origin", "main")
    return [laptop, *others]


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


@pytest.mark.parametrize("fetched", [True, False])
def test_a_rewritten_history_is_followed_where_nothing_is_lost_by_it(
    world: World, fetched: bool
) -> None:
    laptop, desktop = rewritten(world, "desktop")
    old = desktop.git("rev-parse", "HEAD")
    if fetched:  # by hand, so that the remote-tracking branch has moved already
        desktop.git("fetch", "-q", "origin")
        desktop.reopen()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert desktop.files() == laptop.files()
    assert desktop.git("rev-parse", "HEAD") == laptop.git("rev-parse", "HEAD")
    assert f"/{old}" in outcome.note
    kept = outcome.note.rpartition(" ")[2]
    assert desktop.git("rev-parse", kept) == old
    assert desktop.history_has("to be forgotten\n")
    desktop.is_clean()
    again = desktop.sync()
    assert isinstance(again, Synced)
    assert again.note == ""
    push_from(desktop, "b.txt", "goes on\n")
    laptop.sync()
    assert laptop.files() == desktop.files()


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


def set_back(world: World, **config: object) -> tuple[Clone, Clone]:
    """The hub has lost a commit that both have."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "two\n")
    desktop.sync()
    desktop.reopen(**config)
    world.hub_git("update-ref", "refs/heads/main", "main~1")
    return laptop, desktop


@pytest.mark.parametrize("pull", [True, False])
@pytest.mark.parametrize("fetch", [True, False])
@pytest.mark.parametrize("edited", [True, False])
def test_a_branch_that_was_set_back_is_asked_about(
    world: World, *, edited: bool, fetch: bool, pull: bool
) -> None:
    """By a backup that was put back, or to take something out: so nothing leaves the tree by itself,
    and nothing is published again."""
    laptop, desktop = set_back(world, pull=pull)
    lost, there = desktop.git("rev-parse", "HEAD"), world.hub_git("rev-parse", "main")
    if edited:
        desktop.edit("b.txt", "made here since\n")
        desktop.committed()
    before = desktop.files()
    for _ in range(2):
        question = desktop.sync(fetch=fetch)
        assert isinstance(question, Question), question
        assert question.kind == "rewritten-history"
        assert "has lost the newest commits of main" in question.text
        assert (desktop.files(), world.hub_git("rev-parse", "main")) == (before, there)
    outcome = desktop.sync(allowed=frozenset({question.kind}))
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert desktop.files() == before
    assert lost in world.hub_git("rev-list", "main").split()
    assert isinstance(laptop.sync(), Synced)
    assert laptop.files() == before


@pytest.mark.parametrize("edited", [True, False])
def test_a_branch_that_was_set_back_is_followed_by_the_command_that_is_named(
    world: World, *, edited: bool
) -> None:
    _, desktop = set_back(world)
    if edited:
        desktop.edit("b.txt", "made here since\n")
        desktop.committed()
    question = desktop.sync()
    assert isinstance(question, Question)
    command = shlex.split(question.text.rpartition("since: ")[2])
    subprocess.run(command, env=desktop.environment, check=True, capture_output=True)
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed is edited
    since = {b"b.txt": b"made here since\n"} if edited else {}
    assert desktop.files() == {b"a.txt": b"one\n"} | since
    desktop.is_clean()


def test_an_edit_meanwhile_is_carried_over_to_the_rewritten_history(world: World) -> None:
    laptop, desktop = rewritten(world, "desktop")
    desktop.edit("gone.txt", "edited just now\n")
    desktop.edit("b.txt", "edited just now\n")
    for _ in range(2):
        assert isinstance(desktop.sync(), Synced | Dirty)
        desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.txt") == b"rewritten\n"
    assert desktop.read("b.txt") == b"edited just now\n"
    assert desktop.read("gone.txt") == b"edited just now\n"
    assert "two" not in desktop.git("log", "--format=", "-p", "HEAD")
    laptop.sync()
    assert laptop.files() == desktop.files()
    desktop.is_clean()


def test_a_rewritten_history_that_takes_most_files_away_is_asked_about(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    for n in range(30):
        laptop.edit(f"{n}.txt", f"{n}\n")
    push_from(laptop, "a.txt", "two\n")
    desktop.sync()
    laptop.git("reset", "-q", "--hard", "HEAD~1")
    laptop.git("commit", "-q", "--amend", "-m", "Begun anew")
    laptop.git("push", "-qf", "origin", "main")
    for _ in range(2):
        question = desktop.sync()
        assert isinstance(question, Question), question
        assert question.kind == "incoming-mass-deletion"
        assert len(desktop.files()) == 31
    assert isinstance(desktop.sync(allowed=frozenset({question.kind})), Synced)
    assert len(desktop.files()) == 1


def test_a_person_who_rewrites_here_and_there_is_not_asked(world: World) -> None:
    (laptop,) = rewritten(world)
    outcome = laptop.sync()
    assert outcome == Synced(Head("main", laptop.git("rev-parse", "HEAD")))


def test_a_rewritten_history_is_asked_about_and_merged_if_wanted(world: World) -> None:
    _, desktop = rewritten(world, "desktop")
    desktop.edit("b.txt", "was never there\n")
    desktop.committed()
    for _ in range(2):
        question = desktop.sync()
        assert isinstance(question, Question), question
        assert question.kind == "rewritten-history"
        assert desktop.read("a.txt") == b"two\n"
    question = desktop.reopen() and desktop.sync()
    assert isinstance(question, Question)
    outcome = desktop.sync(allowed=frozenset({"rewritten-history"}))
    assert isinstance(outcome, Synced)
    assert {b"two\n", b"rewritten\n", b"was never there\n"} <= set(desktop.files().values())
    assert isinstance(desktop.sync(), Synced)


@pytest.mark.parametrize("edits", ["who rewrote", "who followed"])
def test_what_somebody_chose_to_bring_back_is_not_taken_out_again(world: World, edits: str) -> None:
    laptop, desktop, tower = rewritten(world, "desktop", "tower")
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
        assert b"gone.txt" not in clone.files()
    tower.edit("c.txt", "was never there\n")
    tower.committed()
    question = tower.sync()
    assert isinstance(question, Question)
    assert isinstance(tower.sync(allowed=frozenset({question.kind})), Synced)
    clone = laptop if edits == "who rewrote" else desktop
    push_from(clone, "d.txt", "d\n")
    assert isinstance(tower.sync(), Synced)
    for clone in (laptop, desktop, tower):
        assert isinstance(clone.sync(), Synced)
        assert b"gone.txt" in clone.files()


def test_a_rewritten_history_is_not_pushed_over_without_a_fetch(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "two\n")
    desktop.sync()
    laptop.git("push", "-qf", "origin", "HEAD~1:main")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync()
    assert isinstance(outcome, Question)
    assert outcome.kind == "rewritten-history"


def unrelated(world: World, here: int, there: int) -> Clone:
    """A clone that has begun by itself, with so many files on either side."""
    desktop = world.clone("desktop")
    desktop.reopen(safety=Safety(min_files=2))
    for n in range(here):
        desktop.edit(f"here{n}.txt", "here\n")
    desktop.committed()
    laptop = world.clone("laptop")
    for n in range(there):
        laptop.edit(f"there{n}.txt", "there\n")
    laptop.committed()
    laptop.sync()
    return desktop


def test_two_grown_histories_without_a_common_beginning_are_asked_about(world: World) -> None:
    desktop = unrelated(world, 3, 3)
    question = desktop.sync()
    assert isinstance(question, Question)
    assert question.kind == "unrelated-history"
    assert len(desktop.files()) == 3
    outcome = desktop.sync(allowed=frozenset({"unrelated-history"}))
    assert isinstance(outcome, Synced)
    assert len(desktop.files()) == 6
    desktop.is_clean()


def test_a_fresh_readme_joins_a_history_without_being_asked(world: World) -> None:
    desktop = unrelated(world, 3, 1)
    assert isinstance(desktop.sync(), Synced)
    assert len(desktop.files()) == 4


# a person who works with git meanwhile


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


def test_the_hub_moves_with_each_push_until_it_rests(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    other = world.folder / "other"
    subprocess.run(["git", "clone", "-q", world.hub, other], env=world.environment, check=True)
    hook = desktop.root / ".git/hooks/pre-push"
    hook.write_text(
        f"#!/bin/sh\ncd {other}\nunset GIT_DIR\necho x >>count\ngit pull -q\n"
        "git add count; git commit -qm faster; git push -q\n"
        "test $(wc -l <count) -lt 3 || echo '#!/bin/sh' >$OLDPWD/.git/hooks/pre-push\n"
    )
    hook.chmod(0o755)
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed
    assert desktop.read("count") == b"x\n" * 3
    laptop.sync()
    assert laptop.files() == desktop.files()


@pytest.mark.parametrize(
    ("branch", "comes"), [("main", True), ("side", False), ("team/main", False)]
)
def test_only_who_works_on_the_same_branch_is_helped(
    world: World, branch: str, *, comes: bool
) -> None:
    """A machine that always loses the race leaves its tip on the hub, for others to take along."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit("b.txt", "always too slow\n")
    tip = desktop.committed("b.txt").head.commit
    desktop.git("push", "-q", "origin", f"{tip}:refs/autosync/tips/0123abcd/{branch}")
    assert isinstance(laptop.sync(), Synced)
    assert (b"b.txt" in laptop.tracked()) is comes
    assert (tip in laptop.git("rev-list", "main")) is comes


def ask_for_help(desktop: Clone) -> str:
    """As a machine that was stopped before it could take its request back."""
    tree = json.loads(desktop.read(".git/autosync/memory.json"))["tree"]
    ref = f"refs/autosync/tips/{tree}/main"
    desktop.git("push", "-q", "origin", f"HEAD:{ref}")
    return ref


def tips_on(world: World) -> str:
    return world.hub_git("for-each-ref", "--format=%(refname)", "refs/autosync/tips")


def test_a_request_for_help_that_was_left_is_taken_back_by_its_owner(world: World) -> None:
    _, desktop = world.share({"a.txt": "one\n"})
    desktop.edit("b.txt", "too slow\n")
    desktop.committed()
    assert tips_on(world) == ""
    ref = ask_for_help(desktop)
    assert tips_on(world) == ref
    assert isinstance(desktop.sync(), Synced)
    assert tips_on(world) == ""
    assert desktop.git("for-each-ref", "refs/autosync/theirs") == ""


def test_a_request_for_help_that_has_served_brings_nothing_back(world: World) -> None:
    """Its owner is away; the person takes a password out of the branch and forces it."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    other = world.clone("other")
    laptop.edit("password.txt", "hunter2\n")
    laptop.committed()
    for clone in (laptop, desktop, other):
        assert isinstance(clone.sync(), Synced)
    ask_for_help(desktop)
    laptop.git("reset", "-q", "--hard", "HEAD~1")
    laptop.commit_by_hand("b.txt", "b\n")
    laptop.git("push", "-q", "-f", "origin", "main")
    for clone in (other, laptop, other):
        assert isinstance(clone.sync(), Synced)
        assert "password.txt" not in world.hub_git("ls-tree", "--name-only", "main")
    assert b"password.txt" not in {*laptop.files(), *other.files()}
    assert tips_on(world) == ""


def test_a_request_for_help_on_a_history_that_was_left_is_its_owners_to_decide(
    world: World,
) -> None:
    """It has something that the branch never had, and the password too."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    other = world.clone("other")
    push_from(laptop, "password.txt", "hunter2\n")
    for clone in (desktop, other):
        assert isinstance(clone.sync(), Synced)
    desktop.edit("b.txt", "too slow\n")
    desktop.committed()
    ask_for_help(desktop)  # and goes to sleep
    laptop.git("reset", "-q", "--hard", "HEAD~1")
    laptop.commit_by_hand("c.txt", "c\n")
    laptop.git("push", "-q", "-f", "origin", "main")
    for clone in (other, laptop, other):
        outcome = clone.sync()
        assert isinstance(outcome, Synced), outcome
        assert "password.txt" not in world.hub_git("ls-tree", "--name-only", "main")
    assert b"password.txt" not in {*laptop.files(), *other.files()}
    assert tips_on(world) != ""
    question = desktop.sync()
    assert isinstance(question, Question)
    assert question.kind == "rewritten-history"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["nobody else", "somebody else edits too"])
@pytest.mark.parametrize("how", ["amend", "squash"])
def test_a_commit_that_is_amended_after_it_was_pushed(
    world: World, how: str, *, elsewhere: bool
) -> None:
    """It stands against the one that was pushed: no conflict of the person with themselves."""
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    laptop.commit_by_hand("a.txt", "two, wiht a typo\n")
    if how == "squash":
        laptop.commit_by_hand("a.txt", "two, with another tpyo\n")
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
    pushed = laptop.git("rev-parse", "HEAD")
    if elsewhere:
        push_from(desktop, "b.txt", "from the desktop\n")
    if how == "squash":
        laptop.git("reset", "-q", "--soft", "HEAD~2")
        laptop.edit("a.txt", "two\n")
        laptop.git("commit", "-qam", "Both in one")
    else:
        laptop.edit("a.txt", "two\n")
        laptop.git("commit", "-qa", "--amend", "-m", "Without the typo")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.conflicts == ()
    assert isinstance(desktop.sync(), Synced)
    expected = b"from the desktop\n" if elsewhere else b"one\n"
    for clone in (laptop, desktop):
        assert clone.files() == {b"a.txt": b"two\n", b"b.txt": expected}
        assert pushed in clone.git("rev-list", "HEAD")
        clone.is_clean()


def test_what_an_amend_took_out_stays_out_however_much_is_committed_until_it_is_pushed(
    world: World,
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit("secret.txt", "not meant to be here\n")
    push_from(laptop, "b.txt", "b\n")
    laptop.git("rm", "-q", "secret.txt")
    laptop.git("commit", "-q", "--amend", "-m", "Without the secret")
    for number in range(60):  # while the hub is away
        laptop.git("commit", "-q", "--allow-empty", "-m", str(number))
    assert isinstance(laptop.sync(), Synced)
    assert b"secret.txt" not in laptop.files()
