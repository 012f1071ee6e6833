"""The reflector's listening sockets: who knocks is handed over, and a want of descriptors waited out."""

from collections.abc import Callable, Sequence
from selectors import EVENT_READ, BaseSelector
from socket import socket

from autosyncd import clock

ACCEPTS_PER_TURN = 64
ACCEPT_AGAIN_AFTER = 1.0
"""Seconds without accepting when that failed, mostly for want of descriptors."""


class Entrance:
    """The sockets must not block; they stay the caller's.

    `welcome(connection, address)` is called for each client, `failed(why)` when none can be accepted.
    """

    def __init__(
        self,
        listening: Sequence[socket],
        selector: BaseSelector,
        welcome: Callable[[socket, str], None],
        failed: Callable[[str], None],
    ) -> None:
        self._listening = {one.fileno(): one for one in listening}
        self._selector = selector
        self._welcome = welcome
        self._failed = failed
        self._again: float | None = None

    def open(self) -> None:
        """Accept from now on."""
        self._again = None
        for listening in self._listening.values():
            self._selector.register(listening, EVENT_READ, self._accept)

    def deadline(self) -> float | None:
        """When keep_time() has something to do."""
        return self._again

    def keep_time(self, now: float) -> None:
        """Accept again when the pause is over."""
        if self._again is not None and self._again <= now:
            self.open()

    def _accept(self, fd: int, _events: int) -> None:
        if self._again is not None:
            return  # another listening socket was out of luck in this very turn
        for _ in range(ACCEPTS_PER_TURN):
            try:
                connection, address = self._listening[fd].accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                # Without a pause the selector would come back with the same at once, for ever.
                self._failed(f"{error.strerror}; again in a second")
                for listening in self._listening.values():
                    self._selector.unregister(listening)
                self._again = clock.now() + ACCEPT_AGAIN_AFTER
                return
            self._welcome(connection, address[0])
