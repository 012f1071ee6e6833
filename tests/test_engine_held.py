"""Somebody keeps a file open for writing while the other machine edits it."""

import mmap
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autosyncd.model import Safety
from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED, Scope
from autosyncd.vcs.git import held
from autosyncd.vcs.git.history import make_commit
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.lock import IndexLock
from autosyncd.vcs.git.updating import slippedin, update
from autosyncd.vcs.outcomes import (
    CommitMade,
    Dirty,
    NothingToCommit,
    Question,
    Ready,
    Synced,
    Waiting,
)
from tests.trees import Clone, World

OLD = "".join(f"old line {number}\n" for number in range(8))
THEIRS = OLD.replace("old line 0", "edited elsewhere")


LOGGER = """
import os, sys
open("/proc/self/comm", "w").write("applogd")
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
os.write(1, b".")
while text := os.read(0, 1000):
    os.write(log, text)
    os.write(1, b".")
"""


class Logger:
    """A process that keeps a file open and appends to it, as a daemon does."""

    def __init__(self, path: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-Sc", LOGGER, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.pid = self._process.pid
        self._hear()

    def _hear(self) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.read(1) == b"."

    def append(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text.encode())
        self._hear()

    def close(self) -> None:
        with self._process:  # closes its input, and waits
            pass


@pytest.fixture
def trees(world: World) -> tuple[Clone, Clone]:
    laptop, desktop = world.share({"app.log": OLD, "other": "1\n", "gone": "1\n"})
    return laptop, desktop


@pytest.fixture
def logger(trees: tuple[Clone, Clone]) -> Iterator[Logger]:
    logger = Logger(trees[1].path("app.log"))
    yield logger
    logger.close()


def exchange(*clones: Clone, times: int = 1) -> list[Synced]:
    """What the worker does each cycle, on each machine in turn."""
    outcomes = []
    for _ in range(times):
        for clone in clones:
            clone.commit()
            synced = clone.sync()
            assert isinstance(synced, Synced), synced
            outcomes.append(synced)
            clone.driver.sweep()
    return outcomes


def held_here(clone: Clone) -> held.Held:
    """What is on record."""
    return held.recall(clone.driver._opened.repository)  # type: ignore[union-attr]


def sides(clone: Clone) -> list[str]:
    """What is to be merged: the names, without the tree's."""
    listed = clone.git("for-each-ref", "--format=%(refname:lstrip=4)", "refs/autosync/side")
    return listed.split()


def their_edit(laptop: Clone) -> None:
    laptop.edit("app.log", THEIRS)
    laptop.edit("other", "2\n")
    laptop.edit("new/file", "2\n")
    laptop.delete("gone")
    exchange(laptop)


@pytest.fixture
def waits(trees: tuple[Clone, Clone], logger: Logger) -> tuple[Clone, Clone]:
    """Both, once an edit of the laptop has come to the desktop: there it waits for the logger."""
    laptop, desktop = trees
    their_edit(laptop)
    exchange(desktop)
    return trees


def test_everything_else_arrives(trees: tuple[Clone, Clone], logger: Logger) -> None:
    laptop, desktop = trees
    their_edit(laptop)
    (synced,) = exchange(desktop)
    assert desktop.read("app.log").decode() == OLD
    assert desktop.read("other") == desktop.read("new/file") == b"2\n"
    assert not os.path.exists(desktop.path("gone"))
    assert len(synced.held) == 1
    assert synced.held[0].startswith("app.log: an incoming change waits, open for writing by ")
    assert synced.held[0].endswith(f"applogd ({logger.pid})")


def test_a_snapshot_has_what_is_appended_to_a_held_file(
    waits: tuple[Clone, Clone], logger: Logger, world: World
) -> None:
    _, desktop = waits
    logger.append("appended here\n")
    assert desktop.driver.snapshot().new
    ref = world.hub_git("for-each-ref", "--format=%(refname)", "refs/autosync/wip")
    assert world.hub_git("show", f"{ref}:app.log") == OLD + "appended here"
    assert world.hub_git("show", f"{ref}:other") == "2"


@pytest.mark.parametrize("executable", [True, False])
def test_a_held_file_that_becomes_executable_is_an_edit(
    trees: tuple[Clone, Clone], *, executable: bool
) -> None:
    laptop, desktop = trees
    os.chmod(laptop.path("app.log"), 0o644 if executable else 0o755)
    exchange(laptop, desktop)
    logger = Logger(desktop.path("app.log"))
    their_edit(laptop)
    (synced,) = exchange(desktop)
    assert synced.held
    logger.close()
    os.chmod(desktop.path("app.log"), 0o755 if executable else 0o644)
    *_, synced = exchange(desktop, laptop, desktop)
    assert not synced.held
    for clone in trees:
        assert clone.read("app.log").decode() == THEIRS
        assert os.access(clone.path("app.log"), os.X_OK) is executable
        clone.is_clean()


def test_a_held_file_that_becomes_a_link_is_an_edit(trees: tuple[Clone, Clone]) -> None:
    laptop, desktop = trees
    logger = Logger(desktop.path("app.log"))
    their_edit(laptop)
    (synced,) = exchange(desktop)
    assert synced.held
    logger.close()
    os.unlink(desktop.path("app.log"))
    os.symlink("other", desktop.path("app.log"))
    *_, synced = exchange(desktop, laptop, desktop)
    assert not synced.held
    assert laptop.files() == desktop.files()
    assert b"-> other" in laptop.files().values()
    for clone in trees:
        clone.is_clean()


def test_who_has_it_mapped_is_named_too(trees: tuple[Clone, Clone]) -> None:
    laptop, desktop = trees
    handle = os.open(desktop.path("app.log"), os.O_RDWR)
    pid = os.fork()
    if not pid:
        mapped = mmap.mmap(handle, 0)
        os.close(handle)
        Path("/proc/self/comm").write_text("mapperd")
        os.kill(os.getpid(), 19)
        mapped.close()
        os._exit(0)
    os.close(handle)
    os.waitpid(pid, os.WUNTRACED)
    try:
        their_edit(laptop)
        (synced,) = exchange(desktop)
        assert synced.held[0].endswith(f"mapperd ({pid})")
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)


