"""What the system bus tells of this machine: it wakes up, the network comes and goes.

Sleep is logind's signal PrepareForSleep (org.freedesktop.login1(5)), the network NetworkManager's
property State. Without a system bus, or without NetworkManager, the machine counts as online, and only
the kernel tells of another address (addresses.py).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from autosyncd.desktop.bus import BUS, CallFailed, call, listen
from autosyncd.link.messages import Online, Woke

LOGIN = "org.freedesktop.login1"
NETWORK = "org.freedesktop.NetworkManager"
NETWORK_PATH = "/org/freedesktop/NetworkManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
CONNECTED = 50
"""NM_STATE_CONNECTED_LOCAL and all above it: a remote in the same building may be in reach."""
UNKNOWN = 0
LOOK_AGAIN_AFTER = 3.0
"""Seconds; NetworkManager says "disconnected" shortly before the routes are gone."""
SIGNALS = (
    f"type='signal',sender='{LOGIN}',interface='{LOGIN}.Manager',member='PrepareForSleep'",
    f"type='signal',sender='{NETWORK}',path='{NETWORK_PATH}'",
    f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{NETWORK}'",
)


def default_route() -> bool:
    """Whether the kernel has a default route, over IPv4 or IPv6 (proc(5), net/route)."""
    for table, column in (("/proc/net/route", 1), ("/proc/net/ipv6_route", 0)):
        try:
            with open(table, encoding="ascii") as lines:
                if any(_is_default(line.split(), column) for line in lines):
                    return True
        except OSError:
            continue
    return False


def _is_default(fields: list[str], column: int) -> bool:
    return bool(fields) and set(fields[column]) == {"0"} and "lo" not in (fields[0], fields[-1])


class Session:
    """Reports Woke and Online to `report`."""

    def __init__(
        self,
        report: Callable[[Woke | Online], None],
        has_route: Callable[[], bool] = default_route,
    ) -> None:
        self._report = report
        self._has_route = has_route
        self._told: Online | None = None
        self._bus: MessageBus | None = None
        self._news = asyncio.Event()

    async def attach(self, bus: MessageBus) -> None:
        """Use this connection (desktop/bus.py: BusUser)."""
        bus.add_message_handler(self._heard)
        for rule in SIGNALS:
            await listen(bus, rule)
        self._bus = bus
        self._news.set()

    def lost(self, reason: str) -> None:  # noqa: ARG002 (no bus: the machine counts as online)
        """Nothing is known of the network any more."""
        self._bus = None
        self._tell(Online(yes=True))

    async def run(self) -> None:
        """Ask for the network's state whenever something changed, until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if await self._look():
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), LOOK_AGAIN_AFTER)
            await self._look()

    async def _look(self) -> bool:
        """Report the state. False: NetworkManager and the kernel say different things."""
        if self._bus is None:
            return True
        manager = (NETWORK, NETWORK_PATH, PROPERTIES)
        try:
            (properties,) = await call(
                self._bus, manager, "GetAll", "s", [NETWORK], returns="a{sv}", start=False
            )
        except CallFailed:
            self._tell(Online(yes=True))
            return True
        state = _number(properties, "State")
        connected = state >= CONNECTED or state == UNKNOWN
        # an interface that NetworkManager was told to leave alone is no connection in its eyes
        routed = not connected and self._has_route()
        self._tell(Online(connected or routed))
        return not routed

    def _tell(self, online: Online) -> None:
        if online != self._told:
            self._told = online
            self._report(online)

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "PrepareForSleep" and message.interface == f"{LOGIN}.Manager":
            if message.body == [False]:
                self._report(Woke())
                self._news.set()
        elif message.path == NETWORK_PATH or (
            message.member == "NameOwnerChanged" and message.body[:1] == [NETWORK]
        ):
            self._news.set()


def _number(properties: dict[str, Any], name: str) -> int:
    variant = properties.get(name)
    return variant.value if variant is not None and isinstance(variant.value, int) else UNKNOWN
