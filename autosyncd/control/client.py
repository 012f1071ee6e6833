"""The other end of control/interface.py: what autosyncctl calls."""

import asyncio
import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus

from autosyncd.control.interface import INTERFACE, NAME, PATH
from autosyncd.control.render import Row
from autosyncd.desktop.bus import (
    BUS,
    CallFailed,
    call,
    connect,
    disconnection,
    leave,
    listen,
    session_address,
)
from autosyncd.errors import AutosyncError, NotReachable

PROPERTIES = "org.freedesktop.DBus.Properties"
REMEDY = "`systemctl --user start autosyncd` starts the daemon."
INSTEAD = "How it goes: systemctl status"
RUN = "/run"
AWAY = (
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.NoReply",
    "org.freedesktop.DBus.Error.Disconnected",
)


class Refused(AutosyncError):
    """The daemon answered with an error; str() is its sentence."""


def system_instance() -> str | None:
    """The unit autosyncd@USER, if the system's manager runs it for this user: it is on no session bus.

    It is known by its runtime folder, which comes and goes with it (systemd.exec(5))."""
    try:
        unit = f"autosyncd@{pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return None
    return unit if os.path.isdir(os.path.join(RUN, unit.replace("@", "-"))) else None


def _unanswered(reason: str) -> NotReachable:
    """Nobody answers: why, and what to do."""
    if unit := system_instance():
        return NotReachable(f"{unit} runs, but on no bus, so it can't be asked. {INSTEAD} {unit}")
    return NotReachable(f"{reason} {REMEDY}")


@asynccontextmanager
async def reach() -> AsyncIterator["Client"]:
    """A client of the running daemon. NotReachable if there is none; the text names the remedy."""
    try:
        bus = await connect(session_address())
    except NotReachable as reason:
        raise _unanswered(f"autosyncd can't be asked: {reason}.") from None
    try:
        yield Client(bus)
    finally:
        await leave(bus)


class Client:
    """One connection to the daemon. Each method raises NotReachable or Refused."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._changes: asyncio.Queue[str | None] = asyncio.Queue()

    async def repositories(self) -> list[Row]:
        """All repositories, by name."""
        (rows,) = await self._ask("ListRepositories", returns="aa{sv}")
        return [_row(row) for row in rows]

    async def summary(self) -> str:
        """The one line about everything."""
        (line,) = await self._ask(
            "Get", "ss", INTERFACE, "Status", interface=PROPERTIES, returns="v"
        )
        return str(line.value)

    async def sync(self, repository: str) -> None:
        """Commit and sync now. Here and below the empty name means all repositories."""
        await self._ask("Sync", "s", repository)

    async def pause(self, repository: str, seconds: int) -> None:
        """Touch nothing for that long (0: until resumed)."""
        await self._ask("Pause", "st", repository, seconds)

    async def resume(self, repository: str) -> None:
        """End a pause, or let a halted repository go on."""
        await self._ask("Resume", "s", repository)

    async def reload(self) -> None:
        """Read the configuration again."""
        await self._ask("Reload")

    async def follow(self) -> None:
        """Begin to collect what `change` returns."""
        self._bus.add_message_handler(self._heard)
        await listen(self._bus, f"type='signal',sender='{NAME}',interface='{INTERFACE}'")
        await listen(
            self._bus, f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{NAME}'"
        )
        self._hang_up = asyncio.create_task(self._hung_up())

    async def change(self) -> str:
        """The name of the next repository that changed, after `follow`. NotReachable if the daemon
        went away: nobody would notice otherwise that nothing changes any more."""
        name = await self._changes.get()
        if name is None:
            raise NotReachable(f"autosyncd has ended. {REMEDY}")
        return name

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        if message.member == "RepositoryChanged" and message.interface == INTERFACE:
            self._changes.put_nowait(message.body[0])
        elif message.member == "NameOwnerChanged" and message.body[::2] == [NAME, ""]:
            self._changes.put_nowait(None)

    async def _hung_up(self) -> None:
        await disconnection(self._bus)
        self._changes.put_nowait(None)

    async def _ask(
        self,
        member: str,
        signature: str = "",
        *body: object,
        interface: str = INTERFACE,
        returns: str = "",
    ) -> list[Any]:
        try:
            to = (NAME, PATH, interface)
            return await call(self._bus, to, member, signature, body, returns=returns)
        except CallFailed as failed:
            if failed.name in AWAY:
                raise _unanswered("autosyncd is not running here.") from None
            raise Refused(str(failed)) from None


def _row(row: dict[str, Any]) -> Row:
    """A row of ListRepositories; keys this version doesn't know are left out."""
    known = {field.name for field in fields(Row)}
    return Row(**{key: value.value for key, value in row.items() if key in known})
