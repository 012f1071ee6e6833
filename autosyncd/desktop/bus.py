"""Connections to the session bus and the system bus (D-Bus Specification), by dbus-fast 1.84 to 5.

A bus may be missing, go away and come back: `hold` keeps one connection up for as long as it runs
and hands each new one to those who use it.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.constants import MessageFlag
from dbus_fast.errors import AuthError, DBusError, InvalidAddressError

from autosyncd.errors import NotReachable

CONNECT_WITHIN = 10.0
LEAVE_WITHIN = 1.0
ANSWER_WITHIN = 25.0
"""Seconds; what libdbus takes by default too."""
RETRY_FIRST = 1.0
RETRY_EVERY = 60.0
LOST = "the connection to the bus was lost"
BUS = "org.freedesktop.DBus"
BUS_PATH = "/org/freedesktop/DBus"


class Text(str):
    """Any text that is to cross a bus. dbus-fast before 2.11.1 (Debian 12) writes len() of a string
    where the protocol wants the number of bytes, and the bus hangs up on whoever says "é"; this
    string's length is its bytes, which is right there and harmless later."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self.encode())


class CallFailed(Exception):
    """A method call was answered with an error, or not at all; `name` is the D-Bus error's name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


class BusUser(Protocol):
    """Somebody who needs a bus."""

    async def attach(self, bus: MessageBus) -> None:
        """Begin to use this connection. NotReachable, CallFailed: it is given up, another comes."""

    def lost(self, reason: str) -> None:
        """The connection is gone, or there was none; called after every attempt."""


def session_address() -> str | None:
    """Where the session bus listens, or None. As sd-bus does: $DBUS_SESSION_BUS_ADDRESS, else
    $XDG_RUNTIME_DIR/bus; never an X server's property, which would start a bus of its own."""
    if address := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    folder = os.environ.get("XDG_RUNTIME_DIR")
    return f"unix:path={folder}/bus" if folder and os.path.exists(f"{folder}/bus") else None


def system_address() -> str:
    """Where the system bus listens: $DBUS_SYSTEM_BUS_ADDRESS, else the specification's path."""
    default = "unix:path=/run/dbus/system_bus_socket"
    return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or default


async def connect(address: str | None) -> MessageBus:
    """A connection that has said hello. NotReachable, with the reason, if there is none."""
    if address is None:
        raise NotReachable("no session bus is running for this user")
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            return await _Bus(bus_address=address).connect()
    except TimeoutError:
        raise NotReachable(f"the bus does not answer within {CONNECT_WITHIN:.0f} s") from None
    except (OSError, EOFError, AuthError, DBusError, InvalidAddressError) as reason:
        raise NotReachable(f"the bus can't be reached: {reason}") from None


class _Bus(MessageBus):
    """A MessageBus that takes it when the other end hangs up."""

    def send(self, msg: Message) -> "asyncio.Future[None]":  # type: ignore[override]
        """Write it in the loop's next turn: where that fails the library ends the connection on the
        spot, and whoever has just said something over it gets an error of its inner works."""
        if not msg.serial:
            msg.serial = self.next_serial()
        written: asyncio.Future[None] = self._loop.create_future()
        # nobody has to ask: that the connection is lost is told by its end
        written.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._loop.call_soon(self._write, msg, written)
        return written

    def _write(self, msg: Message, written: "asyncio.Future[None]") -> None:
        if self.connected and self._writer is not None:
            with suppress(OSError):  # 5 watches the descriptor that it has just closed
                self._writer.schedule_write(msg, written)
        else:
            written.cancel()

    async def _auth_readline(self) -> str:
        """One line of the login, which ends with the connection (1.84 would read for ever)."""
        if self._sock is None:
            raise AuthError("there is no connection")
        line = b""
        while not line.endswith(b"\r\n"):
            more = await self._loop.sock_recv(self._sock, 1024)
            if not more or len(line) > 16384:
                raise AuthError("the bus hung up during the login")
            line += more
        return line[:-2].decode(errors="replace")


