"""Held files: somebody has one open for writing, so an incoming version of it has to wait.

The rest of an update goes on and HEAD moves; the path keeps the version it has on disk. Which commit
that version belongs to is on record before HEAD moves: so an unchanged held file is never taken for a
revert of the incoming change, and an edit of it is committed on the version it was made from.
"""

import errno
import os
import stat
from collections.abc import Iterable, Mapping

from autosyncd.vcs.git import onrecord, ownrefs
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.listings import of_tree
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.writers import writer_of

Held = onrecord.PathCommits
"""Path → the commit whose version of it is on disk."""
FILE = "held.json"
SPARED = "spared.json"
_SPECIAL = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def recall(repository: Repository) -> Held:
    """The record, empty when there is none."""
    return onrecord.recall(repository, FILE)


def record(repository: Repository, held: Held) -> None:
    """Write the record down, durably: the branch may move only after it."""
    if not held:
        onrecord.file_of(repository, FILE).unlink(missing_ok=True)
        return
    onrecord.write(repository, FILE, held, durable=True)


def forget_lost(repository: Repository, author: Author, name: str) -> Held:
    """The record, after a look at whether git still has its commits: it throws away what no history has
    any more (squashed, say, and then `git gc --prune=now`). What lies on disk was then made from nothing
    that is known; merged, it is a version of its own, beside what waits for it."""
    known = recall(repository)
    stdin = "".join(base + "\n" for base in set(known.values())).encode()
    # a child of before might still have the pack open in which it was
    said = repository.git("cat-file", "--batch-check", stdin=stdin).text if known else ""
    lost = {line.split()[0] for line in said.split("\n") if line.endswith(" missing")}
    if not lost:
        return known
    nothing = repository.git("hash-object", "-t", "tree", "-w", "--stdin").text
    message = f"{name}: what a file that is still open was made from is lost"
    root = make_commit(repository, nothing, [], message=message, author=author)
    known |= {path: root for path, base in known.items() if base in lost}
    record(repository, known)
    return known


def spared(repository: Repository) -> Held | None:
    """Held paths that wait because of a file of the person's in their place that is not to be published
    (it is ignored, say). None where that was never written down."""
    known = onrecord.file_of(repository, SPARED).exists()
    return onrecord.recall(repository, SPARED) if known else None


def spare(repository: Repository, held: Held) -> None:
    """Write those down, durably; to be called before record()."""
    if held != spared(repository):
        onrecord.write(repository, SPARED, held, durable=True)


def version_in(repository: Repository, tree: str, path: bytes) -> Version | None:
    """The entry of a path in a tree or commit; None when there is none, or a folder."""
    said = repository.git("--literal-pathspecs", "ls-tree", "-z", tree, "--", path)
    for _, kind, version in of_tree(said.records):
        return version if kind == b"blob" else None
    return None


def file_above(repository: Repository, tree: str, path: bytes) -> bytes | None:
    """The parent of a path that is a file or link in a tree or commit, if any is."""
    found = (one for one in _above(path) if version_in(repository, tree, one) is not None)
    return next(found, None)


def bases_of(held: Held, paths: Iterable[bytes]) -> dict[bytes, str]:
    """The commit that an edit at each of these paths was made from, for those that are held files, lie
    in a folder that has taken the place of one, or have the place of a folder with one in it."""
    bases = {above: held[path] for path in sorted(held, reverse=True) for above in _above(path)}
    bases |= held
    nearest = ((path, _nearest(held, path)) for path in paths)
    return {path: bases[near] for path, near in nearest if near in bases}


def behind_link(repository: Repository, path: bytes) -> bool:
    """Whether a link has the place of a folder above a path: what can be seen there is another file,
    perhaps none of this tree."""
    return any(os.path.islink(os.path.join(repository.root, above)) for above in _above(path))


def lies_there(repository: Repository, path: bytes) -> bool:
    """Whether anything does."""
    there = os.path.lexists(os.path.join(repository.root, path))
    return there and not behind_link(repository, path)


def _nearest(held: Held, path: bytes) -> bytes:
    """The held file that has, or had, the place of a path or of a folder above it; else the path."""
    return next((one for one in (path, *_above(path)) if one in held), path)


def _above(path: bytes) -> list[bytes]:
    parts = path.split(b"/")
    return [b"/".join(parts[:end]) for end in range(1, len(parts))]


def disk_tree(repository: Repository, head: str | None, held: Held) -> str:
    """The tree that lies on disk when nothing was edited: HEAD's, with held paths as they are. One that
    was deleted here waits still; so what is merged comes, even if that is what was deleted."""
    tree = repository.tree_of(head)
    there = {
        path: version_in(repository, base, path) if lies_there(repository, path) else None
        for path, base in held.items()
    }
    return tree_with(repository, tree, there)


def commit_edits(
    repository: Repository, held: Held, edits: dict[bytes, Version], *, author: Author, name: str
) -> list[str]:
    """Edits of held files, each committed on the version it was made from; their ids.

    Each is kept by a ref until HEAD contains it. The record moves on to them.
    """
    made = []
    bases = bases_of(held, edits)
    for base in sorted(set(bases.values())):
        mine = {path: edits[path] for path in edits if bases[path] == base}
        tree = with_edits(repository, repository.tree_of(base), mine)
        message = f"{name}: edit of a file that is still open"
        commit = make_commit(repository, tree, [base], message=message, author=author)
        ownrefs.keep_side(repository, commit)
        made.append(commit)
        replaced = (above for path in mine for above in _above(path) if above in held)
        covered = (path for path in held if not mine.keys().isdisjoint(_above(path)))
        held |= dict.fromkeys((*mine, *replaced, *covered), commit)
    if made:
        record(repository, held)
    return made


def with_edits(repository: Repository, tree: str, edits: Mapping[bytes, Version]) -> str:
    """A tree with these versions in it. What was a file may be a folder now, with one of them in it."""
    files = {file_above(repository, tree, path) for path in edits}
    gone = {file: None for file in files if file is not None}
    return tree_with(repository, tree, {**gone, **edits})


def describe(repository: Repository, paths: Mapping[bytes, str]) -> tuple[str, ...]:
    """`app.log: an incoming change waits, open for writing by rsyslogd (812)`. Of each path the
    reason, if that is known already."""
    return tuple(
        f"{os.fsdecode(path)}: an incoming change waits, {paths[path] or _reason(repository, path)}"
        for path in sorted(paths)[:5]
    )


def _reason(repository: Repository, path: bytes) -> str:
    away = behind_link(repository, path)
    obstacle = None if away else _obstacle(repository.root, path)
    if obstacle is not None:
        return obstacle
    writer = None if away else writer_of(os.path.join(repository.root, path))
    if writer is not None:
        return f"open for writing by {writer}"
    return "since the file is in use, can't be read, or is marked assume-unchanged"


def _obstacle(root: bytes, path: bytes) -> str | None:
    """What has the place of a file and is none; or that there is no such place."""
    try:
        mode = os.lstat(os.path.join(root, path)).st_mode
    except OSError as problem:
        too_long = problem.errno == errno.ENAMETOOLONG
        return "since its name or path is longer than this system takes" if too_long else None
    special = _SPECIAL.get(stat.S_IFMT(mode))
    return f"{special} has its place; it comes when that is moved or deleted" if special else None
