"""Pure: the messages that cross the link between the supervisor and the messenger; see messages.py."""

from dataclasses import dataclass

from autosyncd.link.messages import Message
from autosyncd.model import AlertKind, Channel, PushNotice, Status

# supervisor → messenger


@dataclass(frozen=True, slots=True)
class Tell(Message):
    """Tell the other machines."""

    notice: PushNotice

    @property
    def subject(self) -> object:
        return (self.notice.tree, self.notice.branch)


@dataclass(frozen=True, slots=True)
class Subscribe(Message):
    """The channels that are worth hearing of for one repository (empty: none any more)."""

    repository: str
    channels: tuple[Channel, ...]
    trust: tuple[str, ...] = ()
    """Bare JIDs that are told of these channels and believed, beside the own account."""
    remote: str = ""
    """The remote's address without credentials; only peers of an older kind hear it."""

    @property
    def subject(self) -> object:
        return self.repository


@dataclass(frozen=True, slots=True)
class RepositoryStatus(Message):
    """One repository as the control interface shows it."""

    repository: str
    path: str
    status: Status
    reason: str
    since: float
    branch: str = ""
    head: str = ""
    remote: str = ""
    until: float | None = None
    """When a pause ends by itself, as in StatusChanged."""

    @property
    def subject(self) -> object:
        return self.repository


@dataclass(frozen=True, slots=True)
class RepositoryGone(Message):
    """The repository is no longer in the configuration."""

    repository: str

    @property
    def subject(self) -> object:
        return self.repository


@dataclass(frozen=True, slots=True)
class RepositoryConflict(Message):
    """A merge kept both versions of files (the bus signal Conflict); `paths` are the first few."""

    repository: str
    paths: tuple[str, ...]

    @property
    def subject(self) -> object:
        return (self.repository, self.paths)


@dataclass(frozen=True, slots=True)
class Summary(Message):
    """The one line for people that systemd shows too (the bus property Status)."""

    text: str


@dataclass(frozen=True, slots=True)
class Alert(Message):
    """Tell the person. The newest of a repository and topic replaces its bubble."""

    repository: str
    kind: AlertKind
    topic: str
    """Stable within the repository: a problem's kind, or the alert's kind."""
    title: str
    text: str
    said: bool = False
    """A messenger before this one has had time to write it; a bubble is shown all the same."""

    @property
    def subject(self) -> object:
        return (self.repository, self.topic)


@dataclass(frozen=True, slots=True)
class Withdraw(Message):
    """The reason of an alert is gone: close its bubble."""

    repository: str
    topic: str

    @property
    def subject(self) -> object:
        return (self.repository, self.topic)


# messenger → supervisor


@dataclass(frozen=True, slots=True)
class Heard(Message):
    """A notice came in over `transport`; nothing of it is believed but that a fetch may be due."""

    notice: PushNotice
    transport: str
    sender: str

    @property
    def subject(self) -> object:
        return (self.notice.channels, self.notice.branch, self.notice.tree)


@dataclass(frozen=True, slots=True)
class Asked(Message):
    """Somebody asks over the control interface; an empty repository means all."""

    verb: str
    """sync, pause, resume, reload, describe."""
    repository: str = ""
    argument: str = ""
    """pause: seconds, 0 = until resumed; describe: the text."""

    @property
    def subject(self) -> object:
        return (self.verb, self.repository)


@dataclass(frozen=True, slots=True)
class Connected(Message):
    """A transport has a new session: what was missed meanwhile is unknown, so all pull once."""

    transport: str

    @property
    def subject(self) -> object:
        return self.transport


@dataclass(frozen=True, slots=True)
class TransportChanged(Message):
    """A transport's state for the status line and the journal: online, or why not."""

    transport: str
    online: bool
    reason: str = ""

    @property
    def subject(self) -> object:
        return self.transport
