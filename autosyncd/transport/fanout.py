"""The transport over a fanout server: autosync-reflector(8), or SparkleShare's own.

connection.py decides when to connect, ping and back off, notice.py knows the words; here are the
socket and the loop. TLS is as configured: a server that can't speak it is an error, never a reason
to go on without.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from random import SystemRandom

from autosyncd import clock
from autosyncd.model import Channel, FanoutConfig, PushNotice
from autosyncd.transport import connection as life
from autosyncd.transport.base import Interest, Listener
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
TRY_NEXT_ADDRESS_AFTER = 0.25
"""Seconds until the next of a host's addresses is tried beside the first (RFC 8305)."""
LONGEST_SLEEP = 60.0
"""Seconds; the loop's clock stands still while the machine is suspended, the deadlines' doesn't."""


class FanoutTransport:
    """A Transport (base.py). Every method is to be called from the loop that runs `run`."""

    name = "fanout"

    def __init__(
        self,
        config: FanoutConfig,
        listener: Listener,
        *,
        now: Callable[[], float] = clock.now,
        jitter: Callable[[], float] = lambda: SystemRandom().uniform(-1, 1),
    ) -> None:
        self._config = config
        self._listener = listener
        self._now = now
        self._jitter = jitter
        self._server = f"{config.host}:{config.port}"
        self._connection = life.Connection()
        self._outbox = Outbox()
        self._channels: frozenset[Channel] = frozenset()
        self._session: asyncio.Task[str] | None = None
        self._ending: set[asyncio.Task[str]] = set()
        self._writer: asyncio.StreamWriter | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._remarked = False
        self._reported: tuple[bool, str] | None = None
        self._over = asyncio.Event()
        self._bug: BaseException | None = None

    async def run(self) -> None:
        """See base.py. Keeps trying for ever; a server that can't be had is only reported."""
        try:
            self._happen(life.Start())
            await self._over.wait()
        finally:
            self._happen(life.Stop())
            if self._ending:
                await asyncio.wait(self._ending)
        if self._bug is not None:
            raise self._bug

    def stop(self) -> None:
        """See base.py."""
        self._over.set()

    def announce(self, notice: PushNotice) -> None:
        """See base.py. Each channel's newest head is kept until it has come back as an echo."""
        for announcement in encode(notice):
            self._outbox.put(announcement, now=self._now())
            if self._online:
                self._write(announcement.line)

    def subscribe(self, channels: Mapping[Channel, Interest]) -> None:
        """See base.py. Nobody knows here who says what, so trust plays no part."""
        before, self._channels = self._channels, frozenset(channels)
        for channel in sorted(before - self._channels):
            self._write(f"unsubscribe {channel}\n".encode("ascii"))
        for channel in sorted(self._channels - before):
            self._write(f"subscribe {channel}\n".encode("ascii"))

    def network(self, *, online: bool) -> None:
        """See base.py."""
        self._happen(life.NetworkUp() if online else life.NetworkDown())

    def retry(self) -> None:
        """See base.py."""
        self._happen(life.Retry())

    def woke(self) -> None:
        """See base.py."""
        self._happen(life.Woke())

    # The life of the connection

    @property
    def _online(self) -> bool:
        return self._connection.state is life.TransportState.ONLINE

    def _happen(self, event: life.Event) -> None:
        self._connection, commands = life.step(
            self._connection, event, now=self._now(), jitter=self._jitter()
        )
        for command in commands:
            self._obey(command)
        self._set_timer()

    def _obey(self, command: life.Command) -> None:
        match command:
            case life.Connect():
                self._session = asyncio.create_task(self._converse())
                self._session.add_done_callback(self._ended)
            case life.Disconnect():
                self._disconnect()
            case life.Ping():
                self._write(b"ping\n")
            case life.OpenSession():
                self._open_session()
            case life.Report(online, reason):
                self._report(online=online, reason=reason)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = life.deadline(self._connection)
        if due is not None:
            wait = min(max(due - self._now(), 0.0), LONGEST_SLEEP)
            self._timer = asyncio.get_running_loop().call_later(wait, self._happen, life.Tick())

    def _disconnect(self) -> None:
        session, self._session = self._session, None
        self._writer = None
        if session is not None and not session.done():
            self._ending.add(session)
            session.cancel()

    def _ended(self, session: "asyncio.Task[str]") -> None:
        self._ending.discard(session)
        if not session.cancelled() and session.exception() is not None:
            self._bug = session.exception()
            self._over.set()
        elif session is self._session and not session.cancelled():
            self._happen(life.Lost(session.result()))

    def _open_session(self) -> None:
        for announcement in self._outbox.unconfirmed(now=self._now()):
            self._write(announcement.line)
        self._listener.connected()

    def _report(self, *, online: bool, reason: str) -> None:
        text = ""
        if not online:
            text = (
                f"The fanout server {self._server} can't be used: {reason}; "
                "it is tried again by itself."
            )
        if self._reported != (online, text):
            self._reported = (online, text)
            self._listener.changed(online=online, reason=text)

    # One session

    async def _converse(self) -> str:
        """From the first packet to the last; what it returns is why it ended."""
        writer: asyncio.StreamWriter | None = None
        try:
            reader, writer = await asyncio.open_connection(
                self._config.host,
                self._config.port,
                limit=LINE_LIMIT,
                ssl=client_context(self._config.ca_file) if self._config.tls else None,
                happy_eyeballs_delay=TRY_NEXT_ADDRESS_AFTER,
            )
            if (trouble := flaw_of_greeting(await reader.readuntil(b"\n"))) is not None:
                return trouble
            self._writer = writer
            self._begin()
            while (trouble := self._hear(await reader.readuntil(b"\n"))) is None:
                pass
        except asyncio.LimitOverrunError:
            return f"it sent a line of more than {LINE_LIMIT} bytes"
        except asyncio.IncompleteReadError:
            return "it closed the connection"
        except (OSError, UnicodeError) as error:
            return in_words(error)
        finally:
            if writer is not None:
                writer.transport.abort()
                with suppress(OSError):
                    await writer.wait_closed()
        return trouble

    def _begin(self) -> None:
        """Subscribe, and ask for a word: once it is there, all of this is in force."""
        self._remarked = False
        for channel in sorted(self._channels):
            self._write(f"subscribe {channel}\n".encode("ascii"))
        self._write(b"ping\n")

    def _hear(self, line: bytes) -> str | None:
        """Act on a line; the answer is why to end the session, if so."""
        self._happen(life.Spoke())
        match decode(line):
            case NotANotice(Flaw.NO_CHANNEL):
                self._happen(life.Greeted())
            case PrivateReply(text) if text.startswith("busy"):
                return "it is busy"
            case PrivateReply(text) if not self._remarked:
                self._remarked = True  # once a session: the server's words don't fill the journal
                log.warning("the fanout server %s says: %s", self._server, text)
            case Noticed(notice):
                (channel,) = notice.channels
                echo = self._outbox.is_echo(Announcement(channel, notice.head), now=self._now())
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
