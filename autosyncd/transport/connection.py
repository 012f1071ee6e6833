"""Pure: the life of one connection to a server, whatever is spoken over it.

`step` says what an event leads to, `deadline` when the next Tick is due. A step at its deadline
always acts, so a loop that sleeps until `deadline` never spins. Times are seconds on one clock that
includes suspends.
"""

from dataclasses import dataclass, replace
from enum import Enum

from autosyncd.transport.events import (
    Command,
    Connect,
    Disconnect,
    Displaced,
    Event,
    Greeted,
    Lost,
    NetworkDown,
    NetworkUp,
    OpenSession,
    Ping,
    Refused,
    Rename,
    Report,
    Retry,
    Spoke,
    Start,
    Stop,
    Tick,
    Unacceptable,
    Underway,
    Woke,
)

CONNECT_WITHIN = 30.0
"""Seconds from the first packet until the session is good."""
TRY_NEXT_ADDRESS_AFTER = 0.25
"""Seconds until the next of a host's addresses is tried beside the first (RFC 8305)."""
ATTEMPT_UNDISTURBED = 5.0
"""Seconds until a hint begins an attempt anew: a network that comes and goes would let none end."""
PING_AFTER = 30.0
"""Seconds of silence after which the server is asked whether it is there."""
ANSWER_WITHIN = 10.0
"""Seconds it has for its answer."""
ANSWER_WITHIN_AFTER_HINT = 5.0
"""The same when there is a reason to doubt: the network changed, or the machine was suspended."""
BACKOFF_FIRST = 1.0
BACKOFF_LONGEST = 40.0
BACKOFF_LONG = 300.0
"""Seconds to wait where the server isn't what we insist on, so that coming back soon won't help."""
BACKOFF_ASKED = 3600.0
"""The same where a person may be asked each time."""
BACKOFF_SPREAD = 0.3
"""Share of a back-off that jitter adds or takes, so that clients don't come back all at once."""
SETTLED_AFTER = 60.0
"""Seconds online after which earlier failures are forgotten."""
DISPLACED_WITHIN, DISPLACED_OFTEN = 3600.0, 3
"""Seconds, and how often others may take our place within them before a person hears of it."""


