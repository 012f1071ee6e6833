"""An XMPP client as a person has one, on a phone say; it records all that it is shown.

    async with ChatClient(server, "alice@xmpp.test/phone", "secret", priority=5, carbons=True) as phone:
        phone.say("bob@xmpp.test", "hello")
        stanza = await phone.sees("hello")

It is slixmpp's client with the differences between its versions, 1.8 to 1.17, taken away.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, Self

import pytest

slixmpp = pytest.importorskip("slixmpp")
OLD = slixmpp.__version_info__ < (1, 9)
CARBONS = "urn:xmpp:carbons:2"


class Server(Protocol):
    """What a client has to know of a server: XmppServer and LyingServer are such."""

    @property
    def ip(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def ca(self) -> str: ...


class ChatClient:
    """Online while it is entered. `events` are slixmpp's names, in the order in which they came."""

    EVENTS = (
        "session_start",
        "failed_auth",
        "failed_all_auth",
        "no_auth",
        "ssl_invalid_chain",
        "stream_error",
        "connection_failed",
        "disconnected",
    )

    def __init__(
        self,
        server: Server,
        jid: str,
        password: str,
        *,
        priority: int = 0,
        carbons: bool = False,
        mechanism: str | None = None,
    ) -> None:
        self.server = server
        self.jid = jid
        self.events: list[str] = []
        self.seen: list[str] = []
        """Every stanza that came, as XML."""
        self._priority = priority
        self._carbons = carbons
        self._news = asyncio.Condition()
        self.xmpp: Any = slixmpp.ClientXMPP(
            jid, password, **({"sasl_mech": mechanism} if mechanism else {})
        )
        self.xmpp.ca_certs = server.ca
        self.xmpp.add_filter("in", self._came)
        for name in self.EVENTS:
            self.xmpp.add_event_handler(name, self._note(name))

    async def __aenter__(self) -> Self:
        await self.connect()
        try:
            assert await self.event("session_start", "failed_all_auth", "disconnected") == (
                "session_start"
            )
            await self.begin()
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.end()

    async def connect(self) -> None:
        """Begin to; see `event`."""
        self.xmpp.disconnected.add_done_callback(lambda _: None)
        if OLD:
            self.xmpp.use_aiodns = False  # which, newer than it, complains of how it is used
            self.xmpp.connect((self.server.ip, self.server.port))
        else:
            self.xmpp.enable_direct_tls = False
            self.xmpp.connect(self.server.ip, self.server.port)

    async def begin(self) -> None:
        """What a client does once it is logged in."""
        if self._carbons:
            self.send(f"<iq type='set' id='carbons'><enable xmlns='{CARBONS}'/></iq>")
            assert 'type="result"' in await self.sees('id="carbons"')
        self.xmpp.send_presence(ppriority=self._priority)
        await self.sees("<presence")  # its own: from here on the server counts it as there

    async def end(self) -> None:
        """Say goodbye if there is somebody, and leave nothing behind."""
        self.xmpp.cancel_connection_attempt()
        transport = self.xmpp.transport  # which is None as soon as the connection is lost
        if transport is not None:
            if "session_start" in self.events and "disconnected" not in self.events:
                self.xmpp.send_presence(ptype="unavailable")
                await asyncio.sleep(0)
            transport.abort()  # abort() of its own fails on Python 3.11.2 after a close
        await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if "slixmpp" in repr(task):
                task.cancel()
        await asyncio.sleep(0)

    def say(self, to: str, text: str) -> None:
        """A chat message with a body."""
        self.xmpp.send_message(mto=to, mbody=text, mtype="chat")

    def send(self, xml: str) -> None:
        """These very characters."""
        self.xmpp.send_raw(xml)

    async def sees(self, part: str, seconds: float = 10.0, *, since: int = 0) -> str:
        """The first stanza, beginning with number `since`, in which `part` is."""
        return await self.eventually(lambda: self._having(part, since), part, seconds)

    async def event(self, *names: str, seconds: float = 10.0) -> str:
        """The first of these that happened or happens."""
        return await self.eventually(
            lambda: next((name for name in self.events if name in names), ""), str(names), seconds
        )

    def bodies(self) -> list[str]:
        """The texts that a person was shown, carbon copies included."""
        found = (stanza.split("<body>", 1)[1:] for stanza in self.seen if "<message" in stanza)
        return [rest[0].split("</body>", 1)[0] for rest in found if rest]

    def _having(self, part: str, since: int) -> str:
        return next((stanza for stanza in self.seen[since:] if part in stanza), "")

    async def eventually(self, probe: Callable[[], str], what: str, seconds: float) -> str:
        """The first answer of `probe` that is not empty; it is asked after whatever comes."""
        async with self._news:
            try:
                async with asyncio.timeout(seconds):
                    while not (answer := probe()):
                        await self._news.wait()
            except TimeoutError:
                text = f"{self.jid}: no {what} within {seconds} s: {self.events} {self.seen}"
                raise AssertionError(text) from None
        return answer

    def _came(self, stanza: Any) -> Any:
        self.seen.append(str(stanza))
        asyncio.get_running_loop().create_task(self.tell())
        return stanza

    def _note(self, name: str) -> Any:
        async def noted(_event: object) -> None:
            self.events.append(name)
            await self.tell()

        return noted

    async def tell(self) -> None:
        """Something came: whoever waits looks again."""
        async with self._news:
            self._news.notify_all()
