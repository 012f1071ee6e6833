"""doctor.py's look at an XMPP account: it logs in as the daemon does, and says what is in the way.

It has a resource of its own, sends no presence and leaves at once, so neither the daemon's session
nor a chat client notices anything, unless the server allows no further session (ejabberd: ten of one
account) and ends the oldest for it. An autosyncd that is hit by that comes back under another name.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from autosyncd.control.finding import Finding, hint, ok, problem
from autosyncd.model import XmppConfig
from autosyncd.transport import credentials
from autosyncd.transport.events import Refused, Unacceptable
from autosyncd.transport.tls import client_context
from autosyncd.transport.xmpp.servers import Lookup, Server, find, srv
from autosyncd.transport.xmpp.stanzas import quoted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from autosyncd.transport.xmpp.client import Client

WHAT = "xmpp"
REACH_WITHIN = 10.0
"""Seconds for a name to be found, and for a server to take a connection."""
LOGIN_WITHIN = 20.0
UNIT = "autosyncd.service"
CARBONS = "urn:xmpp:carbons:2"
DISCO = "http://jabber.org/protocol/disco#info"
QUESTION = "features"


def check_account(
    config: XmppConfig, environment: Mapping[str, str] = os.environ, lookup: Lookup = srv
) -> Iterator[Finding]:
    """The account can be used from here, or why not; `lookup` finds SRV records."""
    try:
        from autosyncd.transport.xmpp.client import Client
    except ImportError as reason:
        text = f"slixmpp can't be imported ({reason}); install python3-slixmpp (slixmpp)"
        yield problem(WHAT, text)
        return
    yield asyncio.run(_check(config, environment, lookup, Client))


async def _check(
    config: XmppConfig,
    environment: Mapping[str, str],
    lookup: Lookup,
    make: "type[Client]",
) -> Finding:
    domain = config.jid.rpartition("@")[2]
    servers = await find(domain, config.server, lookup)
    if not servers:
        return problem(WHAT, f"{domain} says in DNS that it has no XMPP server; check jid:")
    places = dict.fromkeys((server.host, server.port) for server in servers)
    flaws = {place: await _reach(*place) for place in places}
    if all(flaws.values()):
        return problem(WHAT, next(iter(flaws.values())))
    password = await credentials.read(config.secret, _with_credentials(config, environment))
    if isinstance(password, credentials.NoPassword):
        return _without_password(config, password)
    try:
        client_context(config.ca_file)
    except OSError as error:
        return problem(WHAT, f"{error.strerror}; correct ca_file:")
    found: Finding | None = None
    for server in servers:
        if flaws[server.host, server.port]:
            continue
        visit = Visit(config, password.text, server)
        finding = await visit.pay(make)
        if visit.understood:
            return finding
        # As attempt.py has it: a bad certificate says more than that the other port is silent.
        if found is None or visit.refused:
            found = finding
    return found or problem(WHAT, next(filter(None, flaws.values())))


async def _reach(host: str, port: int) -> str:
    """Why there is no connection to be had to this place; empty: there is one."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(REACH_WITHIN):
            await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        return f"no name server answers for {host}; check the network"
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no name of a host"
        return f"{host} is not found in DNS ({reason}); check jid:, or give server: HOST:PORT"
    try:
        async with asyncio.timeout(REACH_WITHIN):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return f"{host}:{port} does not answer; check the network, and the port in server:"
    except OSError as error:
        if isinstance(error, ConnectionRefusedError):
            reason = "the connection is refused, so no server runs there"
        else:
            reason = f"it can't be reached ({os.strerror(error.errno) if error.errno else error})"
        return f"{host}:{port}: {reason}; check the server, and the port in server:"
    writer.close()
    return ""


class Visit:
    """One login that is over at once (client.py: Owner)."""

    def __init__(self, config: XmppConfig, password: str, server: Server) -> None:
        self._config = config
        self._password = password
        self._server = server
        self._welcome = False
        self._carbons: bool | None = None
        self.refused = False
        """By us or by the server, for a reason that a person has to look after."""
        self._client: Client | None = None

    @property
    def understood(self) -> bool:
        """An XMPP server was there, whatever it thought of us."""
        return self._client is not None and self._client.understood

    async def pay(self, make: "type[Client]") -> Finding:
        """Log in, ask what the server can, leave."""
        jid = f"{self._config.jid}/autosyncctl-{secrets.token_hex(4)}"
        context = client_context(self._config.ca_file)
        self._client = make(
            jid, self._password, context, self, allow_plain=self._config.allow_plain
        )
        try:
            async with asyncio.timeout(LOGIN_WITHIN):
                ended = await self._client.converse(self._server)
        except TimeoutError:
            ended = None
        finally:
            self._client.drop()
        where = f"{self._server.host}:{self._server.port}"
        account = self._config.jid
        if self._welcome:
            if self._carbons is not False:
                return ok(WHAT, f"{account} logs in at {where}")
            text = f"{account} logs in at {where}, but the server has no message carbons, so "
            return hint(WHAT, text + "machines with the old dvcs-autosync are not heard")
        if isinstance(ended, Refused | Unacceptable):
            self.refused = True
            return problem(WHAT, f"{account} at {where}: {ended.reason}{_advice(ended.reason)}")
        reason = getattr(ended, "reason", "it does not answer like an XMPP server")
        return problem(WHAT, f"{account} at {where}: {reason}; it is tried again by itself")

    def greeted(self, client: "Client") -> None:
        """See client.py."""
        self._welcome = True
        domain = self._config.jid.rpartition("@")[2]
        query = f"<query xmlns='{DISCO}'/>"
        client.say(f"<iq type='get' id='{QUESTION}' to='{quoted(domain)}'>{query}</iq>")

    def spoke(self) -> None:
        """See client.py."""

    def received(self, xml: "Element") -> None:
        """See client.py."""
        if xml.get("id") != QUESTION or self._client is None:
            return
        if xml.get("type") == "result":
            features = {one.get("var") for one in xml.iter(f"{{{DISCO}}}feature")}
            self._carbons = CARBONS in features
        self._client.drop()


def _advice(reason: str) -> str:
    """What a person can do about it, where the reason does not say so itself."""
    if "certificate" in reason:
        return "; a CA of your own belongs under ca_file:, any other flaw is the server's to mend"
    if "password is wrong" in reason:
        return "; correct it, then say `autosyncctl reload`"
    return ""


def _with_credentials(config: XmppConfig, environment: Mapping[str, str]) -> Mapping[str, str]:
    """As the service's environment is: systemd puts a user's credentials below $XDG_RUNTIME_DIR."""
    runtime = environment.get("XDG_RUNTIME_DIR")
    if config.secret.credential is None or environment.get("CREDENTIALS_DIRECTORY") or not runtime:
        return environment
    folder = os.path.join(runtime, "credentials", UNIT)
    there = os.path.exists(os.path.join(folder, config.secret.credential))
    return {**environment, "CREDENTIALS_DIRECTORY": folder} if there else environment


def _without_password(config: XmppConfig, missing: credentials.NoPassword) -> Finding:
    name = config.secret.credential
    if name is None:
        return problem(WHAT, f"{config.jid}: {missing.reason}")
    return hint(
        WHAT,
        f"{config.jid}: its server is there, but the login was not tried, since the configuration "
        f"names no password and no systemd credential {name} of {UNIT} can be seen from here",
    )
