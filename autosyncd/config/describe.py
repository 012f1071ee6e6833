"""Pure: the configuration as `autosyncd --check` shows it: what holds, and where that was said."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from autosyncd.config import schema
from autosyncd.config.given import Given
from autosyncd.config.schema import Many, One, Section
from autosyncd.config.settings import Configuration
from autosyncd.model import OutsideConfig, RepoConfig, Safety, XmppConfig

BUILT_IN = "built in"
_COMMIT_WITHIN = RepoConfig("", "").commit_within


def describe(configuration: Configuration, *, origin: bool = False) -> list[str]:
    """Problems, notes, and every setting that holds; with `origin` the place of each: file:line, or
    that it is built in."""
    lines = [str(problem) for problem in configuration.problems]
    lines += configuration.notes
    for number, config in enumerate(configuration.repositories):
        lines.append(f"repository {config.name} ({configuration.origins[number]})")
        given = configuration.given[number] if origin else None
        for one in settings(config, given):
            place = f" ({one.place})" if one.place else ""
            if one.value is not None:
                lines.append(f"  {'.'.join(one.names)}: {one.text}{place}")
    lines += _outside(configuration.outside, configuration.top if origin else None)
    return [line.encode(errors="replace").decode() for line in lines]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key of a repository, as it holds."""

    names: tuple[str, ...]
    """The key, after that of its section."""
    value: object
    text: str
    """As a person would write it."""
    place: str
    """file:line, or how else it came to be so; empty: it was not asked for."""


def settings(
    held: RepoConfig | Safety,
    given: Sequence[Given] | None,
    section: Section = schema.REPOSITORY,
    above: tuple[str, ...] = (),
) -> Iterator[Setting]:
    """Every key, those too that have no value; with the sections that say something of them, the
    strongest first, also where each was said."""
    known = {one.name: getattr(held, one.name) for one in fields(held)}
    for name, key in section.keys.items():
        value = known[name]
        if isinstance(key.shape, Section):
            below = None if given is None else [one.section(name) for one in given]
            yield from settings(value, below, key.shape, (*above, name))
        elif isinstance(key.shape, One | Many):
            text = "" if value is None else key.shape.show(value)
            place = "" if given is None else _place(name, value, given)
            yield Setting((*above, name), value, text, place)


def _place(name: str, value: object, given: Sequence[Given]) -> str:
    """Where the strongest word on a key is."""
    said = next((one for one in given if name in one.values), None)
    after = next((one for one in given if "commit_after" in one.values), None)
    stands = said.values[name] if said else _COMMIT_WITHIN
    if name == "commit_within" and after and value != stands:  # it is never the shorter one
        return f"as commit_after, {after.place('commit_after')}"
    if said:
        return said.place(name)
    return "from the path" if name == "name" else BUILT_IN


def _outside(held: OutsideConfig, top: Given | None) -> Iterator[str]:
    def said(*way: str) -> str:
        return f" ({place_of(top, *way)})" if top is not None else ""

    fanout = held.fanout
    if fanout:
        tls = "with TLS" if fanout.tls else "without TLS"
        at = server_text((fanout.host, fanout.port))
        yield f"transport fanout: {at} {tls}{said('transports', 'fanout')}"
    if held.xmpp:
        yield f"{_xmpp(held.xmpp)}{said('transports', 'xmpp')}"
    if not fanout and not held.xmpp:
        yield f"transports: none; each repository is polled{said('transports')}"
    yield f"desktop alerts: {'on' if held.desktop_alerts else 'off'}{said('alerts', 'desktop')}"
    if held.alerts_to:
        yield f"alerts by XMPP: to {held.alerts_to}{said('alerts', 'xmpp')}"


def place_of(top: Given, *way: str) -> str:
    """Where the main file says it."""
    *sections, key = way
    for name in sections:
        top = top.section(name)
    return top.place(key) if key in top.lines else BUILT_IN


def _xmpp(xmpp: XmppConfig) -> str:
    at = f" at {server_text(xmpp.server)}" if xmpp.server else ""
    plain = ", SASL PLAIN allowed" if xmpp.allow_plain else ""
    return f"transport xmpp: {xmpp.jid}{at}, password from {password_source(xmpp)}{plain}"


def password_source(xmpp: XmppConfig) -> str:
    """Where the password comes from, and never what it is."""
    if xmpp.secret.command:
        return "a command"
    if xmpp.secret.file is not None:
        return f"the file {xmpp.secret.file}"
    if xmpp.secret.credential is not None:
        return f"the systemd credential {xmpp.secret.credential}"
    return "the configuration"


def server_text(server: tuple[str, int]) -> str:
    """HOST:PORT, as it is written in the configuration."""
    host, port = server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
