"""What the journal hears of the workers' and the messenger's reports."""

import logging

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
    TransportChanged,
    cut,
)
from autosyncd.model import Status
from autosyncd.service.journal import Event, fields

log = logging.getLogger("autosyncd")
_SHORT = 12
"""Digits of a commit in a line for people; the field has them all."""


def of_worker(repo: str, report: Message) -> None:
    """One line for what happened; nothing for what merely goes on."""
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
        case Problem(kind, text):
            extra = fields(repo=repo, event=Event.PROBLEM)
            log.warning("%s (%s)", text, kind, extra=extra)
        case Solved(kind):
            log.info("solved: %s", kind, extra=fields(repo=repo, event=Event.SOLVED))
        case StatusChanged(status, reason):
            _status(repo, status, reason)
        case Alive():
            pass
        case _:
            log.debug("%s", cut(repr(report)), extra=fields(repo=repo))


def _status(repo: str, status: Status, reason: str) -> None:
    halted = status is Status.HALTED
    level = logging.WARNING if halted or status is Status.FAILED else logging.DEBUG
    text = f"{status.value}: {reason}" if reason else status.value
    log.log(level, "%s", text, extra=fields(repo=repo, event=Event.HALTED if halted else None))


def of_transport(report: TransportChanged) -> None:
    """A transport came or went."""
    extra = fields(event=Event.TRANSPORT, peer=report.transport)
    if report.online:
        log.info("%s is online", report.transport, extra=extra)
    else:
        log.warning("%s is not online: %s", report.transport, report.reason, extra=extra)
