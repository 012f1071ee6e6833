"""One file replaced on real file systems: every branch, and every instant somebody may come between."""

import contextlib
import errno
import mmap
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from autosyncd.vcs.git.disk import (
    Hasher,
    Place,
    Version,
)
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.lease import Lease, ignore_breaks
from autosyncd.vcs.git.step import Step, StepResult
from autosyncd.vcs.git.updating import misplaced, replace
from autosyncd.vcs.git.updating.replace import Replacer
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Synced
from tests.trees import World
from tests.waiting import eventually

OLD, NEW, MINE = b"old\n", b"new, and longer\n", b"mine\n"
FILE, EXECUTABLE, LINK = b"100644", b"100755", b"120000"


@pytest.fixture(autouse=True)
def _no_sigio() -> None:
    ignore_breaks()


@pytest.fixture(params=["/tmp", "/dev/shm"])
def spot(request: pytest.FixtureRequest) -> Iterator["Spot"]:
    if not os.path.isdir(request.param):
        pytest.skip(f"there is no {request.param}")
    folder = Path(tempfile.mkdtemp(prefix="replace-", dir=request.param))
    yield Spot(folder)
    shutil.rmtree(folder)


@dataclass
class Spot:
    """A tree, and beside it a folder in which new versions are staged."""

    folder: Path
    leases: bool = True
    modes: bool = True

    def __post_init__(self) -> None:
        for name in ("tree", "batch", "outside"):
            (self.folder / name).mkdir()
        self.hasher = Hasher("sha1")

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    def path(self, name: str | bytes) -> bytes:
        return os.fsencode(self.tree) + b"/" + os.fsencode(name)

    def write(self, name: str | bytes, data: bytes) -> None:
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)

    def read(self, name: str | bytes) -> bytes:
        with open(self.path(name), "rb") as file:
            return file.read()

    def save_atomically(self, name: str | bytes, data: bytes) -> None:
        self.write("~save", data)
        os.rename(self.path("~save"), self.path(name))

    def version(self, data: bytes | None, mode: bytes = FILE) -> Version | None:
        return None if data is None else Version(mode, self.hasher.of_bytes(data))

    def in_batch(self) -> list[bytes]:
        """The contents of what is left in the batch."""
        found = []
        for base, folders, names in os.walk(self.folder / "batch"):
            for name in (*names, *folders):
                path = os.path.join(base, name)
                if os.path.islink(path):
                    found.append(b"-> " + os.fsencode(os.readlink(path)))
                elif os.path.isfile(path):
                    found.append(Path(path).read_bytes())
        return sorted(found)

    def run(
        self,
        name: str | bytes,
        old: Version | None,
        new: Version | None,
        data: bytes = NEW,
        before: Callable[[Replacer], None] = lambda _: None,
    ) -> StepResult:
        """Stage `data` as `new`, then put it (or remove the old one, if `new` is None)."""
        path = os.fsencode(name)
        tree = OpenFolders(os.fsencode(self.tree))
        batch = OpenFolders(os.fsencode(self.folder / "batch"))
        replacer = Replacer(tree, batch, self.hasher, leases=self.leases, modes=self.modes)
        step = Step(path, old, new)
        try:
            before(replacer)
            if new is None:
                return replacer.remove(step, b"gone/0")
            staged = os.fsencode(self.folder) + b"/batch/" + path
            os.makedirs(os.path.dirname(staged), exist_ok=True)
            if new.mode == LINK:
                os.symlink(data, staged)
            else:
                with open(staged, "wb") as file:
                    file.write(data)
                os.chmod(staged, 0o755 if new.mode == EXECUTABLE else 0o644)
            return replacer.put(step, path)
        finally:
            tree.close()
            batch.close()

    def replace(self, name: str | bytes = "f", **words: object) -> StepResult:
        return self.run(name, self.version(OLD), self.version(NEW), **words)  # type: ignore[arg-type]

    def remove(self, name: str | bytes = "f") -> StepResult:
        return self.run(name, self.version(OLD), None)


