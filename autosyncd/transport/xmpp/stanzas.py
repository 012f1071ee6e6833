"""Pure: what autosyncd says over XMPP, as text, and what it makes of what it hears.

Own words have the namespace `urn:autosync:1`: a child of the presence tells that this is one of
us, and a headline without a body (RFC 6121, section 5.2.2) carries notices to one full JID:

    <message type='headline' to='FULL JID'><notices xmlns='urn:autosync:1' v='1'>
      <n c='CHANNELS' b='BRANCH' h='HEAD'/>…
    </notices></message>

CHANNELS are the first 16 or more hex digits of each channel, with blanks between. BRANCH and HEAD
may be missing: then it is any branch, and which commit is not said. Unknown attributes and
children are ignored.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from autosyncd.model import Channel, PushNotice

NS = "urn:autosync:1"
CLIENT = "jabber:client"
CARBONS = "urn:xmpp:carbons:2"
FORWARD = "urn:xmpp:forward:0"
DELAYS = ("{urn:xmpp:delay}delay", "{jabber:x:delay}x")
HINTS = (
    "<no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/>"
    f"<private xmlns='{CARBONS}'/>"
)
"""Neither archived nor copied to the person's other clients (XEP-0334, XEP-0280)."""
PREFIX = 16
"""Hex digits of a channel that cross the wire: enough that no two of one person are alike."""
NOTICES_LIMIT = 100
"""Notices of one stanza that are read."""
CHANNELS_LIMIT = 12
BRANCH_LIMIT = 255
JID_LIMIT = 3071
"""Bytes of a full JID (RFC 7622, section 3.1)."""

_CHANNEL = re.compile(r"[0-9a-f]{16,64}")
_HEAD = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Drop(Enum):
    """Why something that came is not obeyed; the value is a phrase for the log."""

    NOTHING_OF_OURS = "nothing of ours"
    NO_SENDER = "no usable sender"
    STRANGER = "from somebody who is not trusted"
    OWN_ECHO = "from this very connection"
    DELAYED = "delayed, so it may be about anything"
    FORGED_CARBON = "a copy that the own account did not make"
    UNKNOWN_VERSION = "a version that is not known here"
    STRANGE_CHANNEL = "a notice whose channels can't be read"
    STRANGE_HEAD = "a notice whose head is no commit"
    STRANGE_BRANCH = "a notice whose branch can't be one"
    TOO_MANY_NOTICES = "more notices than one stanza may hold"
    UNKNOWN_CHANNEL = "a channel that nobody here has, or not for this sender"
    TOO_MANY_PEERS = "more peers than are remembered"


@dataclass(frozen=True, slots=True)
class Said:
    """One readable notice: the beginnings of its channels, its branch and head or nothing."""

    channels: tuple[str, ...]
    branch: str
    head: str


@dataclass(frozen=True, slots=True)
class Headline:
    """Notices of one peer."""

    sender: str
    notices: tuple[Said | Drop, ...]


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


@dataclass(frozen=True, slots=True)
class Went:
    """Somebody is gone."""

    jid: str


def bare(jid: str) -> str:
    """The account, without the resource; in lower case, as servers compare it."""
    return jid.partition("/")[0].lower()


# what we say


def quoted(text: str) -> str:
    """Any text as it can stand in XML between apostrophes or tags."""
    text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    for raw, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;")):
        text = text.replace(raw, written)
    return text.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")


def presence(daemon: str, to: str = "") -> str:
    """We are here. A negative priority: no message of the person's friends comes to us."""
    address = f" to='{quoted(to)}'" if to else ""
    mark = f"<autosync xmlns='{NS}' v='1' id='{quoted(daemon)}'/>"
    return f"<presence{address}><priority>-1</priority>{mark}</presence>"


def absence(to: str) -> str:
    """We are no longer here, for this one."""
    return f"<presence to='{quoted(to)}' type='unavailable'/>"


def entry(notice: "PushNotice", channels: Iterable["Channel"], *, brief: bool) -> str:
    """One notice; `brief` leaves out what only saves the others a look at their remote."""
    known = f"<n c='{' '.join(channel[:PREFIX] for channel in channels)}'"
    if not brief:
        branch = notice.branch
        if branch and not _NOT_XML.search(branch):  # else any branch must do
            known += f" b='{quoted(branch)}'"
        if _HEAD.fullmatch(notice.head):
            known += f" h='{notice.head}'"
    return known + "/>"


def headline(to: str, entries: Iterable[str]) -> str:
    """Notices for one full JID: no chat client sees them, no server keeps them."""
    inner = "".join(entries)
    return (
        f"<message type='headline' to='{quoted(to)}'>"
        f"<notices xmlns='{NS}' v='1'>{inner}</notices></message>"
    )


def chat(to: str, body: str, *, hidden: bool) -> str:
    """A message with a body; `hidden`: for the addressee alone, as far as servers can be told."""
    hints = HINTS if hidden else ""
    return f"<message type='chat' to='{quoted(to)}'><body>{quoted(body)}</body>{hints}</message>"


def ping(domain: str, number: int) -> str:
    """Ask the server for a word (XEP-0199)."""
    to = quoted(domain)
    return f"<iq type='get' to='{to}' id='ping{number}'><ping xmlns='urn:xmpp:ping'/></iq>"


def carbons(*, on: bool) -> str:
    """From now on copies of the account's messages, or none (XEP-0280)."""
    word = "enable" if on else "disable"
    return f"<iq type='set' id='carbons-{word}'><{word} xmlns='{CARBONS}'/></iq>"


def not_here(to: str, number: str) -> str:
    """The answer to a question that is none of ours, as RFC 6120, section 8.2.3, demands one."""
    fault = "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    address = f" to='{quoted(to)}'" if to else ""
    return (
        f"<iq type='error'{address} id='{quoted(number)}'><error type='cancel'>{fault}</error></iq>"
    )


# what we hear


def read_presence(xml: "Element") -> Came | Went | Drop:
    """Who came or went. Requests for subscriptions and errors are nothing of ours."""
    sender = xml.get("from", "")
    if not _is_full(sender):
        return Drop.NO_SENDER
    match xml.get("type"):
        case None:
            return Came(sender, ours=xml.find(f"{{{NS}}}autosync") is not None)
        case "unavailable" | "error":  # an error: nothing that we send gets there
            return Went(sender)
    return Drop.NOTHING_OF_OURS


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
    return Headline(sender, tuple(found))


def _read_notice(xml: "Element") -> Said | Drop:
    named = xml.get("c", "")
    channels = tuple(named.lower().split()) if len(named) < CHANNELS_LIMIT * 65 else ()
    if not channels or len(channels) > CHANNELS_LIMIT:
        return Drop.STRANGE_CHANNEL
    if not all(_CHANNEL.fullmatch(channel) for channel in channels):
        return Drop.STRANGE_CHANNEL
    head, branch = xml.get("h", ""), xml.get("b", "")
    if head and not _HEAD.fullmatch(head):
        return Drop.STRANGE_HEAD
    if len(branch) > BRANCH_LIMIT or not (branch.isprintable() or not branch):
        return Drop.STRANGE_BRANCH
    return Said(channels, branch, head)


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
    if sender != own.partition("/")[0] or bare(author) != bare(own) or not _is_full(author):
        return Drop.FORGED_CARBON
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
    account, slash, resource = jid.partition("/")
    known = bool(account and slash and resource)
    return known and len(jid) <= JID_LIMIT and "@" in account and not _NOT_XML.search(jid)
