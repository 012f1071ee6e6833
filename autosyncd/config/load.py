"""Read the configuration files, in the order of autosync.yaml(5), into what the daemon runs by."""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from autosyncd.config.choice import Candidate, Choice, Source, Version, choose, inside
from autosyncd.config.files import read_all, read_source
from autosyncd.config.given import ConfigProblem, Given, ParsedFile
from autosyncd.config.overlap import neighbours, objection
from autosyncd.config.places import Places, expand_given, foreign_home, hops, places
from autosyncd.config.settings import Configuration, repository
from autosyncd.config.transports import transports
from autosyncd.errors import ConfigError
from autosyncd.model import OutsideConfig

__all__ = ["ConfigProblem", "Configuration", "load"]


def load(
    main_file: str | None,
    *,
    previous: Configuration | None = None,
    environment: Mapping[str, str],
    etc: str = "/etc",
    real: Callable[[str], str] = os.path.realpath,
) -> Configuration:
    """All that the files say now. `main_file` is the one named with --config, if any.

    `real` makes of a repository's path what it is compared by. With places.as_written nothing at or
    below such a path is looked at, since a file system that doesn't answer would block that for ever.

    With `previous`, what a file with a problem said then stays in force. Raises ConfigError if the
    named file can't be read and there is no `previous`. `etc` is another folder in tests.
    """
    where = places(main_file, environment, etc)
    if where.named and previous is None:
        _require_readable(where.main[0])
    before = {parsed.file: parsed for parsed in previous.kept} if previous else {}
    sources = []
    for parsed in read_all(where, tuple(before)):
        last = before.get(parsed.file)
        fresh = _on_this_machine(parsed, where, environment, real)
        kept = _on_this_machine(last, where, environment, real) if last else None
        sources.append(Source(fresh, kept))
    guarded = _guarded(where, sources)
    choice = choose(sources, guarded)
    main = next((one.fresh.parsed for one in sources if one.fresh.parsed.file in where.main), None)
    return replace(_settled(choice, main, previous), guarded=guarded)


def with_links(configuration: Configuration) -> Configuration:
    """What was read with places.as_written, and the problems that the workers will find because a path
    leads to another place. This looks at the disk, at each repository's path."""
    paths = [one.path for one in configuration.repositories]
    names = {one.path: one.name for one in configuration.repositories}
    leads = {path: os.path.realpath(path) for path in paths}
    found = list(configuration.problems)
    for path, origin in zip(paths, configuration.origins, strict=True):
        around = neighbours(path, names, configuration.guarded, leads)
        if text := objection(path, leads[path], around):
            file, _, line = origin.rpartition(":")
            found.append(ConfigProblem(file, int(line), text))
    return replace(configuration, problems=tuple(found))


def _require_readable(file: str) -> None:
    try:
        read_source(file)
    except OSError as error:
        text = f"{file}: can't be read: {error.strerror}; name another file with --config"
        raise ConfigError(text) from error


def _on_this_machine(
    parsed: ParsedFile,
    where: Places,
    environment: Mapping[str, str],
    real: Callable[[str], str],
) -> Version:
    """The file with its paths expanded, and without what is another person's."""
    candidates: list[Candidate] = []
    problems: list[ConfigProblem] = []
    notes: list[str] = []
    for entry in parsed.repositories:
        written = expand_given(parsed.file, entry, "path", environment, upwards=False)
        if isinstance(written, ConfigProblem):
            problems.append(written)
        elif written is not None:
            path = real(written)
            name = entry.values.get("name") or default_name(written)
            one = Candidate(entry, path, name, parsed.file)
            for_all = inside(parsed.file, where.system)
            person = foreign_home(path, environment, real) if for_all else None
            if person:
                notes.append(f"{one.place('path')}: {path} lies in {person}'s home: skipped here")
            else:
                candidates.append(one)
    said = transports(parsed, environment)
    problems += said.problems
    return Version(
        parsed, tuple(candidates), tuple(problems), tuple(notes), said.outside, said.files
    )


def default_name(path: str) -> str:
    """The last part of the path as it was written, made printable for messages and the bus."""
    last = os.fsencode(os.path.basename(os.path.normpath(path))).decode(errors="replace")
    clean = "".join(character if character.isprintable() else "_" for character in last)
    return "_" + clean[1:] if clean.startswith("-") else clean or "root"


def _guarded(where: Places, sources: Sequence[Source]) -> dict[str, str]:
    """Every path whose change would change the configuration, links on the way included."""
    trees = {one.path for source in sources for one in _candidates(source)}
    wanted = {path: f"the configuration ({path})" for path in (*where.main, *where.folders)}
    for source in sources:
        wanted.setdefault(source.fresh.parsed.file, f"{source.fresh.parsed.file}")
        for version in filter(None, (source.fresh, source.before)):
            wanted.update(version.files)
    guarded: dict[str, str] = {}
    for path, what in wanted.items():
        for there in _way(path, trees):
            guarded.setdefault(there, what)
    return guarded


def _way(path: str, trees: Collection[str]) -> Iterator[str]:
    """The path, links on the way to it, and where it leads; only as far as to a repository, in which
    nothing is looked at."""
    yield path
    if any(inside(path, tree) for tree in trees):
        return
    for folder, name in hops(path):
        there = os.path.join(folder, name)
        yield there
        if there in trees:
            return
    yield os.path.realpath(path)


def _candidates(source: Source) -> Collection[Candidate]:
    return (*source.fresh.candidates, *(source.before.candidates if source.before else ()))


def _settled(
    choice: Choice, main: ParsedFile | None, previous: Configuration | None
) -> Configuration:
    """The defaults laid below every entry of the versions that hold."""
    held = next((one for one in choice.versions if main and one.parsed.file == main.file), None)
    defaults = _defaults(main, held, previous)
    problems = choice.problems
    if main and defaults is None:
        text = "its defaults are not known, so the other files' repositories wait; correct it first"
        problems += (ConfigProblem(main.file, 0, text),)
    repositories, origins, given = [], [], []
    for version in choice.versions if defaults is not None else ():
        layers = [one for one in (defaults, version.parsed.defaults) if one is not None]
        for one in version.candidates:
            repositories.append(repository(one.entry, tuple(layers), one.path, one.name))
            origins.append(one.place("path"))
            given.append((one.entry, *reversed(layers)))
    before = previous.outside if main and previous else OutsideConfig()
    return Configuration(
        repositories=tuple(repositories),
        outside=held.outside if held else before,
        problems=problems,
        notes=choice.notes,
        origins=tuple(origins),
        given=tuple(given),
        top=held.parsed.top if held else Given(),
        kept=tuple(version.parsed for version in choice.versions),
        defaults=defaults,
    )


def _defaults(
    main: ParsedFile | None, held: Version | None, previous: Configuration | None
) -> Given | None:
    """What the main file says for all. Guessing would be wrong: `push: false` may be among it."""
    if main is None:
        return Given()
    if held:
        return held.parsed.defaults
    if main.defaults_known:
        return main.defaults
    return previous.defaults if previous else None
