"""How far a connection has got, as far as that is proved, and what the library may see until then.

login.py judges each word of the server's. The library itself takes them in any order, calls a session
started that was never encrypted and never logged in, and takes an error for an address.
"""

import ssl
from typing import TYPE_CHECKING, Any

from autosyncd.transport import events
from autosyncd.transport.xmpp import login

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


class Guard:
    """That of one slixmpp client, which lives as long."""

    def __init__(self, xmpp: Any, context: ssl.SSLContext, *, allow_plain: bool) -> None:
        self._xmpp = xmpp
        self._context = context
        self._allow_plain = allow_plain
        self._securing = False
        """The server has agreed to TLS, so that its next word is TLS's."""
        self._challenged = False
        self._accepted = False
        """The server says that the login is good."""
        self._mechanisms = xmpp.plugin["feature_mechanisms"]
        self._mechanisms.unencrypted_scram = False
        self._mechanisms.use_mechs = set(login.MECHANISMS)

    @property
    def encrypted(self) -> bool:
        """Inside TLS, with a certificate that was checked against the JID's own domain."""
        tls = self._xmpp.transport and self._xmpp.transport.get_extra_info("ssl_object")
        if not tls or tls.context is not self._context:
            return False
        domain = self._xmpp.requested_jid.domain
        names = {domain, domain.encode("idna").decode("ascii")}
        checked = self._context.check_hostname and self._context.verify_mode is ssl.CERT_REQUIRED
        return checked and tls.server_hostname in names

    @property
    def proved(self) -> bool:
        """Logged in; and where that was by SCRAM, the server has proved that it knows the password."""
        used = self._mechanisms.mech
        if not self._xmpp.authenticated or used is None:
            return False
        return used.name not in login.MECHANISMS or used._mutual_auth is True

    def admits(self, xml: "Element") -> bool | events.Event:
        """Whether the library may see an element before the session is good, or why all ends."""
        if self._securing and not self.encrypted:
            return events.Lost("it goes on in clear when it has agreed to TLS")
        self._securing = self._securing or xml.tag == login.PROCEED
        if xml.tag == login.FEATURES:
            return self._takes(xml)
        if not self.encrypted:
            return xml.tag in login.IN_CLEAR
        if xml.tag in login.WORDS:
            return self._believes(xml)
        if xml.tag != "{jabber:client}iq" or not self.proved:
            return False
        return login.unbound(xml) if xml.get("type") == "error" else xml.get("type") == "result"

    def flaw(self) -> events.Event | None:
        """What is wrong with a session that the library calls started; None: it is good."""
        wanted, given = self._xmpp.requested_jid, self._xmpp.boundjid
        if not self.encrypted or not self.proved:
            return events.Unacceptable("it asks for no password, so it may be anybody")
        if given.bare != wanted.bare or not given.resource:
            return events.Unacceptable("it logged us in as somebody else")
        return None

    def given_up(self) -> events.Event:
        """Why the library disconnects: bytes that are no XML, or a login that was not proved."""
        if self._accepted and not self._xmpp.authenticated:
            return events.Unacceptable("it can't prove that it knows the password")
        return events.Lost("what it sent can't be understood")

    def _takes(self, features: "Element") -> bool | events.Event:
        verdict = login.judge(
            features,
            encrypted=self.encrypted,
            authenticated=self.proved,
            allow_plain=self._allow_plain,
        )
        if not isinstance(verdict, login.GoOn):
            return verdict
        if verdict.mechanisms is not None:
            self._mechanisms.use_mechs = set(verdict.mechanisms)
        return True

    def _believes(self, word: "Element") -> bool | events.Event:
        used = self._mechanisms.mech
        mechanism = used.name if used is not None and not self._accepted else ""
        objection = login.objection(word, mechanism, challenged=self._challenged)
        if objection is not None:
            return objection
        self._challenged = self._challenged or word.tag == login.CHALLENGE
        self._accepted = self._accepted or word.tag == login.SUCCESS
        return True
