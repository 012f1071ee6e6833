"""Pure: texts as a person may see them, without the secrets that addresses carry.

git repeats addresses in its complaints, and a password can be in each part of one: before the host
(RFC 3986, userinfo), or in the query (`?private_token=…`).
"""

import re

_USERINFO = re.compile(r"([a-z][a-z0-9+.-]{0,30}://)[^/\s]*@", re.IGNORECASE)
_QUERY = re.compile(r"([a-z][a-z0-9+.-]{0,30}://[^\s?#'\"]*)[?#][^\s'\"]*", re.IGNORECASE)
_BARE = re.compile(r"(?<![^\s'\"(=])(?!mailto:)[^\s:/@'\"()]+:[^\s/@]+@(?=[\w\[])")
"""`user:password@host`, as git names the host of a git:// address."""


def without_secrets(text: str) -> str:
    """Any text, with user and password taken out of the addresses in it, and their queries."""
    return _BARE.sub("", _QUERY.sub(r"\1", _USERINFO.sub(r"\1", text)))
