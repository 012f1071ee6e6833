"""The transport over an account on an XMPP server, one connection for all repositories.

living.py keeps the connection up, login.py decides whether a server will do, session.py what is
said to whom; client.py is the library. Here they are put together.
"""

import logging
import secrets
from collections import Counter, deque
from math import inf
from typing import TYPE_CHECKING

from autosyncd import clock
from autosyncd.transport import connection as life
from autosyncd.transport import events
from autosyncd.transport.complaints import Complaints
from autosyncd.transport.living import LivingTransport
from autosyncd.transport.xmpp import servers
from autosyncd.transport.xmpp.attempt import converse
from autosyncd.transport.xmpp.hearing import ORDINARY
from autosyncd.transport.xmpp.identity import daemon_id
from autosyncd.transport.xmpp.peers import Interests
from autosyncd.transport.xmpp.recent import Recent
from autosyncd.transport.xmpp.session import Session

if TYPE_CHECKING:
    from collections.abc import Mapping
    from xml.etree.ElementTree import Element

    from autosyncd.model import Channel, PushNotice, XmppConfig
    from autosyncd.transport.base import Interest, Listener
    from autosyncd.transport.xmpp.client import Client
    from autosyncd.transport.xmpp.hearing import Drop

log = logging.getLogger("autosyncd")

LETTERS = 20
"""Messages for people that wait for a session; beyond it the oldest is dropped."""


class XmppTransport(LivingTransport):
    """A Transport (base.py). Every method is to be called from the loop that runs `run`."""

    name = "xmpp"

    def __init__(
        self,
        config: "XmppConfig",
        listener: "Listener",
        *,
        daemon: str = "",
        lookup: servers.Lookup = servers.srv,
    ) -> None:
        super().__init__(listener)
        self._config = config
        self._lookup = lookup
        self._daemon = daemon or daemon_id()
        self._suffix = ""
        self._interests = Interests(config.jid)
        self._recent = Recent()
        self._letters: deque[tuple[str, str]] = deque(maxlen=LETTERS)
        self._client: Client | None = None
        self._session: Session | None = None
        self._dropped: Counter[Drop] = Counter()
        self._complaints = Complaints()
        self._told_of_carbons = False

    def announce(self, notice: "PushNotice") -> None:
        """See base.py."""
        self._recent.put(notice, now=clock.now())
        if self._session is not None:
            self._session.announce(notice, now=clock.now())
            self._set_timer()

    def subscribe(self, channels: "Mapping[Channel, Interest]") -> None:
        """See base.py."""
        self._interests.replace(channels)
        if self._session is not None:
            self._session.interests_changed()
            self._set_timer()

    def write(self, to: str, text: str) -> None:
        """A chat message to a person, now or with the next session; the newest few wait.

        What a session took and the server did not get, as far as is known, goes again with the next.
        """
        if self._session is None:
            self._letters.append((to, text))
            return
        self._session.write(to, text)
        self._set_timer()

    # What living.py asks for

    async def _converse(self) -> events.Event:
        resource = f"autosyncd-{self._daemon}{self._suffix}"
        return await converse(self._config, resource, self, self._lookup)

    def _open_session(self) -> None:
        if self._session is None:
            return
        self._session.begin(now=clock.now())
        while self._letters:
            self._session.write(*self._letters.popleft())
        self._listener.connected()

    def _ping(self) -> None:
        if self._session is not None:
            self._session.ping(now=clock.now())

    def _let_go(self) -> None:
        if self._session is not None:
            waiting = [*self._session.unproved, *self._letters]
            self._letters = deque(waiting, maxlen=LETTERS)
            self._recent.lost(now=clock.now())
        self._session = None
        client, self._client = self._client, None
        if client is not None:
            client.drop()

    def _unusable(self, reason: str) -> str:
        fatal = self._connection.state is life.TransportState.FATAL
        then = "at the next reload" if fatal else "by itself"
        reason = reason[:1].lower() + reason[1:].rstrip(".")
        account = self._config.jid
        return f"The XMPP account {account} can't be used: {reason}; it is tried again {then}."

    def _obey(self, command: events.Command) -> None:
        if isinstance(command, events.Rename):
            self._suffix = f"-{secrets.token_hex(2)}"
        super()._obey(command)

    def _due(self) -> float:
        complain = self._complaints.deadline()
        speak = inf if self._session is None else self._session.due(now=clock.now())
        return speak if complain is None else min(speak, complain)

    def _tick(self) -> None:
        if self._session is not None:
            self._session.flush(now=clock.now())
        self._complain()
        super()._tick()

    # What the attempt and its client tell (attempt.py: Patron)

    def underway(self, within: float) -> None:
        """The attempt has come to a step that may take so long."""
        self._happen(events.Underway(within))

    def greeted(self, client: "Client") -> None:
        """Logged in, and all is as it should be."""
        self._client = client
        self._session = Session(
            client.boundjid.full,
            daemon=self._daemon,
            interests=self._interests,
            recent=self._recent,
            say=client.say,
            listener=self._listener,
            dropped=self._dropped,
            now=clock.now(),
        )
        self._happen(events.Greeted())

    def spoke(self) -> None:
        """Something came in."""
        if self._session is not None:
            self._happen(events.Spoke())

    def received(self, xml: "Element") -> None:
        """A stanza came in."""
        if self._session is None:
            return
        self._session.received(xml, now=clock.now())
        self._complain()
        if self._session.carbons_refused and not self._told_of_carbons:
            self._told_of_carbons = True
            log.warning(
                "XMPP: the server has no message carbons, so the machines with dvcs-autosync 0.5 are "
                "told of pushes, but their own are found only by looking at the remotes"
            )
        self._set_timer()

    def _complain(self) -> None:
        """Say what was not obeyed, each kind at most once a minute."""
        now = clock.now()
        for line in self._complaints.due(now=now):
            log.info("XMPP: not obeyed: %s", line)
        for kind, count in self._dropped.items():
            if kind in ORDINARY:
                log.debug("XMPP: %d stanzas: %s", count, kind.value)
            elif self._complaints.note(kind.value, now=now, times=count):
                log.info("XMPP: %d stanzas or notices not obeyed: %s", count, kind.value)
        self._dropped.clear()
