"""What was reported is still there after real faults: power cuts, full, broken and locked disks."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autosyncd import clock
from autosyncd.vcs.outcomes import CommitMade, Failed, Ready, Synced
from tests.bench.bench_powercuts import measure
from tests.testbed import Disk, require
from tests.testbed.recorded_disk import RecordedDisk, run
from tests.trees import Clone, World
from tests.waiting import eventually


def clone_on(world: World, folder: Path) -> Clone:
    """A clone on another disk, with one commit that was pushed."""
    world.clone("elsewhere", inspect=False)
    tree = folder / "notes"
    subprocess.run(["git", "clone", "-q", world.hub, tree], env=world.environment, check=True)
    clone = Clone(tree, world.environment, branch="main")
    assert isinstance(clone.driver.inspect(), Ready)
    clone.edit("a.txt", "one\n")
    clone.committed()
    assert isinstance(clone.sync(), Synced)
    return clone


def goes_on(clone: Clone) -> None:
    """By itself: commit and push work, nothing is left behind."""
    assert isinstance(clone.commit(), CommitMade)
    assert isinstance(clone.sync(), Synced)
    clone.is_clean()
    assert list(clone.root.joinpath(".git").rglob("*.lock")) == []


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder on no disk: what a test breaks there is nobody else's."""
    folder = Path("/dev/shm", f"durability-{os.getpid()}")
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


def with_quotas(disk: RecordedDisk) -> Path:
    """A subvolume of a disk with btrfs; what it may hold is limited by qgroups."""
    home = disk.path / "home"
    run("btrfs", "subvolume", "create", home)
    run("btrfs", "quota", "enable", disk.path)
    return home


PROGRAMS = {"ext4": "e2fsprogs", "xfs": "xfsprogs", "btrfs": "btrfs-progs"}
"""What makes a file system: Debian's package of it."""


@pytest.mark.root
@pytest.mark.parametrize("kind", PROGRAMS)
def test_power_cuts(kind: str) -> None:
    require(root=True, programs={f"mkfs.{kind}": PROGRAMS[kind], "losetup": "mount"})
    tally = measure(Path("/dev/shm"), kind, rounds=8, cuts=10, seed=7)
    assert tally.cuts == 10
    assert tally.reported > 10
    assert (tally.lost, tally.unsound, tally.reverted) == ([], [], [])


@pytest.mark.root
@pytest.mark.parametrize("what", ["fill", "inodes"])
def test_a_full_disk(world: World, tmp_path: Path, what: str) -> None:
    with Disk(tmp_path / "disk") as disk:
        clone = clone_on(world, disk.path)
        clone.edit("a.txt", "two\n")
        clone.edit("b.txt", os.urandom(50_000))
        stood = clone.files()
        disk.fault(what)
        head = clone.git("rev-parse", "HEAD")
        for _ in range(3):
            failed = clone.commit()
            assert isinstance(failed, Failed), failed
            assert failed.kind == "disk-full"
        failed = clone.reopen()
        assert isinstance(failed, Ready | Failed)
        assert clone.git("rev-parse", "HEAD") == head
        assert clone.files() == stood
        disk.fault("unfill")
        if isinstance(failed, Failed):
            assert isinstance(clone.driver.inspect(), Ready)
        goes_on(clone)
        clone.driver.close()


