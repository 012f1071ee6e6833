"""Pure: which files hold, when files contradict each other or one of them can't be used.

A file is taken as a whole or left out as a whole. What it said when it was last taken stays in
force while the file has a problem. On a reload the files that did not change are taken first, so that an
edit never stops a repository of another file.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from autosyncd.config.given import ConfigProblem, Given, ParsedFile
from autosyncd.model import OutsideConfig


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entry with its path as it is compared: real, or as written."""

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
    outside: OutsideConfig = field(default_factory=OutsideConfig)
    files: Mapping[str, str] = field(default_factory=dict)
    """Further paths that no repository may contain, and what each is."""


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


@dataclass
class _Taken:
    """What is there already, found by path, by name and by the folders above a path."""

    paths: dict[str, Candidate] = field(default_factory=dict)
    names: dict[str, Candidate] = field(default_factory=dict)
    above: dict[str, Candidate] = field(default_factory=dict)

    def add(self, one: Candidate) -> None:
        self.paths.setdefault(one.path, one)
        self.names.setdefault(one.name, one)
        for folder in _above(one.path):
            self.above.setdefault(folder, one)

    def copy(self) -> "_Taken":
        return _Taken(dict(self.paths), dict(self.names), dict(self.above))


def choose(sources: Sequence[Source], guarded: Mapping[str, str]) -> Choice:
    """`sources` in reading order; `guarded`: paths no repository may contain, and what they are."""
    taken: dict[int, Version] = {}
    others = _Taken()
    exposed = _exposed_by(guarded)
    problems: dict[int, tuple[ConfigProblem, ...]] = {}
    kept: list[str] = []
    for number in sorted(range(len(sources)), key=lambda n: (not sources[n].unchanged, n)):
        fresh, before = sources[number].fresh, sources[number].before
        problems[number] = _problems(fresh, others, exposed)
        if not problems[number]:
            taken[number] = fresh
        elif before and not _problems(before, others, exposed):
            taken[number] = before
            kept.append(f"{fresh.parsed.file}: what it said before stays in force")
        for one in taken[number].candidates if number in taken else ():
            others.add(one)
    order = sorted(taken)
    notes = [note for number in order for note in taken[number].notes]
    return Choice(
        tuple(taken[number] for number in order),
        tuple(problem for number in sorted(problems) for problem in problems[number]),
        (*kept, *notes),
    )


def inside(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or lies in it, as they are written; both absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def _problems(
    version: Version, others: _Taken, exposed: Mapping[str, str]
) -> tuple[ConfigProblem, ...]:
    found = [*version.parsed.problems, *version.problems]
    before = others.copy()
    for candidate in version.candidates:
        for key, text in (*_clashes(candidate, before), *_exposed(candidate, exposed)):
            text = f"{candidate.entry.label(key)}: {text}"
            found.append(ConfigProblem(candidate.file, candidate.line(key), text))
        before.add(candidate)
    return tuple(sorted(found, key=lambda problem: problem.line))


def _clashes(one: Candidate, taken: _Taken) -> Iterator[tuple[str, str]]:
    same, around, below = taken.paths.get(one.path), None, taken.above.get(one.path)
    for folder in _above(one.path):
        around = around or taken.paths.get(folder)
    if same:
        yield "path", f"{one.path} is given already at {same.place('path')}; keep one of them"
    elif around:
        there = around.place("path")
        yield "path", f"{one.path} lies inside {around.path}, given at {there}; keep one of them"
    elif below:
        there = below.place("path")
        yield "path", f"{one.path} contains {below.path}, given at {there}; keep one of them"
    named = taken.names.get(one.name)
    if named and named.path != one.path:
        there = named.place("name")
        yield "name", f"{one.name} is the name of another at {there}; give one another name:"


def _above(path: str) -> Iterator[str]:
    """Every folder that the path lies in, the nearest first."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        yield path


def _exposed_by(guarded: Mapping[str, str]) -> dict[str, str]:
    """Every folder that must be no repository, since what is named lies in it."""
    found: dict[str, str] = {}
    for path, what in guarded.items():
        for folder in (path, *_above(path)):
            found.setdefault(folder, what)
    return found


def _exposed(one: Candidate, exposed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """A push from elsewhere must never change how this machine is configured."""
    what = exposed.get(one.path)
    if what:
        yield "path", f"{what} lies inside {one.path}, so a pull could change it; move one of them"
