"""What the transport over XMPP costs and how fast it is, at Prosody and ejabberd as installed.

    python -m tests.bench.bench_xmpp [--only latency crowd burst losses edit ..] [--servers ..]

latency: from announce to heard. crowd: many clients of one account; ejabberd lets ten in, and an
eleventh ends the oldest. burst: 200 repositories at once. losses: the time until a loss is noticed,
and until all is well after the server is back. turns: the same of a server that says goodbye, falls
silent or sends what it should not. roaming: a booted laptop sleeps and moves. edit: two daemons, from
an edit to its being visible. idle: a connection with nothing to do. fuzz: a million hostile stanzas.
Takes about ten minutes, most of it the silences of `losses`.
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
from typing import TYPE_CHECKING, Any

from autosyncd.model import Channel
from autosyncd.transport.base import Interest
from tests.bench.bench_travel import QUICK_WAITS, report, scene, travels
from tests.bench.figures import heading, percentile, row
from tests.bench.machines import seeded_hub
from tests.bench.usage import cpu_seconds, pss, switches
from tests.chat_client import ChatClient
from tests.hostile_stanzas import nested, stanzas
from tests.lying_server import HOST, USER, Lie, LyingServer
from tests.lying_server import PASSWORD as LIARS
from tests.roaming import Roaming
from tests.roaming import roaming as roams
from tests.test_daemon_xmpp import PASSWORD, configure, messenger
from tests.test_transport_xmpp_lies import AFTER_LOGIN
from tests.test_transport_xmpp_session import Stage
from tests.testbed.messaging import XmppServer
from tests.waiting import eventually
from tests.xmpp_machines import Machine, acquainted, notice, until

if TYPE_CHECKING:
    from collections.abc import Callable

    from autosyncd.transport.xmpp.hearing import Drop

ROUNDS = 150
AWAY = 5.0
"""Seconds that a lost server stays away."""


def alice(server: XmppServer, name: str, **options: Any) -> Machine:
    return Machine(server, f"alice@{server.host}", PASSWORD, name, **options)


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


async def losses(server: XmppServer) -> None:
    back: dict[str, Callable[[], None]] = {
        "stop": server.start,
        "kill": server.start,
        "pause": server.resume,
        "a dead line after a suspend": server.resume,
        "a dead line after a change of network": server.resume,
    }
    if server.kind == "ejabberd":
        back["elements nested too deep for it"] = server.start
    for loss, heal in back.items():
        one, two = alice(server, "1"), alice(server, "2")
        async with one, two:
            await acquainted((one, two))
            await asyncio.sleep(random.uniform(1, 15))
            if "nested" in loss:
                await nest(server)
            else:
                getattr(server, loss, server.pause)()
            for machine in (one, two):  # as the messenger tells them what logind and the kernel say
                if "suspend" in loss:
                    machine.transport.woke()
                elif "network" in loss:
                    machine.transport.network(online=False)
                    machine.transport.network(online=True)
            noticed = await until(lambda: not one.online and not two.online, 60)  # noqa: B023
            await asyncio.sleep(AWAY)
            await asyncio.to_thread(heal)
            healed = await until(lambda: one.peers == two.peers == 1, 90)  # noqa: B023
            figure = f"noticed after {noticed:.1f} s, well {healed:.1f} s after the server's return"
            row(f"{server.kind}: {loss}", figure, "<= 45 s, <= 60 s")


async def nest(server: XmppServer) -> None:
    """A stranger ends it."""
    async with ChatClient(server, f"mallory@{server.host}/x", PASSWORD) as stranger:
        stranger.send(nested(f"alice@{server.host}/autosyncd-{'1'.rjust(32, '0')}"))
        await stranger.event("disconnected")


async def turn(server: LyingServer, name: str) -> None:
    async with Machine(server, f"{USER}@{HOST}", LIARS) as machine:
        await until(lambda: machine.sessions, 30)
        machine.transport.announce(notice())
        noticed = await until(lambda: machine.reasons, 60)
        server.lie = Lie.NONE
        healed = await until(lambda: machine.sessions == 2, 90)
        figure = f"noticed after {noticed:.1f} s, well {healed:.1f} s after it is honest again"
        row(f"a server: {name}", figure, "<= 45 s, <= 60 s")


def turns() -> None:
    for lie in AFTER_LOGIN:
        with tempfile.TemporaryDirectory() as folder, LyingServer(lie, Path(folder)) as server:
            server.record.elsewhere = f"127.0.0.1:{server.port}"
            asyncio.run(turn(server, lie.name.lower().replace("_", " ")))


def roaming() -> None:
    """The service in a booted machine that logind suspends, and whose address changes."""
    with tempfile.TemporaryDirectory() as folder, roams(Path(folder)) as world:
        missed: list[str] = []
        for label, move in (("the same network", False), ("another network", True)):
            before = world.online()
            world.sleeps(2, lambda: _meanwhile(world, missed, move=move))  # noqa: B023
            woken = time.monotonic()
            world.arrives(missed[-1], 60)
            came = time.monotonic() - woken
            row(f"wakes in {label}", f"what it missed is there after {came:.1f} s")
            if move:
                eventually(lambda: world.online() > before, 60, every=0.1)  # noqa: B023
                row("  online again", f"{time.monotonic() - woken:.1f} s", "<= 60 s")
        before, gone = world.online(), world.offline()
        world.moves()
        moved = time.monotonic()
        eventually(lambda: world.offline() > gone, 60, every=0.1)
        row("another network while awake: noticed", f"{time.monotonic() - moved:.1f} s", "<= 45 s")
        eventually(lambda: world.online() > before, 60, every=0.1)
        row("  online again", f"{time.monotonic() - moved:.1f} s", "<= 60 s")


def _meanwhile(world: Roaming, missed: list[str], *, move: bool) -> None:
    if move:
        world.moves()
    missed.append(world.edit())


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


PARTS = ("latency", "crowd", "burst", "losses", "edit", "idle")
ALL = (*PARTS, "turns", "roaming", "fuzz")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=ALL, default=ALL)
    parser.add_argument("--servers", nargs="+", default=["prosody", "ejabberd"])
    parser.add_argument("--stanzas", type=int, default=1_000_000)
    options = parser.parse_args()
    heading("XMPP")
    for kind in options.servers if set(options.only) & set(PARTS) else ():
        with (
            tempfile.TemporaryDirectory() as folder,
            XmppServer(Path(folder) / kind, kind) as server,
        ):
            server.start()
            server.add_user("alice", PASSWORD)
            server.add_user("mallory", PASSWORD)
            for name in options.only:
                part = globals()[name]
                if asyncio.iscoroutinefunction(part):
                    asyncio.run(part(server))
                elif name in PARTS:
                    part(server)
    if "turns" in options.only:
        turns()
    if "roaming" in options.only:
        roaming()
    if "fuzz" in options.only:
        fuzz(options.stanzas)


if __name__ == "__main__":
    main()
