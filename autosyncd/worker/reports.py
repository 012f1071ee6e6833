"""What a worker tells the supervisor: the machine's reports, signs of life, what hangs, a bug."""

import contextlib
import logging
import traceback
from dataclasses import replace

from autosyncd import clock
from autosyncd.link.beat import next_beat
from autosyncd.link.channel import Link
from autosyncd.link.messages import Alive, Message, Problem, Solved, StatusChanged, cut
from autosyncd.model import RepoConfig, Status
from autosyncd.service.journal import Event, fields
from autosyncd.worker.hanging import Hanging

log = logging.getLogger("autosyncd")


class Reports:
    """Of one shift. Nothing here blocks: the outbox keeps what the pipe does not take yet."""

    def __init__(self, config: RepoConfig, link: Link) -> None:
        self._config, self._outbox = config, link.outbox
        self._alive_due = 0.0
        self._hanging = Hanging()
        self._status: StatusChanged | None = None

    @property
    def due(self) -> float:
        """When pass_time() has something to do."""
        return min(self._alive_due, self._hanging.due)

    def pass_time(self, *, busy: bool) -> None:
        """Say what it is time to say. `busy`: a verb runs."""
        if self._hanging.tick(clock.now(), busy=busy):
            self._say_hanging()
        self.alive_if_due()

    def alive_if_due(self, _folders: int = 0) -> None:
        """Also called by a long look at many folders, with their number."""
        now = clock.now()
        if now >= self._alive_due:
            self._alive_due = next_beat(now)
            if not self._hanging.hangs:  # else the supervisor ends us, and waits until we are gone
                self.post(Alive())

    def take_over(self, status: StatusChanged) -> None:
        """This was said by the shift before, and holds again after a hang."""
        self._status = status

    def post(self, message: Message) -> None:
        """Send one of the machine's reports up, with its times (status.py)."""
        if isinstance(message, StatusChanged):
            self._status = message  # with its own times, to be told once more
            if self._hanging.hangs:
                return
            message = _told(message)
        self._outbox.post(message)

    def crashed(self, bug: BaseException) -> None:
        """A bug ends this process: say it, for the person and for whoever mends it."""
        text = "".join(traceback.format_exception(bug))
        log.error("%s", text, extra=fields(repo=self._config.name, event=Event.BUG))
        with contextlib.suppress(ValueError):
            self.post(Problem("bug", cut(f"An unexpected error: {bug!r}; a new worker starts.")))

    def _say_hanging(self) -> None:
        if self._hanging.hangs:
            text = (
                f"The file system of {self._config.path} doesn't answer; nothing can be done there."
            )
            self._outbox.post(Problem("stuck", cut(text)))
            self._outbox.post(StatusChanged(Status.FAILED, cut(text), clock.wall()))
        else:
            self.post(Solved("stuck"))
            if self._status is not None:
                self.post(self._status)


def _told(status: StatusChanged) -> StatusChanged:
    """The machine's word, with the times that people go by."""
    wall = clock.wall()
    until = None if status.until is None else wall + status.until - clock.now()
    return replace(status, since=wall, until=until, reason=cut(status.reason))
