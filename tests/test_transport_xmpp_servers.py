"""The transport at real servers: Prosody and ejabberd as Debian installs them, limits and all."""

import asyncio
import logging
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from hashlib import sha256

import pytest

from autosyncd.model import Channel
from autosyncd.transport import connection
from autosyncd.transport.base import Interest
from autosyncd.transport.connection import TransportState
from autosyncd.transport.xmpp import attempt
from autosyncd.transport.xmpp.servers import SrvRecord
from tests.chat_client import ChatClient
from tests.hostile_stanzas import nested
from tests.old_peer import OldPeer
from tests.testbed.messaging import XmppServer
from tests.xmpp_machines import CHANNEL, HEAD, OTHER, Machine, acquainted, notice, until

PASSWORD = "secret-ä"
KINDS = ("prosody", "ejabberd")


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[XmppServer]:
    with XmppServer(tmp_path_factory.mktemp("xmpp") / "server", request.param) as server:
        server.start()
        for name in ("alice", "bob", "mallory"):
            server.add_user(name, PASSWORD)
        yield server


@pytest.fixture
def short_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost server is noticed sooner than in earnest; the bench has the true figures."""
    monkeypatch.setattr(connection, "PING_AFTER", 1.0)
    monkeypatch.setattr(connection, "ANSWER_WITHIN", 1.0)


def alice(server: XmppServer, name: str = "1", **options: object) -> Machine:
    return Machine(server, f"alice@{server.host}", PASSWORD, name, **options)  # type: ignore[arg-type]


async def quiet(seconds: float = 0.7) -> None:
    """Time for what should not come."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    await until(lambda: loop.time() > end, seconds + 5)


def test_what_one_announces_the_others_hear_by_starttls_and_direct_tls(server):
    async def play() -> None:
        machines = alice(server, "1"), alice(server, "2", port=server.tls_port), alice(server, "3")
        async with machines[0] as one, machines[1] as two, machines[2] as three:
            await acquainted(machines)
            one.transport.announce(notice())
            await until(lambda: two.heads() == three.heads() == [HEAD])
            two.transport.announce(notice(head="34" * 20))
            await until(lambda: one.heads() == ["34" * 20])
            await until(lambda: three.heads() == [HEAD, "34" * 20])
            assert [machine.sessions for machine in machines] == [1, 1, 1]

    asyncio.run(play())


def test_an_account_that_is_written_in_another_way_is_the_same(server):
    """As one keyboard writes an accent, and not another."""
    server.add_user("jos\u00e9", PASSWORD)
    names = [f"jose\u0301@{server.host}", f"jos\u00e9@{server.host}"]

    async def play() -> None:
        one, two = (Machine(server, jid, PASSWORD, str(n)) for n, jid in enumerate(names))
        async with one, two:
            await acquainted((one, two))
            one.transport.announce(notice())
            two.transport.announce(notice(head="34" * 20))
            await until(lambda: (one.heads(), two.heads()) == (["34" * 20], [HEAD]))

    asyncio.run(play())


def test_what_is_announced_while_away_is_heard_afterwards(server):
    async def play() -> None:
        one, two = alice(server, "1"), alice(server, "2")
        one.transport.announce(notice())
        async with one, two:
            await until(lambda: two.heads() == [HEAD])

    asyncio.run(play())


def test_two_machines_with_one_name_end_up_side_by_side(server):
    async def play() -> None:
        one, two = alice(server, "1"), alice(server, "1")
        async with one:
            await one.ready()
            async with two:
                await until(lambda: one.peers == two.peers == 1, 20)
                one.transport.announce(notice())
                await until(lambda: two.heads() == [HEAD])
                await quiet(3)
                assert (one.sessions, two.sessions) == (2, 1)
                assert one.alarms == two.alarms == []

    asyncio.run(play())


