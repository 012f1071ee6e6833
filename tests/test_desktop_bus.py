"""Connections to a bus that can't be used."""

import asyncio
from contextlib import suppress

from dbus_fast.aio import MessageBus

from autosyncd.desktop import bus
from tests.buses import OLD_LEAKS, private_bus

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


def test_a_bus_that_refuses_us_is_tried_ever_more_seldom(monkeypatch):
    monkeypatch.setattr(bus, "RETRY_FIRST", 0.1)

    async def refused(address: str) -> Unwelcome:
        user = Unwelcome()
        holding = asyncio.create_task(bus.hold(lambda: address, [user]))
        await asyncio.wait_for(user.enough.wait(), 30)
        holding.cancel()
        with suppress(asyncio.CancelledError):
            await holding
        return user

    with private_bus("session") as there:
        user = asyncio.run(refused(there.address))
    assert user.tries[-1] - user.tries[-2] >= 0.4
    assert set(user.reasons) == {"by policy"}


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
