"""Pure: the nouns that every room shares. One name per thing; the glossary is docs/architecture.md."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NewType

TreeId = NewType("TreeId", str)
"""Random, 32 hex digits; kept in the tree's state folder. A copied clone gets its own."""

DaemonId = NewType("DaemonId", str)
"""Random, 32 hex digits; one per daemon, kept in XDG state."""

Channel = NewType("Channel", str)
"""64 hex digits that two clones of the same thing have in common."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a branch stands."""

    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class PushNotice:
    """What one machine tells the others after a proved push. No remote's address is in it."""

    channels: tuple[Channel, ...]
    branch: str
    head: str
    tree: TreeId
    host: str
    version: int = 1
    source: str | None = None


class Status(Enum):
    """What people see of a repository (derived, never stored)."""

    STARTING = "starting"
    IDLE = "idle"
    SETTLING = "settling"
    COMMITTING = "committing"
    PUSHING = "pushing"
    PULLING = "pulling"
    RETRYING = "retrying"
    WAITING = "waiting"
    PAUSED = "paused"
    HALTED = "halted"
    FAILED = "failed"
    STOPPING = "stopping"


class AlertKind(Enum):
    """What the person can ask to be alerted of (key `alerts:` of a repository)."""

    CONFLICT = "conflict"
    PROBLEM = "problem"
    PULLED = "pulled"
    PUSHED = "pushed"


@dataclass(frozen=True, slots=True)
class Safety:
    """Limits beyond which the worker halts and asks. Shares are fractions of 1, sizes bytes."""

    max_deleted: float = 0.5
    max_modified: float = 0.9
    min_files: int = 20
    max_new: int = 1000
    max_new_size: int = 200_000_000


@dataclass(frozen=True, slots=True)
class RepoConfig:
    """One repository as its YAML entry and the defaults say. Durations are seconds, sizes bytes."""

    path: str
    """Absolute, without a trailing slash. As it is written until a worker knows the real path."""
    name: str
    vcs: Literal["auto", "git"] = "auto"
    remote: str = "auto"
    """A remote's name; `auto`: the upstream's, else the only one, else origin; `none`: commit only."""
    branch: str | None = None
    """None: what is checked out when first adopted, remembered in the state folder."""
    channel: str | None = None
    exclude: tuple[str, ...] = ()
    push: bool = True
    pull: bool = True
    message: str = "{summary}"
    junk: Literal["skip", "keep"] = "skip"
    commit_after: float = 2.0
    commit_within: float = 60.0
    push_after: float = 3.0
    poll_every: float | Literal["auto", "never"] = "auto"
    large_file: int = 100_000_000
    """0: no limit."""
    staged_wait: float = 600.0
    commit_hooks: bool = False
    """Whether the person's pre-commit and commit-msg run for our commits too."""
    alerts: frozenset[AlertKind] = frozenset({AlertKind.CONFLICT, AlertKind.PROBLEM})
    trust: tuple[str, ...] = ()
    """Bare JIDs, in lower case: told of this repository and believed, beside the own account."""
    safety: Safety = field(default_factory=Safety)


@dataclass(frozen=True, slots=True)
class FanoutConfig:
    """Where the fanout server listens (transport/fanout.py)."""

    host: str
    port: int = 1986
    tls: bool = True
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Secret:
    """Where a password comes from; exactly one field is set. The password itself is in no repr."""

    command: tuple[str, ...] = field(default=(), repr=False)
    """A program and its arguments; the first line that it prints is the password."""
    file: str | None = None
    credential: str | None = None
    """The name of a credential in $CREDENTIALS_DIRECTORY; systemd.exec(5), LoadCredential=."""
    literal: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class XmppConfig:
    """One account on an XMPP server (transport/xmpp/)."""

    jid: str
    """Bare, in lower case."""
    secret: Secret
    server: tuple[str, int] | None = None
    """Host and port; None: what the domain's SRV records say (RFC 6120, section 3.2.1)."""
    ca_file: str | None = None
    allow_plain: bool = False
    """Whether SASL PLAIN will do, inside verified TLS, where the server has no SCRAM."""


@dataclass(frozen=True, slots=True)
class OutsideConfig:
    """What the messenger needs: transports and how the person is alerted."""

    fanout: FanoutConfig | None = None
    desktop_alerts: bool = True
    xmpp: XmppConfig | None = None
    alerts_to: str | None = None
    """A bare JID that alerts are sent to as chat messages (key `alerts.xmpp`)."""
