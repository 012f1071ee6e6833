"""Pure: what the messenger does with each order from the supervisor and each word from outside.

It keeps what the control interface shows (the table of repositories, the summary), what is worth
hearing of (the union of all repositories' channels) and which bubbles the person sees.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from autosyncd.link.messages import Message, Online, Retry, Shutdown, Woke
from autosyncd.link.outside import (
    Alert,
    Asked,
    Connected,
    Heard,
    RepositoryConflict,
    RepositoryGone,
    RepositoryStatus,
    Subscribe,
    Summary,
    Tell,
    TransportChanged,
    Withdraw,
)
from autosyncd.messenger import bubbles, letters
from autosyncd.messenger.believing import believable
from autosyncd.messenger.bubbles import Bubbles
from autosyncd.messenger.commands import (
    Announce,
    Command,
    DropRow,
    Listen,
    Network,
    PassUp,
    ShowRow,
    ShowSummary,
    SignalConflict,
    Stop,
    TryAgain,
    Wake,
)
from autosyncd.messenger.interests import union
from autosyncd.messenger.letters import Letters
from autosyncd.messenger.printable import printable
from autosyncd.model import Channel
from autosyncd.transport.base import Interest


@dataclass(frozen=True, slots=True)
class Due:
    """The deadline has come."""


Stimulus = Message | Due
"""An order from the supervisor, or news from outside in the words of the report it may become."""


@dataclass(frozen=True, slots=True)
class Outside:
    """All that the messenger knows. `rows` goes by the names that people see."""

    desktop_alerts: bool = True
    rows: Mapping[str, RepositoryStatus] = field(default_factory=lambda: MappingProxyType({}))
    names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The name people see → the supervisor's."""
    subscriptions: Mapping[str, Subscribe] = field(default_factory=lambda: MappingProxyType({}))
    """By the supervisor's names."""
    wanted: Mapping[Channel, Interest] = field(default_factory=lambda: MappingProxyType({}))
    """All of these together: made when one changes, since each notice that comes is held against it."""
    summary: str = ""
    bubbles: Bubbles = field(default_factory=Bubbles)
    letters: Letters | None = None
    """None: nobody is written to."""


Answer = tuple[Outside, tuple[Command, ...]]


def step(state: Outside, message: Stimulus, *, now: float) -> Answer:
    """What changes and what is to be done when `message` comes; `now` in seconds since boot."""
    match message:
        case Alert() | Withdraw() | Due():
            return _alerting(state, message, now)
        case RepositoryStatus() | RepositoryGone() | Summary() | RepositoryConflict():
            return _showing(state, message, now)
        case Subscribe() | Tell() | Retry() | Shutdown():
            return _ordered(state, message)
        case Heard() | Asked():
            return _reported(state, message)
        case Online(yes=yes):
            return state, (PassUp(message), Network(yes))
        case Woke():
            return state, (PassUp(message), Wake())
        case Connected() | TransportChanged():
            return state, (PassUp(message),)
    return state, ()


def deadline(state: Outside) -> float | None:
    """When `Due` should be fed to `step`."""
    written = letters.deadline(state.letters) if state.letters else None
    dues = (due for due in (bubbles.deadline(state.bubbles), written) if due is not None)
    return min(dues, default=None)


def _alerting(state: Outside, message: Alert | Withdraw | Due, now: float) -> Answer:
    writing: tuple[Command, ...] = ()
    if state.letters:
        news = None if isinstance(message, Due) else message
        after, writing = letters.step(state.letters, news, now)
        state = replace(state, letters=after)
    state, showing = _bubbling(state, message, now)
    return state, (*writing, *showing)


def _bubbling(state: Outside, message: Alert | Withdraw | Due, now: float) -> Answer:
    match message:
        case Alert() if not state.desktop_alerts:
            return state, ()
        case Alert():
            shown = replace(
                message,
                repository=printable(message.repository),
                title=printable(message.title),
                text=printable(message.text),
            )
            after, commands = bubbles.alerted(state.bubbles, shown, now)
        case Withdraw(repository, topic):
            key = (printable(repository), topic)
            after, commands = bubbles.withdrawn(state.bubbles, key, now)
        case Due():
            after, commands = bubbles.ripened(state.bubbles, now)
    return replace(state, bubbles=after), commands


def _showing(
    state: Outside,
    message: RepositoryStatus | RepositoryGone | Summary | RepositoryConflict,
    now: float,
) -> Answer:
    match message:
        case RepositoryStatus():
            return _show_row(state, message)
        case RepositoryGone(repository):
            return _drop_row(state, repository, now)
        case RepositoryConflict(repository, paths):
            return state, (SignalConflict(printable(repository), tuple(map(printable, paths))),)
        case Summary(text):
            text = printable(text)
            commands = (ShowSummary(text),) if text != state.summary else ()
            return replace(state, summary=text), commands


def _show_row(state: Outside, status: RepositoryStatus) -> Answer:
    shown = printable(status.repository)
    row = replace(
        status,
        repository=shown,
        path=printable(status.path),
        reason=printable(status.reason),
        branch=printable(status.branch),
        remote=printable(status.remote),
    )
    if state.rows.get(shown) == row:
        return state, ()
    names = {**state.names, shown: status.repository}
    return replace(state, rows={**state.rows, shown: row}, names=names), (ShowRow(row),)


def _drop_row(state: Outside, repository: str, now: float) -> Answer:
    shown = printable(repository)
    state, listening = _subscribe(state, Subscribe(repository, ()))
    after, closing = bubbles.gone(state.bubbles, shown, now)
    unsaid = letters.gone(state.letters, repository) if state.letters else None
    state = replace(state, bubbles=after, letters=unsaid)
    if shown not in state.rows:
        return state, (*listening, *closing)
    rows = {name: row for name, row in state.rows.items() if name != shown}
    names = {name: real for name, real in state.names.items() if name != shown}
    return replace(state, rows=rows, names=names), (*listening, *closing, DropRow(shown))


def _subscribe(state: Outside, wish: Subscribe) -> Answer:
    wishes = {name: old for name, old in state.subscriptions.items() if name != wish.repository}
    if wish.channels:
        wishes[wish.repository] = wish
    wanted = union(wishes.values())
    commands = (Listen(wanted),) if wanted != state.wanted else ()
    return replace(state, subscriptions=wishes, wanted=wanted), commands


def _ordered(state: Outside, message: Subscribe | Tell | Retry | Shutdown) -> Answer:
    match message:
        case Subscribe():
            return _subscribe(state, message)
        case Retry():
            return state, (TryAgain(),)
        case Tell(notice):
            return state, (Announce(notice),)
        case Shutdown():
            return state, (Stop(),)


def _reported(state: Outside, message: Heard | Asked) -> Answer:
    match message:
        case Heard():
            heard = believable(message, state.wanted)
            return state, (PassUp(heard),) if heard else ()
        case Asked(repository=""):
            return state, (PassUp(message),)
        case Asked(repository=shown):
            if shown not in state.names:
                return state, ()
            return state, (PassUp(replace(message, repository=state.names[shown])),)
