"""The control interface of a real messenger on a private bus, asked by the real client."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest
from dbus_fast.aio import MessageBus

from autosyncd.control.client import Client, Refused, reach
from autosyncd.control.interface import (
    INTERFACE,
    INVALID_ARGUMENT,
    NAME,
    PATH,
    UNKNOWN_REPOSITORY,
    Control,
)
from autosyncd.control.render import Row
from autosyncd.desktop.bus import CallFailed, call, leave, listen
from autosyncd.errors import NotReachable
from autosyncd.link.outside import (
    Asked,
    RepositoryConflict,
    RepositoryGone,
    RepositoryStatus,
    Summary,
)
from autosyncd.model import Status
from tests.buses import OLD_LEAKS, Bus, RunningMessenger, private_bus, running_messenger, soon
from tests.waiting import eventually

NOTES = RepositoryStatus(
    "笔记",
    "/home/a/notes",
    Status.HALTED,
    "214 of 230 files vanished",
    5.5,
    "main",
    "ab",
    "origin",
)
DOTS = RepositoryStatus("dotfiles", "/home/a/dots", Status.IDLE, "", 6.0)

pytestmark = OLD_LEAKS


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    with private_bus("session") as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        yield bus


@pytest.fixture
def messenger(bus: Bus) -> Iterator[RunningMessenger]:
    with running_messenger(DBUS_SESSION_BUS_ADDRESS=bus.address) as messenger:
        messenger.order(NOTES, DOTS, Summary("笔记: halted"))
        eventually(lambda: shown() == {"笔记", "dotfiles"})
        yield messenger


def ask(method: str, *arguments: object) -> object:
    """One call of the client, on a connection of its own."""

    async def once() -> object:
        async with reach() as client:
            return await getattr(client, method)(*arguments)

    return asyncio.run(once())


def shown() -> set[str]:
    """The names that the daemon shows; none while there is no daemon."""
    try:
        return {repository.name for repository in ask("repositories")}
    except NotReachable:
        return set()


def test_the_table_is_shown_as_it_is(messenger: RunningMessenger):
    expected = Row(
        name="笔记",
        path="/home/a/notes",
        status="halted",
        reason="214 of 230 files vanished",
        since=5.5,
        branch="main",
        head="ab",
        remote="origin",
    )
    assert expected in ask("repositories")
    eventually(lambda: ask("summary") == "笔记: halted")


@pytest.mark.parametrize(
    ("method", "arguments", "report"),
    [
        ("sync", ("笔记",), Asked("sync", "笔记")),
        ("sync", ("",), Asked("sync")),
        ("pause", ("dotfiles", 7200), Asked("pause", "dotfiles", "7200")),
        ("pause", ("", 0), Asked("pause", "", "0")),
        ("resume", ("笔记",), Asked("resume", "笔记")),
        ("reload", (), Asked("reload")),
    ],
)
def test_each_call_becomes_a_report(messenger: RunningMessenger, method, arguments, report):
    ask(method, *arguments)
    messenger.reported(report)


def test_the_end_of_a_pause_is_shown_while_there_is_one(messenger: RunningMessenger):
    def until() -> float | None:
        return next(row.until for row in ask("repositories") if row.name == "dotfiles")

    messenger.order(replace(DOTS, status=Status.PAUSED, until=7.5))
    eventually(lambda: until() == 7.5)
    messenger.order(DOTS)
    eventually(lambda: until() is None)


def test_an_unknown_name_is_refused_with_a_sentence(messenger: RunningMessenger):
    with pytest.raises(Refused, match=r"no repository of that name; .*autosyncctl status"):
        ask("sync", "nots")
    with pytest.raises(Refused, match="no repository of that name"):
        ask("resume", "笔")
    with pytest.raises(Refused, match="no repository of that name"):
        ask("pause", "nots", 1)
    with pytest.raises(Refused, match="ten years is the longest"):
        ask("pause", "", 2**63)


def test_errors_have_their_names_and_introspection_tells_the_signatures(messenger, bus: Bus):
    async def scenario() -> None:
        connection = await MessageBus(bus_address=bus.address).connect()
        daemon = (NAME, PATH, INTERFACE)
        with pytest.raises(CallFailed) as unknown:
            await call(connection, daemon, "Resume", "s", ["x"])
        assert unknown.value.name == UNKNOWN_REPOSITORY
        with pytest.raises(CallFailed) as invalid:
            await call(connection, daemon, "Pause", "st", ["", 2**60])
        assert invalid.value.name == INVALID_ARGUMENT
        node = await connection.introspect(NAME, PATH)
        (interface,) = [each for each in node.interfaces if each.name == INTERFACE]
        methods = {
            each.name: "".join(arg.signature for arg in each.in_args) for each in interface.methods
        }
        expected = {"ListRepositories": "", "Sync": "s", "Pause": "st", "Resume": "s", "Reload": ""}
        assert methods == expected
        signals = {
            each.name: "".join(arg.signature for arg in each.args) for each in interface.signals
        }
        assert signals == {"RepositoryChanged": "sa{sv}", "Conflict": "sas"}
        assert [(each.name, each.signature) for each in interface.properties] == [("Status", "s")]
        await leave(connection)

    asyncio.run(scenario())


def test_changes_are_signalled(messenger: RunningMessenger, bus: Bus):
    async def scenario() -> None:
        connection = await MessageBus(bus_address=bus.address).connect()
        seen: dict[str, list[object]] = {}
        connection.add_message_handler(lambda m: seen.setdefault(m.member, []).append(m.body))
        await listen(connection, f"type='signal',sender='{NAME}'")
        messenger.order(replace(DOTS, status=Status.PUSHING, reason="3 commits"))
        await soon(lambda: "RepositoryChanged" in seen)
        name, details = seen["RepositoryChanged"][0]
        assert (name, details["status"].value) == ("dotfiles", "pushing")
        assert (details["reason"].value, details["since"].value) == ("3 commits", 6.0)
        messenger.order(RepositoryGone("dotfiles"))
        await soon(lambda: ["dotfiles", {}] in seen["RepositoryChanged"])
        messenger.order(RepositoryConflict("笔记", ("a\udcff.txt", "b")))
        await soon(lambda: "Conflict" in seen)
        assert seen["Conflict"] == [["笔记", ["a\\xff.txt", "b"]]]
        messenger.order(Summary("all in sync"))
        await soon(lambda: "PropertiesChanged" in seen)
        assert seen["PropertiesChanged"][-1][1]["Status"].value == "all in sync"
        await leave(connection)

    asyncio.run(scenario())


def test_the_client_follows_changes_and_sees_the_end(messenger: RunningMessenger):
    async def scenario() -> None:
        async with reach() as client:
            await client.follow()
            messenger.order(replace(DOTS, status=Status.PUSHING))
            assert await asyncio.wait_for(client.change(), 5) == "dotfiles"
            messenger.process.kill()
            with pytest.raises(NotReachable, match="has ended"):
                await asyncio.wait_for(client.change(), 5)

    asyncio.run(scenario())


def test_the_client_sees_the_end_of_the_bus(messenger: RunningMessenger, bus: Bus):
    async def scenario() -> None:
        async with reach() as client:
            await client.follow()
            bus.stop()
            with pytest.raises(NotReachable):
                await asyncio.wait_for(client.change(), 5)

    asyncio.run(scenario())


def test_no_daemon_names_the_remedy(bus: Bus, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(NotReachable, match="systemctl --user start autosyncd"):
        ask("repositories")
    bus.stop()
    with pytest.raises(NotReachable, match="systemctl --user start autosyncd"):
        ask("repositories")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS")
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(NotReachable, match="no session bus is running"):
        ask("repositories")


def test_a_bus_that_comes_back_has_the_daemon_again(messenger: RunningMessenger, bus: Bus):
    bus.stop()
    eventually(lambda: messenger.log)
    assert "the connection to the bus was lost" in messenger.log
    messenger.order(Summary("while nobody listens"))
    bus.start()
    eventually(lambda: shown() == {"笔记", "dotfiles"}, seconds=30)
    assert ask("summary") == "while nobody listens"
    assert messenger.log.count("\n") == 1


def test_a_name_that_is_taken_is_said_and_taken_over(bus: Bus):
    async def scenario() -> None:
        first = await MessageBus(bus_address=bus.address).connect()
        await first.request_name(NAME)
        with running_messenger(DBUS_SESSION_BUS_ADDRESS=bus.address) as messenger:
            messenger.order(DOTS)
            await soon(lambda: f"another process has the bus name {NAME}" in messenger.log)
            await leave(first)
            async with reach() as client:
                await soon_listed(client)
            bus.stop()  # that was another complaint, and is over
            await soon(lambda: "the connection to the bus was lost" in messenger.log)

    asyncio.run(scenario())


def test_another_obstacle_is_said_beside_the_first_and_each_once(bus: Bus, caplog):
    async def scenario() -> None:
        first = await MessageBus(bus_address=bus.address).connect()
        await first.request_name(NAME)
        second = await MessageBus(bus_address=bus.address).connect()
        control = Control(lambda _asked: None)
        for reason in ("no bus is there", "nor now"):
            control.lost(reason)
        await control.attach(second)
        await leave(second)
        await leave(first)

    asyncio.run(scenario())
    said = [record.getMessage().split(": ")[1].split(".")[0] for record in caplog.records]
    assert said == ["no bus is there", "another process has the bus name org"]


async def soon_listed(client: Client) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                assert [each.name for each in await client.repositories()] == ["dotfiles"]
                return
            except NotReachable:
                await asyncio.sleep(0.01)
