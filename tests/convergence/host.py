"""One machine: a clone with its driver, the person at it, and the gate between driver and git."""

import collections
import os
import random
import threading
import time
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from autosyncd.model import Safety
from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED, Scope
from autosyncd.vcs.orders import CommitOrder, Stage, SyncOrder
from autosyncd.vcs.outcomes import CommitMade, CommitOutcome, NothingToCommit, SyncOutcome
from tests.convergence.gate import Gate
from tests.convergence.nursery import MARK, Order
from tests.convergence.oracle import Scanned
from tests.convergence.person import Person
from tests.trees import Clone, Record

if TYPE_CHECKING:
    from collections.abc import Callable

NO_LIMITS = Safety(1.0, 1.0, 10**9, 10**9, 1 << 50)


class Restless(Record):
    """A watcher in whose face somebody acts."""

    def __init__(self, host: "Host") -> None:
        super().__init__()
        self._host = host

    def stage(self, stage: Stage) -> None:
        self._host.interrupted()


class Host:
    """What a worker and a person do on one machine."""

    def __init__(
        self, root: Path, dice: random.Random, environment: dict[str, str], gates: Path
    ) -> None:
        self.name, self.dice = root.name, dice
        self.person = Person(str(root), root.name, random.Random(dice.random()), environment)
        self.gate = Gate(gates / root.name, self.interrupted)
        self.clone = Clone(root, self.gate.path(environment), safety=NO_LIMITS)
        self.clone.environment = environment
        self.clone.told = Restless(self)
        self.clone.driver.close()
        self._environment = self.gate.path(environment)
        self.working = threading.Lock()
        """One verb at a time."""
        self.boldness = 0.0
        """How likely the person acts at the gate."""
        self.fuse: int | None = None
        """After so many git commands, `burn` is called."""
        self.burn: Callable[[], None] = lambda: None
        self.outcomes: collections.Counter[str] = collections.Counter()
        self.oddities: list[str] = []

    def start(self) -> str:
        """A new worker: a new driver that looks at the tree."""
        self.clone.driver.close()
        self.clone.environment = self._environment
        self.clone.driver = self.clone._driver()
        outcome = self.clone.driver.inspect()
        self.clone.environment = self.person.environment
        return self.note("inspect", outcome)

    def interrupted(self) -> None:
        """The driver is about to do something."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse <= 0:
                self.fuse = None
                self.burn()
                return
        while self.person.dice.random() < self.boldness:
            self.person.act()

    def some_scope(self) -> Scope:
        """What a watcher might have reported: all that was touched; or nothing is known."""
        if self.dice.random() < 0.4:
            return EVERYTHING
        return self.touched()

    def touched(self) -> Scope:
        with self.person.oracle.lock:
            return Scope(frozenset(os.fsencode(path) for path in self.person.touched))

    def commit(self, scope: Scope, *, ignore_staged: bool) -> CommitOutcome:
        with self.working:
            began = time.monotonic()
            outcome = self.clone.driver.commit(CommitOrder(scope, ignore_staged=ignore_staged))
        self.note("commit", outcome)
        if isinstance(outcome, CommitMade | NothingToCommit):
            left_out = frozenset(left.path for left in outcome.left_out)
            self.committed(Scanned(began, time.monotonic(), scope, left_out))
        return outcome

    def committed(self, scanned: Scanned) -> None:
        """A commit was completed: what it owes, and what the watcher need not report again."""
        person = self.person
        with person.oracle.lock:
            person.oracle.scans.append(scanned)
            if not scanned.scope.everything:
                named = {os.fsdecode(path) for path in scanned.scope.paths}
                for path in named & person.touched.keys():
                    if person.touched[path] < scanned.began:
                        del person.touched[path]

    def sync(self, *, fetch: bool = True, pending: Scope = NOTHING_CHANGED) -> SyncOutcome:
        with self.working:
            outcome = self.clone.driver.sync(SyncOrder(fetch, pending=pending))
        self.note("sync", outcome)
        return outcome

    def sweep(self) -> bool:
        """True: something is left for later."""
        with self.working:
            return self.clone.driver.sweep()

    def some_verb(self) -> None:
        """What the worker might do now."""
        verb = self.dice.random()
        if verb < 0.45:
            self.commit(self.some_scope(), ignore_staged=self.dice.random() < 0.6)
        elif verb < 0.9:
            pending = self.some_scope() if self.dice.random() < 0.7 else NOTHING_CHANGED
            self.sync(fetch=self.dice.random() < 0.8, pending=pending)
        else:
            self.sweep()

    def stop(self) -> None:
        """Let another worker have the tree."""
        self.clone.driver.close()

    def order(self, verbs: tuple[str, ...], log: Path, mark: str) -> Order:
        """The same verbs for a child of the nursery."""
        with self.person.oracle.lock:
            touched = tuple(self.person.touched)
        environment = self._environment | {MARK: mark}
        return Order(self.person.root, verbs, touched, str(log), environment, astuple(NO_LIMITS))

    def note(self, verb: str, outcome: object) -> str:
        kind = type(outcome).__name__
        if kind in ("Failed", "Unfit", "Question", "Aborted"):
            self.oddities.append(f"{self.name} {verb}: {outcome}"[:600])
        if why := getattr(outcome, "why", None):
            kind += "-" + why.value
        self.outcomes[f"{verb}:{kind}"] += 1
        return kind

    def end(self) -> None:
        self.gate.end()
        self.clone.driver.close()
