"""Stanzas as strangers, broken clients and hostile friends might write them; for tests and bench."""

import random
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

from autosyncd.transport.xmpp.hearing import FORWARD
from autosyncd.transport.xmpp.stanzas import CARBONS, NS

OWN = "alice@example.org/autosyncd-0"
CHANNEL, BOBS = "ab" * 32, "cd" * 32
"""The first is the own account's alone, bob is trusted with the second."""

SENDERS = (
    *(OWN, "alice@example.org/autosyncd-1", "alice@example.org", "alice@example.org/phone"),
    *(
        "bob@example.org/autosyncd-2",
        "mallory@example.net/x",
        "example.org",
        "",
        "/",
        "a@b/" + "r" * 4000,
    ),
    *("alice@example.org/AutosyncJabberBot on attic", "mallory@example.net/AutosyncJabberBot on x"),
    *("bob@example.org/" + "'" * 1023, "bob@example.org/" + "\u00e9" * 512),
    *("alice@example.org\n/x", "alice@example.org/\u202ex", "bob@example.org/\ud7ff"),
)
WORDS = (
    *("", " ", "1", "2", "-1", "x", "\t\n", "\u0000", "\u202e", "🎉", "a" * 255, "a" * 256),
    *(CHANNEL, BOBS, CHANNEL[:16], CHANNEL[:15], CHANNEL.upper(), f"{CHANNEL} {BOBS}"),
    *("12" * 20, "12" * 32, "12" * 19, "g" * 40, " ".join([CHANNEL] * 40), "ab" * 130_000),
    *("main", "../../etc", "feature/x", "-oops", "main\nannounce x", "<n/>", "' or '1"),
    *("pushed", "pushed ssh://hub/x", "PUSHED  x\n\nmore", "login AutosyncJabberBot on attic"),
)
TAGS = (
    *(f"{{{NS}}}notices", f"{{{NS}}}n", f"{{{NS}}}many", f"{{{NS}}}autosync"),
    *("{urn:autosync:2}notices", "notices"),
    *(
        "{jabber:client}body",
        "{urn:xmpp:delay}delay",
        "{jabber:x:delay}x",
        "{jabber:client}message",
    ),
    *(f"{{{CARBONS}}}sent", f"{{{CARBONS}}}received", f"{{{FORWARD}}}forwarded"),
)
TYPES = (
    "headline",
    "chat",
    "normal",
    "error",
    "unavailable",
    "subscribe",
    "get",
    "set",
    "result",
    "",
)


def nested(to: str) -> str:
    """What ends an ejabberd 23.01 that passes it on to somebody who is there."""
    return f"<message to='{to}' type='headline'>{'<x>' * 5000}{'</x>' * 5000}</message>"


def stanzas(seed: int, count: int) -> Iterator[Element]:
    """This many, the same ones for the same seed; half of them nearly right."""
    chance = random.Random(seed)
    for _ in range(count):
        kind = chance.random()
        yield _near_miss(chance) if kind < 0.5 else _noise(chance) if kind < 0.8 else _copy(chance)


def _near_miss(chance: random.Random) -> Element:
    """A headline as it should be, but for a thing or two."""
    xml = Element(
        "{jabber:client}message", {"type": "headline", "from": chance.choice(SENDERS[:6])}
    )
    if chance.random() < 0.2:
        xml.set("type", chance.choice(TYPES))
    parent = SubElement(xml, f"{{{NS}}}notices", {"v": "1"})
    if chance.random() < 0.1:
        parent.set("v", chance.choice(WORDS[:6]))
    for _ in range(chance.choice((0, 1, 1, 2, 130))):
        notice = SubElement(parent, f"{{{NS}}}n", {"c": CHANNEL, "b": "main", "h": "12" * 20})
        while chance.random() < 0.4:
            name = chance.choice("cbhtx")
            if chance.random() < 0.3:
                notice.attrib.pop(name, None)
            else:
                notice.set(name, chance.choice(WORDS))
    if chance.random() < 0.1:
        SubElement(xml, chance.choice(TAGS))
    return xml


def _copy(chance: random.Random) -> Element:
    """A chat message as the server copies it, from anybody, of anybody's."""
    xml = Element("{jabber:client}message", {"type": "chat", "from": chance.choice(SENDERS)})
    kind = SubElement(xml, chance.choice((f"{{{CARBONS}}}sent", f"{{{CARBONS}}}received")))
    inner = SubElement(SubElement(kind, f"{{{FORWARD}}}forwarded"), "{jabber:client}message")
    inner.set("type", chance.choice(("chat", "chat", "chat", *TYPES)))
    inner.set("from", chance.choice(SENDERS))
    SubElement(inner, "{jabber:client}body").text = chance.choice(WORDS)
    return xml


def _noise(chance: random.Random) -> Element:
    """Any of our elements within any other."""
    kind = chance.choice(("message", "message", "presence", "iq", "stranger"))
    xml = Element(f"{{jabber:client}}{kind}")
    for name, values in (("from", SENDERS), ("type", TYPES), ("to", SENDERS), ("id", WORDS)):
        if chance.random() < 0.8:
            xml.set(name, chance.choice(values))
    within = [xml]
    for _ in range(chance.randrange(8)):
        inner = SubElement(chance.choice(within), chance.choice(TAGS))
        within.append(inner)
        for name in ("v", "c", "b", "h", "type", "from"):
            if chance.random() < 0.3:
                inner.set(name, chance.choice(SENDERS if name == "from" else WORDS))
        if chance.random() < 0.3:
            inner.text = chance.choice(WORDS)
    return xml
