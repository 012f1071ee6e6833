"""What the transport over XMPP costs and how fast it is, at Prosody and ejabberd as installed.

    python -m tests.bench.bench_xmpp [--only latency crowd burst losses edit ..] [--servers ..]

latency: from announce to heard. crowd: many clients of one account; ejabberd lets ten in, and an
eleventh ends the oldest. burst: 200 repositories at once. losses: the time until a loss is noticed,
and until all is well after the server is back; alone of these, displaced: two daemons of one name, and
parted: one of two daemons is cut off. turns: the same of a server that says goodbye, falls silent or
sends what it should not. roaming: a booted laptop sleeps and moves. edit: two daemons, from an edit to
its being visible. idle: a connection with nothing to do. fuzz: a million hostile stanzas.
Takes about half an hour, most of it the silences of `losses`.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from autosyncd.model import Channel
from autosyncd.transport.base import Interest
from tests.bench.bench_travel import QUICK_WAITS, report, scene, travels
from tests.bench.ending import end_tidily
from tests.bench.figures import heading, percentile, row
from tests.bench.machines import seeded_hub
from tests.bench.usage import cpu_seconds, pss, switches
from tests.bench.xmpp_losses import alice, at_server, displaced, parted, roaming, turns
from tests.hostile_stanzas import stanzas
from tests.test_transport_xmpp_session import Stage
from tests.testbed.messaging import XmppServer
from tests.xmpp_daemons import PASSWORD, configure, messenger
from tests.xmpp_machines import acquainted, notice, until

if TYPE_CHECKING:
    from autosyncd.transport.xmpp.hearing import Drop

ROUNDS = 150


async def latency(server: XmppServer) -> None:
    one, two = alice(server, "1"), alice(server, "2")
    async with one, two:
        await acquainted((one, two))
        found = []
        for number in range(ROUNDS):
            begin = time.monotonic()
            one.transport.announce(notice(head=f"{number:040x}"))
            await until(lambda: len(two.notices) == number + 1)  # noqa: B023
            found.append(two.notices[-1][0] - begin)
            await asyncio.sleep(random.uniform(0.1, 0.2))
    figure = (
        f"p50 {statistics.median(found) * 1e3:.0f} ms, p99 {percentile(found, 0.99) * 1e3:.0f} ms"
    )
    row(f"{server.kind}: announce to heard", figure)


async def crowd(server: XmppServer) -> None:
    for size in (10, 50) if server.kind == "prosody" else (10,):
        async with AsyncExitStack() as stack:
            machines = [alice(server, str(number)) for number in range(size)]
            for machine in machines:
                await stack.enter_async_context(machine)
            await acquainted(machines)
            begin = time.monotonic()
            machines[0].transport.announce(notice())
            await until(lambda: all(m.notices for m in machines[1:]), 60)  # noqa: B023
            last = max(machine.notices[-1][0] for machine in machines[1:])
            row(f"{server.kind}: {size} clients, until all heard", f"{last - begin:.2f} s")
            if server.kind == "ejabberd":
                eleventh = await stack.enter_async_context(alice(server, "eleventh"))
                await eleventh.ready()
                await until(lambda: any(m.reasons for m in machines))  # noqa: B023
                told = next(machine.reasons[0] for machine in machines if machine.reasons)
                row(f"{server.kind}: an eleventh; the oldest says", told)


async def burst(server: XmppServer) -> None:
    channels = [Channel(sha256(b"%d" % number).hexdigest()) for number in range(400)]
    wanted = dict.fromkeys(channels, Interest())
    for peers in (1, 4, 9):
        machines = [alice(server, str(number), interests=wanted) for number in range(peers + 1)]
        async with AsyncExitStack() as stack:
            for machine in machines:
                await stack.enter_async_context(machine)
            await acquainted(machines)
            begin = time.monotonic()
            for pair in zip(channels[:200], channels[200:], strict=True):
                machines[0].transport.announce(replace(notice(), channels=pair))
            await until(lambda: all(len(m.channels()) == 400 for m in machines[1:]), 60)  # noqa: B023
            label = f"{server.kind}: 200 repositories at once, {peers} peers"
            row(label, f"{time.monotonic() - begin:.2f} s", "<= 15 s")
            machines[0].transport.woke()
            connection = machines[0].transport
            asked = await until(lambda: not connection._connection.asked, 5)  # noqa: B023
            row("  a ping right after them", f"{asked * 1e3:.0f} ms")


def edit(server: XmppServer) -> None:
    with scene() as stage:
        stage.pair(seeded_hub(stage.folder))
        for name, tree in zip(("laptop", "desktop"), stage.pairs[0], strict=True):
            machine = stage.machine(name)
            configure(machine, server, tree.folder)
            machine.start().ready(tree.folder.name).says("xmpp is online")
        found = travels(stage.pairs[0], 30, (0.5, 1.5))
        report(f"{server.kind}: two daemons", found, QUICK_WAITS, "p50 <= 0.35 s")


def idle(server: XmppServer) -> None:
    with scene() as stage:
        stage.pair(seeded_hub(stage.folder))
        machine = stage.machine("laptop")
        configure(machine, server, stage.pairs[0][0].folder)
        machine.start().ready("laptop-notes0").says("xmpp is online")
        time.sleep(5)
        pid = messenger(machine)
        woken, used = switches([pid]), cpu_seconds([pid])
        time.sleep(120)
        woken, used = switches([pid]) - woken, cpu_seconds([pid]) - used
        figure = (
            f"{pss(pid):.1f} MiB PSS, {woken / 2:.1f} wakeups and {used / 2 * 1e3:.0f} ms a minute"
        )
        row(f"{server.kind}: the messenger at rest", figure)


def fuzz(count: int) -> None:
    stage = Stage()
    begin = time.perf_counter()
    kinds: Counter[Drop] = Counter()
    for number, xml in enumerate(stanzas(seed=7, count=count)):
        stage.session.received(xml, now=stage.now)
        stage.now += 0.01
        if not number % 1000:
            stage.later(1)
            kinds.update(stage.dropped)
            stage.dropped.clear()
            stage.ear.notices.clear()
    seconds = time.perf_counter() - begin
    row(f"{count} hostile stanzas", f"{seconds:.0f} s, no exception; not obeyed:")
    for reason, times in kinds.most_common():
        row(f"  {reason.value}", str(times))


def losses(server: XmppServer) -> None:
    asyncio.run(at_server(server))
    displaced(server)
    parted(server)


PARTS = {
    "latency": lambda server: asyncio.run(latency(server)),
    "crowd": lambda server: asyncio.run(crowd(server)),
    "burst": lambda server: asyncio.run(burst(server)),
    "losses": losses,
    "edit": edit,
    "idle": idle,
}
PARTS_OF_LOSSES = {"displaced": displaced, "parted": parted}
AT_A_SERVER = PARTS | PARTS_OF_LOSSES
BESIDE = ("turns", "roaming", "fuzz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    all_of_it = (*PARTS, *BESIDE)
    parser.add_argument("--only", nargs="+", choices=(*AT_A_SERVER, *BESIDE), default=all_of_it)
    parser.add_argument("--servers", nargs="+", default=["prosody", "ejabberd"])
    parser.add_argument("--stanzas", type=int, default=1_000_000)
    options = parser.parse_args()
    heading("XMPP")
    for kind in options.servers if set(options.only) & set(AT_A_SERVER) else ():
        with (
            tempfile.TemporaryDirectory() as folder,
            XmppServer(Path(folder) / kind, kind) as server,
        ):
            server.start()
            server.add_user("alice", PASSWORD)
            server.add_user("mallory", PASSWORD)
            for name in options.only:
                if name in AT_A_SERVER:
                    AT_A_SERVER[name](server)
    if "turns" in options.only:
        turns()
    if "roaming" in options.only:
        roaming()
    if "fuzz" in options.only:
        fuzz(options.stanzas)


if __name__ == "__main__":
    end_tidily()
    main()
