"""From the command line to the supervisor's loop."""

import gc
import logging
import os
from dataclasses import dataclass
from functools import partial

from autosyncd import heap
from autosyncd.config.watch import ConfigWatch
from autosyncd.errors import ConfigError, WatchLimit
from autosyncd.service import journal
from autosyncd.service.notify import Notifier
from autosyncd.supervisor import alone
from autosyncd.supervisor.frame import Entries, Frame
from autosyncd.supervisor.loop import Supervisor
from autosyncd.supervisor.reading import read
from autosyncd.supervisor.signals import ignore_wishes
from autosyncd.supervisor.upgrade import Program

EX_FAILED = 1

log = logging.getLogger("autosyncd")


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    config: str | None = None
    check: bool = False
    origin: bool = False
    json: bool = False
    verbose: bool = False
    etc: str = "/etc"


def run(options: Options) -> int:
    """The whole service; the exit status."""
    try:
        main_file = os.path.abspath(options.config) if options.config is not None else None
    except FileNotFoundError:
        text = "%s can't be found: the folder this was started in is gone. Give all of its path."
        log.error(text, options.config, extra=journal.fields(event=journal.Event.CONFIG_PROBLEM))
        return os.EX_CONFIG  # systemd does not try again
    if options.check:
        from autosyncd.supervisor.check import check  # the service has no use for it

        return check(main_file, options.etc, origin=options.origin, in_json=options.json)
    ignore_wishes()
    journal.install(options.verbose)
    notifier, program = Notifier(), Program()
    os.chdir("/")
    take = partial(alone.take, main_file, os.environ)
    try:
        lock = alone.wait(take, notifier) if notifier.is_heard else alone.at_once(take)
        if lock is None:
            return 0 if notifier.is_heard else EX_FAILED
        try:
            return serve(main_file, options.etc, notifier, program)
        finally:
            os.close(lock)
    except ConfigError as reason:
        log.error("%s", reason, extra=journal.fields(event=journal.Event.CONFIG_PROBLEM))
        return os.EX_CONFIG


def serve(main_file: str | None, etc: str, notifier: Notifier, program: Program) -> int:
    """Set the loop into the real thing and run it."""
    # its INotify() comes before the first fork, because the very first one runs ldconfig (ctypes)
    watch = _watch(main_file, etc)
    host = os.uname().nodename
    frame = Frame(
        read=partial(read, main_file, etc),
        entries=entries(),
        host=host,
        watch=watch,
        upgraded=program.upgraded,
    )
    gc.collect()
    heap.trim()  # else each child has a share of it, and makes it its own bit by bit
    gc.freeze()  # so that no collection in a child writes to the pages it shares with the others
    supervisor = Supervisor(frame, notifier)
    status = supervisor.run()
    if supervisor.anew:
        try:
            program.start_anew(notifier)
        except OSError as reason:
            text = "The new version of autosyncd can't be started (%s), so this one ends."
            log.error(text, reason, extra=journal.fields(event=journal.Event.NOT_STARTED))
            return EX_FAILED
    return status


def entries() -> Entries:
    """The real children, loaded once here and shared by every process."""
    from autosyncd.messenger import main as messenger
    from autosyncd.worker import main as worker

    return Entries(worker.run, messenger.run, worker.afterwards)


def _watch(main_file: str | None, etc: str) -> ConfigWatch | None:
    try:
        return ConfigWatch(main_file, os.environ, etc=etc)
    except WatchLimit as reason:
        log.error("%s", reason, extra=journal.fields(event=journal.Event.WATCH_LIMIT))
        return None
