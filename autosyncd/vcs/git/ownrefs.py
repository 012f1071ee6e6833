"""Refs of ours below refs/autosync that have served. Whatever only they hold keeps them for ever."""

import os
from collections.abc import Iterator

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.remotes.tips import FETCHED, fetched_tips
from autosyncd.vcs.git.repository import Repository

KEPT_FOR = 90 * 86_400.0
"""Seconds for which a history that was left is kept at least, as git keeps its reflogs."""
MOST_NAMED = 100
"""Files looked for in the branch; a history that has more of its own stays."""
BLOBS = ("rev-list", "--objects", "--filter=object:type=blob", "--filter-provided-objects")


def drop_contained(repository: Repository) -> None:
    """Refs whose commits the branch contains."""
    branch, tree = repository.memory.branch, repository.memory.tree
    if repository.head is None:
        return
    own = [f"refs/autosync/{kind}/{tree}/" for kind in ("side", "before", "unpushed", "tips")]
    merged = f"--merged=refs/heads/{branch}"
    _delete(repository, list(_listed(repository, merged, *own)))
    fetched = [
        (tip, f"{FETCHED}{tree}/{branch}")
        for tip, tree, on in fetched_tips(repository, merged)
        if on == branch
    ]
    _delete(repository, fetched)


def drop_expired(repository: Repository, now: float) -> None:
    """Histories that were left (rewritten there, or taken back with unpush) so long ago that nobody
    will look for them, where the branch has had each content of each of their files."""
    tree = repository.memory.tree
    own = [f"refs/autosync/{kind}/{tree}/" for kind in ("before", "unpushed")]
    if repository.head is None:
        return
    _delete(
        repository,
        [
            (commit, ref)
            for commit, ref in _listed(repository, *own)
            if _written(repository, ref) + KEPT_FOR < now and not holds_alone(repository, commit)
        ],
    )


def _listed(repository: Repository, *arguments: str) -> Iterator[tuple[str, str]]:
    said = repository.git("for-each-ref", "--format=%(objectname) %(refname)", *arguments)
    for line in filter(None, said.text.split("\n")):
        commit, _, ref = line.partition(" ")
        yield commit, ref


def _delete(repository: Repository, refs: list[tuple[str, str]]) -> None:
    if refs:
        stdin = "".join(f"delete {ref} {commit}\n" for commit, ref in refs)
        repository.git("update-ref", "--stdin", stdin=os.fsencode(stdin))


def _written(repository: Repository, ref: str) -> float:
    """When a ref was made, at the latest (seconds since 1970); where that can't be known, never."""
    for file in (os.fsencode(ref), b"packed-refs"):
        try:
            return os.stat(repository.common_dir + b"/" + file).st_mtime
        except (FileNotFoundError, NotADirectoryError):
            continue
    return float("inf")


def holds_alone(repository: Repository, commit: str) -> bool:
    """Whether a content in this history was never in the branch, under the same name."""
    branch = f"refs/heads/{repository.memory.branch}"
    said = repository.git(*BLOBS, commit, "--not", branch, "--", timeout=LONG)
    mine = dict(line.split(b" ", 1) for line in said.out.splitlines() if b" " in line)
    names = sorted(set(mine.values()))
    if len(names) > MOST_NAMED:
        return True
    if not names:
        return False
    had = repository.git("--literal-pathspecs", *BLOBS, branch, "--", *names, timeout=LONG)
    return not mine.keys() <= {line.split(b" ", 1)[0] for line in had.out.splitlines()}
