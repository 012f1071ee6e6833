"""Bubbles, with a small notification server on a private bus."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from dbus_fast import Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, method, signal

from autosyncd.desktop.alerts import KEPT, SERVER, SERVER_PATH, TRIES, Alerts
from autosyncd.desktop.bus import connect, leave
from autosyncd.link.outside import (
    Alert,
    Withdraw,
)
from autosyncd.model import AlertKind
from tests.buses import OLD_LEAKS, Bus, private_bus, running_messenger, soon

pytestmark = OLD_LEAKS
KEY = ("notes", "conflict")
ALERT = Alert("notes", AlertKind.CONFLICT, "conflict", "notes: é", "Both of <a> & b were kept.")


class Server(ServiceInterface):
    """org.freedesktop.Notifications, which remembers what it was asked."""

    def __init__(self, *capabilities: str) -> None:
        super().__init__(SERVER)
        self.capabilities = list(capabilities)
        self.shown: list[tuple[Any, ...]] = []
        self.closed: list[int] = []
        self.refused: list[str] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    @method()
    def GetCapabilities(self) -> "as":  # noqa: F722
        return self.capabilities

    @method()
    async def Notify(
        self,
        app: "s",  # noqa: F821
        replaces: "u",  # noqa: F821
        icon: "s",  # noqa: F821
        summary: "s",  # noqa: F821
        body: "s",  # noqa: F821
        actions: "as",  # noqa: F722
        hints: "a{sv}",  # noqa: F722
        expires: "i",  # noqa: F821
    ) -> "u":  # noqa: F821
        if summary.startswith("refuse"):
            self.refused.append(summary)
            raise DBusError(f"{SERVER}.Error.Refused", "not this one")
        self.shown.append((app, replaces, summary, body, hints["urgency"].value))
        number = replaces or len(self.shown)
        await self.may_answer.wait()
        return number

    @method()
    def CloseNotification(self, number: "u"):  # noqa: F821
        self.closed.append(number)
        if number > 90:
            raise DBusError("org.freedesktop.DBus.Error.Failed", "")

    @signal()
    def NotificationClosed(self, number, reason) -> "uu":  # noqa: F821
        return [number, reason]


@pytest.fixture
def bus() -> Iterator[Bus]:
    with private_bus("session") as bus:
        yield bus


@asynccontextmanager
async def serving(bus: Bus, *capabilities: str) -> AsyncIterator[Server]:
    """A notification server that is there."""
    connection = await MessageBus(bus_address=bus.address).connect()
    server = Server(*capabilities)
    connection.export(SERVER_PATH, server)
    await connection.request_name(SERVER)
    try:
        yield server
    finally:
        await leave(connection)


def with_alerts(bus: Bus, scenario: Callable[[Alerts], Awaitable[None]]) -> None:
    """Run a scenario with Alerts that are attached to the bus."""

    async def whole() -> None:
        connection = await connect(bus.address)
        alerts = Alerts()
        await alerts.attach(connection)
        running = asyncio.create_task(alerts.run())
        try:
            await scenario(alerts)
            assert not running.done()
        finally:
            running.cancel()
            await leave(connection)

    asyncio.run(whole())


def test_a_bubble_is_shown_replaced_and_closed(bus: Bus):
    async def scenario(alerts: Alerts) -> None:
        async with serving(bus) as server:
            alerts.show(KEY, "notes", "one", 1)
            await soon(lambda: server.shown == [("autosync", 0, "notes", "one", 1)])
            alerts.show(KEY, "notes", "two", 2)
            await soon(lambda: server.shown[1:] == [("autosync", 1, "notes", "two", 2)])
            alerts.close(KEY)
            await soon(lambda: server.closed == [1])
            alerts.close(KEY)
            alerts.show(KEY, "notes", "three", 1)
            await soon(lambda: server.shown[2:] == [("autosync", 0, "notes", "three", 1)])
            assert server.closed == [1]

    with_alerts(bus, scenario)


def test_one_that_is_withdrawn_while_it_is_being_shown_is_closed(bus: Bus):
    async def scenario(alerts: Alerts) -> None:
        async with serving(bus) as server:
            server.may_answer.clear()
            alerts.show(KEY, "notes", "one", 1)
            await soon(lambda: server.shown)
            alerts.close(KEY)
            server.may_answer.set()
            await soon(lambda: server.closed == [1])

    with_alerts(bus, scenario)


@pytest.mark.parametrize(
    ("capabilities", "body"),
    [(["body", "body-markup"], "Both &lt;a&gt; &amp; b"), (["body"], "Both <a> & b")],
)
def test_text_is_escaped_for_those_who_read_markup(bus: Bus, capabilities, body):
    async def scenario(alerts: Alerts) -> None:
        async with serving(bus, *capabilities) as server:
            alerts.show(KEY, "笔记", "Both <a> & b", 1)
            await soon(lambda: server.shown == [("autosync", 0, "笔记", body, 1)])

    with_alerts(bus, scenario)


def test_a_bubble_the_person_has_closed_is_made_anew(bus: Bus):
    async def scenario(alerts: Alerts) -> None:
        async with serving(bus) as server:
            alerts.show(KEY, "notes", "one", 1)
            await soon(lambda: alerts._shown)
            server.NotificationClosed(1, 2)
            await soon(lambda: not alerts._shown)
            alerts.show(KEY, "notes", "two", 1)
            await soon(lambda: len(server.shown) == 2)
            assert server.shown[1][1] == 0

    with_alerts(bus, scenario)


def test_without_a_server_what_matters_waits_for_one(bus: Bus):
    async def scenario(alerts: Alerts) -> None:
        alerts.show(("a", "pulled"), "a", "unimportant", 0)
        alerts.show(("b", "problem"), "b", "withdrawn", 2)
        alerts.show(("c", "problem"), "c", "important", 2)
        await soon(lambda: list(alerts._wanted) == [("b", "problem"), ("c", "problem")])
        alerts.close(("b", "problem"))
        async with serving(bus) as server:
            await soon(lambda: [shown[3] for shown in server.shown] == ["important"])
        async with serving(bus) as server:  # another server knows nothing of the first one's
            alerts.show(("c", "problem"), "c", "still", 2)
            await soon(lambda: server.shown == [("autosync", 0, "c", "still", 2)])

    with_alerts(bus, scenario)


def test_what_waits_is_bounded():
    async def scenario() -> None:
        alerts = Alerts()
        for number in range(KEPT + 5):
            alerts.show((f"r{number}", "problem"), "t", "b", 2)
        assert len(alerts._wanted) == KEPT
        assert (f"r{KEPT + 4}", "problem") in alerts._wanted

    asyncio.run(scenario())


def test_a_server_that_refuses_ends_nothing(bus: Bus):
    async def scenario(alerts: Alerts) -> None:
        refused = asyncio.Event()
        connection = await MessageBus(bus_address=bus.address).connect()

        def refuse(message: Message) -> Message | None:
            if message.message_type is not MessageType.METHOD_CALL:
                return None
            refused.set()
            return Message.new_error(message, "org.example.No", "not today")

        connection.add_message_handler(refuse)
        await connection.request_name(SERVER)
        alerts.show(KEY, "notes", "one", 2)
        await asyncio.wait_for(refused.wait(), 5)
        await leave(connection)
        async with serving(bus) as server:
            await soon(lambda: [shown[3] for shown in server.shown] == ["one"])

    with_alerts(bus, scenario)


def test_a_bubble_that_is_refused_keeps_none_back_and_is_given_up(bus: Bus):
    async def scenario(alerts: Alerts) -> None:
        async with serving(bus) as server:
            alerts.show(KEY, "refuse this", "one", 2)
            for number in range(TRIES + 1):
                alerts.show((f"r{number}", "problem"), f"r{number}", "b", 0)
                await soon(lambda: not {*alerts._wanted} - {KEY})
            assert [shown[2] for shown in server.shown] == [f"r{n}" for n in range(TRIES + 1)]
            assert server.refused == ["refuse this"] * TRIES
            assert not alerts._wanted

    with_alerts(bus, scenario)


def test_one_that_is_gone_already_keeps_none_back(bus: Bus):
    async def scenario(alerts: Alerts) -> None:
        async with serving(bus) as server:
            alerts.show(KEY, "notes", "one", 2)
            await soon(lambda: alerts._shown)
            alerts._shown[KEY] = 99  # as if its end were still on the way to us
            alerts.close(KEY)
            alerts.show(("a", "pulled"), "a", "b", 0)
            await soon(lambda: [shown[2] for shown in server.shown] == ["notes", "a"])
            assert server.closed == [99]

    with_alerts(bus, scenario)


def test_the_messenger_shows_and_withdraws_an_alert(bus: Bus):
    async def scenario() -> None:
        async with serving(bus, "body-markup") as server:
            with running_messenger(DBUS_SESSION_BUS_ADDRESS=bus.address) as messenger:
                messenger.order(ALERT)
                await soon(lambda: server.shown)
                body = "Both of &lt;a&gt; &amp; b were kept."
                assert server.shown == [("autosync", 0, "notes: é", body, 1)]
                messenger.order(Withdraw("notes", "conflict"))
                await soon(lambda: server.closed == [1])

    asyncio.run(scenario())
