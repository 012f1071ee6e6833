"""Pure: machines of the same account on which dvcs-autosync 0.5 still runs.

It announces itself by its resource, says `pushed URL` in a chat message to the own bare JID after
each push, and pulls when anybody of the account says so to it. With a negative priority such a
message doesn't come to us, but the server's copy of it does (XEP-0280). It listens only to those
whose presence it has seen since it began, so it is shown ours directly.
"""

import re
from collections import deque
from collections.abc import Iterator
from math import inf

from autosyncd.transport.xmpp.hearing import Copy, Went
from autosyncd.transport.xmpp.stanzas import bare

RESOURCE = re.compile(r"AutosyncJabberBot on .+", re.DOTALL)
SAID_EVERY = 3.0
"""Seconds between two words to one peer about one remote."""
LIMIT = 16
"""Old peers that are spoken to."""
EVERYTHING_EVERY = 30.0
"""Seconds between two words about remotes that nobody here knows, each of which makes all pull."""
HEARD_TWICE_WITHIN = 2.0
"""Seconds in which the same word is taken for a second copy of the first."""
_PUSHED = re.compile(r"\s*pushed(?:\s+(?P<url>\S{1,1000}).*)?\s*\Z", re.IGNORECASE | re.DOTALL)
_SCP = re.compile(r"[^/:]+:(?!//)")


def is_old(jid: str, account: str) -> bool:
    """Whether this full JID, of this account, is such a machine."""
    return bare(jid) == account and RESOURCE.fullmatch(jid.partition("/")[2]) is not None


def place(url: str) -> str:
    """Host and path of a remote's address, so that two spellings of it can be compared."""
    url = url.strip()
    if "://" in url:
        url = url.partition("://")[2]
        host, _, path = url.partition("/")
        host = re.sub(r":\d+\Z", "", host.rpartition("@")[2])
    elif _SCP.match(url):
        host, _, path = url.partition(":")
        host = host.rpartition("@")[2]
    else:
        host, path = "", url
    path = re.sub(r"/{2,}", "/", path).strip("/").removeprefix("~/").removesuffix("/.git")
    return f"{host.lower()}/{path.removesuffix('.git').rstrip('/')}"


class OldPeers:
    """Who is there, and what each is still to be told."""

    def __init__(self) -> None:
        self._there: dict[str, None] = {}
        self._owed: dict[tuple[str, str], float] = {}
        self._said: dict[tuple[str, str], float] = {}
        self._heard: deque[tuple[float, str, str]] = deque(maxlen=LIMIT)
        self._everything_due, self._everything_at = inf, -inf

    def __len__(self) -> int:
        return len(self._there)

    def __iter__(self) -> Iterator[str]:
        return iter(self._there)

    def __contains__(self, jid: str) -> bool:
        return jid in self._there

    def came(self, jid: str) -> bool:
        """Whether it is new and is spoken to from now on."""
        if jid in self._there or len(self._there) >= LIMIT:
            return False
        self._there[jid] = None
        return True

    def went(self, event: Went) -> bool:
        """Whether it was there. Nothing may wait for it: a chat client would get that."""
        if event.jid not in self._there:
            return False
        del self._there[event.jid]
        self._owed = {key: due for key, due in self._owed.items() if key[0] != event.jid}
        self._said = {key: at for key, at in self._said.items() if key[0] != event.jid}
        return True

    def owe(self, remotes: frozenset[str], *, now: float) -> None:
        """Each of them is to hear that these remotes have something new."""
        self._said = {key: at for key, at in self._said.items() if now - at < SAID_EVERY}
        for jid in self._there:
            for remote in remotes:
                key = (jid, remote)
                self._owed.setdefault(key, max(now, self._said.get(key, -inf) + SAID_EVERY))

    def due(self) -> float:
        """When take() or all_are_to_pull() has something to give."""
        return min((*self._owed.values(), self._everything_due))

    def take(self, *, now: float) -> tuple[str, str] | None:
        """Whom to tell of which remote now; it counts as said."""
        for key, due in self._owed.items():
            if due <= now:
                del self._owed[key]
                self._said[key] = now
                return key
        return None

    def put_back(self, told: tuple[str, str], due: float) -> None:
        """It could not be said yet."""
        self._said.pop(told, None)
        self._owed[told] = due

    def pushed_somewhere(self, *, now: float) -> None:
        """One of them has pushed to a remote that nobody here knows, perhaps by a mirror's name."""
        soonest = max(now, self._everything_at + EVERYTHING_EVERY)
        self._everything_due = min(self._everything_due, soonest)

    def all_are_to_pull(self, *, now: float) -> bool:
        """Whether it is time that all do; they have done so then."""
        if self._everything_due > now:
            return False
        self._everything_due, self._everything_at = inf, now
        return True

    def hear(self, copy: Copy, *, now: float) -> str | None:
        """The remote's address that it has pushed to, empty if it named none; None: no such word."""
        found = _PUSHED.match(copy.body[:2000])
        if found is None:
            return None
        word = (copy.sender, copy.body[:2000])
        if any(
            (jid, body) == word and now - at < HEARD_TWICE_WITHIN for at, jid, body in self._heard
        ):
            return None
        self._heard.append((now, *word))
        return found["url"] or ""
