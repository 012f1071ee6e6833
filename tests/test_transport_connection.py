"""The life of a connection, told as conversations: when, what happens, what is done about it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosyncd.transport.connection import (
    BACKOFF_LONG,
    BACKOFF_LONGEST,
    BACKOFF_SPREAD,
    Connection,
    TransportState,
    deadline,
    step,
)
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

Conversation = list[tuple[float, Event, tuple[Command, ...], float | None]]
"""At a time, an event, the commands expected, and the deadline after it."""

ONLINE = (OpenSession(), Report(online=True))


def gone(reason: str, *, alarming: bool = False) -> tuple[Command, ...]:
    return (Disconnect(), Report(online=False, reason=reason, alarming=alarming))


def displaced(*, alarming: bool = False) -> tuple[Command, ...]:
    return (Disconnect(), Rename(), Report(online=False, reason="x", alarming=alarming))


CONVERSATIONS: dict[str, Conversation] = {
    "a quiet server is asked, and answers": [
        (0, Start(), (Connect(),), 30),
        (1, Greeted(), ONLINE, 31),
        (20, Spoke(), (), 50),
        (50, Tick(), (Ping(),), 60),
        (51, Spoke(), (), 81),
    ],
    "a dead server is given up, and tried again": [
        (0, Start(), (Connect(),), 30),
        (0, Greeted(), ONLINE, 30),
        (30, Tick(), (Ping(),), 40),
        (40, Tick(), gone("no answer to a ping"), 41),
        (41, Tick(), (Connect(),), 71),
    ],
    "a server that accepts and says nothing": [
        (0, Start(), (Connect(),), 30),
        (30, Tick(), gone("no answer in time"), 31),
        (31, Tick(), (Connect(),), 61),
        (61, Tick(), gone("no answer in time"), 62),
    ],
    "back-off doubles to 40 s": [
        (0, Start(), (Connect(),), 30),
        (0, Lost("x"), gone("x"), 1),
        (1, Tick(), (Connect(),), 31),
        (1, Lost("x"), gone("x"), 3),
        (3, Tick(), (Connect(),), 33),
        (3, Lost("x"), gone("x"), 7),
        (7, Tick(), (Connect(),), 37),
        (7, Lost("x"), gone("x"), 15),
        (15, Tick(), (Connect(),), 45),
        (15, Lost("x"), gone("x"), 31),
        (31, Tick(), (Connect(),), 61),
        (31, Lost("x"), gone("x"), 63),
        (63, Tick(), (Connect(),), 93),
        (63, Lost("x"), gone("x"), 103),
        (103, Tick(), (Connect(),), 133),
        (103, Lost("x"), gone("x"), 143),
    ],
    "a short session does not reset the back-off": [
        (0, Start(), (Connect(),), 30),
        (0, Lost("x"), gone("x"), 1),
        (1, Tick(), (Connect(),), 31),
        (1, Greeted(), ONLINE, 31),
        (60, Lost("x"), gone("x"), 62),
    ],
    "let in and dropped again and again, the pause grows to 40 s": [
        (0, Start(), (Connect(),), 30),
        (0, Greeted(), ONLINE, 30),
        (5, Lost("x"), gone("x"), 6),
        (6, Tick(), (Connect(),), 36),
        (6, Greeted(), ONLINE, 36),
        (11, Lost("x"), gone("x"), 13),
        (13, Tick(), (Connect(),), 43),
        (13, Greeted(), ONLINE, 43),
        (18, Lost("x"), gone("x"), 22),
        (22, Tick(), (Connect(),), 52),
        (22, Greeted(), ONLINE, 52),
        (27, Lost("x"), gone("x"), 35),
        (35, Tick(), (Connect(),), 65),
        (35, Greeted(), ONLINE, 65),
        (40, Lost("x"), gone("x"), 56),
        (56, Tick(), (Connect(),), 86),
        (56, Greeted(), ONLINE, 86),
        (61, Lost("x"), gone("x"), 93),
        (93, Tick(), (Connect(),), 123),
        (93, Greeted(), ONLINE, 123),
        (98, Lost("x"), gone("x"), 138),
        (138, Tick(), (Connect(),), 168),
        (138, Greeted(), ONLINE, 168),
        (143, Lost("x"), gone("x"), 183),
    ],
    "a minute online does": [
        (0, Start(), (Connect(),), 30),
        (0, Lost("x"), gone("x"), 1),
        (1, Tick(), (Connect(),), 31),
        (1, Greeted(), ONLINE, 31),
        (61, Lost("x"), gone("x"), 62),
    ],
    "the network comes while waiting: now": [
        (0, Start(), (Connect(),), 30),
        (0, Lost("x"), gone("x"), 1),
        (0.5, NetworkDown(), (), 1),
        (0.6, NetworkUp(), (Connect(),), 30.6),
        (0.7, Lost("x"), gone("x"), 2.6),
    ],
    "an attempt from before the suspend starts again": [
        (0, Start(), (Connect(),), 30),
        (500, Woke(), (Disconnect(), Connect()), 530),
    ],
    "a network that comes and goes all the time lets an attempt go on for a while": [
        (0, Start(), (Connect(),), 30),
        (2, NetworkUp(), (), 30),
        (4, NetworkUp(), (), 30),
        (6, NetworkUp(), (Disconnect(), Connect()), 36),
        (8, NetworkUp(), (), 36),
        (10, Greeted(), ONLINE, 40),
    ],
    "after a suspend the session has 5 s to prove itself, and does": [
        (0, Start(), (Connect(),), 30),
        (0, Greeted(), ONLINE, 30),
        (500, Woke(), (Ping(),), 505),
        (501, NetworkUp(), (), 505),
        (502, Spoke(), (), 532),
    ],
    "or does not": [
        (0, Start(), (Connect(),), 30),
        (0, Greeted(), ONLINE, 30),
        (10, NetworkDown(), (Ping(),), 15),
        (15, Tick(), gone("no answer to a ping"), 16),
    ],
    "a tick that comes too early does nothing": [
        (0, Start(), (Connect(),), 30),
        (29.9, Tick(), (), 30),
        (29.9, Greeted(), ONLINE, 59.9),
        (59, Tick(), (), 59.9),
    ],
    "refused for good: only a new configuration helps": [
        (0, Start(), (Connect(),), 30),
        (1, Refused("wrong password"), gone("wrong password", alarming=True), None),
        (2, NetworkUp(), (), None),
        (3, Start(), (), None),
        (3, Woke(), (), None),
        (4, Stop(), (Disconnect(),), None),
    ],
    "or a person who asks for it": [
        (0, Start(), (Connect(),), 30),
        (1, Refused("wrong password"), gone("wrong password", alarming=True), None),
        (90, Retry(), (Connect(),), 120),
        (91, Greeted(), ONLINE, 121),
        (92, Retry(), (), 121),
    ],
    "a server that won't do is tried again after five minutes": [
        (0, Start(), (Connect(),), 30),
        (0, Lost("x"), gone("x"), 1),
        (1, Tick(), (Connect(),), 31),
        (2, Unacceptable("certificate"), gone("certificate", alarming=True), 302),
        (302, Tick(), (Connect(),), 332),
        (303, Unacceptable("too long", alarming=False), gone("too long"), 603),
    ],
    "whom a person may have been asked for is asked for again after an hour": [
        (0, Start(), (Connect(),), 30),
        (1, Unacceptable("locked", asked=True), gone("locked", alarming=True), 3601),
        (9, Retry(), (Connect(),), 39),
    ],
    "or when the network changes, which may have been a captive portal's": [
        (0, Start(), (Connect(),), 30),
        (1, Unacceptable("certificate"), gone("certificate", alarming=True), 301),
        (9, NetworkUp(), (Connect(),), 39),
        (9, Greeted(), ONLINE, 39),
    ],
    "two machines with one name end up side by side": [
        (0, Start(), (Connect(),), 30),
        (0, Greeted(), ONLINE, 30),
        (9, Displaced("x"), displaced(), 10),
        (10, Tick(), (Connect(),), 40),
        (10, Greeted(), ONLINE, 40),
    ],
    "somebody who takes every place is reported the third time in an hour": [
        (0, Start(), (Connect(),), 30),
        (0, Displaced("x"), displaced(), 1),
        (1, Tick(), (Connect(),), 31),
        (3599, Greeted(), ONLINE, 3629),
        (3600, Displaced("x"), displaced(), 3602),
        (3602, Tick(), (Connect(),), 3632),
        (3602, Displaced("x"), displaced(), 3606),
        (3606, Tick(), (Connect(),), 3636),
        (3607, Displaced("x"), displaced(alarming=True), 3907),
    ],
    "a password that a person has to type takes its time": [
        (0, Start(), (Connect(),), 30),
        (0, Underway(65), (), 65),
        (60, Underway(30), (), 90),
        (90, Tick(), gone("no answer in time"), 91),
        (91, Underway(30), (), 91),
    ],
    "what comes after the end does not count": [
        (0, Start(), (Connect(),), 30),
        (1, Stop(), (Disconnect(),), None),
        (2, Greeted(), (), None),
        (2, Lost("x"), (), None),
        (2, NetworkUp(), (), None),
        (3, Start(), (Connect(),), 33),
    ],
}


@pytest.mark.parametrize("conversation", CONVERSATIONS.values(), ids=CONVERSATIONS.keys())
def test_conversation(conversation: Conversation) -> None:
    connection = Connection()
    for now, event, expected, due in conversation:
        connection, commands = step(connection, event, now=now, jitter=0.0)
        assert (now, event, commands) == (now, event, expected)
        assert deadline(connection) == pytest.approx(due)


@pytest.mark.parametrize("jitter", [-1.0, 0.0, 1.0])
def test_a_server_that_comes_back_is_found_within_a_minute(jitter: float) -> None:
    """Packets are dropped: an attempt lasts 8 s at one port and 30 at the other."""
    connection, began = step(Connection(), Start(), now=0.0, jitter=jitter)[0], 0.0
    for _ in range(20):
        for after, limit in ((0.1, 30.0), (8.0, 30.0)):
            connection, _ = step(connection, Underway(limit), now=began + after, jitter=jitter)
        given_up = deadline(connection)
        assert given_up is not None
        connection, _ = step(connection, Tick(), now=given_up, jitter=jitter)
        again = deadline(connection)
        assert again is not None
        assert given_up + 0.7 <= again <= began + 60
        connection, commands = step(connection, Tick(), now=again, jitter=jitter)
        assert commands == (Connect(),)
        began = again


@pytest.mark.parametrize(("jitter", "due"), [(-1.0, 0.7), (0.0, 1.0), (1.0, 1.3)])
def test_jitter_spreads_the_back_off(jitter: float, due: float) -> None:
    connecting, _ = step(Connection(), Start(), now=0.0, jitter=jitter)
    waiting, _ = step(connecting, Lost("x"), now=0.0, jitter=jitter)
    assert deadline(waiting) == pytest.approx(due)


EVENTS = st.sampled_from(
    [
        *(Start(), Stop(), Greeted(), Spoke(), Lost("x"), Refused("x")),
        *(Unacceptable("x"), Displaced("x"), Retry(), Underway(65)),
        *(NetworkUp(), NetworkDown(), Woke(), Tick(), Tick(), Tick()),
    ]
)
HISTORIES = st.lists(
    st.tuples(EVENTS, st.floats(0, 120), st.floats(-1, 1)), min_size=1, max_size=60
)


@settings(max_examples=300, deadline=None)
@given(HISTORIES)
def test_a_deadline_always_leads_somewhere(
    history: list[tuple[Event, float, float]],
) -> None:
    """Whatever happened: at its deadline a step acts and sets a later one, so no loop spins."""
    connection, now = Connection(), 1000.0
    for event, pause, jitter in history:
        now += pause
        connection, commands = step(connection, event, now=now, jitter=jitter)
        due = deadline(connection)
        if commands:
            assert due is None or due > now
        if due is None:
            assert connection.state in (TransportState.DISCONNECTED, TransportState.FATAL)
            continue
        after, commands = step(connection, Tick(), now=max(due, now), jitter=jitter)
        assert commands
        later = deadline(after)
        assert later is not None
        assert later > max(due, now)
        if now < due:
            assert step(connection, Tick(), now=now, jitter=jitter) == (connection, ())


@settings(deadline=None)
@given(HISTORIES)
def test_back_off_is_bounded(history: list[tuple[Event, float, float]]) -> None:
    connection, now = Connection(), 0.0
    for event, pause, jitter in history:
        now += pause
        connection, _ = step(connection, event, now=now, jitter=jitter)
        if isinstance(event, Unacceptable | Displaced):
            longest = BACKOFF_LONG
        elif isinstance(event, Lost | Start | Tick):
            longest = BACKOFF_LONGEST
        if connection.state is TransportState.BACKOFF and connection.since == now:
            assert connection.due - connection.since <= longest * (1 + BACKOFF_SPREAD) + 1e-6
