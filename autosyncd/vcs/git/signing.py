"""commit.gpgsign: our commits are signed as the person's own are, if that goes without asking.

`git commit-tree` does not heed the setting (git-commit-tree(1)), so it is asked for. A key that wants a
passphrase, a touch or an agent that isn't there must neither stop the commit nor open a window: the
commit is then made without a signature, which is said once.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.repository import Repository

PATIENCE = 15.0
"""Seconds for a signature: a key that takes longer waits for somebody."""
WRAPPER = '#!/bin/sh\nexec {program} --batch --pinentry-mode=error "$@"\n'
"""gpg(1): `error` lets the agent use a passphrase that it knows, and never ask for one."""


def wanted(repository: Repository) -> bool:
    """Whether the person has their commits signed here (git-config(1), commit.gpgSign)."""
    said = repository.git("config", "--type=bool", "--get", "commit.gpgsign", ok=(0, 1, 128))
    return said.text == "true"


def commit_tree(
    repository: Repository, arguments: list[str], stdin: bytes, environment: Mapping[str, str]
) -> str:
    """git commit-tree with a signature, else without one."""
    try:
        return repository.git(
            *_settings(repository),
            "commit-tree",
            "-S",
            *arguments,
            stdin=stdin,
            environment={**environment, "DISPLAY": "", "WAYLAND_DISPLAY": "", "GPG_TTY": ""},
            timeout=PATIENCE,
        ).text
    except GitFailed as problem:
        _failed(repository, problem)
    made = repository.git("commit-tree", *arguments, stdin=stdin, environment=environment)
    return made.text


def to_tell(repository: Repository) -> str:
    """The sentence about commits without a signature, the first time it is asked for; else empty."""
    file = _record(repository)
    reason = file.read_text(encoding="utf-8") if file.exists() else ""
    if not reason or reason == "told":
        return ""
    file.write_text("told", encoding="utf-8")
    return (
        "commit.gpgsign is set, but the key can't sign without asking, so autosyncd's commits carry "
        f"no signature; an agent that knows the passphrase helps. ({reason})"
    )


def _failed(repository: Repository, problem: GitFailed) -> None:
    file = _record(repository)
    if not file.exists():
        words = "; ".join(problem.complaint.splitlines()[:2]) or str(problem)
        file.write_text(words, encoding="utf-8")


def _record(repository: Repository) -> Path:
    return Path(os.fsdecode(repository.state), "unsigned")


def _settings(repository: Repository) -> list[str]:
    """Let gpg never ask; ssh-keygen(1) does not without a terminal, since askpass is /bin/false."""
    if repository.git.config("gpg.format") not in ("", "openpgp"):
        return []
    named = repository.git.config("gpg.openpgp.program") or repository.git.config("gpg.program")
    wrapper = Path(os.fsdecode(repository.state), "gpg")
    text = WRAPPER.format(program=_quoted(named or "gpg"))
    if not wrapper.exists() or wrapper.read_text(encoding="utf-8") != text:
        wrapper.write_text(text, encoding="utf-8")
        wrapper.chmod(0o700)
    return ["-c", f"gpg.program={wrapper}", "-c", f"gpg.openpgp.program={wrapper}"]


def _quoted(program: str) -> str:
    return "'" + program.replace("'", "'\\''") + "'"