def test_its_own_appends_go_out_and_nothing_is_reverted(
    waits: tuple[Clone, Clone], logger: Logger
) -> None:
    laptop, desktop = waits
    for number in range(3):
        logger.append(f"append {number}\n")
        exchange(desktop, laptop, desktop)
        there = laptop.read("app.log").decode()
        assert there.startswith("edited elsewhere\n")
    exchange(desktop, laptop)
    there = laptop.read("app.log").decode()
    assert there == THEIRS + "append 0\nappend 1\nappend 2\n"
    assert desktop.read("app.log").decode() == OLD + "append 0\nappend 1\nappend 2\n"


def copies(clone: Clone) -> list[bytes]:
    """The conflict copies that lie there."""
    return sorted(name for name in clone.files() if b"sync-conflict" in name)


@pytest.mark.parametrize("rounds", ["each append", "at last"])
def test_an_edit_that_goes_on_and_conflicts_has_one_copy(
    trees: tuple[Clone, Clone], logger: Logger, rounds: str
) -> None:
    """Both have written at the end of the file, and here it is open still."""
    laptop, desktop = trees
    for text in ("of the laptop\n", "of the laptop\nand more\n"):  # the longer line keeps the name
        laptop.edit("app.log", OLD + text)
        exchange(laptop)
    exchange(desktop)
    told = []
    here = OLD
    for number in range(4):
        logger.append(f"append {number}\n")
        here += f"append {number}\n"
        assert isinstance(desktop.commit(), CommitMade)
        if rounds == "each append":
            told += [synced.conflicts for synced in exchange(desktop, laptop)]
            (copy,) = copies(laptop)
            assert laptop.read(copy).decode() == here
            assert b"-desktop-" in copy
    logger.close()
    told += [synced.conflicts for synced in exchange(desktop, laptop, desktop)]
    assert [paths for paths in told if paths] == [(b"app.log",)]
    assert laptop.files() == desktop.files()
    assert sorted((OLD + "of the laptop\nand more\n", here)) == sorted(
        desktop.read(name).decode() for name in ["app.log", *copies(desktop)]
    )
    for number in range(4):
        assert laptop.history_has(here[: here.index(f"append {number}") + 9])
    for clone in trees:
        clone.is_clean()


@pytest.mark.parametrize("change", ["edited", "deleted", "moved"])
def test_a_copy_that_somebody_has_touched_stays_as_it_is(
    trees: tuple[Clone, Clone], logger: Logger, change: str
) -> None:
    laptop, desktop = trees
    for text in ("of the laptop\n", "of the laptop\nand more\n"):
        laptop.edit("app.log", OLD + text)
        exchange(laptop)
    exchange(desktop)
    logger.append("append\n")
    exchange(desktop, laptop)
    (copy,) = copies(laptop)
    if change == "edited":
        laptop.edit(copy, laptop.read(copy) + b"seen\n")
    elif change == "deleted":
        laptop.delete(copy)
    else:
        laptop.move(copy, "seen.log")
    exchange(laptop, desktop)
    touched = {name: laptop.files().get(name) for name in (copy, b"seen.log")}
    for text in ("one more\n", "and more\n"):
        logger.append(text)
        exchange(desktop, laptop)
    assert {name: laptop.files().get(name) for name in (copy, b"seen.log")} == touched
    (other,) = set(copies(laptop)) - {copy}
    assert laptop.read(other).decode() == OLD + "append\none more\nand more\n"
    logger.close()
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()


def test_nothing_is_committed_while_nobody_writes(waits: tuple[Clone, Clone]) -> None:
    laptop, desktop = waits
    before = laptop.git("rev-parse", "origin/main")
    exchange(desktop, laptop, desktop, times=2)
    assert laptop.git("rev-parse", "origin/main") == before
    assert desktop.git("rev-parse", "HEAD") == before


def test_closed_and_edited_while_a_sync_runs(waits: tuple[Clone, Clone], logger: Logger) -> None:
    """The edit that the update finds is merged in the same one, and the next edit is made on it."""
    laptop, desktop = waits
    logger.append("appended here\n")
    logger.close()
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert not synced.held
    assert desktop.read("app.log").decode() == THEIRS + "appended here\n"
    desktop.edit("app.log", THEIRS + "appended there\n")
    exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()
    assert not [name for name in laptop.files() if b"sync-conflict" in name]
    assert desktop.history_has(OLD + "appended here\n")


@pytest.mark.parametrize("restart", [False, True])
def test_both_are_merged_when_it_is_closed(
    waits: tuple[Clone, Clone], logger: Logger, restart: bool
) -> None:
    laptop, desktop = waits
    logger.append("append\n")
    exchange(desktop)
    if restart:
        desktop.reopen()
        (synced,) = exchange(desktop)
        assert synced.held
        logger.append("after the restart\n")
    logger.append("last\n")
    logger.close()
    exchange(desktop, laptop, desktop, times=2)
    wanted = THEIRS + "append\n" + ("after the restart\n" if restart else "") + "last\n"
    assert desktop.read("app.log").decode() == laptop.read("app.log").decode() == wanted
    assert set(desktop.files()) == {b"app.log", b"other", b"new/file"}
    for clone in waits:
        clone.is_clean()