class TransportState(Enum):
    """Where the connection stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    ONLINE = "online"
    BACKOFF = "backoff"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Connection:
    """What is remembered between two events."""

    state: TransportState = TransportState.DISCONNECTED
    since: float = 0.0
    due: float | None = None
    failures: int = 0
    """In a row; sets the length of the next back-off."""
    asked: bool = False
    """Online: a ping is out, and `due` is the time limit of its answer."""
    displaced: tuple[float, ...] = ()
    """When others took our place lately."""


Outcome = tuple[Connection, tuple[Command, ...]]


def deadline(connection: Connection) -> float | None:
    """When the next Tick is due; None: only an event from outside leads on."""
    return connection.due


def step(connection: Connection, event: Event, *, now: float, jitter: float) -> Outcome:
    """What `event` makes of the connection; `jitter` is a random number from -1 to 1."""
    match event:
        case Stop():
            return Connection(since=now), (Disconnect(),)
        case Refused() | Lost() | Unacceptable() | Displaced() if _has_socket(connection):
            return _lost(connection, event, now=now, jitter=jitter)
    match connection.state:
        case TransportState.DISCONNECTED if isinstance(event, Start):
            return _connect(connection, now=now)
        case TransportState.CONNECTING:
            return _while_connecting(connection, event, now=now, jitter=jitter)
        case TransportState.ONLINE:
            return _while_online(connection, event, now=now, jitter=jitter)
        case TransportState.BACKOFF:
            if isinstance(event, NetworkUp | Woke | Retry) or _is_due(connection, event, now):
                return _connect(connection, now=now)
        case TransportState.FATAL if isinstance(event, Retry):
            return _connect(connection, now=now)
    return connection, ()


def _lost(
    connection: Connection,
    event: Lost | Refused | Unacceptable | Displaced,
    *,
    now: float,
    jitter: float,
) -> Outcome:
    match event:
        case Lost(reason):
            return _back_off(connection, reason, now=now, jitter=jitter)
        case Refused(reason):
            fatal = Connection(TransportState.FATAL, since=now, displaced=connection.displaced)
            return fatal, (Disconnect(), Report(online=False, reason=reason, alarming=True))
        case Unacceptable(reason, alarming, asked):
            pause = BACKOFF_ASKED if asked else BACKOFF_LONG
            due = now + pause * (1 + BACKOFF_SPREAD * jitter)
            waiting = replace(connection, state=TransportState.BACKOFF, since=now, due=due)
            report = Report(online=False, reason=reason, alarming=alarming)
            return replace(waiting, asked=False), (Disconnect(), report)
        case Displaced(reason):
            lately = tuple(at for at in connection.displaced if now - at < DISPLACED_WITHIN)
            waiting, _ = _back_off(connection, reason, now=now, jitter=jitter)
            waiting = replace(waiting, displaced=(*lately, now)[-DISPLACED_OFTEN:])
            often = len(waiting.displaced) >= DISPLACED_OFTEN
            if often:  # whoever comes back at once only takes the next one's place
                pause = BACKOFF_LONG * (1 + BACKOFF_SPREAD * jitter)
                waiting = replace(waiting, due=now + pause)
            report = Report(online=False, reason=reason, alarming=often)
            return waiting, (Disconnect(), Rename(), report)


def _while_connecting(
    connection: Connection, event: Event, *, now: float, jitter: float
) -> Outcome:
    if isinstance(event, Greeted):
        online = replace(
            connection, state=TransportState.ONLINE, since=now, due=now + PING_AFTER, asked=False
        )
        return online, (OpenSession(), Report(online=True))
    if isinstance(event, Underway):
        return replace(connection, due=now + event.within), ()
    if isinstance(event, NetworkUp | Woke) and now - connection.since >= ATTEMPT_UNDISTURBED:
        # It may wait for the answer to a packet that nobody got.
        again, commands = _connect(connection, now=now)
        return again, (Disconnect(), *commands)
    if _is_due(connection, event, now):
        # how long that was depends on how many servers were tried, and the same reason is told once
        return _back_off(connection, "no answer in time", now=now, jitter=jitter)
    return connection, ()


def _while_online(connection: Connection, event: Event, *, now: float, jitter: float) -> Outcome:
    if isinstance(event, Spoke):
        return replace(connection, due=now + PING_AFTER, asked=False), ()
    if isinstance(event, NetworkUp | NetworkDown | Woke) and not connection.asked:
        return replace(connection, due=now + ANSWER_WITHIN_AFTER_HINT, asked=True), (Ping(),)
    if _is_due(connection, event, now):
        if connection.asked:
            return _back_off(connection, "no answer to a ping", now=now, jitter=jitter)
        return replace(connection, due=now + ANSWER_WITHIN, asked=True), (Ping(),)
    return connection, ()


def _connect(connection: Connection, *, now: float) -> Outcome:
    attempt = replace(
        connection,
        state=TransportState.CONNECTING,
        since=now,
        due=now + CONNECT_WITHIN,
        asked=False,
    )
    return attempt, (Connect(),)


def _back_off(connection: Connection, reason: str, *, now: float, jitter: float) -> Outcome:
    settled = connection.state is TransportState.ONLINE and now - connection.since >= SETTLED_AFTER
    failures = 0 if settled else connection.failures
    spread = 1 + BACKOFF_SPREAD * jitter
    pause = min(BACKOFF_FIRST * 2.0 ** min(failures, 16), BACKOFF_LONGEST) * spread
    # An attempt that nobody answers has itself taken its time, and the server may be back.
    began = connection.since if connection.state is TransportState.CONNECTING else now
    due = max(now + BACKOFF_FIRST * spread, began + pause)
    waiting = Connection(
        TransportState.BACKOFF, now, due, failures=failures + 1, displaced=connection.displaced
    )
    return waiting, (Disconnect(), Report(online=False, reason=reason))


def _has_socket(connection: Connection) -> bool:
    return connection.state in (TransportState.CONNECTING, TransportState.ONLINE)


def _is_due(connection: Connection, event: Event, now: float) -> bool:
    return isinstance(event, Tick) and connection.due is not None and now >= connection.due
