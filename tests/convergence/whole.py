"""The same people, with whole daemons: a reflector between them, real watches, real waits."""

import contextlib
import os
import random
import time
from pathlib import Path

from tests.convergence.judge import MARKER, look, short
from tests.convergence.oracle import blob_id
from tests.convergence.person import Person
from tests.daemons import Daemon, clone, daemon, git, hub
from tests.reflector_process import ReflectorProcess

PATIENT = {"staged_wait": "1s", "safety": {"min_files": 1000000, "max_new": 1000000}}
"""Nothing is asked."""
REST = 120.0
"""Seconds in which daemons have to come to rest."""


class Machines:
    """A daemon each, on one hub and one reflector."""

    def __init__(self, folder: Path, hosts: int, seed: int, environment: dict[str, str]) -> None:
        self.dice, self.folder = random.Random(seed), folder
        self.hub = hub(folder)
        self.people: list[Person] = []
        self.daemons: list[Daemon] = []
        self.verified = 0
        self._stack = contextlib.ExitStack()
        server = self._stack.enter_context(ReflectorProcess())
        for number in range(hosts):
            root = clone(self.hub, folder / f"host{number}")
            one = self._stack.enter_context(daemon(folder, f"machine{number}"))
            one.configure({"path": str(root), "poll_every": "10s", **PATIENT}, fanout=server.port)
            one.start().ready(root.name)
            self.daemons.append(one)
            dice = random.Random(self.dice.random())
            person = Person(str(root), root.name, dice, environment)
            # A store through a mapping is told by no event. The hourly look finds it; nobody here
            # waits for that.
            person.mapped = 0.0
            self.people.append(person)

    def round(self) -> None:
        """People act for a while, at random instants; in between a worker may be killed."""
        end = time.monotonic() + self.dice.random() * 2
        while time.monotonic() < end:
            self.dice.choice(self.people).act()
            time.sleep(self.dice.random() * 0.05)

    def kill_a_worker(self) -> None:
        for pid in self.dice.choice(self.daemons).workers().values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    def rest(self, *, tidy: bool = True) -> list[str]:
        """Everybody goes home; when all is quiet, what is wrong. Then one tidies up, if wanted."""
        for person in self.people:
            person.go_home()
        end = time.monotonic() + REST
        quiet_since, last = time.monotonic(), ""
        while time.monotonic() < end:
            now = self._state()
            if now != last or self._unlike():
                quiet_since, last = time.monotonic(), now
            elif time.monotonic() - quiet_since > 8:
                break
            time.sleep(0.5)
        faults = self._unlike()
        faults += self._lost()
        if tidy:
            self.people[0].tidy()
        return faults

    def stays(self, seconds: float) -> list[str]:
        """Nobody is there: what changes all the same in so many seconds."""
        if faults := self.rest(tidy=False):
            return faults
        before, end = self._state(), time.monotonic() + seconds
        while time.monotonic() < end:
            if self._state() != before:
                return [f"a commit while nobody was there: {before!r}, then {self._state()!r}"]
            time.sleep(1)
        return self._unlike()

    def _state(self) -> str:
        return " ".join(
            git(Path(person.root), "rev-parse", "HEAD", check=False) for person in self.people
        )

    def _unlike(self) -> list[str]:
        faults = []
        trees = [look(person.root) for person in self.people]
        for person, tree in zip(self.people[1:], trees[1:], strict=True):
            different = sorted(
                p for p in tree.keys() | trees[0].keys() if tree.get(p) != trees[0].get(p)
            )
            shown = [(p, short(trees[0].get(p)), short(tree.get(p))) for p in different[:3]]
            faults += [f"host0 and {person.name} differ in {shown}"] if shown else []
        for person in self.people:
            status = git(
                Path(person.root), "--no-optional-locks", "status", "--porcelain", check=False
            )
            faults += [f"{person.name}: git status says {status[:300]!r}"] if status else []
        if len(set(self._state().split())) != 1:
            faults.append(f"heads differ: {self._state()!r}")
        return faults

    def _lost(self) -> list[str]:
        there = {line[:40] for line in git(self.hub, "rev-list", "--objects", "main").split("\n")}
        faults = []
        for person in self.people:
            owed = person.oracle.settle()
            self.verified += len(owed)
            faults += [f"LOST {one}" for one in owed if blob_id(one.written.data) not in there]
            said = git(Path(person.root), "fsck", "--no-dangling", "--no-progress", check=False)
            faults += [f"{person.name}: git fsck says {said[:300]!r}"] if said else []
            for path, found in look(person.root).items():
                if MARKER.search(found[1]):
                    faults.append(f"a conflict marker in {person.name}:{path}")
        return faults

    def end(self) -> None:
        self._stack.close()
