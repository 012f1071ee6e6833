"""Pure: whether a repository whose path leads elsewhere may be synced there, beside all others.

Files are chosen by paths as they are written (choice.py), since nobody but a repository's own worker may
have to wait for its file system. What links make of them is found out afterwards, by the worker and by
`autosyncd --check`; both ask here, so that they say the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from autosyncd.config.choice import inside


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What else the configuration speaks of."""

    names: Mapping[str, str] = field(default_factory=dict)
    """Path to name of each repository: as written, and where a link leads, if that is known."""
    guarded: Mapping[str, str] = field(default_factory=dict)
    """Paths that no repository may contain, and what each is."""


def neighbours(
    path: str, names: Mapping[str, str], guarded: Mapping[str, str], leads: Mapping[str, str]
) -> Neighbours:
    """Those of the repository at `path`; `names` in the order of the configuration.

    `leads`: where paths lead to, as far as it is known. Of two links the earlier one has its place.
    """
    places = {other: name for other, name in names.items() if other != path}
    for other, name in names.items():
        if other == path:
            break
        places.setdefault(leads.get(other, other), name)
    return Neighbours(places, guarded)


def overlap(one: str, other: str) -> bool:
    """Whether one of two folders is the other, or lies in it."""
    return inside(one, other) or inside(other, one)


def objection(path: str, real: str, around: Neighbours) -> str:
    """Why nobody may work at `real`, which `path` leads to, as a sentence; empty: nothing is wrong."""
    if real == path:
        return ""  # as written it was compared already
    leads = f"{path} leads to {real}"
    for place, name in around.names.items():
        if place == real:
            return f"{leads}, which is the repository {name} already; keep one of the two entries."
        if inside(real, place):
            return f"{leads}, which lies inside the repository {name}; keep one of the two entries."
        if inside(place, real):
            return f"{leads}, and the repository {name} lies in it; keep one of the two entries."
    what = next((what for there, what in around.guarded.items() if inside(there, real)), "")
    if what:
        return f"{leads}, and {what} lies in it, so a pull could change it; move one of them."
    return ""
