"""The sockets of shared ssh connections: what they are called, and how they end.

A handshake is most of a small push. So the first connection to a host stays open for a minute after
its last use, and the next ones go through it (ssh_config(5), ControlMaster). Its holder belongs to no
worker: it stays while workers come and go, and is told to end when the service does.

ssh itself puts host, port and user into the name (%C). What it leaves out, and what decides with whose
key one is let in, is the command and the host as the remote's address writes it: they are in our part.
A connection that may lead nowhere is never waited for: the name changes with the network, with a
suspend and with every hour.
"""

import contextlib
import hashlib
import os
import re
import socket
from collections.abc import Mapping

from autosyncd import clock
from autosyncd.vcs.process import Runner

PERSIST = 60
"""Seconds that a shared connection stays after its last use."""
WINDOW = 3600.0
"""Seconds after which a new connection is made: a key that was taken away stops being of use."""
SOCKET_LENGTH = 107 - 17
"""Bytes of a socket's path (unix(7)), less what ssh puts behind it while it makes one."""
ROUTES = "/proc/net/route"
ANSWERING = 1.0
"""Seconds in which the holder of a connection has to answer; it takes some milliseconds."""
ENDING = 2.0
"""Seconds in which all of them have to end."""

_OURS = "ssh-"
_PLAIN = re.compile(r"[\w/.+-]+", re.ASCII)


def folder(environment: Mapping[str, str]) -> str | None:
    """Where sockets lie, whether it is there or not; None: no place is fit for them."""
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    if not runtime.startswith("/") or not _PLAIN.fullmatch(runtime):
        return None
    return os.path.join(runtime, "autosync")


def beginning(place: str, host: str, command: str) -> str | None:
    """What the paths of this connection's sockets begin with now; None: they would be too long."""
    name = _digest(host, command, _network(), str(int(clock.now() // WINDOW)))
    begins = f"{place}/{_OURS}{name}"
    return begins if len(begins) + len("-") + 40 <= SOCKET_LENGTH else None


def options(begins: str) -> str:
    """ssh's options for a connection whose sockets' paths begin like that."""
    return f"-o ControlMaster=auto -o ControlPersist={PERSIST} -o ControlPath={begins}-%C"


def forget(begins: str, environment: Mapping[str, str]) -> bool:
    """Trust a connection no more, though others who use it may go on; whether there was one."""
    place, prefix = os.path.split(begins)
    found = [name for name in _sockets(place) if name.startswith(prefix)]
    for name in found:
        with contextlib.suppress(OSError):
            _tell("stop", f"{place}/{name}", environment, ANSWERING)
            os.unlink(f"{place}/{name}")
    return bool(found)


def sweep(place: str) -> None:
    """Unlink what killed connections have left; nobody uses a name of a former hour."""
    before = clock.wall() - 2 * WINDOW
    for name in _sockets(place):
        with contextlib.suppress(OSError):
            if os.lstat(f"{place}/{name}").st_mtime < before:
                os.unlink(f"{place}/{name}")


def end_all(environment: Mapping[str, str]) -> None:
    """End every shared connection, those that are in use too; none of them is left as a process."""
    place, until = folder(environment), clock.now() + ENDING
    for name in _sockets(place) if place is not None else ():
        with contextlib.suppress(OSError):
            _end(f"{place}/{name}", environment, until)
        with contextlib.suppress(OSError):
            os.unlink(f"{place}/{name}")


def _end(path: str, environment: Mapping[str, str], until: float) -> None:
    """Tell the holder of a connection to end, and wait until it has."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        _tell("exit", path, environment, max(until - clock.now(), 0.0))
        line.settimeout(max(until - clock.now(), 0.0))
        while line.recv(1024):  # a greeting; the end comes with that of the process
            line.settimeout(max(until - clock.now(), 0.0))


def _tell(order: str, path: str, environment: Mapping[str, str], timeout: float) -> None:
    """One of the orders of ssh(1), -O."""
    # the host does not matter, but ssh wants one
    argv = ["ssh", "-F", "none", "-O", order, "-S", path, "any"]
    Runner().run(argv, cwd="/", env=environment, timeout=timeout)


def _sockets(place: str) -> list[str]:
    try:
        return [name for name in os.listdir(place) if name.startswith(_OURS)]
    except OSError:
        return []


def _digest(*parts: str) -> str:
    data = "\0".join(parts).encode("utf-8", "surrogateescape")
    return hashlib.sha256(data).hexdigest()[:8]


def _network() -> str:
    """Something that changes with the network this machine is in, and with every suspend."""
    try:
        with open(ROUTES, encoding="ascii", errors="replace") as table:
            # Iface Destination Gateway …: the rest are counters
            routes = [" ".join(line.split()[:3]) for line in table]
    except OSError:
        routes = []
    asleep = clock.now() - clock.monotonic_usec() / 1e6
    return f"{routes} {round(asleep / 10)}"  # an int: a float would be 0 now and -0 then
