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

from autosyncd.transport.events import Displaced, Lost, Refused, Unacceptable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

STREAM = "http://etherx.jabber.org/streams"
TLS = "urn:ietf:params:xml:ns:xmpp-tls"
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"
STREAM_ERRORS = "urn:ietf:params:xml:ns:xmpp-streams"
FEATURES = f"{{{STREAM}}}features"
FAILURE, CHALLENGE, SUCCESS = (f"{{{SASL}}}{word}" for word in ("failure", "challenge", "success"))
WORDS = frozenset({FAILURE, CHALLENGE, SUCCESS})
STREAM_ERROR = f"{{{STREAM}}}error"
PROCEED = f"{{{TLS}}}proceed"
IN_CLEAR = frozenset({FEATURES, PROCEED})
"""The only words of a server that are obeyed before TLS is up."""
MECHANISMS = frozenset(
    f"SCRAM-SHA-{size}{plus}" for size in ("1", "256", "512") for plus in ("", "-PLUS")
)
ITERATIONS_LEAST = 4096
"""Rounds of hashing that RFC 5802 (section 5.1) and RFC 7677 (section 4) want of a server at least. With
fewer, whoever gets our proof finds the password so much the sooner by trying."""
ITERATIONS_LIMIT = 200_000
"""Rounds of hashing a server may ask for: two seconds of work. Servers ask for 10,000 or fewer."""
_CHALLENGE = re.compile(
    rb"r=[!-+\--~]+"
    rb",s=(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
    rb",i=([1-9][0-9]{0,9})"
    rb"(?:,(?![rsim]=)[A-Za-z]=[^,]*)*"  # what later rules add (XEP-0474); m= is for refusing it
)
_SIGNATURE = re.compile(rb"v=[A-Za-z0-9+/]+={0,2}(?:,.*)?", re.DOTALL)
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


def objection(
    word: "Element", mechanism: str, *, challenged: bool
) -> Refused | Unacceptable | Lost | None:
    """Why a word of the server during the login ends it; None: the library may see it.

    The library takes a success for a challenge and a challenge as often as it comes. By SCRAM (RFC
    5802, section 5) there is one challenge, then a success that holds the server's own proof.
    """
    if word.tag == FAILURE:
        return failed(word)
    if mechanism not in MECHANISMS:
        expected = mechanism and word.tag == SUCCESS
        return None if expected else Unacceptable("it logs in by no rule that is known")
    if word.tag == CHALLENGE and not challenged:
        return _objection_to(_decoded(word))
    if word.tag == SUCCESS and challenged and _SIGNATURE.fullmatch(_decoded(word)):
        return None
    return Unacceptable("it can't prove that it knows the password")


def _objection_to(challenge: bytes) -> Unacceptable | None:
    """The library takes the last of two numbers, with signs and blanks, and does all that work."""
    found = _CHALLENGE.fullmatch(challenge)
    if found is None:
        return Unacceptable("its login can't be read")
    rounds = int(found[1])
    if rounds > ITERATIONS_LIMIT:
        return Unacceptable("its login asks for more work than any honest server's")
    if rounds < ITERATIONS_LEAST:
        return Unacceptable(
            f"its login hashes the password {rounds} times only, which makes that easy to guess; "
            f"{ITERATIONS_LEAST} times are the least by the rules of SCRAM"
        )
    return None


def failed(failure: "Element") -> Refused | Lost:
    """What a failed login means (RFC 6120, section 6.5)."""
    condition = _condition(failure, SASL)
    if condition in _FINAL:
        return Refused(_FINAL[condition])
    return Lost(f"it refused the login: {condition}")


def unbound(answer: "Element") -> Displaced | Lost:
    """What an error in the place of an address of our own means (RFC 6120, section 7.7.2)."""
    error = answer.find("{jabber:client}error")
    condition = _condition(error, STANZA_ERRORS)
    if condition == "conflict":
        return Displaced("another client of the account has its name")
    return Lost(f"it gives us no address: {condition}")


def ended(error: "Element", *, logged_in: bool) -> Displaced | Lost:
    """What a stream error means (RFC 6120, section 4.9). No other host is ever followed.

    Before the login there is no place that another could take, and anybody on the way can say so.
    """
    condition = _condition(error, STREAM_ERRORS)
    if condition == "conflict" and logged_in:
        return Displaced(
            "another client of the account took its place, as happens where one name is used twice "
            "or where the server lets only some in at a time (ejabberd: ten)"
        )
    return Lost(f"it ended the connection: {condition}")


def _decoded(word: "Element") -> bytes:
    """What is said in base64, read as leniently as the library does; nothing if it can't be read."""
    try:
        return base64.b64decode((word.text or "").encode())
    except (binascii.Error, UnicodeEncodeError):
        return b""


def _condition(xml: "Element | None", namespace: str) -> str:
    """The name of a defined condition; whatever else stands there stays out of the log."""
    for child in xml if xml is not None else ():
        found = re.fullmatch(rf"\{{{re.escape(namespace)}\}}([a-z-]{{1,40}})", child.tag)
        if found and found[1] != "text":
            return found[1]
    return "no reason given"
