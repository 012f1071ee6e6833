"""Paths with a commit each, on record in a state file."""

import json
import os
from pathlib import Path

from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.statefile import replace

PathCommits = dict[bytes, str]
"""Path → commit."""


def recall(repository: Repository, name: str) -> PathCommits:
    """The record of this name, empty when there is none."""
    try:
        stored = json.loads(file_of(repository, name).read_text(encoding="ascii"))
        return {bytes.fromhex(path): str(commit) for path, commit in stored.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def write(repository: Repository, name: str, record: PathCommits, *, durable: bool) -> None:
    """Write it down, whole or not at all."""
    text = json.dumps({path.hex(): commit for path, commit in record.items()})
    replace(file_of(repository, name), text.encode("ascii"), durable=durable)


def file_of(repository: Repository, name: str) -> Path:
    """Where it lies."""
    return Path(os.fsdecode(repository.state), name)
