"""What a watch reports, one behaviour at a time, on the real kernel."""

import ctypes
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from inotify_simple import INotify

from autosyncd.watch import instance
from autosyncd.watch.inotify import TreeWatch
from autosyncd.watch.treechanges import TreeChanges
from tests.waiting import eventually

Start = Callable[..., TreeWatch]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    root.mkdir()
    return root


@pytest.fixture
def start(root: Path) -> Iterator[Start]:
    watches = []

    def begin(*ignored: bytes) -> TreeWatch:
        watch = TreeWatch(os.fsencode(root), ignored)
        watch.arm()
        watches.append(watch)
        return watch

    yield begin
    for watch in watches:
        watch.close()


def keep_all(watch: TreeWatch, batch: TreeChanges) -> set[bytes]:
    """Answer that nothing is ignored until nothing is asked; all that was reported as changed."""
    changed = set(batch.changed)
    while batch.new_folders:
        batch = watch.judged((), batch.new_folders)
        changed |= batch.changed
    return changed


# files


@pytest.mark.parametrize("name", [b"plain", b"two\nlines", b"\xff\xfe", b" blank ", "名".encode()])
def test_a_written_file(start: Start, root: Path, name: bytes) -> None:
    (root / "folder").mkdir()
    watch = start()
    with open(os.path.join(os.fsencode(root), b"folder", name), "wb") as file:
        file.write(b"x")
    assert watch.read() == TreeChanges(changed=frozenset({b"folder/" + name}))


def test_everything_that_can_happen_to_a_file(start: Start, root: Path) -> None:
    for name in ("mode", "gone", "old", "grown"):
        (root / name).write_text("x")
    watch = start()
    (root / "mode").chmod(0o755)
    (root / "gone").unlink()
    (root / "old").rename(root / "new")
    (root / "link").symlink_to("nowhere")
    with (root / "grown").open("a") as file:
        file.write("y")
        file.flush()
        changed = watch.read().changed
    assert changed == {b"mode", b"gone", b"old", b"new", b"link", b"grown"}


def test_nothing_happened(start: Start) -> None:
    assert start().read() == TreeChanges()


def test_what_is_only_read_is_not_reported(start: Start, root: Path) -> None:
    (root / "file").write_text("x")
    watch = start()
    (root / "file").read_text()
    list(root.iterdir())
    assert watch.read() == TreeChanges()


# what is left out


def test_nothing_inside_the_git_folder_is_seen(start: Start, root: Path) -> None:
    (root / ".git/objects").mkdir(parents=True)
    watch = start()
    assert watch.watched == 1
    (root / ".git/HEAD").write_text("x")
    (root / ".git/objects/y").write_text("x")
    (root / ".git").chmod(0o700)
    assert watch.read() == TreeChanges()


@pytest.mark.parametrize("spelling", [b"build", b"build/"])
def test_ignored_folders_are_not_entered(start: Start, root: Path, spelling: bytes) -> None:
    (root / "build/deep").mkdir(parents=True)
    (root / "kept").mkdir()
    watch = start(spelling)
    assert watch.watched == 2
    (root / "build/x").write_text("x")
    (root / "build").chmod(0o700)
    assert watch.read() == TreeChanges()


def test_a_folder_of_an_ignored_ones_name_is_asked_about_anew(start: Start, root: Path) -> None:
    (root / "build").mkdir()
    watch = start(b"build")
    (root / "build").rmdir()
    (root / "build").mkdir()
    assert watch.read().new_folders == {b"build"}


def test_an_ignored_folder_that_is_renamed_is_asked_about(start: Start, root: Path) -> None:
    (root / "build").mkdir()
    watch = start(b"build")
    (root / "build").rename(root / "src")
    assert watch.read().new_folders == {b"src"}


def test_a_file_in_the_place_of_an_ignored_folder_is_reported(start: Start, root: Path) -> None:
    (root / "build").mkdir()
    watch = start(b"build")
    (root / "build").rmdir()
    (root / "build").write_text("no folder")
    assert b"build" in watch.read().changed


