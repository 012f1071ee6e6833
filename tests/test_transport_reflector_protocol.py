"""The reflector's side of the protocol, without a socket."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosyncd.transport.reflector_protocol import (
    BURST,
    CHANNEL_LIMIT,
    EVERYBODY,
    LINE_LIMIT,
    LINES_PER_SECOND,
    LISTENERS_PER_TOKEN,
    SUBSCRIPTION_LIMIT,
    Announce,
    Board,
    Command,
    Conversation,
    HangUp,
    Info,
    Ping,
    Silence,
    Subscribe,
    Unsubscribe,
    charge,
    feed,
    parse,
    paused_until,
    take,
)
from autosyncd.transport.reflector_quota import Doorway, Limits, Timeouts


def drain(talk: Conversation) -> tuple[Conversation, list[Command]]:
    commands: list[Command] = []
    while True:
        talk, command = take(talk)
        if command is None:
            return talk, commands
        commands.append(command)
        if isinstance(command, HangUp):
            return talk, commands


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"ping", Ping()),
        (b"ping\r", Ping()),
        (b"info", Info()),
        (b"subscribe abc", Subscribe(b"abc")),
        (b"unsubscribe abc", Unsubscribe(b"abc")),
        (b"announce abc 0123", Announce(b"abc", b"0123")),
        (b"announce abc several words", Announce(b"abc", b"several words")),
        ("announce abc größer".encode(), Announce(b"abc", "größer".encode())),
        (b"announce all hello", Announce(b"all", b"hello")),
        (b"subscribe " + b"c" * CHANNEL_LIMIT, Subscribe(b"c" * CHANNEL_LIMIT)),
        (b"subscribe " + b"c" * (CHANNEL_LIMIT + 1), Silence()),
        (b"", Silence()),
        (b" ", Silence()),
        (b"PING", Silence()),
        (b"ping now", Silence()),
        (b"subscribe", Silence()),
        (b"subscribe ", Silence()),
        (b"subscribe a!b", Silence()),
        (b"subscribe a b", Silence()),
        (b"subscribe debug", Silence()),
        (b"subscribe \xff\xfe", Silence()),
        (b"unsubscribe all", Silence()),
        (b"announce abc", Silence()),
        (b"announce abc ", Silence()),
        (b"announce debug busy", Silence()),
        (b"announce abc a\x00b", Silence()),
        (b"announce abc \x1b[2J", Silence()),
        (b"\x16\x03\x01\x02\x00", Silence()),
    ],
)
def test_a_line(line: bytes, command: Command) -> None:
    assert parse(line) == command


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_line_raises(line: bytes) -> None:
    command = parse(line.replace(b"\n", b""))
    if isinstance(command, Announce):
        assert command.line.count(b"\n") == 1
        assert command.line.endswith(b"\n")


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"ping", b"\n", b"subscribe x", b"announce x y", b"\xff", b"\r"])))
def test_how_the_bytes_are_cut_makes_no_difference(chunks: list[bytes]) -> None:
    _, whole = drain(feed(Conversation(), b"".join(chunks), now=0.0))
    talk, pieces = Conversation(), []
    for chunk in chunks:
        talk, commands = drain(feed(talk, chunk, now=0.0))
        pieces += commands
    assert pieces == whole


@pytest.mark.parametrize("ending", [b"", b"\n", b"\nping\n"])
def test_a_line_too_long(ending: bytes) -> None:
    data = b"ping\n" + b"x" * LINE_LIMIT + ending
    _, commands = drain(feed(Conversation(), data, now=0.0))
    assert commands == [Ping(), HangUp(f"it sent a line of more than {LINE_LIMIT} bytes")]


def test_a_line_too_long_ends_the_patience_beyond_the_rate_too() -> None:
    in_debt = Conversation(tokens=-BURST)
    _, commands = drain(feed(in_debt, b"x" * LINE_LIMIT, now=0.0))
    assert [type(command) for command in commands] == [HangUp]


def test_the_longest_line() -> None:
    message = b"m" * (LINE_LIMIT - len("announce x \n"))
    _, commands = drain(feed(Conversation(), b"announce x " + message + b"\n", now=0.0))
    assert commands == [Announce(b"x", message)]


def test_beyond_the_rate_lines_wait_and_none_is_lost() -> None:
    talk, commands = drain(feed(Conversation(), b"ping\n" * 300, now=0.0))
    assert len(commands) == BURST
    served = len(commands)
    while (due := paused_until(talk)) is not None:
        talk, commands = drain(feed(talk, b"", now=due))
        assert commands, "a pause that ends with nothing to do would spin"
        served += len(commands)
    assert served == 300
    assert talk.counted_at == pytest.approx(100 / LINES_PER_SECOND, rel=0.2)


def test_half_a_line_is_no_reason_to_pause() -> None:
    talk, _ = drain(feed(Conversation(), b"ping\n" * int(BURST) + b"pi", now=0.0))
    assert paused_until(talk) is None


def test_many_listeners_make_an_announcement_dear() -> None:
    cheap = charge(Conversation(), LISTENERS_PER_TOKEN - 1)
    assert cheap.tokens == BURST
    assert charge(Conversation(), 10 * LISTENERS_PER_TOKEN).tokens == BURST - 10
    assert charge(Conversation(), 10**6).tokens == -BURST


def test_the_board() -> None:
    board = Board()
    for client in (1, 2, 3):
        board.join(client)
    assert board.subscribe(1, b"x")
    assert board.subscribe(2, b"x")
    assert board.subscribe(2, b"x")
    assert set(board.audience(b"x")) == {1, 2}
    assert set(board.audience(EVERYBODY)) == {1, 2, 3}
    board.unsubscribe(1, b"x")
    board.unsubscribe(1, b"never")
    assert board.audience(b"x") == (2,)
    board.leave(2)
    board.leave(2)
    assert board.audience(b"x") == ()
    assert board.channels == 0


def test_the_board_bounds_subscriptions() -> None:
    board = Board()
    board.join(1)
    assert all(board.subscribe(1, b"%d" % number) for number in range(SUBSCRIPTION_LIMIT))
    assert not board.subscribe(1, b"one more")
    assert board.subscribe(1, b"0"), "what it has it may ask for again"
    board.unsubscribe(1, b"0")
    assert board.subscribe(1, b"one more")


def test_the_doorway() -> None:
    doorway = Doorway(Limits(connections=4, per_household=2))
    assert doorway.enter(b"mallory") is None
    assert doorway.enter(b"mallory") is None
    assert doorway.enter(b"mallory") == "its address has 2 connections already"
    assert doorway.enter(None) is None
    assert doorway.enter(None) is None
    assert doorway.enter(b"alice") == "all 4 connections are taken"
    doorway.leave(b"mallory")
    assert doorway.enter(b"mallory") is None
    assert (doorway.inside, doorway.turned_away) == (4, 2)


def test_timeouts_run_out_in_order() -> None:
    timeouts = Timeouts(10.0)
    assert timeouts.deadline() is None
    for client in (1, 2, 3):
        timeouts.restart(client, now=float(client))
    timeouts.restart(1, now=4.0)
    assert (timeouts.deadline(), timeouts.due(now=11.9)) == (12.0, [])
    assert timeouts.due(now=13.0) == [2, 3]
    timeouts.forget(2)
    timeouts.forget(2)
    assert timeouts.due(now=14.0) == [3, 1]
    assert 2 not in timeouts
