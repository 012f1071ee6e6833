"""How soon each loss of the connection is noticed and healed; a part of bench_xmpp.

`at_server`: it ends, is killed, falls silent, by two transports. `parted`: packets of one of two daemons
vanish, in both directions and without a word to it. `displaced`: two daemons have one name. `turns`: a
server says goodbye, or sends what it should not. `roaming`: a booted laptop sleeps and moves.
"""

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.figures import row
from tests.chat_client import ChatClient
from tests.hostile_stanzas import nested
from tests.lying_server import HOST, USER, Lie, LyingServer
from tests.lying_server import PASSWORD as LIARS
from tests.roaming import Roaming
from tests.roaming import roaming as roams
from tests.test_transport_xmpp_lies import AFTER_LOGIN
from tests.testbed.messaging import XmppServer
from tests.waiting import eventually
from tests.xmpp_daemons import OFFLINE, ONLINE, PASSWORD, on_a_network, pair
from tests.xmpp_machines import Machine, acquainted, notice, until

if TYPE_CHECKING:
    from collections.abc import Callable

AWAY = 5.0
"""Seconds that a lost server stays away."""
TARGETS = "<= 45 s, <= 60 s"


def alice(server: XmppServer, name: str, **options: Any) -> Machine:
    return Machine(server, f"alice@{server.host}", PASSWORD, name, **options)


async def at_server(server: XmppServer) -> None:
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
            row(f"{server.kind}: {loss}", figure, TARGETS)


async def nest(server: XmppServer) -> None:
    """A stranger ends it."""
    async with ChatClient(server, f"mallory@{server.host}/x", PASSWORD) as stranger:
        stranger.send(nested(f"alice@{server.host}/autosyncd-{'1'.rjust(32, '0')}"))
        await stranger.event("disconnected")


def parted(server: XmppServer, rounds: int = 4) -> None:
    """By true daemons with their true timers, at any point of these: the laptop is cut off.

    Its file has what the desktop wrote meanwhile as soon as it has pulled, which it does with the new
    session alone. Another `server` of the same kind is started for it, on a network of its own.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        on_a_network(Path(folder), server.kind) as (two, net),
    ):
        for number in range(rounds):
            before, gone = two.laptop.times(ONLINE), two.laptop.times(OFFLINE)
            time.sleep(random.uniform(1, 30))
            net.partition("laptop")
            cut = time.monotonic()
            eventually(lambda: two.laptop.times(OFFLINE) > gone, 60)  # noqa: B023
            noticed = time.monotonic() - cut
            text = two.edit(two.desktop)
            time.sleep((AWAY, 20, 40, 80)[number % 4])  # the attempts become rarer
            net.heal()
            mended = time.monotonic()
            eventually(lambda: two.laptop.times(ONLINE) > before, 90)  # noqa: B023
            online = time.monotonic() - mended
            eventually(lambda: two.laptop.has(text), 30)  # noqa: B023
            pulled = time.monotonic() - mended
            label = f"{server.kind}: two daemons, one is cut off for {mended - cut:.0f} s"
            figure = f"noticed after {noticed:.1f} s, online {online:.1f} s after the end"
            row(label, f"{figure}, what it missed is there after {pulled:.1f} s", TARGETS)


def displaced(server: XmppServer) -> None:
    """By true daemons: the desktop has the laptop's name, as a copied home has."""
    with tempfile.TemporaryDirectory() as folder, pair(Path(folder), server) as two:
        two.laptop.starts()
        two.share_a_name()
        two.desktop.daemon.start()
        eventually(lambda: two.desktop.times(ONLINE), 60)
        taken = time.monotonic()
        eventually(lambda: two.laptop.times(OFFLINE), 60)
        noticed = time.monotonic()
        eventually(lambda: two.laptop.times(ONLINE) == 2, 60)
        online = time.monotonic()
        two.meet()
        met = time.monotonic()
        time.sleep(60)
        two.meet()
        figure = (
            f"noticed after {noticed - taken:.1f} s, online {online - noticed:.1f} s later; an edit "
            f"each way took {met - online:.1f} s; lost in the next minute: "
            f"{two.laptop.times(OFFLINE) + two.desktop.times(OFFLINE) - 1}"
        )
        row(f"{server.kind}: two daemons of one name", figure, TARGETS)


async def turn(server: LyingServer, name: str) -> None:
    async with Machine(server, f"{USER}@{HOST}", LIARS) as machine:
        await until(lambda: machine.sessions, 30)
        machine.transport.announce(notice())
        noticed = await until(lambda: machine.reasons, 60)
        server.lie = Lie.NONE
        healed = await until(lambda: machine.sessions == 2, 90)
        figure = f"noticed after {noticed:.1f} s, well {healed:.1f} s after it is honest again"
        row(f"a server: {name}", figure, TARGETS)


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
