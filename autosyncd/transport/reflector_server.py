"""The reflector's loop: accepts, reads, relays, and never waits for one client.

One thread, one selector, no asyncio, which alone would cost more memory than all of this. Whatever
a client does or fails to do, it loses its own connection and nobody else notices.
"""

import logging
import selectors
import signal
import socket
from collections.abc import Sequence
from functools import partial

from autosyncd import clock
from autosyncd.transport import reflector_protocol as protocol
from autosyncd.transport.complaints import Complaints
from autosyncd.transport.reflector_entrance import Entrance
from autosyncd.transport.reflector_peer import (
    READ,
    WRITE,
    Peer,
    Plain,
    Ready,
    household,
    tune,
    turn_away,
)
from autosyncd.transport.reflector_quota import Doorway, Limits, Timeouts

log = logging.getLogger("autosync-reflector")

HANDSHAKE_WITHIN = 10.0
"""Seconds a client has for its TLS handshake."""
IDLE_FOR = 20 * 60.0
"""Seconds without a line to or from a client after which it is taken for dead; clients ping."""


class Reflector:
    """The server. The listening sockets must not block; they stay the caller's.

    `signals` is the reading end of signal.set_wakeup_fd: SIGTERM and SIGINT end `serve`, SIGHUP
    renews the certificate.
    """

    def __init__(
        self,
        listening: Sequence[socket.socket],
        signals: socket.socket,
        limits: Limits,
        security: Plain,
    ) -> None:
        self._signals = signals
        self._limits = limits
        self._security = security
        self._selector = selectors.DefaultSelector()
        refuse = partial(self._complain, "can't accept connections")
        self._entrance = Entrance(listening, self._selector, self._welcome, refuse)
        self._board = protocol.Board()
        self._doorway = Doorway(limits)
        self._complaints = Complaints()
        self._peers: dict[int, Peer] = {}
        self._handshaking = Timeouts(HANDSHAKE_WITHIN)
        self._quiet = Timeouts(IDLE_FOR)
        self._paused: dict[int, float] = {}
        self._stopping = False
        self._started = clock.now()
        self._announced = 0

    def serve(self) -> None:
        """Serve until told to stop; then every connection is closed."""
        self._selector.register(self._signals, READ, self._signalled)
        self._entrance.open()
        while not self._stopping:
            for key, events in self._selector.select(self._wait()):
                ready: Ready = key.data
                ready(key.fd, events)
            self._keep_time(clock.now())
        for peer in tuple(self._peers.values()):
            self._drop(peer, "")
        self._selector.close()

    def _signalled(self, _fd: int, _events: int) -> None:
        for number in self._signals.recv(64):
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stopping = True
            elif number == signal.SIGHUP:
                self._security.renew()

    # What is due when

    def _wait(self) -> float | None:
        moments = (
            self._handshaking.deadline(),
            self._quiet.deadline(),
            min(self._paused.values(), default=None),
            self._complaints.deadline(),
            self._entrance.deadline(),
        )
        due = min((moment for moment in moments if moment is not None), default=None)
        return None if due is None else max(0.0, due - clock.now())

    def _keep_time(self, now: float) -> None:
        for line in self._complaints.due(now=now):
            log.warning("%s", line)
        for fd in self._handshaking.due(now=now):
            self._drop(self._peers[fd], "no TLS handshake in time")
        for fd in self._quiet.due(now=now):
            self._drop(self._peers[fd], "")
        for fd in [fd for fd, until in self._paused.items() if until <= now]:
            # One that goes on may be the end of another, a slow reader.
            if self._paused.pop(fd, None) is not None:
                self._converse(self._peers[fd], b"")
        self._entrance.keep_time(now)

    # Coming and going

    def _welcome(self, connection: socket.socket, address: str) -> None:
        home = household(address)
        if (refusal := self._doorway.enter(home)) is not None:
            self._complain("a client is turned away", f"{address}: {refusal}")
            turn_away(connection, b"" if self._security.shakes_hands else protocol.BUSY)
            return
        try:
            tune(connection)
            connection = self._security.wrap(connection)
        except OSError:
            self._doorway.leave(home)
            connection.close()
            return
        peer = Peer(connection, address, self._security)
        self._peers[peer.fd] = peer
        if self._security.shakes_hands:
            self._handshaking.restart(peer.fd, now=clock.now())
            self._settle(peer)
        else:
            self._greet(peer)

    def _greet(self, peer: Peer) -> None:
        self._board.join(peer.fd)
        self._send(peer, protocol.GREETING)

    def _drop(self, peer: Peer, why: str) -> None:
        if why:
            self._complain("a client is dropped", f"{peer.address}: {why}")
        del self._peers[peer.fd]
        self._handshaking.forget(peer.fd)
        self._quiet.forget(peer.fd)
        self._paused.pop(peer.fd, None)
        self._board.leave(peer.fd)
        self._doorway.leave(peer.household)
        peer.close(self._selector)

    # Talking

    def _ready(self, fd: int, events: int) -> None:
        peer = self._peers.get(fd)
        if peer is None:
            return
        if fd in self._handshaking:
            if peer.shake_hands():
                self._handshaking.forget(fd)
                self._greet(peer)
            else:
                self._settle(peer)
            return
        if events & WRITE and peer.flush():
            self._quiet.restart(peer.fd, now=clock.now())
        if events & READ and fd not in self._paused and peer.lost is None:
            self._converse(peer, peer.receive())
        else:
            self._settle(peer)

    def _converse(self, peer: Peer, data: bytes) -> None:
        peer.talk = protocol.feed(peer.talk, data, now=clock.now())
        while peer.fd in self._peers:
            peer.talk, command = protocol.take(peer.talk)
            if command is None:
                if (until := protocol.paused_until(peer.talk)) is not None:
                    self._complain("a client is slowed down", f"{peer.address} sends too much")
                    self._paused[peer.fd] = until
                self._settle(peer)
                return
            self._quiet.restart(peer.fd, now=clock.now())
            self._obey(peer, command)

    def _obey(self, peer: Peer, command: protocol.Command) -> None:
        match command:
            case protocol.Announce(channel):
                self._announce(peer, channel, command.line)
            case protocol.Subscribe(channel):
                if not self._board.subscribe(peer.fd, channel):
                    self._send(peer, protocol.FULL)
            case protocol.Unsubscribe(channel):
                self._board.unsubscribe(peer.fd, channel)
            case protocol.Ping():
                self._send(peer, b"%d\n" % clock.wall())
            case protocol.Info():
                self._send(peer, self._info())
            case protocol.HangUp(reason):
                self._drop(peer, reason)
            case protocol.Silence():
                pass

    def _announce(self, sender: Peer, channel: bytes, line: bytes) -> None:
        self._announced += 1
        audience = self._board.audience(channel)
        sender.talk = protocol.charge(sender.talk, len(audience))
        for fd in audience:
            self._send(self._peers[fd], line)

    def _send(self, peer: Peer, line: bytes) -> None:
        if peer.post(line):
            self._quiet.restart(peer.fd, now=clock.now())
        self._settle(peer)

    def _settle(self, peer: Peer) -> None:
        """Drop the peer if it is lost, else wait for what it needs next."""
        if peer.lost is not None:
            self._drop(peer, peer.lost)
        else:
            peer.watch(self._selector, self._ready, reading=peer.fd not in self._paused)

    def _info(self) -> bytes:
        facts = {
            "uptime": f"{clock.now() - self._started:.0f}s",
            "client-limit": self._limits.connections,
            "limit rejected connections": self._doorway.turned_away,
            "current connections": self._doorway.inside,
            "current channels": self._board.channels,
            "total announcements": self._announced,
        }
        return "".join(f"{name}: {fact}\n" for name, fact in facts.items()).encode("ascii")

    def _complain(self, kind: str, text: str) -> None:
        if self._complaints.note(kind, now=clock.now()):
            log.warning("%s: %s", kind, text)