def test_symlinks_are_not_followed(start: Start, root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere/deep").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path / "elsewhere")
    (root / "loop").symlink_to(root)
    watch = start()
    assert watch.watched == 1
    (tmp_path / "elsewhere/x").write_text("x")
    assert watch.read() == TreeChanges()


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_repository_inside_is_left_alone(root: Path, make: Callable[[Path], None]) -> None:
    (root / "sub/deep").mkdir(parents=True)
    make(root / "sub/.git")
    watch = TreeWatch(os.fsencode(root))
    assert watch.arm().nested == (b"sub",)
    assert watch.watched == 1
    (root / "sub/x").write_text("x")
    (root / "sub/deep/x").write_text("x")
    assert watch.read() == TreeChanges()
    assert watch.rearm(()).nested == ()
    watch.close()


def test_a_folder_becomes_a_repository(start: Start, root: Path) -> None:
    (root / "sub/deep").mkdir(parents=True)
    watch = start()
    (root / "sub/.git").mkdir()
    assert watch.read().nested == (b"sub",)
    assert watch.watched == 1
    (root / "sub/deep/x").write_text("x")
    assert watch.read() == TreeChanges()


@pytest.mark.parametrize("make", [Path.mkdir, Path.touch])
def test_a_repository_inside_is_one_no_longer(
    start: Start, root: Path, make: Callable[[Path], None]
) -> None:
    (root / "sub/deep").mkdir(parents=True)
    make(root / "sub/.git")
    watch = start()
    (root / "sub/x").write_text("x")
    (root / "sub/.git").rename(root.parent / "elsewhere")
    batch = watch.read()
    assert batch.new_folders == {b"sub"}
    assert keep_all(watch, batch) >= {b"sub"}
    assert watch.watched == 3
    (root / "sub/deep/x").write_text("x")
    assert watch.read().changed == {b"sub/deep/x"}


def test_a_repository_that_comes_and_goes_at_once(start: Start, root: Path) -> None:
    (root / "sub/deep").mkdir(parents=True)
    watch = start()
    (root / "sub/.git").mkdir()
    (root / "sub/.git").rmdir()
    assert watch.read().nested == ()
    (root / "sub/.git").mkdir()
    watch.read()
    (root / "sub/.git").rmdir()
    (root / "sub/.git").mkdir()
    assert watch.read().new_folders == frozenset()
    assert watch.watched == 1


def test_a_repository_inside_that_is_gone_leaves_its_name(start: Start, root: Path) -> None:
    (root / "sub/.git").mkdir(parents=True)
    watch = start()
    shutil.rmtree(root / "sub")
    (root / "sub").mkdir()
    assert keep_all(watch, watch.read()) >= {b"sub"}
    (root / "sub/x").write_text("x")
    assert watch.read().changed == {b"sub/x"}


def test_a_repository_inside_moves_and_is_one_no_longer(start: Start, root: Path) -> None:
    (root / "sub/.git").mkdir(parents=True)
    watch = start()
    (root / "sub").rename(root / "other")
    batch = watch.read()
    assert watch.judged((), batch.new_folders).nested == (b"other",)
    (root / "other/.git").rmdir()
    assert keep_all(watch, watch.read()) >= {b"other"}
    (root / "other/x").write_text("x")
    assert watch.read().changed == {b"other/x"}


def test_a_repository_that_ended_while_events_were_lost(start: Start, root: Path) -> None:
    (root / "sub/deep/.git").mkdir(parents=True)
    (root / "sub/.git").mkdir()
    watch = start()
    (root / "sub/.git").rmdir()
    assert watch.rearm(()).nested == (b"sub/deep",)
    watch.read()
    (root / "sub/x").write_text("x")
    assert b"sub/x" in watch.read().changed


def test_a_repository_is_cloned_into_the_tree(start: Start, root: Path) -> None:
    watch = start()
    (root / "new/sub/.git").mkdir(parents=True)
    watch.read()
    batch = watch.judged((), {b"new"})
    assert batch.nested == (b"new/sub",)
    assert b"new/sub" not in batch.new_folders
    assert watch.watched == 2


def test_a_repository_inside_moves(start: Start, root: Path) -> None:
    (root / "a/sub/.git").mkdir(parents=True)
    watch = start()
    (root / "a").rename(root / "b")
    watch.read()
    assert watch.judged((), {b"b"}).nested == (b"b/sub",)


def test_a_repository_is_made_in_a_new_folder(start: Start, root: Path) -> None:
    watch = start()
    (root / "new").mkdir()
    watch.read()
    (root / "new/.git").mkdir()
    assert watch.judged((), {b"new"}) == TreeChanges(nested=(b"new",))
    assert watch.watched == 1


def test_what_is_left_out_below_a_folder_goes_with_it(start: Start, root: Path) -> None:
    (root / "a/build").mkdir(parents=True)
    (root / "a/sub/.git").mkdir(parents=True)
    watch = start(b"a/build")
    assert watch.watched == 2
    (root / "a").rename(root / "b")
    watch.read()
    (root / "a/build").mkdir(parents=True)
    (root / "a/sub").mkdir()
    watch.read()
    assert watch.judged((), {b"a"}).new_folders == {b"a/build", b"a/sub"}


def test_a_repository_around_a_repository(start: Start, root: Path) -> None:
    (root / "a/sub/.git").mkdir(parents=True)
    watch = start()
    (root / "a/.git").mkdir()
    assert watch.read().nested == (b"a",)
    shutil.rmtree(root / "a")
    (root / "a/sub").mkdir(parents=True)
    watch.read()
    assert watch.judged((), {b"a"}).new_folders == {b"a/sub"}


# new folders


def test_a_new_folder_is_watched_alone_until_judged(start: Start, root: Path) -> None:
    watch = start()
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/early").write_text("x")
    batch = watch.read()
    assert batch == TreeChanges(changed=frozenset({b"a"}), new_folders=frozenset({b"a"}))
    assert watch.watched == 2
    batch = watch.judged((), {b"a"})
    assert batch == TreeChanges(changed=frozenset({b"a"}), new_folders=frozenset({b"a/b"}))
    assert watch.watched == 3
    assert watch.judged((), {b"a/b"}) == TreeChanges()
    (root / "a/b/late").write_text("x")
    assert watch.read().changed == {b"a/b/late"}


def test_nothing_is_lost_between_mkdir_and_watch(start: Start, root: Path) -> None:
    watch = start()
    seen: set[bytes] = set()
    for number in range(100):
        (root / f"a{number}/b/c").mkdir(parents=True)
        seen |= keep_all(watch, watch.read())
        (root / f"a{number}/b/c/f").write_text("x")
    seen |= watch.read().changed
    for number in range(100):
        assert b"a%d/b/c/f" % number in seen


def test_an_ignored_new_folder_loses_its_watch(start: Start, root: Path) -> None:
    watch = start()
    (root / "cache").mkdir()
    watch.read()
    assert watch.judged({b"cache"}, ()) == TreeChanges()
    assert watch.watched == 1
    (root / "cache/x").write_text("x")
    (root / "cache").chmod(0o700)
    assert watch.read() == TreeChanges()


def test_ignored_folders_inside_a_kept_one(start: Start, root: Path) -> None:
    watch = start()
    (root / "project/node_modules/many").mkdir(parents=True)
    watch.read()
    batch = watch.judged((), {b"project"})
    assert batch.new_folders == {b"project/node_modules", b"project/node_modules/many"}
    watch.judged({b"project/node_modules"}, ())
    assert watch.watched == 2


def test_ignored_folders_inside_can_be_named_at_once(start: Start, root: Path) -> None:
    watch = start()
    (root / "project/node_modules/many").mkdir(parents=True)
    watch.read()
    batch = watch.judged({b"project/node_modules"}, {b"project"})
    assert batch.new_folders == frozenset()
    assert watch.watched == 2
    (root / "project/node_modules/x").write_text("x")
    assert watch.read() == TreeChanges()


def test_an_answer_about_a_path_that_is_gone(start: Start, root: Path) -> None:
    watch = start()
    (root / "a").mkdir()
    watch.read()
    (root / "a").rename(root / "b")
    assert watch.judged({b"nowhere"}, {b"a", b"never/was"}).new_folders == frozenset()
    batch = watch.read()
    assert batch.new_folders == {b"b"}
    assert batch.changed == {b"a", b"b"}


def test_a_question_is_repeated_when_a_folder_above_moves(start: Start, root: Path) -> None:
    (root / "top").mkdir()
    watch = start()
    (root / "top/new").mkdir()
    assert watch.read().new_folders == {b"top/new"}
    (root / "top").rename(root / "above")
    assert watch.read().new_folders == {b"above", b"above/new"}


# renamed and deleted folders


def test_a_renamed_folder_keeps_its_watches(start: Start, root: Path) -> None:
    (root / "a/b/c").mkdir(parents=True)
    watch = start()
    (root / "a").rename(root / "z")
    (root / "z/b/c/f").write_text("x")
    batch = watch.read()
    assert {b"a", b"z", b"z/b/c/f"} <= batch.changed
    assert batch.new_folders == {b"z"}  # another name may be ignored
    assert not watch.unsettled
    assert watch.watched == 4
    (root / "z/b/c/g").write_text("x")
    assert watch.read().changed == {b"z/b/c/g"}
    assert watch.judged((), {b"z"}) == TreeChanges(changed=frozenset({b"z"}))


def test_two_folders_change_places(start: Start, root: Path) -> None:
    (root / "a/in_a").mkdir(parents=True)
    (root / "b/in_b").mkdir(parents=True)
    watch = start()
    (root / "a").rename(root / "t")
    (root / "b").rename(root / "a")
    (root / "t").rename(root / "b")
    keep_all(watch, watch.read())
    watch.settle()
    (root / "b/in_a/f").write_text("x")
    (root / "a/in_b/f").write_text("x")
    assert watch.read().changed == {b"b/in_a/f", b"a/in_b/f"}
    assert watch.watched == 5


def test_two_folders_are_exchanged_in_one_step(start: Start, root: Path) -> None:
    (root / "a/in_a").mkdir(parents=True)
    (root / "b").mkdir()
    watch = start()
    libc = ctypes.CDLL(None, use_errno=True)
    exchange = 2  # RENAME_EXCHANGE, rename(2)
    paths = os.fsencode(root / "a"), os.fsencode(root / "b")
    if libc.renameat2(-100, paths[0], -100, paths[1], exchange):
        pytest.skip("this file system can't exchange two names")
    assert watch.read().new_folders == {b"a", b"b"}
    (root / "b/in_a/f").write_text("x")
    assert watch.read().changed == {b"b/in_a/f"}


def test_parent_and_child_change_places(start: Start, root: Path) -> None:
    (root / "a/b").mkdir(parents=True)
    watch = start()
    (root / "a/b").rename(root / "b")
    (root / "a").rename(root / "b/a")
    keep_all(watch, watch.read())
    (root / "b/a/f").write_text("x")
    assert watch.read().changed == {b"b/a/f"}
    assert watch.watched == 3


def test_another_folder_takes_the_name_before_anybody_looks(start: Start, root: Path) -> None:
    watch = start()
    (root / "a").mkdir()
    (root / "a").rename(root / "b")
    (root / "a").mkdir()
    keep_all(watch, watch.read())
    (root / "a/f").write_text("x")
    (root / "b/f").write_text("x")
    assert watch.read().changed == {b"a/f", b"b/f"}


class Cut:
    """Passes on a queue's events in pieces, as the kernel may at any event."""

    def __init__(self, inotify: INotify, pieces: list[int]) -> None:
        self._inotify = inotify
        self._pieces = pieces
        self._queue: list[object] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._inotify, name)

    def read(self, timeout: int) -> list[object]:
        self._queue += self._inotify.read(timeout=timeout)
        count = self._pieces.pop(0)
        piece, self._queue = self._queue[:count], self._queue[count:]
        return piece


