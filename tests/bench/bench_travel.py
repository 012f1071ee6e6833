"""How long an edit takes to be visible on the other tree, beyond the waits that are configured.

    python -m tests.bench.bench_travel [--only one-daemon reflector polling] [--edits 30]

one-daemon: two trees of one daemon. reflector: two daemons that hear of each other through
autosync-reflector. polling: default waits, no transport at all, two daemons that reach the hub over
ssh with 40 ms of delay each way; the pauses between edits are random, so that an edit meets the poll
at any point of its 15 s.

From the close of the edited file to the moment the other tree holds its whole content (inotify tells).
Connections are counted by what the hub runs for them.
Takes four to five minutes, each part alone at most two and a half.
"""

import argparse
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.bench.ending import end_tidily
from tests.bench.figures import heading, row, spread
from tests.bench.lookout import Lookout
from tests.bench.machines import seeded_hub
from tests.daemons import Daemon, clone, daemon, git
from tests.reflector_process import ReflectorProcess
from tests.testbed.machines import Net
from tests.testbed.program import Failed
from tests.testbed.services import GitServers

QUICK_WAITS = 0.4
DEFAULTS = {"commit_after": "2s", "push_after": "3s"}
DEFAULT_WAITS = 5.0
PAIRS = 4
"""Pairs of trees that poll side by side, so that many edits fit into three minutes."""

COUNTED = """#!/bin/sh
# counted LOG PROGRAM ARGUMENT..: note that a connection was made, then serve it
echo "$2" >>"$1"
shift
exec git "$@"
"""
SLOW_SSH = """#!/bin/sh
# instead of ssh to another machine: wait as long as the way there and back, then run the command here
sleep 0.04
for command; do :; done
exec sh -c "$command"
"""


@dataclass
class Tree:
    """A clone whose connections are counted."""

    folder: Path
    log: Path

    def connections(self) -> tuple[int, int]:
        """Pushes and fetches so far."""
        said = self.log.read_text() if self.log.exists() else ""
        return said.count("receive-pack\n"), said.count("upload-pack\n")


@dataclass
class Journey:
    """What one edit took. Each pair is pushes and fetches."""

    seconds: float
    here: tuple[int, int]
    there: tuple[int, int]


@dataclass
class Scene:
    """Two machines and what lies between them."""

    folder: Path
    stack: ExitStack
    pairs: list[tuple[Tree, Tree]] = field(default_factory=list)

    def tree(self, shared: Path, name: str, url: str = "") -> Tree:
        """A counted clone of the hub, then pointed to `url`."""
        program, log = self.folder / "counted", self.folder / f"{name}.log"
        if not program.exists():
            program.write_text(COUNTED)
            program.chmod(0o755)
        clone(shared, self.folder / name)
        tree = Tree(self.folder / name, log)
        for kind in ("upload-pack", "receive-pack"):
            setting = f"remote.origin.{kind.replace('-', '')}"
            git(tree.folder, "config", setting, f"{program} {log} {kind}")
        if url:
            git(tree.folder, "remote", "set-url", "origin", url)
        return tree

    def pair(self, shared: Path, url: str = "", number: int = 0) -> None:
        """One tree of each machine."""
        names = [f"{machine}-notes{number}" for machine in ("laptop", "desktop")]
        one, other = (self.tree(shared, name, url) for name in names)
        self.pairs.append((one, other))

    def machine(self, name: str, **environment: str) -> Daemon:
        """A daemon that ends with the scene."""
        return self.stack.enter_context(daemon(self.folder, name, **environment))


@contextmanager
def scene() -> Iterator[Scene]:
    """An empty folder, removed with all that runs in it."""
    folder = Path(tempfile.mkdtemp(prefix="bench-travel-"))
    try:
        with ExitStack() as stack:
            yield Scene(folder, stack)
    except TimeoutError:
        for log in folder.glob("*/log"):
            print(f"--- {log.parent.name}", *log.read_text().splitlines()[-40:], sep="\n")
        raise
    finally:
        shutil.rmtree(folder)


def travel(here: Tree, there: Tree, text: str, pause: float) -> Journey:
    """One edit, and the connections until the pause after it is over."""
    before = here.connections(), there.connections()
    with Lookout(there.folder) as lookout:
        (here.folder / "todo.md").write_text(text)
        begin = time.perf_counter()
        seconds = lookout.reads(there.folder / "todo.md", text) - begin
    time.sleep(pause)  # what follows an edit (echoes, polls) counts as its cost
    (a, b), (c, d) = here.connections(), there.connections()
    (e, f), (g, h) = before
    return Journey(seconds, (a - e, b - f), (c - g, d - h))


def travels(pair: tuple[Tree, Tree], edits: int, pauses: tuple[float, float]) -> list[Journey]:
    """Edits to and fro, each after a random pause."""
    time.sleep(random.uniform(*pauses))
    return [
        travel(*(pair if number % 2 else pair[::-1]), f"edit {number}\n", random.uniform(*pauses))
        for number in range(edits)
    ]


