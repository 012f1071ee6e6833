"""How many lines the journal gets while nobody does anything.

    python -m tests.bench.bench_silence [--minutes 60] [--repositories 10]

Two daemons that poll as they do by default, and hear each other over Prosody and over a reflector. After
an edit has travelled and a minute has gone by, every line counts. Target: none.
"""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.ending import end_tidily
from tests.bench.figures import heading, row
from tests.bench.machines import seeded_hub
from tests.daemons import QUICK, Daemon, clone, daemon, write_yaml
from tests.reflector_process import ReflectorProcess
from tests.testbed.messaging import XmppServer
from tests.waiting import eventually

PASSWORD = "not-for-the-log"
SETTLING = 60.0
"""Seconds after the edit until lines are counted."""


def configure(machine: Daemon, trees: list[Path], xmpp: XmppServer, fanout: int) -> None:
    account = {
        "jid": f"alice@{xmpp.host}",
        "password": PASSWORD,
        "server": f"{xmpp.ip}:{xmpp.port}",
        "ca_file": xmpp.ca,
    }
    transports = {"xmpp": account, "fanout": {"server": f"127.0.0.1:{fanout}", "tls": False}}
    repositories = [{"path": str(tree)} for tree in trees]
    data = {"defaults": QUICK, "repositories": repositories, "transports": transports}
    write_yaml(machine.config, data)


def lines(machines: list[Daemon]) -> list[list[str]]:
    """Of each machine."""
    return [machine.text().splitlines() for machine in machines]


def measure(folder: Path, count: int, minutes: float) -> None:
    hub = seeded_hub(folder)
    with ExitStack() as stack:
        xmpp = stack.enter_context(XmppServer(folder / "xmpp", "prosody"))
        xmpp.start()
        xmpp.add_user("alice", PASSWORD)
        reflector = stack.enter_context(ReflectorProcess())
        machines, trees = [], []
        for name in ("laptop", "desktop"):
            own = [clone(hub, folder / f"{name}{number}") for number in range(count)]
            machine = stack.enter_context(daemon(folder, f"machine-{name}"))
            machine.words = ()  # as the unit has it
            configure(machine, own, xmpp, reflector.port)
            machine.start()
            machine.says("xmpp is online")
            machine.says("fanout is online")
            machines.append(machine)
            trees.append(own)
        (trees[0][0] / "todo.md").write_text("water the plants\n")
        eventually((trees[1][-1] / "todo.md").exists, 60)
        time.sleep(SETTLING)
        before = lines(machines)
        time.sleep(minutes * 60)
        told = [
            line
            for old, new in zip(before, lines(machines), strict=True)
            for line in new[len(old) :]
        ]
        label = f"{2 * count} repositories, {minutes:.0f} minutes, both transports"
        row(label, f"{len(told)} lines", "0")
        for line in told[:10]:
            row("  ", line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--repositories", type=int, default=10, help="of each daemon")
    options = parser.parse_args()
    heading("a journal at rest")
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), options.repositories, options.minutes)


if __name__ == "__main__":
    end_tidily()
    main()