def test_half_a_rename_waits_for_its_other_half(
    start: Start, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "a/b").mkdir(parents=True)
    monkeypatch.setattr(instance, "INotify", lambda: Cut(INotify(), [1, 99, 99]))
    watch = start()
    (root / "a").rename(root / "z")
    assert watch.read().changed == {b"a"}
    assert watch.unsettled
    assert watch.watched == 3
    assert watch.read().changed == {b"z"}
    assert not watch.unsettled
    (root / "z/b/f").write_text("x")
    assert watch.read().changed == {b"z/b/f"}


@pytest.mark.parametrize("how", ["settle", "read"])
def test_a_folder_that_leaves_is_watched_no_longer(
    start: Start, root: Path, tmp_path: Path, how: str
) -> None:
    (root / "a/b").mkdir(parents=True)
    watch = start()
    (root / "a").rename(tmp_path / "out")
    batch = watch.read()
    assert (batch.changed, batch.new_folders) == ({b"a"}, set())
    assert watch.unsettled
    (tmp_path / "out/b/f").write_text("x")
    if how == "settle":
        watch.settle()
    assert watch.read() == TreeChanges()
    assert watch.watched == 1
    assert not watch.unsettled
    (tmp_path / "out/f").write_text("x")
    assert watch.read() == TreeChanges()


