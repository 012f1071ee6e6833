"""Machines of a person's XMPP account, with nothing but the transport in them; for tests and bench."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, Self

from autosyncd.model import Channel, PushNotice, Secret, TreeId, XmppConfig
from autosyncd.transport.base import Interest
from autosyncd.transport.xmpp.transport import XmppTransport

CHANNEL = Channel("ab" * 32)
OTHER = Channel("cd" * 32)
HEAD = "12" * 20


class Server(Protocol):
    """What a test's server tells of itself."""

    ip: Any
    port: Any
    ca: Any


def notice(channel: Channel = CHANNEL, head: str = HEAD) -> PushNotice:
    return PushNotice((channel,), "main", head, TreeId("t" * 32), "laptop")


async def until(probe: Callable[[], Any], seconds: float = 10.0) -> float:
    """Wait until it is so; the seconds that took."""
    began = time.monotonic()
    while not probe():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        await asyncio.sleep(0.005)
    return time.monotonic() - began


class Machine:
    """A transport that runs while it is entered, and its listener."""

    def __init__(
        self,
        server: Server,
        jid: str,
        password: str,
        name: str = "1",
        *,
        interests: Mapping[Channel, Interest] | None = None,
        port: int | None = None,
        **options: Any,
    ) -> None:
        there = (str(server.ip), port or int(server.port))
        wanted: dict[str, Any] = {"server": there, "ca_file": str(server.ca), **options}
        config = XmppConfig(jid, Secret(literal=password), **wanted)
        self.notices: list[tuple[float, str, PushNotice]] = []
        self.sessions = 0
        self.online = False
        self.reasons: list[str] = []
        self.alarms: list[str] = []
        self.transport = XmppTransport(config, self, daemon=name.rjust(32, "0"))
        self.transport.subscribe({CHANNEL: Interest()} if interests is None else interests)

    async def __aenter__(self) -> Self:
        self._running = asyncio.create_task(self.transport.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.transport.stop()
        await asyncio.wait_for(self._running, 5)

    # base.py: Listener

    def heard(self, notice: PushNotice, sender: str) -> None:
        self.notices.append((time.monotonic(), sender, notice))

    def connected(self) -> None:
        self.sessions += 1

    def changed(self, *, online: bool, reason: str) -> None:
        self.online = online
        if reason:
            self.reasons.append(reason)

    def alarm(self, text: str) -> None:
        self.alarms.append(text)

    # what tests ask

    def heads(self) -> list[str]:
        return [notice.head for _, _, notice in self.notices]

    def channels(self) -> set[Channel]:
        return {channel for _, _, notice in self.notices for channel in notice.channels}

    async def ready(self, seconds: float = 20.0) -> float:
        return await until(lambda: self.online, seconds)

    async def knows(self, others: int, seconds: float = 20.0) -> None:
        """Until it knows this many peers."""
        await until(lambda: self.peers == others, seconds)

    @property
    def peers(self) -> int:
        session = self.transport._session
        return len(session._peers) if session else 0


async def acquainted(machines: Iterable[Machine]) -> None:
    """Until all machines of one account are online and know each other."""
    all_of_them = list(machines)
    for one in all_of_them:
        await one.knows(len(all_of_them) - 1)
