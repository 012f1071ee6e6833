"""What the journal hears of the workers' reports: each thing once.

A worker that halts or fails says why twice, as a problem and then as the reason of its status. So a
problem waits a moment for such a status, and where it comes the two are one line.
"""

import logging
from collections.abc import Iterable
from math import inf

from autosyncd.link.messages import (
    Alive,
    Announce,
    Committed,
    Conflict,
    Message,
    Problem,
    Pulled,
    Solved,
    StatusChanged,
    cut,
)
from autosyncd.model import Status
from autosyncd.service.event import Event, of_problem
from autosyncd.service.journal import fields

log = logging.getLogger("autosyncd")
_SHORT = 12
"""Digits of a commit in a line for people; the field has them all."""
HOLD = 0.2
"""Seconds that a problem waits for the status it leads to."""
_GRAVE = (Status.HALTED, Status.FAILED)
_SILENT = (*_GRAVE, Status.STARTING, Status.STOPPING)
"""What says nothing of whether a pause goes on."""


class Record:
    """What the journal hears of the workers. Points in time are seconds of clock.now()."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Problem, float]] = {}
        self._paused: set[str] = set()

    def of_worker(self, repo: str, report: Message, now: float) -> None:
        """One line for what happened; nothing for what merely goes on."""
        match report:
            case Problem():
                self.flush(repo)
                self._held[repo] = (report, now + HOLD)
            case StatusChanged(status, reason):
                held = self._held.get(repo)
                kind = ""
                if held is not None and status in _GRAVE and held[0].text == reason:
                    kind = held[0].kind
                    del self._held[repo]
                self.flush(repo)
                self._pause(repo, status)
                _status(repo, status, reason, kind)
            case _:
                if isinstance(report, Solved):
                    self.flush(repo)
                _line(repo, report)

    def _pause(self, repo: str, status: Status) -> None:
        if status is Status.PAUSED and repo not in self._paused:
            self._paused.add(repo)
            log.info("the pause begins", extra=fields(repo=repo, event=Event.PAUSED))
        elif status not in (Status.PAUSED, *_SILENT) and repo in self._paused:
            self._paused.discard(repo)
            log.info("the pause is over", extra=fields(repo=repo, event=Event.RESUMED))

    def tick(self, now: float) -> None:
        """Write what has waited long enough."""
        for repo in [repo for repo, (_, until) in self._held.items() if until <= now]:
            self.flush(repo)

    def deadline(self) -> float:
        """When tick() has something to do."""
        return min((until for _, until in self._held.values()), default=inf)

    def flush(self, repo: str | None = None) -> None:
        """Write what waits, of one repository or of all."""
        for one in [repo] if repo is not None else list(self._held):
            if one in self._held:
                problem, _ = self._held.pop(one)
                extra = fields(repo=one, event=of_problem(problem.kind))
                log.warning("%s (%s)", problem.text, problem.kind, extra=extra)


def _line(repo: str, report: Message) -> None:
    match report:
        case Committed(head, files, line):
            extra = fields(repo=repo, head=head.commit, event=Event.COMMITTED, files=files)
            log.info("committed %s: %s", head.commit[:_SHORT], line, extra=extra)
        case Announce(head):
            extra = fields(repo=repo, head=head.commit, event=Event.PUSHED)
            log.info("pushed %s to %s", head.commit[:_SHORT], head.branch, extra=extra)
        case Pulled(head, files, hosts):
            peer = ", ".join(hosts)
            extra = fields(repo=repo, head=head.commit, event=Event.PULLED, peer=peer, files=files)
            log.info("pulled %s, files: %d", head.commit[:_SHORT], files, extra=extra)
        case Conflict(count, paths):
            extra = fields(repo=repo, event=Event.CONFLICT, files=count)
            text = "kept both versions of %d changed in two places: %s"
            log.warning(text, count, ", ".join(paths), extra=extra)
        case Solved(kind):
            log.info("solved: %s", kind, extra=fields(repo=repo, event=Event.SOLVED))
        case Alive():
            pass
        case _:
            log.debug("%s", cut(repr(report)), extra=fields(repo=repo))


def _status(repo: str, status: Status, reason: str, kind: str) -> None:
    event = {Status.HALTED: Event.HALTED, Status.FAILED: Event.PROBLEM}.get(status)
    event = of_problem(kind) if kind and event is not None else event
    text = f"{status.value}: {reason}" if reason else status.value
    level = logging.DEBUG if event is None else logging.WARNING
    log.log(level, "%s", text, extra=fields(repo=repo, event=event))


def of_reload(before: Iterable[str], after: Iterable[str]) -> None:
    """Repositories came into the configuration or are in it no more."""
    old, new = set(before), set(after)
    for repo in sorted(new - old):
        log.info("added to the configuration", extra=fields(repo=repo, event=Event.ADDED))
    for repo in sorted(old - new):
        log.info("removed from the configuration", extra=fields(repo=repo, event=Event.REMOVED))
