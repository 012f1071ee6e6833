"""The checks of doctor.py: each looks at one thing and says what it found."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence

from autosyncd.config.load import Configuration, load, with_links
from autosyncd.config.places import as_written
from autosyncd.control.client import reach, system_instance
from autosyncd.control.finding import Finding, hint, ok, problem
from autosyncd.control.remotes import check_repository, uses_ssh
from autosyncd.control.render import Row
from autosyncd.control.survey import counted
from autosyncd.control.xmpp import check_account
from autosyncd.errors import AutosyncError, NotReachable
from autosyncd.model import RepoConfig
from autosyncd.vcs.git import agent
from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.finding import MINIMUM_GIT
from autosyncd.vcs.git.ssh import Ssh
from autosyncd.vcs.process import Runner
from autosyncd.watch.limits import Limits, read_limits, watch_shortage

OWN_INSTANCES = 1
"""inotify instances beside one for each repository: the configuration's."""
QUICK = 5.0
"""Seconds for a command that only asks the own machine."""


def every_check() -> Iterator[Finding]:
    """Everything, in the order in which a person would mend it."""
    git = git_version()
    yield git
    configuration = with_links(load(None, environment=os.environ, real=as_written))
    yield from configured(configuration)
    folders = 0
    if git.level is not git.level.PROBLEM:
        for config in configuration.repositories:
            count, found = check_repository(config)
            folders += count
            yield from found
    yield from watch_limits(folders, len(configuration.repositories), read_limits())
    yield from ssh_agent(configuration.repositories, os.environ)
    if configuration.outside.xmpp:
        yield from check_account(configuration.outside.xmpp)
    yield from daemon()
    yield from lingering()
    yield from lasting_journal()


def git_version() -> Finding:
    """git is there and new enough for merge-tree --write-tree."""
    wanted = ".".join(map(str, MINIMUM_GIT))
    try:
        words = Git(b"/", Runner(), os.environ)("--version").text.split()
    except (OSError, AutosyncError) as reason:
        return problem("git", f"can't be run ({reason}); install git {wanted} or newer")
    numbers = [int(part) for part in words[2].split(".") if part.isdigit()] if words[2:] else []
    if tuple(numbers[:2]) < MINIMUM_GIT:
        return problem("git", f"{' '.join(words[2:3])} is too old; install {wanted} or newer")
    return ok("git", words[2])


def configured(configuration: Configuration) -> Iterator[Finding]:
    """Every problem of every file, and how many repositories are left."""
    for one in configuration.problems:
        yield problem("configuration", str(one))
    count = len(configuration.repositories)
    if count:
        yield ok("configuration", "1 repository" if count == 1 else f"{count} repositories")
    else:
        yield hint("configuration", "no repository yet; add one with: autosyncctl add PATH")


def watch_limits(folders: int, repositories: int, limits: Limits) -> Iterator[Finding]:
    """The kernel's limits of inotify, which all programs of a user share (inotify(7))."""
    if limits.watches is None:
        yield hint("watches", "the limit could not be read from /proc/sys/fs/inotify")
    elif folders > limits.watches:
        yield problem("watches", watch_shortage(limits.watches, folders - limits.watches, limits))
    else:
        yield ok("watches", f"{counted(folders, 'folder')}; {limits.watches:,} may be watched")
    needed = repositories + OWN_INSTANCES
    if limits.instances is not None and needed > limits.instances:
        key, roomy = limits.instances_key, max(1024, 2 * needed)
        yield problem(
            "watches",
            f"{needed} inotify instances are needed and {limits.instances} allowed; "
            f"to allow more: sudo sysctl {key}={roomy}",
        )


def ssh_agent(
    repositories: Sequence[RepoConfig], environment: Mapping[str, str]
) -> Iterator[Finding]:
    """A key with a passphrase needs an agent, and the service looks for one by itself: as it will do
    that when a server refuses it, whatever this terminal knows."""
    names = [config.name for config in repositories if uses_ssh(config)]
    if not names:
        return
    services = {key: value for key, value in environment.items() if key != "SSH_AUTH_SOCK"}
    found = agent.find(services, lambda: Ssh(Runner(), "ssh").told(services))
    if found is not None and found.keys:
        yield ok("ssh-agent", f"{found.address} holds {counted(found.keys, 'key')}")
    else:
        yield hint("ssh-agent", f"for {', '.join(names)}: {agent.remedy(found)}")


def daemon() -> Iterator[Finding]:
    """The daemon answers on the session bus, and no repository waits for a person."""

    async def ask() -> tuple[list[Row], str]:
        async with reach() as client:
            return await client.repositories(), await client.summary()

    try:
        rows, summary = asyncio.run(ask())
    except NotReachable as reason:
        yield (hint if system_instance() else problem)("daemon", str(reason))
        return
    except AutosyncError as reason:
        yield problem("daemon", f"it answers with an error: {reason}")
        return
    yield ok("daemon", summary)
    for row in rows:
        if row.alarming:
            yield problem(row.name, f"{row.status}: {row.reason}")


def lingering() -> Iterator[Finding]:
    """Whether the person's services go on while they are not logged in (loginctl(1))."""
    said = _asked("loginctl", "show-user", str(os.getuid()), "--property=Linger", "--value")
    if said == "yes":
        yield ok("lingering", "autosyncd also runs while you are not logged in")
    elif said == "no":
        yield hint(
            "lingering",
            'autosyncd ends when you log out; to let it run: sudo loginctl enable-linger "$USER"',
        )


def lasting_journal(root: str = "/") -> Iterator[Finding]:
    """Whether the journal outlives a restart (journald.conf(5), Storage=auto)."""
    if not os.path.isdir(os.path.join(root, "run/systemd/system")):
        return
    if os.path.isdir(os.path.join(root, "var/log/journal")):
        yield ok("journal", "it outlives a restart")
    else:
        yield hint(
            "journal",
            "what happened before a restart is forgotten; to keep it: sudo mkdir /var/log/journal",
        )


def _asked(*argv: str) -> str:
    """What a program of the system says; empty if it is absent or can't say."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = Runner().run(argv, cwd="/", env=environment, timeout=QUICK)
    except OSError:
        return ""
    return done.out.decode(errors="replace").strip() if done.code == 0 else ""
