"""A server that lies gets no stanza and no password, costs no memory, and is told of in one sentence."""

import asyncio
import gc
import subprocess
import sys
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from autosyncd.transport import connection
from autosyncd.transport.connection import TransportState
from autosyncd.transport.xmpp import attempt
from autosyncd.transport.xmpp.servers import SrvRecord
from tests.lying_server import HOST, PASSWORD, USER, Lie, LyingServer
from tests.xmpp_machines import CHANNEL, HEAD, Machine, notice, until

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning"
)
"""A connect that is cancelled midway leaves its socket to the collector (asyncio of Python 3.11)."""
LATER = "by itself."
RELOAD = "at the next reload."


def impatient(monkeypatch: pytest.MonkeyPatch, lie: Lie) -> None:
    """With a silent server, as if connection.py's patience were a twentieth of what it is."""
    if lie in (Lie.SILENCE, Lie.SILENCE_LATER):
        names = ["CONNECT_WITHIN"] if lie is Lie.SILENCE else ["PING_AFTER", "ANSWER_WITHIN"]
        for name in names:
            monkeypatch.setattr(connection, name, getattr(connection, name) / 20)


def reason_of(server: LyingServer, **options: bool) -> tuple[str, Machine]:
    """Why a machine can't be there, and the machine after that."""

    async def ask() -> Machine:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD, **options) as machine:
            machine.transport.announce(notice())
            await until(lambda: machine.reasons)
            machine.state = machine.transport._connection.state  # type: ignore[attr-defined]
            return machine

    machine = asyncio.run(ask())
    return machine.reasons[0].partition("can't be used: ")[2], machine


BEFORE_LOGIN = {
    Lie.NO_TLS_NO_LOGIN: ("it offers no TLS", TransportState.BACKOFF, True),
    Lie.PLAIN_WITHOUT_TLS: ("it offers no TLS", TransportState.BACKOFF, True),
    Lie.SCRAM_WITHOUT_TLS: ("it offers no TLS", TransportState.BACKOFF, True),
    Lie.PLAIN_ONLY: ("it offers no SCRAM, only PLAIN", TransportState.FATAL, True),
    Lie.ANONYMOUS_ONLY: ("it offers no login by password", TransportState.FATAL, True),
    Lie.BIND_WITHOUT_LOGIN: ("it asks for no password", TransportState.BACKOFF, True),
    Lie.BIND_DURING_LOGIN: ("it asks for no password", TransportState.BACKOFF, True),
    Lie.UNPROVED_LOGIN: ("it can't prove that it knows", TransportState.BACKOFF, True),
    Lie.CHEAP_LOGIN: ("its login hashes the password 4095 times", TransportState.BACKOFF, True),
    Lie.SUCCESS_INSTEAD_OF_CHALLENGE: ("it can't prove that", TransportState.BACKOFF, True),
    Lie.BIND_CONFLICT: ("another client of the account has its", TransportState.BACKOFF, False),
    Lie.BIND_REFUSED: (
        "it gives us no address: resource-constraint",
        TransportState.BACKOFF,
        False,
    ),
    Lie.OTHER_NAME: ("its certificate is not accepted, Hostname", TransportState.BACKOFF, True),
    Lie.EXPIRED: ("its certificate is not accepted, certificate has", TransportState.BACKOFF, True),
    Lie.UNKNOWN_CA: ("its certificate is not accepted", TransportState.BACKOFF, True),
    Lie.TLS_FAILS: ("", TransportState.BACKOFF, False),
    # its words come in one read or in two: "it goes on in clear", or what TLS says of such bytes
    Lie.TLS_TWICE: ("", TransportState.BACKOFF, False),
    Lie.TLS_THEN_CLOSED: ("", TransportState.BACKOFF, False),
    Lie.WRONG_PASSWORD: ("the password is wrong", TransportState.FATAL, True),
    Lie.LOGIN_LATER: (
        "it refused the login: temporary-auth-failure",
        TransportState.BACKOFF,
        False,
    ),
    Lie.SILENCE: ("no answer in time", TransportState.BACKOFF, False),
    Lie.GARBAGE: ("what it sent can't be understood", TransportState.BACKOFF, False),
    Lie.CLOSED: ("", TransportState.BACKOFF, False),
    Lie.CONFLICT_FIRST: ("it ended the connection: conflict", TransportState.BACKOFF, False),
    Lie.SEE_OTHER_HOST_FIRST: (
        "it ended the connection: see-other-host",
        TransportState.BACKOFF,
        False,
    ),
}


@pytest.mark.parametrize("lie", BEFORE_LOGIN, ids=lambda lie: lie.name)
def test_a_server_that_is_not_as_we_insist_gets_nothing(
    lie: Lie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch, lie)
    text, state, alarming = BEFORE_LOGIN[lie]
    with LyingServer(lie, tmp_path) as server:
        reason, machine = reason_of(server)
        assert reason.startswith(text)
        assert reason.endswith(RELOAD if state is TransportState.FATAL else LATER)
        assert machine.state is state  # type: ignore[attr-defined]
        assert len(machine.alarms) == alarming
        assert (machine.sessions, machine.notices) == (0, [])
        assert server.record.stanzas == []
        assert server.record.passwords == []
        assert not (lie is Lie.CHEAP_LOGIN and server.record.proofs)
        assert server.record.connections <= 2
        assert bool(machine.transport._suffix) is (lie is Lie.BIND_CONFLICT)


