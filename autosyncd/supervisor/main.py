"""From the command line to the supervisor's loop."""

import fcntl
import gc
import hashlib
import logging
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from autosyncd.config.describe import describe
from autosyncd.config.load import load
from autosyncd.config.places import as_written, home, places
from autosyncd.config.settings import Configuration
from autosyncd.config.watch import ConfigWatch
from autosyncd.errors import ConfigError, WatchLimit
from autosyncd.service import journal
from autosyncd.service.notify import Notifier
from autosyncd.supervisor.frame import Entries, Frame
from autosyncd.supervisor.loop import Supervisor

EX_CONFIG = 78
"""Exit status: the configuration is at fault (sysexits.h); systemd does not try again."""
EX_FAILED = 1

log = logging.getLogger("autosyncd")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    config: str | None = None
    check: bool = False
    origin: bool = False
    verbose: bool = False
    etc: str = "/etc"


def run(options: Options) -> int:
    """The whole service; the exit status."""
    main_file = os.path.abspath(options.config) if options.config is not None else None
    if options.check:
        return check(main_file, options.etc, origin=options.origin)
    journal.install(options.verbose)
    try:
        lock = take_lock(main_file, os.environ)
    except OSError as reason:
        extra = journal.fields(event=journal.Event.NOT_STARTED)
        log.error("No lock can be taken (%s), so autosyncd does not start.", reason, extra=extra)
        return EX_FAILED
    if lock is None:
        extra = journal.fields(event=journal.Event.NOT_STARTED)
        log.error("Another autosyncd runs with this configuration; this one ends.", extra=extra)
        return EX_FAILED
    os.chdir("/")
    try:
        return serve(main_file, options.etc)
    except ConfigError as reason:
        log.error("%s", reason, extra=journal.fields(event=journal.Event.CONFIG_PROBLEM))
        return EX_CONFIG
    finally:
        os.close(lock)


def serve(main_file: str | None, etc: str) -> int:
    """Set the loop into the real thing and run it."""
    # who looks at a repository's path may have to wait for ever: a worker does
    read = partial(_read, main_file, etc, real=as_written)
    # its INotify() comes before the first fork, because the very first one runs ldconfig (ctypes)
    watch = _watch(main_file, etc)
    frame = Frame(read=read, entries=entries(), host=os.uname().nodename, watch=watch)
    gc.collect()
    gc.freeze()  # so that no collection in a child writes to the pages it shares with the others
    return Supervisor(frame, Notifier()).run()


def entries() -> Entries:
    """The real children, loaded once here and shared by every process."""
    from autosyncd.messenger import main as messenger
    from autosyncd.worker import main as worker

    return Entries(worker=worker.run, messenger=messenger.run)


def check(main_file: str | None, etc: str, *, origin: bool = False) -> int:
    """Show every problem of the configuration, and which repositories it comes to; with `origin`
    where each setting was made."""
    try:
        config = _read(main_file, etc, None)
    except ConfigError as reason:
        sys.stderr.write(f"{journal.printable(str(reason))}\n")
        return EX_CONFIG
    for problem in config.problems:
        sys.stderr.write(f"{journal.printable(str(problem))}\n")
    known = {str(problem) for problem in config.problems}
    for line in describe(config, origin=origin):
        if line not in known:
            sys.stdout.write(f"{journal.printable(line)}\n")
    if not config.repositories:
        sys.stdout.write("no repositories\n")
    return EX_CONFIG if config.problems else 0


def take_lock(main_file: str | None, environment: Mapping[str, str]) -> int | None:
    """Be the one daemon of this configuration: a descriptor to keep open, None if there is one.

    OSError if no folder for the lock can be written to.
    """
    path = os.path.realpath(places(main_file, environment).main[0])
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16] + ".lock"
    cache = environment.get("XDG_CACHE_HOME") or os.path.join(home(environment), ".cache")
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        try:
            return _lock(os.path.join(runtime, "autosync"), name)
        except OSError as reason:
            log.debug("No lock in %s (%s); %s is used.", runtime, reason.strerror, cache)
    return _lock(os.path.join(cache, "autosync"), name)


def _lock(folder: str, name: str) -> int | None:
    os.makedirs(folder, mode=0o700, exist_ok=True)
    lock = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _read(
    main_file: str | None,
    etc: str,
    previous: Configuration | None,
    *,
    real: Callable[[str], str] = os.path.realpath,
) -> Configuration:
    return load(main_file, previous=previous, environment=os.environ, etc=etc, real=real)


def _watch(main_file: str | None, etc: str) -> ConfigWatch | None:
    try:
        return ConfigWatch(main_file, os.environ, etc=etc)
    except WatchLimit as reason:
        log.error("%s", reason, extra=journal.fields(event=journal.Event.WATCH_LIMIT))
        return None
