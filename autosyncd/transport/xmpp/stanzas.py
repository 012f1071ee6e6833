"""Pure: what autosyncd says over XMPP, as text; hearing.py reads it.

Own words have the namespace `urn:autosync:1`: a child of the presence tells that this is one of
us, and a headline without a body (RFC 6121, section 5.2.2) carries notices to one full JID:

    <message type='headline' to='FULL JID'><notices xmlns='urn:autosync:1' v='1'>
      <n c='CHANNELS' b='BRANCH' h='HEAD'/>…
    </notices></message>

CHANNELS are the first 16 or more hex digits of each channel, with blanks between. BRANCH and HEAD
may be missing: then it is any branch, and which commit is not said. `<many c='…'/>` stands beside
or instead of the <n/>, for who has `many='1'` in its presence: the first 6 hex digits of each of
many channels, with nothing between. Unknown attributes and children are ignored.
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from autosyncd.model import Channel, PushNotice

NS = "urn:autosync:1"
CARBONS = "urn:xmpp:carbons:2"
HINTS = (
    "<no-store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/>"
    f"<private xmlns='{CARBONS}'/>"
)
"""Neither archived nor copied to the person's other clients (XEP-0334, XEP-0280)."""
PREFIX = 16
"""Hex digits of a channel that cross the wire: enough that no two of one person are alike."""
NOTICES_LIMIT = 100
"""Notices of one stanza."""
PER_NOTICE = 8
"""Channels of one notice that are handed on."""
BRANCH_LIMIT = 255
"""Characters of a branch in a notice."""
MANY_DIGITS, MANY_LIMIT = 6, 1000
"""Hex digits of each of many channels, and how many those may be. Of 400 channels here and 400 there
one is taken for another every hundredth time: a fetch in vain."""

HEAD = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def bare(jid: str) -> str:
    """The account, without the resource, as servers compare it (RFC 3920, A.3; RFC 7622, 3.3)."""
    account = jid.partition("/")[0]
    if account.isascii():
        return account.lower()
    return normalize("NFKC", normalize("NFKC", account).casefold())


def quoted(text: str) -> str:
    """Any text as it can stand in XML between apostrophes or tags."""
    text = NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    for raw, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&apos;")):
        text = text.replace(raw, written)
    return text.replace("\t", "&#9;").replace("\n", "&#10;").replace("\r", "&#13;")


def is_readable(branch: str) -> bool:
    """Whether those who hear it take it for a branch; what does not print is left to forgers."""
    return len(branch) <= BRANCH_LIMIT and branch.isprintable()


def presence(daemon: str, to: str = "", *, answer: bool = False) -> str:
    """We are here. A negative priority: no message of the person's friends comes to us.

    `answer`: we say so to somebody who has said it, and need not be told once more.
    """
    address = f" to='{quoted(to)}'" if to else ""
    answering = " answer='1'" if answer else ""
    mark = f"<autosync xmlns='{NS}' v='1' id='{quoted(daemon)}' many='1'{answering}/>"
    return f"<presence{address}><priority>-1</priority>{mark}</presence>"


def absence(to: str) -> str:
    """We are no longer here, for this one."""
    return f"<presence to='{quoted(to)}' type='unavailable'/>"


def entry(notice: "PushNotice") -> str:
    """One notice, with all that can save the others a look at their remote."""
    known = f"<n c='{' '.join(channel[:PREFIX] for channel in notice.channels)}'"
    if notice.branch and is_readable(notice.branch):  # else any branch must do
        known += f" b='{quoted(notice.branch)}'"
    if HEAD.fullmatch(notice.head):
        known += f" h='{notice.head}'"
    return known + "/>"


def summary(channels: Sequence["Channel"], *, many: bool) -> list[str]:
    """Entries that say of these channels only that there is something new; `many`: in one."""
    if many:
        return [f"<many c='{''.join(channel[:MANY_DIGITS] for channel in channels)}'/>"]
    groups = (channels[at : at + PER_NOTICE] for at in range(0, len(channels), PER_NOTICE))
    return [f"<n c='{' '.join(channel[:PREFIX] for channel in group)}'/>" for group in groups]


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
    to, name = quoted(domain), ping_id(number)
    return f"<iq type='get' to='{to}' id='{name}'><ping xmlns='urn:xmpp:ping'/></iq>"


def ping_id(number: int) -> str:
    """What its answer is known by."""
    return f"ping{number}"


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
