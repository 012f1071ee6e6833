"""Whole updates of a work tree, with what git does to files on their way."""

import errno
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from autosyncd.vcs.git import disk
from autosyncd.vcs.git import folders as open_folders
from autosyncd.vcs.git.disk import Place
from autosyncd.vcs.git.updating import replace
from autosyncd.vcs.outcomes import NothingToCommit, Ready, Synced
from tests.trees import World, make_world


@pytest.mark.parametrize("depth", [1, 12])
def test_more_folders_than_stay_open_at_once_where_two_names_can_not_be_swapped(
    world: World, monkeypatch: pytest.MonkeyPatch, depth: int
) -> None:
    """Three renames need two folders of the batch at a time."""
    names = [f"d{number}/" + "sub/" * depth + "f" for number in range(12)]
    laptop, desktop = world.share(dict.fromkeys(names, "one\n"))
    for name in names:
        laptop.edit(name, "two\n")
    laptop.committed()
    laptop.sync()

    def without_exchange(source: Place, target: Place, flags: int) -> None:
        if flags == disk.RENAME_EXCHANGE:
            raise disk.NoExchange(errno.EINVAL, os.strerror(errno.EINVAL))
        disk.rename(source, target, flags)

    monkeypatch.setattr(replace, "rename", without_exchange)
    monkeypatch.setattr(open_folders, "MOST_OPEN", 5)
    synced = desktop.sync()
    assert isinstance(synced, Synced), synced
    assert synced.held == ()
    assert [desktop.read(name) for name in names] == [b"two\n"] * len(names)
    desktop.is_clean()
    still_open = [os.path.realpath(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")]
    assert not [
        path for path in still_open if path.startswith(desktop.path(".git/autosync/batches"))
    ]


STORE = """#!/bin/sh
cd {folder} && case $1 in
    clean) cat >new; id=$(sha256sum <new); mv new "${{id%% *}}"; echo "${{id%% *}}" ;;
    smudge) read -r id; cat "$id" ;;
esac
"""
"""What large file storage does: history has a pointer, the bytes lie elsewhere."""

FILTERS = {
    "line ends": "*.bin text eol=crlf\n",
    "ident": "*.bin ident\n",
    "smudge and clean": "*.bin filter=rot\n",
    "large file storage": "*.bin filter=store\n",
}


def filters_of(world: World) -> None:
    """Everybody has them configured."""
    store = world.folder / "store"
    store.mkdir()
    script = store / "script"
    script.write_text(STORE.format(folder=store))
    script.chmod(0o755)
    with open(Path(world.environment["HOME"], ".gitconfig"), "a") as file:
        file.write('[filter "rot"]\n\tclean = tr a-z b-za\n\tsmudge = tr b-za a-z\n')
        file.write(f'[filter "store"]\n\tclean = {script} clean\n\tsmudge = {script} smudge\n')


@pytest.mark.parametrize("name", FILTERS)
def test_filtered_files_arrive(world: World, name: str) -> None:
    filters_of(world)
    names = [f"f{number}.bin" for number in range(3)]
    text = "$Id$\none two\n"
    laptop, desktop = world.share({".gitattributes": FILTERS[name], **dict.fromkeys(names, text)})
    raw = desktop.git("cat-file", "blob", "HEAD:f0.bin")
    assert raw != desktop.read("f0.bin").decode().rstrip("\n"), "nothing is filtered"
    for turn in range(2):
        for one in names:
            laptop.edit(one, f"{text}turn {turn}\n")
        laptop.committed()
        laptop.sync()
        synced = desktop.sync()
        assert isinstance(synced, Synced)
        assert (synced.held, synced.pulled, synced.ahead) == ((), 3, False)
        for one in names:
            assert f"turn {turn}" in desktop.read(one).decode()
        desktop.is_clean()
        assert desktop.driver.sweep() is False
        assert set(desktop.files()) == {b".gitattributes", *map(str.encode, names)}


def test_line_ends_by_configuration(world: World) -> None:
    laptop, desktop = world.share({"f": "one\n"})
    desktop.git("config", "core.autocrlf", "true")
    os.unlink(desktop.path("f"))
    desktop.git("checkout", "f")
    assert desktop.read("f") == b"one\r\n"
    laptop.edit("f", "two\n")
    laptop.committed()
    laptop.sync()
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert not synced.held
    assert desktop.read("f") == b"two\r\n"
    desktop.is_clean()


@pytest.mark.parametrize("direction", ["comes", "goes"])
def test_a_filter_that_comes_or_goes_leaves_no_copies(world: World, direction: str) -> None:
    """What lay on disk was made by the attributes of before."""
    rule = "*.txt text eol=crlf\n"
    first, then = ("", rule) if direction == "comes" else (rule, "")
    laptop, desktop = world.share({".gitattributes": first + "# x\n", "f.txt": "one\ntwo\n"})
    assert (b"\r\n" in desktop.read("f.txt")) == (direction == "goes")
    laptop.edit(".gitattributes", then + "# y\n")
    laptop.edit("f.txt", "one\ntwo\nthree\n")
    laptop.committed()
    laptop.sync()
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert desktop.driver.sweep() is False
    assert set(desktop.files()) == {b".gitattributes", b"f.txt"}
    assert (b"\r\n" in desktop.read("f.txt")) == (direction == "comes")
    desktop.is_clean()


def test_a_filter_that_fails_holds_its_file_alone(world: World) -> None:
    laptop, desktop = world.share({"f": "1", "g": "1", ".gitattributes": "g filter=bad\n"})
    laptop.edit("f", "2")
    laptop.edit("g", "2")
    laptop.committed()
    laptop.sync()
    for name, command in (("smudge", "false"), ("clean", "cat"), ("required", "true")):
        desktop.git("config", f"filter.bad.{name}", command)
    desktop.sync()
    assert (desktop.read("f"), desktop.read("g")) == (b"2", b"1")
    desktop.git("config", "filter.bad.smudge", "cat")
    desktop.sync()
    assert desktop.read("g") == b"2"


def sha256_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(folder, monkeypatch)
    shutil.rmtree(world.hub)
    subprocess.run(
        ["git", "init", "-q", "--bare", "--object-format=sha256", "hub.git"],
        cwd=world.folder,
        check=True,
    )
    return world


def sha256_tree(world: World, name: str, files: dict[str, str]) -> None:
    """A clone of an empty sha256 hub is a sha1 repository (git 2.39): made by hand."""
    folder = world.folder / name
    folder.mkdir()
    clone = world.adopt(name)
    clone.git("init", "-q", "--object-format=sha256")
    clone.git("remote", "add", "origin", "../hub.git")
    assert isinstance(clone.driver.inspect(), Ready)
    for path, text in files.items():
        clone.edit(path, text)
    if files:
        clone.committed()
    assert isinstance(clone.sync(), Synced)


def test_a_sha256_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = sha256_world(tmp_path, monkeypatch)
    sha256_tree(world, "laptop", {"f": "1", "g": "1", "h": "1"})
    sha256_tree(world, "desktop", {})
    laptop, desktop = world.clones["laptop"], world.clones["desktop"]
    assert desktop.files() == laptop.files()
    laptop.edit("f", "2")
    laptop.committed()
    laptop.sync()
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert desktop.files() == laptop.files()
    laptop.delete("g")  # nothing but deletions
    laptop.committed()
    laptop.sync()
    synced = desktop.sync()
    assert isinstance(synced, Synced), synced
    assert desktop.files() == laptop.files()
    assert desktop.driver.sweep() is False
    desktop.is_clean()


def test_modes_are_not_believed_where_core_filemode_is_off(world: World) -> None:
    laptop, desktop = world.share({"f": "1", "g": "1"})
    desktop.git("config", "core.fileMode", "false")
    desktop.reopen()
    for name in ("f", "g"):
        os.chmod(desktop.path(name), 0o755)
    laptop.edit("f", "2")
    os.chmod(laptop.path("g"), 0o755)
    laptop.edit("new", "1")
    os.chmod(laptop.path("new"), 0o755)
    laptop.committed()
    laptop.sync()
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert (synced.held, synced.ahead) == ((), False)
    assert desktop.files() == laptop.files()
    desktop.is_clean()


@pytest.mark.parametrize("change", ["comes", "moves", "goes"])
def test_a_submodule_is_taken_along_and_never_reverted(world: World, change: str) -> None:
    laptop, desktop = world.share({"f": "1", "sub/placeholder": ""})
    first = laptop.git("rev-parse", "HEAD")
    laptop.edit("f", "2")
    laptop.committed()
    second = laptop.git("rev-parse", "HEAD")

    def point(to: str | None) -> None:
        shutil.rmtree(laptop.path("sub"), ignore_errors=True)
        laptop.git("rm", "-rqf", "--cached", "--ignore-unmatch", "sub")
        if to is not None:
            os.mkdir(laptop.path("sub"))
            laptop.git("update-index", "--add", "--cacheinfo", f"160000,{to},sub")
        laptop.git("commit", "-qm", f"submodule at {to}")
        laptop.git("push", "-q", "origin", "HEAD:main")

    if change != "comes":
        point(first)
        desktop.sync()
        desktop.commit(ignore_staged=True)
        desktop.git("reset", "-q", "--hard", "origin/main")
    point({"comes": first, "moves": second, "goes": None}[change])
    wanted = laptop.git("rev-parse", "HEAD")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.git("diff", "--cached", "--name-status") == ""
    assert isinstance(desktop.commit(), NothingToCommit)
    assert desktop.git("rev-parse", "HEAD") == wanted


def test_what_is_staged_alone_is_not_lost(world: World) -> None:
    """Staged, then edited again: the staged bytes are in no file. An update meets the path."""
    laptop, desktop = world.share({"f": "1\n"})
    laptop.edit("f", "2\n")
    laptop.committed()
    laptop.sync()
    desktop.edit("f", "staged\n")
    desktop.git("add", "f")
    desktop.edit("f", "edited\n")
    desktop.sync()
    desktop.commit(ignore_staged=True)
    blob = desktop.git("hash-object", "--stdin", stdin=b"staged\n")
    assert desktop.history_has("staged\n") or blob in desktop.git("ls-files", "-s")
    contents = set(desktop.files().values())
    assert desktop.history_has("edited\n") or b"edited\n" in contents


def test_the_git_directory_on_another_file_system(world: World) -> None:
    if not os.path.isdir("/dev/shm") or os.stat("/dev/shm").st_dev == os.stat(world.folder).st_dev:
        pytest.skip("there is only one file system")
    laptop, desktop = world.share({"f": "1", "g": "1"})
    laptop.edit("f", "2")
    laptop.delete("g")
    laptop.committed()
    laptop.sync()
    elsewhere = tempfile.mkdtemp(prefix="separate-", dir="/dev/shm")
    desktop.driver.close()
    try:
        shutil.copytree(desktop.path(".git"), elsewhere + "/git", symlinks=True)
        shutil.rmtree(desktop.path(".git"))
        Path(desktop.path(".git")).write_text(f"gitdir: {elsewhere}/git\n")
        assert isinstance(desktop.reopen(), Ready)
        synced = desktop.sync()
        assert isinstance(synced, Synced), synced
        assert desktop.read("f") == b"2"
        assert not os.path.exists(desktop.path("g"))
    finally:
        shutil.rmtree(elsewhere)
