"""What the messenger is told, and is told anew when it was replaced.

States (rows, channels, standing alerts, the summary) are kept here and given to every new
messenger. What merely happens (a notice to tell, a conflict) waits here while there is none; a notice
is told again to one that comes soon after it, since the one that heard it may have died over it.
"""

from collections.abc import Callable
from dataclasses import replace
from math import inf

from autosyncd import clock
from autosyncd.link.messages import (
    Message,
)
from autosyncd.link.outside import (
    Alert,
    RepositoryConflict,
    RepositoryGone,
    RepositoryStatus,
    Subscribe,
    Summary,
    Tell,
    Withdraw,
)
from autosyncd.supervisor.news import lasting

SAID_AFTER = 120.0
"""Seconds after which a messenger that had an alert has written it to whom it may concern: letters.py
waits for more first, and for the minute between two letters."""

TOLD_AGAIN_FOR = 60.0
"""Seconds for which a notice is told to a new messenger, too; whoever has its head does nothing."""

CONFLICTS_KEPT = 100
"""Conflicts that wait while there is no messenger; of more, the oldest are not signalled any more. All
else that waits is one of each kind and repository."""


class Herald:
    """All that goes to the messenger goes through here; `post` is False if nobody is there."""

    def __init__(self, post: Callable[[Message], bool]) -> None:
        self._post = post
        self._states: dict[tuple[str, object], Message] = {}
        self._told: dict[object, float] = {}
        """Since when a messenger has known of a standing alert."""
        self._waiting: dict[tuple[type[Message], object], Message] = {}
        self._notices: dict[object, tuple[Tell, float]] = {}
        """The newest of each tree and branch, and when it was told."""

    def renew(self) -> None:
        """A new messenger is there: tell it how everything stands, then what waited."""
        for state in self._states.values():
            self._pass_on(state)
        now, waiting = clock.now(), self._waiting
        for notice, told in self._notices.values():
            if now - told <= TOLD_AGAIN_FOR:
                waiting.setdefault((Tell, notice.subject), notice)
        self._waiting = {}
        for message in waiting.values():
            self._happened(message)

    def readdress(self) -> None:
        """The next messenger has another configuration, and may write to somebody else."""
        self._told.clear()

    def row(self, message: RepositoryStatus) -> None:
        self._state("row", message)

    def channels(self, message: Subscribe) -> None:
        self._state("channels", message)

    def summary(self, text: str) -> None:
        self._state("summary", Summary(text))

    def tell(self, message: Tell) -> None:
        self._notices[message.subject] = (message, clock.now())
        self._happened(message)

    def conflict(self, message: RepositoryConflict) -> None:
        self._happened(message)

    def alert(self, message: Alert) -> None:
        """Told to the person now; a lasting one stands until it is withdrawn."""
        if lasting(message):
            self._state("alert", message)
        else:
            self._happened(message)

    def withdraw(self, message: Withdraw) -> None:
        """Ends a standing alert; nothing if none stands."""
        self._told.pop(message.subject, None)
        if self._states.pop(("alert", message.subject), None) is not None:
            self._post(message)  # a messenger that comes later never knew of it

    def withdraw_all(self, repository: str, spared: str = "") -> None:
        """Ends every standing alert of the repository, but not that of the topic `spared`."""
        for state in tuple(self._states.values()):
            if not isinstance(state, Alert) or state.repository != repository:
                continue
            if state.topic != spared:
                self.withdraw(Withdraw(repository, state.topic))

    def gone(self, repository: str) -> None:
        """The repository is no longer in the configuration."""
        self.withdraw_all(repository)
        self._states.pop(("row", repository), None)
        if self._states.pop(("channels", repository), None) is not None:
            self._post(Subscribe(repository, ()))
        self._post(RepositoryGone(repository))

    def _state(self, what: str, message: Message) -> None:
        key = (what, message.subject)
        if self._states.get(key) != message:
            self._states[key] = message
            self._told.pop(message.subject, None)
            self._pass_on(message)

    def _pass_on(self, state: Message) -> None:
        if not isinstance(state, Alert):
            self._post(state)
            return
        now = clock.now()
        said = now - self._told.get(state.subject, inf) >= SAID_AFTER
        if self._post(replace(state, said=said)):
            self._told.setdefault(state.subject, now)

    def _happened(self, message: Message) -> None:
        if not self._post(message):
            key = (type(message), message.subject)
            self._waiting.pop(key, None)
            self._waiting[key] = message
            conflicts = [key for key in self._waiting if key[0] is RepositoryConflict]
            for old in conflicts[:-CONFLICTS_KEPT]:
                del self._waiting[old]
