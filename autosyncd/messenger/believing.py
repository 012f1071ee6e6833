"""Pure: which notices from outside are passed on, and how much of each."""

from collections.abc import Mapping
from dataclasses import replace

from autosyncd.link.messages import cut
from autosyncd.link.outside import Heard
from autosyncd.model import Channel
from autosyncd.transport.base import Interest

NAME_LIMIT = 255
"""Characters of a branch, head, tree, source or host in a notice; a longer one is no notice."""
CHANNELS_LIMIT = 8


def believable(heard: Heard, wanted: Mapping[Channel, Interest]) -> Heard | None:
    """A notice, if it is for us and short enough for a link, whoever wrote it."""
    notice = heard.notice
    ours = tuple(channel for channel in notice.channels if channel in wanted)[:CHANNELS_LIMIT]
    if not ours or len(notice.branch) > NAME_LIMIT or len(notice.head) > NAME_LIMIT:
        return None
    if len(notice.tree) > NAME_LIMIT or len(notice.source or "") > NAME_LIMIT:
        return None
    notice = replace(notice, channels=ours, host=cut(notice.host, NAME_LIMIT))
    return replace(heard, notice=notice, sender=cut(heard.sender, NAME_LIMIT))
