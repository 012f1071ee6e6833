"""Pure: what a server offers before we are logged in, and whether we take it.

Three things must be there before the first stanza leaves, in this order: TLS, a certificate for the
JID's domain, and a login in which both sides prove that they know the password (SCRAM, RFC 5802).
There is no fallback: who can make a server look weaker than it is would get what it can't have.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autosyncd.transport.connection import Displaced, Lost, Refused, Unacceptable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

STREAM = "http://etherx.jabber.org/streams"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
FEATURES = f"{{{STREAM}}}features"
STREAM_ERROR = f"{{{STREAM}}}error"
IN_CLEAR = frozenset({FEATURES, f"{{{TLS}}}proceed"})
"""The only words of a server that are obeyed before TLS is up."""
MECHANISMS = frozenset(
    f"SCRAM-SHA-{size}{plus}" for size in ("1", "256", "512") for plus in ("", "-PLUS")
)
ITERATIONS_LIMIT = 200_000
"""Rounds of hashing a server may ask for: two seconds of work. Servers ask for 10,000 or fewer."""
_FINAL = {
    "not-authorized": "the password is wrong, or there is no such account",
    "account-disabled": "the account is disabled",
    "credentials-expired": "the password has expired",
}


@dataclass(frozen=True, slots=True)
class GoOn:
    """Take it; `mechanisms` are those that may be used to log in, None where none is needed."""

    mechanisms: frozenset[str] | None = None


def judge(
    features: "Element", *, encrypted: bool, authenticated: bool, allow_plain: bool
) -> GoOn | Refused | Unacceptable:
    """What to do with the features of a stream (RFC 6120, section 4.3.2)."""
    if authenticated:
        return GoOn()
    if not encrypted:
        if features.find(f"{{{TLS}}}starttls") is None:
            return Unacceptable("it offers no TLS")
        return GoOn()
    offer = features.find(f"{{{SASL}}}mechanisms")
    if offer is None:
        return Unacceptable("it asks for no password, so it may be anybody")
    names = {(child.text or "").strip() for child in offer if child.tag == f"{{{SASL}}}mechanism"}
    if proper := names & MECHANISMS:
        return GoOn(frozenset(proper))
    if "PLAIN" not in names:
        return Refused("it offers no login by password that proves the server too (SCRAM)")
    if not allow_plain:
        return Refused(
            "it offers no SCRAM, only PLAIN, which hands it the password itself; "
            "`allow_plain: true` under transports.xmpp lets that pass, inside TLS"
        )
    return GoOn(frozenset({"PLAIN"}))


def is_too_much(challenge: "Element") -> bool:
    """Whether a SCRAM challenge asks for more work than any honest server (RFC 5802, section 5.1)."""
    try:
        text = base64.b64decode(challenge.text or "", validate=True)
    except (binascii.Error, ValueError):
        return False  # the library can't read it either
    found = re.search(rb"(?:\A|,)i=(\d+)", text)
    return found is not None and int(found[1][:12]) > ITERATIONS_LIMIT


def failed(failure: "Element") -> Refused | Lost:
    """What a failed login means (RFC 6120, section 6.5)."""
    condition = _condition(failure, SASL)
    if condition in _FINAL:
        return Refused(_FINAL[condition])
    return Lost(f"it refused the login: {condition}")


def ended(error: "Element") -> Displaced | Lost:
    """What a stream error means (RFC 6120, section 4.9). No other host is ever followed."""
    condition = _condition(error, STREAM_ERRORS)
    if condition == "conflict":
        return Displaced(
            "another client of the account took its place, as happens where one name is used twice "
            "or where the server lets only some in at a time (ejabberd: ten)"
        )
    return Lost(f"it ended the connection: {condition}")


def _condition(xml: "Element", namespace: str) -> str:
    """The name of a defined condition; whatever else stands there stays out of the log."""
    for child in xml:
        found = re.fullmatch(rf"\{{{re.escape(namespace)}\}}([a-z-]{{1,40}})", child.tag)
        if found and found[1] != "text":
            return found[1]
    return "no reason given"
