"""Pure: addresses on XMPP servers, and where their passwords come from.

No mistake shows what was written: it may be a password in the wrong place.
"""

import re
from collections.abc import Mapping
from typing import Any

from autosyncd.config.values import Mistake
from autosyncd.model import Secret

JID_LIMIT = 150
"""Bytes of an address; all those that one repository trusts have to fit into one message."""
TRUSTED_LIMIT = 20
SOURCES = ("password_command", "password_file", "password")
"""Keys that say where the password comes from."""

_LOCAL = r"[^\s\"&'/:<>@]+"  # RFC 7622, section 3.3.1
_DOMAIN = r"\w(?:[\w.-]*\w)?"
_BARE = re.compile(f"{_LOCAL}@{_DOMAIN}")
_FULL = re.compile(f"{_LOCAL}@{_DOMAIN}/.*", re.DOTALL)
_EXAMPLE = "write one such as alice@example.org"


def jid(text: str) -> str | Mistake:
    """A bare address, in lower case."""
    if _FULL.fullmatch(text):
        return Mistake(f"has a resource, which is chosen for you; {_EXAMPLE}")
    if not _BARE.fullmatch(text) or not text.isprintable():
        return Mistake(f"is no address of a person on an XMPP server; {_EXAMPLE}")
    if len(text.lower().encode()) > JID_LIMIT:
        return Mistake(f"is longer than {JID_LIMIT} bytes; no address that is used is so long")
    return text.lower()


def trusted(jids: tuple[str, ...]) -> tuple[str, ...] | Mistake:
    """Whom a repository trusts; each once."""
    each = tuple(dict.fromkeys(jids))
    if len(each) > TRUSTED_LIMIT:
        return Mistake(f"names more than {TRUSTED_LIMIT} people; use an account that they share")
    return each


def jids_text(jids: tuple[str, ...]) -> str:
    """The text for a list of addresses."""
    return f"[{', '.join(jids)}]"


def command(words: tuple[str, ...]) -> tuple[str, ...] | Mistake:
    """A program and its arguments."""
    how = "write a list such as [secret-tool, lookup, service, xmpp]"
    if not words:
        return Mistake(f"is empty; {how}")
    if len(words) == 1 and re.search(r"\s", words[0]):
        return Mistake(f"is one text with blanks in it, and no shell reads it; {how}")
    return words


def password(text: str) -> Secret | Mistake:
    """A password in the configuration itself; the value shows it to nobody by accident."""
    if not text or not text.isprintable():
        return Mistake("is empty or holds a control character; write the password in quotes")
    return Secret(literal=text)


def one_source(given: Mapping[str, Any]) -> tuple[str, Mistake] | None:
    """Two passwords are one too many."""
    named = [key for key in SOURCES if key in given]
    if len(named) < 2:
        return None
    return named[1], Mistake(f"is given beside {named[0]}; keep one of them")
