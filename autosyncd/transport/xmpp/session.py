"""Pure: one session at an XMPP server: who is there, what they are told, what they say.

It begins when the login is good and ends with the connection. Text to write is handed to `say`, what
is heard to the transport's listener.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from autosyncd.model import PushNotice, TreeId
from autosyncd.transport.xmpp import hearing, stanzas
from autosyncd.transport.xmpp.friends import Friends
from autosyncd.transport.xmpp.hearing import Copy, Drop, Headline, HeardNotice, Returned, Went
from autosyncd.transport.xmpp.oldspeech import OldSpeech
from autosyncd.transport.xmpp.pace import Pace
from autosyncd.transport.xmpp.peers import Again, Interests, New, Peers
from autosyncd.transport.xmpp.recent import Recent
from autosyncd.transport.xmpp.sending import Sending
from autosyncd.transport.xmpp.stanzas import PER_NOTICE, bare

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from autosyncd.transport.base import Listener


class Session:
    """`own` is the full JID that the server gave us, `dropped` counts what was not obeyed."""

    def __init__(
        self,
        own: str,
        *,
        daemon: str,
        interests: Interests,
        recent: Recent,
        say: Callable[[str], None],
        listener: "Listener",
        dropped: Counter[Drop],
        now: float,
    ) -> None:
        self.own = own
        self._account = bare(own)
        self._domain = self._account.rpartition("@")[2]
        self._daemon = daemon
        self._interests = interests
        self._recent = recent
        self._say = say
        self._listener = listener
        self._dropped = dropped
        self._peers = Peers(self._account)
        self._sending = Sending(self._account, now=now)
        self._old = OldSpeech(
            self._account,
            presence=lambda jid: stanzas.presence(daemon, to=jid),
            interests=interests,
            recent=recent,
            sending=self._sending,
            listener=listener,
        )
        self._pings = 0
        self._letters: dict[str, tuple[str, str]] = {}
        """By the ping behind each: until that is answered, nobody may have got the letter."""
        self._friends = Friends()
        self._pace = Pace()
        self.carbons_refused = False
        """The server makes no copies, so nothing of dvcs-autosync 0.5 is heard."""

    def begin(self, *, now: float) -> None:
        """Show ourselves to all."""
        self._recent.began(now=now)
        presence = stanzas.presence(self._daemon)
        self._sending.charge(len(presence), now=now)
        self._say(presence)
        self.interests_changed()

    def interests_changed(self) -> None:
        """Show ourselves to whoever is newly trusted, leave the others."""
        left, new = self._friends.turn_to(self._interests.trusted)
        for account in left:
            self._sending.greet(account, stanzas.absence(account))
            for jid in self._peers.forget_account(account):
                self._sending.forget(jid)
        for account in new:  # who sees us all the time does not say again that he is there
            gone = stanzas.absence(account) if account in self._friends.left else ""
            self._sending.greet(account, gone + stanzas.presence(self._daemon, to=account))

    def announce(self, notice: PushNotice, *, now: float) -> None:
        """Tell every peer whom it concerns."""
        for jid in self._peers:
            self._owe(jid, notice, now=now)
        self._old.announce(notice, now=now)

    def write(self, to: str, text: str) -> None:
        """A message for a person."""
        letter = stanzas.chat(to, text, hidden=False)
        if bare(to) == self._account:
            self._old.hide_from(letter)
        else:
            self._sending.put_first(letter)
        self._pings += 1
        self._sending.put_first(stanzas.ping(self._domain, self._pings))
        self._letters[stanzas.ping_id(self._pings)] = (to, text)

    @property
    def unproved(self) -> list[tuple[str, str]]:
        """Letters of which nothing shows that they got to the server, the oldest first."""
        return list(self._letters.values())

    def ping(self, *, now: float) -> None:
        """Ask the server for a word, at once."""
        self._pings += 1
        text = stanzas.ping(self._domain, self._pings)
        self._sending.charge(len(text), now=now)
        self._say(text)

    def due(self, *, now: float) -> float:
        """When flush() has something to do."""
        others = self._old.due(), self._friends.due(), self._pace.due()
        return max(now, min(self._sending.due(now=now), *others))

    def flush(self, *, now: float) -> None:
        """Write what may go out now, and hear what has waited."""
        for sender, notice in self._pace.take(now=now):
            if self._interests.believed(sender, notice.channels):
                self._listener.heard(notice, sender)
        for account in self._friends.take(now=now):
            self._sending.greet(account, stanzas.presence(self._daemon, to=account))
        for text in self._sending.take(now=now):
            self._say(text)
        for text in self._old.words(now=now):
            self._say(text)

    def received(self, xml: "Element", *, now: float) -> None:
        """A stanza from the server."""
        match xml.tag:
            case "{jabber:client}message":
                self._hear(xml, now=now)
            case "{jabber:client}presence":
                self._see(xml, now=now)
            case "{jabber:client}iq":
                self._answer(xml)

    # presences

    def _see(self, xml: "Element", *, now: float) -> None:
        event = hearing.read_presence(xml)
        if isinstance(event, Returned):
            self._friends.returned(bare(event.jid), now=now)
            event = Went(event.jid)  # nothing that we send gets there
        if isinstance(event, Drop):
            self._dropped[event] += 1
        elif self._old.knows(event.jid):
            self._old.see(event, now=now)
        elif event.jid != self.own:
            match self._peers.see(event, self._interests):
                case New(jid, many):
                    self._meet(jid, many=many, now=now)
                case Again(jid):
                    self._answer_presence(jid)
                case Went(jid):
                    self._sending.forget(jid)
                case Drop() as reason:
                    self._dropped[reason] += 1

    def _meet(self, jid: str, *, many: bool, now: float) -> None:
        if many:
            self._sending.reads_many(jid)
        self._answer_presence(jid)
        for notice in self._recent.fresh(now=now):
            self._owe(jid, notice, now=now)

    def _answer_presence(self, jid: str) -> None:
        if bare(jid) != self._account:  # those of the own account hear of us by the server
            self._sending.greet(jid, stanzas.presence(self._daemon, to=jid, answer=True))

    def _owe(self, jid: str, notice: PushNotice, *, now: float) -> None:
        channels = self._interests.told(jid, notice.channels)
        if channels:
            self._sending.owe(jid, replace(notice, channels=channels), now=now)

    # messages

    def _hear(self, xml: "Element", *, now: float) -> None:
        if not self._interests.is_friend(xml.get("from", self._account)):
            self._dropped[Drop.STRANGER] += 1
            return
        match hearing.read_message(xml, self.own):
            case Headline(sender, notices):
                for notice in notices:
                    self._hear_notice(sender, notice, now=now)
            case Copy() as copy:
                if reason := self._old.hear(copy, now=now):
                    self._dropped[reason] += 1
            case Drop() as reason:
                self._dropped[reason] += 1

    def _hear_notice(self, sender: str, notice: HeardNotice | Drop, *, now: float) -> None:
        if isinstance(notice, Drop):
            self._dropped[notice] += 1
            return
        channels = self._interests.believed(sender, notice.channels)
        if not channels:
            self._dropped[Drop.UNKNOWN_CHANNEL] += 1
        for at in range(0, len(channels), PER_NOTICE):
            told = channels[at : at + PER_NOTICE]
            heard = PushNotice(told, notice.branch, notice.head, TreeId(""), "")
            if bare(sender) == self._account:
                self._listener.heard(heard, sender)
            elif passed := self._pace.passes(sender, heard, now=now):
                self._listener.heard(passed, sender)

    # questions

    def _answer(self, xml: "Element") -> None:
        sender, number = xml.get("from", ""), xml.get("id", "")
        if sender not in ("", self._domain) and bare(sender) != self._account:
            self._dropped[Drop.STRANGER] += 1  # even an answer would say that we are there
        elif xml.get("type") in ("get", "set"):
            self._sending.put_first(stanzas.not_here(sender, number[:200]))
        elif number in self._letters:
            del self._letters[number]
        elif xml.get("type") == "error" and number == "carbons-enable":
            self.carbons_refused = True
