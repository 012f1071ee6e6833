"""Pure: what holds in the end: built-in, the main file's defaults, a drop-in's, the entry's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from autosyncd.config import schema
from autosyncd.config.parse import ConfigProblem, Given, ParsedFile
from autosyncd.config.schema import Many, One, Section
from autosyncd.model import OutsideConfig, RepoConfig, Safety, XmppConfig


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the daemon runs by, and what a later reading needs to know of this one."""

    repositories: tuple[RepoConfig, ...]
    outside: OutsideConfig
    problems: tuple[ConfigProblem, ...]
    """Of every file; a file with a problem is left out as a whole."""
    notes: tuple[str, ...]
    """Sentences worth an info line: what was skipped or kept, and why."""
    sources: tuple[str, ...]
    """The files that were found, in reading order."""
    origins: tuple[str, ...] = ()
    """file:line of each repository's entry, in the order of `repositories`."""
    kept: tuple[ParsedFile, ...] = ()
    """What each file contributes; stays in force while the file has a problem."""
    defaults: Given | None = field(default_factory=Given)
    """The main file's `defaults:` as they hold for every file; None: not known yet."""
    guarded: Mapping[str, str] = field(default_factory=dict)
    """Paths that no repository may contain, and what each is."""


def repository(entry: Given, layers: tuple[Given, ...], path: str, name: str) -> RepoConfig:
    """One repository's settings; `layers` are sections of defaults, the strongest last."""
    merged: dict[str, Any] = {}
    safety: dict[str, Any] = {}
    for layer in (*layers, entry):
        merged.update(layer.values)
        safety.update(layer.section("safety").values)
    merged.update(path=path, name=name, safety=Safety(**safety))
    config = RepoConfig(**merged)
    if config.commit_within >= config.commit_after:
        return config
    # one of them was set alone: who wants a longer quiet time wants no earlier commit either
    return RepoConfig(**(merged | {"commit_within": config.commit_after}))


def describe(configuration: Configuration) -> list[str]:
    """Lines for `autosyncd --check`: problems, notes, and every setting that holds."""
    lines = [str(problem) for problem in configuration.problems]
    lines += configuration.notes
    for config, origin in zip(configuration.repositories, configuration.origins, strict=True):
        lines.append(f"repository {config.name} ({origin})")
        lines += [f"  {line}" for line in _settings(schema.REPOSITORY, config)]
    lines += _outside_lines(configuration.outside)
    return [line.encode(errors="replace").decode() for line in lines]


def _outside_lines(held: OutsideConfig) -> Iterator[str]:
    fanout = held.fanout
    if fanout:
        tls = "with TLS" if fanout.tls else "without TLS"
        yield f"transport fanout: {_place((fanout.host, fanout.port))} {tls}"
    if held.xmpp:
        yield _xmpp_line(held.xmpp)
    if not fanout and not held.xmpp:
        yield "transports: none; each repository is polled"
    yield f"desktop alerts: {'on' if held.desktop_alerts else 'off'}"
    if held.alerts_to:
        yield f"alerts by XMPP: to {held.alerts_to}"


def _xmpp_line(xmpp: XmppConfig) -> str:
    """Where the password comes from, and never what it is."""
    if xmpp.secret.command:
        source = "a command"
    elif xmpp.secret.file is not None:
        source = f"the file {xmpp.secret.file}"
    elif xmpp.secret.credential is not None:
        source = f"the systemd credential {xmpp.secret.credential}"
    else:
        source = "the configuration"
    at = f" at {_place(xmpp.server)}" if xmpp.server else ""
    plain = ", SASL PLAIN allowed" if xmpp.allow_plain else ""
    return f"transport xmpp: {xmpp.jid}{at}, password from {source}{plain}"


def _place(server: tuple[str, int]) -> str:
    host, port = server
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _settings(section: Section, held: RepoConfig | Safety) -> Iterator[str]:
    known = {one.name: getattr(held, one.name) for one in fields(held)}
    for name, key in section.keys.items():
        value = known[name]
        if isinstance(key.shape, Section):
            yield from (f"{name}.{line}" for line in _settings(key.shape, value))
        elif isinstance(key.shape, One | Many) and value is not None:
            yield f"{name}: {key.shape.show(value)}"