def report(label: str, journeys: list[Journey], waits: float, target: str) -> None:
    beyond = [journey.seconds - waits for journey in journeys]
    row(f"{label}, {len(beyond)} edits", f"{spread(beyond)} beyond {waits:g} s of waits", target)
    sums = [
        sum(getattr(journey, side)[kind] for journey in journeys) / len(journeys)
        for side in ("here", "there")
        for kind in (0, 1)
    ]
    row(
        "  connections per edit",
        f"where it was made {sums[0]:.2f} pushes {sums[1]:.2f} fetches, "
        f"where it arrived {sums[2]:.2f} pushes {sums[3]:.2f} fetches",
        "<= 1 and <= 1 a machine",
    )


def one_daemon(edits: int) -> None:
    with scene() as stage:
        stage.pair(seeded_hub(stage.folder))
        ((one, other),) = stage.pairs
        machine = stage.machine("machine")
        machine.configure(*(_entry(tree, poll_every="never") for tree in (one, other)))
        machine.start().ready(one.folder.name, other.folder.name)
        found = travels((one, other), edits, (0.5, 1.5))
        report("two trees of one daemon", found, QUICK_WAITS, "p50 <= 0.30 s")


def reflector(edits: int) -> None:
    with scene() as stage:
        server = stage.stack.enter_context(ReflectorProcess())
        stage.pair(seeded_hub(stage.folder))
        for name, tree in zip(("laptop", "desktop"), stage.pairs[0], strict=True):
            machine = stage.machine(name)
            machine.configure(_entry(tree, poll_every="never"), fanout=server.port)
            machine.start().ready(tree.folder.name).says("fanout is online")
        found = travels(stage.pairs[0], edits, (0.5, 1.5))
        report("two daemons and a reflector", found, QUICK_WAITS, "p50 <= 0.30 s")


def polling(edits: int) -> None:
    with scene() as stage:
        place, url, environments = slow_hub(stage)
        for number in range(PAIRS):
            stage.pair(seeded_hub(place / f"n{number}"), url.format(number), number)
        for side, name in enumerate(("laptop", "desktop")):
            machine = stage.machine(name, **environments[side])
            trees = [pair[side] for pair in stage.pairs]
            machine.configure(*(_entry(tree, **DEFAULTS) for tree in trees))
            machine.start().ready(*(tree.folder.name for tree in trees))
        each = -(-edits // PAIRS)
        with ThreadPoolExecutor(PAIRS) as pool:
            runs = pool.map(lambda pair: travels(pair, each, (0.0, 15.0)), stage.pairs)
            found = [journey for run in runs for journey in run]
        report("no transport, over a slow ssh", found, DEFAULT_WAITS, "p50 <= 20 s")


def _entry(tree: Tree, **keys: str) -> dict[str, object]:
    return {"path": str(tree.folder), **keys}


def slow_hub(stage: Scene) -> tuple[Path, str, list[dict[str, str]]]:
    """Where hubs lie, their URL for a number, and what each of the two machines needs to get there."""
    place = stage.folder / "hubs"
    for number in range(PAIRS):
        (place / f"n{number}").mkdir(parents=True)
    url = f"{place}/n{{}}/hub.git"
    try:
        net = stage.stack.enter_context(Net("laptop", "desktop"))
        servers = stage.stack.enter_context(GitServers(stage.folder / "servers", net=net))
    except (pytest.skip.Exception, Failed) as reason:
        row("no network of namespaces, a waiting script instead", str(reason).split("\n")[0])
        program = stage.folder / "slow-ssh"
        program.write_text(SLOW_SSH)
        program.chmod(0o755)
        one = {"GIT_SSH_COMMAND": str(program), "GIT_SSH_VARIANT": "simple"}
        return place, f"ssh://hub.invalid{url}", [one, one]
    environments = []
    for host in ("laptop", "desktop"):
        net.shape(host, delay="40ms")
        there = (
            f"{shutil.which('ip', path='/usr/sbin:/sbin:/bin')} netns exec {net.namespace(host)}"
        )
        command = f"{there} {servers.environment['GIT_SSH_COMMAND']}"
        environments.append({"GIT_SSH_COMMAND": command, "GIT_SSH_VARIANT": "ssh"})
    address = servers.url("ssh").split("/")[2]
    return place, f"ssh://{address}{url}", environments


PARTS = {"one-daemon": one_daemon, "reflector": reflector, "polling": polling}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--edits", type=int, default=30)
    parser.add_argument("--polled-edits", type=int, default=12)
    options = parser.parse_args()
    heading("edit to visible")
    for name in options.only:
        PARTS[name](options.polled_edits if name == "polling" else options.edits)


if __name__ == "__main__":
    end_tidily()
    main()
