"""Watching all below one folder: first each watch, then the listing.

What comes into being meanwhile is in one of the two. What the map has and the listing has not is
marked, to be looked at before the look is over.
"""

from collections.abc import Collection

from autosyncd.watch.instance import Refusal
from autosyncd.watch.listing import GIT, TICK_EVERY, folder_names, join
from autosyncd.watch.treechanges import Findings
from autosyncd.watch.watches import Watches


def walk(watches: Watches, top: int, found: Findings, ignored: Collection[bytes] = ()) -> None:
    """Watch all below `top`, which is watched itself, but what is ignored or a repository of its own."""
    found.seen.add(top)
    stack = [top]
    walked = 0
    while stack:
        wd = stack.pop()
        path = watches.tree.path(wd)
        if path is None:
            continue
        walked += 1
        if walked % TICK_EVERY == 0:
            watches.tick(walked)
        names = _names(watches, wd, path, found)
        if GIT in names and wd != watches.tree.root:
            watches.close_nested(wd, path, found)
            continue
        watches.nested.discard(wd)
        for name in names:
            child = join(path, name)
            if child in ignored:
                watches.not_entered.ignored.add(child)
            elif name != GIT and child not in watches.not_entered:
                stack.extend(_enter(watches, wd, name, child, found))


def _names(watches: Watches, wd: int, path: bytes, found: Findings) -> list[bytes]:
    """What to enter below. A folder that can't be listed now stays unwalked: if it was renamed or
    becomes readable, an event brings us back."""
    try:
        names = folder_names(join(watches.root, path))
    except OSError:
        watches.unwatched += 1
        names = None
    if names is None:
        watches.unwalked.add(wd)
        return []
    watches.unwalked.discard(wd)
    for name in set(watches.tree.names(wd)).difference(names):
        found.visit(wd, name)
    return names


def _enter(watches: Watches, parent: int, name: bytes, path: bytes, found: Findings) -> list[int]:
    """Watch this folder; its descriptor, if what lies below is to be walked here."""
    wd = watches.instance.add(join(watches.root, path))
    if isinstance(wd, Refusal):
        watches.refused(wd, path, watches.tree.child(parent, name))
        return []
    if watches.place(parent, name, wd, found):
        found.fresh.add(wd)
    elif wd != watches.tree.child(parent, name):
        return []
    return [wd]
