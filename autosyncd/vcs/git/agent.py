"""The ssh-agent that holds the person's keys: where it listens, and what to do when there is none.

A service that was started at boot knows nothing of the session that came later. So where
$SSH_AUTH_SOCK leads nowhere, or to an agent without keys, the user manager is asked what the session
has told it since (environment.d(5), `systemctl --user import-environment`), and then the places are
looked at where agents listen. An agent is asked for the number of its keys and nothing else
(draft-miller-ssh-agent, 4.4), which no agent asks the person about.
"""

import contextlib
import os
import shlex
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

PATIENCE = 1.0
"""Seconds that an agent may take to answer."""
PLACES = (
    "ssh-agent.socket",
    "openssh_agent",  # Debian 13's ssh-agent.socket
    "openssh-ssh-agent",
    "ssh-agent",
    "gcr/ssh",
    "keyring/ssh",
)
"""Below $XDG_RUNTIME_DIR: the sockets of OpenSSH's own units, of gcr and gnome-keyring."""
GPG = "gnupg/S.gpg-agent.ssh"
"""gpg-agent's there. It comes last because systemd starts it for whoever knocks; and on each Debian with
gnupg it is there for people who don't know of it, so that without keys it counts as none."""

_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_MOST = 1 << 20
"""Bytes that a list of keys may have."""


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent that answers."""

    address: str
    keys: int
    touch: bool = False
    """One of them is on a security key, which may want to be touched."""


def find(environment: Mapping[str, str], told: Callable[[], str]) -> Agent | None:
    """The first agent with a key, else the first that answers at all.

    `told()` is what the user manager holds for SSH_AUTH_SOCK; it is asked only if need be.
    """
    spare = None
    seen = set()
    for address, is_meant in _addresses(environment, told):
        if not address or address in seen:
            continue
        seen.add(address)
        found = ask(address)
        if found is not None and found.keys:
            return found
        if is_meant:
            spare = spare or found
    return spare


def _addresses(
    environment: Mapping[str, str], told: Callable[[], str]
) -> Iterator[tuple[str, bool]]:
    """Where one may listen, and whether the person's keys belong there though it has none."""
    yield environment.get("SSH_AUTH_SOCK", ""), True
    yield told(), True
    runtime = environment.get("XDG_RUNTIME_DIR")
    if runtime:
        yield from ((os.path.join(runtime, place), True) for place in PLACES)
        yield os.path.join(runtime, GPG), False


def ask(address: str) -> Agent | None:
    """The agent that listens there; None where none answers."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(PATIENCE)
            line.connect(address)
            line.sendall(struct.pack("!IB", 1, _REQUEST_IDENTITIES))
            (length,) = struct.unpack("!I", _exactly(line, 4))
            if not 5 <= length <= _MOST:
                return None
            answer = _exactly(line, length)
    except (OSError, ValueError):
        return None
    kind, keys = struct.unpack_from("!BI", answer)
    # the names of such kinds of keys: sk-ssh-ed25519@openssh.com, sk-ecdsa-sha2-nistp256@openssh.com
    touch = b"sk-ssh-" in answer or b"sk-ecdsa-" in answer
    return Agent(address, keys, touch) if kind == _IDENTITIES_ANSWER else None


def listens(address: str) -> bool:
    """Whether somebody takes connections there, be it that nobody answers."""
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE)
        line.connect(address)
        return True
    return False


def _exactly(line: socket.socket, length: int) -> bytes:
    """So many bytes. ValueError when the other end has no more."""
    found = b""
    while len(found) < length:
        more = line.recv(length - len(found))
        if not more:
            raise ValueError("the agent hung up")
        found += more
    return found


def remedy(agent: Agent | None) -> str:
    """What the person could do when a server has not let us in with a key.

    In the person's own shell SSH_AUTH_SOCK may be another one or none, so each command names it.
    """
    known = "systemctl --user import-environment SSH_AUTH_SOCK"
    if agent is None:
        return (
            "No ssh-agent with a key answers this service, so a key with a passphrase can't be used. "
            f"Where ssh works for you without asking, type: {known} (and where it asks, before that: "
            "eval $(ssh-agent) && ssh-add)"
        )
    adding = f"SSH_AUTH_SOCK={shlex.quote(agent.address)} ssh-add"
    if agent.keys == 0:
        return (
            f"The ssh-agent at {agent.address} holds no key; give it yours with: {adding} "
            f"(or, where ssh works for you without asking, type: {known})"
        )
    which = "the key" if agent.keys == 1 else f"any of the {agent.keys} keys"
    return (
        f"The server does not take {which} of the ssh-agent at {agent.address}; add the public key to "
        f"your account there, or give the agent another one with: {adding}"
    )
