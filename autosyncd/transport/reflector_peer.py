"""One client of the reflector: a socket that never blocks, and what still waits to go out to it."""

import selectors
import socket
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from autosyncd import clock
from autosyncd.transport.reflector_protocol import Conversation

if TYPE_CHECKING:
    import ssl

WAITING_LIMIT = 256 * 1024
"""Bytes that may wait for one slow reader, beside the kernel's buffer."""
KERNEL_BUFFER = 64 * 1024
"""Bytes of that (SO_SNDBUF, socket(7)); a listening socket hands it down."""
UNANSWERED_FOR = 120_000
"""Milliseconds for a client's host to acknowledge what it was sent (TCP_USER_TIMEOUT, tcp(7))."""
RECEIVE = 16 * 1024
"""Bytes of one read: a whole TLS record, so that none stays behind where no selector sees it."""

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
Ready = Callable[[int, int], None]


class Plain:
    """Connections as they come. reflector.py has the subclass that speaks TLS."""

    would_block: tuple[type[OSError], ...] = (BlockingIOError,)
    """What a call on such a socket raises when it has to wait."""
    shakes_hands = False

    def wrap(self, connection: socket.socket) -> socket.socket:
        """The socket to talk over. Raises OSError."""
        return connection

    def renew(self) -> None:
        """Read what may have changed on disk; what can't be read stays as it was."""


class Peer:
    """One connection. No method raises OSError; `lost` says that it is to be closed."""

    __slots__ = (
        *("_outgoing", "_security", "_socket", "_waiting", "_watched"),
        *("address", "fd", "household", "lost", "talk"),
    )

    def __init__(self, connection: socket.socket, address: str, security: Plain) -> None:
        self._socket = connection
        self._security = security
        self._outgoing: deque[bytes] = deque()
        self._waiting = 0
        self._watched = 0
        self.fd = connection.fileno()
        self.address = address
        self.household = household(address)
        self.talk = Conversation(counted_at=clock.now())
        self.lost: str | None = None
        """None while it lasts; else why it is to be dropped, empty if the client went by itself."""

    def shake_hands(self) -> bool:
        """Go on with the TLS handshake; True: it is done."""
        try:
            cast("ssl.SSLSocket", self._socket).do_handshake()
        except self._security.would_block:
            # For the client's answer: what the server has to say fits into an empty buffer.
            return False
        except OSError:
            self.lost = "the TLS handshake failed"
            return False
        return True

    def receive(self) -> bytes:
        """What has come; nothing if the wait was for nothing, or with `lost` set at the end."""
        try:
            data = self._socket.recv(RECEIVE)
        except self._security.would_block:
            return b""
        except OSError:
            data = b""
        if not data:
            self.lost = ""
        return data

    def post(self, line: bytes) -> bool:
        """Send the line now or when the client reads; True if anything went out."""
        self._outgoing.append(line)
        self._waiting += len(line)
        if len(self._outgoing) == 1:
            return self.flush()
        if self._waiting > WAITING_LIMIT:
            self.lost = "it doesn't read what it subscribed to"
        return False

    def flush(self) -> bool:
        """Send what waits, as far as it goes; True if anything went out."""
        before = self._waiting
        try:
            while self._outgoing:
                # One line a call: SparkleShare understands the first line of a packet only.
                sent = self._socket.send(self._outgoing[0])
                self._waiting -= sent
                if sent < len(self._outgoing[0]):
                    self._outgoing[0] = self._outgoing[0][sent:]
                else:
                    self._outgoing.popleft()
        except self._security.would_block:
            pass
        except OSError:
            self.lost = ""
        return self._waiting < before

    def watch(self, selector: selectors.BaseSelector, ready: Ready, *, reading: bool) -> None:
        """Let the selector call `ready` when there is something to do."""
        wanted = (READ if reading else 0) | (WRITE if self._outgoing else 0)
        if wanted == self._watched:
            return
        if not wanted:
            selector.unregister(self._socket)
        elif not self._watched:
            selector.register(self._socket, wanted, ready)
        else:
            selector.modify(self._socket, wanted, ready)
        self._watched = wanted

    def close(self, selector: selectors.BaseSelector) -> None:
        """Forget the socket; what still waited is lost."""
        if self._watched:
            selector.unregister(self._socket)
        self._socket.close()


def tune(connection: socket.socket) -> None:
    """Never block, send each line at once, notice a dead host. Raises OSError."""
    connection.settimeout(0)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNANSWERED_FOR)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def turn_away(connection: socket.socket, words: bytes) -> None:
    """Close the connection with a last word, if it takes one at once."""
    with connection:
        connection.settimeout(0)
        try:
            connection.send(words)
        except OSError:
            return


def household(address: str) -> bytes | None:
    """What reflector_quota.Doorway counts by; None for this machine's own clients."""
    if address == "::1" or address.startswith("127."):
        return None
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address.partition("%")[0])[:8]
    return socket.inet_pton(socket.AF_INET, address)
