"""Who has which files open for writing, as /proc shows it (proc(5), fd and fdinfo).

Of other people's processes it shows nothing: where leases can be believed, they say more (lease.py).
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from autosyncd.vcs.git.lease import Lease, Writers


def writer_of(path: bytes) -> str | None:
    """Who has a file open for writing: `rsyslogd (812)`; None when it can't be seen."""
    return writers().get(os.path.realpath(path))


def writers() -> dict[bytes, str]:
    """Every file that a process which we can see has open for writing, and a name for that process."""
    found: dict[bytes, str] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            with contextlib.suppress(OSError, ValueError, IndexError):
                found |= _written_by(Path("/proc", entry))
    return found


def is_written(lease: Lease, seen: Callable[[], Mapping[bytes, str]] = writers) -> bool:
    """Whether somebody has the file open for writing; where no lease tells, whether such a process is
    `seen`."""
    if lease.writers is not Writers.UNKNOWN:
        return lease.writers is Writers.SOME
    return os.fsencode(os.readlink(f"/proc/self/fd/{lease.handle}")) in seen()


def _written_by(process: Path) -> dict[bytes, str]:
    who = f"{(process / 'comm').read_text().strip()} ({process.name})"
    found = {}
    for handle in (process / "fd").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            target = os.fsencode(os.readlink(handle))
            if target.startswith(b"/"):
                info = (process / "fdinfo" / handle.name).read_text()
                if int(info.split("flags:", 1)[1].split()[0], 8) & os.O_ACCMODE:
                    found[target] = who
    return found
