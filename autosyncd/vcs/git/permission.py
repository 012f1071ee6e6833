"""May we write where git has to? Asked when something has failed, since git's words seldom say so.

After a `sudo git commit` some folders below .git belong to root; one that was copied from a read-only
place may have lost its write permission.
"""

import os
import pwd
import shlex
from collections.abc import Iterator

from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import Failed, LeftOut

NOT_WRITABLE = "not-writable"


def refused(repository: Repository) -> Failed | None:
    """What can't be written, whose it is, and the command that helps."""
    for place in _places(repository):
        if not os.access(place, os.W_OK | os.X_OK):
            return Failed(NOT_WRITABLE, _told(place, repository))
    return None


def untakeable(left_out: tuple[LeftOut, ...]) -> bool:
    """Whether git could not take a file for a reason that may be none of the file's."""
    return any("insufficient permission" in one.text for one in left_out)


def _told(place: bytes, repository: Repository) -> str:
    name, top = os.fsdecode(place), shlex.quote(os.fsdecode(repository.common_dir))
    owner = os.stat(place).st_uid
    if owner == os.geteuid():
        whose, help_ = "you have taken away the permission", f"chmod -R u+rwX {top}"
    else:
        mine = _name_of(os.geteuid())
        whose = f"it belongs to {_name_of(owner)} (was git run with sudo?)"
        help_ = f"sudo chown -R {mine}: {top}"
    return f"{name} can't be written, since {whose}. Put it right with: {help_}; it is tried again."


def _name_of(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _places(repository: Repository) -> Iterator[bytes]:
    """Folders in which git makes files."""
    yield from (repository.git_dir, repository.common_dir, repository.state)
    for part in (b"/objects", b"/refs", b"/logs"):
        for folder, _, _ in os.walk(repository.common_dir + part):
            yield folder
