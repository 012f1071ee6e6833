"""Housekeeping: a year of one commit a minute must stay fast.

Our calls never start git's own `gc` (it would run in the middle of something else, and prune what a
person may still want); so packing is done here, when the repository is at rest.
"""

import os

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.repository import Repository

LOOSE_LIMIT = 5000
"""Loose objects beyond which they are packed; a commit makes three to five."""
SAMPLE = b"17"
"""One of the 256 folders of loose objects; git's own gc estimates from this one too."""


def loose_objects(repository: Repository) -> int:
    """About how many there are, from one folder of 256."""
    try:
        return len(os.listdir(repository.common_dir + b"/objects/" + SAMPLE)) * 256
    except FileNotFoundError:
        return 0


def housekeep(repository: Repository) -> bool:
    """Pack if it is worth it; whether it was. Nothing that is unreachable is thrown away."""
    if loose_objects(repository) < LOOSE_LIMIT:
        return False
    # git-repack(1): new packs of doubling size, so that each object is packed a few times in all
    repository.git("repack", "-d", "-q", "--geometric=2", timeout=LONG)
    repository.git("prune-packed", "-q", timeout=LONG)
    repository.git("commit-graph", "write", "--reachable", "--split", timeout=LONG)
    return True
