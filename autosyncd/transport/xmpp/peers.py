"""Pure: which other machines are there, and what each may hear and is believed.

A peer is a full JID whose last presence is available and says that it is one of us: of the own
account, or of an account that a repository trusts.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, takewhile

from autosyncd.model import Channel
from autosyncd.transport.base import Interest
from autosyncd.transport.xmpp.hearing import Came, Drop, Went
from autosyncd.transport.xmpp.stanzas import bare, quoted

PER_ACCOUNT = 64
"""Peers of one account that are remembered."""
IN_ALL = 512
"""Peers of all friends together."""
RESOURCE_LIMIT = 128
"""Bytes of a peer's resource as it is written in XML: each notice for it costs as many. Ours have 47."""


class Interests:
    """The channels that are worth hearing of, by their beginnings, and who is trusted with each."""

    def __init__(self, account: str) -> None:
        self._account = bare(account)
        self._known: Mapping[Channel, Interest] = {}
        self._sorted: list[Channel] = []
        self._trusted: dict[Channel, frozenset[str]] = {}
        self.trusted: frozenset[str] = frozenset()
        """Bare JIDs that any repository trusts."""

    def replace(self, channels: Mapping[Channel, Interest]) -> None:
        """From now on these and no others."""
        self._known = channels
        self._sorted = sorted(channels)
        self._trusted = {
            channel: frozenset(map(bare, interest.trusted))
            for channel, interest in channels.items()
        }
        self.trusted = frozenset().union(*self._trusted.values()) - {self._account}

    def is_friend(self, jid: str) -> bool:
        """The own account, or one that is trusted with anything."""
        return bare(jid) == self._account or bare(jid) in self.trusted

    def told(self, jid: str, channels: Iterable[Channel]) -> tuple[Channel, ...]:
        """What of these channels somebody may hear of."""
        return tuple(channel for channel in channels if self._concerns(jid, channel))

    def believed(self, jid: str, beginnings: Iterable[str]) -> tuple[Channel, ...]:
        """Our channels that begin like this, as far as somebody is believed about them."""
        found = (
            channel
            for beginning in beginnings
            for channel in self._beginning_with(beginning)
            if self._concerns(jid, channel)
        )
        return tuple(dict.fromkeys(found))

    def remotes(self, channels: Iterable[Channel]) -> frozenset[str]:
        """Addresses of the remotes behind these channels."""
        sets = (self._known[channel].remotes for channel in channels if channel in self._known)
        return frozenset(remote for remotes in sets for remote in remotes)

    def everything(self) -> dict[str, list[Channel]]:
        """The channels behind each remote's address."""
        found: dict[str, list[Channel]] = {}
        for channel, interest in self._known.items():
            for remote in interest.remotes or ("",):
                found.setdefault(remote, []).append(channel)
        return found

    def _beginning_with(self, beginning: str) -> Iterator[Channel]:
        first = bisect_left(self._sorted, beginning)
        rest = islice(self._sorted, first, None)
        return takewhile(lambda channel: channel.startswith(beginning), rest)

    def _concerns(self, jid: str, channel: Channel) -> bool:
        account = bare(jid)
        if account == self._account:
            return True
        return account in self._trusted.get(channel, ())


@dataclass(frozen=True, slots=True)
class New:
    """A peer that was not there before."""

    jid: str
    many: bool
    """It reads the form for many channels at once."""


@dataclass(frozen=True, slots=True)
class Again:
    """A peer that shows itself anew: it may have begun anew, and then knows nobody."""

    jid: str


class Peers:
    """Who is there; forgotten with each session. `account` is the own one."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._there: dict[str, None] = {}
        self._per_account: Counter[str] = Counter()

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._there))

    def __len__(self) -> int:
        return len(self._there)

    def __contains__(self, jid: str) -> bool:
        return jid in self._there

    def see(self, event: Came | Went, interests: Interests) -> New | Again | Went | Drop | None:
        """What a presence means; None: nothing that was not known."""
        if isinstance(event, Went) or not event.ours:
            return Went(event.jid) if self._forget(event.jid) else None
        if not interests.is_friend(event.jid):
            return Drop.STRANGER
        if event.jid in self._there:
            return None if event.answer else Again(event.jid)
        if len(quoted(event.jid.partition("/")[2]).encode()) > RESOURCE_LIMIT:
            return Drop.LONG_ADDRESS
        account = bare(event.jid)
        if self._per_account[account] >= PER_ACCOUNT or self._is_full(account):
            return Drop.TOO_MANY_PEERS
        self._there[event.jid] = None
        self._per_account[account] += 1
        return New(event.jid, event.many)

    def _is_full(self, account: str) -> bool:
        """Whether there are so many friends that one more is too many."""
        friends = len(self._there) - self._per_account[self._account]
        return account != self._account and friends >= IN_ALL

    def forget_account(self, account: str) -> list[str]:
        """Its machines are no peers any more; which they were."""
        gone = [jid for jid in self._there if bare(jid) == account]
        for jid in gone:
            self._forget(jid)
        return gone

    def _forget(self, jid: str) -> bool:
        if jid not in self._there:
            return False
        del self._there[jid]
        account = bare(jid)
        self._per_account[account] -= 1
        if not self._per_account[account]:
            del self._per_account[account]
        return True
