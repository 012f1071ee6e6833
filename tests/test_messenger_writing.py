"""An alert reaches a person's phone, from the messenger through a real server, once and readable."""

import asyncio
from pathlib import Path

import pytest

from autosyncd.link.channel import pair
from autosyncd.link.messages import (
    Shutdown,
)
from autosyncd.link.outside import (
    Alert,
)
from autosyncd.messenger import letters
from autosyncd.messenger.loop import Messenger
from autosyncd.model import AlertKind, OutsideConfig, Secret, XmppConfig
from tests.buses import OLD_LEAKS
from tests.old_peer import Phone
from tests.testbed import XmppServer

WORD = "secret"


def problem(text: str) -> Alert:
    return Alert("notes", AlertKind.PROBLEM, text, "notes: a problem", text)


@OLD_LEAKS
@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
def test_alerts_are_one_chat_message_that_a_phone_shows(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "GATHER", 0.3)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with XmppServer(tmp_path / "server", kind) as server:  # type: ignore[arg-type]
        alice, bob = server.add_user("alice", WORD), server.add_user("bob", WORD)
        place = (server.ip, server.port)
        config = OutsideConfig(
            xmpp=XmppConfig(alice, Secret(literal=WORD), place, server.ca), alerts_to=bob
        )

        async def talk() -> None:
            ours, theirs = pair()
            async with (
                Phone(server, bob, WORD, priority=5) as phone,
                Phone(server, alice, WORD, priority=0) as own,
            ):
                running = asyncio.create_task(Messenger(config, theirs).run())
                ours.outbox.post(problem("ssh://alice:hunter2@h/x <refuses> & 'it'"))
                ours.outbox.post(problem("笔记 is full"))
                told = await phone.sees("autosync on ")
                assert "笔记 is full" in told
                assert "ssh://h/x" in told
                assert "hunter2" not in told
                assert len(phone.bodies()) == 1
                assert 'type="chat"' in told
                ours.outbox.post(Shutdown(1.0))
                await asyncio.wait_for(running, 5)
                assert len([text for text in own.bodies() if "autosync on" in text]) <= 1
            ours.close()
            theirs.close()

        asyncio.run(talk())