@pytest.mark.parametrize("lie", [Lie.TLS_TWICE, Lie.TLS_THEN_CLOSED, Lie.TLS_FAILS])
def test_a_handshake_that_comes_to_nothing_leaves_nothing_behind(
    lie: Lie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is left waiting for ever is an error of asyncio's in the journal, at each attempt."""
    monkeypatch.setattr(connection, "CONNECT_WITHIN", 1.5)
    with LyingServer(lie, tmp_path) as server:
        reason_of(server)
        gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def test_plain_passes_inside_tls_where_the_person_lets_it(tmp_path: Path) -> None:
    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD, allow_plain=True) as machine:
            await machine.ready()

    with LyingServer(Lie.PLAIN_ONLY, tmp_path) as server:
        asyncio.run(play())
        assert server.record.passwords == [PASSWORD]


@pytest.mark.parametrize("lie", [Lie.OTHER_NAME, Lie.EXPIRED, Lie.UNKNOWN_CA])
def test_a_certificate_is_checked_as_well_where_tls_comes_first(lie: Lie, tmp_path: Path) -> None:
    text, state, _ = BEFORE_LOGIN[lie]
    with LyingServer(lie, tmp_path, direct=True) as server:
        reason, machine = reason_of(server)
        assert reason.startswith(text)
        assert machine.state is state  # type: ignore[attr-defined]
        assert len(machine.alarms) == 1
        assert (server.record.stanzas, server.record.logins) == ([], 0)


def test_a_server_may_begin_with_tls(tmp_path: Path) -> None:
    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await machine.ready()

    with LyingServer(Lie.NONE, tmp_path, direct=True) as server:
        asyncio.run(play())


def test_three_servers_that_are_silent_have_no_more_time_than_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt, "ATTEMPT_WITHIN", 3.0)

    async def lookup(name: str) -> list[SrvRecord]:
        if "xmpps" in name:
            return []
        return [SrvRecord(rank, 0, server.ip, server.port) for rank in range(3)]

    async def play() -> None:
        machine = Machine(server, f"{USER}@{HOST}", PASSWORD)
        machine.transport._config = replace(machine.transport._config, server=None)
        machine.transport._lookup = lookup
        async with machine:
            await until(lambda: machine.reasons, 6)

    with LyingServer(Lie.SILENCE, tmp_path) as server:
        asyncio.run(play())
        assert server.record.connections == 3


def test_a_file_of_authorities_that_goes_during_an_attempt_does_not_end_it(tmp_path: Path) -> None:
    """Whoever renews it takes the old one away first."""

    async def lookup(name: str) -> list[SrvRecord]:
        await asyncio.to_thread(Path(server.ca).unlink, missing_ok=True)
        return [] if "xmpps" in name else [SrvRecord(0, 0, server.ip, server.port)]

    async def play() -> None:
        machine = Machine(server, f"{USER}@{HOST}", PASSWORD)
        machine.transport._config = replace(machine.transport._config, server=None)
        machine.transport._lookup = lookup
        async with machine:
            await machine.ready()

    with LyingServer(Lie.NONE, tmp_path) as server:
        asyncio.run(play())


def test_a_server_may_have_an_address_of_version_6(tmp_path: Path) -> None:
    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await machine.ready()

    with LyingServer(Lie.NONE, tmp_path, ip="::1") as server:
        asyncio.run(play())


@pytest.mark.parametrize("lie", [Lie.PLAIN_WITHOUT_TLS, Lie.OTHER_NAME, Lie.WRONG_PASSWORD])
def test_but_never_without_tls_nor_after_scram_has_failed(lie: Lie, tmp_path: Path) -> None:
    with LyingServer(lie, tmp_path) as server:
        reason_of(server, allow_plain=True)
        assert server.record.passwords == []


AFTER_LOGIN = {
    Lie.SEE_OTHER_HOST: "it ended the connection: see-other-host",
    Lie.POLICY_VIOLATION: "it ended the connection: policy-violation",
    Lie.CONFLICT: "another client of the account took its place",
    Lie.SILENCE_LATER: "no answer to a ping",
    Lie.ENDLESS_STANZA: "it sent a stanza of more than 1024 KiB",
    Lie.DEEP: "it sent a stanza of more than 200 elements within each other",
    Lie.DOCTYPE: "",
    Lie.GARBAGE_LATER: "what it sent can't be understood",
}


