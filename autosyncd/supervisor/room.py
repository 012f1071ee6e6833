"""Which repositories the limit of open files leaves room for, and what is said of the others."""

import logging
from collections.abc import Sequence

from autosyncd.link.messages import cut
from autosyncd.link.outside import Alert, Withdraw
from autosyncd.model import AlertKind, RepoConfig
from autosyncd.service.journal import Event, fields
from autosyncd.supervisor.descriptors import allowed_now, room_for
from autosyncd.supervisor.herald import Herald

OTHERS = 1
"""Children beside the workers: the messenger."""
NAMED = 3
"""Repositories that are named; the rest is counted."""
LONGEST_NAME = 60
"""Characters of each: the text has to cross a link."""
REASON = (
    "there is no room for it: autosyncd may not have more files open (LimitNOFILE=). It begins at a "
    "reload for which there is room"
)
"""Why a repository has no worker, for its row."""
TOPIC = "files"

log = logging.getLogger("autosyncd")


class Room:
    """The limit is raised as far as it goes; where that is not enough, those listed last go without."""

    def __init__(self, herald: Herald) -> None:
        self._herald = herald
        self._said = ""

    def without(self, wanted: Sequence[RepoConfig]) -> frozenset[str]:
        """The paths of those that there is no room for; told to the journal once, and to the person as
        long as it lasts."""
        room = max(0, room_for(len(wanted) + OTHERS) - OTHERS)
        left = wanted[room:]
        text = _shortage([config.name for config in left], len(wanted), room)
        if text and text != self._said:
            log.error("%s", text, extra=fields(event=Event.FILE_LIMIT))
            title = "autosync: too many repositories"
            self._herald.alert(Alert("", AlertKind.PROBLEM, TOPIC, title, text))
        elif not text:
            self._herald.withdraw(Withdraw("", TOPIC))
        self._said = text
        return frozenset(config.path for config in left)


def _shortage(names: Sequence[str], wanted: int, room: int) -> str:
    if not names:
        return ""
    named = ", ".join(cut(name, LONGEST_NAME) for name in names[:NAMED])
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return (
        f"{len(names)} of {wanted} repositories are not synced ({named}{more}), because autosyncd may "
        f"have {allowed_now()} files open, which is enough for {room}; those go on. To allow more, "
        "raise LimitNOFILE= of the service (systemd.exec(5)) and start it anew."
    )
