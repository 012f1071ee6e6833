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
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autosyncd.link.channel import Link, pair

PR_SET_PDEATHSIG = 1
"""prctl(2): the signal that a process gets when its parent ends."""
COMM_LIMIT = 15
"""Bytes of a process's name that the kernel keeps (proc(5))."""
ENTRY_FAILED = 1
"""Exit status of a child whose entry raised."""

Entry = Callable[[Link], int]
"""What a child runs; its answer is the exit status."""

_OF_THE_SUPERVISOR = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
"""Signals that a terminal or a person sends to the whole group but means for the supervisor."""
_libc = ctypes.CDLL(None, use_errno=True)
log = logging.getLogger("autosyncd")


@dataclass
class Process:
    """A living child, or one that is not reaped yet."""

    pid: int
    pidfd: int
    """Readable once the process has ended."""
    link: Link

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
    above, below = pair()
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # until the child has its own handlers, a signal to it would write to the supervisor's wakeup fd
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _live(name, entry, below, parent, mask)
        return Process(pid, _pidfd(pid), above)
    except OSError:
        above.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        below.close()


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
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(ENTRY_FAILED)  # the supervisor ended before the line above
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        # those that Python itself ignores (SIGPIPE, SIGXFSZ) stay ignored
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    for number in _OF_THE_SUPERVISOR:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _keep_only({link.inbox.fileno(), link.outbox.fileno()})
    for variable in ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"):
        os.environ.pop(variable, None)
    with contextlib.suppress(OSError), open("/proc/self/comm", "wb") as comm:
        whole = os.fsencode(f"autosync:{name}")[:COMM_LIMIT].decode("utf-8", "ignore")
        comm.write(whole.encode())
    gc.enable()


def _keep_only(kept: set[int]) -> None:
    """Close every descriptor but stdout, stderr and these; stdin reads nothing."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    # not up to SC_OPEN_MAX, which is a thousand million in some containers
    last = max(int(descriptor) for descriptor in os.listdir("/proc/self/fd"))
    start = 3
    for descriptor in sorted(kept):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, last + 1)
