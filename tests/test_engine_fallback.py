"""Whole cycles on a real file system that knows no leases and can't swap two names: FUSE (bindfs)."""

import errno
import os
import random
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosyncd.vcs.git.disk import (
    RENAME_EXCHANGE,
    NoExchange,
    Place,
    rename,
)
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.lease import ignore_breaks, leases_work
from autosyncd.vcs.git.updating import replace, stepwise, sweep
from autosyncd.vcs.git.updating.stepwise import Stepwise
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Ready, Synced, Waiting, Why
from tests.test_engine_held import Logger
from tests.trees import Clone, World, make_world

pytestmark = pytest.mark.root


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    if shutil.which("bindfs") is None or not os.path.exists("/dev/fuse"):
        pytest.skip("there is no bindfs, or no FUSE")
    backing, top = tmp_path / "backing", tmp_path / "top"
    backing.mkdir()
    top.mkdir()
    subprocess.run(["bindfs", backing, top], check=True, capture_output=True)
    try:
        yield top
    finally:
        subprocess.run(["umount", "--lazy", top], check=True)


@pytest.fixture
def world(mounted: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    ignore_breaks()
    monkeypatch.setattr(sweep, "KEEP_WITHOUT_LEASES", 0.0)
    return make_world(mounted, monkeypatch)


FILES: dict[str, str | bytes] = {"f": "1\n", "f.new": "1\n", "d/gone": "1\n", "d/stays": "1\n"}


@pytest.fixture
def trees(world: World) -> tuple[Clone, Clone]:
    """On both sides alike; then the hub has other versions of `f`, and no `d/gone`."""
    laptop, desktop = world.share(FILES)
    laptop.edit("f", "2\n")
    laptop.delete("d/gone")
    laptop.committed()
    laptop.sync()
    return laptop, desktop


def synced(clone: Clone) -> Synced:
    outcome = clone.sync()
    assert isinstance(outcome, Synced), outcome
    return outcome


def come_to_rest(*clones: Clone) -> None:
    """As often as it takes to have everything everywhere; then all are alike, and at rest."""
    for _ in range(4):
        for clone in clones:
            clone.commit()
            assert synced(clone).held == ()
            clone.driver.sweep()
    for clone in clones:
        assert clone.files() == clones[0].files()
        assert isinstance(clone.commit(), NothingToCommit)
        assert clone.driver.sweep() is False
        clone.is_clean()


def test_the_file_system_is_what_this_is_about(mounted: Path) -> None:
    assert not leases_work(os.fsencode(mounted))
    folders = OpenFolders(os.fsencode(mounted))
    for name in ("a", "b"):
        (mounted / name).write_text(name)
    with pytest.raises(NoExchange):
        rename(folders.place(b"a"), folders.place(b"b"), RENAME_EXCHANGE)
    folders.close()


def test_whatever_may_change_arrives(world: World) -> None:
    laptop, desktop = world.share(
        {"edited": "1\n", "gone": "1\n", "script": "1\n", "to-folder": "1\n", "to-file/x": "1\n"}
        | {"to-link": "1\n", "f": "1\n", "f.new": "1\n"}
    )
    laptop.link("link", "edited")
    laptop.committed()
    laptop.sync()
    synced(desktop)
    for name in ("edited", "f", "f.new", "new/in/folders"):
        laptop.edit(name, "2\n")
    for name in ("gone", "to-folder", "to-file", "to-link", "link"):
        laptop.delete(name)
    os.chmod(laptop.path("script"), 0o755)
    laptop.edit("to-folder/x", "2\n")
    laptop.edit("to-file", "2\n")
    laptop.link("to-link", "edited")
    laptop.link("link", "script")
    laptop.committed()
    laptop.sync()
    assert synced(desktop).held == ()
    assert desktop.files() == laptop.files()
    assert os.access(desktop.path("script"), os.X_OK)
    desktop.is_clean()
    come_to_rest(laptop, desktop)
    assert os.listdir(desktop.path(".git/autosync/batches")) == []


def test_both_have_edited(trees: tuple[Clone, Clone]) -> None:
    laptop, desktop = trees
    desktop.edit("f", "mine\n")
    desktop.edit("d/gone", "mine too\n")
    come_to_rest(desktop, laptop)
    for content in ("2\n", "mine\n", "mine too\n"):
        assert laptop.history_has(content)
        assert content.encode() in laptop.files().values()


# at every instant of a swap


Save = Callable[[Clone], None]


def atomically(desktop: Clone) -> None:
    desktop.edit("~save", "mine\n")
    desktop.move("~save", "f")


def in_place(desktop: Clone) -> None:
    desktop.edit("f", "mine\n")


@pytest.mark.parametrize("save", [atomically, in_place])
@pytest.mark.parametrize("when", ["before it is put aside", "while the name is free", "after"])
def test_a_save_during_the_swap(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch, save: Save, when: str
) -> None:
    laptop, desktop = trees
    real, saved = Stepwise._put_aside, []

    def put_aside(self: Stepwise, target: Place, aside: Place) -> None:
        mine = not saved and target.name == b"f"
        if mine:
            saved.append(when)
        if mine and when.startswith("before"):
            save(desktop)
        real(self, target, aside)
        if mine and when.startswith("while"):
            save(desktop)

    monkeypatch.setattr(Stepwise, "_put_aside", put_aside)
    if when == "after":
        real_rename = stepwise.rename

        def rename_then_save(source: Place, target: Place, flags: int) -> None:
            real_rename(source, target, flags)
            if saved and saved[-1] == when and target.name == b"f":
                saved.append("done")
                save(desktop)

        monkeypatch.setattr(stepwise, "rename", rename_then_save)
    synced(desktop)
    assert saved, "nothing was swapped"
    monkeypatch.undo()
    monkeypatch.setattr(sweep, "KEEP_WITHOUT_LEASES", 0.0)
    come_to_rest(desktop, laptop)
    for clone in trees:
        assert clone.history_has("mine\n")
        assert clone.history_has("2\n")


def test_a_save_while_a_file_is_removed(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An atomic save at the last moment, and another one the moment its name is free."""
    laptop, desktop = trees
    real, texts = replace.rename, iter(["mine\n", "once more\n"])

    def save() -> None:
        text = next(texts, None)
        if text is not None:
            desktop.edit("~save", text)
            desktop.move("~save", "d/gone")

    def link(
        source: bytes, *more: object, real: Callable[..., None] = os.link, **w: object
    ) -> None:
        real(source, *more, **w)
        if source == b"gone":
            save()  # what is unlinked next is another file

    def meddled(source: Place, target: Place, flags: int) -> None:
        mine = source.name == b"gone"
        if mine:
            save()
        real(source, target, flags)
        if mine:
            save()

    with monkeypatch.context() as patch:
        patch.setattr(replace, "rename", meddled)
        patch.setattr(os, "link", link)
        synced(desktop)
    come_to_rest(desktop, laptop)
    for content in ("mine\n", "once more\n"):
        assert laptop.history_has(content)


def test_a_late_write_through_an_open_file(trees: tuple[Clone, Clone]) -> None:
    """Nobody can see him; his bytes end up beside, and in history."""
    laptop, desktop = trees
    writers = [Logger(desktop.path(name)) for name in ("f", "d/gone")]
    try:
        synced(desktop)
        assert desktop.read("f") == b"2\n"
        assert desktop.driver.sweep() is True, "it is kept as long as they have it open"
        for writer in writers:
            writer.append("late\n")
    finally:
        for writer in writers:
            writer.close()
    assert desktop.driver.sweep() is False
    desktop.commit()
    come_to_rest(desktop, laptop)
    assert laptop.history_has("1\nlate\n")
    assert b"1\nlate\n" in laptop.files().values()


def test_where_no_name_can_be_taken_safely_nothing_is_touched(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No hard links either: the file is held, and the sentence says why."""
    _, desktop = trees

    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", _only_for_locks(os.link, link))
        outcome = synced(desktop)
    assert desktop.read("f") == b"1\n"
    assert "f: an incoming change waits, it can't be put there" in outcome.held[0]
    assert synced(desktop).held == ()
    assert desktop.read("f") == b"2\n"


def _only_for_locks(real: Callable[..., None], instead: Callable[..., None]) -> Callable[..., None]:
    def link(*arguments: object, **words: object) -> None:
        (instead if "src_dir_fd" in words else real)(*arguments, **words)

    return link


# killed


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("point", range(5))
def test_killed_during_a_swap(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    """Also while the name is free: the file is there again before anybody looks for it."""
    laptop, desktop = trees
    child = os.fork()
    if not child:
        steps = iter(range(100))

        def then(real: Callable[..., None]) -> Callable[..., None]:
            def step(*arguments: object) -> None:
                if next(steps) == point:
                    die()
                real(*arguments)

            return step

        monkeypatch.setattr(stepwise, "rename", then(rename))
        monkeypatch.setattr(Stepwise, "_put_aside", then(Stepwise._put_aside))
        desktop.sync()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it came to its end"
    assert isinstance(desktop.reopen(), Ready)
    assert desktop.read("f") in (b"1\n", b"2\n")
    made = desktop.commit()
    assert isinstance(made, CommitMade | NothingToCommit), made
    come_to_rest(desktop, laptop)
    assert desktop.read("f") == b"2\n"
    assert set(desktop.files()) == {b"f", b"f.new", b"d/stays"}, "a needless copy"


# another file system takes the tree's place


@pytest.mark.parametrize("git_dir", ["inside", "elsewhere"])
def test_something_is_mounted_over_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, git_dir: str
) -> None:
    """Nothing is taken for deleted; it goes on when the tree is there again."""
    ignore_breaks()
    laptop, desktop = make_world(tmp_path, monkeypatch).share(FILES)
    if git_dir == "elsewhere":
        desktop.git("init", "-q", "--separate-git-dir", os.fspath(tmp_path / "git"))
        assert isinstance(desktop.reopen(), Ready)
    before = desktop.git("rev-parse", "HEAD")
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", desktop.root], check=True)
    try:
        outcomes = (desktop.commit(), desktop.sync())
        assert os.listdir(desktop.root) == []
    finally:
        subprocess.run(["umount", desktop.root], check=True)
    for outcome in outcomes:
        assert isinstance(outcome, Waiting), outcome
        assert outcome.why is Why.GONE
    assert desktop.git("rev-parse", "HEAD") == before
    assert isinstance(desktop.reopen(), Ready)
    assert isinstance(desktop.commit(), NothingToCommit)
    desktop.edit("f", "2\n")
    desktop.committed()
    assert isinstance(desktop.sync(), Synced)
    assert isinstance(laptop.sync(), Synced)
    assert laptop.read("f") == b"2\n"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_saves_during_updates(world: World, seed: int) -> None:
    """Every file is saved once while its new version comes in: none is lost."""
    names = [f"d{number % 5}/f{number}" for number in range(40)]
    more = [f"other/{number}" for number in range(60)]  # so that it is no mass modification
    laptop, desktop = world.share({name: f"old {name}\n" for name in (*names, *more)})
    for name in names:
        laptop.edit(name, f"new {name}\n")
    laptop.committed()
    laptop.sync()
    chance = random.Random(seed)
    begun = threading.Event()
    wait = threading.Event()

    def save_all() -> None:
        begun.set()
        for name in chance.sample(names, len(names)):
            wait.wait(chance.random() * 0.02)
            if chance.random() < 0.5:
                desktop.edit(name, f"mine {name}\n")
            else:
                desktop.edit(name + "~", f"mine {name}\n")
                desktop.move(name + "~", name)

    person = threading.Thread(target=save_all)
    person.start()
    begun.wait()
    while person.is_alive():
        desktop.sync()
        desktop.commit()
    person.join()
    come_to_rest(desktop, laptop)
    for name in names:
        assert laptop.history_has(f"mine {name}\n"), name
        assert laptop.history_has(f"new {name}\n"), name
