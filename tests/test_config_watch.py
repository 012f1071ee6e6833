import errno
import os
import shutil
from pathlib import Path

import pytest
from inotify_simple import Event, INotify, flags

from autosyncd.config import watch as config_watch
from autosyncd.config.watch import ConfigWatch
from autosyncd.errors import WatchLimit
from tests.waiting import eventually, ready


@pytest.fixture
def root(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "etc").mkdir()
    return Path(os.path.realpath(tmp_path))


@pytest.fixture
def make(root):
    made = []

    def build(main: Path | None = None) -> ConfigWatch:
        named = str(main) if main else None
        made.append(ConfigWatch(named, {"HOME": str(root / "home")}, etc=str(root / "etc")))
        return made[-1]

    yield build
    for watch in made:
        watch.close()


@pytest.fixture
def folder(root):
    path = root / "home/.config/autosync/autosync.d"
    path.mkdir(parents=True)
    return path


def noticed(watch: ConfigWatch) -> bool:
    return eventually(watch.changed, 2)


def quiet(watch: ConfigWatch) -> bool:
    """inotify's events are there when the system call returns: no waiting is needed."""
    return not watch.changed()


def test_it_is_readable_only_when_something_happened(folder, make):
    watch = make()
    assert quiet(watch)
    assert not ready(watch, 0)
    (folder / "a.yaml").write_text("")
    assert ready(watch, 2)
    assert watch.changed()
    assert quiet(watch)


def test_writes_renames_removals_and_modes_of_drop_ins_count(folder, make):
    file = folder / "a.yaml"
    watch = make()
    file.write_text("x")
    assert noticed(watch)
    with file.open("a") as opened:
        opened.write("y")
        opened.flush()
        assert quiet(watch)  # half written
    assert noticed(watch)
    (folder / "new").write_text("z")
    assert quiet(watch)
    (folder / "new").rename(file)
    assert noticed(watch)
    file.chmod(0o600)
    assert noticed(watch)
    file.rename(folder / "a.off")
    assert noticed(watch)
    (folder / "a.off").rename(file)
    assert noticed(watch)
    file.unlink()
    assert noticed(watch)


def test_what_is_not_read_does_not_count(folder, make):
    (folder / "a.yaml").write_text("x")
    watch = make()
    for name in (".a.yaml.swp", "4913", "a.yaml~", ".#a.yaml", "README"):
        (folder / name).write_text("")
        (folder / name).unlink()
    (folder / "a.yaml").read_text()
    (folder.parent / "other.yaml").write_text("")
    (folder.parent.parent / "other").mkdir()
    assert quiet(watch)


def test_strangers_files_on_the_way_wake_nobody(root, make):
    watch = make()
    for folder in (root / "home", root / "etc"):
        (folder / "hosts").write_text("")  # it has come: a name to compare, nothing to read
    assert quiet(watch)
    for folder in (root / "home", root / "etc"):
        with (folder / "hosts").open("a") as stranger:
            stranger.write("x")
    assert not ready(watch, 0)


def test_no_disk_is_looked_at_because_of_a_stranger(folder, make, monkeypatch):
    watch = make()
    for name in ("listdir", "readlink", "lstat", "stat"):
        monkeypatch.setattr(config_watch.os, name, None)
    with (folder.parent.parent / "other").open("w") as stranger:
        stranger.write("x")
    with (folder / "4913").open("w") as stranger:
        stranger.write("x")
    assert ready(watch, 0)
    assert quiet(watch)


def vim(file):
    """backupcopy=no: the old file becomes the backup, the new one is written under its name."""
    file.rename(f"{file}~")
    file.write_text("vim")
    os.unlink(f"{file}~")


def sed(file):
    fresh = file.with_name("sedXXXX")
    fresh.write_text("sed")
    fresh.rename(file)


def emacs(file):
    """backup-by-copying: written in place."""
    shutil.copy(file, f"{file}~")
    file.write_text("emacs")


def swap(file):
    """As configuration managers do: a link is renamed over the file."""
    other = file.with_name("generation-2")
    other.write_text("swap")
    (file.with_name("link")).symlink_to("generation-2")
    (file.with_name("link")).rename(file)


@pytest.mark.parametrize("edit", [vim, sed, emacs, swap])
@pytest.mark.parametrize("which", ["autosync.yaml", "autosync.d/a.yaml"])
def test_each_way_of_saving_is_noticed_time_and_again(folder, make, edit, which):
    file = folder.parent / which
    file.write_text("old")
    watch = make()
    for _ in range(3):
        edit(file)
        assert noticed(watch)
        assert quiet(watch)


def test_the_main_file_counts_however_it_is_replaced(folder, make):
    main = folder.parent / "autosync.yaml"
    watch = make()
    main.write_text("x")
    assert noticed(watch)
    for number in range(3):
        fresh = folder.parent / f"fresh{number}"
        fresh.write_text("y")
        fresh.rename(main)
        assert noticed(watch)
    main.write_text("z")
    assert noticed(watch)


