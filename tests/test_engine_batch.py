"""What is left of an update: swept when it is in history, given back when it is not."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.disk import Hasher, Place, Version
from autosyncd.vcs.git.finding import open_repository
from autosyncd.vcs.git.indexes import put
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating import apply, batch, replace
from autosyncd.vcs.git.updating import sweep as sweep_room
from autosyncd.vcs.git.updating.batch import Batch, stage
from autosyncd.vcs.git.updating.sweep import sweep_all
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Ready, Synced
from autosyncd.vcs.process import Runner
from tests.trees import MACHINE, Clone, World

OLD, NEW, MINE = b"old\n" * 300, b"new\n" * 400, b"mine\n"


@pytest.fixture
def desktop(world: World) -> Clone:
    """It has the old versions; the hub has the new ones: f changed, gone deleted, fresh added."""
    laptop, desktop = world.share({"f": OLD, "d/gone": OLD, "d/other": "1"})
    laptop.edit("f", NEW)
    laptop.delete("d/gone")
    laptop.edit("d/fresh", NEW)
    laptop.committed()
    laptop.sync()
    return desktop


def opened(clone: Clone) -> Repository:
    root = os.path.realpath(clone.root)
    return open_repository(root, Runner(), clone.environment, machine=MACHINE)


def sweep(clone: Clone, *, leases: bool = True) -> bool:
    repository = opened(clone)
    return sweep_all(repository, Hasher(repository.object_format), leases=leases)


def batches(clone: Clone) -> list[str]:
    top = clone.path(".git/autosync/batches")
    return os.listdir(top) if os.path.isdir(top) else []


def staged(clone: Clone, *rows: tuple[str, bytes | None, bytes | None]) -> Batch:
    """A batch made by hand: path, what was there, what is to come."""
    repository = opened(clone)
    steps = []
    for path, old, new in rows:
        versions = []
        for data in (old, new):
            oid = clone.git("hash-object", "-w", "--stdin", stdin=data) if data else ""
            versions.append(Version(b"100644", oid.encode()) if data else None)
        steps.append(Step(os.fsencode(path), *versions))
    index = repository.state + b"/staged.index"
    put(repository, index, {step.path: step.new for step in steps if step.new})
    return stage(repository, steps, index)


def in_batch(made: Batch, at: str) -> str:
    return os.path.join(os.fsdecode(made.folder), at)


def given_back(clone: Clone) -> dict[bytes, bytes]:
    return {name: data for name, data in clone.files().items() if b"sync-conflict" in name}


# the sweep itself


def test_what_is_in_history_is_unlinked(desktop: Clone) -> None:
    made = staged(desktop, ("f", OLD, NEW), ("d/gone", OLD, None))
    os.rename(desktop.path("f"), in_batch(made, "tree/f"))
    os.rename(desktop.path("d/gone"), in_batch(made, "gone/1"))
    assert sweep(desktop) is False
    assert batches(desktop) == []
    assert given_back(desktop) == {}


@pytest.mark.parametrize("at", ["tree/f", "gone/1"])
@pytest.mark.parametrize("leases", [True, False])
def test_foreign_bytes_are_given_back_beside_the_path(
    desktop: Clone, at: str, leases: bool
) -> None:
    made = staged(desktop, ("f", OLD, NEW), ("d/gone", OLD, None))
    Path(in_batch(made, at)).write_bytes(MINE)
    os.chmod(in_batch(made, at), 0o640)
    sweep(desktop, leases=leases)
    (name,) = given_back(desktop)
    assert name.startswith(b"f.sync-conflict-" if at == "tree/f" else b"d/gone.sync-conflict-")
    assert desktop.read(name) == MINE
    assert os.stat(desktop.path(name)).st_mode & 0o777 == 0o640
    assert isinstance(desktop.commit(), CommitMade)
    assert desktop.history_has(MINE)


def test_a_foreign_file_is_given_back_when_its_folder_is_gone(desktop: Clone) -> None:
    made = staged(desktop, ("d/gone", OLD, None))
    Path(in_batch(made, "gone/0")).write_bytes(MINE)
    shutil.rmtree(desktop.path("d"))
    assert sweep(desktop) is False
    assert list(given_back(desktop).values()) == [MINE]


def test_a_foreign_file_is_given_back_when_a_file_has_the_folders_name(desktop: Clone) -> None:
    made = staged(desktop, ("d/gone", OLD, None))
    Path(in_batch(made, "gone/0")).write_bytes(MINE)
    shutil.rmtree(desktop.path("d"))
    desktop.edit("d", "a file now")
    assert sweep(desktop) is False
    assert list(given_back(desktop).values()) == [MINE]
    assert desktop.read("d") == b"a file now"


def test_names_that_are_taken_are_left_alone(desktop: Clone) -> None:
    for number in range(3):
        made = staged(desktop, ("f", OLD, NEW))
        Path(in_batch(made, "tree/f")).write_bytes(MINE)
        sweep(desktop)
        assert list(given_back(desktop).values()) == [MINE] * (number + 1)


def test_a_number_stands_before_the_extension(desktop: Clone) -> None:
    """By its extension a filter knows what it has to encrypt."""
    for _ in range(3):
        made = staged(desktop, ("f.enc", OLD, NEW))
        Path(in_batch(made, "tree/f.enc")).write_bytes(MINE)
        sweep(desktop)
    assert len(given_back(desktop)) == 3
    assert all(name.endswith(b".enc") for name in given_back(desktop))


@pytest.mark.parametrize("folder", [True, False])
def test_a_link_that_the_person_made_is_given_back(desktop: Clone, folder: bool) -> None:
    """One that points to a folder looks like a folder to who doesn't ask closely."""
    target = "." if folder else "nowhere"
    made = staged(desktop, ("f", OLD, NEW))
    os.unlink(in_batch(made, "tree/f"))
    os.symlink(target, in_batch(made, "tree/f"))
    assert sweep(desktop) is False
    assert list(given_back(desktop).values()) == [b"-> " + target.encode()]


