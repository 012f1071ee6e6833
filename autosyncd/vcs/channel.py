"""Pure: the channels of a tree: what tells that two clones are the same thing.

A channel is a sha256 in hex of the normalised remote URL, and of each root commit's id. Two clones
that reach their hub by different spellings (ssh:// and scp form, with and without `.git`) share the
first; two that use mirrors of it share the second.
"""

import re
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import unquote, urlsplit

from autosyncd.model import Channel

ROOTS = 10
"""How many roots of a history have a channel, the same in all clones; one that was joined of many others
has more. With the URL's and SparkleShare's they make the twelve that fit into one message."""

_SCP = re.compile(r"(?:(?P<user>[^@/\s]+)@)?(?P<host>\[[^\]]+\]|[^:/\s\[\]]+):(?P<path>.*)\Z", re.S)
_DEFAULT_PORTS = {"ssh": 22, "git": 9418, "http": 80, "https": 443, "git+ssh": 22, "ssh+git": 22}


def channels(
    url: str | None, roots: Iterable[str], *, machine_id: str, override: str | None = None
) -> tuple[Channel, ...]:
    """All channels of a tree, sorted; with `override` only that text's."""
    if override is not None:
        return (_hashed("name:" + override),)
    found = set(sorted(_hashed("root:" + root) for root in roots)[:ROOTS])
    if url:
        found.add(_hashed("url:" + normalise(url, machine_id=machine_id)))
    return tuple(sorted(found))


def normalise(url: str, *, machine_id: str) -> str:
    """`host[:port]/path`: no scheme, user, password, default port, `.git` or trailing slash.

    A path on this machine is one thing only here: it is told apart by the machine id.
    """
    scheme, host, port, path = _split(url.strip())
    path = re.sub(r"/{2,}", "/", path).strip("/")
    path = path.removesuffix("/.git").removesuffix(".git").rstrip("/")
    if not host:
        return f"{machine_id}/{path}"
    if port is not None and port != _DEFAULT_PORTS.get(scheme):
        host = f"{host}:{port}"
    return f"{host.lower()}/{path}"


def host(url: str) -> str:
    """The host that a URL leads to, in small letters; empty: a path of this machine."""
    return _split(url.strip())[1].lower()


def _split(url: str) -> tuple[str, str, int | None, str]:
    """(scheme, host, port, path); an empty host means a path of this machine."""
    if "://" in url:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return "", "", None, url
        if parts.scheme == "file":
            return "", "", None, unquote(parts.path)
        return parts.scheme.lower(), parts.hostname or "", port, _without_home(unquote(parts.path))
    found = _SCP.match(url)
    if found and not url.startswith(("/", ".")):
        return "ssh", found["host"].strip("[]"), None, _without_home(found["path"])
    return "", "", None, url


def _without_home(path: str) -> str:
    """`ssh://host/~/x` and `host:x` are the same folder (git-clone(1), "GIT URLS")."""
    return path.removeprefix("/~/").removeprefix("~/")


def _hashed(text: str) -> Channel:
    return Channel(sha256(text.encode("utf-8", "surrogateescape")).hexdigest())
