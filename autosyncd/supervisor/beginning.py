"""The workers that are still to begin: a part in each turn of the loop, as many as one has time for."""

from collections.abc import Callable
from functools import partial

from autosyncd import clock
from autosyncd.config.overlap import Neighbours
from autosyncd.link.channel import Link
from autosyncd.model import RepoConfig
from autosyncd.supervisor.child import Limits
from autosyncd.supervisor.children import Children
from autosyncd.supervisor.whereabouts import WorkerEntry, find

BEGIN_FOR = 0.5
"""Seconds in one turn for beginning workers: the loop has a clock, signals and systemd to heed."""
BEGIN_FIRST, BEGIN_MOST = 32, 128
"""How many begin in the first turn, and in one at most: those made together share most memory."""


class Beginning:
    """Workers are known by their path. `around`: what the one of a path has to heed."""

    def __init__(
        self,
        children: Children,
        entry: WorkerEntry,
        limits: Limits,
        around: Callable[[str], Neighbours],
    ) -> None:
        self._children, self._entry, self._limits = children, entry, limits
        self._around = around
        self._waiting: dict[str, RepoConfig] = {}
        """Whose worker is to be made, or replaced, in this order."""
        self._at_once = BEGIN_FIRST

    @property
    def waiting(self) -> bool:
        """tick() has something to do."""
        return bool(self._waiting)

    def add(self, config: RepoConfig) -> None:
        """Its worker is to begin, or to begin anew, by this configuration."""
        self._waiting[config.path] = config

    def drop(self, path: str) -> None:
        """It is to begin no more."""
        self._waiting.pop(path, None)

    def tick(self) -> list[str]:
        """Make the next workers, and say which."""
        if not self._waiting:
            return []
        began = clock.now()
        paths = self._make(self._at_once)
        a_second = len(paths) / max(clock.now() - began, 0.001)
        self._at_once = max(1, min(int(BEGIN_FOR * a_second), BEGIN_MOST))
        return paths

    def all(self) -> list[str]:
        """Make all of them now, and say which."""
        return self._make(len(self._waiting))

    def _make(self, most: int) -> list[str]:
        """One that runs by an older configuration ends first."""
        configs = list(self._waiting.values())[:most]
        for config in configs:
            del self._waiting[config.path]
        entries = {c.path: (c.name, partial(self._work, c)) for c in configs}
        self._children.keep_all(entries, self._limits)
        return list(entries)

    def _work(self, config: RepoConfig, link: Link) -> int:
        """In the forked child, with all that is known at this moment."""

        def where() -> str | None:
            return find(config, self._around(config.path), link)

        return self._entry(config, link, where)
