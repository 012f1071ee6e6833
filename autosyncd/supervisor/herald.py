"""What the messenger is told, and is told anew when it was replaced.

States (rows, channels, standing alerts, the summary) are kept here and given to every new
messenger. What merely happens (a notice to tell, a conflict) waits here while there is none.
"""

from collections.abc import Callable

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


class Herald:
    """All that goes to the messenger goes through here; `post` is False if nobody is there."""

    def __init__(self, post: Callable[[Message], bool]) -> None:
        self._post = post
        self._states: dict[tuple[str, object], Message] = {}
        self._waiting: dict[tuple[type[Message], object], Message] = {}

    def renew(self) -> None:
        """A new messenger is there: tell it how everything stands, then what waited."""
        for state in self._states.values():
            self._post(state)
        waiting, self._waiting = self._waiting, {}
        for message in waiting.values():
            self._happened(message)

    def row(self, message: RepositoryStatus) -> None:
        self._state("row", message)

    def channels(self, message: Subscribe) -> None:
        self._state("channels", message)

    def summary(self, text: str) -> None:
        self._state("summary", Summary(text))

    def tell(self, message: Tell) -> None:
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
            self._post(message)

    def _happened(self, message: Message) -> None:
        if not self._post(message):
            key = (type(message), message.subject)
            self._waiting.pop(key, None)
            self._waiting[key] = message
