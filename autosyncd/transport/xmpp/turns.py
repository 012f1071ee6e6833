"""Pure: whose turn it is to be told something, so that nobody holds up the others.

Every second turn is one of the own account's machines, as long as one of them waits; the turns between
go round the accounts of friends, however many machines each of them has.
"""

from autosyncd.transport.xmpp.stanzas import bare


class Turns:
    """Those who wait for one, by their full or bare addresses; `own` is the own account."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._ours: dict[str, None] = {}
        self._friends: dict[str, dict[str, None]] = {}
        """By account. The first of the first account is the next."""
        self._ours_next = True

    def join(self, jid: str) -> None:
        """It waits, behind whoever of its account does already."""
        account = bare(jid)
        queue = self._ours if account == self._own else self._friends.setdefault(account, {})
        queue.setdefault(jid)

    def leave(self, jid: str) -> None:
        """It waits no longer."""
        account = bare(jid)
        self._ours.pop(jid, None)
        if account in self._friends:
            self._friends[account].pop(jid, None)
            if not self._friends[account]:
                del self._friends[account]

    def next(self) -> str:
        """Whose turn it is; somebody has to wait."""
        if self._ours and (self._ours_next or not self._friends):
            return next(iter(self._ours))
        return next(iter(next(iter(self._friends.values()))))

    def taken(self, jid: str, *, more: bool) -> None:
        """It had its turn; `more`: and waits for another."""
        account = bare(jid)
        self._ours_next = account != self._own
        rest = self._friends.pop(account, None)
        if rest:
            self._friends[account] = rest  # behind the other accounts
        self.leave(jid)
        if more:
            self.join(jid)
