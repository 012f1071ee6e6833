"""A link: two one-way pipes between the supervisor and one child, thrown away with the child.

What crosses is a pickled frozen dataclass of messages.py or outside.py, at most PAYLOAD_LIMIT bytes, so
that one write of the pipe takes it whole or not at all (pipe(7), PIPE_BUF). Nothing here ever
blocks: what the pipe doesn't take now waits in an outbox, where the newest of a class and subject
replaces the older. The reader unpickles the nouns of this project and nothing else: the messenger
parses hostile bytes, and a taken messenger must not become a taken supervisor.
"""

import contextlib
import io
import os
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from enum import Enum
from multiprocessing.connection import Pipe
from typing import TYPE_CHECKING, Any

from autosyncd.errors import LinkClosed
from autosyncd.link import outside as outside  # so that its messages are known here
from autosyncd.link.messages import Alive, Message

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PAYLOAD_LIMIT = 4092
"""Bytes: PIPE_BUF of Linux less the header of a multiprocessing Connection."""
BATCH = 256
"""Messages that one receive() returns at most, so that a chatty child can't hold its reader."""

_ROOMS = ("autosyncd.link.messages", "autosyncd.link.outside", "autosyncd.model")
_NONSENSE = (
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    ImportError,
    IndexError,
    KeyError,
    MemoryError,  # a length that no message of ours has
    OverflowError,
    TypeError,
    UnicodeDecodeError,
    ValueError,
)


class _Writer(pickle.Pickler):
    """Enums by class and value, so that the reader needs no `getattr`."""

    def reducer_override(self, obj: object) -> Any:
        return (type(obj), (obj.value,)) if isinstance(obj, Enum) else NotImplemented


class _Reader(pickle.Unpickler):
    """Knows the dataclasses and Enums of three files, no other name."""

    def find_class(self, module: str, name: str) -> object:
        found = getattr(sys.modules.get(module), name, None) if module in _ROOMS else None
        if isinstance(found, type) and (issubclass(found, Enum) or is_dataclass(found)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name} is no message")


def encode(message: Message) -> bytes:
    """The message as bytes. ValueError, naming its class, if it doesn't fit into one pipe write."""
    buffer = io.BytesIO()
    _Writer(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(message)
    payload = buffer.getvalue()
    if len(payload) > PAYLOAD_LIMIT:
        raise ValueError(
            f"A {type(message).__name__} of {len(payload)} bytes does not fit into a link "
            f"({PAYLOAD_LIMIT} bytes); whoever makes it must cut its texts."
        )
    return payload


def decode(payload: bytes) -> Message:
    """The message in the bytes. LinkClosed if they are none: such a peer is heard no more."""
    try:
        message = _Reader(io.BytesIO(payload)).load()
    except _NONSENSE as reason:
        raise LinkClosed(
            "The process at the other end of a link sent what is no message; the link is closed."
        ) from reason
    if not isinstance(message, Message):
        raise LinkClosed(
            f"The process at the other end of a link sent a {type(message).__name__} instead of "
            "a message; the link is closed."
        )
    return message


_ALIVE = encode(Alive())


class Sender:
    """The writing end of a pipe and what waits for it."""

    def __init__(self, connection: "Connection[bytes, bytes]") -> None:
        os.set_blocking(connection.fileno(), False)
        self._connection = connection
        self._outbox: dict[tuple[type[Message], object], bytes] = {}
        self.broken = False
        """Nobody reads any more; what is posted from now on is forgotten."""

    @property
    def pending(self) -> bool:
        """Something waits: call flush() once fileno() is writable."""
        return bool(self._outbox)

    def post(self, message: Message) -> None:
        """Send it now or when the pipe takes it; never blocks. ValueError: too large (a bug)."""
        payload = encode(message)
        if self.broken:
            return
        key = (type(message), message.subject)
        # to the end: after Problem, Solved, Problem of one kind the last word must be Problem
        self._outbox.pop(key, None)
        self._outbox[key] = payload
        self.flush()

    def say_alive(self) -> None:
        """Post Alive, if the pipe takes it now: so touching less memory than post() (keeper.py)."""
        if not self._outbox and not self.broken:
            with contextlib.suppress(BlockingIOError, BrokenPipeError):
                self._connection.send_bytes(_ALIVE)

    def flush(self) -> None:
        """Write what the pipe takes, oldest first."""
        while self._outbox:
            key, payload = next(iter(self._outbox.items()))
            try:
                self._connection.send_bytes(payload)
            except BlockingIOError:
                return
            except BrokenPipeError:
                self.broken = True
                self._outbox.clear()
                return
            del self._outbox[key]

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        """Forget what waits and close the pipe; closing twice does no harm."""
        self.broken = True
        self._outbox.clear()
        self._connection.close()


class Receiver:
    """The reading end of a pipe. `beside` is the sender to the same peer: once that one finds
    nobody reading, this one says so too."""

    def __init__(self, connection: "Connection[bytes, bytes]", beside: Sender) -> None:
        os.set_blocking(connection.fileno(), False)
        self._connection = connection
        self._beside = beside
        self._ended: LinkClosed | None = None
        self._given_back: list[Message] = []

    def put_back(self, messages: Sequence[Message]) -> None:
        """What was received too early: receive() returns it first. fileno() does not tell of it."""
        self._given_back += messages

    def receive(self) -> list[Message]:
        """Everything that can be read now, at most BATCH messages; never blocks.

        LinkClosed, once nothing is left, if the peer is gone, stopped reading or sent nonsense.
        """
        messages, self._given_back = self._given_back, []
        try:
            while self._ended is None and len(messages) < BATCH:
                messages.append(decode(self._connection.recv_bytes(PAYLOAD_LIMIT)))
        except BlockingIOError:
            if self._beside.broken:
                self._ended = LinkClosed("The process at the other end of a link reads no more.")
        except LinkClosed as nonsense:
            self._ended = nonsense
        except (EOFError, OSError):  # OSError: a length that no message of ours has
            self._ended = LinkClosed("The process at the other end of a link is gone.")
        if self._ended is not None and not messages:
            raise self._ended
        return messages

    def fileno(self) -> int:
        return self._connection.fileno()

    def close(self) -> None:
        self._connection.close()


@dataclass
class Link:
    """One process's end: what it hears and what it says."""

    inbox: Receiver
    outbox: Sender

    def close(self) -> None:
        self.inbox.close()
        self.outbox.close()


def pair() -> tuple[Link, Link]:
    """A new link: the supervisor's end and the child's end."""
    orders_in, orders_out = Pipe(duplex=False)
    reports_in, reports_out = Pipe(duplex=False)
    above, below = Sender(orders_out), Sender(reports_out)
    return Link(Receiver(reports_in, above), above), Link(Receiver(orders_in, below), below)
