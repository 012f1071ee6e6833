"""Who else uses an account: a stand-in for dvcs-autosync 0.5 (2011-2015), and a person's phone.

The old peer speaks the wire as it was recorded of the real one: resource `AutosyncJabberBot on
HOST`, priority 0, SASL PLAIN, chat messages with one word and its argument to the own bare JID. It
believes nobody whose presence it has not seen, hears any `pushed`, whatever the address behind it,
and answers every other word with `Unknown command`.
"""

import asyncio
import re
from typing import Any
from xml.etree.ElementTree import Element

from tests.chat_client import ChatClient, Server

RESOURCE = "AutosyncJabberBot on {}"
PUSHED = re.compile(r"(?is)\Apushed(?: .*)?\Z")
KNOWN = ("pushed", "login", "unknown", "ping", "pong", "whoami", "help")
"""First words that it does not complain of, apart from what it says itself."""
OWN_WORDS = ("Unknown command:", "You are")


class OldPeer(ChatClient):
    """dvcs-autosync 0.5 on the machine `host`, while it is entered."""

    def __init__(self, server: Server, account: str, password: str, host: str = "oldbox") -> None:
        self.account = account
        super().__init__(
            server, f"{account}/{RESOURCE.format(host)}", password, priority=0, mechanism="PLAIN"
        )
        self.host = host
        self.pulls: list[tuple[str, str]] = []
        """(full JID, body) of each message that made it pull."""
        self.ignored: list[tuple[str, str, str]] = []
        """(why, full JID, body) of each message that did not."""
        self._present: set[str] = set()
        self.xmpp.add_event_handler("message", self._hear)
        self.xmpp.add_event_handler("presence_available", self._see)
        self.xmpp.add_event_handler("presence_unavailable", self._lose)

    async def begin(self) -> None:
        """Online, as it is after its first login."""
        await super().begin()
        self._say_to_all(f"login {RESOURCE.format(self.host)}")

    def push(self, url: str) -> None:
        """What it says after every attempt to push, failed ones included."""
        self._say_to_all(f"pushed {url}\n")

    def _say_to_all(self, body: str) -> None:
        message = self.xmpp.make_message(mto=self.account, mbody=body, mtype="chat")
        thread = Element("{jabber:client}thread")
        thread.text = "None"
        message.xml.append(thread)
        message.send()

    def _see(self, presence: Any) -> None:
        self._present.add(str(presence["from"]))

    def _lose(self, presence: Any) -> None:
        self._present.discard(str(presence["from"]))

    def _hear(self, message: Any) -> None:
        """At once, as the one thread of the real one does: what follows must not overtake it."""
        sender, body = str(message["from"]), str(message["body"])
        if (why := self._objection(message, sender, body)) is not None:
            self.ignored.append((why, sender, body))
        elif PUSHED.match(body):
            self.pulls.append((sender, body))
        elif body.split(" ", 1)[0].strip().lower() not in KNOWN and not body.startswith(OWN_WORDS):
            self._say_to_all(f"Unknown command: {body}")
        self._telling = asyncio.create_task(self.tell())

    def _objection(self, message: Any, sender: str, body: str) -> str | None:
        if message["type"] != "chat" or not body:
            return "not a chat message"
        if message.xml.find("{jabber:x:delay}x") is not None:
            return "delayed"
        if sender == str(self.xmpp.boundjid.full):
            return "its own"
        return None if sender in self._present else "nobody whose presence it has seen"

    async def pulled(self, part: str = "pushed", seconds: float = 10.0) -> str:
        """The full JID of the first whose message, with `part` in it, made it pull."""

        def found() -> str:
            return next((sender for sender, body in self.pulls if part in body), "")

        return await self.eventually(found, f"pull for {part}", seconds)


class Phone(ChatClient):
    """A person's chat client: carbons are on, and it sees whatever one sees."""

    def __init__(
        self,
        server: Server,
        account: str,
        password: str,
        *,
        priority: int = 5,
        carbons: bool = True,
    ) -> None:
        jid = f"{account}/phone{priority}"
        super().__init__(server, jid, password, priority=priority, carbons=carbons)