@pytest.mark.parametrize("lie", AFTER_LOGIN, ids=lambda lie: lie.name)
def test_a_server_that_turns_is_left(
    lie: Lie, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch, lie)
    with LyingServer(lie, tmp_path) as server:
        server.record.elsewhere = f"127.0.0.1:{server.port}"
        tracemalloc.start()
        reason, machine = reason_of(server)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert reason.startswith(AFTER_LOGIN[lie])
        assert machine.sessions == 1
        assert server.record.sent < 16 * 1024 * 1024
        assert peak < 24 * 1024 * 1024
        assert server.record.connections <= 2  # it went nowhere else, and did not come back at once


def test_a_server_that_talks_and_does_not_listen_is_left(tmp_path: Path) -> None:
    """It would never be asked whether it is there, and what is said to it would wait in memory."""

    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await until(lambda: machine.sessions)
            said = 0
            while not machine.reasons and said < 64 * 1024 * 1024:
                machine.transport._client.say("<message>" + "x" * 65536 + "</message>")
                said += 65536
                await asyncio.sleep(0)
            assert machine.reasons[0].partition("used: ")[2].startswith("it reads nothing of what")

    with LyingServer(Lie.DEAF, tmp_path) as server:
        asyncio.run(play())


def test_what_is_nested_deep_within_the_limit_does_no_harm(tmp_path: Path) -> None:
    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await until(lambda: machine.sessions)
            server.send("<message>" + "<x>" * 5_000 + "</x>" * 5_000 + "</message>")
            server.send(
                f"<message from='{USER}@{HOST}/x' type='headline'><notices xmlns='urn:autosync:1' "
                f"v='1'><n c='{CHANNEL[:16]}' h='{HEAD}'/></notices></message>"
            )
            await until(lambda: machine.heads() == [HEAD])

    with LyingServer(Lie.NONE, tmp_path) as server:
        asyncio.run(play())


def test_conflict_makes_it_somebody_else_and_the_third_is_told_to_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.01)

    async def play() -> Machine:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await until(lambda: machine.alarms)
            return machine

    with LyingServer(Lie.CONFLICT, tmp_path) as server:
        machine = asyncio.run(play())
        assert server.record.logins == 3
        assert len(machine.alarms) == 1


def test_a_name_that_is_taken_makes_it_somebody_else_at_once(tmp_path: Path) -> None:
    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await until(lambda: machine.reasons)
            server.lie = Lie.NONE
            await machine.ready()
            assert machine.alarms == []

    with LyingServer(Lie.BIND_CONFLICT, tmp_path) as server:
        asyncio.run(play())
        first, second = server.record.resources
        assert second.startswith(f"{first}-")


def test_what_stays_wrong_is_told_to_the_person_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "BACKOFF_LONG", 0.05)

    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await until(lambda: server.record.connections >= 8)
            assert machine.alarms == machine.reasons
            assert len(machine.alarms) == 1
            server.lie = Lie.PLAIN_ONLY
            await until(lambda: len(machine.alarms) == 2)
            machine.transport.retry()
            await until(lambda: len(machine.alarms) == 3)
            server.lie = Lie.NONE
            machine.transport.retry()
            await machine.ready()
            server.lie = Lie.PLAIN_ONLY
            server.drop()
            await until(lambda: len(machine.alarms) == 4)

    with LyingServer(Lie.SCRAM_WITHOUT_TLS, tmp_path) as server:
        asyncio.run(play())


def test_a_letter_to_a_dead_session_goes_again_and_one_that_came_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient(monkeypatch, Lie.SILENCE_LATER)
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.05)

    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await machine.ready()
            machine.transport.write(f"bob@{HOST}", "notes: a problem")
            await until(lambda: machine.reasons)
            server.lie = Lie.NONE
            await until(letters)
            await until(lambda: not machine.transport._session.unproved)
            server.drop()
            await until(lambda: machine.sessions == 3)
            machine.transport.write(f"bob@{HOST}", "another")
            await until(lambda: "another" in letters()[-1])
            assert len(letters()) == 2

    def letters() -> list[str]:
        return [stanza for stanza in server.record.stanzas if f'to="bob@{HOST}"' in stanza]

    with LyingServer(Lie.SILENCE_LATER, tmp_path) as server:
        asyncio.run(play())


def test_a_wrong_password_is_tried_once_and_again_when_a_person_asks(tmp_path: Path) -> None:
    async def play() -> None:
        async with Machine(server, f"{USER}@{HOST}", PASSWORD) as machine:
            await until(lambda: machine.alarms)
            connections = server.record.connections
            machine.transport.woke()
            machine.transport.network(online=True)
            began = time.monotonic()
            await until(lambda: time.monotonic() - began > 0.3)
            assert server.record.connections == connections
            server.lie = Lie.NONE
            machine.transport.retry()
            await machine.ready()
            assert machine.alarms == machine.reasons
            assert len(machine.alarms) == 1

    with LyingServer(Lie.WRONG_PASSWORD, tmp_path) as server:
        asyncio.run(play())


def test_the_library_says_nothing_by_itself() -> None:
    """Debian's version does while it is imported; a line on stderr is one in the journal."""
    code = "import autosyncd.transport.xmpp.client"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == (b"", b"", 0)
