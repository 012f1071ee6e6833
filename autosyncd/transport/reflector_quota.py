"""Pure: how many clients the reflector takes, and how long."""

from collections import Counter
from itertools import takewhile
from typing import NamedTuple


class Limits(NamedTuple):
    """How many connections there may be."""

    connections: int
    per_household: int


class Doorway:
    """Counts connections, in all and by household: what one person can easily have many of.

    A household is an IPv4 address or an IPv6 network of 64 bits. None is for a client on this
    machine, perhaps a proxy that speaks for many; only the whole is limited for it.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._households: Counter[bytes] = Counter()
        self.inside = 0
        self.turned_away = 0

    def enter(self, household: bytes | None) -> str | None:
        """Take a client in, or say why not."""
        if self.inside >= self._limits.connections:
            self.turned_away += 1
            return f"all {self._limits.connections} connections are taken"
        if household is not None and self._households[household] >= self._limits.per_household:
            self.turned_away += 1
            return f"its address has {self._limits.per_household} connections already"
        self.inside += 1
        if household is not None:
            self._households[household] += 1
        return None

    def leave(self, household: bytes | None) -> None:
        """A client that was taken in is gone."""
        self.inside -= 1
        if household is not None:
            self._households[household] -= 1
            if not self._households[household]:
                del self._households[household]


class Timeouts:
    """One time limit for many clients. They are kept in the order in which they run out."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until: dict[int, float] = {}

    def __contains__(self, client: int) -> bool:
        return client in self._until

    def restart(self, client: int, *, now: float) -> None:
        """The client's time begins."""
        self._until.pop(client, None)
        self._until[client] = now + self._seconds

    def forget(self, client: int) -> None:
        """No limit any more; clients without one may be named."""
        self._until.pop(client, None)

    def deadline(self) -> float | None:
        """When the first runs out."""
        return next(iter(self._until.values()), None)

    def due(self, *, now: float) -> list[int]:
        """The clients whose time is over; each stays until it is forgotten."""
        return list(takewhile(lambda client: self._until[client] <= now, self._until))
