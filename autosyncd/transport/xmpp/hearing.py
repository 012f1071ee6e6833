"""Pure: what is made of the stanzas that come in: something to act on, or a named reason to drop it.

stanzas.py has the forms. Whoever wrote it, nothing here raises.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from autosyncd.transport.xmpp.stanzas import (
    CARBONS,
    HEAD,
    MANY_DIGITS,
    MANY_LIMIT,
    NOT_XML,
    NOTICES_LIMIT,
    NS,
    bare,
    is_readable,
)

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CLIENT = "jabber:client"
FORWARD = "urn:xmpp:forward:0"
DELAYS = ("{urn:xmpp:delay}delay", "{jabber:x:delay}x")
CHANNELS_LIMIT = 12
PART_LIMIT = 1023
"""Bytes of each of the three parts of a full JID (RFC 7622, section 3.1)."""

_CHANNEL = re.compile(r"[0-9a-f]{16,64}")
_MANY = re.compile(rf"(?:[0-9a-f]{{{MANY_DIGITS}}}){{1,{MANY_LIMIT}}}")


class Drop(Enum):
    """Why something that came is not obeyed; the value is a phrase for the log."""

    NOTHING_OF_OURS = "nothing of ours"
    NO_SENDER = "no usable sender"
    STRANGER = "from somebody who is not trusted"
    OWN_ECHO = "from this very connection"
    DELAYED = "delayed, so it may be about anything"
    FORGED_CARBON = "a copy that the own account did not make"
    CHATTING = "a chat of the person's with somebody"
    UNKNOWN_VERSION = "a version that is not known here"
    STRANGE_CHANNEL = "a notice whose channels can't be read"
    STRANGE_HEAD = "a notice whose head is no commit"
    STRANGE_BRANCH = "a notice whose branch can't be one"
    TOO_MANY_NOTICES = "more notices than one stanza may hold"
    UNKNOWN_CHANNEL = "a channel that nobody here has, or not for this sender"
    LONG_ADDRESS = "an address longer than that of any machine of ours"
    TOO_MANY_PEERS = "more peers than are remembered"


ORDINARY = frozenset({Drop.NOTHING_OF_OURS, Drop.OWN_ECHO, Drop.CHATTING})
"""What every account sees every day, so that nobody has to hear of it."""


@dataclass(frozen=True, slots=True)
class HeardNotice:
    """One readable notice: the beginnings of its channels, its branch and head or nothing."""

    channels: tuple[str, ...]
    branch: str
    head: str


@dataclass(frozen=True, slots=True)
class Headline:
    """Notices of one peer."""

    sender: str
    notices: tuple[HeardNotice | Drop, ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """A chat message of another client of the own account, as the server copied it for us."""

    sender: str
    body: str


@dataclass(frozen=True, slots=True)
class Came:
    """Somebody is there."""

    jid: str
    ours: bool
    """It says that it is one of us."""
    many: bool = False
    """It reads the form for many channels at once."""
    answer: bool = False
    """It has seen that we are there."""


@dataclass(frozen=True, slots=True)
class Went:
    """Somebody is gone."""

    jid: str


@dataclass(frozen=True, slots=True)
class Returned:
    """What was to show somebody that we are there came back; `jid` is a machine or an account."""

    jid: str


def read_presence(xml: "Element") -> Came | Went | Returned | Drop:
    """Who came or went. Requests for subscriptions are nothing of ours."""
    sender, kind = xml.get("from", ""), xml.get("type")
    if kind is None:
        mark = xml.find(f"{{{NS}}}autosync")
        many, answer = (mark is not None and mark.get(key) == "1" for key in ("many", "answer"))
        came = Came(sender, ours=mark is not None, many=many, answer=answer)
        return came if _is_full(sender) else Drop.NO_SENDER
    if kind == "error" and sender:
        return Returned(sender)
    if kind == "unavailable" and _is_full(sender):
        return Went(sender)
    return Drop.NOTHING_OF_OURS  # a server says of a whole account that it is gone, too


def read_message(xml: "Element", own: str) -> Headline | Copy | Drop:
    """What a message says; `own` is the full JID of this connection."""
    sender = xml.get("from", "")
    if xml.get("type") != "headline":
        return _read_copy(xml, sender, own)
    notices = xml.find(f"{{{NS}}}notices")
    if notices is None:
        return Drop.NOTHING_OF_OURS
    if not _is_full(sender):
        return Drop.NO_SENDER
    if sender == own:
        return Drop.OWN_ECHO
    if _is_delayed(xml):
        return Drop.DELAYED
    if notices.get("v") != "1":
        return Drop.UNKNOWN_VERSION
    found = [_read_notice(child) for child in notices[:NOTICES_LIMIT] if child.tag == f"{{{NS}}}n"]
    if len(notices) > NOTICES_LIMIT:
        found.append(Drop.TOO_MANY_NOTICES)
    if (many := notices.find(f"{{{NS}}}many")) is not None:
        found.append(_read_many(many))
    return Headline(sender, tuple(found))


def _read_notice(xml: "Element") -> HeardNotice | Drop:
    named = xml.get("c", "")
    channels = tuple(named.lower().split()) if len(named) < CHANNELS_LIMIT * 65 else ()
    if not channels or len(channels) > CHANNELS_LIMIT:
        return Drop.STRANGE_CHANNEL
    if not all(_CHANNEL.fullmatch(channel) for channel in channels):
        return Drop.STRANGE_CHANNEL
    head, branch = xml.get("h", ""), xml.get("b", "")
    if head and not HEAD.fullmatch(head):
        return Drop.STRANGE_HEAD
    if not is_readable(branch):
        return Drop.STRANGE_BRANCH
    return HeardNotice(channels, branch, head)


def _read_many(xml: "Element") -> HeardNotice | Drop:
    named = xml.get("c", "")
    if not _MANY.fullmatch(named):
        return Drop.STRANGE_CHANNEL
    starts = range(0, len(named), MANY_DIGITS)
    return HeardNotice(tuple(named[at : at + MANY_DIGITS] for at in starts), "", "")


def _read_copy(xml: "Element", sender: str, own: str) -> Copy | Drop:
    inner = None
    for direction in ("sent", "received"):
        path = f"{{{CARBONS}}}{direction}/{{{FORWARD}}}forwarded"
        if (forwarded := xml.find(path)) is not None:
            inner = forwarded.find(f"{{{CLIENT}}}message")
    if inner is None:
        return Drop.NOTHING_OF_OURS
    author = inner.get("from", "")
    # Anybody can write such a message; only the server writes in the name of the account itself.
    if sender != own.partition("/")[0]:
        return Drop.FORGED_CARBON
    if bare(author) != bare(own) or not _is_full(author):
        return Drop.CHATTING
    if author == own:
        return Drop.OWN_ECHO
    if _is_delayed(xml) or _is_delayed(inner):
        return Drop.DELAYED
    body = inner.find(f"{{{CLIENT}}}body")
    if inner.get("type") != "chat" or body is None or not body.text:
        return Drop.NOTHING_OF_OURS
    return Copy(author, body.text)


def _is_delayed(xml: "Element") -> bool:
    return any(xml.find(delay) is not None for delay in DELAYS)


def _is_full(jid: str) -> bool:
    if NOT_XML.search(jid):
        return False
    account, _, resource = jid.partition("/")
    local, _, domain = account.partition("@")
    return all(0 < len(part.encode()) <= PART_LIMIT for part in (local, domain, resource))
