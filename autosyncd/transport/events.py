"""Pure: what happens to a connection, and what is done about it; connection.py is the machine."""

from dataclasses import dataclass

# events


@dataclass(frozen=True, slots=True)
class Start:
    """The transport begins to run."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The transport is to end."""


@dataclass(frozen=True, slots=True)
class Underway:
    """The attempt has come to a step that may take `within` seconds."""

    within: float


@dataclass(frozen=True, slots=True)
class Greeted:
    """The server is there and has said all it has to: the session is good."""


@dataclass(frozen=True, slots=True)
class Spoke:
    """The server said something, no matter what."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The attempt or the session ended; another attempt may do better."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server will never have us as we are configured (a wrong password)."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unacceptable:
    """The server isn't what we insist on (its certificate, say): try again, but much later."""

    reason: str
    alarming: bool = True
    """Whether a person should look after it."""
    asked: bool = False
    """A person may have been asked, and did not answer: not again before long."""


@dataclass(frozen=True, slots=True)
class Displaced:
    """Another client took our place at the server."""

    reason: str


@dataclass(frozen=True, slots=True)
class Retry:
    """A person asks for another attempt, whatever the last one came to."""


@dataclass(frozen=True, slots=True)
class NetworkUp:
    """The network came or changed."""


@dataclass(frozen=True, slots=True)
class NetworkDown:
    """The network went; a server on this machine or in this house may still be there."""


@dataclass(frozen=True, slots=True)
class Woke:
    """The machine comes out of a suspend."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The deadline has come, or the loop woke too early, which does no harm."""


Event = (
    Start | Stop | Retry | Underway | Greeted | Spoke | Lost | Refused | Unacceptable | Displaced
) | (NetworkUp | NetworkDown | Woke | Tick)


# commands


@dataclass(frozen=True, slots=True)
class Connect:
    """Begin an attempt; it comes to Greeted, or ends in Lost, Refused, Unacceptable or Displaced."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Drop the attempt or the session; no event of it counts any more."""


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask the server for a word."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Subscribe, send what has waited, tell the owner."""


@dataclass(frozen=True, slots=True)
class Report:
    """The owner should know."""

    online: bool
    reason: str = ""
    alarming: bool = False
    """It won't get better by itself: a person should look after it."""


@dataclass(frozen=True, slots=True)
class Rename:
    """Be somebody else at the server from the next attempt on."""


Command = Connect | Disconnect | Ping | OpenSession | Report | Rename
