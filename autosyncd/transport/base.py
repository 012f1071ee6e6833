"""Pure: what the messenger asks of every way to other machines, and what it is told in return.

The messenger holds a list of transports and knows nothing else of them. All methods are called
from its one loop, none blocks, each may be called before `run` and while there is no connection.
"""

from typing import Protocol

from autosyncd.model import Channel, PushNotice


class Listener(Protocol):
    """The owner of one transport, as that transport sees it. Nothing here may block."""

    def heard(self, notice: PushNotice, sender: str) -> None:
        """A notice came in; `sender` is as much as the transport knows: a peer or a server."""

    def connected(self) -> None:
        """A new session is up. What was said before it is lost, so everybody pulls once."""

    def changed(self, *, online: bool, reason: str) -> None:
        """For the status line: online, or why not (one sentence). Never said twice in a row."""


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
        """Tell the other machines, at once or, for a minute, as soon as there is a session."""

    def subscribe(self, channels: frozenset[Channel]) -> None:
        """From now on exactly these channels are heard."""

    def network(self, *, online: bool) -> None:
        """Hint: the network came or went. Makes the transport look, never decides for it."""

    def woke(self) -> None:
        """Hint: the machine comes out of a suspend; the session may be long dead."""

    def stop(self) -> None:
        """End the session and let `run` return."""
