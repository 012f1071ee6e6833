"""Gits of others that work on the same repository: in any work tree of it, or from elsewhere with
--git-dir. They share most locks with us: packed-refs.lock, those below refs/."""

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
