"""What a lying XMPP server (lying_server.py) says to one client.

RFC 6120 for the stream, RFC 5802 for SCRAM; enough of both for a client to believe it.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import ssl
from dataclasses import dataclass, field
from enum import Enum
from typing import Any
from xml.etree.ElementTree import Element, XMLPullParser, tostring

HOST = "xmpp.test"
USER, PASSWORD = "alice", "secret"
STREAMS = "http://etherx.jabber.org/streams"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = "urn:ietf:params:xml:ns:xmpp-bind"
PING = "urn:xmpp:ping"
ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
ITERATIONS = 4096
ENDLESS = 200 * 1024 * 1024
"""Bytes of the endless stanza, should anybody read so far."""


class Lie(Enum):
    """What is wrong with the server; the value says it in words."""

    NONE = "nothing: it is honest"
    # before a client is logged in
    NO_TLS_NO_LOGIN = "it offers neither TLS nor SASL, just resource binding"
    PLAIN_WITHOUT_TLS = "it offers PLAIN on a bare connection, and no TLS"
    SCRAM_WITHOUT_TLS = "it offers SCRAM on a bare connection, and no TLS"
    PLAIN_ONLY = "inside TLS it offers PLAIN and nothing else"
    ANONYMOUS_ONLY = "inside TLS it offers ANONYMOUS and EXTERNAL and nothing else"
    BIND_WITHOUT_LOGIN = "inside TLS it offers resource binding without SASL"
    BIND_DURING_LOGIN = "it answers the client's SCRAM with an offer to bind"
    UNPROVED_LOGIN = "it accepts any password, since it does not know the right one"
    SUCCESS_INSTEAD_OF_CHALLENGE = "it lets in whoever begins to log in, and proves nothing itself"
    CHEAP_LOGIN = "its SCRAM hashes the password so few times that it is easy to guess"
    BIND_CONFLICT = "it says that the resource is another's"
    BIND_REFUSED = "it says that the account has too many clients"
    OTHER_NAME = "its certificate is another domain's"
    EXPIRED = "its certificate has expired"
    UNKNOWN_CA = "its certificate is signed by nobody whom the client knows"
    TLS_FAILS = "it offers STARTTLS and then refuses"
    TLS_TWICE = "it agrees to STARTTLS twice, and then is silent"
    TLS_THEN_CLOSED = "it agrees to STARTTLS and hangs up"
    WRONG_PASSWORD = "it says that the password is wrong"
    LOGIN_LATER = "it says that logging in fails for now"
    SILENCE = "it takes the connection and never says a word"
    GARBAGE = "it answers with bytes that are no XML"
    CLOSED = "it closes each connection at once"
    CONFLICT_FIRST = "it says in clear that the resource was taken by another"
    SEE_OTHER_HOST_FIRST = "it sends everybody to another host before anything else"
    # once a client is logged in
    SEE_OTHER_HOST = "it sends the client to another host"
    POLICY_VIOLATION = "it ends the stream for a violation of its policy"
    CONFLICT = "it says that the resource was taken by another"
    SILENCE_LATER = "it answers no more"
    ENDLESS_STANZA = "it sends a stanza of 200 MiB"
    DOCTYPE = "it sends a document type with entities that grow"
    GARBAGE_LATER = "it sends bytes that are no XML"
    DEAF = "it reads no more, and goes on talking"
    DEEP = "it sends elements nested 200,000 deep"


NO_TLS = {Lie.NO_TLS_NO_LOGIN, Lie.PLAIN_WITHOUT_TLS, Lie.SCRAM_WITHOUT_TLS}
STREAM_ERRORS = {
    Lie.SEE_OTHER_HOST: "see-other-host",
    Lie.SEE_OTHER_HOST_FIRST: "see-other-host",
    Lie.POLICY_VIOLATION: "policy-violation",
    Lie.CONFLICT: "conflict",
    Lie.CONFLICT_FIRST: "conflict",
}
BIND_ERRORS = {Lie.BIND_CONFLICT: "conflict", Lie.BIND_REFUSED: "resource-constraint"}
BOMB = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'>" + "".join(
    f"<!ENTITY {after} '{f'&{before};' * 10}'>"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)


@dataclass(slots=True)
class Record:
    """What happened to the server so far."""

    connections: int = 0
    logins: int = 0
    stanzas: list[str] = field(default_factory=list)
    """Every message, presence and iq that came, but for binding and pings; as XML."""
    resources: list[str] = field(default_factory=list)
    """The names that clients asked for."""
    proofs: int = 0
    """How often a client has answered the challenge of SCRAM."""
    passwords: list[str] = field(default_factory=list)
    """What PLAIN told it, which nobody should have."""
    sent: int = 0
    """Bytes of the endless stanza that were taken."""
    elsewhere: str = "127.0.0.1:9"
    """Where see-other-host sends people."""


class Conversation:
    """One client, from its first byte to its last."""

    def __init__(
        self,
        lie: Lie,
        record: Record,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._lie = lie
        self._record = record
        self._context = context
        self._reader = reader
        self._writer = writer
        self._parser: Any = XMLPullParser(("start", "end"))
        self._open: list[Element] = []

    async def hold(self) -> None:
        if self._lie is Lie.CLOSED:
            return
        if self._lie is Lie.SILENCE:
            await self._listen_for_ever()
        if self._lie is Lie.GARBAGE:
            self._say("HTTP/1.1 400 Bad Request\r\n\r\n<<<<\0\xff")
            await self._listen_for_ever()
        await self._stream()
        if self._lie in (Lie.SEE_OTHER_HOST_FIRST, Lie.CONFLICT_FIRST):
            await self._error()
        encrypted = self._writer.get_extra_info("ssl_object") is not None
        if self._lie not in NO_TLS and not encrypted:
            await self._secure()
        await self._log_in()
        await self._session()

    # words

    def _say(self, text: str) -> None:
        self._writer.write(text.encode("latin-1", "replace"))

    async def _stream(self) -> None:
        """A stream begins (anew)."""
        self._parser, self._open = XMLPullParser(("start", "end")), []
        await self._next(depth=1, event="start")
        self._say(
            f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='{STREAMS}' "
            f"version='1.0' id='{secrets.token_hex(8)}' from='{HOST}'>"
        )

    def _features(self, inside: str) -> None:
        self._say(f"<stream:features>{inside}</stream:features>")

    async def _next(self, depth: int = 2, event: str = "end") -> Element:
        """The next thing that the client says in whole; EOFError if it ends."""
        while True:
            for kind, element in self._parser.read_events():
                assert isinstance(element, Element)
                self._open += [element] if kind == "start" else []
                level = len(self._open)
                if kind == "end":
                    self._open.pop()
                if kind == event and level == depth:
                    return element
                if kind == "end" and level == 1:
                    raise EOFError
            got = await self._reader.read(65536)
            if not got:
                raise EOFError
            self._parser.feed(got)

    async def _listen_for_ever(self) -> None:
        while await self._reader.read(65536):
            pass
        raise EOFError

    async def _error(self) -> None:
        name = STREAM_ERRORS[self._lie]
        where = self._record.elsewhere if name == "see-other-host" else ""
        self._say(
            f"<stream:error><{name} xmlns='{ERRORS}'>{where}</{name}></stream:error></stream:stream>"
        )
        await self._listen_for_ever()

    # TLS, SASL

    async def _secure(self) -> None:
        self._features(f"<starttls xmlns='{TLS}'><required/></starttls>")
        while (await self._next()).tag != f"{{{TLS}}}starttls":
            pass
        if self._lie is Lie.TLS_FAILS:
            self._say(f"<failure xmlns='{TLS}'/></stream:stream>")
            await self._listen_for_ever()
        self._say(f"<proceed xmlns='{TLS}'/>")
        if self._lie is Lie.TLS_TWICE:
            self._say(f"<proceed xmlns='{TLS}'/>")
            await self._listen_for_ever()
        if self._lie is Lie.TLS_THEN_CLOSED:
            raise EOFError
        await self._writer.start_tls(self._context)
        await self._stream()

    async def _log_in(self) -> None:
        """Until the client may bind, or believes so."""
        if self._lie in (Lie.NO_TLS_NO_LOGIN, Lie.BIND_WITHOUT_LOGIN):
            return
        offered = {
            Lie.PLAIN_ONLY: ("PLAIN",),
            Lie.PLAIN_WITHOUT_TLS: ("PLAIN",),
            Lie.ANONYMOUS_ONLY: ("ANONYMOUS", "EXTERNAL"),
        }.get(self._lie, ("SCRAM-SHA-1", "PLAIN"))
        names = "".join(f"<mechanism>{name}</mechanism>" for name in offered)
        self._features(f"<mechanisms xmlns='{SASL}'>{names}</mechanisms>")
        while not await self._accepted(await self._next()):
            pass
        self._record.logins += 1
        await self._stream()

    async def _accepted(self, auth: Element) -> bool:
        """Whether this was a login; the client was told."""
        if auth.tag != f"{{{SASL}}}auth":
            return False
        mechanism, first = auth.get("mechanism"), _decoded(auth)
        last: str | None = None
        if mechanism == "PLAIN":
            password = first.rpartition("\0")[2]
            self._record.passwords.append(password)
            last = "" if password == PASSWORD else None
        elif mechanism == "SCRAM-SHA-1":
            last = await self._scram(first)
        elif self._lie is Lie.ANONYMOUS_ONLY:
            last = ""
        refused = {
            Lie.WRONG_PASSWORD: "not-authorized",
            Lie.LOGIN_LATER: "temporary-auth-failure",
        }.get(self._lie)
        if refused or last is None:
            self._say(f"<failure xmlns='{SASL}'><{refused or 'not-authorized'}/></failure>")
            return False
        self._say(f"<success xmlns='{SASL}'>{_encoded(last)}</success>")
        return True

    async def _scram(self, first: str) -> str | None:
        """The server's side of RFC 5802, SCRAM-SHA-1; its last word, None if the proof is wrong."""
        if self._lie is Lie.BIND_DURING_LOGIN:
            self._features(f"<bind xmlns='{BIND}'/>")
            await self._listen_for_ever()
        bare = first.split(",", 2)[2]
        nonce = dict(part.split("=", 1) for part in bare.split(","))["r"] + secrets.token_hex(8)
        salt = secrets.token_bytes(12)
        rounds = ITERATIONS - 1 if self._lie is Lie.CHEAP_LOGIN else ITERATIONS
        challenge = f"r={nonce},s={base64.b64encode(salt).decode()},i={rounds}"
        if self._lie is Lie.SUCCESS_INSTEAD_OF_CHALLENGE:
            return challenge
        self._say(f"<challenge xmlns='{SASL}'>{_encoded(challenge)}</challenge>")
        unproved, _, proof = _decoded(await self._next()).rpartition(",p=")
        self._record.proofs += 1
        if self._lie is Lie.UNPROVED_LOGIN:
            return f"v={base64.b64encode(secrets.token_bytes(20)).decode()}"
        said = ",".join((bare, challenge, unproved)).encode()
        salted = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", "sha1")
        signed = hmac.digest(hashlib.sha1(client_key).digest(), said, "sha1")  # noqa: S324
        right = bytes(one ^ other for one, other in zip(client_key, signed, strict=True))
        if base64.b64decode(proof) != right:
            return None
        server_key = hmac.digest(salted, b"Server Key", "sha1")
        return f"v={base64.b64encode(hmac.digest(server_key, said, 'sha1')).decode()}"

    # the session

    async def _session(self) -> None:
        self._features(f"<bind xmlns='{BIND}'/>")
        while True:
            stanza = await self._next()
            if (bind := stanza.find(f"{{{BIND}}}bind")) is not None:
                self._bind(stanza, bind.findtext(f"{{{BIND}}}resource") or "none")
                await self._betray()
            elif stanza.find(f"{{{PING}}}ping") is not None:
                self._answer(stanza, "")
            else:
                self._record.stanzas.append(tostring(stanza, encoding="unicode"))
                if stanza.tag.endswith("}iq") and stanza.get("type") in ("get", "set"):
                    self._answer(stanza, "")

    def _bind(self, iq: Element, resource: str) -> None:
        self._record.resources.append(resource)
        name = BIND_ERRORS.get(self._lie)
        if name is None:
            address = f"<jid>{USER}@{HOST}/{resource}</jid>"
            self._answer(iq, f"<bind xmlns='{BIND}'>{address}</bind>")
        else:
            error = f"<error type='cancel'><{name} xmlns='{STANZA_ERRORS}'/></error>"
            self._say(f"<iq type='error' id='{iq.get('id', '')}'>{error}</iq>")

    def _answer(self, iq: Element, inside: str) -> None:
        self._say(f"<iq type='result' id='{iq.get('id', '')}'>{inside}</iq>")

    async def _betray(self) -> None:
        """What is wrong with the server once it has let somebody in."""
        match self._lie:
            case Lie.SEE_OTHER_HOST | Lie.POLICY_VIOLATION | Lie.CONFLICT:
                await self._error()
            case Lie.SILENCE_LATER:
                await self._listen_for_ever()
            case Lie.GARBAGE_LATER:
                self._say("<message><<\0\xff")
            case Lie.DOCTYPE:
                self._say(f"{BOMB}]><message><body>&i;</body></message>")
            case Lie.DEEP:
                self._say("<message>" + "<x>" * 200_000 + "</x>" * 200_000 + "</message>")
            case Lie.ENDLESS_STANZA:
                await self._say_for_ever()
            case Lie.DEAF:
                while not self._writer.transport.is_closing():
                    self._say(" ")
                    await asyncio.sleep(0.05)

    async def _say_for_ever(self) -> None:
        self._say("<message><body>")
        while self._record.sent < ENDLESS:
            self._say("x" * 65536)
            await self._writer.drain()
            self._record.sent += 65536
        self._say("</body></message>")


def _decoded(element: Element) -> str:
    return base64.b64decode(element.text or "").decode()


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