@pytest.mark.parametrize("loss", ["kill", "stop", "pause"])
def test_every_loss_is_noticed_and_heals(server, short_pings, loss):
    async def play() -> None:
        one, two = alice(server, "1"), alice(server, "2")
        async with one, two:
            await acquainted((one, two))
            getattr(server, loss)()
            try:
                await until(lambda: not one.online and not two.online, 10)
                one.transport.announce(notice())
            finally:
                server.resume() if loss == "pause" else server.start()
            await until(lambda: two.heads() == [HEAD], 60)
            assert (one.sessions, two.sessions) == (2, 2)
            assert one.alarms == []

    asyncio.run(play())


@pytest.mark.slow
def test_a_server_that_a_stranger_ends_is_found_again(server):
    """By what is nested too deep for ejabberd; Prosody passes it on, and it does no harm."""

    async def play() -> None:
        one = alice(server)
        full = f"alice@{server.host}/autosyncd-{'1'.rjust(32, '0')}"
        async with one:
            await one.ready()
            stranger = ChatClient(server, f"mallory@{server.host}/x", PASSWORD)
            async with stranger:
                stranger.send(nested(full))
                if server.kind == "prosody":
                    await quiet(2)
                    assert (one.online, one.sessions) == (True, 1)
                    return
                await until(lambda: not one.online, 30)
            await asyncio.to_thread(server.start)
            await until(lambda: one.online, 60)
            assert (one.alarms, one.notices) == ([], [])

    asyncio.run(play())


def test_a_wrong_password_is_no_storm_and_heals_by_a_reload(server):
    async def play() -> None:
        machine = Machine(server, f"alice@{server.host}", "wrong")
        async with machine:
            await until(lambda: machine.alarms)
            assert machine.transport._connection.state is TransportState.FATAL
            assert "the password is wrong" in machine.alarms[0]
            assert PASSWORD not in machine.alarms[0]
            secret = replace(machine.transport._config.secret, literal=PASSWORD)
            machine.transport._config = replace(machine.transport._config, secret=secret)
            await quiet(2.5)
            assert len(machine.alarms) == 1
            machine.transport.retry()
            await machine.ready()

    asyncio.run(play())


@pytest.mark.parametrize("port", ["port", "tls_port"])
def test_a_certificate_that_nobody_vouches_for_ends_it(server, port):
    async def play() -> None:
        machine = alice(server, ca_file=None, port=getattr(server, port))
        async with machine:
            await until(lambda: machine.alarms)
            assert "its certificate is not accepted" in machine.alarms[0]
            assert machine.sessions == 0

    asyncio.run(play())


def test_the_certificate_is_for_the_domain_of_the_account_wherever_the_server_is(server):
    async def play() -> None:
        machine = Machine(server, "alice@localhost", PASSWORD, port=server.tls_port)
        async with machine:
            await until(lambda: machine.reasons)
            # Prosody hangs up, since it knows no such domain; the lying server goes further.
            refused = "its certificate is not accepted, Hostname mismatch" in machine.reasons[0]
            assert refused is (server.kind == "ejabberd")
            assert machine.sessions == 0

    asyncio.run(play())


def test_a_server_is_found_by_dns(server):
    async def lookup(name: str) -> list[SrvRecord]:
        if name != f"_xmpps-client._tcp.{server.host}":
            return [SrvRecord(5, 0, "127.0.0.1", 9)]
        return [SrvRecord(10, 0, server.ip, server.tls_port)]

    async def play() -> None:
        machine = alice(server)
        machine.transport._config = replace(machine.transport._config, server=None)
        machine.transport._lookup = lookup
        async with machine:
            await machine.ready()

    asyncio.run(play())