def test_a_named_file_counts_and_the_others_do_not(root, folder, make):
    named = root / "elsewhere/my.yaml"
    watch = make(named)
    (folder.parent / "autosync.yaml").write_text("")
    assert quiet(watch)
    named.parent.mkdir()
    assert noticed(watch)
    named.write_text("x")
    assert noticed(watch)


def test_folders_that_do_not_exist_yet_are_awaited(root, make):
    watch = make()
    path = root / "home"
    for part in (".config", "autosync", "autosync.d"):
        path = path / part
        path.mkdir()
        assert noticed(watch)
    (path / "a.yaml").write_text("x")
    assert noticed(watch)
    (root / "etc/autosync.d").mkdir()
    assert noticed(watch)
    (root / "etc/autosync.d/a.yaml").write_text("x")
    assert noticed(watch)


def test_all_of_it_made_at_once_is_noticed_and_then_watched(root, make):
    watch = make()
    folder = root / "home/.config/autosync/autosync.d"
    folder.mkdir(parents=True)
    (folder / "a.yaml").write_text("x")
    assert noticed(watch)
    (folder / "a.yaml").write_text("y")
    assert noticed(watch)


def test_a_folder_that_vanishes_and_comes_back(folder, make):
    watch = make()
    for _ in range(3):
        shutil.rmtree(folder.parent)
        assert noticed(watch)
        folder.mkdir(parents=True)
        assert noticed(watch)
        (folder / "a.yaml").write_text("x")
        assert noticed(watch)


def test_a_removed_folder_that_somebody_sits_in(folder, make):
    watch = make()
    sitting = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        folder.rmdir()
        folder.mkdir()
        assert noticed(watch)
        (folder / "a.yaml").write_text("x")
        assert noticed(watch)
    finally:
        os.close(sitting)


def test_a_folder_or_its_parent_that_is_replaced(root, folder, make):
    watch = make()
    config = root / "home/.config"
    for victim in (folder, config):
        other = root / f"other-{victim.name}"
        shutil.copytree(victim, other)
        old = victim.rename(root / f"old-{victim.name}")
        other.rename(victim)
        assert noticed(watch)
        (old / "a.yaml").write_text("not ours any more")
        assert quiet(watch)
        (folder / "a.yaml").write_text("x")
        assert noticed(watch)


def test_the_target_of_a_link_counts_and_so_does_the_link(root, folder, make):
    for name in ("one", "two"):
        (root / name).mkdir()
        (root / name / "real").write_text("x")
    (root / "current").symlink_to("one")
    (folder / "a.yaml").symlink_to("../../../../current/real")
    watch = make()
    (root / "two/real").write_text("y")
    assert quiet(watch)
    (root / "one/real").write_text("y")
    assert noticed(watch)
    (root / "next").symlink_to("two")
    (root / "next").rename(root / "current")
    assert noticed(watch)
    (root / "one/real").write_text("y")
    assert quiet(watch)
    (root / "two/real").write_text("z")
    assert noticed(watch)


def test_a_linked_folder_of_drop_ins(root, folder, make):
    real = root / "real.d"
    folder.rmdir()
    folder.symlink_to(real)
    watch = make()
    real.mkdir()
    assert noticed(watch)
    (real / "a.yaml").write_text("x")
    assert noticed(watch)


def test_links_that_turn_in_a_circle_end(root, folder, make):
    (folder / "a.yaml").symlink_to("b.yaml")
    (folder / "b.yaml").symlink_to("a.yaml")
    watch = make()
    (folder / "b.yaml").unlink()
    assert noticed(watch)


def test_watches_do_not_pile_up(folder, make):
    watch = make()
    before = len(watch._names)
    for _ in range(5):
        shutil.rmtree(folder)
        noticed(watch)
        folder.mkdir()
        noticed(watch)
    held = Path(f"/proc/self/fdinfo/{watch.fileno()}").read_text().count("inotify wd:")
    assert held == before == len(watch._names)


def test_an_overflow_of_the_kernels_queue_counts(folder, make, monkeypatch):
    watch = make()
    overflow = Event(-1, int(flags.Q_OVERFLOW), 0, "")
    monkeypatch.setattr(INotify, "read", lambda self, timeout: [overflow])
    assert watch.changed()


@pytest.mark.parametrize(
    ("number", "said"), [(errno.ENOSPC, "max_user_watches"), (errno.EMFILE, "max_user_instances")]
)
def test_a_limit_of_the_kernel_is_told_with_its_remedy(folder, make, monkeypatch, number, said):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    where = "add_watch" if number == errno.ENOSPC else "__init__"
    monkeypatch.setattr(INotify, where, refuse)
    with pytest.raises(WatchLimit, match=said):
        make()
