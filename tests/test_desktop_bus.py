"""Connections to a bus that can't be used."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from dbus_fast.aio import MessageBus

from autosyncd.control.interface import Control
from autosyncd.desktop import bus
from autosyncd.link.outside import RepositoryStatus
from autosyncd.model import Status
from tests.buses import OLD_LEAKS, Bus, private_bus, soon

pytestmark = OLD_LEAKS
TRIES = 4


class Unwelcome:
    """A user whom the bus refuses something, as one with a policy against our name does."""

    def __init__(self) -> None:
        self.tries: list[float] = []
        self.reasons: list[str] = []
        self.enough = asyncio.Event()

    async def attach(self, _bus: MessageBus) -> None:
        self.tries.append(asyncio.get_running_loop().time())
        raise bus.CallFailed("org.freedesktop.DBus.Error.AccessDenied", "by policy")

    def lost(self, reason: str) -> None:
        self.reasons.append(reason)
        if len(self.tries) >= TRIES:
            self.enough.set()


@asynccontextmanager
async def held(address: str, *users: bus.BusUser) -> AsyncIterator[None]:
    """A connection is kept up for these users."""
    holding = asyncio.create_task(bus.hold(lambda: address, users))
    try:
        yield
    finally:
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding


def test_a_bus_that_refuses_us_is_tried_ever_more_seldom(monkeypatch):
    monkeypatch.setattr(bus, "RETRY_FIRST", 0.1)

    async def refused(address: str) -> Unwelcome:
        user = Unwelcome()
        async with held(address, user):
            await asyncio.wait_for(user.enough.wait(), 30)
        return user

    with private_bus("session") as there:
        user = asyncio.run(refused(there.address))
    assert user.tries[-1] - user.tries[-2] >= 0.4
    assert set(user.reasons) == {"by policy"}


def test_a_bus_that_is_of_no_use_to_another_is_complained_of_once(monkeypatch, caplog):
    monkeypatch.setattr(bus, "RETRY_FIRST", 0.1)

    async def refused(address: str) -> None:
        user = Unwelcome()
        async with held(address, user, Control(lambda _asked: None)):
            await asyncio.wait_for(user.enough.wait(), 30)

    with private_bus("session") as there:
        asyncio.run(refused(there.address))
    assert caplog.text.count("autosyncctl can't reach this daemon: by policy") == 1


def test_the_session_bus_is_where_the_environment_says_or_in_the_runtime_folder(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert bus.session_address() is None
    (tmp_path / "bus").touch()
    assert bus.session_address() == f"unix:path={tmp_path}/bus"
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/elsewhere")
    assert bus.session_address() == "unix:path=/elsewhere"


class Interrupted(Unwelcome):
    """A user that is about to begin when the bus ends."""

    def __init__(self, there: Bus) -> None:
        super().__init__()
        self._there = there

    async def attach(self, connection: MessageBus) -> None:
        self._there.stop()  # which the loop has not seen yet
        await bus.listen(connection, "type='signal'")


def test_a_bus_that_ends_while_we_begin_is_a_connection_that_was_lost():
    async def interrupted(there: Bus) -> list[str]:
        user = Interrupted(there)
        async with held(there.address, user):
            await soon(lambda: user.reasons)
        return user.reasons

    with private_bus("session") as there:
        assert asyncio.run(interrupted(there)) == ["the connection to the bus was lost"]


def test_what_is_said_on_a_bus_that_has_just_ended_harms_nobody(caplog):
    rows = [RepositoryStatus("notes", "/notes", Status.IDLE, str(n), 1.0) for n in range(3)]

    async def scenario(there: Bus) -> None:
        control = Control(lambda _asked: None)
        async with held(there.address, control):
            await soon(lambda: control._daemon)
            there.stop()  # which the loop has not seen yet
            for row in rows:
                control.show(row)
                control.summarise(row.reason)
            await soon(lambda: control._daemon is None)
            gc.collect()  # a failure that nobody asked for is told then
            there.start()
            await soon(lambda: control._daemon, seconds=20)

    with private_bus("session") as there:
        asyncio.run(scenario(there))
    assert "never retrieved" not in caplog.text
