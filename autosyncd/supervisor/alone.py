"""One daemon per configuration: whoever holds its lock (flock(2)). Another one ends, or waits for it.

As a service it waits: a service that ends would be started again and again, and one that has ended for
good would not take over. Whoever started it by hand wants an answer instead.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from selectors import EVENT_READ, DefaultSelector
from signal import SIGINT, SIGTERM

from autosyncd import clock
from autosyncd.config.places import home, places, state_home
from autosyncd.machine import machine_id
from autosyncd.service.journal import Event, fields
from autosyncd.service.notify import Notifier
from autosyncd.supervisor.pulse import Pulse
from autosyncd.supervisor.signals import Signals

AGAIN = 10.0
"""Seconds between two looks at the lock. The end of a holder that can be seen is noticed at once."""

log = logging.getLogger("autosyncd")


@dataclass(frozen=True, slots=True)
class Taken:
    """Another daemon has the lock."""

    pid: int | None
    """As that one wrote it down; None if no such process can be seen from here."""


Take = Callable[[], int | Taken]
"""take(), bound to one configuration."""


def take(main_file: str | None, environment: Mapping[str, str]) -> int | Taken:
    """Be the one daemon of this configuration: a descriptor to keep open, or who it is instead.

    OSError if no folder for the lock can be written to.
    """
    path = os.path.realpath(places(main_file, environment).main[0])
    # a home folder on the network has a daemon on each machine, and its file system tells of all locks
    text = os.fsencode(path) + b"\0" + machine_id().encode("utf-8", "surrogateescape")
    name = hashlib.sha256(text).hexdigest()[:16] + ".lock"
    *first, last = _folders(environment)
    for folder in first:
        try:
            return _lock(folder, name)
        except OSError as reason:
            log.debug("No lock in %s (%s); the next folder is tried.", folder, reason.strerror)
    return _lock(last, name)


def _folders(environment: Mapping[str, str]) -> list[str]:
    """Where the lock may lie, best first.

    Not the runtime folder if it can be helped: a service of the system, one of the user and a login with
    su(1) each have another one.
    """
    roots = [state_home(environment), environment.get("XDG_RUNTIME_DIR", "")]
    roots.append(environment.get("XDG_CACHE_HOME") or os.path.join(home(environment), ".cache"))
    return [os.path.join(root, "autosync") for root in roots if os.path.isabs(root)]


def at_once(take: Take) -> int | None:
    """The lock, or None after it was said why there is none."""
    got = _tried(take)
    if isinstance(got, int):
        return got
    text = f"{got.text}, so this one ends."
    log.error("%s", text, extra=fields(event=Event.NOT_STARTED))
    return None


def wait(take: Take, notifier: Notifier) -> int | None:
    """The lock, as soon as it can be had; None if SIGTERM or SIGINT came first.

    systemd hears that the service is up: a start that never ends would be cut off.
    """
    pulse = Pulse(notifier, clock.now())
    said = ""
    gone: int | None = None
    with Signals() as signals:
        while not isinstance(got := _tried(take), int):
            text = f"{got.text}; {got.what_next}."
            if text != said:
                said = text
                log.warning("%s", text, extra=fields(event=Event.NOT_STARTED))
            # one that has ended and is still listed must not wake us again and again
            holder = got.holder if got.holder != gone else None
            woken = _asleep(signals, holder, pulse, text)
            if woken is not None and woken & {SIGTERM, SIGINT}:
                notifier.stopping()
                return None
            gone = holder if woken == frozenset() else gone
    if said:
        log.info("Nothing is in the way any more; this autosyncd begins.", extra=fields())
    return got


@dataclass(frozen=True, slots=True)
class _Hindrance:
    text: str
    what_next: str
    holder: int | None = None


def _tried(take: Take) -> int | _Hindrance:
    try:
        got = take()
    except OSError as reason:
        tried = f"it is tried again every {AGAIN:.0f} seconds"
        return _Hindrance(f"No lock can be taken ({reason})", tried)
    if isinstance(got, int):
        return got
    who = "" if got.pid is None else f" (process {got.pid})"
    text = f"Another autosyncd{who} runs with this configuration"
    return _Hindrance(text, "this one waits, and takes over when that ends", got.pid)


def _asleep(
    signals: Signals, holder: int | None, pulse: Pulse, status: str
) -> frozenset[int] | None:
    """Until there may be something new: the signals that came; an empty set, the holder has ended;
    None, it is time to look."""
    again = clock.now() + AGAIN
    with DefaultSelector() as selector, _watched(holder) as end:
        selector.register(signals, EVENT_READ)
        if end is not None:
            selector.register(end, EVENT_READ)
        while (now := clock.now()) < again:
            pulse.beat(now, answered=True, status=status)
            if selector.select(max(min(pulse.deadline(), again) - now, 0.0)):
                return signals.received()
    return None


@contextlib.contextmanager
def _watched(pid: int | None) -> Iterator[int | None]:
    """A descriptor that is readable when this process has ended."""
    pidfd = _pidfd(pid)
    try:
        yield pidfd
    finally:
        if pidfd is not None:
            os.close(pidfd)


def _pidfd(pid: int | None) -> int | None:
    if pid is None:
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _lock(folder: str, name: str) -> int | Taken:
    os.makedirs(folder, mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(lock)
        os.close(lock)
        return Taken(holder)
    except OSError:  # a file system that has no locks
        os.close(lock)
        raise
    with contextlib.suppress(OSError):  # no space: it is only told
        os.ftruncate(lock, 0)
        os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


def _holder(lock: int) -> int | None:
    text = os.pread(lock, 20, 0).strip()
    pid = int(text) if text.isdigit() else 0
    with _watched(pid or None) as lives:
        return pid if lives is not None else None
