"""The watches that are set on one tree, and the map that says which folder each stands for.

Moves are not taken from the events' cookies but from the kernel's answer to "watch this path": a
folder that has a watch keeps its descriptor, so the answer tells which folder is at a path now. The
events only say at which places to look. Should a path be out of date at that moment, because a folder
above was renamed again, the event of that rename is still in the queue, and a renamed folder is
walked as a whole once it is judged. So the map comes right whatever the timing.
"""

import os
from collections.abc import Callable, Collection, Iterable

from autosyncd.watch.instance import ATTRIB, CREATE, DELETE, MOVED_FROM, MOVED_TO, Instance, Refusal
from autosyncd.watch.listing import GIT, count_folders, join
from autosyncd.watch.notentered import NotEntered
from autosyncd.watch.tree import WatchTree
from autosyncd.watch.treechanges import Findings

ARRIVAL = CREATE | MOVED_TO
DEPARTURE = DELETE | MOVED_FROM
NO_ROOT = 0
"""The root's descriptor while it isn't watched; the kernel's begin at 1."""


class Watches:
    """Sets and ends the watches of one tree; what is learnt on the way goes into Findings."""

    def __init__(
        self,
        root: bytes,
        ignored: Collection[bytes],
        instance: Instance,
        tick: Callable[[int], None],
    ) -> None:
        self.root, self.instance, self.tick = root, instance, tick
        self.tree = WatchTree(NO_ROOT)
        self.not_entered = NotEntered(ignored)
        self.unwalked: set[int] = set()
        """Folders that are watched, and what lies below them not yet."""
        self.nested: set[int] = set()
        """Repositories of their own: watched, without what lies below, so that the end of that shows."""
        self.leaving: set[int] = set()
        """Folders that left their place; the other half of the rename has not been seen yet."""
        self.shared: Collection[int] = ()
        """Descriptors that somebody else needs too: these watches are never ended."""
        self.unwatched = 0
        self.full = False
        """Whether it was the kernel's limit that left folders unwatched."""

    # the root

    def take_root(self) -> bool:
        """Begin at the root, or go on if it is the same folder as before; False: there is none."""
        self.unwatched, self.full = 0, False
        if not self.instance.open():
            return True
        wd = self.instance.add(self.root)
        if wd == self.tree.root:
            return True
        for old in self.tree:
            self.instance.remove(old)
        self.leaving, self.unwalked, self.nested = set(), set(), set()
        self.tree = WatchTree(NO_ROOT if isinstance(wd, Refusal) else wd)
        if isinstance(wd, Refusal):
            self.refused(wd, b"")
        return wd is not Refusal.ABSENT

    def root_is_there(self) -> bool:
        """Whether the watched root is still what its path leads to."""
        wd = self.instance.add(self.root)
        if not isinstance(wd, Refusal) and wd != self.tree.root and wd not in self.shared:
            self.instance.remove(wd)
        return wd == self.tree.root or wd in (Refusal.UNREADABLE, Refusal.FAULT)

    # one place

    def visit_all(self, found: Findings) -> None:
        """Make the map right at every place that was named, and at those this leads to."""
        while found.visits:
            visits, found.visits = found.visits, {}
            for (parent, name), mask in visits.items():
                if parent in self.tree:
                    self._visit(parent, name, mask, found)

    def _visit(self, parent: int, name: bytes, mask: int, found: Findings) -> None:
        path = self.tree.below(parent, name)
        if path is None or path in self.not_entered:
            return
        if mask & (ARRIVAL | DEPARTURE):
            found.changed.add(path)
        known = self.tree.child(parent, name)
        if known is None and mask & DEPARTURE and not mask & ARRIVAL:
            return
        wd = self.instance.add(join(self.root, path))
        if isinstance(wd, Refusal):
            found.missed |= wd is Refusal.ABSENT and bool(mask & ARRIVAL)
            self.refused(wd, path, known)
            return
        found.asked_anew |= wd == known and bool(mask & ATTRIB)  # it may be readable again
        news = self.place(parent, name, wd, found)
        if wd in found.seen and (news or mask & MOVED_TO):
            self.unwalked.add(wd)
            found.fresh.add(wd)

    def place(self, parent: int, name: bytes, wd: int, found: Findings) -> bool:
        """The kernel says that this folder is here. Returns whether that is news."""
        tree = self.tree
        here = tree.child(parent, name)
        if here == wd:
            found.seen.add(wd)
            return False
        if wd in found.seen and self._still_there(wd):
            return False  # mounted at two places of the tree: it stays where it was met first
        if wd in tree and tree.under(parent, wd):
            found.rescan = True  # nothing is inside itself: the map is too old to be mended here
            return False
        if here is not None:
            self._detach(here)
        found.seen.add(wd)
        if wd not in tree:
            tree.add(parent, name, wd)
            return True
        old = tree.place(wd)
        if old is not None:
            self._detach(wd)
            found.visit(*old)
        tree.move(wd, parent, name)
        self.leaving.discard(wd)
        found.asked_anew = True
        return True

    def _still_there(self, wd: int) -> bool:
        path = self.tree.path(wd)
        return path is not None and self.instance.add(join(self.root, path)) == wd

    def refused(self, refusal: Refusal, path: bytes, known: int | None = None) -> None:
        """Nothing new is watched at a place where `known` was. That one needs no room to be watched
        once more, so what the kernel has no room for is another folder."""
        if known is not None and refusal in (Refusal.ABSENT, Refusal.NO_ROOM):
            self._detach(known)
        if refusal in (Refusal.NO_ROOM, Refusal.FAULT):
            self.unwatched += count_folders(self.root, path, self.not_entered.ignored, self.tick)
            self.full |= refusal is Refusal.NO_ROOM

    # what leaves

    def lost(self, wd: int, found: Findings) -> None:
        """The kernel ended a watch: the folder was deleted, or its file system unmounted."""
        path, place = self.tree.path(wd), self.tree.place(wd)
        self.not_entered.forget_below(path)
        self.leaving.discard(wd)
        self.leaving.update(self.tree.lose(wd))
        self.unwalked.discard(wd)
        if wd in self.nested and path is not None:
            self.not_entered.nested.discard(path)
        self.nested.discard(wd)
        if path is not None and place is not None:
            found.changed.add(path)
            found.visit(*place)

    def let_go(self, leaving: Iterable[int]) -> None:
        """End the watches of those that have found no new place."""
        for wd in leaving:
            if wd in self.tree and self.tree.path(wd) is None:
                self._drop(wd)

    def drop_path(self, path: bytes) -> bool:
        """End the watches of a folder and of all below it; whether there were any. The root stays."""
        wd = self.tree.find(path)
        if wd is None or wd == self.tree.root:
            return False
        self._drop(wd)
        return True

    def look_for_repository(self, wd: int, found: Findings) -> None:
        """A `.git` came into the folder, or left it."""
        path = self.tree.path(wd)
        if path is None:
            return
        if os.path.lexists(join(join(self.root, path), GIT)):
            self.close_nested(wd, path, found)
        elif wd in self.nested:
            self.nested.discard(wd)
            self.not_entered.nested.discard(path)
            self.unwalked.add(wd)
            found.fresh.add(wd)

    def close_nested(self, wd: int, path: bytes, found: Findings) -> None:
        """The folder turns out to be a repository of its own."""
        for name in self.tree.names(wd):
            child = self.tree.child(wd, name)
            if child is not None:
                self._drop(child)
        self.not_entered.forget_below(path)
        self.unwalked.discard(wd)
        found.fresh.discard(wd)
        self.nested.add(wd)
        if path not in self.not_entered.nested:
            self.not_entered.nested.add(path)
            found.nested.append(path)

    def _drop(self, top: int) -> None:
        self.not_entered.forget_below(self.tree.path(top))
        for wd in self.tree.drop(top):
            self.unwalked.discard(wd)
            self.nested.discard(wd)
            self.leaving.discard(wd)
            if wd not in self.shared:
                self.instance.remove(wd)

    def _detach(self, wd: int) -> None:
        self.not_entered.forget_below(self.tree.path(wd))
        self.tree.detach(wd)
        self.leaving.add(wd)
