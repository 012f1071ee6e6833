"""Sessions of processes (setsid(2)), as /proc shows them: all that a child has started, in whatever
process group, and whoever its parent is by now."""

import contextlib
import os
import selectors
import signal
from collections.abc import Iterable
from pathlib import Path

from autosyncd import clock

KILLED_WITHIN = 10.0
"""Seconds after which a process that SIGKILL does not end (an uninterruptible sleep) is left."""


def signal_all(leader: int, number: int) -> None:
    """Send a signal to every process of a session."""
    for pid in members(leader, start_time(leader)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def boot_id() -> str:
    """This boot's id (random(4)): process numbers begin anew with each."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name (proc(5): state is the first, number 3)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(")") + 2 :].split()


def start_time(pid: int) -> int:
    """When it started, in clock ticks since the boot; 0 when it is gone."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else 0


def members(session: int, started: int) -> list[int]:
    """Live processes of a session whose leader started at `started` (it may be gone itself)."""
    leader = _stat_fields(session)
    if leader and int(leader[19]) != started:
        return []  # the number serves another process now
    members = []
    for entry in os.listdir("/proc"):
        fields = _stat_fields(int(entry)) if entry.isdigit() else []
        if fields and int(fields[3]) == session and fields[0] != "Z":
            members.append(int(entry))
    return members


def marked(variable: str) -> list[int]:
    """Live leaders of sessions whose environment has this `NAME=VALUE` (proc(5), environ)."""
    wanted, found = variable.encode(), []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(entry)
            if os.getsid(pid) == pid and wanted in Path(f"/proc/{pid}/environ").read_bytes().split(
                b"\0"
            ):
                found.append(pid)
    return found


def end_and_wait(pids: Iterable[int], patience: float) -> None:
    """SIGTERM, so that git takes its lock files away; SIGKILL for who is left after so many seconds
    in all. Returns when they are really gone (a pidfd says so, also for a stranger's child)."""
    with selectors.DefaultSelector() as waits:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                waits.register(os.pidfd_open(pid), selectors.EVENT_READ)
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, KILLED_WITHIN)):
            _signal_and_wait(waits, number, seconds)
        for key in list(waits.get_map().values()):
            os.close(key.fd)


def _signal_and_wait(waits: selectors.BaseSelector, number: int, seconds: float) -> None:
    """Send a signal to those behind the pidfds, and let go of the ones that have ended."""
    for key in waits.get_map().values():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(key.fd, number)
    end = clock.now() + seconds
    while waits.get_map() and (left := end - clock.now()) > 0:
        for key, _ in waits.select(left):
            waits.unregister(key.fd)
            os.close(key.fd)


def kill_and_wait(pid: int) -> None:
    """SIGKILL, then wait until it is really gone."""
    end_and_wait([pid], 0)
