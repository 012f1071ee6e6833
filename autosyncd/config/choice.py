"""Pure: which files hold, when files contradict each other or one of them can't be used.

A file is taken as a whole or left out as a whole. What it said when it was last taken stays in
force while the file has a problem. On a reload the files that did not change are taken first, so that an
edit never stops a repository of another file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from autosyncd.config.parse import ConfigProblem, Given, ParsedFile


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry with its path made real."""

    entry: Given
    path: str
    name: str
    file: str

    def place(self, key: str) -> str:
        """file:line of a key, or of the entry where the key is not written."""
        return f"{self.file}:{self.line(key)}"

    def line(self, key: str) -> int:
        return self.entry.lines.get(key, self.entry.line)


@dataclass(frozen=True, slots=True)
class Version:
    """What one file says, now or when it was last taken, as it is on this machine."""

    parsed: ParsedFile
    candidates: tuple[Candidate, ...] = ()
    problems: tuple[ConfigProblem, ...] = ()
    notes: tuple[str, ...] = ()
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One file: as it is now, and as it was when it was last taken."""

    fresh: Version
    before: Version | None = None

    @property
    def unchanged(self) -> bool:
        return self.before is not None and self.fresh.parsed == self.before.parsed


@dataclass(frozen=True, slots=True)
class Choice:
    """The versions that hold, in reading order, and every problem met on the way."""

    versions: tuple[Version, ...]
    problems: tuple[ConfigProblem, ...]
    notes: tuple[str, ...]


def choose(sources: Sequence[Source], guarded: Mapping[str, str]) -> Choice:
    """`sources` in reading order; `guarded`: paths no repository may contain, and what they are."""
    taken: dict[int, Version] = {}
    problems: dict[int, tuple[ConfigProblem, ...]] = {}
    kept: list[str] = []
    for number in sorted(range(len(sources)), key=lambda n: (not sources[n].unchanged, n)):
        fresh, before = sources[number].fresh, sources[number].before
        others = [one for version in taken.values() for one in version.candidates]
        problems[number] = _problems(fresh, others, guarded)
        if not problems[number]:
            taken[number] = fresh
        elif before and not _problems(before, others, guarded):
            taken[number] = before
            kept.append(f"{fresh.parsed.file}: what it said before stays in force")
    order = sorted(taken)
    notes = [note for number in order for note in taken[number].notes]
    return Choice(
        tuple(taken[number] for number in order),
        tuple(problem for number in sorted(problems) for problem in problems[number]),
        (*kept, *notes),
    )


def inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it; both are real paths."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _problems(
    version: Version, others: Sequence[Candidate], guarded: Mapping[str, str]
) -> tuple[ConfigProblem, ...]:
    found = [*version.parsed.problems, *version.problems]
    before = list(others)
    for candidate in version.candidates:
        for key, text in (*_clashes(candidate, before), *_exposed(candidate, guarded)):
            text = f"{candidate.entry.label(key)}: {text}"
            found.append(ConfigProblem(candidate.file, candidate.line(key), text))
        before.append(candidate)
    return tuple(sorted(found, key=lambda problem: problem.line))


def _clashes(one: Candidate, others: Sequence[Candidate]) -> Iterator[tuple[str, str]]:
    for other in others:
        there = other.place("path")
        if one.path == other.path:
            yield "path", f"{one.path} is given already at {there}; keep one of them"
        elif inside(one.path, other.path):
            yield "path", f"{one.path} lies inside {other.path}, given at {there}; keep one of them"
        elif inside(other.path, one.path):
            yield "path", f"{one.path} contains {other.path}, given at {there}; keep one of them"
        if one.name == other.name and one.path != other.path:
            there = other.place("name")
            yield "name", f"{one.name} is the name of another at {there}; give one another name:"


def _exposed(one: Candidate, guarded: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A push from elsewhere must never change how this machine is configured."""
    what = next((what for path, what in guarded.items() if inside(path, one.path)), None)
    if what:
        yield "path", f"{what} lies inside {one.path}, so a pull could change it; move one of them"
