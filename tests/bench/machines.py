"""What several benchmarks start from: a hub that is in use, a daemon at rest."""

import time
from pathlib import Path

from tests.bench.usage import cpu_seconds
from tests.daemons import Daemon, clone, git, hub


def seeded_hub(folder: Path) -> Path:
    """A hub with one commit, so that no edit pays for the very first push."""
    shared = hub(folder)
    first = clone(shared, folder / "first")
    (first / "todo.md").write_text("water the plants\n")
    git(first, "add", "todo.md")
    git(first, "commit", "-qm", "first")
    git(first, "push", "-q", "origin", "main")
    return shared


def at_rest(machine: Daemon, moment: float = 1.0) -> None:
    """Wait until it has used no processor time for a moment (seconds)."""
    used = -1.0
    while used != (now := cpu_seconds(machine.processes())):
        used = now
        time.sleep(moment)