@pytest.mark.parametrize("closed", [True, False])
def test_an_edit_of_it_brings_nothing_back_that_was_rewritten_away(
    world: World, trees: tuple[Clone, Clone], logger: Logger, closed: bool
) -> None:
    """It is committed beside the branch, on the version that it was made from."""
    laptop, desktop = trees
    desktop.edit("password.txt", "hunter2\n")
    exchange(desktop, laptop)
    # in another second than the password, as by two commits of a person's
    laptop.environment = laptop.environment | {"GIT_AUTHOR_DATE": "2026-11-01T12:00:00Z"}
    laptop.reopen()
    their_edit(laptop)
    exchange(desktop)
    logger.append("append\n")
    if closed:
        logger.close()
    desktop.commit()
    desktop.git("rm", "-q", "password.txt")
    desktop.git("reset", "-q", "--soft", "HEAD~1")
    desktop.git("commit", "-q", "--amend", "-m", "Without the password")
    desktop.git("push", "-q", "-f", "origin", "main")
    exchange(desktop, laptop)
    if not closed:
        logger.append("and more\n")
        exchange(desktop)
        logger.close()
    exchange(desktop, laptop, desktop, times=2)
    wanted = THEIRS + "append\n" + ("" if closed else "and more\n")
    assert desktop.read("app.log").decode() == laptop.read("app.log").decode() == wanted
    for clone in trees:
        assert set(clone.files()) == {b"app.log", b"other", b"new/file"}
        clone.is_clean()
    assert "password.txt" not in world.hub_git("log", "--format=", "--name-only", "main")
    assert desktop.git("for-each-ref", "refs/autosync/side") == ""


def test_an_edit_that_is_closed_at_once_stays_in_its_file(
    waits: tuple[Clone, Clone], logger: Logger
) -> None:
    """The commit beside the branch is one to be pushed, and a look at held files alone merges it."""
    laptop, desktop = waits
    logger.append("append\n")
    logger.close()
    made = desktop.commit("app.log")
    assert isinstance(made, CommitMade)
    assert made.files == 1
    assert made.head.commit != desktop.git("rev-parse", "HEAD")
    synced = desktop.sync(local=True)
    assert isinstance(synced, Synced)
    assert synced.ahead, "this machine alone has the merge"
    assert not synced.held
    assert desktop.read("app.log").decode() == THEIRS + "append\n"
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()
    desktop.is_clean()


def test_an_edit_that_an_update_finds_brings_nothing_back_that_was_taken_back(
    trees: tuple[Clone, Clone], logger: Logger
) -> None:
    """The version that it was made from is of a history that the person has left."""
    laptop, desktop = trees
    desktop.reopen(push=False)
    desktop.commit_by_hand("password.txt", "hunter2\n")
    password = desktop.git("rev-parse", "HEAD")
    their_edit(laptop)
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert synced.held
    desktop.git("update-ref", "refs/heads/main", "origin/main")
    desktop.git("rm", "-qf", "password.txt")
    for text in ("append\n", "and more\n"):
        logger.append(text)
        assert isinstance(desktop.sync(), Synced)
        assert not os.path.exists(desktop.path("password.txt"))
        assert password not in desktop.git("rev-list", "main").split()
    logger.close()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("app.log").decode() == THEIRS + "append\nand more\n"
    assert password not in desktop.git("rev-list", "main").split()


@pytest.mark.parametrize("pending", ["everything", "the held file", "nothing"])
def test_it_stays_on_record_when_an_update_looks_at_it_and_breaks_off(
    waits: tuple[Clone, Clone], logger: Logger, monkeypatch: pytest.MonkeyPatch, pending: str
) -> None:
    """Within an update what lies on disk counts as unchanged; so does a held file, and is held all the
    same."""
    laptop, desktop = waits
    laptop.edit("other", "laptop\n")
    exchange(laptop)
    desktop.edit("other", "desktop\n")
    scopes = {"everything": EVERYTHING, "the held file": Scope(frozenset({b"app.log"}))}
    with monkeypatch.context() as patch:
        patch.setattr(update, "ROUNDS", 1)
        assert isinstance(desktop.sync(pending=scopes.get(pending, NOTHING_CHANGED)), Dirty)
    exchange(desktop, laptop)
    assert laptop.read("app.log").decode() == THEIRS
    logger.close()
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("more", ["", "append\n"])
def test_all_is_staged_while_it_is_held_and_committed_by_us_in_the_end(
    waits: tuple[Clone, Clone], logger: Logger, more: str, *, alone: bool
) -> None:
    """`git add -A` stages what lies on disk; what waits for it is taken back for nobody."""
    laptop, desktop = waits
    if not alone:
        desktop.edit("other", "3\n")
    if more:
        logger.append(more)
    desktop.git("add", "-A")
    assert isinstance(desktop.commit(), Waiting)
    assert not isinstance(desktop.commit(ignore_staged=True), Waiting)
    exchange(desktop, laptop)
    assert laptop.read("app.log").decode() == THEIRS + more
    assert laptop.read("other") == (b"2\n" if alone else b"3\n")
    logger.close()
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()
    desktop.is_clean()


def test_what_was_put_aside_is_held_until_it_is_not(trees: tuple[Clone, Clone]) -> None:
    """Edited here while it was marked assume-unchanged, edited elsewhere, and then marked no more."""
    laptop, desktop = trees
    desktop.git("update-index", "--assume-unchanged", "app.log")
    desktop.edit("app.log", OLD + "of the desktop\n")
    their_edit(laptop)
    exchange(desktop, times=2)
    desktop.git("update-index", "--no-assume-unchanged", "app.log")
    exchange(desktop, laptop, desktop)
    assert laptop.read("app.log").decode() == THEIRS + "of the desktop\n"
    assert laptop.files() == desktop.files()


def test_freed_by_a_look_at_held_files_alone(waits: tuple[Clone, Clone], logger: Logger) -> None:
    _, desktop = waits
    logger.close()
    synced = desktop.sync(local=True)
    assert isinstance(synced, Synced)
    assert not synced.ahead, "there is nothing that the remote has not"
    assert desktop.read("app.log").decode() == THEIRS
    desktop.is_clean()


def test_deleted_elsewhere(trees: tuple[Clone, Clone], logger: Logger) -> None:
    laptop, desktop = trees
    laptop.delete("app.log")
    exchange(laptop)
    exchange(desktop, laptop, desktop)
    assert desktop.read("app.log").decode() == OLD
    assert not os.path.exists(laptop.path("app.log"))
    logger.append("append\n")
    logger.close()
    exchange(desktop, laptop, desktop, times=2)
    assert laptop.read("app.log").decode() == OLD + "append\n"
    assert laptop.files() == desktop.files()


