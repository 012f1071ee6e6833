"""Pure: every key of the configuration: what it takes, and what holds where it is not given.

The table is the one place that knows the keys. parse.py reads by it, settings.py shows by it, and
tests hold model.py's defaults, the sample configuration and autosync.yaml(5) against it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autosyncd.config import accounts, values
from autosyncd.config.meant import suggestion
from autosyncd.config.values import Mistake, Reader
from autosyncd.model import AlertKind


@dataclass(frozen=True, slots=True)
class One:
    """One scalar."""

    read: Reader
    show: Callable[[Any], str] = str


@dataclass(frozen=True, slots=True)
class Many:
    """A list of scalars; a lone scalar is a list of one. `gather` makes the items one value."""

    read: Reader
    show: Callable[[Any], str]
    gather: Callable[[tuple[Any, ...]], Any] = tuple


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of keys. `check` finds what is wrong with keys that are fine one by one."""

    keys: "Mapping[str, Key]"
    required: tuple[str, ...] = ()
    secret: bool = False
    """A password may stand in it: no problem shows what was written there."""
    check: Callable[[Mapping[str, Any]], tuple[str, Mistake] | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of mappings of the same keys."""

    of: Section


@dataclass(frozen=True, slots=True)
class Key:
    """One key. `default` is its text as a person would write it; None: see autosync.yaml(5)."""

    shape: One | Many | Section | Entries
    default: str | None = None
    own: bool = False
    """Belongs to one repository: `defaults:` can't hold it."""


def _contradiction(given: Mapping[str, Any]) -> tuple[str, Mistake] | None:
    after, within = given.get("commit_after"), given.get("commit_within")
    if after is None or within is None or after <= within:
        return None
    short, long = values.duration_text(within), values.duration_text(after)
    return "commit_within", Mistake(f"{short} is shorter than commit_after ({long}); write {long}")


_DELAY = One(values.duration(), values.duration_text)
_SWITCH = One(values.boolean, values.boolean_text)
_SHARE = One(values.percentage, values.percentage_text)
_SIZE = One(values.size, values.size_text)
_POLL = One(
    values.word_or(("auto", "never"), values.duration(minimum=5.0)),
    lambda value: value if isinstance(value, str) else values.duration_text(value),
)
_ALERTS = Many(
    values.one_of(*(kind.value for kind in AlertKind), "everything", "none"),
    values.alert_kinds_text,
    values.alert_kinds,
)
_EXCLUDE = Many(values.line, lambda patterns: f"[{', '.join(map(repr, patterns))}]")

SAFETY = Section(
    {
        "max_deleted": Key(_SHARE, "50%"),
        "max_modified": Key(_SHARE, "90%"),
        "min_files": Key(One(values.count), "20"),
        "max_new": Key(One(values.count), "1000"),
        "max_new_size": Key(_SIZE, "200MB"),
    }
)
REPOSITORY = Section(
    {
        "path": Key(One(values.text), own=True),
        "name": Key(One(values.name), own=True),
        "vcs": Key(One(values.one_of("auto", "git")), "auto"),
        "remote": Key(One(values.ref), "auto"),
        "branch": Key(One(values.ref)),
        "channel": Key(One(values.line), own=True),
        "exclude": Key(_EXCLUDE, "[]"),
        "push": Key(_SWITCH, "true"),
        "pull": Key(_SWITCH, "true"),
        "message": Key(One(values.message), '"{summary}"'),
        "junk": Key(One(values.one_of("skip", "keep")), "skip"),
        "commit_after": Key(_DELAY, "2s"),
        "commit_within": Key(_DELAY, "60s"),
        "push_after": Key(_DELAY, "3s"),
        "poll_every": Key(_POLL, "auto"),
        "large_file": Key(_SIZE, "100MB"),
        "staged_wait": Key(_DELAY, "10m"),
        "commit_hooks": Key(_SWITCH, "false"),
        "alerts": Key(_ALERTS, "[conflict, problem]"),
        "trust": Key(Many(accounts.jid, accounts.jids_text, accounts.trusted), "[]"),
        "safety": Key(SAFETY),
    },
    required=("path",),
    check=_contradiction,
)
DEFAULTS = Section(
    {name: key for name, key in REPOSITORY.keys.items() if not key.own}, check=_contradiction
)
FANOUT = Section(
    {
        "server": Key(One(values.server(1986))),
        "tls": Key(_SWITCH, "true"),
        "ca_file": Key(One(values.text)),
    },
    required=("server",),
)
XMPP = Section(
    {
        "jid": Key(One(accounts.jid)),
        "password_command": Key(Many(values.text, lambda _: "…", accounts.command)),
        "password_file": Key(One(values.text)),
        "password": Key(One(accounts.password, lambda _: "…")),
        "server": Key(One(values.server(5222))),
        "ca_file": Key(One(values.text)),
        "allow_plain": Key(_SWITCH, "false"),
    },
    required=("jid",),
    secret=True,
    check=accounts.one_source,
)
ALERTS = Section({"desktop": Key(_SWITCH, "true"), "xmpp": Key(One(accounts.jid))})
DROP_IN = Section({"defaults": Key(DEFAULTS), "repositories": Key(Entries(REPOSITORY))})
MAIN = Section(
    {
        **DROP_IN.keys,
        "transports": Key(Section({"fanout": Key(FANOUT), "xmpp": Key(XMPP)})),
        "alerts": Key(ALERTS),
    }
)

_PLACES = (
    (SAFETY, "under safety:"),
    (FANOUT, "under transports: fanout:"),
    (XMPP, "under transports: xmpp:"),
    (DEFAULTS, "in an entry of repositories: or under defaults:"),
    (REPOSITORY, "in an entry of repositories:, since it is one repository's own"),
    (MAIN, "at the top of the main file"),
)


def hint(key: str, section: Section) -> str:
    """What the person who wrote an unknown key may have meant, as a parenthesis."""
    if home := next((text for place, text in _PLACES if key in place.keys), None):
        return f" (it belongs {home})"
    if key.startswith("-"):
        return " (write a blank after the -)"
    if near := suggestion(key, section.keys):
        return near
    return f" (known here: {', '.join(section.keys)})"
