"""The checks of doctor.py that look into each repository: its folders, its author, its remote."""

import os
from collections.abc import Iterator

from autosyncd.control import branches
from autosyncd.control.branches import Branches
from autosyncd.control.finding import Finding, hint, ok, problem
from autosyncd.control.looking import branch
from autosyncd.errors import AutosyncError
from autosyncd.machine import machine_id
from autosyncd.model import RepoConfig
from autosyncd.vcs.git import excludes, history
from autosyncd.vcs.git.complaint import away
from autosyncd.vcs.git.finding import open_repository
from autosyncd.vcs.git.remotes import remote
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.silence import SILENT, TOO_LONG
from autosyncd.vcs.process import Runner
from autosyncd.watch.limits import unreliable
from autosyncd.watch.listing import count_folders

ANSWER_WITHIN = 20.0
"""Seconds a remote has to answer."""
SSH = ("ssh://", "git+ssh://", "ssh+git://")


def check_repository(config: RepoConfig) -> tuple[int, list[Finding]]:
    """How many folders have to be watched, and what was found."""
    if not os.path.isdir(config.path):
        return 0, [problem(config.name, f"{config.path} isn't there; make it, or remove the entry")]
    try:
        repository = open_repository(config.path, Runner(), os.environ, machine=machine_id())
        repository.memory.branch = branch(repository, config)
        try:
            return _folders(repository), list(_look(repository, config))
        finally:
            repository.rest()
    except (AutosyncError, OSError) as reason:
        return 0, [problem(config.name, str(reason))]


def uses_ssh(config: RepoConfig) -> bool:
    """Whether the repository's remote is reached through ssh."""
    try:
        repository = open_repository(config.path, Runner(), os.environ, machine=machine_id())
        chosen = remote.choose(repository, config)
        return chosen is not None and is_ssh(repository.git("remote", "get-url", chosen).text)
    except (AutosyncError, OSError):
        return False


def is_ssh(url: str) -> bool:
    """ssh://… or the short form HOST:PATH (git-clone(1), "GIT URLS")."""
    host, colon, _ = url.partition(":")
    return url.startswith(SSH) or (
        "://" not in url and bool(colon) and bool(host) and "/" not in host
    )


def _folders(repository: Repository) -> int:
    ignored = set(excludes.ignored_folders(repository))
    return count_folders(repository.root, b"", ignored, lambda _count: None)


def _look(repository: Repository, config: RepoConfig) -> Iterator[Finding]:
    kind = unreliable(repository.root)
    if kind is not None:
        yield hint(
            config.name,
            f"it lies on {kind}, where the kernel is not told of other machines' changes; they are "
            "noticed by looking through the tree from time to time",
        )
    note = history.author(repository, os.uname().nodename).note
    if note:
        yield hint(config.name, note)
    yield reachable(repository, config)


def reachable(repository: Repository, config: RepoConfig) -> Finding:
    """The remote answers, and does so without asking anybody."""
    chosen = remote.choose(repository, config)
    if chosen is None:
        if config.remote not in ("auto", "none"):
            text = f"there is no remote named {config.remote}; see: git remote -v"
            return problem(config.name, text)
        text = "no remote, so commits stay here"
        return (
            ok(config.name, text)
            if config.remote == "none"
            else hint(config.name, f"{text}; to add one: git remote add origin URL")
        )
    said = branches.ask(repository, chosen, within=ANSWER_WITHIN)
    if said.code == 0:
        narrow = branches.is_narrow(repository, chosen)
        there = branches.read(said.out.splitlines(), narrow=narrow)
        return met(config.name, chosen, there, repository.memory.branch)
    if said.complaint.startswith((SILENT, TOO_LONG)):
        text = (
            f"{chosen} does not answer within {ANSWER_WITHIN:.0f} s; see whether the network is up"
        )
        return problem(config.name, text)
    return problem(config.name, away(said.complaint, chosen).text)


def met(what: str, remote: str, there: Branches, branch: str) -> Finding:
    """Whether other machines can be met on a remote that answers, where this branch is synced here."""
    if not there.names:
        return ok(what, f"{remote} answers")
    other = there.likely
    how = f"{there.going_there(remote)}, with `branch: {other}` in the entry"
    instead = f"to sync {other} here: {how}"
    if told := there.told(remote, branch):
        return problem(what, f"{told}, which is synced here: nothing comes from there; {instead}")
    if there.main not in ("", branch):
        text = f"{remote} answers; its own branch is {other}, and {branch} is synced here"
        return hint(what, f"{text}: machines that sync {other} are not met; {instead}")
    return ok(what, f"{remote} answers")