def test_a_folder_comes_where_the_held_file_is(trees: tuple[Clone, Clone], logger: Logger) -> None:
    laptop, desktop = trees
    laptop.delete("app.log")
    laptop.edit("app.log/part", "2\n")
    laptop.edit("other", "2\n")
    exchange(laptop)
    (synced,) = exchange(desktop)
    assert synced.held
    assert desktop.read("other") == b"2\n"
    assert desktop.read("app.log").decode() == OLD
    exchange(desktop, laptop, desktop)
    assert laptop.read("app.log/part") == b"2\n"
    logger.append("append\n")
    logger.close()
    exchange(desktop, laptop, desktop, times=3)
    assert laptop.files() == desktop.files()
    assert (OLD + "append\n").encode() in laptop.files().values()
    assert laptop.read("app.log/part") == b"2\n"


def test_the_person_makes_a_folder_where_the_held_file_was(
    trees: tuple[Clone, Clone], logger: Logger
) -> None:
    """What they put in where a file is to come in is theirs: it is no secret that was there before."""
    laptop, desktop = trees
    laptop.delete("app.log")
    laptop.edit("app.log/part", "of the laptop\n")
    exchange(laptop)
    (synced,) = exchange(desktop)
    assert not synced.in_the_way
    assert [text for text in synced.held if text.startswith("app.log/part: ")]
    logger.append("append\n")
    logger.close()
    desktop.delete("app.log")
    desktop.edit("app.log/part", "of the desktop\n")
    desktop.commit("app.log", "app.log/part")
    assert not [text for text in exchange(desktop)[0].held if "has its place" in text]
    laptop.delete("app.log/part")
    exchange(laptop, desktop, laptop, desktop, times=2)
    for clone in trees:
        assert clone.history_has("of the desktop\n")
        clone.is_clean()
    assert laptop.files() == desktop.files()
    assert b"of the desktop\n" in laptop.files().values()


