"""Pure: where the repositories' paths lead to, as far as their workers have said it.

A worker knows its own path's end only. When two links lead into one another, the one whose entry comes
later has to give way, and it hears of it by being begun anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from autosyncd.config.overlap import Neighbours, neighbours, objection, overlap


@dataclass(slots=True)
class Leads:
    """For all repositories of one supervisor; their paths are in the configuration's order."""

    guarded: Mapping[str, str] = field(default_factory=dict)
    """Paths that no repository may contain, and what each is."""
    _leads: dict[str, str] = field(default_factory=dict)

    def forget(self, path: str) -> None:
        """The repository is no longer there."""
        self._leads.pop(path, None)

    def heard(self, path: str, real: str, names: Mapping[str, str]) -> set[str]:
        """The path leads there: which workers have to look again, since they may not work now.

        Nobody is named twice for one place, or two workers would replace each other for ever.
        """
        if self._leads.get(path) == real:
            return set()
        self._leads[path] = real
        order = list(names)
        later = set()
        for other, place in self._leads.items():
            if other != path and other in names and overlap(place, real):
                later.add(max(path, other, key=order.index))
        return later

    def around(self, path: str, names: Mapping[str, str]) -> Neighbours:
        """What the worker of this path has to heed."""
        return neighbours(path, names, self.guarded, self._leads)

    def objection(self, path: str, names: Mapping[str, str]) -> str:
        """What keeps the worker of this path from its work, as far as it is known where that leads."""
        return objection(path, self._leads.get(path, path), self.around(path, names))
