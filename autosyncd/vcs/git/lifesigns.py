"""Signs of life of a git that says nothing, as /proc shows them."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from autosyncd.vcs.git.silence import Signs
from autosyncd.vcs.session import members, start_time

_GITS = (b"git\n", b"git-re", b"git-up")
"""The names of git, git-remote-https, git-receive-pack and git-upload-pack. What ssh reads and writes
says nothing: it asks its server now and then whether that lives."""
_HOOKS = (
    b"pre-push",
    b"pre-receive",
    b"update",
    b"proc-receive",
    b"reference-transaction",
    b"post-receive",
    b"post-update",
)


@dataclass(slots=True)
class Lifesigns:
    """Looks at the session of one command again and again."""

    _before: dict[int, int] = field(default_factory=dict)
    """Process → the bytes that it had moved at the last look."""

    def of(self, leader: int) -> Signs:
        """What the session does."""
        now: dict[int, int] = {}
        hooks = [""]
        for pid in members(leader, start_time(leader)):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_bytes().startswith(_GITS):
                    now[pid] = _bytes_moved(pid)
                else:
                    hooks.append(_hook(pid))
        moved = sum(count - self._before.get(pid, 0) for pid, count in now.items())
        self._before = now
        return Signs(moved, max(hooks))


def _bytes_moved(pid: int) -> int:
    """rchar and wchar (proc(5), /proc/PID/io)."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines[:2])


def _hook(pid: int) -> str:
    """The hook that a process is: run by its path, by an interpreter, or by what has taken its place
    (`exec git-lfs pre-push`)."""
    for word in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:4]:
        name = os.path.basename(word)
        if name in _HOOKS and (b"-" in name or b"/" in word):
            return os.fsdecode(name)
    return ""
