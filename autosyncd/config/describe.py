"""Pure: the configuration as `autosyncd --check` shows it: what holds, and where that was said."""

from collections.abc import Iterator, Sequence
from dataclasses import fields

from autosyncd.config import schema
from autosyncd.config.parse import Given
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
        lines += [f"  {line}" for line in _settings(schema.REPOSITORY, config, given)]
    lines += _outside(configuration.outside, configuration.top if origin else None)
    return [line.encode(errors="replace").decode() for line in lines]


def _settings(
    section: Section, held: RepoConfig | Safety, given: Sequence[Given] | None
) -> Iterator[str]:
    known = {one.name: getattr(held, one.name) for one in fields(held)}
    for name, key in section.keys.items():
        value = known[name]
        if isinstance(key.shape, Section):
            below = None if given is None else [one.section(name) for one in given]
            yield from (f"{name}.{line}" for line in _settings(key.shape, value, below))
        elif isinstance(key.shape, One | Many) and value is not None:
            place = "" if given is None else f" ({_place(name, value, given)})"
            yield f"{name}: {key.shape.show(value)}{place}"


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
    ways, alerts = "transports", "alerts"
    fanout = held.fanout
    if fanout:
        tls = "with TLS" if fanout.tls else "without TLS"
        at = _server((fanout.host, fanout.port))
        yield f"transport fanout: {at} {tls}{_said(top, ways, 'fanout')}"
    if held.xmpp:
        yield f"{_xmpp(held.xmpp)}{_said(top, ways, 'xmpp')}"
    if not fanout and not held.xmpp:
        yield f"transports: none; each repository is polled{_said(top, ways)}"
    yield f"desktop alerts: {'on' if held.desktop_alerts else 'off'}{_said(top, alerts, 'desktop')}"
    if held.alerts_to:
        yield f"alerts by XMPP: to {held.alerts_to}{_said(top, alerts, 'xmpp')}"


def _said(top: Given | None, *way: str) -> str:
    """Where the main file says it, as a parenthesis."""
    if top is None:
        return ""
    *sections, key = way
    for name in sections:
        top = top.section(name)
    return f" ({top.place(key) if key in top.lines else BUILT_IN})"


def _xmpp(xmpp: XmppConfig) -> str:
    """Where the password comes from, and never what it is."""
    if xmpp.secret.command:
        source = "a command"
    elif xmpp.secret.file is not None:
        source = f"the file {xmpp.secret.file}"
    elif xmpp.secret.credential is not None:
        source = f"the systemd credential {xmpp.secret.credential}"
    else:
        source = "the configuration"
    at = f" at {_server(xmpp.server)}" if xmpp.server else ""
    plain = ", SASL PLAIN allowed" if xmpp.allow_plain else ""
    return f"transport xmpp: {xmpp.jid}{at}, password from {source}{plain}"


def _server(server: tuple[str, int]) -> str:
    host, port = server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
