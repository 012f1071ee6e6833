"""What is remembered of a tree, in its state folder."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autosyncd.vcs.statefile import replace

MEMORY = b"/memory.json"
"""In the state folder."""


@dataclass(slots=True)
class TreeMemory:
    """What must outlive the process."""

    tree: str = ""
    machine: str = ""
    path: str = ""
    branch: str = ""
    adopted: bool = False
    published: str = ""
    """The branch that was seen or made on the remote: if it is gone, somebody removed it."""
    place: str = ""
    """Where the remote led (remotes/place.py) when both last agreed; empty: they have not yet."""
    roots: list[str] = field(default_factory=list)
    """The branch's first commits; none: they are still to be asked for."""
    filters: list[str] = field(default_factory=list)
    """Names of filters that changed files both ways here, once (verbs/settings.py)."""
    owes: bool = False
    """Whether a further address may be without what was pushed (remotes/publish.py)."""


def stored(state: bytes) -> dict[str, object] | None:
    """What is written down; None when there is nothing, or it is damaged."""
    try:
        said = json.loads(Path(os.fsdecode(state + MEMORY)).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def recall(state: bytes, path: str, machine: str) -> TreeMemory:
    """The memory of the tree at `path`; one copied from elsewhere gets an id of its own."""
    try:
        memory = TreeMemory(**(stored(state) or {}))  # type: ignore[arg-type]
    except TypeError:
        memory = TreeMemory()
    if (memory.machine, memory.path) != (machine, path) or not memory.tree:
        memory.tree, memory.machine, memory.path = secrets.token_hex(16), machine, path
    return memory


def remember(state: bytes, memory: TreeMemory) -> None:
    """Write the memory down."""
    replace(state + MEMORY, json.dumps(asdict(memory)).encode(), durable=True)
