"""Pure: commit messages: what happened and where, for whoever reads `git log`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autosyncd.vcs.changes import Change, ChangeKind, ChangeSet

BODY_PATHS = 20
"""Changes that a message lists; the rest is counted."""
_VERBS = {
    ChangeKind.ADDED: "add",
    ChangeKind.MODIFIED: "edit",
    ChangeKind.DELETED: "delete",
    ChangeKind.RENAMED: "rename",
}


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a message can say besides the changes."""

    repo: str
    host: str
    user: str
    time: str
    branch: str


def compose(template: str, changes: ChangeSet, around: Circumstances, description: str = "") -> str:
    """Subject and body. `description`, the person's own words, is the subject where it is given."""
    values = _values(changes, around)
    subject = description.strip() or fill(template, values)
    first, _, rest = subject.partition("\n")
    listed = [_line(change) for change in changes.changes[:BODY_PATHS]]
    left = len(changes.changes) - BODY_PATHS
    if left > 0:
        listed.append(f"and {left} more")
    parts = [first or values["summary"], rest.strip(), "\n".join(listed)]
    return "\n\n".join(part for part in parts if part) + "\n"


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with its {placeholders}; other braces stay as they are."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), template)


def summary(changes: ChangeSet, around: Circumstances) -> str:
    """`notes: edit todo.md, add 3 files (laptop)`."""
    said = []
    for kind, verb in _VERBS.items():
        of_kind = [change for change in changes.changes if change.kind is kind]
        if len(of_kind) == 1:
            said.append(f"{verb} {_short(of_kind[0].path)}")
        elif of_kind:
            said.append(f"{verb} {len(of_kind)} files")
    return f"{around.repo}: {', '.join(said) or 'no change'} ({around.host})"


def _values(changes: ChangeSet, around: Circumstances) -> dict[str, str]:
    return {
        "summary": summary(changes, around),
        "repo": around.repo,
        "host": around.host,
        "user": around.user,
        "time": around.time,
        "branch": around.branch,
        "files": str(len(changes.changes)),
        "added": str(changes.count(ChangeKind.ADDED)),
        "modified": str(changes.count(ChangeKind.MODIFIED)),
        "deleted": str(changes.count(ChangeKind.DELETED)),
        "renamed": str(changes.count(ChangeKind.RENAMED)),
    }


def _line(change: Change) -> str:
    if change.source is not None:
        return f"{change.kind.value} {_shown(change.source)} -> {_shown(change.path)}"
    return f"{change.kind.value} {_shown(change.path)}"


def _short(path: bytes) -> str:
    """The last part of the path, so that a subject stays one line."""
    name = _shown(path.rpartition(b"/")[2])
    return name if len(name) <= 40 else name[:39] + "…"


def _shown(path: bytes) -> str:
    """A path on one line, whatever its bytes are."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