def test_what_a_round_has_put_there_is_opened_before_the_next(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one has another version of it: what is written meanwhile was made from the first."""
    laptop, desktop = trees
    laptop.move("app.log", "new.log")
    laptop.edit("new.log", THEIRS)
    exchange(laptop)
    desktop.edit("app.log", OLD.replace("line 4", "of here"))  # goes along with the new name
    look, opened = update.absorb, []

    def absorb(*arguments: Any, **options: Any) -> slippedin.SlippedIn:
        found = look(*arguments, **options)
        opened.append(Logger(desktop.path("new.log")))
        return found

    monkeypatch.setattr(update, "absorb", absorb)
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert synced.held
    monkeypatch.undo()
    (logger,) = opened
    logger.append("written here\n")
    exchange(desktop, laptop, desktop)
    assert laptop.read("new.log").decode() == THEIRS.replace("line 4", "of here") + "written here\n"
    logger.close()
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()


def test_a_file_of_a_target_that_was_given_up_is_a_new_one(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first round puts a conflict copy there, the person opens it, and the second round wants none."""
    laptop, desktop = trees
    their_edit(laptop)
    begin, opened = update.Update._round, []

    def a_round(
        self: update.Update, lock: IndexLock, at: update.Standing, *, first: bool
    ) -> object:
        if not first:
            return begin(self, lock, at, first=False)
        repository, target = self.repository, at.target
        copy = {b"copy": held.version_in(repository, target, b"other")}
        tree = tree_with(repository, repository.tree_of(target), copy)
        at.target = make_commit(
            repository, tree, [target], message="given up", author=self.committer.author
        )
        desktop.edit("other", "edited meanwhile\n")  # so that there is a second one
        outcome = begin(self, lock, at, first=True)
        at.target = target
        opened.append(os.open(desktop.path("copy"), os.O_RDWR))
        return outcome

    monkeypatch.setattr(update.Update, "_round", a_round)
    assert isinstance(desktop.sync(), Synced)
    monkeypatch.undo()
    os.ftruncate(opened[0], 0)
    os.write(opened[0], b"of the desktop\n")
    os.close(opened[0])
    desktop.commit()
    assert desktop.history_has("of the desktop\n")
    exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()


def test_a_new_file_that_comes_and_goes_while_it_is_looked_at_is_committed(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There when the incoming one was to come, not when it was looked for, and there again after."""
    laptop, desktop = trees
    laptop.edit("fresh", "of the laptop\n")
    exchange(laptop)
    desktop.edit("fresh", "of the desktop\n")
    look, looks = slippedin.scan, []

    def scan(*arguments: Any, **words: Any) -> Any:
        looks.append(1)
        if len(looks) > 1:
            return look(*arguments, **words)
        desktop.delete("fresh")
        found = look(*arguments, **words)
        desktop.edit("fresh", "of the desktop\n")
        return found

    monkeypatch.setattr(slippedin, "scan", scan)
    synced = desktop.sync()
    assert looks
    assert isinstance(synced, Synced)
    assert not synced.in_the_way
    exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()
    assert {b"of the desktop\n", b"of the laptop\n"} <= set(laptop.files().values())


def test_a_file_that_takes_the_place_of_a_folder_where_something_comes_in_is_committed(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the person's keeps the incoming one out; then a file has the folder's own place."""
    laptop, desktop = trees
    laptop.edit("d/in", "in\n")
    exchange(laptop, desktop)
    laptop.edit("d/fresh", "of the laptop\n")
    exchange(laptop)
    desktop.edit("d/fresh", "of the desktop\n")
    look, looks = slippedin.steps_between, []

    def between(*arguments: Any) -> Any:
        if not looks:
            desktop.delete("d")
            desktop.edit("d", "a file\n")
        looks.append(1)
        return look(*arguments)

    monkeypatch.setattr(slippedin, "steps_between", between)
    synced = desktop.sync()
    assert looks
    assert isinstance(synced, Synced)
    assert not synced.in_the_way
    exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()
    assert {b"a file\n", b"of the laptop\n"} <= set(laptop.files().values())


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("local", [True, False])
def test_deleted_here(
    waits: tuple[Clone, Clone], logger: Logger, *, named: bool, local: bool
) -> None:
    """An edit against a deletion: the edit is kept, since nobody here had seen it."""
    laptop, desktop = waits
    desktop.delete("app.log")
    logger.close()
    assert isinstance(desktop.commit(*["app.log"] * named), NothingToCommit)
    synced = desktop.sync(local=local)
    assert isinstance(synced, Synced)
    assert not synced.held
    assert desktop.read("app.log").decode() == THEIRS
    desktop.is_clean()
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()
    desktop.delete("app.log")  # they have seen it now
    exchange(desktop, laptop)
    assert not os.path.exists(laptop.path("app.log"))


def test_deleted_here_and_elsewhere(trees: tuple[Clone, Clone], logger: Logger) -> None:
    laptop, desktop = trees
    laptop.delete("app.log")
    exchange(laptop)
    (synced,) = exchange(desktop)
    assert synced.held
    desktop.delete("app.log")
    logger.close()
    assert isinstance(desktop.commit("app.log"), NothingToCommit)
    assert not held_here(desktop)
    desktop.edit("app.log", "a new one\n")
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()
    assert laptop.read("app.log") == b"a new one\n"


def test_deleted_with_its_folder(world: World) -> None:
    laptop, desktop = world.share({"d/app.log": OLD, "d/other": "1\n"})
    logger = Logger(desktop.path("d/app.log"))
    laptop.edit("d/app.log", THEIRS)
    exchange(laptop)
    (synced,) = exchange(desktop)
    assert synced.held
    desktop.delete("d")
    logger.close()
    assert isinstance(desktop.commit("d"), CommitMade)
    (synced, _) = exchange(desktop, laptop)
    assert not synced.held
    assert laptop.files() == desktop.files() == {b"d/app.log": THEIRS.encode()}
    desktop.is_clean()


@pytest.mark.parametrize("where", ["inside", "outside"])
@pytest.mark.parametrize("looked_at", ["by a commit", "by a commit of its names", "by a sync"])
@pytest.mark.parametrize("open_still", [True, False])
def test_a_link_takes_the_place_of_its_folder(
    world: World, tmp_path: Path, where: str, looked_at: str, *, open_still: bool
) -> None:
    """No deletion of what comes in either; and what the link leads to is left alone."""
    laptop, desktop = world.share({"d/app.log": OLD, "d/other": "1\n"})
    logger = Logger(desktop.path("d/app.log"))
    laptop.edit("d/app.log", THEIRS)
    exchange(laptop)
    (synced,) = exchange(desktop)
    assert synced.held
    away = Path(desktop.path("d2")) if where == "inside" else tmp_path / "outside"
    os.rename(desktop.path("d"), away)
    desktop.link("d", "d2" if where == "inside" else os.fspath(away))
    if not open_still:
        logger.close()
    if looked_at != "by a sync":
        names = ["d"] if where == "outside" else ["d", "d2/app.log", "d2/other"]
        named = names if looked_at == "by a commit of its names" else []
        assert isinstance(desktop.commit(*named), CommitMade)
    assert isinstance(desktop.sync(), Synced)
    exchange(desktop, laptop, desktop)
    if open_still:
        logger.append("append\n")
        logger.close()
        exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()
    assert not held_here(desktop)
    for clone in (laptop, desktop):
        clone.is_clean()
    here = OLD + "append\n" * open_still
    if where == "outside":
        assert laptop.read("d/app.log").decode() == THEIRS
        assert (away / "app.log").read_text() == here
        assert not laptop.history_has(here) or not open_still
    else:
        assert {THEIRS.encode(), here.encode()} <= set(laptop.files().values())


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_its_folder_is_moved_by_the_persons_git_and_a_link_put_there(
    world: World, tmp_path: Path, where: str
) -> None:
    """Under its old name something can be seen still: another file, and perhaps none of this tree."""
    laptop, desktop = world.share({"d/app.log": OLD, "d/other": "1\n"})
    logger = Logger(desktop.path("d/app.log"))
    laptop.edit("d/app.log", THEIRS)
    exchange(laptop)
    exchange(desktop)
    desktop.git("mv", "d", "d2")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "app.log").write_text("another\n")
    desktop.link("d", "d2" if where == "inside" else os.fspath(outside))
    desktop.git("add", "d")
    desktop.git("commit", "-qm", "move the folder")
    exchange(desktop, laptop, desktop)
    assert laptop.read("d2/app.log").decode() == THEIRS
    logger.append("append\n")
    logger.close()
    exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()
    assert laptop.read("d2/app.log").decode() == THEIRS + "append\n"
    assert (outside / "app.log").read_text() == "another\n"
    assert not laptop.history_has("another\n")
    assert not held_here(desktop)
    for clone in (laptop, desktop):
        clone.is_clean()


def test_deleted_when_what_is_merged_is_what_was_deleted(
    waits: tuple[Clone, Clone], logger: Logger
) -> None:
    """No commit was told of that deletion, and none will be: it comes back like any that waits."""
    laptop, desktop = waits
    desktop.edit("app.log", THEIRS)  # the same edit, and one more
    logger.append("append\n")
    desktop.commit("app.log")
    logger.close()
    desktop.delete("app.log")
    assert isinstance(desktop.commit("app.log"), NothingToCommit)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("app.log").decode() == THEIRS + "append\n"
    assert not held_here(desktop)
    desktop.is_clean()
    exchange(laptop)
    assert laptop.files() == desktop.files()


def test_deleted_when_nothing_waits_any_more(waits: tuple[Clone, Clone], logger: Logger) -> None:
    """What came in was taken back elsewhere: the deletion is one like any."""
    laptop, desktop = waits
    laptop.edit("app.log", OLD)
    exchange(laptop)
    logger.append("append\n")
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    logger.close()
    desktop.delete("app.log")
    exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()
    assert not held_here(desktop)
    desktop.is_clean()


@pytest.mark.parametrize("by_hand", [True, False])
def test_taken_out_by_the_persons_git(
    waits: tuple[Clone, Clone], logger: Logger, *, by_hand: bool
) -> None:
    """Whoever says that to git means it."""
    laptop, desktop = waits
    desktop.git("rm", "-qf", "app.log")
    logger.close()
    if by_hand:
        desktop.git("commit", "-qm", "no log")
    else:
        assert isinstance(desktop.commit(ignore_staged=True), CommitMade)
    exchange(desktop, laptop, desktop)
    for clone in waits:
        assert not os.path.exists(clone.path("app.log"))
        clone.is_clean()
    assert not held_here(desktop)


@pytest.mark.parametrize("by_hand", [True, False])
@pytest.mark.parametrize("open_still", [True, False])
def test_moved_by_the_persons_git(
    waits: tuple[Clone, Clone], logger: Logger, *, by_hand: bool, open_still: bool
) -> None:
    """It waits under its new name, where git has put the version that came in."""
    laptop, desktop = waits
    desktop.git("mv", "app.log", "moved.log")
    if not open_still:
        logger.close()
    if by_hand:
        desktop.git("commit", "-qm", "move the log")
    else:
        assert isinstance(desktop.commit(ignore_staged=True), CommitMade)
    exchange(desktop, laptop, desktop)
    assert laptop.read("moved.log").decode() == THEIRS
    if open_still:
        logger.append("append\n")
        logger.close()
        exchange(desktop, laptop, desktop)
    assert laptop.read("moved.log").decode() == THEIRS + "append\n" * open_still
    assert set(desktop.files()) == {b"moved.log", b"other", b"new/file"}
    assert laptop.files() == desktop.files()
    assert not held_here(desktop)
    for clone in waits:
        clone.is_clean()


@pytest.mark.parametrize("looked_at", ["by a commit", "by a sync"])
def test_looked_at_between_the_two_renames_of_an_editor(
    waits: tuple[Clone, Clone], logger: Logger, looked_at: str
) -> None:
    laptop, desktop = waits
    desktop.move("app.log", "app.log~")
    if looked_at == "by a commit":
        desktop.commit()
    else:
        assert isinstance(desktop.sync(), Synced)
        assert desktop.read("app.log").decode() == THEIRS
    desktop.edit(".swp", OLD + "saved\n")
    desktop.move(".swp", "app.log")
    desktop.delete("app.log~")
    logger.close()
    exchange(desktop, laptop, desktop)
    assert laptop.read("app.log").decode() == THEIRS + "saved\n"
    assert laptop.files() == desktop.files()
    desktop.is_clean()


@pytest.mark.parametrize("commits", [0, 1, 2])
def test_a_folder_of_the_persons_in_its_place(
    waits: tuple[Clone, Clone], logger: Logger, commits: int
) -> None:
    """What is in it is no edit of what comes in either: both are there in the end."""
    laptop, desktop = waits
    desktop.delete("app.log")
    logger.close()
    for number in range(2):
        desktop.edit(f"app.log/{number}", f"of the person {number}\n")
        if number < commits:
            made = desktop.commit("app.log", f"app.log/{number}")
            assert isinstance(made, CommitMade)
            assert desktop.history_has(f"of the person {number}\n")
            assert isinstance(desktop.commit(), NothingToCommit)
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert not synced.held
    assert not synced.in_the_way
    exchange(desktop, laptop)
    assert laptop.files() == desktop.files()
    assert THEIRS.encode() in laptop.files().values()
    assert laptop.read("app.log/0") == b"of the person 0\n"
    assert laptop.read("app.log/1") == b"of the person 1\n"
    for clone in waits:
        clone.is_clean()


def test_an_empty_folder_in_its_place(waits: tuple[Clone, Clone]) -> None:
    _, desktop = waits
    desktop.delete("app.log")
    os.mkdir(desktop.path("app.log"))
    (synced,) = exchange(desktop)
    assert not synced.held
    assert desktop.read("app.log").decode() == THEIRS


def test_saved_atomically_while_the_old_one_is_open(waits: tuple[Clone, Clone]) -> None:
    """An editor replaces the held file: its save is an edit of the version it was made from."""
    laptop, desktop = waits
    desktop.edit("~save", OLD + "edited here\n")
    desktop.move("~save", "app.log")
    exchange(desktop, laptop, desktop, times=2)
    assert laptop.read("app.log").decode() == THEIRS + "edited here\n"
    assert laptop.files() == desktop.files()
    for clone in waits:
        clone.is_clean()


def make_socket(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)


def make_device(path: str) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))


