"""Pure: what goes out when, so that no server's limit is met and nothing waits long.

Servers read a client that says much only slowly (Prosody 10 kB/s, ejabberd 3 kB/s after 20 kB, as
they are installed), and its pings wait behind the rest. So no more goes out than the slowest
takes: 16 kB at once, then 2.5 kB/s. What waits is the newest head of each channel for each peer; when
that is more than may go out now, only the channels are named, many at once: a tenth of the bytes, and
the others look at their remotes all the same.
"""

from collections import deque
from math import inf

from autosyncd.model import Channel, PushNotice
from autosyncd.transport.xmpp.stanzas import (
    MANY_DIGITS,
    MANY_LIMIT,
    NOTICES_LIMIT,
    PREFIX,
    entry,
    headline,
    summary,
)
from autosyncd.transport.xmpp.turns import Turns

AT_ONCE = 16_000
"""Bytes."""
PER_SECOND = 2_500
STANZA_LIMIT = 8_000
"""Bytes of one stanza; servers take 256 KiB, but the next one waits behind it."""
WORTH = 2_000
"""Bytes to wait for before a piece of something longer goes out: each piece costs an address."""
GATHER = 0.005
"""Seconds to wait for more: what 200 repositories say at once goes out together."""
FULL_ENTRY = 110
"""Bytes of a notice with its head, about."""
PACKED = PREFIX + 3
"""Bytes of a channel among others, for a peer that does not read `many`."""
FIRST_LIMIT = 600
"""Short stanzas that may wait; beyond it the newest is dropped."""

Key = tuple[tuple[Channel, ...], str]
"""Channels and branch: what a newer notice takes the place of."""


class Sending:
    """What waits to go out in one session; `account` is the own one."""

    def __init__(self, account: str, *, now: float) -> None:
        self._tokens = float(AT_ONCE)
        self._counted_at = now
        self._first: deque[str] = deque()
        self._owed: dict[str, dict[Key, PushNotice]] = {}
        self._many: set[str] = set()
        """The peers that read the form for many channels at once."""
        self._greetings: dict[str, str] = {}
        """What goes to a peer, or to an account, before its notices and in its own turn."""
        self._turns = Turns(account)
        """Of all that have a greeting or a notice waiting."""
        self._count = 0
        self._gathered_at = -inf

    def spend(self, size: int, *, now: float) -> bool:
        """Whether this many bytes may go out now; they count then."""
        self._refill(now)
        if self._tokens < min(size, AT_ONCE):  # never are there more; the next one waits longer
            return False
        self._tokens -= size
        return True

    def charge(self, size: int, *, now: float) -> None:
        """These bytes went out without waiting (a ping)."""
        self._refill(now)
        self._tokens -= size

    def put_first(self, stanza: str) -> None:
        """A short stanza that goes before all notices."""
        if len(self._first) < FIRST_LIMIT:
            self._first.append(stanza)

    def owe(self, peer: str, notice: PushNotice, *, now: float) -> None:
        """This peer is to hear it; `notice` has only the channels that concern it."""
        if not self._count:
            self._gathered_at = now + GATHER
        waiting = self._owed.setdefault(peer, {})
        key = (notice.channels, notice.branch)
        self._count += key not in waiting
        waiting.pop(key, None)
        waiting[key] = notice
        self._turns.join(peer)

    def greet(self, whom: str, stanza: str) -> None:
        """A short stanza for a peer that has come, or for an account, in the place of one that waits."""
        self._count += whom not in self._greetings
        self._greetings[whom] = stanza
        self._turns.join(whom)

    def reads_many(self, peer: str) -> None:
        """It reads the form for many channels at once."""
        self._many.add(peer)

    def forget(self, peer: str) -> None:
        """The peer is gone."""
        self._many.discard(peer)
        self._count -= len(self._owed.pop(peer, {}))
        self._count -= self._greetings.pop(peer, None) is not None
        self._turns.leave(peer)

    def due(self, *, now: float) -> float:
        """When take() has something to give; infinity: never."""
        if self._first:
            return self.affordable(len(self._first[0].encode()), now=now)
        if self._count:
            return max(self._gathered_at, self.affordable(self._next_size(), now=now))
        return inf

    def take(self, *, now: float) -> list[str]:
        """What may go out now."""
        self._refill(now)
        out: list[str] = []
        while self._first and self.spend(len(self._first[0].encode()), now=now):
            out.append(self._first.popleft())
        if self._first or now < self._gathered_at:
            return out
        while self._count and self._tokens >= self._next_size():
            out.append(self._next_stanza())
        return out

    def _next_size(self) -> int:
        """Bytes that should be there before the next stanza for a peer is made."""
        peer = self._turns.next()
        if peer in self._greetings:
            return min(len(self._greetings[peer].encode()), AT_ONCE)  # never are there more
        return min(250 + FULL_ENTRY * len(self._owed[peer]), WORTH)

    def _next_stanza(self) -> str:
        peer = self._turns.next()
        if peer in self._greetings:
            self._count -= 1
            return self._turned(peer, self._greetings.pop(peer))
        waiting = self._owed[peer]
        room = min(self._tokens, STANZA_LIMIT) - len(headline(peer, ()).encode())
        before = len(waiting)
        if self._count * FULL_ENTRY > self._tokens:
            entries = _summed_up(waiting, room, many=peer in self._many)
        else:
            entries = _spelt_out(waiting, room)
        self._count -= before - len(waiting)
        return self._turned(peer, headline(peer, entries))

    def _turned(self, peer: str, stanza: str) -> str:
        """The stanza, which goes out; the next turn is another peer's."""
        if not self._owed.get(peer):
            self._owed.pop(peer, None)
        self._turns.taken(peer, more=peer in self._owed)
        self._tokens -= len(stanza.encode())
        return stanza

    def affordable(self, size: int, *, now: float) -> float:
        """When this many bytes may go out."""
        self._refill(now)
        return now + max(0.0, min(size, AT_ONCE) - self._tokens) / PER_SECOND

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._counted_at)
        self._tokens = min(float(AT_ONCE), self._tokens + passed * PER_SECOND)
        self._counted_at = now


def _spelt_out(waiting: dict[Key, PushNotice], room: float) -> list[str]:
    """Entries of as many as there is room for, and one at least; they wait no more."""
    entries: list[str] = []
    while waiting and len(entries) < NOTICES_LIMIT:
        key, notice = next(iter(waiting.items()))
        written = entry(notice)
        room -= len(written.encode())
        if entries and room < 0:
            break
        entries.append(written)
        del waiting[key]
    return entries


def _summed_up(waiting: dict[Key, PushNotice], room: float, *, many: bool) -> list[str]:
    """The same by their channels alone."""
    limit = min(room / (MANY_DIGITS if many else PACKED), MANY_LIMIT)
    channels: dict[Channel, None] = {}
    while waiting:
        key, notice = next(iter(waiting.items()))
        together = channels | dict.fromkeys(notice.channels)
        if channels and len(together) > limit:
            break
        channels = together
        del waiting[key]
    return summary(tuple(channels), many=many)
