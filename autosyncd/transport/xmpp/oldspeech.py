"""Pure: what is said to machines with dvcs-autosync 0.5 in one session, and heard from them.

oldpeers.py knows who they are and what each is still to be told.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from autosyncd.model import PushNotice, TreeId
from autosyncd.transport.xmpp import stanzas
from autosyncd.transport.xmpp.hearing import Came, Copy, Drop, Went
from autosyncd.transport.xmpp.oldpeers import OldPeers, is_old, place
from autosyncd.transport.xmpp.stanzas import PER_NOTICE

if TYPE_CHECKING:
    from autosyncd.transport.base import Listener
    from autosyncd.transport.xmpp.peers import Interests
    from autosyncd.transport.xmpp.recent import Recent
    from autosyncd.transport.xmpp.sending import Sending


class OldSpeech:
    """`account` is the own one, `presence` makes ours for one of them."""

    def __init__(
        self,
        account: str,
        *,
        presence: Callable[[str], str],
        interests: "Interests",
        recent: "Recent",
        sending: "Sending",
        listener: "Listener",
    ) -> None:
        self._account = account
        self._presence = presence
        self._interests = interests
        self._recent = recent
        self._sending = sending
        self._listener = listener
        self._peers = OldPeers()

    def __len__(self) -> int:
        return len(self._peers)

    def knows(self, jid: str) -> bool:
        """Whether this full JID is such a machine of the own account."""
        return is_old(jid, self._account)

    def announce(self, notice: PushNotice, *, now: float) -> None:
        """Tell all of them."""
        self._peers.owe(self._interests.remotes(notice.channels), now=now)

    def hide_from(self, stanza: str) -> None:
        """What is said to the own account, and is no word for them.

        They take it for a command and complain of it there. They hear nobody whom they don't see, so for
        that moment we are gone for them.
        """
        hidden_from = list(self._peers)
        for jid in hidden_from:
            self._sending.put_first(stanzas.absence(jid))
        self._sending.put_first(stanza)
        for jid in hidden_from:
            self._sending.put_first(self._presence(jid))

    def due(self) -> float:
        """When words() has something to say, or all are to pull."""
        return self._peers.due()

    def words(self, *, now: float) -> Iterator[str]:
        """What may be said to them now."""
        self._pull_everything(now=now)
        while told := self._peers.take(now=now):
            text = stanzas.chat(told[0], f"pushed {told[1]}", hidden=True)
            size = len(text.encode())
            if not self._sending.spend(size, now=now):
                self._peers.put_back(told, self._sending.affordable(size, now=now))
                return
            yield text

    def see(self, event: Came | Went, *, now: float) -> None:
        """One of them came or went."""
        before = len(self._peers)
        if isinstance(event, Went):
            if self._peers.went(event) and not self._peers:
                self._sending.put_first(stanzas.carbons(on=False))
            return
        # Each time: one that was started anew has forgotten whose presence it saw.
        self._sending.put_first(self._presence(event.jid))
        if self._peers.came(event.jid):
            if not before:
                self._sending.put_first(stanzas.carbons(on=True))
            for notice in self._recent.fresh(now=now):
                self.announce(notice, now=now)

    def hear(self, copy: Copy, *, now: float) -> Drop | None:
        """What one of them said; why nothing is made of it."""
        if not self.knows(copy.sender):
            return Drop.NOTHING_OF_OURS
        if copy.sender not in self._peers or copy.body.startswith("login"):
            self.see(Came(copy.sender, ours=False), now=now)
        url = self._peers.hear(copy, now=now)
        if url is None:
            return Drop.NOTHING_OF_OURS
        known, there = self._interests.everything(), place(url)
        meant = [channels for remote, channels in known.items() if place(remote) == there]
        if not meant:
            self._peers.pushed_somewhere(now=now)
            self._pull_everything(now=now)
        for channels in meant:
            notice = PushNotice(tuple(channels[:PER_NOTICE]), "", "", TreeId(""), "")
            self._listener.heard(notice, copy.sender)
        return None

    def _pull_everything(self, *, now: float) -> None:
        if self._peers.all_are_to_pull(now=now):
            self._listener.connected()