@pytest.mark.root
def test_a_full_disk_while_changes_come_in(world: World, tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        clone = clone_on(world, disk.path)
        other = world.clone("desktop")
        other.edit("big.bin", os.urandom(300_000))
        other.edit("a.txt", "from elsewhere\n")
        other.committed()
        other.sync()
        disk.fault("fill")
        failed = clone.sync()
        assert not isinstance(failed, Synced)
        assert clone.read("a.txt") == b"one\n"
        disk.fault("unfill")
        assert isinstance(clone.sync(), Synced)
        clone.is_clean()
        assert clone.read("a.txt") == b"from elsewhere\n"
        clone.driver.close()


@pytest.mark.root
def test_a_disk_that_was_made_read_only(world: World, tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        clone = clone_on(world, disk.path)
        clone.edit("a.txt", "two\n")
        clone.driver.close()  # an admin's remount is refused while a file is open for writing
        disk.fault("read-only")
        failed = clone.reopen()
        assert isinstance(failed, Failed), failed
        assert failed.kind == "read-only"
        disk.fault("writable")
        assert isinstance(clone.reopen(), Ready)
        goes_on(clone)
        clone.driver.close()


@pytest.mark.root
def test_a_disk_that_no_longer_takes_writes(world: World, in_memory: Path) -> None:
    """EIO from the device itself; afterwards the file system is mounted again, as after a boot."""
    require(root=True, programs={"mkfs.ext4": "e2fsprogs", "losetup": "mount"})
    with RecordedDisk(in_memory, "ext4") as disk:
        clone = clone_on(world, disk.path)
        clone.edit("a.txt", "two\n")
        reported = clone.committed().head.commit
        clone.edit("a.txt", "three\n")
        disk.break_down("write")
        failed = clone.commit()
        clone.driver.close()
        disk.remount()
        assert isinstance(failed, Failed), failed
        assert failed.kind == "disk-error", failed
        ready = clone.reopen()
        assert isinstance(ready, Ready), ready
        assert reported in clone.git("rev-list", "HEAD").split()
        clone.edit("b.txt", "after\n")
        goes_on(clone)
        clone.driver.close()


@pytest.mark.root
def test_a_quota(world: World, in_memory: Path) -> None:
    require(root=True, programs={"mkfs.btrfs": "btrfs-progs", "losetup": "mount"})
    with RecordedDisk(in_memory, "btrfs") as disk:
        home = with_quotas(disk)
        clone = clone_on(world, home)
        clone.edit("b.bin", os.urandom(3_000_000))
        run("sync", "-f", home)
        run("btrfs", "qgroup", "limit", "4M", home)
        failed = clone.commit()
        assert isinstance(failed, Failed), failed
        assert failed.kind == "disk-full"
        run("btrfs", "qgroup", "limit", "none", home)
        goes_on(clone)
        clone.driver.close()


@pytest.mark.root
def test_a_quota_where_the_hub_is(world: World, in_memory: Path) -> None:
    require(root=True, programs={"mkfs.btrfs": "btrfs-progs", "losetup": "mount"})
    with RecordedDisk(in_memory, "btrfs") as disk:
        home = with_quotas(disk)
        run("git", "init", "-q", "--bare", home / "hub.git")
        (clone,) = world.share({"a.txt": "one\n"}, "laptop")
        clone.git("remote", "set-url", "origin", str(home / "hub.git"))
        assert isinstance(clone.sync(), Synced)
        run("sync", "-f", home)
        run("btrfs", "qgroup", "limit", "2M", home)
        clone.edit("b.bin", os.urandom(4_000_000))
        clone.committed()
        outcome = clone.sync()
        assert isinstance(outcome, Synced), outcome
        assert "quota" in outcome.full
        run("btrfs", "qgroup", "limit", "none", home)
        clone.edit("c.txt", "after\n")
        goes_on(clone)


@pytest.mark.root
def test_a_file_that_the_disk_can_not_give_back(world: World, in_memory: Path) -> None:
    """git, which has mapped it, dies by SIGBUS."""
    require(root=True, programs={"mkfs.ext4": "e2fsprogs", "losetup": "mount"})
    with RecordedDisk(in_memory, "ext4") as disk:
        clone = clone_on(world, disk.path)
        clone.edit("big.bin", os.urandom(3_000_000))
        clone.driver.close()
        disk.remount()
        assert isinstance(clone.reopen(), Ready)
        for number in range(3):  # what git itself needs is read by then
            clone.edit("a.txt", f"{number}\n")
            assert isinstance(clone.commit("a.txt"), CommitMade)
        clone.edit("a.txt", "three\n")
        disk.break_down("read")
        made = clone.commit()
        clone.driver.close()
        disk.remount()
        assert isinstance(made, CommitMade), made
        assert [(one.path, one.kind) for one in made.left_out] == [(b"big.bin", "unreadable")]
        assert "journalctl -k" in made.left_out[0].text
        assert clone.git("show", "HEAD:a.txt") == "three"
        assert isinstance(clone.reopen(), Ready)
        goes_on(clone)
        clone.driver.close()


@pytest.fixture
def cell() -> Iterator[Path]:
    """A memory cgroup of our own (cgroups(7), version 1 or 2)."""
    for base, limit in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        place = Path("/sys/fs/cgroup", base, f"autosyncd-{os.getpid()}")
        try:
            place.mkdir()
        except OSError:
            continue
        if (place / limit).exists():
            yield place / limit
            eventually(lambda place=place: not (place / "cgroup.procs").read_text())
            place.rmdir()
            return
        place.rmdir()
    pytest.skip("this machine gives no memory cgroup")


def narrowed(cell: Path, size: int) -> bool:
    """Whether so many bytes are all that is left; no while those that have just ended hold more."""
    try:
        cell.write_text(str(size))
    except OSError as problem:
        if problem.errno != errno.EBUSY:
            raise
        return False
    return True


@pytest.mark.root
def test_git_killed_for_want_of_memory(world: World, tmp_path: Path, cell: Path) -> None:
    git = shutil.which("git")
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho $$ >{cell.parent}/cgroup.procs\nexec {git} "$@"\n')
    wrapper.chmod(0o755)
    (clone,) = world.share({"a.txt": "one\n"}, "laptop")
    clone.driver.close()
    clone.environment = clone.environment | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    assert isinstance(clone.reopen(), Ready)
    head = clone.git("rev-parse", "HEAD")
    clone.driver.close()  # else children that wait for questions count as well
    assert isinstance(clone.reopen(), Ready)
    clone.driver._opened.repository.rest()  # type: ignore[union-attr]
    eventually(lambda: narrowed(cell, 600_000))
    clone.edit("b.bin", os.urandom(8_000_000))
    failed = clone.commit()
    assert isinstance(failed, Failed), failed
    cell.write_text(str(1 << 30))
    assert clone.git("rev-parse", "HEAD") == head
    goes_on(clone)
    clone.driver.close()


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_jumps(world: World, monkeypatch: pytest.MonkeyPatch, years: int) -> None:
    """Of one machine of two, forwards or back; times of files and commits follow it."""
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    real, jump = clock.wall, years * 365 * 86_400
    for number, shift in enumerate((jump, 0, jump)):
        monkeypatch.setattr(clock, "wall", lambda shift=shift: real() + shift)
        laptop.edit("a.txt", f"{years} {number}\n")
        when = real() + shift
        os.utime(laptop.path("a.txt"), (when, when))
        laptop.committed()
        desktop.edit("b.txt", f"{years} {number}\n")
        desktop.committed()
        for clone in (laptop, desktop, laptop):
            assert isinstance(clone.sync(), Synced)
        laptop.driver.close()
        assert isinstance(laptop.reopen(), Ready)
    assert laptop.files() == desktop.files()
    assert laptop.read("a.txt") == f"{years} 2\n".encode()
    laptop.is_clean()


def test_one_file_that_takes_more_memory_than_there_is(world: World, tmp_path: Path) -> None:
    """git is killed whenever it reads that file: the others are committed, it is named. Alone it is a
    failure, to be tried again."""
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f"#!/bin/sh\ncase \" $* \" in *' update-index --add '*) cat >{tmp_path}/asked\n"
        f'grep -q big.bin {tmp_path}/asked && kill -9 $$\nexec {shutil.which("git")} "$@" '
        f'<{tmp_path}/asked;; esac\nexec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    (clone,) = world.share({"a.txt": "one\n"}, "laptop")
    clone.driver.close()
    clone.environment = clone.environment | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    assert isinstance(clone.reopen(), Ready)
    for name in ("a.txt", "big.bin", "b.txt", "c.txt"):
        clone.edit(name, "two\n")
    made = clone.commit()
    assert isinstance(made, CommitMade), made
    assert [(one.path, one.kind) for one in made.left_out] == [(b"big.bin", "no-memory")]
    assert clone.tracked() == {b"a.txt", b"b.txt", b"c.txt"}
    failed = clone.commit()
    assert isinstance(failed, Failed)
    assert failed.kind == "no-memory"
    assert "MemoryMax" in failed.text
    wrapper.unlink()
    assert isinstance(clone.commit(), CommitMade)
    assert b"big.bin" in clone.tracked()
