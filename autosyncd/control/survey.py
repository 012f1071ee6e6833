"""Pure: what adding a folder would commit, push and leave out, and how that is shown.

JSON (`add --json`, `clone --json`): one object,

    {"path", "name", "branch", "remote", "url", "apart", "obstacle": text, "new_repository": bool,
     "files", "bytes", "unpushed_commits": number, "largest": [{"path", "bytes"}],
     "left_out": {kind: {"count": number, "names": [the first few]}},
     "added": bool, "file": the drop-in that was written, "daemon": "told" or "not reached"}

`left_out` has the kinds of LEFT_OUT below. Keys are only ever added.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from autosyncd.control.render import plain

LARGEST = 5
NAMED = 3
"""How many names stand for all."""
LEFT_OUT = {
    "ignored": "ignored by git",
    "exclude": "named in exclude:",
    "junk": "leftovers of editors and downloads",
    "large": "larger than large_file",
    "nested": "repositories of their own",
    "unreadable": "not readable",
    "name": "names git can't take",
}
"""Kinds of what stays out, as people read them; `secret` is shown by itself."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that the first commit would hold; `size` is bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything a person should know before they say yes."""

    path: str
    name: str
    branch: str
    remote: str = ""
    """The remote's name; empty: commits stay here."""
    url: str = ""
    """Of the remote, without user and password."""
    push: bool = True
    files: tuple[File, ...] = ()
    """What differs from the last commit; a deleted file has no bytes."""
    unpushed: int = 0
    """Commits that are not known to be on the remote."""
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    apart: str = ""
    """Why no other machine is met: the remote has other branches."""
    obstacle: str = ""
    """What keeps autosyncd from beginning at once."""
    new_repository: bool = False
    """It is not a repository yet."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def largest(self) -> tuple[File, ...]:
        """The largest first."""
        return tuple(sorted(self.files, key=lambda file: -file.size)[:LARGEST])


def size_text(size: int) -> str:
    """Bytes as people read them: 512 B, 3.4 kB, 120 MB."""
    number, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while number >= 999.5 and len(units) > 1:
        number, units = number / 1000, units[1:]
    digits = 1 if number < 10 and units[0] != "B" else 0
    return f"{number:.{digits}f} {units[0]}"


def counted(count: int, one: str) -> str:
    """1 file, 3 files."""
    return f"{count:,} {one}" + ("" if count == 1 else "s")


def text(survey: Survey) -> str:
    """The survey as a person reads it before they are asked."""
    lines = [plain(f"{survey.path} (named {survey.name})")]
    if survey.new_repository:
        lines.append("  It is not a repository yet: it becomes one, with: git init -b main")
    lines += [f"  {label:<10}{plain(line)}" for label, line in _facts(survey)]
    return "\n".join(lines) + "\n"


def _facts(survey: Survey) -> Iterator[tuple[str, str]]:
    yield "branch", survey.branch
    yield "remote", f"{survey.remote}: {survey.url}" if survey.remote else "none; commits stay here"
    if survey.apart:
        yield "", survey.apart
    pushed = " and pushed" if survey.remote and survey.push else ""
    yield "now", _first_commit(survey, pushed)
    if survey.unpushed and pushed:
        commits = counted(survey.unpushed, "commit")
        yield "", f"{commits} not known to be on {survey.remote} would be pushed too"
    label = "largest"
    for file in survey.largest:
        yield label, f"{size_text(file.size):>8}  {file.path}"
        label = ""
    label = "left out"
    for kind, words in LEFT_OUT.items():
        if names := survey.left_out.get(kind):
            yield label, f"{words}: {some(names)}"
            label = ""
    if secrets := survey.left_out.get("secret"):
        yield "held back", f"{some(secrets, 10)}: by the name, keys or passwords"
        yield "", f"to take one in all the same: --include {secrets[0]}"
    if survey.obstacle:
        yield "waiting", survey.obstacle


def _first_commit(survey: Survey, pushed: str) -> str:
    if not survey.files:
        return "nothing new would be committed"
    return f"{counted(len(survey.files), 'file')}, {size_text(survey.size)}, would be committed{pushed}"


def some(names: Iterable[str], most: int = NAMED) -> str:
    """The first few names, and how many more there are."""
    listed = list(names)
    rest = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + rest


def as_json(survey: Survey, *, file: str = "", told: bool = False) -> str:
    """The survey, and what came of it, as one line of JSON (see the module)."""
    shown = {
        "path": survey.path,
        "name": survey.name,
        "branch": survey.branch,
        "remote": survey.remote,
        "url": survey.url,
        "apart": survey.apart,
        "obstacle": survey.obstacle,
        "new_repository": survey.new_repository,
        "files": len(survey.files),
        "bytes": survey.size,
        "unpushed_commits": survey.unpushed,
        "largest": [{"path": one.path, "bytes": one.size} for one in survey.largest],
        "left_out": {
            kind: {"count": len(names), "names": list(names[:10])}
            for kind, names in survey.left_out.items()
        },
        "added": bool(file),
        "file": file,
        "daemon": "told" if told else "not reached",
    }
    return json.dumps(shown) + "\n"