def test_a_folder_that_the_person_made_is_given_back(desktop: Clone) -> None:
    made = staged(desktop, ("f", OLD, NEW))
    os.unlink(in_batch(made, "tree/f"))
    os.mkdir(in_batch(made, "tree/f"))
    Path(in_batch(made, "tree/f/x")).write_bytes(MINE)
    sweep(desktop)
    assert MINE in desktop.files().values()


def test_a_file_below_a_deleted_ones_place_is_given_back(desktop: Clone) -> None:
    """Deleted by us at the instant at which the person put a folder there."""
    made = staged(desktop, ("d/gone", OLD, None))
    os.mkdir(in_batch(made, "gone/0"))
    Path(in_batch(made, "gone/0/x")).write_bytes(MINE)
    sweep(desktop)
    assert MINE in desktop.files().values()


def test_nothing_is_lost_when_it_can_not_be_given_back(
    desktop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder vanishes under the rename, again and again."""

    def vanished(source: Place, target: Place, flags: int) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    made = staged(desktop, ("f", OLD, NEW))
    Path(in_batch(made, "tree/f")).write_bytes(MINE)
    with monkeypatch.context() as patch:
        patch.setattr(sweep_room, "rename", vanished)
        assert sweep(desktop) is True
    assert Path(in_batch(made, "tree/f")).read_bytes() == MINE
    sweep(desktop)
    assert list(given_back(desktop).values()) == [MINE]


def test_one_unreadable_file_stops_no_other(
    desktop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sweep_room.Lease.__init__

    def refused(self: sweep_room.Lease, place: Place, *, trusted: bool) -> None:
        if place.name == b"a":
            raise PermissionError(13, "Permission denied")
        real(self, place, trusted=trusted)

    made = staged(desktop, ("a", OLD, NEW), ("f", OLD, NEW))
    Path(in_batch(made, "tree/f")).write_bytes(MINE)
    monkeypatch.setattr(sweep_room.Lease, "__init__", refused)
    assert sweep(desktop) is True
    assert list(given_back(desktop).values()) == [MINE]


def test_who_still_writes_is_waited_for(desktop: Clone) -> None:
    made = staged(desktop, ("f", OLD, NEW))
    os.rename(desktop.path("f"), in_batch(made, "tree/f"))
    desktop.edit("f", NEW)
    with open(in_batch(made, "tree/f"), "ab") as late:
        assert sweep(desktop) is True
        late.write(MINE)
    assert sweep(desktop) is False
    (copy,) = given_back(desktop).values()
    assert copy == OLD + MINE
    desktop.commit()
    assert desktop.history_has(OLD + MINE)


def test_without_leases_an_old_version_is_kept_for_a_minute(
    desktop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer nobody can see: it is given back when he has written, unlinked when he has not."""
    made = staged(desktop, ("f", OLD, NEW), ("d/other", OLD, NEW))
    for name in ("f", "d/other"):
        Path(in_batch(made, f"tree/{name}")).write_bytes(OLD)
    with open(in_batch(made, "tree/f"), "ab") as late:
        assert sweep(desktop, leases=False) is True
        late.write(MINE)
    sweep(desktop, leases=False)
    assert list(given_back(desktop).values()) == [OLD + MINE]
    monkeypatch.setattr(sweep_room, "KEEP_WITHOUT_LEASES", 0.0)
    assert sweep(desktop, leases=False) is False
    assert batches(desktop) == []


def test_a_late_writer_through_an_old_handle(
    desktop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole update where no lease tells of him: his bytes end up beside, and in history."""
    monkeypatch.setattr(apply, "leases_work", lambda _: False)
    monkeypatch.setattr("autosyncd.vcs.git.driver.leases_work", lambda _: False)
    with open(desktop.path("f"), "ab") as late:
        assert isinstance(desktop.sync(), Synced)
        assert desktop.read("f") == NEW
        late.write(MINE)
    desktop.driver.sweep()
    assert list(given_back(desktop).values()) == [OLD + MINE]
    desktop.committed()
    assert desktop.history_has(OLD + MINE)


# killed


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(desktop: Clone, prepare: "Prepare") -> None:
    """Sync in a process of its own that kills itself at the point which `prepare` has set."""
    child = os.fork()
    if not child:
        with pytest.MonkeyPatch.context() as patch:
            prepare(desktop, patch)
            desktop.sync()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "it came to its end"


Prepare = Callable[[Clone, pytest.MonkeyPatch], None]


def around_git(verb: str, when: str) -> Prepare:
    def prepare(_: Clone, patch: pytest.MonkeyPatch) -> None:
        real = Git.__call__

        def call(self: Git, *arguments: str | bytes, **words: object) -> object:
            if verb in arguments and when == "before":
                die()
            result = real(self, *arguments, **words)  # type: ignore[arg-type]
            if verb in arguments:
                die()
            return result

        patch.setattr(Git, "__call__", call)

    return prepare


def around_rename(number: int, when: str) -> Prepare:
    def prepare(_: Clone, patch: pytest.MonkeyPatch) -> None:
        real, calls = replace.rename, iter(range(1000))

        def rename(source: Place, target: Place, flags: int) -> None:
            mine = next(calls) == number
            if mine and when == "before":
                die()
            real(source, target, flags)
            if mine:
                die()

        patch.setattr(replace, "rename", rename)

    return prepare


def while_git_writes(desktop: Clone, patch: pytest.MonkeyPatch) -> None:
    """Half of a file is there."""

    def flush(_: int) -> None:
        (found,) = Path(desktop.path(".git/autosync/batches")).rglob("tree/f")
        os.truncate(found, 700)
        die()

    patch.setattr(batch, "flush", flush)


def before_the_plan(_: Clone, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Batch, "write_plan", die)


def before_index_rename(target: str) -> Prepare:
    """The finished index becomes the lock; the lock becomes the index."""

    def prepare(_: Clone, patch: pytest.MonkeyPatch) -> None:
        real = os.rename

        def rename(source: bytes | str, to: bytes | str, **words: int) -> None:
            if os.fsencode(to).endswith(b"/.git/" + target.encode()):
                die()
            real(source, to, **words)

        patch.setattr(os, "rename", rename)

    return prepare


POINTS: dict[str, Prepare] = {
    "before the plan": before_the_plan,
    "before git writes": around_git("checkout-index", "before"),
    "while git writes": while_git_writes,
    "after git has written": around_git("checkout-index", "after"),
    **{
        f"{when} rename {number}": around_rename(number, when)
        for number in range(3)
        for when in ("before", "after")
    },
    "before the branch moves": around_git("update-ref", "before"),
    "after the branch has moved": around_git("update-ref", "after"),
    "before the index is the lock": before_index_rename("index.lock"),
    "before the lock is the index": before_index_rename("index"),
}


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("edit", [False, True])
def test_killed(desktop: Clone, point: str, edit: bool) -> None:
    if edit:
        desktop.edit("d/other", MINE)
    killed(desktop, POINTS[point])
    assert isinstance(desktop.reopen(), Ready)
    outcome = desktop.commit()
    assert isinstance(outcome, CommitMade | NothingToCommit), outcome
    assert isinstance(desktop.sync(), Synced)
    assert desktop.driver.sweep() is False
    desktop.commit()
    desktop.is_clean()
    wanted = {b"f": NEW, b"d/fresh": NEW, b"d/other": MINE if edit else b"1"}
    assert desktop.files() == wanted
    assert batches(desktop) == []
    assert list(Path(desktop.path(".git")).rglob("*.lock")) == []


def test_edited_in_the_batch_after_the_kill(desktop: Clone) -> None:
    """Whoever had the swapped file open has written to it: the successor gives it back."""
    killed(desktop, around_rename(2, "after"))
    made = Path(desktop.path(".git/autosync/batches"))
    (found,) = [path for path in made.rglob("f") if path.read_bytes() == OLD]
    found.write_bytes(OLD + MINE)
    desktop.reopen()
    assert list(given_back(desktop).values()) == [OLD + MINE]


STALE = (
    ".git/autosync/index.lock",
    ".git/autosync/tree.index.lock",
    ".git/refs/heads/main.lock",
    ".git/refs/remotes/origin/main.lock",
    ".git/HEAD.lock",
)


@pytest.mark.parametrize("name", STALE)
def test_a_lock_that_a_killed_git_of_ours_left(desktop: Clone, name: str) -> None:
    """A killed worker's git was in the middle of moving a ref or writing an index."""
    desktop.edit("d/other", MINE)
    ledger = Path(desktop.path(".git/autosync/children"))
    desktop.driver.close()
    child = _sleeping_git(desktop)
    start = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ledger.write_text(f"{child} {start} {boot}\n")
    Path(desktop.path(name)).touch()
    try:
        assert isinstance(desktop.reopen(), Ready)
        made = desktop.commit()
        assert isinstance(made, CommitMade), made
        synced = desktop.sync()
        assert isinstance(synced, Synced), synced
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert desktop.read("f") == NEW
    desktop.is_clean()


def _sleeping_git(desktop: Clone) -> int:
    """A git that the killed worker had started, in a session of its own."""
    child = os.fork()
    if not child:
        os.setsid()
        os.chdir(desktop.root)
        os.execvp("git", ["git", "cat-file", "--batch"])  # noqa: S606
    return child


@pytest.fixture(autouse=True)
def _stdin_stays_open() -> Iterator[None]:
    """For the git that waits for input."""
    with tempfile.TemporaryDirectory() as folder:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        kept = os.dup(0)
        handle = os.open(pipe, os.O_RDWR)
        os.dup2(handle, 0)
        os.close(handle)
        yield
        os.dup2(kept, 0)
        os.close(kept)
