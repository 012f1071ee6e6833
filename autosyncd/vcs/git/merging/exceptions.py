"""Exceptions from what is ignored (`!notes.txt`) that one side has taken out stay out.

Rule files are merged by union (apart.py), which keeps what either side has: beside a line that the other
side has added, one that was taken out comes back. For a rule that is too much of it; but an exception
would publish what was made private by taking it out (gitignore(5)).
"""

from collections.abc import Callable

from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.held import version_in
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.repository import Repository


def keep_out(
    repository: Repository, tree: str, tips: tuple[str, str], base: Callable[[], str]
) -> str:
    """The merged tree without such lines. `base`: what both tips come from; asked if there is need."""
    where = ":(glob)**/.gitignore"
    differ = repository.git("diff-tree", "-r", "-z", "--name-only", *tips, "--", where).records
    entries: dict[bytes, Version | None] = {}
    for path in differ:
        before, *after = (version_in(repository, one, path) for one in (base(), *tips, tree))
        if before is None or None in after:
            continue
        texts = [_text(repository, one) for one in (before, *filter(None, after))]
        meant = without_taken_out(*texts)
        if meant != texts[-1] and after[-1] is not None:
            oid = repository.git("hash-object", "-w", "--stdin", stdin=meant).text
            entries[path] = Version(after[-1].mode, oid.encode())
    return tree_with(repository, tree, entries)


def without_taken_out(base: bytes, first: bytes, second: bytes, merged: bytes) -> bytes:
    """The merged text without the exceptions of the base that a side has no more."""
    kept = set(first.splitlines()) & set(second.splitlines())
    gone = {line for line in base.splitlines() if line.startswith(b"!") and line not in kept}
    lines = merged.splitlines(keepends=True)
    return b"".join(line for line in lines if line.rstrip(b"\r\n") not in gone)


def _text(repository: Repository, version: Version) -> bytes:
    return repository.git("cat-file", "blob", version.oid.decode()).out
