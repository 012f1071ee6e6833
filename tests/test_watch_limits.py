"""What is said about the kernel's limits, and which file systems can't be trusted to tell."""

import errno
import os
from pathlib import Path

import pytest

from autosyncd.watch.limits import (
    Limits,
    files_left,
    instance_shortage,
    is_remote,
    read_limits,
    type_of,
    unreliable,
    watch_shortage,
)

MOUNTINFO = rb"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:50 / /home rw,relatime - nfs4 server:/home rw
41 40 0:51 / /home/a\040b\134c rw - fuse.sshfs host:/x rw
42 27 0:52 / /mnt rw - cifs //host/x rw
43 42 0:53 / /mnt rw - ext4 /dev/vdb rw
44 27 0:54 / /homework rw - btrfs /dev/vdc rw
broken line
"""


def set_proc(proc: Path, **numbers: int) -> str:
    for key, number in numbers.items():
        file = proc / key.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{number}\n")
    return str(proc)


def test_the_lower_of_the_two_limits_counts(tmp_path: Path) -> None:
    proc = set_proc(
        tmp_path,
        fs__inotify__max_user_watches=8192,
        user__max_inotify_watches=100,
        fs__inotify__max_user_instances=128,
        user__max_inotify_instances=128,
    )
    assert read_limits(proc) == Limits(
        100, 128, "user.max_inotify_watches", "fs.inotify.max_user_instances"
    )


def test_unreadable_limits(tmp_path: Path) -> None:
    assert read_limits(str(tmp_path)) == Limits()
    set_proc(tmp_path, fs__inotify__max_user_watches=5)
    (tmp_path / "fs/inotify/max_user_watches").write_text("many")
    assert read_limits(str(tmp_path)).watches is None


def test_the_limits_of_this_kernel() -> None:
    limits = read_limits()
    assert limits.watches is not None
    assert limits.watches > 0


def test_a_shortage_of_watches_has_all_numbers_and_the_command() -> None:
    text = watch_shortage(900, 100, Limits(watches=1000))
    assert "100 of 1000 folders" in text
    assert "1000 inotify watches" in text
    assert "sudo sysctl fs.inotify.max_user_watches=524288" in text
    assert "/etc/sysctl.d/" in text


@pytest.mark.parametrize(("allowed", "unwatched"), [(192_536, 1), (524_288, 300_000), (65_535, 1)])
def test_the_advice_is_enough(allowed: int, unwatched: int) -> None:
    text = watch_shortage(1, unwatched, Limits(watches=allowed))
    advised = int(text.split("max_user_watches=")[1].split()[0])
    assert advised >= 1.5 * (allowed + unwatched)


def test_a_shortage_of_watches_with_unknown_limits() -> None:
    assert "all its inotify watches are in use" in watch_shortage(1, 2, Limits())


def test_the_sysctl_of_the_namespace_is_named() -> None:
    text = watch_shortage(1, 2, Limits(watches=10, watches_key="user.max_inotify_watches"))
    assert "sysctl user.max_inotify_watches=" in text


def test_a_shortage_of_instances() -> None:
    text = instance_shortage(errno.EMFILE, Limits(instances=128), files_left=True)
    assert "the 128 inotify instances" in text
    assert "sysctl fs.inotify.max_user_instances=1024" in text


def test_a_shortage_of_files_is_told_apart() -> None:
    text = instance_shortage(errno.EMFILE, Limits(instances=128), files_left=False)
    assert "LimitNOFILE=" in text
    assert "sysctl" not in text
    assert files_left()


def test_no_inotify_at_all() -> None:
    text = instance_shortage(errno.ENOSYS, Limits(), files_left=True)
    assert os.strerror(errno.ENOSYS) in text
    assert "sysctl" not in text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (b"/", "ext4"),
        (b"/srv", "ext4"),
        (b"/home", "nfs4"),
        (b"/home/u/notes", "nfs4"),
        (b"/home/a b\\c/d", "fuse.sshfs"),
        (b"/homework/x", "btrfs"),
        (b"/mnt/x", "ext4"),
        (b"/proc/1", "proc"),
    ],
)
def test_the_file_system_at_a_path(path: bytes, kind: str) -> None:
    assert type_of(path, MOUNTINFO) == kind


def test_no_file_system_is_known() -> None:
    assert type_of(b"/x", b"") is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p", "fuse.new"])
def test_remote(kind: str) -> None:
    assert is_remote(kind)


@pytest.mark.parametrize("kind", ["ext4", "btrfs", "tmpfs", "fuseblk", "fuse.gocryptfs", "overlay"])
def test_local(kind: str) -> None:
    assert not is_remote(kind)


def test_proc_is_a_file_system_of_this_machine() -> None:
    with open("/proc/self/mountinfo", "rb") as file:
        assert type_of(b"/proc/self", file.read()) == "proc"
    assert unreliable(b"/proc/self") is None
