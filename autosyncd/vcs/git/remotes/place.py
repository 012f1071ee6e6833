"""Where the remote leads, and where it led when both last agreed.

A person gives it another address, or chooses another remote. What is remembered of the branch there
(refs/autosync/seen, the remote-tracking branch) was true of the old place: an older copy elsewhere is
no history that was rewritten. It is remembered until the new place has been asked, and no longer.
"""

import os
from pathlib import Path

from autosyncd.vcs.git.repository import Repository

OF_ONE_PLACE = (b"own-refs-refused", b"snapshot-pushed")
"""Notes in the state folder that say nothing of another place."""


def is_another(repository: Repository) -> bool:
    """Whether the chosen remote leads elsewhere than when both last agreed."""
    known, now = repository.memory.place, _now(repository)
    return bool(known and now) and known != now


def forget_old(repository: Repository) -> None:
    """If it does: what was wrong with the old place is not with the new one."""
    for name in OF_ONE_PLACE if is_another(repository) else ():
        Path(os.fsdecode(repository.state + b"/" + name)).unlink(missing_ok=True)


def agreed(repository: Repository) -> None:
    """What is remembered of the remote's branch was seen where it leads now."""
    now = _now(repository)
    if now and repository.memory.place != now:
        repository.memory.place = now
        repository.remember()


def _now(repository: Repository) -> str:
    return repository.chosen[2] if repository.chosen is not None else ""