def test_a_folder_comes_in_from_outside(start: Start, root: Path, tmp_path: Path) -> None:
    (tmp_path / "out/b").mkdir(parents=True)
    watch = start()
    (tmp_path / "out").rename(root / "in")
    assert {b"in", b"in/b"} >= keep_all(watch, watch.read()) >= {b"in"}
    (root / "in/b/f").write_text("x")
    assert watch.read().changed == {b"in/b/f"}


def test_deleted_folders_leave_nothing_behind(start: Start, root: Path) -> None:
    for number in range(20):
        (root / f"a/{number}/deep").mkdir(parents=True)
    watch = start()
    shutil.rmtree(root / "a")
    batch = watch.read()
    assert b"a" in batch.changed
    assert not batch.rescan
    assert not batch.new_folders
    assert watch.watched == 1


def test_a_folder_becomes_a_file(start: Start, root: Path) -> None:
    (root / "a").mkdir()
    watch = start()
    (root / "a").rmdir()
    (root / "a").write_text("x")
    assert watch.read() == TreeChanges(changed=frozenset({b"a"}))
    assert watch.watched == 1


# paths that are out of date when they are used


class Meddler:
    """An inotify instance; once a given path was (or is about to be) asked for, something happens."""

    def __init__(self) -> None:
        self._inotify = INotify()
        self.before: dict[bytes, Callable[[], None]] = {}
        self.after: dict[bytes, Callable[[], None]] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(self._inotify, name)

    def add_watch(self, path: bytes, mask: int) -> int:
        name = path.split(b"/tree/")[-1]
        self.before.pop(name, lambda: None)()
        wd: int = self._inotify.add_watch(path, mask)
        self.after.pop(name, lambda: None)()
        return wd