class Meddler:
    """Does something at the n-th rename of the engine, before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.before: dict[int, Callable[[], object]] = {}
        self.after: dict[int, Callable[[], object]] = {}
        self.calls = 0
        real = replace.rename

        def rename(source: Place, target: Place, flags: int) -> None:
            number = self.calls
            self.calls += 1
            self.before.get(number, lambda: None)()
            real(source, target, flags)
            self.after.get(number, lambda: None)()

        monkeypatch.setattr(replace, "rename", rename)


@pytest.fixture
def meddler(monkeypatch: pytest.MonkeyPatch) -> Meddler:
    return Meddler(monkeypatch)


# what nobody disturbs


def test_swaps_and_keeps_the_old_inode_in_the_batch(spot: Spot) -> None:
    spot.write("f", OLD)
    inode = os.stat(spot.path("f")).st_ino
    assert spot.replace() is StepResult.DONE
    assert spot.read("f") == NEW
    assert spot.in_batch() == [OLD]
    assert os.stat(spot.folder / "batch" / "f").st_ino == inode


def test_an_open_reader_keeps_the_old_bytes(spot: Spot) -> None:
    spot.write("f", OLD)
    with open(spot.path("f"), "rb") as reader:
        assert spot.replace() is StepResult.DONE
        assert reader.read() == OLD


def test_a_new_file_gets_its_folders(spot: Spot) -> None:
    assert spot.run("a/b/c", None, spot.version(NEW)) is StepResult.DONE
    assert spot.read("a/b/c") == NEW


def test_a_deleted_file_takes_its_empty_folders_along(spot: Spot) -> None:
    spot.write("a/b/c", OLD)
    spot.write("a/other", OLD)
    assert spot.remove("a/b/c") is StepResult.DONE
    assert os.listdir(spot.path("a")) == [b"other"]
    assert spot.in_batch() == [OLD]


@pytest.mark.parametrize("was", [0o600, 0o640, 0o644, 0o755, 0o700])
@pytest.mark.parametrize("mode", [FILE, EXECUTABLE])
def test_permissions_stay_but_for_the_executable_bit(spot: Spot, was: int, mode: bytes) -> None:
    spot.write("f", OLD)
    os.chmod(spot.path("f"), was)
    old = spot.version(OLD, EXECUTABLE if was & 0o100 else FILE)
    assert spot.run("f", old, spot.version(NEW, mode)) is StepResult.DONE
    wanted = was & ~0o111
    if mode == EXECUTABLE:
        wanted |= (was & 0o444) >> 2
    assert os.stat(spot.path("f")).st_mode & 0o777 == wanted


def test_only_the_mode_changes(spot: Spot) -> None:
    spot.write("f", OLD)
    wanted = spot.version(OLD, EXECUTABLE)
    assert spot.run("f", spot.version(OLD), wanted, OLD) is StepResult.DONE
    assert os.access(spot.path("f"), os.X_OK)


def test_a_mode_means_nothing_where_the_file_system_knows_none(spot: Spot) -> None:
    spot.modes = False
    spot.write("f", OLD)
    os.chmod(spot.path("f"), 0o755)
    assert spot.replace() is StepResult.DONE


@pytest.mark.parametrize(("was", "to_be"), [(LINK, LINK), (LINK, FILE), (FILE, LINK)])
def test_links_and_files_become_each_other(spot: Spot, was: bytes, to_be: bytes) -> None:
    if was == LINK:
        os.symlink(b"from", spot.path("f"))
        old = spot.version(b"from", LINK)
    else:
        spot.write("f", OLD)
        old = spot.version(OLD)
    data = b"to" if to_be == LINK else NEW
    assert spot.run("f", old, spot.version(data, to_be), data) is StepResult.DONE
    if to_be == LINK:
        assert os.readlink(spot.path("f")) == b"to"
    else:
        assert not os.path.islink(spot.path("f"))
        assert spot.read("f") == NEW


def test_another_name_of_the_inode_keeps_the_old_bytes(spot: Spot) -> None:
    spot.write("f", OLD)
    os.link(spot.path("f"), spot.path("g"))
    assert spot.replace() is StepResult.DONE
    assert (spot.read("f"), spot.read("g")) == (NEW, OLD)


NAMES = [
    b"with space", b"new\nline", b"tab\there", b"-rf", b"*?[x]", b":(top)x", b"back\\slash", b'"quoted"',
    "ümläut/日本語".encode(), b"latin-\xe9", b"n" * 255, b"/".join([b"d"] * 60), b"~", b".hidden/.x",
]  # fmt: skip


@pytest.mark.parametrize("lies", [b"incoming\n", b"somebody's\n"])
def test_a_name_without_its_dot_is_let_go_of_only_if_it_is_the_incoming_one(
    tmp_path: Path, lies: bytes
) -> None:
    """FAT takes `a.` for `a`, which may be a file of the person's that was exchanged for another `a`."""
    hasher = Hasher("sha1")
    step = Step(b"a.", None, Version(b"100644", hasher.of_bytes(b"incoming\n")))
    (tmp_path / "a").write_bytes(lies)
    folder = os.open(tmp_path, os.O_RDONLY)
    misplaced.drop(Place(folder, b"a"), step, hasher)
    os.close(folder)
    assert (tmp_path / "a").exists() is (lies == b"somebody's\n")


