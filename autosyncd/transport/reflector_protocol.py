"""Pure: what a client of the reflector says, and what follows.

The protocol is that of the `fanout` server, see notice.py; this is the server's side of it: bytes
become commands, at a bounded rate, and the board knows who listens to what. Values are named tuples
rather than dataclasses, which alone would cost the reflector a mebibyte.
"""

import re
from typing import NamedTuple

LINE_LIMIT = 4096
"""Bytes of a line, the newline included."""
CHANNEL_LIMIT = 128
"""Bytes of a channel's name."""
SUBSCRIPTION_LIMIT = 512
"""Channels one connection may subscribe, beside `all`."""
LINES_PER_SECOND = 50.0
BURST = 200.0
"""Lines a connection may send at once after a silence."""
LISTENERS_PER_TOKEN = 32
"""An announcement costs one line more for each so many listeners."""
CLOCK_SLACK = 0.001
"""Seconds added to a pause, lest rounding wakes the loop before there is anything to do."""

EVERYBODY = b"all"
"""Every connection is subscribed to it, unasked and for good."""
PRIVATE = b"debug"
"""Lines on it are the server's own words to one client; nobody can announce there."""
GREETING = b"debug!connected...\n"
BUSY = b"debug!busy\n"
FULL = b"debug!too many subscriptions\n"

_CHANNEL = re.compile(rb"[!-~]{1,%d}" % CHANNEL_LIMIT)
_MESSAGE = re.compile(rb"[^\x00-\x1f\x7f]+")


class Subscribe(NamedTuple):
    """`subscribe CHANNEL`"""

    channel: bytes


class Unsubscribe(NamedTuple):
    """`unsubscribe CHANNEL`"""

    channel: bytes


class Announce(NamedTuple):
    """`announce CHANNEL MESSAGE`"""

    channel: bytes
    message: bytes

    @property
    def line(self) -> bytes:
        """What every subscriber gets."""
        return self.channel + b"!" + self.message + b"\n"


class Ping(NamedTuple):
    """`ping`, answered by the bare unix time on a line."""


class Info(NamedTuple):
    """`info`, answered by lines of `name: figure`."""


class Silence(NamedTuple):
    """A line that means nothing; it gets no answer."""


class HangUp(NamedTuple):
    """The connection is to be closed."""

    reason: str


Command = Subscribe | Unsubscribe | Announce | Ping | Info | Silence | HangUp


class Conversation(NamedTuple):
    """What is remembered of one connection between two packets."""

    rest: bytes = b""
    """Received and not yet served: part of a line, or, beyond the rate, more."""
    tokens: float = BURST
    """Lines it may send now; below zero after one that was dear."""
    counted_at: float = 0.0


def feed(talk: Conversation, data: bytes, *, now: float) -> Conversation:
    """The conversation after `data` came; empty data goes on after a pause. Then `take`."""
    earned = max(0.0, now - talk.counted_at) * LINES_PER_SECOND
    return Conversation(talk.rest + data, min(BURST, talk.tokens + earned), now)


def take(talk: Conversation) -> tuple[Conversation, Command | None]:
    """The next line's command; None: no whole line is left, or the rate is used up."""
    end = talk.rest.find(b"\n", 0, LINE_LIMIT)
    if end < 0 and len(talk.rest) >= LINE_LIMIT:
        return talk, HangUp(f"it sent a line of more than {LINE_LIMIT} bytes")
    if end < 0 or talk.tokens < 1:
        return talk, None
    rest = talk.rest[end + 1 :]
    return talk._replace(rest=rest, tokens=talk.tokens - 1), parse(talk.rest[:end])


def charge(talk: Conversation, listeners: int) -> Conversation:
    """The conversation after an announcement to so many listeners; beyond a few it costs more."""
    return talk._replace(tokens=max(-BURST, talk.tokens - listeners // LISTENERS_PER_TOKEN))


def paused_until(talk: Conversation) -> float | None:
    """When to `feed` again what has already come; None: all of it is served, read on."""
    if talk.tokens >= 1 or b"\n" not in talk.rest:
        return None
    return talk.counted_at + (1 - talk.tokens) / LINES_PER_SECOND + CLOCK_SLACK


def parse(line: bytes) -> Command:
    """What one line without its newline asks for. Raises nothing."""
    words = line.rstrip(b"\r").split(b" ", 2)
    match words:
        case [b"ping"]:
            return Ping()
        case [b"info"]:
            return Info()
        case [b"subscribe", channel] if _is_channel(channel):
            return Subscribe(channel)
        case [b"unsubscribe", channel] if _is_channel(channel) and channel != EVERYBODY:
            return Unsubscribe(channel)
        case [b"announce", channel, message] if _is_channel(channel):
            return Announce(channel, message) if _MESSAGE.fullmatch(message) else Silence()
    return Silence()


def _is_channel(name: bytes) -> bool:
    return _CHANNEL.fullmatch(name) is not None and b"!" not in name and name != PRIVATE


class Board:
    """Who listens to what. Clients are numbers; `all` is not stored, everybody is on it."""

    def __init__(self) -> None:
        self._channels: dict[int, set[bytes]] = {}
        self._listeners: dict[bytes, set[int]] = {}

    def join(self, client: int) -> None:
        """A client is there, subscribed to `all` alone."""
        self._channels[client] = set()

    def leave(self, client: int) -> None:
        """A client is gone; unknown ones may be named."""
        for channel in self._channels.pop(client, ()):
            self._forget(client, channel)

    def subscribe(self, client: int, channel: bytes) -> bool:
        """False: this client has too many already."""
        mine = self._channels[client]
        if channel in mine or channel == EVERYBODY:
            return True
        if len(mine) >= SUBSCRIPTION_LIMIT:
            return False
        mine.add(channel)
        self._listeners.setdefault(channel, set()).add(client)
        return True

    def unsubscribe(self, client: int, channel: bytes) -> None:
        """The client no longer listens, if it did."""
        if channel in self._channels[client]:
            self._channels[client].discard(channel)
            self._forget(client, channel)

    def audience(self, channel: bytes) -> tuple[int, ...]:
        """The clients that get what is announced on the channel."""
        if channel == EVERYBODY:
            return tuple(self._channels)
        return tuple(self._listeners.get(channel, ()))

    @property
    def channels(self) -> int:
        """How many have a listener."""
        return len(self._listeners)

    def _forget(self, client: int, channel: bytes) -> None:
        listeners = self._listeners[channel]
        listeners.discard(client)
        if not listeners:
            del self._listeners[channel]
