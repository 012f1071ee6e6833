"""Which paths of one work tree may have changed, as the kernel tells it (inotify(7)).

A folder that comes into being, or is renamed, is reported as a new folder; a new one is watched alone
at first. The caller asks git whether it is ignored and answers with judged(), which then watches what
lies below. Everything below a kept folder is watched *before* it is listed, and the folder is reported
as changed once more afterwards: what was written meanwhile is either in that report or in an event.
"""

import os
from collections.abc import Callable, Collection

from autosyncd.watch import instance as kernel
from autosyncd.watch.instance import Instance, Refusal
from autosyncd.watch.limits import files_left, instance_shortage, read_limits, watch_shortage
from autosyncd.watch.listing import GIT, join
from autosyncd.watch.treechanges import Findings, TreeChanges
from autosyncd.watch.walk import walk
from autosyncd.watch.watches import ARRIVAL, DEPARTURE, NO_ROOT, Watches

RULE_NAMES = frozenset({b".gitignore", b".gitattributes"})
_ROOT_GONE = kernel.DELETE_SELF | kernel.MOVE_SELF | kernel.UNMOUNT | kernel.IGNORED


class TreeWatch:
    """Watches one tree. One thread uses it, and no method waits for an event; arm(), rearm() and
    judged() list folders, some 30 µs each, and call `tick` with their count every few hundred.

    `root` is absolute and no symlink. `ignored`: folders (relative) that git ignores and in which
    nothing is tracked. Files of rules are noticed in the tree and in its `.git/info`.
    """

    def __init__(
        self,
        root: bytes,
        ignored: Collection[bytes] = (),
        *,
        instance: Instance | None = None,
        tick: Callable[[int], None] = lambda _folders: None,
    ) -> None:
        self._watches = Watches(root, _normal(ignored), instance or Instance(), tick)
        info = os.path.join(root, GIT, b"info")
        self._rule_files = (os.path.join(info, b"exclude"), os.path.join(info, b"attributes"))
        self._rules: dict[int, set[bytes]] = {}
        self._unjudged: set[int] = set()
        self._gone = False

    def fileno(self) -> int | None:
        """What to select on. None: there is no inotify instance; arm() and rearm() try for one."""
        return self._watches.instance.fileno()

    @property
    def complete(self) -> bool:
        """Whether every folder that should be watched is. If not, look through the tree at times."""
        watches = self._watches
        return watches.tree.root != NO_ROOT and not watches.unwatched and not self._gone

    @property
    def watched(self) -> int:
        """How many folders are watched; those of which only the end as a repository is not counted."""
        tree = self._watches.tree
        return len(tree) - len(self._watches.nested) if tree.root != NO_ROOT else 0

    @property
    def limits(self) -> str | None:
        """Which of the kernel's limits is in the way and how to raise it; None: none is."""
        watches = self._watches
        if watches.instance.error is not None:
            error = watches.instance.error
            return instance_shortage(error, read_limits(), files_left=files_left())
        if watches.full:
            return watch_shortage(self.watched, watches.unwatched, read_limits())
        return None

    @property
    def unsettled(self) -> bool:
        """Whether half a rename was seen: call settle() if no read() comes within some 10 ms."""
        return bool(self._watches.leaving)

    def close(self) -> None:
        """End all watches."""
        self._watches.instance.close()

    def arm(self) -> TreeChanges:
        """Watch the root and every folder below it that is neither ignored nor a repository of its
        own. Whoever lists the tree afterwards misses nothing."""
        return self.rearm(self._watches.not_entered.ignored)

    def rearm(self, ignored: Collection[bytes]) -> TreeChanges:
        """Make the watches right again: after lost events, with new rules, or to try after a limit
        was raised. What changed while events were lost is for the caller to find."""
        watches, found = self._watches, Findings()
        watches.not_entered.ignored = _normal(ignored)
        self._gone = not watches.take_root()
        if watches.tree.root != NO_ROOT:
            self._watch_rules()
            for path in _normal(ignored):
                watches.drop_path(path)
            known, watches.not_entered.nested = watches.not_entered.nested, set()
            walk(watches, watches.tree.root, found, _normal(ignored))
            watches.visit_all(found)
            self.settle()
            found.nested = [path for path in found.nested if path not in known]
            # git has just been asked about all the others
            found.fresh &= watches.unwalked
            self._unjudged &= watches.unwalked
        return self._changes(found)

    def read(self) -> TreeChanges:
        """All that the kernel has to tell at this moment, without waiting."""
        watches, found = self._watches, Findings()
        before, watches.leaving = watches.leaving, set()
        for wd, mask, name in watches.instance.events():
            self._note(wd, mask, name, found)
        if not self._gone:
            watches.visit_all(found)
            # only now: its path may have changed in the same look
            for wd in found.repositories:
                watches.look_for_repository(wd, found)
            watches.let_go(before)
            self._gone = found.missed and not watches.root_is_there()
        return self._changes(found)

    def settle(self) -> None:
        """Nothing more came: what has left its place has left the tree and is watched no longer."""
        self._watches.let_go(list(self._watches.leaving))

    def judged(self, ignored: Collection[bytes], kept: Collection[bytes]) -> TreeChanges:
        """git's answer about new folders. Ignored ones are watched no longer; kept ones are watched
        with all below them and reported as changed. Folders found there are new in their turn: the
        second answer only serves to leave ignored ones out again, nothing is missed before it.
        Ignored folders deeper inside a kept one may be named at once and are then never entered.
        A path that no longer exists does no harm: where it went is a new folder too."""
        watches, found = self._watches, Findings()
        ignored = _normal(ignored)
        for path in ignored:
            if watches.drop_path(path):
                watches.not_entered.ignored.add(path)
        for path in sorted(_normal(kept)):
            wd = watches.tree.find(path)
            if wd is None:
                continue
            self._unjudged.discard(wd)
            if wd in watches.unwalked:
                walk(watches, wd, found, ignored)
                if wd in watches.tree and wd not in watches.nested:
                    found.changed.add(path)
        watches.visit_all(found)
        return self._changes(found)

    def _note(self, wd: int, mask: int, name: bytes, found: Findings) -> None:
        """One event. Where folders came or went is only marked, to be looked at when all are read."""
        tree = self._watches.tree
        if mask & kernel.Q_OVERFLOW:
            found.rescan = True
        found.rules_changed |= name in self._rules.get(wd, ())
        if wd not in tree:
            return
        if wd == tree.root and mask & _ROOT_GONE:
            self._gone = True
        elif mask & kernel.IGNORED:
            self._watches.lost(wd, found)
        elif name == GIT:
            if wd != tree.root and mask & (ARRIVAL | DEPARTURE):
                found.repositories.add(wd)
        elif wd in self._watches.nested:
            pass  # what else happens there is that repository's business
        elif name and mask & kernel.ISDIR:
            self._note_folder(wd, mask, name, found)
        elif name:
            found.written.add((wd, name))

    def _note_folder(self, wd: int, mask: int, name: bytes, found: Findings) -> None:
        path = self._watches.tree.below(wd, name) if mask & DEPARTURE else None
        if path is not None:
            not_entered = self._watches.not_entered
            not_entered.nested.discard(path)
            if path in not_entered.ignored:
                # whatever has this name next is asked about anew
                not_entered.ignored.discard(path)
                return
        found.visit(wd, name, mask)

    def _watch_rules(self) -> None:
        self._rules.clear()
        for path in self._rule_files:
            wd = self._watches.instance.add(os.path.dirname(path))
            if not isinstance(wd, Refusal):
                self._rules.setdefault(wd, set()).add(os.path.basename(path))
        self._watches.shared = frozenset(self._rules)

    def _changes(self, found: Findings) -> TreeChanges:
        tree = self._watches.tree
        self._unjudged = {wd for wd in self._unjudged | found.fresh if wd in tree}
        asking = self._unjudged | self._watches.unwalked if found.asked_anew else found.fresh
        folders = {wd: tree.path(wd) for wd in {wd for wd, _ in found.written}}
        for wd, name in found.written:
            folder = folders[wd]
            if folder is not None:
                found.changed.add(join(folder, name))
        return TreeChanges(
            changed=frozenset(found.changed),
            new_folders=frozenset(p for p in map(tree.path, asking) if p is not None),
            rescan=found.rescan,
            gone=self._gone,
            nested=tuple(found.nested),
            rules_changed=any(name in RULE_NAMES for _, name in found.written)
            or found.rules_changed,
        )


def _normal(paths: Collection[bytes]) -> set[bytes]:
    """git writes a folder with a trailing slash."""
    return {path.rstrip(b"/") for path in paths}
