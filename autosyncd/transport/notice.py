"""Pure: a PushNotice in the words of the fanout line protocol.

The protocol is that of the `fanout` server as SparkleShare up to 1.5 speaks it: a client sends
`announce CHANNEL MESSAGE\\n`, every subscriber gets `CHANNEL!MESSAGE\\n`. Here CHANNEL is one of
the notice's channels and MESSAGE the head, both in hex, which is what SparkleShare sends too.
Branch, tree and host don't cross: a notice only makes a worker look at its own remote.
"""

import re
from dataclasses import dataclass
from enum import Enum

from autosyncd.model import Channel, PushNotice, TreeId

LINE_LIMIT = 4096
"""Bytes of a line, the newline included; no honest peer comes near it."""
PRIVATE_CHANNEL = b"debug"
"""The server answers one client alone on it (`debug!connected...`, `debug!busy`)."""

_HEX = rb"[0-9a-f]{40}(?:[0-9a-f]{24})?"
_CHANNEL = re.compile(_HEX, re.IGNORECASE)
_HEAD = re.compile(_HEX)


class Flaw(Enum):
    """Why a line is not a notice; the value is a phrase for the log."""

    TOO_LONG = "the line is longer than allowed"
    NO_CHANNEL = "the line names no channel"
    STRANGE_CHANNEL = "the channel is not 40 or 64 hex digits"
    STRANGE_HEAD = "the message is not a head of 40 or 64 hex digits"


@dataclass(frozen=True, slots=True)
class Noticed:
    """The line is a notice; its tree, host and branch are empty."""

    notice: PushNotice


@dataclass(frozen=True, slots=True)
class PrivateReply:
    """The server's word to this client alone; printable ASCII, at most 200 characters."""

    text: str


@dataclass(frozen=True, slots=True)
class NotANotice:
    """Nothing to act on. An answer to `ping`, a bare number, is one of these."""

    flaw: Flaw


@dataclass(frozen=True, slots=True)
class Announcement:
    """A head on one channel: what one line says."""

    channel: Channel
    head: str

    @property
    def line(self) -> bytes:
        """What a client sends."""
        return f"announce {self.channel} {self.head}\n".encode("ascii")


def encode(notice: PushNotice) -> tuple[Announcement, ...]:
    """One announcement for each channel; a channel or head that isn't hex is left out.

    Anything else could end the line and begin a command of its own.
    """
    if not _is(_HEAD, notice.head):
        return ()
    channels = (channel for channel in notice.channels if _is(_CHANNEL, channel))
    return tuple(Announcement(channel, notice.head) for channel in channels)


def decode(line: bytes) -> Noticed | PrivateReply | NotANotice:
    """What a line from the server means, with or without its newline. Raises nothing."""
    if len(line) > LINE_LIMIT:
        return NotANotice(Flaw.TOO_LONG)
    channel, separator, message = line.strip().partition(b"!")
    if not separator:
        return NotANotice(Flaw.NO_CHANNEL)
    if channel == PRIVATE_CHANNEL:
        return PrivateReply(_printable(message))
    if not _CHANNEL.fullmatch(channel):
        return NotANotice(Flaw.STRANGE_CHANNEL)
    if not _HEAD.fullmatch(message):
        return NotANotice(Flaw.STRANGE_HEAD)
    return Noticed(
        PushNotice(
            channels=(Channel(channel.decode("ascii")),),
            branch="",
            head=message.decode("ascii"),
            tree=TreeId(""),
            host="",
        )
    )


def flaw_of_greeting(line: bytes) -> str | None:
    """Why the server's first line is not that of a server that takes us; None: it is."""
    match decode(line):
        case PrivateReply(text) if text.startswith("connected"):
            return None
        case PrivateReply(text) if text.startswith("busy"):
            return "it is busy"
    return "it doesn't greet like a fanout server"


def _is(pattern: re.Pattern[bytes], text: str) -> bool:
    return text.isascii() and pattern.fullmatch(text.encode("ascii")) is not None


def _printable(message: bytes) -> str:
    """Another's words made fit for a log."""
    return "".join(chr(byte) if 32 <= byte < 127 else "?" for byte in message[:200])
