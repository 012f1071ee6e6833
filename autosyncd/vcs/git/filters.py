"""Filters of the person's (gitattributes(5), `filter`) that fail, or that never say the same twice.

A required filter that fails ends whatever git command runs it, also one that only wants to know whether
a file has changed: a locked key would keep every other file from history. Such a command is asked
again without that filter; the file then counts as changed, and is tried, and named, by itself.
"""

import os
import re
from collections.abc import Collection, Iterable, Sequence

from autosyncd.vcs.git.command import LONG, GitFailed, Result
from autosyncd.vcs.git.repository import Repository

MOST = 8
"""Filters that are left out of one command."""
STABLE = (b"lfs",)
"""Filters that are known to make the same of the same bytes; git-lfs has large files."""

CONVERTING = ("filter", "text", "crlf", "eol", "ident", "working-tree-encoding")
"""Attributes by which git writes other bytes than it has (gitattributes(5))."""

_FAILED = re.compile(r"(?:clean|smudge) filter '?([^'\n]+?)'? failed")
_FAILED_ON = re.compile(r"^fatal: (.+): clean filter '?[^'\n]+?'? failed", re.M)


def compare(
    repository: Repository,
    *arguments: str | bytes,
    stdin: bytes = b"",
    index: bytes | None = None,
    ok: Sequence[int] = (0,),
) -> Result:
    """A command that runs filters only to compare, and stores nothing that they make."""
    off: list[str] = []
    while True:
        try:
            return repository.git(*off, *arguments, stdin=stdin, index=index, ok=ok, timeout=LONG)
        except GitFailed as problem:
            name = failing(problem.complaint)
            more = without(name) if name else []
            if not more or more[1] in off or len(off) >= MOST * len(more):
                raise
            off += more


def failing(complaint: str) -> str | None:
    """The name of the filter that failed, by git's words."""
    found = _FAILED.search(complaint)
    return found[1] if found else None


def failed_on(complaint: str) -> str | None:
    """The file on which a filter failed, as git's words name it."""
    found = _FAILED_ON.search(complaint)
    return found[1] if found else None


def without(name: str) -> list[str]:
    """Options of git(1) that take a filter's commands away."""
    options = []
    for setting in ("clean=", "smudge=", "process=", "required=false"):
        options += ["-c", f"filter.{name}.{setting}"]
    return options


def unstable(repository: Repository, paths: Iterable[bytes]) -> set[bytes]:
    """Which of these files go through a filter that makes other bytes of the same file each time
    (encryption with a random salt, say): of such it can't be told whether they were edited, and two
    machines would commit each other's versions anew for ever. One file of each filter is tried."""
    known, found = repository.stable_filters, set()
    for path, name in filtered(repository, paths, but=STABLE).items():
        if name not in known:
            made = [_cleaned(repository, path) for _ in range(2)]
            if None in made:
                continue  # it fails: that is told elsewhere
            known[name] = made[0] == made[1]
        if not known[name]:
            found.add(path)
    return found


def _cleaned(repository: Repository, path: bytes) -> str | None:
    said = repository.git("hash-object", "--", path, ok=(0, 1, 128), timeout=LONG)
    return said.text if said.code == 0 else None


def configured(repository: Repository) -> tuple[str, ...]:
    """The names of filters that have a command of the person's."""
    keys = r"^filter\..*\.(clean|smudge|process)$"
    said = repository.git("config", "--name-only", "-z", "--get-regexp", keys, ok=(0, 1))
    names = {os.fsdecode(key).removeprefix("filter.").rpartition(".")[0] for key in said.records}
    return tuple(sorted(names))


def filtered(
    repository: Repository, paths: Iterable[bytes], *, but: Collection[bytes] = ()
) -> dict[bytes, bytes]:
    """Those of these paths that go through such a filter, and its name."""
    wanted = sorted(set(paths))
    known = set(map(os.fsencode, configured(repository))) - set(but) if wanted else set()
    if not known:
        return {}
    stdin = b"".join(path + b"\0" for path in wanted)
    said = repository.git("check-attr", "-z", "--stdin", "filter", stdin=stdin, timeout=LONG)
    fields = said.records
    names = dict(zip(fields[::3], fields[2::3], strict=True))
    return {path: name for path, name in names.items() if name in known}


def written_otherwise(repository: Repository, paths: Iterable[bytes], index: bytes) -> set[bytes]:
    """Those of these paths that git would write otherwise if the attributes in `index` held than by
    those that lie in the work tree."""
    stdin = b"".join(path + b"\0" for path in sorted(set(paths)))
    ask = ("check-attr", "-z", "--stdin")
    here, there = (
        repository.git(*ask, *how, *CONVERTING, stdin=stdin, index=index, timeout=LONG).records
        for how in ((), ("--cached",))
    )
    names = zip(here[::3], here[2::3], there[2::3], strict=True)
    return {path for path, now, then in names if now != then}
