"""What all transports share: the loop around the life of a connection.

connection.py decides when to connect, ping and back off; here are its timer, the task of each
attempt, and the owner's ear. What is said over the connection is the transport's own.
"""

import asyncio
from abc import ABC, abstractmethod
from math import inf
from random import SystemRandom

from autosyncd import clock
from autosyncd.transport import connection as life
from autosyncd.transport import events
from autosyncd.transport.base import Listener

LONGEST_SLEEP = 60.0
"""Seconds; the loop's clock stands still while the machine is suspended, the deadlines' doesn't."""


class LivingTransport(ABC):
    """Most of a Transport (base.py). Every method is to be called from the loop that runs `run`."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._connection = life.Connection()
        self._attempt: asyncio.Task[events.Event] | None = None
        self._ending: set[asyncio.Task[events.Event]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._reported: tuple[bool, str] | None = None
        self._alarmed = ""
        """What a person was told already, and is not to be told at each attempt."""
        self._over = asyncio.Event()
        self._bug: BaseException | None = None

    async def run(self) -> None:
        """See base.py. Keeps trying for ever, but for a refusal that only a person can mend."""
        try:
            self._happen(events.Start())
            await self._over.wait()
        finally:
            self._happen(events.Stop())
            if self._ending:
                await asyncio.wait(self._ending)
        if self._bug is not None:
            raise self._bug

    def stop(self) -> None:
        """See base.py."""
        self._over.set()

    def network(self, *, online: bool) -> None:
        """See base.py."""
        self._happen(events.NetworkUp() if online else events.NetworkDown())

    def retry(self) -> None:
        """See base.py."""
        self._alarmed = ""
        self._happen(events.Retry())

    def woke(self) -> None:
        """See base.py."""
        self._happen(events.Woke())

    # What a transport adds

    @abstractmethod
    async def _converse(self) -> events.Event:
        """From the first packet to the last; what it returns is why it ended."""

    @abstractmethod
    def _open_session(self) -> None:
        """The server has greeted: say what has waited, and tell the listener."""

    @abstractmethod
    def _ping(self) -> None:
        """Ask the server for a word."""

    @abstractmethod
    def _let_go(self) -> None:
        """Forget the session, if there is one; its attempt is cancelled next."""

    @abstractmethod
    def _unusable(self, reason: str) -> str:
        """The sentence for people: it can't be used, and when it is tried again."""

    def _due(self) -> float:
        """When the session has something to say by itself: see `_tick`."""
        return inf

    # The life of the connection

    def _happen(self, event: events.Event) -> None:
        self._connection, commands = life.step(
            self._connection, event, now=clock.now(), jitter=SystemRandom().uniform(-1, 1)
        )
        for command in commands:
            self._obey(command)
        self._set_timer()

    def _obey(self, command: events.Command) -> None:
        match command:
            case events.Connect():
                self._attempt = asyncio.create_task(self._converse())
                self._attempt.add_done_callback(self._ended)
            case events.Disconnect():
                self._disconnect()
            case events.Ping():
                self._ping()
            case events.OpenSession():
                self._open_session()
            case events.Report():
                self._report(command)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = life.deadline(self._connection)
        due = self._due() if due is None else min(due, self._due())
        if due < inf:
            wait = min(max(due - clock.now(), 0.0), LONGEST_SLEEP)
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._happen(events.Tick())

    def _disconnect(self) -> None:
        attempt, self._attempt = self._attempt, None
        self._let_go()
        if attempt is not None and not attempt.done():
            self._ending.add(attempt)
            attempt.cancel()

    def _ended(self, attempt: "asyncio.Task[events.Event]") -> None:
        self._ending.discard(attempt)
        if not attempt.cancelled() and attempt.exception() is not None:
            self._bug = attempt.exception()
            self._over.set()
        elif attempt is self._attempt and not attempt.cancelled():
            self._happen(attempt.result())

    def _report(self, report: events.Report) -> None:
        text = "" if report.online else self._unusable(report.reason)
        if self._reported != (report.online, text):
            self._reported = (report.online, text)
            self._listener.changed(online=report.online, reason=text)
        if report.online:
            self._alarmed = ""
        elif report.alarming and text != self._alarmed:
            self._alarmed = text
            self._listener.alarm(text)
