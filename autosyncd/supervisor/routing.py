"""Pure: which news goes to whom.

The table knows of every worker what its Identity said: its tree, its channels, its branch and the
last heads that its merged history contains. `announce` and `heard` say who gets what and, where
nobody does, the named reason; both only ever make a worker fetch from its own configured remote.

Three things keep a flood of notices away from the remotes: own and known heads are dropped, each sender
on each channel has an allowance (allowance.py), and "pull all" is given at most once a minute per
repository, spread so that not everybody fetches at once. A notice beyond the allowance is not lost: its
workers are put on the list of later pulls.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from math import inf
from typing import TypeVar

from autosyncd.link.messages import Announce, Identity, PullOrder, cut
from autosyncd.link.outside import Subscribe, Tell
from autosyncd.model import Channel, Head, PushNotice, RepoConfig, TreeId
from autosyncd.supervisor.allowance import Allowance, ChannelSender, spend

K = TypeVar("K")
V = TypeVar("V")

LATER = 2.0
"""Seconds until the pull that makes up for a notice that was refused, or may have been missed."""
PULL_EVERY = 60.0
"""Seconds between two pulls of one repository by "pull all"."""
REMEMBERED = 16
"""Heads per worker that are known to be merged; the newest is the last."""
TRUSTED_BYTES = 2300
"""Room for the people who are trusted, in the one pipe write that a Subscribe has to fit into."""
REMOTE_LENGTH = 150


class Fate(Enum):
    """What became of a piece of news."""

    ROUTED = "routed"
    NO_IDENTITY = "of a worker that has not said who it is"
    UNKNOWN_CHANNEL = "of a channel nobody here has"
    OWN_TREE = "an echo of an own tree"
    OTHER_BRANCH = "of a branch nobody here has"
    KNOWN_HEAD = "merged already"
    TOO_MANY = "too many from one sender, pulled later"


@dataclass(frozen=True, slots=True)
class Member:
    """What is known of one worker."""

    tree: TreeId
    channels: frozenset[Channel]
    branch: str
    merged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """All that routing knows. Workers are named by a key of the caller's."""

    members: Mapping[str, Member] = field(default_factory=dict)
    allowances: Mapping[ChannelSender, Allowance] = field(default_factory=dict)
    pulls: Mapping[str, float] = field(default_factory=dict)
    """When each worker is to pull without a known head."""
    pulled: Mapping[str, float] = field(default_factory=dict)
    """When it was last told so."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What to send, and why nothing."""

    fate: Fate
    orders: tuple[tuple[str, PullOrder], ...] = ()
    tell: Tell | None = None


def join(table: Table, worker: str, identity: Identity) -> Table:
    """The worker says who it is, for the first time or anew."""
    old = table.members.get(worker)
    kept = old.merged if old and (old.tree, old.branch) == (identity.tree, identity.branch) else ()
    member = Member(identity.tree, frozenset(identity.channels), identity.branch, kept)
    if identity.head:
        member = _with_head(member, identity.head)
    return replace(table, members={**table.members, worker: member})


def may_have_missed(table: Table, worker: str, identity: Identity, now: float) -> Table:
    """The worker says who it is while others can be heard already: until now nobody listened for it,
    so it pulls once more, when it is listened for."""
    old = table.members.get(worker)
    if old is not None and frozenset(identity.channels) <= old.channels:
        return table
    return replace(table, pulls={**table.pulls, worker: table.pulls.get(worker, now + LATER)})


def subscription(config: RepoConfig, identity: Identity) -> Subscribe:
    """What the messenger is to hear of for this repository, and who is trusted with it."""
    trust: list[str] = []
    room = TRUSTED_BYTES
    for person in config.trust:
        room -= len(person.encode("utf-8", "surrogatepass")) + 8
        if room >= 0:
            trust.append(person)
    remote = cut(identity.url, REMOTE_LENGTH)
    return Subscribe(config.name, identity.channels, tuple(trust), remote)


def leave(table: Table, worker: str) -> Table:
    """The worker's repository is gone from the configuration."""
    return replace(
        table,
        members=_without(table.members, worker),
        pulls=_without(table.pulls, worker),
        pulled=_without(table.pulled, worker),
    )


