"""The pipes between two processes: whole messages or none, never blocking."""

import contextlib
import multiprocessing
import os
import pickle
import select
import struct
from dataclasses import fields
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autosyncd.errors import LinkClosed
from autosyncd.link import channel, messages, outside
from autosyncd.link.channel import PAYLOAD_LIMIT, Link, decode, encode, pair
from autosyncd.link.messages import (
    Alive,
    Announce,
    Describe,
    Message,
    Problem,
    PullOrder,
    Solved,
    StatusChanged,
    SyncNow,
)
from autosyncd.link.outside import (
    Alert,
    Heard,
)
from autosyncd.model import AlertKind, Channel, Head, PushNotice, Status, TreeId
from tests.waiting import eventually, ready


@pytest.fixture
def ends():
    above, below = pair()
    yield above, below
    above.close()
    below.close()


def fill(link: Link) -> int:
    """Post distinct messages until one has to wait; how many were posted."""
    for number in range(10_000):
        link.outbox.post(Problem(kind=f"k{number}", text="x" * 500))
        if link.outbox.pending:
            return number + 1
    raise AssertionError("the pipe never filled")


def test_orders_go_down_and_reports_go_up_in_order(ends):
    above, below = ends
    above.outbox.post(SyncNow())
    above.outbox.post(PullOrder(Head("main", "a1")))
    below.outbox.post(StatusChanged(Status.PUSHING, "", 12.5))
    assert below.inbox.receive() == [SyncNow(), PullOrder(Head("main", "a1"))]
    assert above.inbox.receive() == [StatusChanged(Status.PUSHING, "", 12.5)]
    assert above.inbox.receive() == []


def test_names_that_are_no_utf8_cross(ends):
    above, below = ends
    name = os.fsdecode(b"caf\xe9/\xe7\xac\x94")
    below.outbox.post(Problem("unreadable", name))
    assert above.inbox.receive() == [Problem("unreadable", name)]


def test_a_full_pipe_never_blocks_and_loses_nothing(ends):
    above, below = ends
    posted = fill(below)
    for number in range(posted, posted + 50):
        below.outbox.post(Problem(kind=f"k{number}", text="x" * 500))
    heard: list[Message] = []
    while below.outbox.pending or len(heard) < posted + 50:
        heard += above.inbox.receive()
        below.outbox.flush()
    assert [m.kind for m in heard] == [f"k{n}" for n in range(posted + 50)]


def test_the_newest_of_a_kind_and_subject_replaces_what_waits(ends):
    above, below = ends
    fill(below)
    for number in range(1000):
        below.outbox.post(StatusChanged(Status.IDLE, str(number), 0.0))
        below.outbox.post(Announce(Head("main", str(number))))
        below.outbox.post(Announce(Head("other", str(number))))
    heard: list[Message] = []
    while below.outbox.pending:
        heard += above.inbox.receive()
        below.outbox.flush()
    heard += above.inbox.receive()
    assert [m for m in heard if not isinstance(m, Problem)] == [
        StatusChanged(Status.IDLE, "999", 0.0),
        Announce(Head("main", "999")),
        Announce(Head("other", "999")),
    ]


def test_the_last_word_about_a_problem_stays_the_last(ends):
    above, below = ends
    fill(below)
    for message in (Problem("p", "one"), Solved("p"), Problem("p", "two")):
        below.outbox.post(message)
    heard: list[Message] = []
    while below.outbox.pending:
        heard += above.inbox.receive()
        below.outbox.flush()
    heard += above.inbox.receive()
    assert heard[-2:] == [Solved("p"), Problem("p", "two")]


def test_a_message_too_large_names_its_class(ends):
    above, below = ends
    with pytest.raises(ValueError, match=r"Describe of .* bytes"):
        above.outbox.post(Describe("x" * PAYLOAD_LIMIT))
    assert not above.outbox.pending
    assert below.inbox.receive() == []


def test_the_largest_message_is_one_pipe_write():
    largest = Describe("x" * (PAYLOAD_LIMIT - len(encode(Describe("x" * 2000))) + 2000))
    assert len(encode(largest)) == PAYLOAD_LIMIT
    assert PAYLOAD_LIMIT + 4 <= select.PIPE_BUF


