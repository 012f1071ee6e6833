"""The entry of a worker process: put the parts of one repository together."""

import getpass
import os
from collections.abc import Callable
from dataclasses import replace

from autosyncd import clock
from autosyncd.link.channel import Link
from autosyncd.machine import machine_id
from autosyncd.model import RepoConfig
from autosyncd.service.journal import speak_for
from autosyncd.vcs.changes import ChangeSet
from autosyncd.vcs.git import sharing
from autosyncd.vcs.git.driver import GitDriver
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.outcomes import Question
from autosyncd.watch.instance import Instance
from autosyncd.worker import message, safety
from autosyncd.worker.engine import Herald, Mailbox
from autosyncd.worker.handover import Handover
from autosyncd.worker.keeper import Keeper
from autosyncd.worker.loop import Worker


def run(config: RepoConfig, link: Link, find: Callable[[], str | None]) -> int:
    """Called in the forked child; ends with the link. The exit status.

    `find` says where the repository really is, once it may be worked in; None: the worker is to end.
    """
    speak_for(config.name)
    ignore_breaks()
    instance = Instance()

    def shift(left: Handover | None) -> Handover | int:
        path = find() if left is None else left.path
        return 0 if path is None else _shift(config, path, link, instance, left)

    return Keeper(link, instance.fileno(), shift).run()


def afterwards() -> None:
    """Once no worker is left: end what they have kept for each other."""
    sharing.end_all(os.environ)


def _shift(
    given: RepoConfig, path: str, link: Link, instance: Instance, left: Handover | None
) -> Handover | int:
    """All that a worker does, in a child of its own. `path`: where the given one has led to."""
    config = replace(given, path=path)
    host = os.uname().nodename
    mailbox = Mailbox()

    def guard(changes: ChangeSet) -> Question | None:
        return safety.check(changes, config.safety)

    def compose(changes: ChangeSet, branch: str, description: str) -> str:
        around = message.Circumstances(
            repo=config.name,
            host=host,
            user=_user(),
            time=clock.stamp(clock.wall()),
            branch=branch,
        )
        return message.compose(config.message, changes, around, description)

    driver = GitDriver(
        config,
        guard=guard,
        compose=compose,
        watcher=Herald(mailbox),
        host=host,
        machine=machine_id(),
        environment=os.environ,
        written=given.path,
    )
    return Worker(config, link, mailbox, driver, instance).run(left)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