def merged(table: Table, worker: str, head: Head) -> Table:
    """The worker's merged history contains this head (HeadMoved)."""
    member = table.members.get(worker)
    if member is None or member.branch != head.branch:
        return table
    return replace(table, members={**table.members, worker: _with_head(member, head.commit)})


def announce(table: Table, worker: str, news: Announce, host: str) -> tuple[Table, Routed]:
    """A worker has pushed: tell the own workers of its channels, and the other machines."""
    sender = table.members.get(worker)
    if sender is None:
        return table, Routed(Fate.NO_IDENTITY)
    table = merged(table, worker, news.head)
    others = (key for key in _sharing(table, sender.channels) if key != worker)
    orders = _orders(table, others, news.head)
    channels = tuple(sorted(sender.channels))
    notice = PushNotice(channels, news.head.branch, news.head.commit, sender.tree, host)
    return table, Routed(Fate.ROUTED, orders, Tell(notice) if channels else None)


def heard(table: Table, notice: PushNotice, sender: str, now: float) -> tuple[Table, Routed]:
    """Another machine has pushed: who doesn't have that yet?

    An empty branch in the notice means any branch, an empty head an unknown one.
    """
    if any(notice.tree == member.tree for member in table.members.values()):
        return table, Routed(Fate.OWN_TREE)
    channels = frozenset(notice.channels)
    sharing = _sharing(table, channels)
    if not sharing:
        return table, Routed(Fate.UNKNOWN_CHANNEL)
    if not any(notice.branch in ("", table.members[key].branch) for key in sharing):
        return table, Routed(Fate.OTHER_BRANCH)
    orders = _orders(table, sharing, Head(notice.branch, notice.head))
    if not orders:
        return table, Routed(Fate.KNOWN_HEAD)
    known = frozenset().union(*(table.members[key].channels for key in sharing))
    account = sender.partition("/")[0]  # whoever changes resources gets no more for it
    allowances, paid = spend(table.allowances, (min(channels & known), account), now)
    table = replace(table, allowances=allowances)
    if paid:
        return table, Routed(Fate.ROUTED, orders)
    later = {key: table.pulls.get(key, now + LATER) for key, _ in orders}
    return replace(table, pulls={**table.pulls, **later}), Routed(Fate.TOO_MANY)


def pull_all(table: Table, now: float, spread: float, jitter: Sequence[float]) -> Table:
    """Every repository pulls once: within `spread` seconds, but a minute after its last such pull.

    `jitter` holds numbers from 0 to 1, used in the order of the workers' names, again and again.
    """
    due = {
        worker: max(now, table.pulled.get(worker, -inf) + PULL_EVERY)
        + spread * (jitter[place % len(jitter)] if jitter else 0.0)
        for place, worker in enumerate(sorted(table.members))
        if worker not in table.pulls
    }
    return replace(table, pulls={**table.pulls, **due})


def due(table: Table, now: float) -> tuple[Table, tuple[tuple[str, PullOrder], ...]]:
    """The pulls whose time has come."""
    ready = sorted(worker for worker, at in table.pulls.items() if at <= now)
    left = {worker: at for worker, at in table.pulls.items() if at > now}
    table = replace(table, pulls=left, pulled={**table.pulled, **dict.fromkeys(ready, now)})
    return table, tuple((worker, PullOrder(None)) for worker in ready)


def deadline(table: Table) -> float:
    """When `due` has something to give."""
    return min(table.pulls.values(), default=inf)


def _sharing(table: Table, channels: frozenset[Channel]) -> list[str]:
    return sorted(key for key, member in table.members.items() if member.channels & channels)


def _orders(table: Table, workers: Iterable[str], head: Head) -> tuple[tuple[str, PullOrder], ...]:
    """An order to each of them on this branch that isn't known to have this head."""
    orders: list[tuple[str, PullOrder]] = []
    for key in workers:
        member = table.members[key]
        if head.branch in ("", member.branch) and head.commit not in member.merged:
            known = Head(member.branch, head.commit) if head.commit else None
            orders.append((key, PullOrder(known)))
    return tuple(orders)


def _with_head(member: Member, commit: str) -> Member:
    others = tuple(known for known in member.merged if known != commit)
    return replace(member, merged=(*others, commit)[-REMEMBERED:])


def _without(mapping: Mapping[K, V], key: K) -> dict[K, V]:
    return {name: value for name, value in mapping.items() if name != key}
