"""The daemon on the session bus: how it is asked and steered.

Bus name org.autosync.Daemon, object /org/autosync/Daemon, interface org.autosync.Daemon1:

    ListRepositories() → aa{sv}    one dictionary a repository, see `details`
    Sync(s) Resume(s)              a repository's name; the empty name means all
    Pause(s, t)                    the name, and seconds (0: until resumed)
    Reload()                       read the configuration again
    Status                         property: the one line that systemd shows too
    RepositoryChanged(s, a{sv})    signal; an empty dictionary: no longer in the configuration
    Conflict(s, as)                signal: both versions of these files (the first few) were kept

A method returns when the request was passed on, not when it is done: the signals tell that. A name
nobody has answers with org.autosync.Error.UnknownRepository, a pause of more than ten years with
org.autosync.Error.InvalidArgument. Names and paths whose bytes are no UTF-8 have `\\xff` in them.
"""
# the annotations below are D-Bus signatures, dbus_fast's way to declare methods
# mypy: disable-error-code="name-defined, valid-type, syntax"

import logging
from collections.abc import Callable

from dbus_fast import Message, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.constants import PropertyAccess
from dbus_fast.errors import DBusError
from dbus_fast.service import ServiceInterface, dbus_property, method, signal

from autosyncd.desktop.bus import BUS, BUS_PATH, Text, call
from autosyncd.link.outside import (
    Asked,
    RepositoryStatus,
)
from autosyncd.service.journal import Event, fields

log = logging.getLogger("autosyncd")

NAME = "org.autosync.Daemon"
PATH = "/org/autosync/Daemon"
INTERFACE = "org.autosync.Daemon1"
UNKNOWN_REPOSITORY = "org.autosync.Error.UnknownRepository"
INVALID_ARGUMENT = "org.autosync.Error.InvalidArgument"
NO_SUCH = (
    "There is no repository of that name; `autosyncctl status` lists those there are. "
    "Nothing was done."
)
"""ASCII, without the name: an error's text can't be a `Text`."""
LONGEST_PAUSE = 10 * 366 * 86400
"""Seconds."""
IN_QUEUE = 2
"""RequestName's answer when somebody else has the name; it becomes ours when they leave."""
NO_CONNECTION, NO_NAME = "connection", "name"

Details = dict[str, Variant]


def details(row: RepositoryStatus) -> Details:
    """A repository as the bus shows it: name, path, status (a word of model.Status), reason,
    branch, head, remote (the remote's name), each s; since (d, seconds since 1970); and of a pause that
    ends by itself until (d, seconds since 1970)."""
    texts = {
        "name": row.repository,
        "path": row.path,
        "status": row.status.value,
        "reason": row.reason,
        "branch": row.branch,
        "head": row.head,
        "remote": row.remote,
    }
    shown = {key: Variant("s", Text(text)) for key, text in texts.items()}
    times = {"since": row.since, "until": row.until}
    known = {key: Variant("d", time) for key, time in times.items() if time is not None}
    return {**shown, **known}


class Control:
    """What the bus shows, and the connection it is shown on, if there is one."""

    def __init__(self, asked: Callable[[Asked], None]) -> None:
        self.asked = asked
        self.rows: dict[str, RepositoryStatus] = {}
        self.summary = ""
        self._daemon: _Daemon1 | None = None
        self._named = False
        self._complained = ""
        """What stands in the way since that was said: NO_CONNECTION, NO_NAME; empty: nothing."""

    async def attach(self, bus: MessageBus) -> None:
        """Show everything on this connection (desktop/bus.py: BusUser), when all others use it: a name
        that is ours means that the connection is good."""
        self._named = False
        self._daemon = _Daemon1(self)
        bus.export(PATH, self._daemon)
        bus.add_message_handler(self._heard)
        answer = await call(bus, (BUS, BUS_PATH, BUS), "RequestName", "su", [NAME, 0], returns="u")
        if answer == [IN_QUEUE] and not self._named:
            self._complain(NO_NAME, f"another process has the bus name {NAME}")

    def lost(self, reason: str) -> None:
        """Nobody can ask until the next `attach`."""
        self._daemon = None
        self._complain(NO_CONNECTION, reason)

    def show(self, row: RepositoryStatus) -> None:
        """A repository is new or has changed."""
        self.rows[row.repository] = row
        if self._daemon:
            self._daemon.RepositoryChanged(row.repository, details(row))

    def drop(self, repository: str) -> None:
        """A repository is no longer in the configuration."""
        del self.rows[repository]
        if self._daemon:
            self._daemon.RepositoryChanged(repository, {})

    def summarise(self, text: str) -> None:
        """The line about everything has changed."""
        self.summary = text
        if self._daemon:
            self._daemon.emit_properties_changed({"Status": Text(text)})

    def conflict(self, repository: str, paths: tuple[str, ...]) -> None:
        """Both versions of these files were kept."""
        if self._daemon:
            self._daemon.Conflict(repository, paths)

    def ask(self, verb: str, repository: str = "", argument: str = "") -> None:
        """Pass a request on. DBusError if nobody has that name."""
        if repository and repository not in self.rows:
            raise DBusError(UNKNOWN_REPOSITORY, NO_SUCH)
        self.asked(Asked(verb, repository, argument))

    def _heard(self, message: Message) -> None:
        """The name is ours (D-Bus Specification, NameAcquired), at once or when another has left it."""
        if message.sender == BUS and message.member == "NameAcquired" and message.body == [NAME]:
            self._named, self._complained = True, ""

    def _complain(self, obstacle: str, reason: str) -> None:
        if self._complained != obstacle:
            log.warning(
                "autosyncctl can't reach this daemon: %s. Everything else works; it is tried "
                "again quietly.",
                reason,
                extra=fields(event=Event.NO_BUS),
            )
        self._complained = obstacle


class _Daemon1(ServiceInterface):
    """The object on one connection; method names are D-Bus's."""

    def __init__(self, control: Control) -> None:
        super().__init__(INTERFACE)
        self._control = control

    @method()
    def ListRepositories(self) -> "aa{sv}":
        rows = self._control.rows
        return [details(rows[name]) for name in sorted(rows)]

    @method()
    def Sync(self, repository: "s") -> None:
        self._control.ask("sync", repository)

    @method()
    def Pause(self, repository: "s", seconds: "t") -> None:
        if seconds > LONGEST_PAUSE:
            raise DBusError(
                INVALID_ARGUMENT,
                f"A pause of {seconds} s can't be set: ten years is the longest, "
                "and 0 lasts until it is resumed.",
            )
        self._control.ask("pause", repository, str(seconds))

    @method()
    def Resume(self, repository: "s") -> None:
        self._control.ask("resume", repository)

    @method()
    def Reload(self) -> None:
        self._control.ask("reload")

    @dbus_property(access=PropertyAccess.READ)
    def Status(self) -> "s":
        return Text(self._control.summary)

    @signal()
    def RepositoryChanged(self, repository: str, changed: Details) -> "sa{sv}":
        return [Text(repository), changed]

    @signal()
    def Conflict(self, repository: str, paths: tuple[str, ...]) -> "sas":
        return [Text(repository), [Text(path) for path in paths]]
