"""What is read from git's index, and written into it, beside git."""

import os
import subprocess
from pathlib import Path

import pytest

from autosyncd.vcs.git.disk import Hasher, Version
from autosyncd.vcs.git.indexfile import IndexFile
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.git.updating import nextindex, replace
from autosyncd.vcs.outcomes import Ready, Synced
from tests.trees import Clone, World, make_world

NAMES = ("a", "b", "d/" + "long" * 40, "e\udcff")
PLUMBING = ("diff-files", "--name-only")
"""Goes by the index's times alone: names what it would have to read."""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", "core.quotePath=false", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return os.fsdecode(done.stdout).strip()


@pytest.fixture(params=["sha1", "sha256"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", f"--object-format={request.param}")
    for name in NAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    return tmp_path


def index_of(tree: Path) -> IndexFile:
    kind = git(tree, "rev-parse", "--show-object-format")
    return IndexFile(os.fsencode(tree / ".git/index"), kind)


def version(tree: Path, text: str = "1\n") -> Version:
    kind = git(tree, "rev-parse", "--show-object-format")
    return Version(b"100644", Hasher(kind).of_bytes(text.encode()))


def every(tree: Path) -> dict[bytes, Version]:
    return dict.fromkeys(map(os.fsencode, NAMES), version(tree))


def test_what_it_says(tree: Path) -> None:
    index = index_of(tree)
    assert index.entries == len(NAMES)
    assert index.tree == git(tree, "rev-parse", "HEAD^{tree}")
    assert index.are_plain(every(tree))
    assert not index.are_plain({b"a": version(tree, "2\n")})
    assert not index.are_plain({b"missing": version(tree)})


def test_what_is_staged_is_not_the_tree(tree: Path) -> None:
    (tree / "a").write_text("2\n")
    git(tree, "add", "a")
    assert index_of(tree).tree is None
    git(tree, "write-tree")
    assert index_of(tree).tree != git(tree, "rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_mark_is_seen(tree: Path, mark: str) -> None:
    git(tree, "update-index", mark, "b")
    assert not index_of(tree).are_plain(every(tree))


@pytest.mark.parametrize("kind", ["--index-version=4", "--split-index"])
def test_of_another_kind_nothing_is_known(tree: Path, kind: str) -> None:
    git(tree, "update-index", *kind.split("="))
    index = index_of(tree)
    assert index.entries is None
    assert not index.are_plain(every(tree))
    placed = {path: (one, os.lstat(tree / os.fsdecode(path))) for path, one in every(tree).items()}
    assert index.write_times(os.fsencode(tree), placed) == set()
    git(tree, "status")


def test_there_is_none_yet(tmp_path: Path) -> None:
    index = IndexFile(os.fsencode(tmp_path / "index"), "sha1")
    assert (index.entries, index.tree) == (0, None)
    assert index.are_plain({})
    placed = {b"a": (Version(b"100644", b"0" * 40), os.lstat(tmp_path))}
    assert index.write_times(os.fsencode(tmp_path), placed) == set()


def test_times_are_written(tree: Path) -> None:
    """Without times git would have to read the files; with them it need not, and fsck is content."""
    oid = version(tree).oid.decode()
    for name in NAMES:
        git(tree, "update-index", "--cacheinfo", f"100644,{oid},{name}")
    assert git(tree, *PLUMBING).splitlines() == sorted(NAMES, key=os.fsencode)
    placed = {path: (one, os.lstat(tree / os.fsdecode(path))) for path, one in every(tree).items()}
    assert index_of(tree).write_times(os.fsencode(tree), placed) == set(placed)
    assert git(tree, *PLUMBING) == ""
    git(tree, "fsck", "--strict")
    assert git(tree, "status", "--porcelain") == ""
    (tree / "a").write_text("2\n")
    assert git(tree, "status", "--porcelain") == "M a"


def test_what_was_edited_since_it_was_looked_at_has_no_times(tree: Path) -> None:
    """To the same size and in the same second: git would take it for what it was."""
    oid = version(tree).oid.decode()
    git(tree, "update-index", "--cacheinfo", f"100644,{oid},a", "--cacheinfo", f"100644,{oid},b")
    placed = {path: (one, os.lstat(tree / os.fsdecode(path))) for path, one in every(tree).items()}
    before = os.stat(tree / ".git/index")
    (tree / "a").write_text("2\n")
    seconds = placed[b"a"][1].st_mtime_ns // 10**9 * 10**9
    os.utime(tree / "a", ns=(seconds, seconds + 1))
    assert b"a" not in index_of(tree).write_times(os.fsencode(tree), placed)
    assert os.stat(tree / ".git/index").st_mtime_ns == before.st_mtime_ns, "it hides nothing else"
    os.utime(tree / ".git/index", (2_000_000_000, 2_000_000_000))
    assert git(tree, "status", "--porcelain") == "M a"


def test_times_of_another_version_are_not_written(tree: Path) -> None:
    placed = {b"a": (version(tree, "2\n"), os.lstat(tree / "a"))}
    assert index_of(tree).write_times(os.fsencode(tree), placed) == set()


# in a whole update


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Clone, Clone]:
    ignore_breaks()
    names = [f"d{number}/f" for number in range(12)]
    world: World = make_world(tmp_path, monkeypatch)
    laptop, desktop = world.share({**dict.fromkeys(names, "1\n"), "other": "1\n"})
    for name in names:
        laptop.edit(name, "2\n")
    laptop.edit("new", "2\n")
    laptop.committed()
    laptop.sync()
    return laptop, desktop


def test_an_update_leaves_nothing_to_be_read_again(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, desktop = trees

    def refresh(_repository: object, _index: bytes, paths: list[bytes]) -> None:
        assert len(paths) < 13, "nothing was known of what was put there"

    monkeypatch.setattr(nextindex.indexes, "refresh", refresh)
    assert isinstance(desktop.sync(), Synced)
    monkeypatch.undo()
    desktop.is_clean()


@pytest.mark.parametrize("text", ["mine\n", "3\n"])
def test_a_save_right_after_the_swap_is_seen(
    trees: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Even of the same length: what git's index says of the file must not hide it."""
    _, desktop = trees
    real, saved = replace.rename, []

    def rename(source: object, target: object, flags: int) -> None:
        real(source, target, flags)  # type: ignore[arg-type]
        if not saved:
            saved.append(desktop)
            desktop.edit("d0/f", text)
            os.utime(
                desktop.path("d0/f"), (1e9, 1e9)
            )  # else git reads what is as young as its index

    monkeypatch.setattr(replace, "rename", rename)
    desktop.sync()
    monkeypatch.undo()
    assert saved
    assert desktop.read("d0/f") == text.encode()
    assert "d0/f" in desktop.status()
    desktop.committed()
    assert desktop.history_has(text)


def test_marks_are_kept(trees: tuple[Clone, Clone]) -> None:
    _, desktop = trees
    desktop.git("update-index", "--assume-unchanged", "d3/f")
    assert isinstance(desktop.sync(), Synced)
    assert "h d3/f" in desktop.git("ls-files", "-v").splitlines()
    assert isinstance(desktop.reopen(), Ready)
