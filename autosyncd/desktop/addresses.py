"""What the kernel tells of this machine's addresses (rtnetlink(7)): that they are others now.

NetworkManager tells the same of the networks that it manages (session.py); here is what any machine has.
The kernel's messages only make us look: it repeats an address whenever a router renews its lifetime.
News is that the set of addresses under which others may reach us has changed. That is a hint, no more:
whoever hears it looks whether a connection still lives, and whether a remote answers.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

from autosyncd.link.messages import Online

SETTLE = 0.5
"""Seconds from the first message to a look: a change of network is many messages."""
AGAIN_AFTER = 5.0
"""Seconds after a report until the next look; an address of IPv6 comes later than one of IPv4."""
ANSWER_WITHIN = 1.0
"""Seconds; the kernel answers at once."""

Addresses = frozenset[tuple[int, bytes]]
"""Index of the interface, and the address as it goes over the wire."""

# linux/netlink.h, linux/rtnetlink.h, linux/if_addr.h, linux/if.h
_GROUPS = 0x1 | 0x10 | 0x100  # RTMGRP_LINK, _IPV4_IFADDR, _IPV6_IFADDR
_GET_LINK, _NEW_LINK, _GET_ADDRESS, _NEW_ADDRESS = 18, 16, 22, 20
_REQUEST_DUMP = 0x1 | 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
"""Length with the header, kind, flags, number, port."""
_LINK = struct.Struct("=BxHiII")
"""Family, type, index, flags, change."""
_ADDRESS = struct.Struct("=BBBBI")
"""Family, length of the prefix, flags, scope, index."""
_ATTRIBUTE = struct.Struct("=HH")
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_TEMPORARY, _DAD_FAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40
_UNUSABLE = _DAD_FAILED | _DEPRECATED | _TENTATIVE
_LOOPBACK, _RUNNING = 0x8, 0x40
_UNIVERSE = 0


class AddressWatch:
    """Reports Online to `report` whenever the addresses have changed; never what they are at first."""

    def __init__(self, report: Callable[[Online], None]) -> None:
        self._report = report

    async def run(self) -> None:
        """Until cancelled; where the kernel tells nothing, as in some containers, it ends at once."""
        try:
            listening = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        except OSError:
            return
        with listening:
            listening.settimeout(0)
            try:
                listening.bind((0, _GROUPS))
                known = reachable()
            except OSError:
                return
            while True:
                known = await self._change(listening, known)
                self._report(Online(yes=bool(known)))
                await asyncio.sleep(AGAIN_AFTER)

    async def _change(self, listening: socket.socket, known: Addresses) -> Addresses:
        """The addresses, once they are others."""
        while True:
            with suppress(OSError):  # ENOBUFS: more was told than we have room for
                await asyncio.get_running_loop().sock_recv(listening, 65536)
            await asyncio.sleep(SETTLE)
            _drain(listening)
            with suppress(OSError):
                found = reachable()
                if found != known:
                    return found


def _drain(listening: socket.socket) -> None:
    """Read what has been told so far, which the look that follows sees anyway."""
    with suppress(OSError):
        while True:
            listening.recv(65536)


def reachable() -> Addresses:
    """The addresses of this machine on interfaces that have a carrier. None that means something within
    the machine or its cable alone, may not be unique, or is replaced every day. Raises OSError."""
    return frozenset(usable(_dump(_GET_LINK), _dump(_GET_ADDRESS)))


def _dump(kind: int) -> bytes:
    """All answers of the kernel to one question."""
    told, ended = b"", False
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asking:
        asking.settimeout(ANSWER_WITHIN)
        size = _HEADER.size + _LINK.size
        asking.send(_HEADER.pack(size, kind, _REQUEST_DUMP, 1, 0) + bytes(_LINK.size))
        while not ended:
            some = asking.recv(65536)
            ended = any(kind in (_ERROR, _DONE) for kind, _ in _messages(some))
            told += some
    return told


def usable(links: bytes, addresses: bytes) -> Iterator[tuple[int, bytes]]:
    """Pure: what reachable() says, of the kernel's answers."""
    running = {
        index for index, flags in _links(links) if flags & _RUNNING and not flags & _LOOPBACK
    }
    for kind, body in _messages(addresses):
        if kind != _NEW_ADDRESS or len(body) < _ADDRESS.size:
            continue
        family, _, flags, scope, index = _ADDRESS.unpack_from(body)
        found = dict(_attributes(body[_ADDRESS.size :]))
        # in IPv4 the bit says that it is the second one of a network
        random = family == socket.AF_INET6 and flags & _TEMPORARY
        if index in running and scope == _UNIVERSE and not (flags & _UNUSABLE or random):
            yield index, found.get(_IFA_LOCAL) or found.get(_IFA_ADDRESS, b"")


def _links(told: bytes) -> Iterator[tuple[int, int]]:
    for kind, body in _messages(told):
        if kind == _NEW_LINK and len(body) >= _LINK.size:
            _, _, index, flags, _ = _LINK.unpack_from(body)
            yield index, flags


def _messages(told: bytes) -> Iterator[tuple[int, bytes]]:
    """Kind and body of each message in a row of them."""
    at = 0
    while at + _HEADER.size <= len(told):
        length, kind, *_ = _HEADER.unpack_from(told, at)
        yield kind, told[at + _HEADER.size : at + length]
        at += max(_aligned(length), _HEADER.size)


def _attributes(told: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(told):
        length, kind = _ATTRIBUTE.unpack_from(told, at)
        yield kind, told[at + _ATTRIBUTE.size : at + length]
        at += max(_aligned(length), _ATTRIBUTE.size)


def _aligned(length: int) -> int:
    return length + 3 & ~3
