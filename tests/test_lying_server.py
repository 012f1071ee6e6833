"""The lying server lies as it says, and is honest in all else: tests of the client believe it."""

import asyncio
from pathlib import Path

import pytest

from tests.chat_client import OLD, ChatClient
from tests.lying_server import HOST, PASSWORD, USER, Lie, LyingServer
from tests.waiting import eventually


def first_of(server: LyingServer, *names: str, password: str = PASSWORD) -> str:
    """Which of slixmpp's events comes first, as careless as it is by itself."""

    async def ask() -> str:
        client = ChatClient(server, f"{USER}@{HOST}", password)
        await client.connect()
        try:
            return await client.event(*(names or client.EVENTS), seconds=5)
        finally:
            await client.end()

    return asyncio.run(ask())


def test_an_honest_server_lets_the_right_password_in_and_no_other(tmp_path: Path) -> None:
    with LyingServer(Lie.NONE, tmp_path) as server:
        assert first_of(server) == "session_start"
        assert server.record.logins == 1
        assert first_of(server, "failed_all_auth", "session_start", password="wrong") == (
            "failed_all_auth"
        )
        assert server.record.logins == 1


@pytest.mark.parametrize(
    ("lie", "event"),
    [
        (Lie.NO_TLS_NO_LOGIN, "session_start"),  # the hole: nobody has proved anything
        (Lie.BIND_WITHOUT_LOGIN, "session_start"),
        # 1.8 looks at no name where it was given an address
        (Lie.OTHER_NAME, "session_start" if OLD else "disconnected"),
        (Lie.EXPIRED, "disconnected"),
        (Lie.UNKNOWN_CA, "disconnected"),
        (Lie.TLS_FAILS, "disconnected"),
        (Lie.WRONG_PASSWORD, "failed_all_auth"),
        (Lie.LOGIN_LATER, "failed_all_auth"),
        (Lie.CLOSED, "disconnected"),
        (Lie.SEE_OTHER_HOST_FIRST, "stream_error"),
    ],
)
def test_a_lie_before_the_login_is_told(lie: Lie, event: str, tmp_path: Path) -> None:
    with LyingServer(lie, tmp_path) as server:
        assert first_of(server, event) == event
        trusting = OLD and lie is Lie.OTHER_NAME
        assert server.record.logins == int(trusting)


@pytest.mark.parametrize(
    ("lie", "event"),
    [
        (Lie.SEE_OTHER_HOST, "stream_error"),
        (Lie.POLICY_VIOLATION, "stream_error"),
        (Lie.CONFLICT, "stream_error"),
        (Lie.DOCTYPE, "disconnected"),
        (Lie.GARBAGE_LATER, "disconnected"),
    ],
)
def test_a_lie_after_the_login_is_told(lie: Lie, event: str, tmp_path: Path) -> None:
    with LyingServer(lie, tmp_path) as server:
        assert first_of(server, event) == event
        assert server.record.logins == 1


def test_plain_gives_the_password_away(tmp_path: Path) -> None:
    with LyingServer(Lie.PLAIN_ONLY, tmp_path) as server:
        assert first_of(server, "session_start") == "session_start"
        assert server.record.passwords == [PASSWORD]


def test_it_says_what_it_is_told_to_and_drops_its_clients(tmp_path: Path) -> None:
    with LyingServer(Lie.NONE, tmp_path) as server:

        async def talk() -> None:
            client = ChatClient(server, f"{USER}@{HOST}", PASSWORD)
            await client.connect()
            await client.event("session_start")
            client.send("<presence/>")
            body = "<body>hello</body>"
            await asyncio.to_thread(server.send, f"<message from='bob@{HOST}/x'>{body}</message>")
            await client.sees(body)
            await asyncio.to_thread(server.drop)
            await client.event("disconnected")
            await client.end()

        asyncio.run(talk())
        eventually(lambda: any("presence" in stanza for stanza in server.record.stanzas))
