"""Pure: what holds in the end: built-in, the main file's defaults, a drop-in's, the entry's own."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from autosyncd.config import schema
from autosyncd.config.parse import ConfigProblem, Given, ParsedFile
from autosyncd.config.schema import Many, One, Section
from autosyncd.model import FanoutConfig, OutsideConfig, RepoConfig, Safety


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


def outside(main: ParsedFile, ca_file: str | None) -> OutsideConfig:
    """What the messenger is told; `ca_file` is the path with ~ and variables expanded."""
    desktop = main.top.section("alerts").values.get("desktop", True)
    given = dict(main.top.section("transports").section("fanout").values)
    if not given:
        return OutsideConfig(desktop_alerts=desktop)
    host, port = given.pop("server")
    given["ca_file"] = ca_file
    return OutsideConfig(FanoutConfig(host=host, port=port, **given), desktop)


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
        host = f"[{fanout.host}]" if ":" in fanout.host else fanout.host
        tls = "with TLS" if fanout.tls else "without TLS"
        yield f"transport fanout: {host}:{fanout.port} {tls}"
    else:
        yield "transports: none; each repository is polled"
    yield f"desktop alerts: {'on' if held.desktop_alerts else 'off'}"


def _settings(section: Section, held: RepoConfig | Safety) -> Iterator[str]:
    known = {one.name: getattr(held, one.name) for one in fields(held)}
    for name, key in section.keys.items():
        value = known[name]
        if isinstance(key.shape, Section):
            yield from (f"{name}.{line}" for line in _settings(key.shape, value))
        elif isinstance(key.shape, One | Many) and value is not None:
            yield f"{name}: {key.shape.show(value)}"