@pytest.fixture
def meddler(monkeypatch: pytest.MonkeyPatch) -> Meddler:
    meddler = Meddler()
    monkeypatch.setattr(instance, "INotify", lambda: meddler)
    return meddler


def test_there_and_back_while_a_new_folder_is_looked_for(
    start: Start, root: Path, meddler: Meddler
) -> None:
    (root / "a").mkdir()
    watch = start()
    (root / "a/new").mkdir()
    meddler.before[b"a/new"] = lambda: (root / "a").rename(root / "b") and None
    assert watch.read().new_folders == frozenset()
    (root / "b").rename(root / "a")
    batch = watch.read()
    assert batch.new_folders == {b"a"}
    keep_all(watch, batch)
    (root / "a/new/f").write_text("x")
    assert watch.read().changed == {b"a/new/f"}


def test_a_folder_moves_to_where_the_walk_has_yet_to_come(
    start: Start, root: Path, meddler: Meddler
) -> None:
    watch = start()
    (root / "p/x").mkdir(parents=True)
    (root / "p/y/deep").mkdir(parents=True)
    watch.read()
    meddler.after[b"p/x"] = lambda: (root / "p/x").rename(root / "p/y/deep/x") and None
    keep_all(watch, watch.judged((), {b"p"}))
    keep_all(watch, watch.read())
    watch.settle()
    (root / "p/y/deep/x/f").write_text("x")
    assert watch.read().changed == {b"p/y/deep/x/f"}
    assert watch.watched == 5


def test_a_folder_seems_to_be_inside_itself(start: Start, root: Path, meddler: Meddler) -> None:
    (root / "a/b").mkdir(parents=True)
    watch = start()

    def turn_inside_out() -> None:
        (root / "a").rename(root / "t")
        (root / "a/b").mkdir(parents=True)
        (root / "t").rename(root / "a/b/c")

    (root / "a/b/c").mkdir()
    meddler.before[b"a/b/c"] = turn_inside_out
    assert watch.read().rescan
    assert not watch.rearm(()).rescan
    assert not watch.read().rescan
    (root / "a/b/c/b/c/f").write_text("x")
    assert watch.read().changed == {b"a/b/c/b/c/f"}


