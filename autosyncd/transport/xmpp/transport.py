"""The transport over an account on an XMPP server, one connection for all repositories.

connection.py decides when to connect, ping and back off, login.py whether a server will do,
session.py what is said to whom; client.py is the library. Here they are put together, with a loop.
"""

import asyncio
import logging
import secrets
from collections import Counter, deque
from collections.abc import Callable, Mapping
from math import inf
from random import SystemRandom
from typing import TYPE_CHECKING

from autosyncd import clock
from autosyncd.transport import connection as life
from autosyncd.transport.reflector_quota import Complaints
from autosyncd.transport.xmpp import servers
from autosyncd.transport.xmpp.attempt import converse
from autosyncd.transport.xmpp.hearing import ORDINARY
from autosyncd.transport.xmpp.identity import daemon_id
from autosyncd.transport.xmpp.peers import Interests
from autosyncd.transport.xmpp.sending import Recent
from autosyncd.transport.xmpp.session import Session

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from autosyncd.model import Channel, PushNotice, XmppConfig
    from autosyncd.transport.base import Interest, Listener
    from autosyncd.transport.xmpp.client import Client
    from autosyncd.transport.xmpp.hearing import Drop

log = logging.getLogger("autosyncd")

LETTERS = 20
"""Messages for people that wait for a session; beyond it the oldest is dropped."""
LONGEST_SLEEP = 60.0
"""Seconds; the loop's clock stands still while the machine is suspended, the deadlines' doesn't."""


class XmppTransport:
    """A Transport (base.py). Every method is to be called from the loop that runs `run`."""

    name = "xmpp"

    def __init__(
        self,
        config: "XmppConfig",
        listener: "Listener",
        *,
        now: Callable[[], float] = clock.now,
        jitter: Callable[[], float] = lambda: SystemRandom().uniform(-1, 1),
        daemon: str = "",
        lookup: servers.Lookup = servers.srv,
    ) -> None:
        self._config = config
        self._listener = listener
        self._now = now
        self._jitter = jitter
        self._lookup = lookup
        self._daemon = daemon or daemon_id()
        self._suffix = ""
        self._connection = life.Connection()
        self._interests = Interests(config.jid)
        self._recent = Recent()
        self._letters: deque[tuple[str, str]] = deque(maxlen=LETTERS)
        self._attempt: asyncio.Task[life.Event] | None = None
        self._ending: set[asyncio.Task[life.Event]] = set()
        self._client: Client | None = None
        self._session: Session | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reported: tuple[bool, str] | None = None
        self._dropped: Counter[Drop] = Counter()
        self._complaints = Complaints()
        self._over = asyncio.Event()
        self._bug: BaseException | None = None

    async def run(self) -> None:
        """See base.py. Keeps trying for ever, but for a refusal that only a person can mend."""
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

    def announce(self, notice: "PushNotice") -> None:
        """See base.py."""
        self._recent.put(notice, now=self._now())
        if self._session is not None:
            self._session.announce(notice, now=self._now())
            self._set_timer()

    def subscribe(self, channels: "Mapping[Channel, Interest]") -> None:
        """See base.py."""
        self._interests.replace(channels)
        if self._session is not None:
            self._session.interests_changed()
            self._set_timer()

    def write(self, to: str, text: str) -> None:
        """A chat message to a person, now or with the next session; the newest few wait."""
        if self._session is None:
            self._letters.append((to, text))
            return
        self._session.write(to, text)
        self._set_timer()

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
                resource = f"autosyncd-{self._daemon}{self._suffix}"
                attempt = converse(self._config, resource, self, self._lookup)
                self._attempt = asyncio.create_task(attempt)
                self._attempt.add_done_callback(self._ended)
            case life.Disconnect():
                self._disconnect()
            case life.Ping() if self._session is not None:
                self._session.ping(now=self._now())
            case life.OpenSession() if self._session is not None:
                self._open_session(self._session)
            case life.Rename():
                self._suffix = f"-{secrets.token_hex(2)}"
            case life.Report():
                self._report(command)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = life.deadline(self._connection)
        due = inf if due is None else due
        if self._session is not None:
            due = min(due, self._session.due(now=self._now()))
        if due < inf:
            wait = min(max(due - self._now(), 0.0), LONGEST_SLEEP)
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._session is not None:
            self._session.flush(now=self._now())
        self._happen(life.Tick())

    def _disconnect(self) -> None:
        attempt, self._attempt = self._attempt, None
        self._session = None
        client, self._client = self._client, None
        if client is not None:
            client.drop()
        if attempt is not None and not attempt.done():
            self._ending.add(attempt)
            attempt.cancel()

    def _ended(self, attempt: "asyncio.Task[life.Event]") -> None:
        self._ending.discard(attempt)
        if not attempt.cancelled() and attempt.exception() is not None:
            self._bug = attempt.exception()
            self._over.set()
        elif attempt is self._attempt and not attempt.cancelled():
            self._happen(attempt.result())

    def _open_session(self, session: Session) -> None:
        session.begin(now=self._now())
        while self._letters:
            session.write(*self._letters.popleft())
        self._listener.connected()

    def _report(self, report: life.Report) -> None:
        text = ""
        if not report.online:
            fatal = self._connection.state is life.TransportState.FATAL
            then = "at the next reload" if fatal else "by itself"
            reason = report.reason[:1].lower() + report.reason[1:].rstrip(".")
            text = f"The XMPP account {self._config.jid} can't be used: {reason}; "
            text += f"it is tried again {then}."
        if self._reported != (report.online, text):
            self._reported = (report.online, text)
            self._listener.changed(online=report.online, reason=text)
        if report.alarming:
            self._listener.alarm(text)

    # What the attempt and its client tell (attempt.py: Patron)

    def underway(self, within: float) -> None:
        """The attempt has come to a step that may take so long."""
        self._happen(life.Underway(within))

    def greeted(self, client: "Client") -> None:
        """Logged in, and all is as it should be."""
        self._client = client
        self._session = Session(
            client.boundjid.full,
            self._daemon,
            self._interests,
            self._recent,
            client.say,
            self._listener,
            self._dropped,
            now=self._now(),
        )
        self._happen(life.Greeted())

    def spoke(self) -> None:
        """Something came in."""
        if self._session is not None:
            self._happen(life.Spoke())

    def received(self, xml: "Element") -> None:
        """A stanza came in."""
        if self._session is None:
            return
        self._session.received(xml, now=self._now())
        self._complain()
        self._set_timer()

    def _complain(self) -> None:
        """Say what was not obeyed, each kind at most once a minute."""
        now = self._now()
        for line in self._complaints.due(now=now):
            log.info("XMPP: not obeyed: %s", line)
        for kind, count in self._dropped.items():
            if kind in ORDINARY:
                log.debug("XMPP: %d stanzas: %s", count, kind.value)
            elif self._complaints.note(kind.value, now=now):
                log.info("XMPP: %d stanzas or notices not obeyed: %s", count, kind.value)
        self._dropped.clear()
