"""The stand-ins of an account's other clients behave as the real ones: tests of XMPP believe them."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.chat_client import ChatClient
from tests.old_peer import OldPeer, Phone
from tests.testbed import XmppServer

WORD = "secret"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppServer]:
    with XmppServer(tmp_path_factory.mktemp("xmpp") / "server") as server:
        yield server


def account(server: XmppServer, name: str) -> str:
    return server.add_user(name, WORD)


def test_an_old_peer_hears_only_those_whose_presence_it_has_seen(server: XmppServer) -> None:
    alice = account(server, "alice")

    async def talk() -> None:
        other = ChatClient(server, f"{alice}/other", WORD, priority=-1)
        async with other, OldPeer(server, alice, WORD) as old:
            to = old.xmpp.boundjid.full
            assert str(to) == f"{alice}/AutosyncJabberBot on oldbox"
            other.send(f"<presence to='{to}'/>")
            await old.sees("other", seconds=5)
            other.say(to, "pushed ssh://h/x")
            assert await old.pulled() == f"{alice}/other"
            other.send(f"<presence to='{to}' type='unavailable'/>")
            await old.sees('type="unavailable"')
            other.say(to, "pushed again")
            await old.sees("pushed again")
            assert [why for why, _, body in old.ignored if body == "pushed again"] == [
                "nobody whose presence it has seen"
            ]

    asyncio.run(talk())


def test_an_old_peer_says_login_and_pushed_to_all_and_complains_of_the_rest(
    server: XmppServer,
) -> None:
    bob = account(server, "bob")

    async def talk() -> None:
        phone = Phone(server, bob, WORD)
        async with phone, OldPeer(server, bob, WORD, "box2") as old:
            await phone.sees("login AutosyncJabberBot on box2")
            old.push("git@h:x.git")
            assert "thread>None<" in await phone.sees("pushed git@h:x.git")
            phone.say(str(old.xmpp.boundjid.full), "dance")
            await phone.sees("Unknown command: dance")
            said = [text.strip() for text in dict.fromkeys(phone.bodies())]  # carbons double it
            assert said == [
                "login AutosyncJabberBot on box2", "pushed git@h:x.git", "dance",
                "Unknown command: dance",
            ]  # fmt: skip
            assert old.pulls == []

    asyncio.run(talk())


def test_a_phone_gets_what_friends_write_and_copies_of_what_others_get(server: XmppServer) -> None:
    carol, dan = account(server, "carol"), account(server, "dan")

    async def talk() -> None:
        async with (
            Phone(server, carol, WORD, priority=5) as high,
            Phone(server, carol, WORD, priority=0) as low,
            ChatClient(server, f"{dan}/x", WORD) as friend,
        ):
            friend.say(carol, "hello")
            await high.sees("<body>hello</body>")
            assert "carbons:2" in await low.sees("<body>hello</body>")
            assert (high.bodies(), low.bodies()) == (["hello"], ["hello"])

    asyncio.run(talk())
