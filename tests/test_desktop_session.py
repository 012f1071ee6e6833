"""Sleep and network, as logind and NetworkManager on a private bus tell of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from dbus_fast.aio import MessageBus
from dbus_fast.constants import PropertyAccess
from dbus_fast.service import ServiceInterface, dbus_property, signal

from autosyncd.desktop.bus import connect, leave
from autosyncd.desktop.session import LOGIN, NETWORK, NETWORK_PATH, Session, _is_default
from autosyncd.link.messages import Message, Online, Woke
from tests.buses import OLD_LEAKS, Bus, private_bus, running_messenger, soon

pytestmark = OLD_LEAKS


class Login(ServiceInterface):
    """The part of logind that tells of sleep."""

    def __init__(self) -> None:
        super().__init__(f"{LOGIN}.Manager")

    @signal()
    def PrepareForSleep(self, start) -> "b":  # noqa: F821
        return start


class Network(ServiceInterface):
    """The part of NetworkManager that tells of the network."""

    def __init__(self, state: int, metered: int) -> None:
        super().__init__(NETWORK)
        self.state = state
        self.metered = metered
        self.shown: set[int] = set()

    @dbus_property(access=PropertyAccess.READ)
    def State(self) -> "u":  # noqa: F821
        return self.state

    @dbus_property(access=PropertyAccess.READ)
    def Metered(self) -> "u":  # noqa: F821
        self.shown.add(self.metered)
        return self.metered

    @signal()
    def StateChanged(self, state) -> "u":  # noqa: F821
        return state

    def becomes(self, state: int, metered: int = 4) -> None:
        """Another state, told as NetworkManager tells it."""
        self.state, self.metered = state, metered
        self.emit_properties_changed({"State": state, "Metered": metered})
        self.StateChanged(state)


@pytest.fixture
def bus() -> Iterator[Bus]:
    with private_bus("system") as bus:
        yield bus


@asynccontextmanager
async def network(bus: Bus, state: int) -> AsyncIterator[Network]:
    connection = await MessageBus(bus_address=bus.address).connect()
    manager = Network(state, metered=4)
    connection.export(NETWORK_PATH, manager)
    await connection.request_name(NETWORK)
    try:
        yield manager
    finally:
        await leave(connection)


@asynccontextmanager
async def login(bus: Bus) -> AsyncIterator[Login]:
    connection = await MessageBus(bus_address=bus.address).connect()
    manager = Login()
    connection.export("/org/freedesktop/login1", manager)
    await connection.request_name(LOGIN)
    try:
        yield manager
    finally:
        await leave(connection)


Scenario = Callable[[Session, list[Message]], Awaitable[None]]


def with_session(bus: Bus, scenario: Scenario, *, route: Callable[[], bool] = bool) -> None:
    """Run a scenario with a Session on the bus; `route`: whether the kernel has a default route."""

    async def whole() -> None:
        reports: list[Message] = []
        session = Session(reports.append, route)
        connection = await connect(bus.address)
        running = asyncio.create_task(session.run())
        try:
            await session.attach(connection)
            await scenario(session, reports)
            assert not running.done()
        finally:
            running.cancel()
            await leave(connection)

    asyncio.run(whole())


def test_the_end_of_a_suspend_is_reported_and_its_beginning_is_not(bus: Bus):
    async def scenario(session: Session, reports: list[Message]) -> None:
        async with login(bus) as manager:
            await soon(lambda: reports == [Online(yes=True)])
            manager.PrepareForSleep(True)
            manager.PrepareForSleep(False)
            await soon(lambda: len(reports) > 1)
            assert reports == [Online(yes=True), Woke()]

    with_session(bus, scenario)


@pytest.mark.parametrize(
    ("state", "route", "online"),
    [
        (70, True, Online(yes=True)),
        (60, False, Online(yes=True)),
        (50, False, Online(yes=True)),
        (40, False, Online(yes=False)),
        (20, False, Online(yes=False)),
        (20, True, Online(yes=True)),  # a network that it leaves alone
        (0, False, Online(yes=True)),
    ],
)
def test_the_first_state_is_reported(bus: Bus, state, route, online):
    async def whole() -> None:
        reports: list[Message] = []
        session = Session(reports.append, lambda: route)
        connection = await connect(bus.address)
        async with network(bus, state):
            running = asyncio.create_task(session.run())
            await session.attach(connection)
            await soon(lambda: reports)
            assert reports == [online]
            running.cancel()
        await leave(connection)

    asyncio.run(whole())


def test_each_change_is_reported_once(bus: Bus):
    async def scenario(session: Session, reports: list[Message]) -> None:
        async with network(bus, 70) as manager:
            await soon(lambda: reports == [Online(yes=True)])
            manager.becomes(20)
            await soon(lambda: len(reports) == 2)
            manager.becomes(70)
            await soon(lambda: len(reports) == 3)
            # no reason to ask every remote, least of all over such a line
            manager.becomes(70, metered=1)
            await soon(lambda: 1 in manager.shown)
            manager.becomes(20)
            await soon(lambda: len(reports) == 4)
        # NetworkManager is gone: who knows, so online
        await soon(lambda: len(reports) == 5)
        assert reports == [Online(yes) for yes in (True, False, True, False, True)]

    with_session(bus, scenario)


def test_routes_that_go_a_little_later_are_noticed(bus: Bus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("autosyncd.desktop.session.LOOK_AGAIN_AFTER", 0.01)
    routes = [True, False]

    async def scenario(session: Session, reports: list[Message]) -> None:
        await soon(lambda: reports == [Online(yes=True)])
        async with network(bus, 20):
            await soon(lambda: reports == [Online(yes=True), Online(yes=False)])
            assert routes == []

    with_session(bus, scenario, route=lambda: routes.pop(0))


def test_a_bus_that_is_lost_means_online(bus: Bus):
    async def scenario(session: Session, reports: list[Message]) -> None:
        async with network(bus, 20):
            await soon(lambda: reports[-1:] == [Online(yes=False)])
            session.lost("it ended")
            assert reports[-1] == Online(yes=True)

    with_session(bus, scenario)


@pytest.mark.parametrize(
    ("line", "column", "default"),
    [
        ("eth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0", 1, True),
        ("eth0 000200C0 00000000 0001 0 0 100 00FFFFFF 0 0 0", 1, False),
        ("Iface Destination Gateway", 1, False),
        (f"{'0' * 32} 00 {'0' * 32} 00 fe80 00000400 1 0 00000003 eth0", 0, True),
        (f"{'0' * 32} 00 {'0' * 32} 00 0000 ffffffff 1 0 00200200 lo", 0, False),
        ("", 0, False),
    ],
)
def test_a_default_route_is_known_when_seen(line, column, default):
    assert _is_default(line.split(), column) == default


def test_the_messenger_reports_both(bus: Bus):
    async def scenario() -> None:
        async with network(bus, 70), login(bus) as manager:
            with running_messenger(DBUS_SYSTEM_BUS_ADDRESS=bus.address) as messenger:
                await soon(lambda: messenger.take(Online(yes=True)))
                manager.PrepareForSleep(False)
                await soon(lambda: messenger.take(Woke()))

    asyncio.run(scenario())
