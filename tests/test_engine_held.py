"""Somebody keeps a file open for writing while the other machine edits it."""

import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosyncd.vcs.driver import Synced
from autosyncd.vcs.git.lease import ignore_breaks
from tests.trees import Clone, World, make_world

OLD = "".join(f"old line {number}\n" for number in range(8))
THEIRS = OLD.replace("old line 0", "edited elsewhere")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    ignore_breaks()
    return make_world(tmp_path, monkeypatch)


class Logger:
    """Keeps a file open and appends to it, as a daemon does; a process of its own."""

    def __init__(self, path: str) -> None:
        self._down, up = os.pipe(), os.pipe()
        self._answers = up[0]
        self.pid = os.fork()
        if not self.pid:
            os.close(self._down[1])
            self._serve(path, self._down[0], up[1])
        os.close(self._down[0])
        os.close(up[1])
        os.read(self._answers, 1)

    def _serve(self, path: str, orders: int, answers: int) -> None:
        Path("/proc/self/comm").write_text("applogd")
        log = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.write(answers, b".")
        while text := os.read(orders, 1000):
            os.write(log, text)
            os.write(answers, b".")
        os._exit(0)

    def append(self, text: str) -> None:
        os.write(self._down[1], text.encode())
        os.read(self._answers, 1)

    def close(self) -> None:
        if self.pid:
            os.close(self._down[1])
            os.close(self._answers)
            os.waitpid(self.pid, 0)
            self.pid = 0


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


def their_edit(laptop: Clone) -> None:
    laptop.edit("app.log", THEIRS)
    laptop.edit("other", "2\n")
    laptop.edit("new/file", "2\n")
    laptop.delete("gone")
    exchange(laptop)


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
    trees: tuple[Clone, Clone], logger: Logger
) -> None:
    laptop, desktop = trees
    their_edit(laptop)
    exchange(desktop)
    for number in range(3):
        logger.append(f"append {number}\n")
        exchange(desktop, laptop, desktop)
        there = laptop.read("app.log").decode()
        assert there.startswith("edited elsewhere\n")
    exchange(desktop, laptop)
    there = laptop.read("app.log").decode()
    assert there == THEIRS + "append 0\nappend 1\nappend 2\n"
    assert desktop.read("app.log").decode() == OLD + "append 0\nappend 1\nappend 2\n"


def test_nothing_is_committed_while_nobody_writes(
    trees: tuple[Clone, Clone], logger: Logger
) -> None:
    laptop, desktop = trees
    their_edit(laptop)
    exchange(desktop)
    before = laptop.git("rev-parse", "origin/main")
    exchange(desktop, laptop, desktop, times=2)
    assert laptop.git("rev-parse", "origin/main") == before
    assert desktop.git("rev-parse", "HEAD") == before


@pytest.mark.parametrize("restart", [False, True])
def test_both_are_merged_when_it_is_closed(
    trees: tuple[Clone, Clone], logger: Logger, restart: bool
) -> None:
    laptop, desktop = trees
    their_edit(laptop)
    exchange(desktop)
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
    for clone in trees:
        clone.is_clean()


def test_freed_by_a_look_at_held_files_alone(trees: tuple[Clone, Clone], logger: Logger) -> None:
    laptop, desktop = trees
    their_edit(laptop)
    exchange(desktop)
    logger.close()
    assert isinstance(desktop.sync(local=True), Synced)
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


def test_saved_atomically_while_the_old_one_is_open(
    trees: tuple[Clone, Clone], logger: Logger
) -> None:
    """An editor replaces the held file: its save is an edit of the version it was made from."""
    laptop, desktop = trees
    their_edit(laptop)
    exchange(desktop)
    desktop.edit("~save", OLD + "edited here\n")
    desktop.move("~save", "app.log")
    exchange(desktop, laptop, desktop, times=2)
    assert laptop.read("app.log").decode() == THEIRS + "edited here\n"
    assert laptop.files() == desktop.files()
    for clone in trees:
        clone.is_clean()


def test_what_is_no_file_is_not_called_open(trees: tuple[Clone, Clone]) -> None:
    """A pipe has the name: nobody has it open for writing."""
    laptop, desktop = trees
    desktop.delete("app.log")
    os.mkfifo(desktop.path("app.log"))
    laptop.edit("app.log", THEIRS)
    laptop.edit("other", "2\n")
    exchange(laptop)
    synced = desktop.sync()
    assert desktop.read("other") == b"2\n"
    sentences = synced.held if isinstance(synced, Synced) else ()
    assert not [text for text in sentences if "open for writing" in text]
