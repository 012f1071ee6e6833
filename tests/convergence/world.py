"""A hub and its machines in one folder, and what happens there in a round."""

import os
import random
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from tests.convergence.host import Host
from tests.convergence.judge import Judge


class World:
    """A hub and its hosts in one folder."""

    def __init__(
        self, folder: Path, hosts: int, seed: int, *, calm: bool = False, unusual: bool = False
    ) -> None:
        self.folder, self.dice = folder, random.Random(seed)
        self.calm = calm
        """A single verb in most rounds, on one machine, and the hub is always there."""
        self.environment = environment(folder)
        self.hub = folder / "hub.git"
        self._git("init", "-q", "--bare", "-b", "main", "hub.git")
        self.hosts: list[Host] = []
        for number in range(hosts):
            root = folder / f"host{number}"
            self._git("clone", "-q", "./hub.git", root.name)
            self._git("remote", "set-url", "origin", "../hub.git", cwd=root)
            self.hosts.append(Host(root, self.dice, self.environment, folder / "gates"))
            self.hosts[-1].person.unusual = unusual
        self.judge = Judge(self.hub, self.hosts, self.environment)

    def _git(self, *arguments: str, cwd: Path | None = None) -> None:
        subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.folder,
            env=self.environment,
            check=True,
            capture_output=True,
        )

    # the hub

    def go_offline(self) -> None:
        if self.hub.exists():
            self.hub.rename(self.folder / "hub.away")

    def come_back(self) -> None:
        if not self.hub.exists():
            (self.folder / "hub.away").rename(self.hub)

    # rounds

    def round(self) -> None:
        """People and workers, all at once."""
        manner = self.dice.choice(("gates", "threads", "both"))
        for host in self.hosts:
            for _ in range(self.dice.randrange(4)):
                host.person.act()
        if manner != "threads":
            for host in self.hosts:
                host.boldness = self.dice.choice((0.0, 0.1, 0.25))
                host.gate.open()
        offline = self.dice.random() < 0.15 and not self.calm
        if offline:
            self.go_offline()
        with Busy(self.hosts if manner != "gates" else [], self.dice):
            self.work()
            if offline:
                self.come_back()
                self.work()
        for host in self.hosts:
            host.boldness = 0.0
            host.gate.close()

    def work(self) -> None:
        """Some verbs; once in a while on two machines at once, or by a new driver."""
        for _ in range(self.dice.choice((0, 1, 1)) if self.calm else self.dice.randrange(2, 6)):
            some = self.dice.sample(self.hosts, 1 if self.calm else self.dice.choice((1, 1, 2)))
            if self.dice.random() < 0.05:
                some[0].start()
            together([host.some_verb for host in some])

    def rest(self) -> list[str]:
        """Everybody goes home; the judge comes."""
        for host in self.hosts:
            host.person.go_home()
        faults = self.judge.judge()
        self.hosts[0].person.tidy()
        return faults

    def end(self) -> None:
        for host in self.hosts:
            host.end()


class Busy:
    """Inside of it, people act at random instants."""

    def __init__(self, hosts: list[Host], dice: random.Random) -> None:
        self._over = threading.Event()
        self._faults: list[BaseException] = []
        pace = dice.choice((0.001, 0.005, 0.02))
        self._threads = [threading.Thread(target=self._loiter, args=(host, pace)) for host in hosts]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        if self._faults:
            raise self._faults[0]

    def _loiter(self, host: Host, pace: float) -> None:
        dice = random.Random(host.person.dice.random())
        budget = 40
        while budget and not self._over.wait(dice.random() * pace * 2):
            budget -= 1
            try:
                host.person.act()
            except BaseException as fault:
                self._faults.append(fault)
                return


def together(calls: list[Callable[[], None]]) -> None:
    """All of them at once; the first exception of any is raised."""
    faults: list[BaseException] = []

    def call(one: Callable[[], None]) -> None:
        try:
            one()
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=call, args=(one,)) for one in calls[1:]]
    for thread in threads:
        thread.start()
    call(calls[0])
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]


def environment(folder: Path) -> dict[str, str]:
    """A person of whom git knows nothing else."""
    home = folder / "home"
    home.mkdir()
    identity = "[user]\n\tname = Alice\n\temail = alice@example.org\n"
    (home / ".gitconfig").write_text(identity + "[init]\n\tdefaultBranch = main\n")
    kept = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith(("GIT_", "XDG_", "EMAIL"))
    }
    return kept | {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"}
