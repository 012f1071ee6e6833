"""Gits of others: that work in this tree, or on the same repository (in any work tree of it, or from
elsewhere with --git-dir). They share most locks with us: packed-refs.lock, those below refs/."""

import contextlib
import os
from itertools import pairwise
from pathlib import Path

from autosyncd.vcs.git.repository import Repository

_READING = (b"cat-file", b"hash-object", b"mktree")
"""Commands that lock no ref; workers of sibling trees keep them (partner.py)."""


def working_on(repository: Repository) -> str | None:
    """`git (812)`: one that may hold a lock of this repository, if there is one."""
    wanted = os.path.realpath(repository.common_dir)
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{entry}/comm").read_text(errors="replace").strip()
                if name.startswith("git") and wanted in _repositories(entry):
                    return f"{name} ({entry})"
    return None


def working_in(root: bytes) -> str | None:
    """`git (812)`: a git that works in this tree, if there is one."""
    return holder_of(b"", root)


def holder_of(lock: bytes, root: bytes) -> str | None:
    """`git commit (812)`: who holds the lock open, or is a git working in this tree."""
    working = None
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        base = f"/proc/{entry}"
        try:
            name = Path(base, "comm").read_text().strip()
            open_files = {os.readlink(f"{base}/fd/{fd}") for fd in os.listdir(f"{base}/fd")}
            place = os.fsencode(os.readlink(f"{base}/cwd"))
        except OSError:
            continue
        if os.fsdecode(lock) in open_files:
            return f"{name} ({entry})"
        inside = place == root or place.startswith(root + b"/")
        if name.startswith("git") and inside and not _waits_for_us(int(entry)):
            working = f"{name} ({entry})"
    return working


def _waits_for_us(pid: int) -> bool:
    """Whether it belongs to a long-lived child of ours (partner.py): that one works when it is asked,
    and locks nothing in between."""
    try:
        leader = os.getsid(pid)
        text = Path(f"/proc/{leader}/stat").read_text(errors="replace")
    except OSError:
        return False
    return int(text[text.rindex(")") + 2 :].split()[1]) == os.getpid()


def _repositories(process: str) -> set[bytes]:
    """The repositories that a git may work on, by their common directories: that of the folder it is
    in, and what it was told."""
    words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
    if any(word in words for word in _READING):
        return set()
    place = os.fsencode(os.readlink(f"/proc/{process}/cwd"))
    variables = Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    named = [one[len(b"GIT_DIR=") :] for one in variables if one.startswith(b"GIT_DIR=")]
    named += [one[len(b"--git-dir=") :] for one in words if one.startswith(b"--git-dir=")]
    named += [after for word, after in pairwise(words) if word == b"--git-dir"]
    found = {_common(os.path.join(place, one)) for one in named}
    return found | {_common(git_dir) for git_dir in _above(place)}


def _above(folder: bytes) -> list[bytes]:
    """Where the nearest `.git` leads to (gitrepository-layout(5)), and the folders that may be a git
    directory themselves."""
    found = []
    while True:
        found.append(folder)
        dot = os.path.join(folder, b".git")
        if os.path.lexists(dot):
            return [*found, dot]
        if folder == b"/":
            return found
        folder = os.path.dirname(folder)


def _common(git_dir: bytes) -> bytes:
    """The directory that the work trees of one repository share."""
    with contextlib.suppress(OSError):
        text = Path(os.fsdecode(git_dir)).read_bytes()  # `gitdir: PATH`, if it is a file
        git_dir = os.path.join(os.path.dirname(git_dir), text.removeprefix(b"gitdir:").strip())
    with contextlib.suppress(OSError):
        text = Path(os.fsdecode(git_dir), "commondir").read_bytes().strip()
        git_dir = os.path.join(git_dir, text)
    return os.path.realpath(git_dir)