def test_an_end_is_told_after_the_last_message(ends):
    above, below = ends
    below.outbox.post(Alive())
    below.close()
    assert above.inbox.receive() == [Alive()]
    with pytest.raises(LinkClosed):
        above.inbox.receive()
    with pytest.raises(LinkClosed):
        above.inbox.receive()


def test_a_broken_pipe_is_told_at_the_next_receive(ends):
    above, below = ends
    below.inbox.close()  # reads no more, but could still write
    above.outbox.post(SyncNow())
    above.outbox.post(SyncNow())
    assert not above.outbox.pending
    with pytest.raises(LinkClosed, match="reads no more"):
        above.inbox.receive()


def test_a_chatty_peer_is_read_in_portions(ends, monkeypatch):
    monkeypatch.setattr(channel, "BATCH", 3)
    above, below = ends
    for number in range(5):
        below.outbox.post(Problem(str(number), ""))
    assert [len(above.inbox.receive()) for _ in range(3)] == [3, 2, 0]


class Evil:
    def __reduce__(self):
        return (os.system, ("false",))


@pytest.mark.parametrize(
    "payload",
    [
        pickle.dumps(Evil()),
        pickle.dumps("only text"),
        pickle.dumps(getattr),
        b"cautosyncd.link.messages\ncut\n.",
        b"cautosyncd.model\nNewType\n.",
        b"cautosyncd.link.messages\nAlive.__init__\n.",
        b"",
        b"\x80",
        encode(Problem("a", "b"))[:-3],
    ],
)
def test_nonsense_closes_the_link_and_runs_nothing(payload):
    with pytest.raises(LinkClosed):
        decode(payload)


@example(b"\x8e\x00\x00\x00\x00\x00\x00\x00\x01")  # more bytes than there is memory
@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_the_end(payload):
    with contextlib.suppress(LinkClosed):
        assert isinstance(decode(payload), Message)


def test_a_length_that_is_none_of_ours_closes_the_link(ends):
    above, below = ends
    os.write(below.outbox.fileno(), struct.pack("!i", 2**31 - 1) + b"junk")
    with pytest.raises(LinkClosed):
        above.inbox.receive()
    with pytest.raises(LinkClosed):
        above.inbox.receive()


def samples() -> list[Message]:
    notice = PushNotice((Channel("c" * 64),), "main", "a" * 40, TreeId("t" * 32), "laptop")
    of_type = {"Head": Head("main", "a1"), "PushNotice": notice, "Status": Status.IDLE}
    of_type |= {"AlertKind": AlertKind.PULLED, "TreeId": TreeId("t"), "str": "s", "int": 3}
    of_type |= {"float": 2.5, "bool": True}
    found: list[Message] = []
    for kind in Message.__subclasses__():
        if all(
            getattr(room, kind.__name__, None) is not kind for room in (messages, outside)
        ):  # slots leave a first draft behind
            continue
        values = []
        for field in fields(kind):
            name = getattr(field.type, "__name__", "")
            options = [
                of_type[n]
                for n in (getattr(a, "__name__", "") for a in get_args(field.type))
                if n in of_type
            ]
            values.append(of_type.get(name, options[0] if options else ("x",)))
        found.append(kind(*values))
    return found


@pytest.mark.parametrize("message", samples(), ids=lambda m: type(m).__name__)
def test_every_message_crosses_and_has_a_subject_to_be_kept_by(message):
    assert decode(encode(message)) == message
    hash(message.subject)


def test_samples_cover_the_messages():
    assert {type(m) for m in samples()} >= {PullOrder, Heard, Alert, StatusChanged}


def test_a_killed_writer_leaves_no_torn_message(ends):
    above, below = ends

    def write_for_ever() -> None:
        number = 0
        while True:
            below.outbox.post(Problem(str(number), "x" * 3000))
            number += 1
            ready(below.outbox, 1, writing=True)

    child = multiprocessing.get_context("fork").Process(target=write_for_ever)
    child.start()
    below.close()
    heard = eventually(above.inbox.receive)
    child.kill()
    child.join()

    def to_the_end() -> bool:
        try:
            heard.extend(above.inbox.receive())
        except LinkClosed:
            return True
        return False

    eventually(to_the_end)
    assert all(isinstance(m, Problem) and len(m.text) == 3000 for m in heard)
