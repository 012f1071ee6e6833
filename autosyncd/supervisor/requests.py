"""Pure: what a person asks for, as the order that workers understand."""

from autosyncd.link.messages import (
    Describe,
    Message,
    Pause,
    Resume,
    SyncNow,
)
from autosyncd.link.outside import (
    Asked,
)


def order_of(request: Asked, wall: float) -> Message | None:
    """The order, None if no worker does such a thing. `wall`: seconds since 1970."""
    match request.verb:
        case "sync":
            return SyncNow()
        case "pause" if request.argument.isdecimal():
            seconds = int(request.argument)
            return Pause(wall + seconds if seconds else None)
        case "resume":
            return Resume()
        case "describe":
            return Describe(request.argument)
        case _:
            return None
