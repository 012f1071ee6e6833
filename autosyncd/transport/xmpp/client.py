"""One connection to an XMPP server: slixmpp, held on a short lead.

The library parses XML, negotiates TLS, logs in and binds a resource. Everything else it does by
itself is off: it finds no servers, connects to none, tries nothing again, follows no other host,
approves no subscriptions, keeps no roster, logs nothing. Before it sees an element, `_admit` has.
An object serves one attempt and is thrown away. Runs on 1.8.3 (Debian 12) and newer.
"""

import asyncio
import logging
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from autosyncd.transport import connection as life
from autosyncd.transport import events
from autosyncd.transport.tls import in_words
from autosyncd.transport.xmpp import login
from autosyncd.transport.xmpp.guard import Guard
from autosyncd.transport.xmpp.stream import StreamParser

# It would write down passwords (debug) and whatever strangers send (error); and it speaks already while
# it is imported.
logging.getLogger("slixmpp").setLevel(logging.CRITICAL + 1)

import slixmpp  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from xml.etree.ElementTree import Element

    from autosyncd.transport.xmpp.servers import Server

STANZA_LIMIT = 1024 * 1024
"""Bytes of one stanza; servers send 256 KiB at most."""
DEPTH_LIMIT = 200
"""Open elements at the end of a packet; each costs far more memory than its bytes."""

UNSENT_LIMIT = 1024 * 1024
"""Bytes that wait in this process for a server that doesn't read. What goes out at its best in a minute
is a sixth of it."""


class Owner(Protocol):
    """What is told of a connection. Nothing here may block."""

    def greeted(self, client: "Client") -> None:
        """Logged in, and all is as we insist on."""

    def spoke(self) -> None:
        """Something came in."""

    def received(self, xml: "Element") -> None:
        """A message, a presence or an iq, after `greeted`."""


class Client(slixmpp.ClientXMPP):
    """See the module."""

    def __init__(
        self, jid: str, password: str, context: ssl.SSLContext, owner: Owner, *, allow_plain: bool
    ) -> None:
        super().__init__(jid, password)
        self._context = context
        self._owner = owner
        self._guard = Guard(self, context, allow_plain=allow_plain)
        self._ending: asyncio.Future[events.Event] = asyncio.get_running_loop().create_future()
        self._unread = 0
        self._dropped = False
        self._online = False
        self._filtering: asyncio.Task[None] | None = None
        self.understood = False
        """An XMPP server, whatever it thinks of us, is at the other end."""
        self.when_understood: Callable[[], None] = lambda: None
        self.add_filter("in", self._admit)
        self.add_event_handler("session_start", self._check)
        self.add_event_handler("ssl_invalid_chain", self._end_by_error)
        self.add_event_handler("failed_all_auth", self._end_without_login)

    async def converse(self, server: "Server") -> events.Event:
        """From the first packet to the last; what it returns is why it ended."""
        loop = asyncio.get_running_loop()
        self.init_plugins()  # type: ignore[no-untyped-call]
        self._filtering = asyncio.create_task(self.run_filters())
        domain = self.default_domain = self.requested_jid.domain  # what the certificate is for
        # The library takes a transport that nobody asked for as one of an attempt given up.
        self._current_connection_attempt = loop.create_future()
        with suppress(NotImplementedError):
            self._context.set_alpn_protocols(["xmpp-client"])
        try:
            await loop.create_connection(
                lambda: self,
                server.host,
                server.port,
                ssl=self._context if server.direct else None,
                server_hostname=domain if server.direct else None,
                happy_eyeballs_delay=life.TRY_NEXT_ADDRESS_AFTER,
            )
        except (OSError, UnicodeError) as error:
            return _as_event(error)
        return await self._ending

    def say(self, stanza: str) -> None:
        """Write it; nothing happens when the connection is gone."""
        if self.transport is None or self._dropped:
            return
        self.send_raw(stanza)
        if self.transport.get_write_buffer_size() > UNSENT_LIMIT:
            self._end(events.Lost("it reads nothing of what is said to it"))

    def drop(self) -> None:
        """The end, said if there is anybody to say it to."""
        if self._dropped:
            return
        if self._online:
            self.say(self.stream_footer)
        self._dropped = True
        self.cancel_connection_attempt()
        if self.transport is not None:
            # Not by the library's abort(): it closes first, and Python 3.11.2 can't abort a TLS
            # transport that was closed twice.
            self.transport.abort()
        if self._filtering is not None:
            self._filtering.cancel()
        self._end(events.Lost("it was dropped"))

    def disconnect(self, *_: Any, **__: Any) -> "asyncio.Future[None]":
        """The library gives up."""
        self._end(self._guard.given_up())
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done

    def get_ssl_context(self) -> ssl.SSLContext:
        """The one that checks certificates, whatever the library's version makes of its own."""
        return self._context

    def _start_keepalive(self, event: object) -> None:
        """None: the owner asks for an answer, which a blank now and then does not bring."""

    # what comes in

    def init_parser(self) -> None:
        """The library calls it for each stream, of which one connection has three."""
        super().init_parser()
        self.parser = StreamParser()  # type: ignore[assignment]

    def data_received(self, data: bytes | str) -> None:
        """The library sets no limit to the length of a stanza."""
        self._unread += len(data)
        if self._dropped:
            return
        if self._unread > STANZA_LIMIT:
            reason = f"it sent a stanza of more than {STANZA_LIMIT // 1024} KiB"
            self._end(events.Lost(reason))
            return
        self._owner.spoke()
        super().data_received(data)
        if self.xml_depth > DEPTH_LIMIT:
            reason = f"it sent a stanza of more than {DEPTH_LIMIT} elements within each other"
            self._end(events.Lost(reason))

    def _admit(self, stanza: Any) -> Any:
        """What the library may see; None keeps an element from it. All elements pass here."""
        self._unread = 0
        xml: Element = stanza.xml
        if self._ending.done():
            return None
        if not self.understood:
            self.understood = True
            self.when_understood()
        if xml.tag == login.STREAM_ERROR:
            self._end(login.ended(xml, logged_in=self._guard.proved))
            return None
        if self._online:
            self._owner.received(xml)
            return None
        admitted = self._guard.admits(xml)
        if not isinstance(admitted, bool):
            self._end(admitted)
            return None
        return stanza if admitted else None

    def _check(self, _event: object) -> None:
        """The library calls a session started, which need not mean much."""
        if self._ending.done():
            return
        if flaw := self._guard.flaw():
            self._end(flaw)
        else:
            self._online = True
            self._owner.greeted(self)

    # how it ends

    def connection_lost(self, exception: BaseException | None) -> None:
        """See asyncio.BaseProtocol; not always the first to tell why."""
        super().connection_lost(exception)
        if isinstance(exception, OSError):
            self._end(_as_event(exception))
        elif exception is not None:  # which asyncio has logged
            self._end(events.Lost(f"what it sent could not be read ({type(exception).__name__})"))
        else:
            self._end(events.Lost("it closed the connection"))

    def _end(self, event: events.Event) -> None:
        """The first reason counts."""
        if not self._ending.done():
            self._ending.set_result(event)

    def _end_by_error(self, error: OSError) -> None:
        self._end(_as_event(error))

    def _end_without_login(self, _event: object) -> None:
        self._end(events.Refused("none of the logins that it offers can be used"))


def _as_event(error: OSError | UnicodeError) -> events.Event:
    reason = in_words(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return events.Unacceptable(reason)
    return events.Lost(reason)