def test_why_nothing_was_staged(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    assert misplaced.unwritten(Place(folder, b"a.txt")) is None
    problem = misplaced.unwritten(Place(folder, b"n" * 300))
    os.close(folder)
    assert problem is not None
    assert problem.errno == errno.ENAMETOOLONG
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_of_all_kinds(spot: Spot, name: bytes) -> None:
    spot.write(name, OLD)
    assert spot.replace(name) is StepResult.DONE
    assert spot.read(name) == NEW
    shutil.rmtree(spot.folder / "batch")
    (spot.folder / "batch").mkdir()
    assert spot.run(name, spot.version(NEW), None) is StepResult.DONE
    assert os.listdir(spot.tree) == []


# what the person did before


def replaced_by_folder(spot: Spot) -> None:
    spot.write("f/x", MINE)


def replaced_by_link(spot: Spot) -> None:
    os.symlink("elsewhere", spot.path("f"))


def replaced_by_fifo(spot: Spot) -> None:
    os.mkfifo(spot.path("f"))


def edited(spot: Spot) -> None:
    spot.write("f", MINE)


def made_executable(spot: Spot) -> None:
    spot.write("f", OLD)
    os.chmod(spot.path("f"), 0o755)


def deleted(spot: Spot) -> None:
    pass


def snapshot(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Inode, mode and content of everything below."""
    found = {}
    for base, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(base, name)
            known = os.lstat(path)
            text = Path(path).read_text() if os.path.isfile(path) else ""
            found[os.path.relpath(path, folder)] = (known.st_ino, known.st_mode, text)
    return found


@pytest.mark.parametrize("leases", [True, False])
@pytest.mark.parametrize(
    "act",
    [edited, made_executable, deleted, replaced_by_folder, replaced_by_link, replaced_by_fifo],
)
def test_what_was_edited_is_not_touched(
    spot: Spot, act: Callable[[Spot], None], leases: bool
) -> None:
    spot.leases = leases
    act(spot)
    before = snapshot(spot.tree)
    assert spot.replace() in (StepResult.DIRTY, StepResult.BLOCKED)
    assert snapshot(spot.tree) == before


@pytest.mark.parametrize(
    "act", [edited, made_executable, replaced_by_folder, replaced_by_link, replaced_by_fifo]
)
def test_what_was_edited_is_not_removed(spot: Spot, act: Callable[[Spot], None]) -> None:
    act(spot)
    before = snapshot(spot.tree)
    assert spot.remove() in (StepResult.DIRTY, StepResult.BLOCKED)
    assert snapshot(spot.tree) == before


def test_a_new_file_meets_the_same_bytes(spot: Spot) -> None:
    spot.write("f", NEW)
    inode = os.stat(spot.path("f")).st_ino
    assert spot.run("f", None, spot.version(NEW)) is StepResult.DONE
    assert os.stat(spot.path("f")).st_ino == inode


@pytest.mark.parametrize("act", [edited, replaced_by_folder, replaced_by_link, replaced_by_fifo])
def test_a_new_file_meets_something_else(spot: Spot, act: Callable[[Spot], None]) -> None:
    act(spot)
    before = snapshot(spot.tree)
    assert spot.run("f", None, spot.version(NEW)) in (StepResult.DIRTY, StepResult.BLOCKED)
    assert snapshot(spot.tree) == before


def test_empty_folders_are_no_content(spot: Spot) -> None:
    os.makedirs(spot.path("f/a/b"))
    assert spot.run("f", None, spot.version(NEW)) is StepResult.DONE
    assert spot.read("f") == NEW


def test_a_folder_that_stays_keeps_its_empty_folders(spot: Spot) -> None:
    spot.write("f/x", MINE)
    os.makedirs(spot.path("f/empty"))
    assert spot.run("f", None, spot.version(NEW)) is StepResult.BLOCKED
    assert sorted(os.listdir(spot.path("f"))) == [b"empty", b"x"]


# open for writing


@contextlib.contextmanager
def open_writer(path: bytes) -> Iterator[None]:
    with open(path, "ab"):
        yield


@contextlib.contextmanager
def mapped(path: bytes) -> Iterator[None]:
    """Mapped shared and writable, its descriptor closed."""
    handle = os.open(path, os.O_RDWR)
    with mmap.mmap(handle, 0):
        os.close(handle)
        yield


@pytest.mark.parametrize("how", [open_writer, mapped])
def test_held_while_somebody_writes(
    spot: Spot, how: Callable[[bytes], contextlib.AbstractContextManager[None]]
) -> None:
    spot.write("f", OLD)
    before = snapshot(spot.tree)
    with how(spot.path("f")):
        assert spot.replace() is StepResult.HELD
        shutil.rmtree(spot.folder / "batch")
        (spot.folder / "batch").mkdir()
        assert spot.remove() is StepResult.HELD
        assert snapshot(spot.tree) == before
    shutil.rmtree(spot.folder / "batch")
    (spot.folder / "batch").mkdir()
    assert spot.replace() is StepResult.DONE


class Opener:
    """Opens a file for writing in a thread of its own, appends to it, and closes it."""

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        with open(self.path, "ab") as file:
            self.inode = os.fstat(file.fileno()).st_ino
            file.write(MINE)

    def waits(self, lease: Lease) -> None:
        """Start it, and see it wait for the lease."""
        self.thread.start()
        eventually(lambda: lease.broken)

    def join(self) -> None:
        self.thread.join(10)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("removing", [False, True])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_who_opens_for_writing_gets_the_inode_at_its_path(
    spot: Spot,
    meddler: Meddler,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    removing: bool,
) -> None:
    """He waits for our lease, before or after the swap: he gets the file he meant."""
    spot.write("f", OLD)
    leases: list[Lease] = []
    real = Lease.__init__

    def remembered(self: Lease, place: Place, *, trusted: bool) -> None:
        real(self, place, trusted=trusted)
        leases.append(self)

    monkeypatch.setattr(Lease, "__init__", remembered)
    opener = Opener(spot.path("f"))
    if moment == "before":
        meddler.before[0] = lambda: opener.waits(leases[-1])
    else:  # looked up before the swap: through a link to the same inode, whose name doesn't move
        os.link(spot.path("f"), spot.folder / "outside" / "same")
        opener.path = os.fsencode(spot.folder / "outside" / "same")
        meddler.after[0] = lambda: opener.waits(leases[-1])
    result = spot.remove() if removing else spot.replace()
    opener.join()
    assert result is StepResult.HELD
    assert os.stat(spot.path("f")).st_ino == opener.inode
    assert spot.read("f") == OLD + MINE


# somebody comes between the look and the swap


def test_an_atomic_save_before_the_swap(spot: Spot, meddler: Meddler) -> None:
    spot.write("f", OLD)
    meddler.before[0] = lambda: spot.save_atomically("f", MINE)
    assert spot.replace() is StepResult.DIRTY
    assert spot.read("f") == MINE


def test_an_atomic_save_before_the_removal(spot: Spot, meddler: Meddler) -> None:
    spot.write("f", OLD)
    meddler.before[0] = lambda: spot.save_atomically("f", MINE)
    assert spot.remove() is StepResult.DIRTY
    assert spot.read("f") == MINE


def test_two_atomic_saves_around_the_swap(spot: Spot, meddler: Meddler) -> None:
    """The second one comes before the first is given back: one has the name, both are somewhere."""
    spot.write("f", OLD)
    meddler.before[0] = lambda: spot.save_atomically("f", b"first\n")
    meddler.after[0] = lambda: spot.save_atomically("f", b"second\n")
    assert spot.replace() is StepResult.DIRTY
    assert {spot.read("f"), *spot.in_batch()} >= {b"first\n", b"second\n"}


def test_deleted_before_the_swap(spot: Spot, meddler: Meddler) -> None:
    spot.write("f", OLD)
    meddler.before[0] = lambda: os.unlink(spot.path("f"))
    assert spot.replace() is StepResult.DIRTY
    assert os.listdir(spot.tree) == []


def test_deleted_after_an_atomic_save(spot: Spot, meddler: Meddler) -> None:
    """Nothing has the name when the save is to be given back: it gets it."""
    spot.write("f", OLD)
    meddler.before[0] = lambda: spot.save_atomically("f", MINE)
    meddler.after[0] = lambda: os.unlink(spot.path("f"))
    assert spot.replace() is StepResult.DIRTY
    assert spot.read("f") == MINE


def test_a_folder_takes_the_name_before_the_swap(spot: Spot, meddler: Meddler) -> None:
    def act() -> None:
        os.unlink(spot.path("f"))
        spot.write("f/x", MINE)

    spot.write("f", OLD)
    meddler.before[0] = act
    assert spot.replace() is StepResult.DIRTY
    assert spot.read("f/x") == MINE


def test_a_link_is_changed_before_the_swap(spot: Spot, meddler: Meddler) -> None:
    def act() -> None:
        os.unlink(spot.path("f"))
        os.symlink("mine", spot.path("f"))

    os.symlink("from", spot.path("f"))
    meddler.before[0] = act
    new = spot.version(b"to", LINK)
    assert spot.run("f", spot.version(b"from", LINK), new, b"to") is StepResult.DIRTY
    assert os.readlink(spot.path("f")) == b"mine"


def test_a_new_file_meets_a_save_at_the_last_moment(spot: Spot, meddler: Meddler) -> None:
    meddler.before[0] = lambda: spot.write("f", MINE)
    assert spot.run("f", None, spot.version(NEW)) is StepResult.DIRTY
    assert spot.read("f") == MINE


def test_an_edit_in_place_without_leases(spot: Spot, meddler: Meddler) -> None:
    spot.leases = False
    spot.write("f", OLD)
    meddler.before[0] = lambda: spot.write("f", MINE)
    assert spot.replace() is StepResult.DIRTY
    assert spot.read("f") == MINE


# the way to it


def test_a_link_in_the_way_is_not_followed(spot: Spot) -> None:
    (spot.folder / "outside" / "f").write_bytes(OLD)
    os.symlink(spot.folder / "outside", spot.path("d"))
    before = snapshot(spot.folder / "outside")
    assert spot.replace("d/f") is StepResult.BLOCKED
    assert spot.remove("d/f") is StepResult.DONE  # it is no more
    assert spot.run("d/g", None, spot.version(NEW)) is StepResult.BLOCKED
    assert snapshot(spot.folder / "outside") == before


def test_a_folder_that_was_moved_out_of_the_tree_is_left_alone(spot: Spot) -> None:
    """It was open already, and a link to its new place has its name now."""

    def act(replacer: Replacer) -> None:
        replacer._tree.place(b"d/f")
        os.rename(spot.path("d"), spot.folder / "outside" / "d")
        os.symlink(spot.folder / "outside" / "d", spot.path("d"))

    spot.write("d/f", OLD)
    result = spot.replace("d/f", before=act)
    assert (spot.folder / "outside" / "d" / "f").read_bytes() == OLD
    assert result is not StepResult.DONE


def test_a_folder_that_was_replaced_is_found_anew(spot: Spot) -> None:
    def act(replacer: Replacer) -> None:
        replacer._tree.place(b"d/f")
        shutil.rmtree(spot.path("d"))
        spot.write("d/f", OLD)

    spot.write("d/f", OLD)
    assert spot.replace("d/f", before=act) is StepResult.DONE
    assert spot.read("d/f") == NEW


def test_a_folder_nobody_may_write_to_holds_its_file(
    spot: Spot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(source: Place, target: Place, flags: int) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    spot.write("f", OLD)
    monkeypatch.setattr(replace, "rename", refused)
    assert spot.replace() is StepResult.HELD
    shutil.rmtree(spot.folder / "batch")
    (spot.folder / "batch").mkdir()
    assert spot.remove() is StepResult.HELD


def test_a_large_file_is_let_go_of_for_who_wants_to_write(
    spot: Spot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hashing stops when somebody waits: he waits for a piece of it, not for all."""
    data = os.urandom(1 << 20) * 8
    spot.write("f", data)
    opener = Opener(spot.path("f"))
    pieces = 0
    real = os.pread

    def counted(handle: int, size: int, offset: int) -> bytes:
        nonlocal pieces
        pieces += 1
        if pieces == 1:
            lease = _of(handle)
            opener.waits(lease)
        return real(handle, size, offset)

    def _of(handle: int) -> Lease:
        lease = Lease.__new__(Lease)
        lease.handle, lease.writers = handle, replace.Writers.NONE
        return lease

    monkeypatch.setattr(os, "pread", counted)
    result = spot.run("f", spot.version(data), spot.version(NEW))
    monkeypatch.undo()
    opener.join()
    assert result is StepResult.HELD
    assert pieces <= 2, f"{pieces} MiB were hashed while somebody waited"


def test_more_folders_than_are_kept_open(spot: Spot) -> None:
    """Each is asked for twice: also the one at which the others were closed."""
    folders = OpenFolders(os.fsencode(spot.tree))
    try:
        for number in range(450):
            path = b"top/d%d/f" % number
            for _ in range(2):
                assert folders.place(path, make=True).stat() is None
    finally:
        folders.close()
    assert len(os.listdir(spot.path("top"))) == 450


def test_a_folder_whose_parent_was_replaced_is_found_anew(spot: Spot) -> None:
    folders = OpenFolders(os.fsencode(spot.tree))
    try:
        folders.place(b"top/d/f", make=True)
        os.rename(spot.path("top"), spot.folder / "outside" / "top")
        spot.write("top/d/f", OLD)
        assert folders.place(b"top/d/f").stat() is not None
    finally:
        folders.close()


def test_an_edit_at_the_last_moment_goes_into_history(world: World, meddler: Meddler) -> None:
    """Saved atomically between the look and the swap, in a whole update."""
    laptop, desktop = world.share({"f": "1\n", "g": "1\n"})
    for name in ("f", "g"):
        laptop.edit(name, "2\n")
    laptop.committed()
    laptop.sync()

    def save() -> None:
        desktop.edit("~save", "mine\n")
        desktop.move("~save", "f")

    meddler.before[0] = save
    synced = desktop.sync()
    assert isinstance(synced, Synced)
    assert synced.ahead
    assert desktop.history_has("mine\n")
    assert desktop.history_has("2\n")
    assert isinstance(desktop.commit(), CommitMade | NothingToCommit)
    desktop.is_clean()
