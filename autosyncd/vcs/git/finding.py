"""Find the parts of the repository at a path, or say why it can't be worked in."""

import os
from collections.abc import Mapping

from autosyncd.errors import AutosyncError
from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.memory import recall
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.process import Runner

MINIMUM_GIT = (2, 38)
"""merge-tree --write-tree came with 2.38."""


class NotARepository(AutosyncError):
    """The folder can't be worked in; str() says why and what to do."""


def open_repository(
    path: str, runner: Runner, environment: Mapping[str, str], *, machine: str
) -> Repository:
    """Open a work tree and its state folder.

    Raises NotARepository with a sentence; nothing is created then.
    """
    root = os.fsencode(path)
    git = Git(root, runner, environment)
    _check_version(git)
    git_dir, common = _folders(git, path)
    state = os.fsencode(git_dir) + b"/autosync"
    os.makedirs(state, mode=0o700, exist_ok=True)
    common_dir = os.path.realpath(os.path.join(root, os.fsencode(common)))
    repository = Repository(
        git=git,
        root=root,
        git_dir=os.fsencode(git_dir),
        common_dir=common_dir,
        state=state,
        memory=recall(state, path, machine),
        object_format=git("rev-parse", "--show-object-format").text,
    )
    git.use_quiet_ssh()
    return repository


def _check_version(git: Git) -> None:
    words = git("--version").text.split()
    numbers = words[2].split(".") if len(words) > 2 else []
    version = tuple(int(number) for number in numbers[:2] if number.isdigit())
    if version < MINIMUM_GIT:
        found, wanted = (".".join(map(str, numbers)) for numbers in (version, MINIMUM_GIT))
        raise NotARepository(f"git {found} is too old; install git {wanted} or newer.")


def _folders(git: Git, path: str) -> tuple[str, str]:
    """The git directory and the common one, as git names them, of a work tree whose top is `path`."""
    asked = git(
        "rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir", ok=(0, 128)
    )
    if asked.code:
        if "dubious ownership" in asked.complaint:
            raise NotARepository(
                f"{path} belongs to somebody else, so git refuses to work in it; allow it with: "
                f"git config --global --add safe.directory {path}"
            )
        raise NotARepository(f"{path} is not a git repository; make it one with: git init {path}")
    bare, git_dir, common = asked.text.split("\n")[:3]
    if bare == "true":
        raise NotARepository(f"{path} is a bare repository: it has no files that could be edited.")
    top = git("rev-parse", "--show-toplevel").text
    if os.path.realpath(top) != os.path.realpath(path):
        raise NotARepository(f"{path} lies inside the repository {top}; list that one instead.")
    return git_dir, common
