"""autosync-reflector: a small server that passes announcements on, autosync-reflector(8).

It speaks the `fanout` line protocol (notice.py), so SparkleShare's clients are welcome too. It
knows no accounts and stores nothing.
"""

import argparse
import logging
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autosyncd import __version__
from autosyncd.service.commandline import Parser
from autosyncd.service.streams import make_usable, parsed
from autosyncd.transport.reflector_peer import KERNEL_BUFFER, Plain
from autosyncd.transport.reflector_quota import Limits
from autosyncd.transport.reflector_server import Reflector

if TYPE_CHECKING:
    from ssl import SSLContext

log = logging.getLogger("autosync-reflector")

BACKLOG = 1024
"""Connections the kernel holds until they are accepted."""
OWN_DESCRIPTORS = 32
"""Descriptors the process needs beside its connections."""


class Tls(Plain):
    """Connections under TLS 1.2 or newer, with a certificate that SIGHUP reads again."""

    shakes_hands = True

    def __init__(self, cert: str, key: str) -> None:
        """Raises OSError if the files can't be used (ssl.SSLError is one)."""
        import ssl  # costs 4 MiB, which a server without TLS should not pay

        self._ssl = ssl
        self._cert, self._key = cert, key
        self.would_block = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
        self._context = self._load()

    def wrap(self, connection: socket.socket) -> socket.socket:
        return self._context.wrap_socket(
            connection, server_side=True, do_handshake_on_connect=False
        )

    def renew(self) -> None:
        try:
            self._context = self._load()
        except OSError as error:
            log.warning("the certificate can't be read again: %s; the old one stays", error)
        else:
            log.info("the certificate was read again; new connections get it")

    def _load(self) -> "SSLContext":
        context = self._ssl.create_default_context(self._ssl.Purpose.CLIENT_AUTH)
        context.options |= self._ssl.OP_NO_RENEGOTIATION
        context.load_cert_chain(self._cert, self._key)
        return context


def main(argv: Sequence[str] | None = None) -> int:
    """The command. 0: ended by SIGTERM or SIGINT; 1: it could not begin; 2: usage."""
    make_usable()
    options = _options(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s: %(message)s")
    try:
        security = Tls(options.cert, options.key) if options.cert else Plain()
    except OSError as error:
        log.error("the certificate or its key can't be used: %s; nothing is served", error)
        return 1
    try:
        listening = _listen(*options.listen)
    except OSError as error:
        where = "{}:{}".format(*options.listen)
        log.error("can't listen on %s: %s; nothing is served", where, error.strerror)
        return 1
    signals = _signals()
    limits = Limits(_room_for(options.max_connections), options.max_per_address)
    for one in listening:
        log.info("listening on %s%s", _name(one), " with TLS" if options.cert else "")
    Reflector(listening, signals, limits, security).serve()
    for one in (*listening, signals):
        one.close()
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = Parser(
        prog="autosync-reflector",
        description="Passes announcements on between machines (the fanout line protocol).",
    )
    made.add_argument("--listen", metavar="HOST:PORT", type=_address, required=True)
    made.add_argument("--cert", metavar="FILE", help="certificate chain (PEM): speak TLS only")
    made.add_argument("--key", metavar="FILE", help="its private key (PEM)")
    made.add_argument("--max-connections", metavar="N", type=_count, default=1024)
    made.add_argument("--max-per-address", metavar="N", type=_count, default=256)
    made.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    return made


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    options = parsed(parser(), argv)
    if bool(options.cert) != bool(options.key):
        parser().error("--cert and --key go together")
    return options


def _address(text: str) -> tuple[str, int]:
    """HOST:PORT, [IPV6]:PORT, or :PORT for every address of this machine."""
    host, separator, port = text.rpartition(":")
    if not separator or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def _listen(host: str, port: int) -> list[socket.socket]:
    """A listening socket for each address of the host. Raises OSError; then none is left open."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listening: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            one = socket.socket(family, kind, protocol)
            listening.append(one)
            one.settimeout(0)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
            one.listen(BACKLOG)
    except OSError:
        for one in listening:
            one.close()
        raise
    return listening


def _name(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _room_for(connections: int) -> int:
    """As many connections as the limit of open files allows, which is raised as far as it goes."""
    wanted = connections + OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < wanted:
            connections = max(1, soft - OWN_DESCRIPTORS)
            log.warning("the limit of open files allows %d connections only", connections)
    return connections


def _signals() -> socket.socket:
    """A socket on which the numbers of signals arrive, so that the selector wakes for them."""
    reading, writing = socket.socketpair()
    reading.settimeout(0)
    writing.settimeout(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)
    return reading


if __name__ == "__main__":
    sys.exit(main())
