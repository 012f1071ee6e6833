"""The messenger's process: one asyncio loop for all that is outside.

The supervisor imports this file before it forks, so nothing heavy is imported until `run`.
"""

import logging
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autosyncd.link.channel import Link
    from autosyncd.model import OutsideConfig

log = logging.getLogger("autosyncd")


def run(outside: "OutsideConfig", link: "Link") -> int:
    """Serve until the link ends or Shutdown comes; 0, or 1 after a bug, which is logged.

    To be called in a process of its own: SIGTERM, which the kernel sends when the supervisor dies,
    ends that process at once, whatever its loop is doing.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if outside.fanout is None and outside.xmpp is None:
        # a bus needs no TLS; asyncio brings it along where it can, and 1.5 MiB with it
        sys.modules["ssl"] = None  # type: ignore[assignment]  # so is said that there is none
    try:
        import asyncio

        from autosyncd.messenger.loop import Messenger

        asyncio.run(Messenger(outside, link).run())
    except Exception:
        log.exception("The messenger ended because of a bug; it is started again.")
        return 1
    finally:
        link.close()
    return 0