@pytest.mark.parametrize(
    ("what", "make"),
    [
        ("a pipe", os.mkfifo),
        ("a socket", make_socket),
        pytest.param("a device", make_device, marks=pytest.mark.root),
    ],
)
def test_what_is_no_file_and_has_the_place_is_named(
    world: World, what: str, make: Callable[[str], None]
) -> None:
    laptop, desktop = world.share({"d/f": "1\n", "g": "1\n"})
    laptop.edit("d/f", "2\n")
    laptop.edit("g", "2\n")
    exchange(laptop)
    desktop.delete("d/f")
    make(desktop.path("d/f"))
    (synced,) = exchange(desktop)
    (sentence,) = synced.held
    assert sentence.startswith(f"d/f: an incoming change waits, {what} has ")
    assert desktop.read("g") == b"2\n"
    os.unlink(desktop.path("d/f"))
    exchange(desktop)
    assert desktop.read("d/f") == b"2\n"


@pytest.mark.parametrize("where", ["file", "folder"])
def test_a_name_that_can_not_be_here_is_held_alone(world: World, where: str) -> None:
    """A tree may have names that no file system of ours takes; the rest of it arrives."""
    laptop, desktop = world.share({"f": "1\n", "g": "1\n"})
    long = "n" * 300
    blob = laptop.git("hash-object", "-w", "--stdin", stdin=b"far too long\n")
    path = long if where == "file" else f"{long}/inside"
    laptop.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    laptop.edit("f", "2\n")
    laptop.git("add", "f")
    laptop.git("commit", "-qm", "a name")
    laptop.git("push", "-q", "origin", "HEAD:main")
    synced = desktop.sync()
    assert isinstance(synced, Synced), synced
    (sentence,) = synced.held
    assert "File name too long" in sentence
    for _ in range(2):
        assert desktop.read("f") == b"2\n"
        assert isinstance(desktop.commit(), NothingToCommit), "it is not taken for a deletion"
        assert isinstance(desktop.sync(), Synced)
        desktop.reopen()
    desktop.edit("g", "2\n")
    assert isinstance(desktop.commit(), CommitMade)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.git("rev-parse", f"HEAD:{path}") == blob


