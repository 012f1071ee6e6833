"""One attempt to be online, from reading the password to the last packet of a session."""

import asyncio
from typing import TYPE_CHECKING, Protocol

from autosyncd import clock
from autosyncd.transport import connection as life
from autosyncd.transport import credentials, events
from autosyncd.transport.tls import client_context
from autosyncd.transport.xmpp import servers
from autosyncd.transport.xmpp.client import Client, Owner

if TYPE_CHECKING:
    from autosyncd.model import XmppConfig


SPEAK_WITHIN = 8.0
"""Seconds that a server has until it speaks XMPP, when there is another one to be tried."""
ATTEMPT_WITHIN = 45.0
"""Seconds that all servers have together until a session is good; with the longest pause between two
attempts, counted from the first one's start, that is less than a minute."""


class Patron(Owner, Protocol):
    """Who wants the attempt."""

    def underway(self, within: float) -> None:
        """It has come to a step that may take so many seconds."""


async def converse(
    config: "XmppConfig", resource: str, owner: Patron, lookup: servers.Lookup
) -> events.Event:
    """What it returns is why it ended. The password is read anew and not kept."""
    owner.underway(credentials.COMMAND_WITHIN + 5)
    password = await credentials.read(config.secret)
    if isinstance(password, credentials.NoPassword):
        return events.Unacceptable(password.reason, asked=password.asked)
    owner.underway(life.CONNECT_WITHIN)
    try:
        context = client_context(config.ca_file)
    except OSError as error:
        return events.Unacceptable(error.strerror or str(error))
    ending: events.Event | None = None
    over_at = clock.now() + ATTEMPT_WITHIN
    domain = config.jid.rpartition("@")[2]
    found = await servers.find(domain, config.server, lookup)
    for place, server in enumerate(found):
        left = max(over_at - clock.now(), 0.0)
        patience = min(SPEAK_WITHIN, left / (len(found) - place))
        owner.underway(min(life.CONNECT_WITHIN, left))
        # A client is used once, whatever comes of it.
        client = Client(
            f"{config.jid}/{resource}",
            password.text,
            context,
            owner,
            allow_plain=config.allow_plain,
        )
        try:
            last = server is found[-1]
            talk = client.converse(server) if last else _soon(client, server, patience)
            came_to = await talk
        finally:
            client.drop()
        if client.understood:
            return came_to
        # What is wrong with a certificate says more than that another port is closed.
        if ending is None or isinstance(came_to, events.Unacceptable):
            ending = came_to
    return ending or events.Lost("its domain says that it has no XMPP server")


async def _soon(client: Client, server: servers.Server, within: float) -> events.Event:
    """The whole session, if it begins soon: else the next server has its turn, since each attempt
    begins with the first one."""
    try:
        async with asyncio.timeout(within) as patience:

            def endless() -> None:
                if not patience.expired():
                    patience.reschedule(None)

            client.when_understood = endless
            return await client.converse(server)
    except TimeoutError:
        return events.Lost(f"{server.host}:{server.port} does not answer within {within:.0f} s")
