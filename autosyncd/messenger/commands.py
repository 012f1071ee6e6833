"""Pure: what outside.py tells the messenger's loop to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from autosyncd.link.messages import (
    Message,
)
from autosyncd.link.outside import (
    RepositoryStatus,
)
from autosyncd.messenger.bubbles import CloseBubble, ShowBubble
from autosyncd.messenger.letters import Write
from autosyncd.model import Channel, PushNotice
from autosyncd.transport.base import Interest


@dataclass(frozen=True, slots=True)
class PassUp:
    """Send this up to the supervisor."""

    message: Message


@dataclass(frozen=True, slots=True)
class Announce:
    """Tell it to the other machines over every transport."""

    notice: PushNotice


@dataclass(frozen=True, slots=True)
class Listen:
    """These channels, and no others, are worth hearing of."""

    channels: Mapping[Channel, Interest]


@dataclass(frozen=True, slots=True)
class ShowRow:
    """A repository's row in the control interface is new or has changed."""

    row: RepositoryStatus


@dataclass(frozen=True, slots=True)
class DropRow:
    """A repository is no longer shown in the control interface."""

    repository: str


@dataclass(frozen=True, slots=True)
class ShowSummary:
    """The one line about everything has changed."""

    text: str


@dataclass(frozen=True, slots=True)
class SignalConflict:
    """Say on the bus that both versions of these files were kept."""

    repository: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Network:
    """Tell the transports that the network came or went."""

    online: bool


@dataclass(frozen=True, slots=True)
class Wake:
    """Tell the transports that the machine comes out of a suspend."""


@dataclass(frozen=True, slots=True)
class TryAgain:
    """Tell the transports that a person wants another attempt."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End the messenger."""


Command = (
    PassUp | Announce | Listen | ShowRow | DropRow | ShowSummary | SignalConflict | Network | Wake
) | (TryAgain | Stop | ShowBubble | CloseBubble | Write)