def a_pipe(desktop: Clone) -> None:
    desktop.delete("app.log")
    os.mkfifo(desktop.path("app.log"))


@pytest.mark.parametrize("act", [a_pipe])
def test_what_is_no_file_is_in_the_way(
    trees: tuple[Clone, Clone], act: Callable[[Clone], None]
) -> None:
    """The rest arrives; the blocked change is never undone for the others, and the sentence says
    what is in the way: nobody has it open for writing."""
    laptop, desktop = trees
    act(desktop)
    their_edit(laptop)
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert desktop.read("other") == b"2\n"
    assert not [text for text in synced.held if "open for writing" in text]
    for clone in (desktop, laptop, desktop, laptop):
        clone.commit()
        clone.sync()
    assert laptop.read("app.log").decode() == THEIRS
    assert laptop.read("new/file") == b"2\n"


@pytest.mark.parametrize("waiting", [False, True])
def test_a_folder_comes_where_a_file_is_that_is_written_all_the_time(
    trees: tuple[Clone, Clone], logger: Logger, monkeypatch: pytest.MonkeyPatch, *, waiting: bool
) -> None:
    laptop, desktop = trees
    if waiting:
        their_edit(laptop)
        exchange(desktop)
    laptop.delete("app.log")
    laptop.edit("app.log/part", "2\n")
    laptop.edit("other", "3\n")
    exchange(laptop)
    apply = update.apply

    def busy(*arguments: Any, **options: Any) -> object:
        logger.append("one more\n")
        return apply(*arguments, **options)

    monkeypatch.setattr(update, "apply", busy)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("other") == b"3\n"


