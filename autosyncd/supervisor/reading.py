"""The configuration that holds: when it is to be read again, and what is said of it."""

import logging
import os
from collections.abc import Callable
from math import inf

from autosyncd import clock
from autosyncd.config.load import load
from autosyncd.config.places import as_written
from autosyncd.config.settings import Configuration
from autosyncd.errors import WatchLimit
from autosyncd.link.messages import cut
from autosyncd.link.outside import Alert, Withdraw
from autosyncd.model import AlertKind
from autosyncd.service.journal import Event, fields
from autosyncd.supervisor.frame import Watch
from autosyncd.supervisor.herald import Herald

SETTLE = 0.5
"""Seconds from a change of the configuration until it is read: editors write more than once."""
TOPIC = "configuration"

log = logging.getLogger("autosyncd")


def read(main_file: str | None, etc: str, previous: Configuration | None) -> Configuration:
    """The configuration. Nobody looks at a repository's path here: that may take for ever, and a
    worker does it."""
    return load(main_file, previous=previous, environment=os.environ, etc=etc, real=as_written)


class Reading:
    """Reads by `read(previous)`; who wants to hear of an edit asks `watch`, while there is one."""

    def __init__(
        self,
        read: Callable[[Configuration | None], Configuration],
        watch: Watch | None,
        herald: Herald,
    ) -> None:
        self._read = read
        self._herald = herald
        self._said: frozenset[str] = frozenset()
        self._notes: frozenset[str] = frozenset()
        self._at = inf
        self.watch = watch
        self.held: Configuration | None = None

    @property
    def problems(self) -> list[str]:
        """Of all files, as lines."""
        return [str(problem) for problem in self.held.problems] if self.held else []

    def noticed(self) -> None:
        """The watch has something; it is given up when the kernel allows no more."""
        if self.watch is None:
            return
        try:
            changed = self.watch.changed()
        except WatchLimit as reason:
            log.error("%s", reason, extra=fields(event=Event.WATCH_LIMIT))
            self.watch = None
            changed = True
        if changed and self._at == inf:
            self._at = clock.now() + SETTLE

    def deadline(self) -> float:
        """When the files are to be read."""
        return self._at

    def skip(self) -> None:
        """Not to be read because of what was noticed until now."""
        self._at = inf

    def again(self) -> Configuration:
        """Read the files. ConfigError: for the first time, and it can't be done."""
        self._at = inf
        config = self._read(self.held)
        self.held = config
        return config

    def say(self) -> None:
        """What is wrong, to the journal once and to the person as long as it lasts; and notes."""
        problems = self.problems
        for problem in problems:
            if problem not in self._said:
                log.error("%s", problem, extra=fields(event=Event.CONFIG_PROBLEM))
        self._said = frozenset(problems)
        notes = self.held.notes if self.held else ()
        for note in notes:
            if note not in self._notes:
                log.info("%s", note)
        self._notes = frozenset(notes)
        if problems:
            title, text = "autosync: a problem in the configuration", cut("\n".join(problems))
            self._herald.alert(Alert("", AlertKind.PROBLEM, TOPIC, title, text))
        else:
            self._herald.withdraw(Withdraw("", TOPIC))
