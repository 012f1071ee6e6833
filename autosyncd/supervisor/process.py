"""Real child processes: fork(2), a link, a pidfd (pidfd_open(2)).

fork and not spawn, because the children share the supervisor's preloaded pages and re-run no entry
script; that is sound because the supervisor has one thread, no event loop state and no TLS. The
child never returns from here: it ends in os._exit, so that no destructor of the supervisor's
objects runs in it.
"""

import contextlib
import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from autosyncd.link.channel import Link, pair
from autosyncd.link.lifeline import end_with_parent
from autosyncd.supervisor.descriptors import give_back
from autosyncd.supervisor.signals import HANDLED, nothing

COMM_LIMIT = 15
"""Bytes of a process's name that the kernel keeps (proc(5))."""
ENTRY_FAILED = 1
"""Exit status of a child whose entry raised."""

Entry = Callable[[Link], int]
"""What a child runs; its answer is the exit status."""

_OF_THE_SUPERVISOR = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that a terminal or a person sends to the whole group but means for the supervisor."""

HIGHEST = 2**31 - 1
"""No descriptor has a higher number."""
_close_range: Callable[[int, int, int], int] | None
_close_range = getattr(ctypes.CDLL(None), "close_range", None)
log = logging.getLogger("autosyncd")


@dataclass
class Process:
    """A living child, or one that is not reaped yet."""

    pid: int
    pidfd: int
    """Readable once the process has ended."""
    link: Link
    status: int | None = None
    """How it ended, once it was reaped; a child of its own may have its end of the link still."""

    def kill(self) -> None:
        """SIGKILL; does nothing to a process that has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    def reap(self) -> int | None:
        """Its exit status, or minus the signal that ended it; None while it lives."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def close(self) -> None:
        """Give back its descriptors, once it is reaped."""
        self.link.close()
        os.close(self.pidfd)


def fork(name: str, entry: Entry) -> Process:
    """A new child called `name` that runs `entry` with its end of a new link.

    OSError if the system has no room for another process or descriptor.
    """
    (made,) = fork_all([(name, entry)])
    if isinstance(made, OSError):
        raise made
    return made


def fork_all(wanted: Sequence[tuple[str, Entry]]) -> list[Process | OSError]:
    """Several children, made right after one another.

    What this process writes to its memory between two forks is kept twice, here and in the child that
    was made before. So all that can be done before the first or after the last fork is done there.
    """
    links, made = _links(len(wanted)), []
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # until a child has its own handlers, a signal to it would write to the supervisor's wakeup fd
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        for (name, entry), link in zip(wanted, links, strict=True):
            made.append(_fork(name, entry, link, parent, mask))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return [_process(pid, link) for pid, link in zip(made, links, strict=True)]


def _links(count: int) -> list[tuple[Link, Link] | OSError]:
    links: list[tuple[Link, Link] | OSError] = []
    for _ in range(count):
        try:
            links.append(pair())
        except OSError as reason:
            links.append(reason)
    return links


def _fork(
    name: str, entry: Entry, link: tuple[Link, Link] | OSError, parent: int, mask: Iterable[int]
) -> int | OSError:
    if isinstance(link, OSError):
        return link
    try:
        pid = os.fork()
    except OSError as reason:
        return reason
    if pid == 0:
        _live(name, entry, link[1], parent, mask)
    return pid


def _process(pid: int | OSError, link: tuple[Link, Link] | OSError) -> Process | OSError:
    if isinstance(link, OSError):
        return link
    above, below = link
    below.close()
    try:
        if isinstance(pid, OSError):
            raise pid
        return Process(pid, _pidfd(pid), above)
    except OSError as reason:
        above.close()
        return reason


def _pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError:  # no descriptor is left: a child whose death goes unseen must not live
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def _live(name: str, entry: Entry, link: Link, parent: int, mask: Iterable[int]) -> None:
    """All of a child's life; never returns."""
    status = ENTRY_FAILED
    try:
        _settle(name, link, parent, mask)
        status = entry(link)
    except Exception:  # the entry of a process: whatever it is, it is said
        log.exception("The process %s ends because of an unexpected error.", name)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _settle(name: str, link: Link, parent: int, mask: Iterable[int]) -> None:
    """Make a process of its own out of a copy of the supervisor."""
    if not end_with_parent(parent, signal.SIGTERM):
        os._exit(ENTRY_FAILED)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in _OF_THE_SUPERVISOR:
        # not SIG_IGN, which git, its hooks and ssh would inherit: a shell can't even trap it then
        signal.signal(number, nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _keep_only({link.inbox.fileno(), link.outbox.fileno()})
    give_back()
    _call_yourself(name)
    gc.enable()


def _call_yourself(name: str) -> None:
    """What ps(1) shows."""
    whole = os.fsencode(f"autosync:{name}")[:COMM_LIMIT].decode("utf-8", "ignore")
    with contextlib.suppress(OSError):
        comm = os.open("/proc/self/comm", os.O_WRONLY)
        os.write(comm, whole.encode())
        os.close(comm)


def _keep_only(kept: set[int]) -> None:
    """Close every descriptor but stdout, stderr and these; stdin reads nothing."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    start = 3
    for descriptor in sorted(kept):
        _close(start, descriptor - 1)
        start = descriptor + 1
    _close(start, HIGHEST)


def _close(first: int, last: int) -> None:
    """Close these and all between (close_range(2), where the system knows and allows it)."""
    if first > last or (_close_range is not None and _close_range(first, last, 0) == 0):
        return
    # not up to SC_OPEN_MAX, which is a thousand million in some containers
    highest = max(int(descriptor) for descriptor in os.listdir("/proc/self/fd"))
    os.closerange(first, min(last, highest) + 1)