@pytest.mark.parametrize("kind", ["pipe", "large file"])
def test_something_that_can_not_be_committed_and_is_busy_is_in_the_way(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    laptop, desktop = trees
    desktop.reopen(large_file=100)
    laptop.edit("fresh", "2\n")
    laptop.edit("other", "2\n")
    exchange(laptop)
    if kind == "pipe":
        os.mkfifo(desktop.path("fresh"))
    else:
        desktop.edit("fresh", "x" * 1000)
    busy = os.open(desktop.path("fresh"), os.O_RDWR | os.O_APPEND)
    look = slippedin.scan

    def scan(*arguments: Any, **options: Any) -> object:
        os.write(busy, b"traffic")
        return look(*arguments, **options)

    monkeypatch.setattr(slippedin, "scan", scan)
    synced = desktop.sync()
    os.close(busy)
    assert isinstance(synced, Synced)
    assert synced.held
    assert desktop.read("other") == b"2\n"


def test_a_file_that_is_made_where_a_pipe_kept_an_incoming_one_out_is_a_file_like_any(
    trees: tuple[Clone, Clone],
) -> None:
    laptop, desktop = trees
    os.mkfifo(desktop.path("fresh"))
    laptop.edit("fresh", "of the laptop\n")
    *_, synced = exchange(laptop, desktop)
    assert synced.held
    desktop.delete("fresh")
    desktop.edit("fresh", "of the desktop\n")
    exchange(desktop, laptop, desktop)
    assert laptop.files() == desktop.files()
    assert {b"of the desktop\n", b"of the laptop\n"} <= set(laptop.files().values())


def test_a_version_that_git_has_thrown_away_is_a_file_of_its_own(
    waits: tuple[Clone, Clone], logger: Logger
) -> None:
    """The person squashes history, and nothing of what was is kept: nobody knows from what a file that
    is still open was made."""
    _, desktop = waits
    squashed = desktop.git("commit-tree", desktop.tree(), "-m", "squashed")
    desktop.git("update-ref", "refs/heads/main", squashed)
    desktop.git("push", "-q", "-f", "origin", "main")
    for ref in desktop.git("for-each-ref", "--format=%(refname)", "refs/autosync").split():
        desktop.git("update-ref", "-d", ref)
    desktop.git("reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all")
    desktop.git("gc", "-q", "--prune=now")
    desktop.edit("other", "3\n")
    exchange(desktop)
    logger.append("append\n")
    exchange(desktop)
    logger.close()
    exchange(desktop, times=2)
    assert desktop.read("other") == b"3\n"
    assert desktop.history_has(OLD + "append\n")
    found = b"".join(desktop.files().values())  # in one file or in two: which commit wins is open
    for line in ("edited elsewhere", "old line 0", "append"):
        assert line.encode() in found
    assert desktop.status() == ""


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("others", [(), ("other", "new/file")])
def test_an_edit_of_it_counts_for_the_safety_limits(
    trees: tuple[Clone, Clone], logger: Logger, others: tuple[str, ...], *, named: bool
) -> None:
    laptop, desktop = trees
    laptop.edit("fourth", "1\n")
    their_edit(laptop)
    exchange(desktop)
    limit = 0.6 if others else 0.2  # of four files
    desktop.reopen(safety=Safety(min_files=4, max_modified=limit))
    logger.append("append\n")
    for name in others:
        desktop.edit(name, "3\n")
    scope = ("app.log", *others) if named else ()
    before = desktop.git("rev-parse", "HEAD")
    for _ in range(2):
        question = desktop.commit(*scope)
        assert isinstance(question, Question)
        assert question.kind == "mass-modification"
        assert question.text == f"{1 + len(others)} of 4 files changed at once."
        assert sides(desktop) == [], "the next sync would merge it"
    assert desktop.git("rev-parse", "HEAD") == before
    made = desktop.commit(*scope, allowed=frozenset({"mass-modification"}))
    assert isinstance(made, CommitMade)
    assert made.files == (len(others) or 1)
    assert len(sides(desktop)) == 1
    desktop.reopen(safety=Safety())  # else what comes back is asked about
    exchange(desktop, laptop)
    assert laptop.read("app.log").decode() == THEIRS + "append\n"


# another branch


def another_branch(clone: Clone, name: str = "topic") -> None:
    """Go on on a branch with the same files, and nothing of the history of before."""
    root = clone.git("commit-tree", "HEAD^{tree}", "-m", "Another beginning")
    clone.git("branch", name, root)
    on_branch(clone, name)


def on_branch(clone: Clone, name: str) -> None:
    clone.git("switch", "-q", name)
    assert isinstance(clone.reopen(branch=name), Ready)


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("name", ["topic", "main-2/b"])
def test_what_waits_to_be_merged_stays_with_its_branch(
    world: World, waits: tuple[Clone, Clone], logger: Logger, name: str, *, older: bool
) -> None:
    laptop, desktop = waits
    logger.append("append\n")
    desktop.commit()
    (side,) = sides(desktop)
    edit = side.removeprefix("main/")
    if older:  # as a version before this one has left it
        (ref,) = desktop.git("for-each-ref", "--format=%(refname)", "refs/autosync/side").split()
        desktop.git("update-ref", "-d", ref)
        desktop.git("update-ref", ref.removesuffix(side) + edit, edit)
    another_branch(desktop, name)
    exchange(desktop, times=2)
    assert world.hub_git("rev-list", "--count", name) == "1"
    assert sides(desktop) == [f"main/{edit}"]
    logger.close()
    exchange(desktop)
    desktop.is_clean()
    assert desktop.read("app.log").decode() == THEIRS
    desktop.driver.housekeep()
    assert sides(desktop) == [f"main/{edit}"]
    on_branch(desktop, "main")
    exchange(desktop, laptop)
    assert (
        laptop.read("app.log").decode() == desktop.read("app.log").decode() == THEIRS + "append\n"
    )
    assert desktop.git("rev-list", "--count", name) == "1"
    desktop.driver.housekeep()
    assert sides(desktop) == []


def test_what_an_older_version_has_left_is_merged_into_the_branch_that_is_synced(
    waits: tuple[Clone, Clone], logger: Logger
) -> None:
    laptop, desktop = waits
    logger.append("append\n")
    desktop.commit()
    (ref,) = desktop.git("for-each-ref", "--format=%(refname)", "refs/autosync/side").split()
    edit = ref.rpartition("/")[2]
    desktop.git("update-ref", "-d", ref)
    desktop.git("update-ref", ref.replace("/main/", "/"), edit)
    desktop.reopen()
    exchange(desktop, laptop)
    assert laptop.read("app.log").decode() == THEIRS + "append\n"
    desktop.driver.housekeep()
    assert sides(desktop) == []


@pytest.mark.parametrize("commits", [1, 2])
@pytest.mark.parametrize("synced", [True, False])
def test_an_edit_of_it_on_another_branch_brings_nothing_of_the_first(
    world: World, waits: tuple[Clone, Clone], logger: Logger, commits: int, *, synced: bool
) -> None:
    """The version that it is made from is of the first branch alone."""
    _, desktop = waits
    old = desktop.git("rev-list", "main").split()
    another_branch(desktop)
    for number in range(commits):
        logger.append(f"append {number}\n")
        desktop.commit()
        if synced:
            exchange(desktop)
    exchange(desktop, times=2)
    logger.close()
    exchange(desktop, times=2)
    wanted = THEIRS + "".join(f"append {number}\n" for number in range(commits))
    assert desktop.read("app.log").decode() == wanted
    assert world.hub_git("show", "topic:app.log") + "\n" == wanted
    assert not {*old} & {*world.hub_git("rev-list", "topic").split()}
    assert set(desktop.files()) == {b"app.log", b"other", b"new/file"}
    assert sides(desktop) == []
    desktop.is_clean()


def test_an_edit_that_waits_for_its_branch_brings_nothing_of_another(
    world: World, waits: tuple[Clone, Clone], logger: Logger
) -> None:
    """The other is synced meanwhile, and has the version that it was made from."""
    laptop, desktop = waits
    old = desktop.git("rev-list", "main").split()
    another_branch(desktop)
    logger.append("append\n")
    desktop.commit()
    (side,) = sides(desktop)
    on_branch(desktop, "main")
    exchange(desktop, laptop)
    desktop.driver.housekeep()
    assert sides(desktop) == [side]
    assert laptop.read("app.log").decode() == THEIRS
    on_branch(desktop, "topic")
    exchange(desktop, times=2)
    logger.close()
    exchange(desktop)
    assert desktop.read("app.log").decode() == THEIRS + "append\n"
    assert not {*old} & {*world.hub_git("rev-list", "topic").split()}


def test_branches_one_of_which_is_a_folder_of_the_other_have_each_its_own(
    waits: tuple[Clone, Clone], logger: Logger
) -> None:
    """`main` and `main/b` can't both be there (git-check-ref-format(1)), but one after the other can."""
    _, desktop = waits
    logger.append("append\n")
    desktop.commit()
    first = sides(desktop)
    desktop.git("branch", "-m", "main", "kept")
    desktop.git("branch", "main/b")
    on_branch(desktop, "main/b")
    logger.append("and more\n")
    desktop.commit()
    both = sides(desktop)
    assert len(both) == 2
    assert set(first) < set(both)
    assert {side.rpartition("/")[0] for side in both} == {"main", "main/b"}
