"""Pure: the exception tree.

An outcome that can be expected (a rejected push, a remote that is away) is a value, see
vcs/outcomes.py. What is raised here leaves a room: the caller can do nothing with it but stop or say so.
Each text is a sentence: what could not be done, why, what happens next.
"""


class AutosyncError(Exception):
    """Everything this project raises on purpose."""


class ConfigError(AutosyncError):
    """The configuration can't be used; str() is every problem, one a line, as file:line: text."""


class LinkClosed(AutosyncError):
    """The process at the other end of a link is gone."""


class WatchLimit(AutosyncError):
    """The kernel's limit of inotify watches or instances is reached; str() says how to raise it."""


class ChildAborted(AutosyncError):
    """A child was ended on purpose (shutdown, a newer order) before it was done."""


class NotReachable(AutosyncError):
    """No daemon answers on the session bus."""


class Unwritten(AutosyncError):
    """Standard output takes no more; str() is empty where its reader has gone, who wants no sentence."""