def test_what_left_while_its_folder_was_away(start: Start, root: Path, tmp_path: Path) -> None:
    (root / "a/x").mkdir(parents=True)
    watch = start()
    (root / "a").rename(tmp_path / "out")
    (tmp_path / "out/x").rename(tmp_path / "x")
    (tmp_path / "out").rename(root / "z")
    assert watch.read().new_folders == {b"z"}
    watch.judged((), {b"z"})
    watch.settle()
    assert watch.watched == 2
    (tmp_path / "x/f").write_text("x")
    assert watch.read() == TreeChanges()


# rules


@pytest.mark.parametrize("path", [".gitignore", "deep/.gitignore", "deep/.gitattributes"])
def test_a_file_of_rules_in_the_tree(start: Start, root: Path, path: str) -> None:
    (root / "deep").mkdir()
    watch = start()
    (root / path).write_text("x")
    batch = watch.read()
    assert batch.rules_changed
    assert batch.changed == {os.fsencode(path)}


def test_the_repositorys_own_rules(start: Start, root: Path) -> None:
    (root / ".git/info").mkdir(parents=True)
    watch = start()
    (root / ".git/info/exclude").write_text("x")
    assert watch.read() == TreeChanges(rules_changed=True)
    (root / ".git/info/other").write_text("x")
    assert watch.read() == TreeChanges()
    assert watch.watched == 1


def test_new_rules(start: Start, root: Path) -> None:
    (root / "a/deep").mkdir(parents=True)
    (root / "b/deep").mkdir(parents=True)
    watch = start(b"a")
    assert watch.rearm({b"b/"}) == TreeChanges()
    (root / "a/deep/f").write_text("x")
    (root / "b/deep/f").write_text("x")
    assert watch.read().changed == {b"a/deep/f"}
    assert watch.watched == 3


def test_new_rules_after_a_rename_that_nobody_read(start: Start, root: Path) -> None:
    (root / "src").mkdir()
    watch = start()
    (root / "src").rename(root / "lib")
    (root / "src/build").mkdir(parents=True)
    watch.rearm({b"src/build"})
    assert watch.watched == 3


def test_new_rules_answer_all_questions(start: Start, root: Path) -> None:
    (root / "old").mkdir()
    watch = start()
    (root / "asked").mkdir()
    assert watch.read().new_folders == {b"asked"}
    watch.rearm(())
    (root / "old").rename(root / "new")
    assert watch.read().new_folders == {b"new"}


# lost events