def test_a_first_server_that_is_silent_gives_way_to_the_next(server, monkeypatch):
    """A port that accepts and says nothing; and what speaks has all the time it needs."""
    monkeypatch.setattr(attempt, "SPEAK_WITHIN", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        places = [("127.0.0.1", silent.getsockname()[1]), (server.ip, server.port), ("::1", 9)]

        async def lookup(name: str) -> list[SrvRecord]:
            if "xmpps" in name:
                return []
            return [
                SrvRecord(rank, 0, str(ip), int(port)) for rank, (ip, port) in enumerate(places)
            ]

        async def play() -> None:
            machine = alice(server)
            machine.transport._config = replace(machine.transport._config, server=None)
            machine.transport._lookup = lookup
            async with machine:
                await machine.ready()
                await quiet(1.0)
                assert (machine.sessions, machine.reasons) == (1, [])

        asyncio.run(play())


def test_bob_and_alice_hear_of_what_names_the_other_and_of_nothing_else(server):
    async def play() -> None:
        shared = Interest(frozenset({f"bob@{server.host}"}))
        ours = alice(server, interests={CHANNEL: Interest(), OTHER: shared})
        back = {CHANNEL: Interest(), OTHER: Interest(frozenset({f"alice@{server.host}"}))}
        bobs = Machine(server, f"bob@{server.host}", PASSWORD, "2", interests=back)
        async with ours, bobs:
            await until(lambda: ours.peers == bobs.peers == 1)
            ours.transport.announce(notice(CHANNEL))
            ours.transport.announce(notice(OTHER, "34" * 20))
            bobs.transport.announce(notice(CHANNEL, "56" * 20))
            bobs.transport.announce(notice(OTHER, "78" * 20))
            await until(lambda: bobs.notices and ours.notices)
            await quiet()
            assert (bobs.heads(), ours.heads()) == (["34" * 20], ["78" * 20])
            bobs.transport.stop()
            await until(lambda: ours.peers == 0)

    asyncio.run(play())


def test_who_is_trusted_by_one_side_only_learns_nothing(server):
    async def play() -> None:
        ours = alice(server)
        one_sided = {CHANNEL: Interest(frozenset({f"alice@{server.host}"}))}
        bobs = Machine(server, f"bob@{server.host}", PASSWORD, "2", interests=one_sided)
        async with ours, bobs:
            await ours.ready()
            await bobs.ready()
            bobs.transport.announce(notice())
            ours.transport.announce(notice())
            await quiet()
            assert (bobs.peers, ours.peers) == (0, 0)
            assert bobs.notices == ours.notices == []

    asyncio.run(play())


def test_strangers_get_no_presence_no_answer_no_subscription(server):
    own = f"alice@{server.host}"
    full = f"{own}/autosyncd-" + "1".rjust(32, "0")

    async def play() -> None:
        ours, stranger = alice(server), ChatClient(server, f"mallory@{server.host}/x", PASSWORD)
        async with ours, stranger:
            await ours.ready()
            stranger.send(f"<presence to='{own}' type='subscribe'/>")
            stranger.send(
                f"<presence to='{full}'><autosync xmlns='urn:autosync:1' v='1'/></presence>"
            )
            stranger.send(f"<iq to='{full}' type='get' id='q1'><ping xmlns='urn:xmpp:ping'/></iq>")
            stranger.send(
                f"<message to='{full}' type='headline'><notices xmlns='urn:autosync:1' v='1'>"
                f"<n c='{CHANNEL}' h='{HEAD}'/></notices></message>"
            )
            ours.transport.announce(notice())
            await quiet(1.0)
            assert ours.peers == 0
            assert ours.notices == []
        # in the account's own name the server may speak, as it does while nobody is there
        theirs = [stanza for stanza in stranger.seen if f'from="{full}' in stanza]
        assert [stanza for stanza in theirs if 'type="error"' not in stanza] == []
        assert not any('type="subscribed"' in stanza for stanza in stranger.seen)

    asyncio.run(play())


@pytest.mark.parametrize("priority", [5, 0])
def test_a_phone_sees_nothing_of_ours_and_loses_nothing_of_its_own(server, priority):
    async def play() -> None:
        one, two = alice(server, "1"), alice(server, "2")
        phone = ChatClient(
            server, f"alice@{server.host}/phone", PASSWORD, priority=priority, carbons=True
        )
        friend = ChatClient(server, f"bob@{server.host}/x", PASSWORD)
        async with one, two, phone, friend:
            await acquainted((one, two))
            one.transport.announce(notice())
            await until(lambda: two.heads() == [HEAD])
            friend.say(f"alice@{server.host}", "hello")
            await phone.sees("hello")
            assert phone.bodies() == ["hello"]
            ours = [stanza for stanza in phone.seen if "urn:autosync:1" in stanza]
            assert all(stanza.startswith("<presence") for stanza in ours)

    asyncio.run(play())


def test_with_the_phone_off_its_messages_wait_for_it(server):
    async def play() -> None:
        one = alice(server)
        friend = ChatClient(server, f"bob@{server.host}/x", PASSWORD)
        phone = ChatClient(server, f"alice@{server.host}/phone", PASSWORD)
        async with one, friend:
            await one.ready()
            friend.say(f"alice@{server.host}", "while you slept")
            await quiet(0.3)
            async with phone:
                await phone.sees("while you slept")

    asyncio.run(play())


@pytest.mark.parametrize("priority", [5, 0])
def test_an_old_peer_hears_us_and_is_heard_and_the_phone_notices_nothing(server, priority, caplog):
    caplog.set_level(logging.INFO, "autosyncd")
    own = f"alice@{server.host}"
    wanted = {CHANNEL: Interest(frozenset(), frozenset({"ssh://hub/notes"}))}

    async def play() -> None:
        one = alice(server, interests=wanted)
        phone = ChatClient(server, f"{own}/phone", PASSWORD, priority=priority, carbons=True)
        friend = ChatClient(server, f"bob@{server.host}/x", PASSWORD)
        async with one, phone, friend:
            await one.ready()
            async with OldPeer(server, own, PASSWORD) as old:
                await until(lambda: len(one.transport._session._old))
                one.transport.announce(notice())
                assert "/autosyncd-" in await old.pulled("pushed ssh://hub/notes")
                friend.say(own, "dinner?")
                await phone.sees("dinner?")
                one.transport.write(own, "notes: a problem")
                await phone.sees("notes: a problem")
                old.push("hub:notes.git")
                await until(lambda: one.notices)
                assert one.notices[0][2].channels == (CHANNEL,)
                await quiet()
                assert "pushed ssh://hub/notes" not in phone.bodies()
                assert "Unknown command: notes: a problem" not in phone.bodies()
                one.transport.announce(notice(head="34" * 20))
                await until(lambda: len(old.pulls) == 2)
                assert len(one.notices) == 1
                assert all("pushed" in body for _, _, body in old.ignored if "autosyncd" in body)
            await until(lambda: not len(one.transport._session._old))

    asyncio.run(play())
    assert [one.message for one in caplog.records if "not obeyed" in one.message] == []


def test_two_hundred_repositories_at_once_reach_every_peer_and_pings_are_answered(server):
    """Ten clients of one account, as many as ejabberd lets in; two channels of each repository."""
    channels = [Channel(sha256(b"%d" % number).hexdigest()) for number in range(400)]

    async def play() -> None:
        wanted = dict.fromkeys(channels, Interest())
        machines = [alice(server, str(number), interests=wanted) for number in range(10)]
        async with AsyncExitStack() as stack:
            for machine in machines:
                await stack.enter_async_context(machine)
            await acquainted(machines)
            one, others = machines[0], machines[1:]
            for pair in zip(channels[:200], channels[200:], strict=True):
                one.transport.announce(replace(notice(), channels=pair))
            await until(lambda: all(len(other.channels()) == 400 for other in others), 15)
            for machine in machines:
                machine.transport.woke()  # asks the server for a word, within 5 s
            await until(lambda: not any(m.transport._connection.asked for m in machines), 5)
            assert [machine.sessions for machine in machines] == [1] * 10

    asyncio.run(play())
