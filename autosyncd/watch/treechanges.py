"""Pure: what one look at the kernel's queue has told about a tree."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TreeChanges:
    """What may have changed. Paths are bytes relative to the root of the tree."""

    changed: frozenset[bytes] = frozenset()
    """Files and folders that may differ; a folder stands for everything below it. What is named may
    no longer exist."""
    new_folders: frozenset[bytes] = frozenset()
    """Folders of which it must be asked whether they are ignored (TreeWatch.judged)."""
    rescan: bool = False
    """Events were lost or made no sense: anything may have changed; TreeWatch.rearm is due."""
    gone: bool = False
    """The root vanished, was moved or unmounted; TreeWatch.rearm begins again where one is."""
    nested: tuple[bytes, ...] = ()
    """Folders newly found to be repositories of their own; what is below is not
    watched."""
    rules_changed: bool = False
    """What is ignored may have changed; TreeWatch.rearm with a new answer is due."""


@dataclass(slots=True)
class Findings:
    """What becomes a TreeChanges, while it is gathered. Folders are held by descriptor, since a rename
    that is seen later in the same look changes their paths."""

    changed: set[bytes] = field(default_factory=set)
    written: set[tuple[int, bytes]] = field(default_factory=set)
    """Files: the folder's descriptor, the name."""
    visits: dict[tuple[int, bytes], int] = field(default_factory=dict)
    """Places where a folder came, went or may have done so, with all that was said of each (IN_…
    bits); in the order in which the kernel first spoke of them."""
    seen: set[int] = field(default_factory=set)
    """Descriptors the kernel has confirmed at their place during this call."""
    fresh: set[int] = field(default_factory=set)
    """Folders to be judged."""
    repositories: set[int] = field(default_factory=set)
    """Folders in which a `.git` has appeared or gone."""
    nested: list[bytes] = field(default_factory=list)
    asked_anew: bool = False
    """Some folder is at a new place or became readable: what still waits for a judgement is asked
    once more, under its present path."""
    rescan: bool = False
    rules_changed: bool = False
    missed: bool = False
    """A folder that was announced could not be found: perhaps the root is no longer there."""

    def visit(self, parent: int, name: bytes, mask: int = 0) -> None:
        """Look at this place before the look is over."""
        key = (parent, name)
        self.visits[key] = self.visits.get(key, 0) | mask