async def call(
    bus: MessageBus,
    to: tuple[str, str, str],
    member: str,
    signature: str = "",
    body: Sequence[object] = (),
    *,
    returns: str = "",
    start: bool = True,
) -> list[Any]:
    """The answer of one method call. `to` is (bus name, object path, interface), `returns` the
    answer's signature; `start` lets the bus start who owns the name. CallFailed: an error, another
    kind of answer, or none within ANSWER_WITHIN."""
    if not bus.connected:  # the library would wait for an answer all the same
        raise CallFailed(f"{BUS}.Error.Disconnected", LOST)
    message = Message(
        destination=to[0],
        path=to[1],
        interface=to[2],
        member=member,
        signature=signature,
        body=[Text(each) if isinstance(each, str) else each for each in body],
        flags=MessageFlag.NONE if start else MessageFlag.NO_AUTOSTART,
    )
    try:
        async with asyncio.timeout(ANSWER_WITHIN):
            reply = await bus.call(message)
    except TimeoutError:
        late = f"no answer came within {ANSWER_WITHIN:.0f} s"
        raise CallFailed(f"{BUS}.Error.NoReply", late) from None
    except (OSError, EOFError):
        raise CallFailed(f"{BUS}.Error.Disconnected", LOST) from None
    except DBusError as reason:
        raise CallFailed(f"{BUS}.Error.NoReply", f"no answer came: {reason}") from None
    if reply is None:
        raise CallFailed(f"{BUS}.Error.Disconnected", LOST)
    if reply.message_type is MessageType.ERROR:
        text = reply.body[0] if reply.signature[:1] == "s" else "no reason given"
        raise CallFailed(reply.error_name or "", text)
    if reply.signature != returns:
        raise CallFailed(f"{BUS}.Error.InvalidSignature", "the answer is of another kind")
    return list(reply.body)


async def listen(bus: MessageBus, rule: str) -> None:
    """Ask the bus for the signals of a match rule; they reach the handlers of `bus`."""
    await call(bus, (BUS, BUS_PATH, BUS), "AddMatch", "s", [rule])


async def disconnection(bus: MessageBus) -> None:
    """Return when the connection has ended, whoever ended it."""
    with suppress(OSError, EOFError, ValueError, DBusError):
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]


async def leave(bus: MessageBus) -> None:
    """End the connection; nothing of it is left afterwards."""
    if bus.connected:
        bus.disconnect()
    with suppress(TimeoutError):
        async with asyncio.timeout(LEAVE_WITHIN):
            await disconnection(bus)
    with suppress(OSError):
        if bus._stream is not None:  # 1.84 leaves it open
            bus._stream.close()


async def hold(address: Callable[[], str | None], users: Sequence[BusUser]) -> NoReturn:
    """Keep a connection for the users until cancelled. One that is lost is made anew after 1 s; one
    that can't be made, or that a user can't use, ever more seldom, at last every RETRY_EVERY seconds."""
    wait = RETRY_FIRST
    while True:
        try:
            bus = await connect(address())
        except NotReachable as reason:
            _lost(users, str(reason))
        else:
            if await _serve(bus, users):
                wait = RETRY_FIRST
        await asyncio.sleep(wait)
        wait = min(wait * 2, RETRY_EVERY)


def _lost(users: Sequence[BusUser], reason: str) -> None:
    for user in users:
        user.lost(reason)


async def _serve(bus: MessageBus, users: Sequence[BusUser]) -> bool:
    """Let the users work until the connection ends; False: one of them could not begin."""
    attached = False
    try:
        for user in users:
            await user.attach(bus)
        attached = True
        await disconnection(bus)
        reason = LOST
    except (CallFailed, NotReachable) as refused:
        reason = str(refused)
    finally:
        await leave(bus)
    _lost(users, reason)
    return attached
