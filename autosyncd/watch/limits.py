"""What keeps the kernel from telling of every change: its limits, and file systems of other machines.

The sentences are made from values; read_limits() and unreliable() are the ones that look at /proc.
"""

import errno
import os
import re
from dataclasses import dataclass

_FOR_GOOD = "/etc/sysctl.d/60-autosyncd.conf"

_REMOTE = frozenset(
    {
        *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "drvfs", "gfs", "gfs2", "glusterfs"),
        *("lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "prl_fs", "smb3", "smbfs"),
        *("vboxsf", "virtiofs", "vmhgfs"),
    }
)
_LOCAL_FUSE = frozenset(
    {
        *("fuse.cryfs", "fuse.encfs", "fuse.exfat", "fuse.fuse-overlayfs", "fuse.gocryptfs"),
        *("fuse.ntfs", "fuse.ntfs-3g", "fuse.securefs"),
    }
)
"""FUSE file systems that only this machine changes, and only through the mount."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one user may have (inotify(7), namespaces(7)); None: it could not be read."""

    watches: int | None = None
    instances: int | None = None
    watches_key: str = "fs.inotify.max_user_watches"
    """The sysctl that sets `watches`: of the two that count, the lower one."""
    instances_key: str = "fs.inotify.max_user_instances"


def read_limits(proc: str = "/proc/sys") -> Limits:
    """The limits as they are now. In a container the namespace's own may be the lower ones."""
    watches, watches_key = _lower(proc, "fs.inotify.max_user_watches", "user.max_inotify_watches")
    instances, instances_key = _lower(
        proc, "fs.inotify.max_user_instances", "user.max_inotify_instances"
    )
    return Limits(watches, instances, watches_key, instances_key)


def _lower(proc: str, *keys: str) -> tuple[int | None, str]:
    """The lowest of some sysctls; the first of them when equal."""
    values = [(value, key) for key in keys if (value := _number(proc, key)) is not None]
    return min(values, key=lambda pair: pair[0], default=(None, keys[0]))


def _number(proc: str, key: str) -> int | None:
    try:
        with open(os.path.join(proc, key.replace(".", "/")), encoding="ascii") as file:
            return int(file.read())
    except (OSError, ValueError):
        return None


def files_left() -> bool:
    """Whether this process may open one more file: inotify_init(2) says EMFILE for either limit."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return False
    return True


def watch_shortage(watched: int, unwatched: int, limits: Limits) -> str:
    """Why `unwatched` folders of a tree are not watched, and what to do about it."""
    allowed = "all its inotify watches are in use"
    if limits.watches is not None:
        allowed = f"this user may have {limits.watches} inotify watches for all programs together"
    wanted = _roomy((limits.watches or watched) + unwatched)
    return (
        f"{unwatched} of {watched + unwatched} folders can't be watched, because {allowed};"
        " changes there are noticed late, by looking through the tree from time to time."
        f" {_advice(limits.watches_key, wanted)}"
    )


def instance_shortage(error: int, limits: Limits, *, files_left: bool) -> str:
    """Why there is no inotify instance (errno of inotify_init(2)), and what to do about it."""
    reason = f"the kernel offers no inotify ({os.strerror(error)})"
    advice = ""
    if error == errno.EMFILE and not files_left:
        reason = "this process has as many files open as it may"
        advice = " To allow more, raise LimitNOFILE= of the service (systemd.exec(5))."
    elif error == errno.EMFILE:
        many = "" if limits.instances is None else f"{limits.instances} "
        reason = f"the {many}inotify instances that this user may have are all in use"
        wanted = max(1024, 2 * (limits.instances or 0))
        advice = f" {_advice(limits.instances_key, wanted)}"
    return (
        f"No folder can be watched, because {reason};"
        f" changes are noticed late, by looking through the tree from time to time.{advice}"
    )


def _roomy(needed: int) -> int:
    """A limit that leaves room to grow: a power of two, at least 1.5 times what is needed now."""
    return max(524_288, 1 << (needed * 3 // 2).bit_length())


def _advice(key: str, value: int) -> str:
    return (
        f"To allow more: sudo sysctl {key}={value}"
        f" (and write {key}={value} into {_FOR_GOOD}, so that it outlives a restart)."
    )


def unreliable(root: bytes) -> str | None:
    """The type of the file system under `root` (absolute) if other machines can change it without
    this kernel's knowledge (nfs4, cifs, fuse.sshfs, 9p …), else None."""
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            kind = type_of(os.path.realpath(root), file.read())
    except OSError:
        return None
    return kind if kind is not None and is_remote(kind) else None


def is_remote(kind: str) -> bool:
    """Whether others can change such a file system. Unknown FUSE ones count as remote: to look once
    too often does no harm. (fuseblk is a disk's: ntfs-3g.)"""
    unknown = kind.startswith("fuse.") and kind not in _LOCAL_FUSE
    return kind in _REMOTE or kind == "fuse" or unknown


def type_of(path: bytes, mountinfo: bytes) -> str | None:
    """The file system type at a path, by /proc/self/mountinfo (proc_pid_mountinfo(5)): the longest
    mount point above it; of two mounts at one point, the later hides the earlier."""
    best, kind = -1, None
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(b" - ")
        fields = before.split(b" ")
        if not separator or len(fields) < 5:
            continue
        point = _unescape(fields[4])
        above = path == point or path.startswith(point.rstrip(b"/") + b"/")
        if above and len(point) >= best:
            best, kind = len(point), os.fsdecode(after.split(b" ")[0])
    return kind


def _unescape(field: bytes) -> bytes:
    r"""Blank, tab, newline and backslash are written as \040 \011 \012 \134."""
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), field)
