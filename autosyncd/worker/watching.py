"""The worker's hold on the watch: armed once the tree was looked at, made right after every doubt.

What it tells is told as events of the machine, in the order in which the machine is to hear them.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

from autosyncd import clock
from autosyncd.vcs.changes import EVERYTHING, Scope
from autosyncd.watch.inotify import TreeWatch
from autosyncd.watch.instance import Instance
from autosyncd.watch.limits import unreliable
from autosyncd.watch.treechanges import TreeChanges
from autosyncd.worker.events import Changed, Event, RootGone, RulesChanged, WatchState
from autosyncd.worker.headlog import Tapped

RENAME_PATIENCE = 0.01
"""Seconds to wait for the other half of a rename."""
REARMS_AT_ONCE = 3
"""Times in a row that the watches are made right, in a tree whose folders never stop moving."""


class Watching:
    """The watch of one tree, or none yet."""

    def __init__(self, root: bytes, instance: Instance, tick: Callable[[int], None]) -> None:
        self._root, self._tick = root, tick
        self._instance = Tapped(instance)
        self._watch: TreeWatch | None = None
        self._ignored: frozenset[bytes] = frozenset()
        self._foreign: str | None = None
        self._said: WatchState | None = None
        self._settle_at = float("inf")

    def fileno(self) -> int | None:
        """What to select on; None while nothing is watched."""
        return self._watch.fileno() if self._watch is not None else None

    @property
    def folders(self) -> int:
        """How many are watched."""
        return self._watch.watched if self._watch is not None else 0

    @property
    def patience(self) -> float:
        """Seconds until settle_if_due() has something to do (infinity: nothing)."""
        return max(0.0, self._settle_at - clock.now())

    def arm(self, ignored: frozenset[bytes], head_log: bytes) -> list[Event]:
        """Watch everything but these folders; also when there was a watch already."""
        self._ignored = ignored
        self._instance.listen(head_log)
        if self._watch is None:
            self._watch = TreeWatch(self._root, ignored, instance=self._instance, tick=self._tick)
            self._foreign = unreliable(self._root)
            changes = self._watch.arm()
        else:
            changes = self._watch.rearm(ignored)
        # `ignored` is by the rules as they are
        return self._told(replace(changes, rules_changed=False))

    def rearm(self) -> TreeChanges:
        """Make the watches right again after lost events."""
        return self._watch.rearm(self._ignored) if self._watch is not None else TreeChanges()

    def judged(self, ignored: frozenset[bytes], kept: frozenset[bytes]) -> list[Event]:
        """git's answer about new folders."""
        self._ignored |= ignored
        return self._told(self._watch.judged(ignored, kept)) if self._watch is not None else []

    def read(self) -> list[Event]:
        """All that the kernel has to tell now."""
        if self._watch is None:
            return []
        changes = self._watch.read()
        self._settle_at = clock.now() + RENAME_PATIENCE if self._watch.unsettled else float("inf")
        return self._told(changes)

    def branch_moved(self) -> bool:
        """Whether the branch was moved since this was asked last."""
        return self._instance.written()

    def settle_if_due(self) -> None:
        """The other half of a rename did not come: the folder has left the tree."""
        if self._watch is not None and clock.now() >= self._settle_at:
            self._watch.settle()
            self._settle_at = float("inf")

    def close(self) -> None:
        """End all watches."""
        if self._watch is not None:
            self._watch.close()

    def _told(self, changes: TreeChanges) -> list[Event]:
        """Where events were lost, the watches are made right first: whoever looks at everything
        afterwards misses nothing."""
        told: list[Event] = []
        for _ in range(REARMS_AT_ONCE):
            if not changes.rescan or changes.gone or changes.rules_changed:
                break
            rearmed = self.rearm()
            told += [Changed(EVERYTHING), *_changed(changes)]
            changes = rearmed
        if changes.gone:
            told.append(RootGone())
        elif changes.rules_changed or changes.rescan:
            # what is still not right is armed anew after the quiet time
            told.append(RulesChanged())
        news = self._completeness()
        return [*told, *_changed(changes), *([news] if news is not None else [])]

    def _completeness(self) -> WatchState | None:
        """Whether the watch sees everything, if that is news."""
        if self._watch is None:
            return None
        state = WatchState(self._watch.complete, self._watch.limits or "")
        if state.complete and self._foreign is not None:
            path = os.fsdecode(self._root)
            state = WatchState(
                complete=False,
                text=f"{path} is on {self._foreign}, where changes made elsewhere are not announced; "
                "it is looked through once a minute.",
            )
        news = state if state != (self._said or WatchState(complete=True)) else None
        self._said = state
        return news


def _changed(changes: TreeChanges) -> Iterator[Changed]:
    changed = changes.changed.union(changes.nested)  # which are to be named, if only once
    if changed or changes.new_folders:
        yield Changed(Scope(changed), changes.new_folders)
