"""Notices in the words of the fanout protocol: what goes out, and what any bytes that come mean."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosyncd.model import Channel, PushNotice, TreeId
from autosyncd.transport.notice import (
    LINE_LIMIT,
    Announcement,
    Flaw,
    NotANotice,
    Noticed,
    PrivateReply,
    decode,
    encode,
)
from autosyncd.transport.outbox import KEPT_FOR, OWN_LIMIT, Outbox

HEAD = "0123456789abcdef0123456789abcdef01234567"
LONG_HEAD = "ab" * 32
CHANNEL = Channel("cd" * 32)
FOLDER = Channel("ef" * 20)


def notice(*channels: str, head: str = HEAD) -> PushNotice:
    return PushNotice(tuple(map(Channel, channels)), "main", head, TreeId("1" * 32), "laptop")


def test_one_announcement_for_each_channel() -> None:
    lines = [said.line for said in encode(notice(CHANNEL, FOLDER))]
    assert lines == [
        b"announce " + b"cd" * 32 + b" " + HEAD.encode() + b"\n",
        b"announce " + b"ef" * 20 + b" " + HEAD.encode() + b"\n",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        notice(CHANNEL, head="main"),
        notice(CHANNEL, head=HEAD + "\nannounce all x"),
        notice(CHANNEL, head=HEAD + "\n"),
        notice(CHANNEL, head="é" * 40),
        notice(CHANNEL, head="\udcff" * 40),
        notice("all"),
        notice(CHANNEL + " x\nping"),
        notice(),
    ],
)
def test_what_could_end_the_line_is_never_sent(bad: PushNotice) -> None:
    assert encode(bad) == ()


def test_a_sparkleshare_line_is_a_notice() -> None:
    assert decode(f"{FOLDER}!{HEAD}\n".encode()) == Noticed(
        PushNotice((FOLDER,), branch="", head=HEAD, tree=TreeId(""), host="")
    )


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        (f"{CHANNEL}!{LONG_HEAD}\r\n".encode(), LONG_HEAD),
        (b"debug!connected...\n", PrivateReply("connected...")),
        (b"debug!\x1b[31m\xff\n", PrivateReply("?[31m?")),
        (b"debug!\n", PrivateReply("")),
        (b"1700000000\n", NotANotice(Flaw.NO_CHANNEL)),
        (b"\n", NotANotice(Flaw.NO_CHANNEL)),
        (b"", NotANotice(Flaw.NO_CHANNEL)),
        (f"all!{HEAD}\n".encode(), NotANotice(Flaw.STRANGE_CHANNEL)),
        (f"!{HEAD}\n".encode(), NotANotice(Flaw.STRANGE_CHANNEL)),
        (f"{CHANNEL}!\n".encode(), NotANotice(Flaw.STRANGE_HEAD)),
        (f"{CHANNEL}!{HEAD}!{HEAD}\n".encode(), NotANotice(Flaw.STRANGE_HEAD)),
        (f"{CHANNEL}!{HEAD.upper()}\n".encode(), NotANotice(Flaw.STRANGE_HEAD)),
        (f"{CHANNEL}!{HEAD}0\n".encode(), NotANotice(Flaw.STRANGE_HEAD)),
        (b"\x00\xff" * 20 + b"!" + HEAD.encode(), NotANotice(Flaw.STRANGE_CHANNEL)),
        (b"a" * LINE_LIMIT + b"\n", NotANotice(Flaw.TOO_LONG)),
    ],
)
def test_every_line_has_a_named_outcome(line: bytes, outcome: object) -> None:
    heard = decode(line)
    assert (heard.notice.head if isinstance(heard, Noticed) else heard) == outcome


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_raise(line: bytes) -> None:
    assert isinstance(decode(line), Noticed | PrivateReply | NotANotice)


HASHES = st.binary(min_size=20, max_size=20) | st.binary(min_size=32, max_size=32)


@settings(deadline=None)
@given(HASHES, HASHES)
def test_what_is_announced_is_heard(channel: bytes, head: bytes) -> None:
    sent = notice(channel.hex(), head=head.hex())
    (said,) = encode(sent)
    _, name, message = said.line.split()
    heard = decode(name + b"!" + message + b"\n")
    assert isinstance(heard, Noticed)
    assert (heard.notice.channels, heard.notice.head) == (sent.channels, sent.head)


def test_the_outbox_keeps_the_newest_until_its_echo() -> None:
    box = Outbox()
    old, new = Announcement(CHANNEL, HEAD), Announcement(CHANNEL, LONG_HEAD)
    box.put(old, now=0.0)
    box.put(new, now=1.0)
    assert box.is_echo(old, now=2.0)
    assert box.unconfirmed(now=2.0) == (new,)
    assert box.is_echo(new, now=3.0)
    assert box.unconfirmed(now=3.0) == ()


def test_the_outbox_keeps_what_nobody_heard_until_a_session_however_late() -> None:
    box = Outbox()
    said = Announcement(CHANNEL, HEAD)
    box.put(said, now=0.0)
    assert box.unconfirmed(now=1000.0) == (said,)
    assert box.unconfirmed(now=1000.0 + KEPT_FOR) == (said,), "that session may have died at once"
    assert box.unconfirmed(now=1001.0 + KEPT_FOR) == (), "nobody says it again"


def test_the_outbox_knows_an_echo_for_a_minute() -> None:
    box = Outbox()
    said = Announcement(CHANNEL, HEAD)
    box.put(said, now=0.0)
    assert not box.is_echo(said, now=KEPT_FOR + 1), "much later it is somebody else's"
    box.put(said, now=100.0)
    box.unconfirmed(now=1000.0)
    assert box.is_echo(said, now=1001.0)


def test_the_outbox_does_not_grow() -> None:
    box = Outbox()
    many = [Announcement(CHANNEL, f"{number:040x}") for number in range(OWN_LIMIT + 1)]
    for said in many:
        box.put(said, now=0.0)
    assert not box.is_echo(many[0], now=0.0)
    assert box.is_echo(many[1], now=0.0)
