"""Pure: to which trusted accounts this session has shown itself, and when it does so again.

No roster tells them of us: our presence goes to each account directly, once. From one whose server can't
be reached at that moment it comes back, and nobody there would ever learn of us.
"""

from math import inf

AGAIN_AFTER = 300.0
"""Seconds until an account that could not be reached is tried again."""


class Friends:
    """Their bare addresses."""

    def __init__(self) -> None:
        self._shown: frozenset[str] = frozenset()
        self.left: set[str] = set()
        """Those who were shown us and then were not trusted for a while."""
        self._again: dict[str, float] = {}

    def turn_to(self, trusted: frozenset[str]) -> tuple[list[str], list[str]]:
        """From now on these are trusted: whom to leave, and whom to show ourselves to."""
        left, new = self._shown - trusted, trusted - self._shown
        self._shown = trusted
        self.left |= left
        for account in left:
            self._again.pop(account, None)
        return sorted(left), sorted(new)

    def returned(self, account: str, *, now: float) -> None:
        """What was shown to this account came back."""
        if account in self._shown:
            self._again.setdefault(account, now + AGAIN_AFTER)

    def due(self) -> float:
        """When take() has something to give."""
        return min(self._again.values(), default=inf)

    def take(self, *, now: float) -> list[str]:
        """To whom we are to be shown once more now."""
        over = [account for account, due in self._again.items() if due <= now]
        for account in over:
            del self._again[account]
        return over
