"""What idle repositories cost: memory, wakeups, processor time; and how soon the daemon is ready.

    python -m tests.bench.bench_idle [--counts 1 20 100] [--seconds 60]

For each number of repositories: the time until READY=1 and until all are at rest, the memory (PSS:
what is shared counts once), then for a minute wakeups (context switches of all threads) and processor
time; with poll_every: never, and once more with auto. There is a session bus where dbus-daemon(1) is
installed. Needs as many inotify instances as repositories (fs.inotify.max_user_instances, often 128,
which all that the user runs shares). Takes about five minutes; a rest shorter than a minute may miss
what is done once a minute.
"""

import argparse
import contextlib
import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from tests.bench.ending import end_tidily
from tests.bench.figures import heading, row
from tests.bench.lookout import Lookout
from tests.bench.machines import at_rest, seeded_hub
from tests.bench.usage import cpu_seconds, name, pss, switches
from tests.buses import private_bus
from tests.daemons import Daemon, clone, daemon
from tests.waiting import eventually, ready

MEMORY_TARGETS = {20: "<= 85 MiB", 100: "<= 250 MiB"}
POLLED = 20
"""Repositories of the daemon that polls."""


@dataclass
class Running:
    """A daemon at rest."""

    machine: Daemon
    ready: float
    """Seconds from its start to READY=1."""
    rest: float
    """Seconds from its start until every repository was at rest."""


def make_trees(folder: Path, count: int) -> list[Path]:
    """Clones of a hub each, with one file."""
    shared = seeded_hub(folder)
    trees = []
    for number in range(count):
        own = folder / f"hub{number}.git"
        shutil.copytree(shared, own)
        trees.append(clone(own, folder / f"notes{number}"))
    return trees


@contextmanager
def running(folder: Path, trees: list[Path], label: str, poll: str = "never") -> Iterator[Running]:
    """A daemon with these trees, once it is at rest."""
    with ExitStack() as stack:
        environment = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent"}
        with contextlib.suppress(pytest.skip.Exception):
            bus = stack.enter_context(private_bus(label))
            environment["DBUS_SESSION_BUS_ADDRESS"] = bus.address
        notify = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        address = str(folder / f"{label}.notify")
        notify.bind(address)
        machine = stack.enter_context(
            daemon(folder, f"machine-{label}", NOTIFY_SOCKET=address, **environment)
        )
        for_all: dict[str, object] = {"poll_every": poll}
        machine.configure(*({"path": str(tree), **for_all} for tree in trees))
        machine.log.touch()
        with Lookout(machine.home) as lookout:
            begin = time.perf_counter()
            machine.start()
            ready = heard_ready(notify) - begin
            rest = lookout.sees(lambda: all_idle(machine, trees), 300) - begin
        stack.callback(os.unlink, address)
        yield Running(machine, ready, rest)


def heard_ready(notify: socket.socket, seconds: float = 60.0) -> float:
    """When READY=1 came (sd_notify(3))."""
    end = time.perf_counter() + seconds
    while ready(notify, end - time.perf_counter()):
        if b"READY=1" in notify.recv(8192).split(b"\n"):
            return time.perf_counter()
    raise TimeoutError(f"There was no READY=1 within {seconds:.0f} s.")


def all_idle(machine: Daemon, trees: list[Path]) -> bool:
    """Every tree's last word is that it is idle."""
    lines = [line.strip() for line in machine.text().splitlines()]
    last = {line.split("]")[0]: line for line in lines if line.startswith("[")}
    return all(last.get(f"[{tree.name}") == f"[{tree.name}] idle" for tree in trees)


def asleep(machine: Daemon, count: int) -> bool:
    """There is one process a worker, besides the supervisor and the messenger."""
    return len(machine.processes()) == count + 2


def memory(machine: Daemon) -> dict[str, float]:
    """MiB by kind of process: supervisor, messenger, workers."""
    assert machine.process is not None
    kinds = {"supervisor": 0.0, "messenger": 0.0, "workers": 0.0}
    for pid in machine.processes():
        own = name(pid).removeprefix("autosync:")
        kind = "messenger" if own.startswith("messen") else "workers"
        kinds["supervisor" if pid == machine.process.pid else kind] += pss(pid)
    return kinds


def measure(folder: Path, trees: list[Path], poll: str, settle: float, seconds: float) -> None:
    """All figures of one daemon."""
    count = len(trees)
    label = f"{count}, poll {poll}"
    with running(folder, trees, f"{count}-{poll}", poll) as found:
        at_rest(found.machine, settle)
        if poll == "never":  # a worker that has just worked keeps a second process for a moment
            eventually(partial(asleep, found.machine, count), 60)
        kinds = memory(found.machine)
        row(f"{label}: ready, all at rest", f"{found.ready:.2f} s, {found.rest:.2f} s")
        parts = (
            f"supervisor {kinds['supervisor']:.1f}, messenger {kinds['messenger']:.1f}, "
            f"a worker {kinds['workers'] / count:.2f}"
        )
        own = sum(pss(pid, "Pss_Anon") for pid in found.machine.processes())
        whole = f"{sum(kinds.values()):.1f} MiB, {own:.1f} of it anonymous ({parts})"
        row(f"{label}: memory", whole, MEMORY_TARGETS.get(count, ""))
        woken, used = rest(found.machine.processes(), seconds)
        row(f"{label}: at rest", f"{woken:.0f} wakeups, {used:.2f} processor s a minute")


def rest(pids: list[int], seconds: float) -> tuple[float, float]:
    """Wakeups and processor seconds a minute."""
    woken, used = switches(pids), cpu_seconds(pids)
    time.sleep(seconds)
    minutes = seconds / 60
    return (switches(pids) - woken) / minutes, (cpu_seconds(pids) - used) / minutes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 20, 100])
    parser.add_argument("--seconds", type=float, default=60.0, help="of rest, for the wakeups")
    parser.add_argument(
        "--settle", type=float, default=6.0, help="seconds of rest before memory is read"
    )
    options = parser.parse_args()
    heading("idle repositories")
    folder = Path(tempfile.mkdtemp(prefix="bench-idle-"))
    try:
        trees = make_trees(folder, max(*options.counts, POLLED))
        for count in options.counts:
            measure(folder, trees[:count], "never", options.settle, options.seconds)
        measure(folder, trees[:POLLED], "auto", options.settle, options.seconds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    end_tidily()
    main()
