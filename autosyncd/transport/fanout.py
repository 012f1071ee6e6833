"""The transport over a fanout server: autosync-reflector(8), or SparkleShare's own.

living.py keeps the connection up, notice.py knows the words; here is the socket. TLS is as
configured: a server that can't speak it is an error, never a reason to go on without.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping
from contextlib import suppress

from autosyncd import clock
from autosyncd.model import Channel, FanoutConfig, PushNotice
from autosyncd.transport import connection as life
from autosyncd.transport import events
from autosyncd.transport.base import Interest, Listener
from autosyncd.transport.living import LivingTransport
from autosyncd.transport.notice import (
    LINE_LIMIT,
    Announcement,
    Flaw,
    NotANotice,
    Noticed,
    PrivateReply,
    decode,
    encode,
    flaw_of_greeting,
)
from autosyncd.transport.outbox import Outbox
from autosyncd.transport.tls import client_context, in_words

log = logging.getLogger("autosyncd")

UNREAD_LIMIT = 1024 * 1024
"""Bytes a server may leave unread before it is given up."""


class FanoutTransport(LivingTransport):
    """A Transport (base.py). Every method is to be called from the loop that runs `run`."""

    name = "fanout"

    def __init__(self, config: FanoutConfig, listener: Listener) -> None:
        super().__init__(listener)
        self._config = config
        self._server = f"{config.host}:{config.port}"
        self._outbox = Outbox()
        self._channels: frozenset[Channel] = frozenset()
        self._writer: asyncio.StreamWriter | None = None
        self._remarked = False

    def announce(self, notice: PushNotice) -> None:
        """See base.py. Each channel's newest head is kept until it has come back as an echo."""
        online = self._connection.state is life.TransportState.ONLINE
        for announcement in encode(notice):
            self._outbox.put(announcement, now=clock.now())
            if online:
                self._write(announcement.line)

    def subscribe(self, channels: Mapping[Channel, Interest]) -> None:
        """See base.py. Nobody knows here who says what, so trust plays no part."""
        before, self._channels = self._channels, frozenset(channels)
        for channel in sorted(before - self._channels):
            self._write(f"unsubscribe {channel}\n".encode("ascii"))
        for channel in sorted(self._channels - before):
            self._write(f"subscribe {channel}\n".encode("ascii"))

    # What living.py asks for

    def _open_session(self) -> None:
        for announcement in self._outbox.unconfirmed(now=clock.now()):
            self._write(announcement.line)
        self._listener.connected()

    def _ping(self) -> None:
        self._write(b"ping\n")

    def _let_go(self) -> None:
        self._writer = None

    def _unusable(self, reason: str) -> str:
        server = f"The fanout server {self._server}"
        return f"{server} can't be used: {reason}; it is tried again by itself."

    # One session

    async def _converse(self) -> events.Event:
        try:
            context = client_context(self._config.ca_file) if self._config.tls else None
        except OSError as error:
            return events.Unacceptable(in_words(error))
        return await self._talk(context)

    async def _talk(self, context: ssl.SSLContext | None) -> events.Event:
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await asyncio.open_connection(
                self._config.host,
                self._config.port,
                limit=LINE_LIMIT,
                ssl=context,
                happy_eyeballs_delay=life.TRY_NEXT_ADDRESS_AFTER,
            )
            if (trouble := flaw_of_greeting(await reader.readuntil(b"\n"))) is not None:
                return events.Lost(trouble)
            self._writer = writer
            self._begin()
            while (trouble := self._hear(await reader.readuntil(b"\n"))) is None:
                pass
        except asyncio.LimitOverrunError:
            return events.Lost(f"it sent a line of more than {LINE_LIMIT} bytes")
        except asyncio.IncompleteReadError:
            return events.Lost("it closed the connection")
        except ssl.SSLCertVerificationError as error:
            return events.Unacceptable(in_words(error))
        except (OSError, UnicodeError) as error:
            return events.Lost(in_words(error))
        finally:
            if writer is not None:
                writer.transport.abort()
                with suppress(OSError):
                    await writer.wait_closed()
        return events.Lost(trouble)

    def _begin(self) -> None:
        """Subscribe, and ask for a word: once it is there, all of this is in force."""
        self._remarked = False
        for channel in sorted(self._channels):
            self._write(f"subscribe {channel}\n".encode("ascii"))
        self._write(b"ping\n")

    def _hear(self, line: bytes) -> str | None:
        """Act on a line; the answer is why to end the session, if so."""
        self._happen(events.Spoke())
        match decode(line):
            case NotANotice(Flaw.NO_CHANNEL):
                self._happen(events.Greeted())
            case PrivateReply(text) if text.startswith("busy"):
                return "it is busy"
            case PrivateReply(text) if not self._remarked:
                self._remarked = True  # once a session: the server's words don't fill the journal
                log.warning("the fanout server %s says: %s", self._server, text)
            case Noticed(notice):
                (channel,) = notice.channels
                echo = self._outbox.is_echo(Announcement(channel, notice.head), now=clock.now())
                if channel in self._channels and not echo:
                    self._listener.heard(notice, self._server)
        return None

    def _write(self, line: bytes) -> None:
        """One line in a packet of its own: SparkleShare reads the first line of a packet only.

        Without a server that has greeted nothing happens; `_begin` makes up for it.
        """
        if self._writer is None:
            return
        self._writer.write(line)
        if self._writer.transport.get_write_buffer_size() > UNREAD_LIMIT:
            self._writer.transport.abort()
