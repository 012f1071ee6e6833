"""Real child processes: fork(2), a link, a pidfd (pidfd_open(2)).

fork and not spawn, because the children share the supervisor's preloaded pages and re-run no entry
script; that is sound because the supervisor has one thread, no event loop state and no TLS. The
child never returns from here: it ends in os._exit, so that no destructor of the supervisor's
objects runs in it.
"""

import contextlib
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
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
"""Signals that a terminal or a person sends to the whole group but means for the supervisor. Not
SIG_IGN, which git, its hooks and ssh would inherit: a shell can't even trap it then."""

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


@dataclass(frozen=True, slots=True)
class _Birth:
    """What a child is made of."""

    name: str
    comm: bytes
    """What ps(1) shows."""
    entry: Entry
    link: tuple[Link, Link] | OSError
    """The supervisor's end and the child's, or why there is none."""


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
    was made before, and what a child writes is its own. So all that can be done before the first or
    after the last fork is done there, also to the signals of the children.
    """
    births = [_Birth(name, _comm(name), entry, _link()) for name, entry in wanted]
    made: list[int | OSError] = []
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    # what comes meanwhile waits: here for the supervisor's handlers, in a child for its own
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    try:
        with _signals_of_a_child():
            for birth in births:
                made.append(_fork(birth, parent, mask))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return [_process(pid, birth.link) for pid, birth in zip(made, births, strict=True)]


@contextlib.contextmanager
def _signals_of_a_child() -> Iterator[None]:
    """While they are blocked: what a child inherits. It ends by SIGTERM, and writes to no wakeup fd."""
    wakeup = signal.set_wakeup_fd(-1)
    handlers = {number: signal.signal(number, nothing) for number in _OF_THE_SUPERVISOR}
    handlers[signal.SIGTERM] = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)


def _link() -> tuple[Link, Link] | OSError:
    try:
        return pair()
    except OSError as reason:
        return reason


def _fork(birth: _Birth, parent: int, mask: Iterable[int]) -> int | OSError:
    if isinstance(birth.link, OSError):
        return birth.link
    try:
        pid = os.fork()
    except OSError as reason:
        return reason
    if pid == 0:
        _live(birth, birth.link[1], parent, mask)
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


def _live(birth: _Birth, link: Link, parent: int, mask: Iterable[int]) -> None:
    """All of a child's life; never returns."""
    status = ENTRY_FAILED
    try:
        _settle(birth.comm, link, parent, mask)
        status = birth.entry(link)
    except Exception:  # the entry of a process: whatever it is, it is said
        log.exception("The process %s ends because of an unexpected error.", birth.name)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _settle(comm: bytes, link: Link, parent: int, mask: Iterable[int]) -> None:
    """Make a process of its own out of a copy of the supervisor."""
    if not end_with_parent(parent, signal.SIGTERM):
        os._exit(ENTRY_FAILED)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    _keep_only({link.inbox.fileno(), link.outbox.fileno()})
    give_back()
    _call_yourself(comm)


def _comm(name: str) -> bytes:
    """As much of the name as the kernel keeps, without half a character."""
    whole = f"autosync:{name}".encode("utf-8", "surrogateescape")[:COMM_LIMIT].decode(
        "utf-8", "ignore"
    )
    return whole.encode()


def _call_yourself(comm: bytes) -> None:
    with contextlib.suppress(OSError):
        file = os.open("/proc/self/comm", os.O_WRONLY)
        os.write(file, comm)
        os.close(file)


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
