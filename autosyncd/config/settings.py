"""Pure: what holds in the end: built-in, the main file's defaults, a drop-in's, the entry's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autosyncd.config.given import ConfigProblem, Given, ParsedFile
from autosyncd.model import OutsideConfig, RepoConfig, Safety


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the daemon runs by, and what a later reading needs to know of this one."""

    repositories: tuple[RepoConfig, ...]
    outside: OutsideConfig
    problems: tuple[ConfigProblem, ...]
    """Of every file; a file with a problem is left out as a whole."""
    notes: tuple[str, ...]
    """Sentences worth an info line: what was skipped or kept, and why."""
    origins: tuple[str, ...] = ()
    """file:line of each repository's entry, in the order of `repositories`."""
    given: tuple[tuple[Given, ...], ...] = ()
    """The sections that say something of each repository, the strongest first."""
    top: Given = field(default_factory=Given)
    """The main file, which says what `outside` is."""
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