def test_a_full_queue_means_that_anything_may_have_changed(start: Start, root: Path) -> None:
    (root / "gone").mkdir()
    (root / "moved/deep").mkdir(parents=True)
    (root / "known").mkdir()
    watch = start()
    # two files by turns, since the kernel merges equal events that follow each other
    size = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for name in ("a", "b"):
        (root / name).write_text("x")
    for _ in range(size // 2 + 1):
        os.utime(root / "a")
        os.utime(root / "b")
    (root / "gone").rmdir()
    (root / "moved").rename(root / "here")
    (root / "new/deep").mkdir(parents=True)
    (root / "known/deep").mkdir()
    assert watch.read().rescan
    batch = watch.rearm(())
    assert not batch.rescan
    assert watch.watched == 7
    for path in ("here/deep/f", "new/deep/f", "known/deep/f"):
        (root / path).write_text("x")
    batch = watch.read()
    assert batch.changed == {b"here/deep/f", b"new/deep/f", b"known/deep/f"}
    assert not batch.rescan


# the root


def test_the_root_is_deleted(start: Start, root: Path) -> None:
    watch = start()
    root.rmdir()
    assert watch.read().gone
    assert not watch.complete
    assert watch.rearm(()).gone


def test_the_root_is_moved_away_and_comes_back(start: Start, root: Path, tmp_path: Path) -> None:
    (root / "a").mkdir()
    watch = start()
    root.rename(tmp_path / "elsewhere")
    assert watch.read().gone
    assert watch.rearm(()).gone
    (tmp_path / "elsewhere").rename(root)
    assert not watch.rearm(()).gone
    (root / "a/f").write_text("x")
    assert watch.read() == TreeChanges(changed=frozenset({b"a/f"}))
    assert watch.complete


def test_another_folder_takes_the_roots_place(start: Start, root: Path, tmp_path: Path) -> None:
    watch = start()
    root.rename(tmp_path / "elsewhere")
    (root / "new").mkdir(parents=True)
    assert watch.read().gone
    assert not watch.rearm(()).gone
    (tmp_path / "elsewhere/f").write_text("x")
    assert watch.read() == TreeChanges()
    (root / "new/f").write_text("x")
    assert watch.read().changed == {b"new/f"}


def test_a_folder_above_the_root_is_moved(tmp_path: Path) -> None:
    (tmp_path / "home/tree").mkdir(parents=True)
    watch = TreeWatch(os.fsencode(tmp_path / "home/tree"))
    watch.arm()
    (tmp_path / "home").rename(tmp_path / "elsewhere")
    assert watch.read() == TreeChanges()  # the kernel says nothing of it
    (tmp_path / "home/tree").mkdir(parents=True)
    (tmp_path / "elsewhere/tree/a").mkdir()
    assert watch.read().gone
    watches = Path(f"/proc/self/fdinfo/{watch.fileno()}").read_text()
    assert watches.count("inotify wd:") == 1
    watch.close()


def test_no_root_yet(tmp_path: Path) -> None:
    watch = TreeWatch(os.fsencode(tmp_path / "later"))
    assert watch.arm().gone
    assert not watch.complete
    (tmp_path / "later").mkdir()
    assert not watch.rearm(()).gone
    assert watch.complete
    watch.close()


# what a loop needs


def test_the_descriptor_becomes_readable(start: Start, root: Path) -> None:
    watch = start()
    (root / "f").write_text("x")
    assert eventually(lambda: watch.read().changed) == {b"f"}


def test_a_long_walk_ticks(root: Path) -> None:
    for number in range(600):
        (root / str(number)).mkdir()
    ticks: list[int] = []
    watch = TreeWatch(os.fsencode(root), tick=ticks.append)
    watch.arm()
    assert ticks == [256, 512]
    watch.close()


# limits


def in_namespace(limit: str, script: str, *arguments: str) -> str:
    """Run a script where the kernel allows less: the limit is one of a new user namespace."""
    command = f"echo {limit.split('=')[1]} >/proc/sys/user/{limit.split('=')[0]}"
    unshare = ["unshare", "-U", "--map-current-user", "--keep-caps", "--", "sh", "-c"]
    if subprocess.run([*unshare, command], capture_output=True).returncode:
        pytest.skip("this machine allows no user namespaces")
    shell = f'{command}; exec "$@"'
    done = subprocess.run(
        [*unshare, shell, "sh", sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WATCH_LIMIT = """
import os, sys
from autosyncd.watch.inotify import TreeWatch
root = os.fsencode(sys.argv[1])
watch = TreeWatch(root)
batch = watch.arm()
assert not watch.complete
assert watch.watched == 5, batch
print(watch.limits)
open(root + b"/f", "w").close()
assert watch.read().changed == {b"f"}
os.mkdir(root + b"/another")
batch = watch.read()
assert batch.changed == {b"another"} and not batch.new_folders, batch
assert "8 of 13 folders" in watch.limits
for name in os.listdir(root):
    if name != b"f":
        open(root + b"/" + name + b"/probe", "w").close()
folder = root + b"/" + min(os.path.dirname(path) for path in watch.read().changed if b"/" in path)
os.rename(folder, root + b"-outside")
os.mkdir(folder)
while watch.unsettled or watch.read().changed:
    watch.settle()
open(root + b"-outside/f", "w").close()
assert not watch.read().changed
open("/proc/sys/user/max_inotify_watches", "w").write("100")
batch = watch.rearm(())
assert watch.complete and watch.watched == 13 and watch.limits is None, batch
"""


def test_the_limit_of_watches(root: Path) -> None:
    for number in range(10):
        (root / f"folder{number}").mkdir()
    (root / "folder0/deep").mkdir()
    text = in_namespace("max_inotify_watches=5", WATCH_LIMIT, str(root))
    assert "7 of 12 folders" in text
    assert "5 inotify watches" in text
    assert "sudo sysctl user.max_inotify_watches=" in text


INSTANCE_LIMIT = """
import os, sys
from autosyncd.watch.treechanges import TreeChanges
from autosyncd.watch.inotify import TreeWatch
root = os.fsencode(sys.argv[1])
watch = TreeWatch(root)
assert watch.fileno() is None and not watch.complete
assert watch.arm() == watch.read() == watch.judged((), {b"a"}) == TreeChanges()
print(watch.limits)
open("/proc/sys/user/max_inotify_instances", "w").write("10")
watch.rearm(())
assert watch.complete and watch.fileno() is not None and watch.limits is None
"""


def test_the_limit_of_instances(root: Path) -> None:
    text = in_namespace("max_inotify_instances=0", INSTANCE_LIMIT, str(root))
    assert "No folder can be watched, because the 0 inotify instances" in text


def test_too_many_open_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(instance, "INotify", refuse)
    watch = TreeWatch(os.fsencode(root))
    assert watch.fileno() is None
    assert "inotify instances" in (watch.limits or "")


def in_own_namespace(script: str, tmp_path: Path, *options: str) -> None:
    """Run a script in a user namespace of its own."""
    unshare = ["unshare", "-U", *options, "--"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("this machine allows no user namespaces")
    command = [*unshare, sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr


HEAD = """
import os, subprocess, sys
from unittest import mock
from autosyncd.watch import walk
from autosyncd.watch.treechanges import TreeChanges
from autosyncd.watch.inotify import TreeWatch
root = os.fsencode(sys.argv[1]) + b"/tree"
os.makedirs(root + b"/mount/under")
os.mkdir(root + b"/other")
def run(*command): subprocess.run(command, check=True)
"""

MOUNT = """
run("mount", "-t", "tmpfs", "none", root + b"/mount")
os.mkdir(root + b"/mount/inside")
os.makedirs(root + b"/mount/under/.git")
watch = TreeWatch(root)
assert watch.arm().nested == (b"mount/under",)
assert watch.watched == 4
open(root + b"/mount/inside/f", "w").close()
assert watch.read().changed == {b"mount/inside/f"}
run("umount", root + b"/mount")
batch = watch.read()
assert b"mount" in batch.changed and batch.new_folders == {b"mount"} and not batch.gone, batch
watch.judged((), batch.new_folders)
open(root + b"/mount/under/f", "w").close()
assert watch.read().changed == {b"mount/under/f"}
"""

BOUND = """
run("mount", "--bind", root + b"/other", root + b"/mount")
run("mount", "--bind", root, root + b"/other")
watch = TreeWatch(root)
batch = watch.arm()
assert watch.watched <= 4 and not batch.rescan, batch
open(root + b"/f", "w").close()
assert watch.read().changed == {b"f"}
"""


@pytest.mark.parametrize("script", [MOUNT, BOUND], ids=["mount", "bind"])
def test_mount_points(tmp_path: Path, script: str) -> None:
    in_own_namespace(HEAD + script, tmp_path, "-m", "--map-root-user")


UNREADABLE = """
os.chmod(root + b"/mount", 0)
watch = TreeWatch(root)
assert watch.arm() == TreeChanges() and watch.complete and watch.watched == 2
os.chmod(root + b"/mount", 0o755)
batch = watch.read()
assert batch == TreeChanges(new_folders=frozenset({b"mount"})), batch
watch.judged((), watch.judged((), {b"mount"}).new_folders)
assert watch.watched == 4
os.makedirs(root + b"/closed/in")
assert watch.read().new_folders == {b"closed"}
os.chmod(root + b"/closed", 0)
watch.judged((), {b"closed"})
assert watch.complete
os.chmod(root + b"/closed", 0o755)
assert watch.read().new_folders == {b"closed"}
watch.judged((), watch.judged((), {b"closed"}).new_folders)
os.chmod(root + b"/closed", 0)
watch.read()
os.chmod(root + b"/closed", 0o755)
watch.read()
open(root + b"/closed/in/f", "w").close()
assert watch.read().changed == {b"closed/in/f"}
os.makedirs(root + b"/top/late/in")
watch.read()
def close_first(folder, names=walk.folder_names):
    if folder.endswith(b"/late"):
        os.chmod(folder, 0)
    return names(folder)
with mock.patch.object(walk, "folder_names", close_first):
    watch.judged((), watch.judged((), {b"top"}).new_folders)
os.chmod(root + b"/top/late", 0o755)
assert watch.read().new_folders == {b"top/late"}
"""


def test_folders_that_may_not_be_read(tmp_path: Path) -> None:
    # without a mapping even root has no power over modes in there
    in_own_namespace(HEAD + UNREADABLE, tmp_path)
