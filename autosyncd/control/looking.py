"""Look at a folder that is to be added, as the worker will see it, and change nothing in it."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from autosyncd.control import branches
from autosyncd.control.survey import File, Survey
from autosyncd.errors import AutosyncError
from autosyncd.machine import machine_id
from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.git import excludes
from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.committing import survey
from autosyncd.vcs.git.committing.filefacts import facts_on_disk
from autosyncd.vcs.git.condition import current_branch, obstacle
from autosyncd.vcs.git.finding import open_repository
from autosyncd.vcs.git.memory import TreeMemory
from autosyncd.vcs.git.remotes import remote
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.process import Runner

NEW_BRANCH = "main"
ANSWER_WITHIN = 10.0
"""Seconds a remote has to say which branches it has."""


def is_repository(path: str) -> bool:
    """Whether git finds a repository in or above the folder, or something that looks like one."""
    git = Git(os.fsencode(path), Runner(), os.environ)
    said = git("rev-parse", "--git-dir", ok=(0, 128))
    missing = said.code != 0 and "not a git repository" in said.complaint
    return not missing or os.path.lexists(os.path.join(path, ".git"))


@contextmanager
def opened(path: str) -> Iterator[Repository]:
    """The repository at a folder, or for one that is none yet, what `git init` would make of it.

    The state folder is gone afterwards, unless something was remembered in it. NotARepository if
    the folder can't be worked in.
    """
    if not is_repository(path):
        with _imagined(path) as repository:
            yield repository
        return
    repository = open_repository(path, Runner(), os.environ, machine=machine_id())
    try:
        yield repository
    finally:
        repository.rest()
        if not os.path.exists(repository.state + b"/memory.json"):
            shutil.rmtree(repository.state)


@contextmanager
def _imagined(path: str) -> Iterator[Repository]:
    """An empty repository elsewhere whose work tree is the folder (git-config(1), core.worktree)."""
    with tempfile.TemporaryDirectory(prefix="autosync-") as elsewhere:
        git = Git(os.fsencode(elsewhere), Runner(), os.environ)
        git("init", "--quiet", "-b", NEW_BRANCH)
        git("config", "core.worktree", path)
        git_dir = os.fsencode(elsewhere) + b"/.git"
        os.mkdir(git_dir + b"/autosync")
        memory = TreeMemory(branch=NEW_BRANCH)
        repository = Repository(
            git, os.fsencode(path), git_dir, git_dir, git_dir + b"/autosync", memory
        )
        try:
            yield repository
        finally:
            repository.rest()


def make_repository(path: str) -> None:
    """git init -b main."""
    Git(os.fsencode(path), Runner(), os.environ)("init", "--quiet", "-b", NEW_BRANCH)


def branch(repository: Repository, config: RepoConfig) -> str:
    """The branch that will be synced (opening.py chooses so). AutosyncError: there is none."""
    found = config.branch or repository.memory.branch or current_branch(repository)
    if found is None:
        raise AutosyncError(
            "HEAD is detached, so it is not known which branch to sync; git switch to one, then add "
            "the folder again."
        )
    return found


def look(repository: Repository, config: RepoConfig, *, new: bool) -> Survey:
    """What the worker would do here first."""
    repository.memory.branch = branch(repository, config)
    excludes.install(repository, config)
    found = survey.differences(repository, EVERYTHING, index=repository.index)
    facts = facts_on_disk(repository.root)
    plan = survey.plan(found, facts, large_file=config.large_file)
    left_out = _ignored(repository, config)
    for one in (*plan.left_out, *excludes.held_secrets(repository, None)):
        left_out.setdefault(one.kind, []).append(one.path)
    chosen = remote.choose(repository, config)
    waiting = None if new else obstacle(repository)
    return Survey(
        path=config.path,
        name=config.name,
        branch=repository.memory.branch,
        remote=chosen or "",
        url=remote.address(repository, chosen),
        push=config.push,
        files=tuple(File(os.fsdecode(path), facts(path).size) for path in plan.take),
        unpushed=_unpushed(repository, chosen),
        left_out={kind: tuple(map(os.fsdecode, names)) for kind, names in left_out.items()},
        apart=branches.missing(repository, config, chosen, within=ANSWER_WITHIN),
        obstacle=waiting.text if waiting else "",
        new_repository=new,
    )


def _unpushed(repository: Repository, name: str | None) -> int:
    if name is None or repository.head is None:
        return 0
    known = f"--remotes={name}"
    return int(repository.git("rev-list", "--count", repository.head, "--not", known, "--").text)


def _ignored(repository: Repository, config: RepoConfig) -> dict[str, list[bytes]]:
    """Files and whole folders that some pattern leaves out, by kind; our secret names apart."""
    ask = ("ls-files", "-z", "--others", "--ignored", "--exclude-standard")
    names = repository.git(*ask, "--directory").records
    named = excludes.matches(repository, names)
    reasons = {path: (source, pattern) for source, _, pattern, path in named}
    if mixed := [name for name in names if name not in reasons]:
        # folders that no pattern names, but each file in them
        below = repository.git("--literal-pathspecs", *ask, "--", *mixed).records
        for source, _, pattern, path in excludes.matches(repository, below):
            reasons[path] = (source, pattern)
    kinds: dict[str, list[bytes]] = {}
    for path, (source, pattern) in sorted(reasons.items()):
        kind = _kind(source, os.fsdecode(pattern), config)
        if kind:
            kinds.setdefault(kind, []).append(path)
    return kinds


def _kind(source: bytes, pattern: str, config: RepoConfig) -> str:
    if not source.endswith(b"/autosync/excludes"):
        return "ignored"
    if pattern in config.exclude:
        return "exclude"
    if pattern in excludes.SECRETS:
        return ""
    return "junk" if pattern in excludes.JUNK else "ignored"
