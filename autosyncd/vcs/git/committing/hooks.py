"""The person's own hooks before a commit (githooks(5)), run on the private index if that is wanted.

Otherwise none of them runs: they may ask, take long, or decline what is only half written. `git hook
run` starts them as `git commit` would (git-hook(1)), in the top folder of the tree.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from autosyncd.vcs.git.command import GitFailed, Result
from autosyncd.vcs.git.repository import Repository

PRE_COMMIT, COMMIT_MSG, PRE_PUSH = "pre-commit", "commit-msg", "pre-push"
PATIENCE = 300.0
"""Seconds after which a hook is ended: it is likely to wait for somebody."""
WORDS = 400
"""Characters of a hook's words that are shown."""


@dataclass(frozen=True, slots=True)
class Declined:
    """A hook does not let the commit be made; `text` is a sentence with its words."""

    hook: str
    text: str


def installed(repository: Repository) -> tuple[str, ...]:
    """Those of the two that are there and may be executed."""
    folder = _folder(repository)
    return tuple(name for name in (PRE_COMMIT, COMMIT_MSG) if _may_run(folder / name))


def path_of(repository: Repository, name: str) -> str | None:
    """Where a hook lies, if it is there and may be executed."""
    file = _folder(repository) / name
    return os.fspath(file) if _may_run(file) else None


def _may_run(file: Path) -> bool:
    return os.access(file, os.X_OK) and file.is_file()


def silence(repository: Repository) -> str:
    """What to say once where hooks are installed and do not run; else an empty text."""
    names = installed(repository)
    if not names:
        return ""
    verb = "does" if len(names) == 1 else "do"
    return (
        f"{' and '.join(names)} {verb} not run for autosyncd's own commits here; "
        "to let them: commit_hooks: true"
    )


def before_commit(repository: Repository, index: bytes, message: str) -> str | Declined:
    """Run both as `git commit` does; pre-commit may change the index, so its tree is to be written
    afterwards. The message as commit-msg leaves it, or why there is to be no commit."""
    names = installed(repository)
    if PRE_COMMIT in names:
        declined = _run(repository, PRE_COMMIT, index)
        if declined is not None:
            return declined
    if COMMIT_MSG not in names:
        return message
    file = Path(os.fsdecode(repository.state), "COMMIT_EDITMSG")
    file.write_text(message, encoding="utf-8", errors="replace")
    declined = _run(repository, COMMIT_MSG, index, os.fspath(file))
    if declined is not None:
        return declined
    changed = file.read_text(encoding="utf-8", errors="replace")
    return changed if changed.strip() else message


def _run(repository: Repository, name: str, index: bytes, *arguments: str) -> Declined | None:
    try:
        said = _start(repository, name, index, arguments)
    except GitFailed as problem:  # only a deadline: every status is expected
        text = f"The hook {name} {_reason(problem)}; nothing is committed or synced."
        return Declined(name, text)
    if said.code == 0:
        return None
    # git sends a hook's standard output to standard error (git-hook(1))
    words = " ".join(said.complaint.split())[:WORDS] or f"status {said.code}"
    text = f"Nothing is committed or synced, since the hook {name} declines: {words}"
    return Declined(name, text)


def _start(repository: Repository, name: str, index: bytes, arguments: tuple[str, ...]) -> Result:
    where = f"core.hooksPath={_folder(repository)}"
    return repository.git(
        "-c",
        where,
        "hook",
        "run",
        name,
        *(("--", *arguments) if arguments else ()),
        ok=range(-64, 256),
        index=index,
        environment={"GIT_EDITOR": ":"},
        timeout=PATIENCE,
    )


def _reason(problem: GitFailed) -> str:
    return f"took longer than {PATIENCE:.0f} s" if problem.timed_out else "could not be run"


def _folder(repository: Repository) -> Path:
    """core.hooksPath as the person has it (our own commands set it to nothing, last), else hooks."""
    said = repository.git("config", "--path", "--get-all", "core.hooksPath", ok=(0, 1))
    own = said.text.split("\n")[:-1]
    if own:
        return Path(os.fsdecode(repository.root), own[-1])
    return Path(os.fsdecode(repository.common_dir), "hooks")
