"""Pure: what the messenger asks of every way to other machines, and what it is told in return.

The messenger holds a list of transports and knows nothing else of them. All methods are called
from its one loop, none blocks, each may be called before `run` and while there is no connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from autosyncd.model import Channel, PushNotice


@dataclass(frozen=True, slots=True)
class Interest:
    """Why a channel is worth hearing of, over all repositories that hold it."""

    trusted: frozenset[str] = frozenset()
    """Bare JIDs: told and believed beside the own account. Only XMPP knows who says what."""
    remotes: frozenset[str] = frozenset()
    """Addresses of their remotes, without credentials; only peers that speak in these need them."""


class Listener(Protocol):
    """The owner of one transport, as that transport sees it. Nothing here may block."""

    def heard(self, notice: PushNotice, sender: str) -> None:
        """A notice came in; `sender` is as much as the transport knows: a peer or a server."""

    def connected(self) -> None:
        """A new session is up. What was said before it is lost, so everybody pulls once."""

    def changed(self, *, online: bool, reason: str) -> None:
        """For the status line: online, or why not (one sentence). Never said twice in a row."""

    def alarm(self, text: str) -> None:
        """A person should look after this (one sentence); until `changed` says online."""


class Transport(Protocol):
    """One way to tell other machines and to hear of them."""

    @property
    def name(self) -> str:
        """What the configuration calls it: fanout, xmpp."""

    async def run(self) -> None:
        """Keep a session up until `stop`; lost connections are its own affair.

        What it raises is a bug. Nothing of it is left when it returns or is cancelled.
        """

    def announce(self, notice: PushNotice) -> None:
        """Tell the other machines, at once or as soon as there is a session."""

    def subscribe(self, channels: Mapping[Channel, Interest]) -> None:
        """From now on exactly these channels are heard."""

    def network(self, *, online: bool) -> None:
        """Hint: the network came or went. Makes the transport look, never decides for it."""

    def retry(self) -> None:
        """A person asks for another attempt now, even where the last one was refused for good."""

    def woke(self) -> None:
        """Hint: the machine comes out of a suspend; the session may be long dead."""

    def stop(self) -> None:
        """End the session and let `run` return."""


@runtime_checkable
class Writer(Protocol):
    """A transport that can reach people, too."""

    def write(self, to: str, text: str) -> None:
        """A chat message to a person, at once or as soon as there is a session."""
