"""Bubbles on the person's desktop (Desktop Notifications Specification 1.2).

Without a notification server nothing is shown; what matters waits and is shown when one comes, as
at login, when this service is there before the desktop is. The server ties a bubble to the
connection that made it, so the connection stays open.
"""

import asyncio

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from autosyncd.desktop.bus import BUS, CallFailed, call, listen

SERVER = "org.freedesktop.Notifications"
SERVER_PATH = "/org/freedesktop/Notifications"
NOTIFICATIONS = (SERVER, SERVER_PATH, SERVER)
APPLICATION = "autosync"
DEFAULT_EXPIRY = -1
KEPT = 20
"""Bubbles that wait for a notification server at most; the oldest go first."""
TRIES = 3
"""How often a server is asked to show one and does not, until it is no longer asked. Some refuse one
because there were many just now, and take it later."""

SILENT = (f"{BUS}.Error.NoReply", f"{BUS}.Error.Disconnected")
"""Names of the errors by which a server that was there says nothing any more."""

Key = tuple[str, str]
Wanted = tuple[str, str, int]
"""Title, text, urgency; an urgency of 0 isn't worth waiting for a server."""


class Alerts:
    """Shows and closes bubbles. A bubble is known by its key; the newest replaces the older."""

    def __init__(self) -> None:
        self._bus: MessageBus | None = None
        self._wanted: dict[Key, Wanted | None] = {}
        """What is not shown yet; None: to be closed."""
        self._tried: dict[Key, int] = {}
        """How often, where a server was there and did not take it."""
        self._shown: dict[Key, int] = {}
        self._telling: Key | None = None
        """What the server is being told of just now: it may be shown a moment later."""
        self._markup: bool | None = None
        """Whether the server reads `<`; None: not asked yet."""
        self._changed = asyncio.Event()

    def show(self, key: Key, title: str, text: str, urgency: int) -> None:
        """Show plain text in the place of the bubble with the same key; urgency 0 to 2."""
        self._want(key, (title, text, urgency))

    def close(self, key: Key) -> None:
        """Close the bubble with this key, if it is shown."""
        if key in self._shown or key == self._telling:
            self._want(key, None)
        else:
            self._wanted.pop(key, None)
            self._tried.pop(key, None)

    async def attach(self, bus: MessageBus) -> None:
        """Use this connection (desktop/bus.py: BusUser)."""
        bus.add_message_handler(self._heard)
        await listen(bus, f"type='signal',interface='{SERVER}',member='NotificationClosed'")
        await listen(bus, f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{SERVER}'")
        self._bus = bus
        self._changed.set()

    def lost(self, reason: str) -> None:  # noqa: ARG002 (a person without a bus sees no bubble)
        """The bubbles shown so far are nobody's any more."""
        self._bus = None
        self._forget_server()

    async def run(self) -> None:
        """Hand the bubbles over one by one, in order, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._hand_over()

    def _want(self, key: Key, wanted: Wanted | None) -> None:
        self._wanted.pop(key, None)
        self._tried.pop(key, None)
        self._wanted[key] = wanted
        while len(self._wanted) > KEPT:
            del self._wanted[next(iter(self._wanted))]
        self._changed.set()

    async def _hand_over(self) -> None:
        """All that waits, in order; what is not taken waits behind it for the next change."""
        put_off: set[Key] = set()
        while self._bus and (waiting := [key for key in self._wanted if key not in put_off]):
            key = waiting[0]
            wanted = self._wanted[key]
            self._telling = key
            try:
                await self._tell(self._bus, key, wanted)
            except CallFailed as failed:
                put_off.add(key)
                if self._wanted.get(key) is wanted:
                    self._not_taken(key, wanted)
                if self._markup is None or failed.name in SILENT:
                    # no server: what can wait waits for NameOwnerChanged
                    self._wanted = {k: w for k, w in self._wanted.items() if w and w[2] > 0}
                    return
            else:
                if self._wanted.get(key) is wanted:  # else something newer came meanwhile
                    self._done(key)
            finally:
                self._telling = None

    def _not_taken(self, key: Key, wanted: Wanted | None) -> None:
        """What a server did not take goes behind the others, and waits no more after some TRIES."""
        tries = self._tried.get(key, 0)
        if wanted is None or tries:
            del self._wanted[key]
        if wanted is not None and 0 < tries < TRIES:
            self._wanted[key] = wanted

    def _done(self, key: Key) -> None:
        del self._wanted[key]
        self._tried.pop(key, None)

    async def _tell(self, bus: MessageBus, key: Key, wanted: Wanted | None) -> None:
        if wanted is None:
            if number := self._shown.pop(key, 0):
                await call(bus, NOTIFICATIONS, "CloseNotification", "u", [number], start=False)
            return
        title, text, urgency = wanted
        if self._markup is None:
            (able,) = await call(bus, NOTIFICATIONS, "GetCapabilities", returns="as")
            self._markup = "body-markup" in able
        body = _escape(text) if self._markup else text
        hints = {"urgency": Variant("y", urgency), "desktop-entry": Variant("s", APPLICATION)}
        arguments = [APPLICATION, self._shown.get(key, 0), "", title, body, [], hints]
        arguments.append(DEFAULT_EXPIRY)
        self._tried[key] = self._tried.get(key, 0) + 1
        (self._shown[key],) = await call(
            bus, NOTIFICATIONS, "Notify", "susssasa{sv}i", arguments, returns="u"
        )

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        kind = (message.member, message.signature)
        if message.interface == SERVER and kind == ("NotificationClosed", "uu"):
            self._shown = {k: n for k, n in self._shown.items() if n != message.body[0]}
        elif kind == ("NameOwnerChanged", "sss") and message.body[0] == SERVER:
            self._forget_server()
            if message.body[2]:
                self._changed.set()

    def _forget_server(self) -> None:
        self._shown.clear()
        self._markup = None


def _escape(text: str) -> str:
    """Text that a server which takes markup shows as it is (html.escape() brings every entity along)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
