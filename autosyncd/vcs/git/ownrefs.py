"""Refs of ours (refs.py): what is kept by one, and those that have served taken away. Whatever only they
hold keeps them for ever."""

import os
from collections.abc import Iterator

from autosyncd.vcs.git import refs
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.repository import Repository

CONTAINED: tuple[refs.RefKind, ...] = ("before", "unpushed", "tips")
"""Kinds of refs, whatever branch they are of, that have served when the branch that is synced contains
their commits."""
LEFT: tuple[refs.RefKind, ...] = ("before", "unpushed")
"""Kinds that hold a history which was left."""
KEPT_FOR = 90 * 86_400.0
"""Seconds for which a history that was left is kept at least, as git keeps its reflogs."""
MOST_NAMED = 100
"""Files looked for in the branch; a history that has more of its own stays."""
BLOBS = ("rev-list", "--objects", "--filter=object:type=blob", "--filter-provided-objects")


def keep_side(repository: Repository, commit: str) -> None:
    """Let a ref hold a commit that is still to be merged into HEAD."""
    memory = repository.memory
    repository.git("update-ref", refs.side(memory.tree, memory.branch, commit), commit)


def keep_before(repository: Repository, left: str) -> str:
    """Hold a history that is about to be left; the ref."""
    ref = refs.before(repository.memory.tree, left)
    repository.git("update-ref", ref, left)
    return ref


def leave_side(repository: Repository, commit: str) -> None:
    """What was edited there is in the branch, which is not to contain the commit itself."""
    keep_before(repository, commit)
    _delete(repository, [one for one in side_refs(repository) if one[0] == commit])


def side_refs(repository: Repository, *which: str) -> list[tuple[str, str]]:
    """Commit and ref of what is to be merged into the branch that is synced, or of `which` of them
    (git-for-each-ref(1)). What is to be merged into another branch waits until that is synced again.

    Refs that an older version left without a branch belong to the one that is synced: that version
    would have merged them into it with its next Sync."""
    memory = repository.memory
    return [
        (commit, ref)
        for commit, ref in listed(repository, *which, refs.below("side", memory.tree))
        if ref in (refs.side(memory.tree, memory.branch, commit), _unnamed(repository, commit))
    ]


def name_branch_of_sides(repository: Repository) -> None:
    """To be called before another branch is synced: those that are without a branch get its name."""
    unnamed = [
        (commit, ref)
        for commit, ref in side_refs(repository)
        if ref == _unnamed(repository, commit)
    ]
    for commit, _ in unnamed:
        keep_side(repository, commit)
    _delete(repository, unnamed)


def _unnamed(repository: Repository, commit: str) -> str:
    return refs.side_of_any_branch(repository.memory.tree, commit)


def sides(repository: Repository, head: str) -> list[str]:
    """Commits of our own that are to be merged into the branch: edits that could not be published
    yet (held.py). One that was made on another comes after it."""
    found = []
    for commit, ref in side_refs(repository):
        if repository.contains(head, commit):
            repository.git("update-ref", "-d", ref)  # it has served
        else:
            found.append(commit)
    if len(found) < 2:
        return found
    walk = "".join(f"{one}\n" for one in (*found, f"^{head}")).encode()
    ordered = ("rev-list", "--topo-order", "--reverse", "--stdin")
    said = repository.git(*ordered, stdin=walk, timeout=LONG)
    return [commit for commit in said.text.split() if commit in found]


def give_up_sides(repository: Repository, left: str, newest: str) -> None:
    """Commits up to `newest` that were made on `left`, which the person has taken back: merged, they
    would bring it back, so they are only kept."""
    for commit, ref in side_refs(repository):
        if repository.contains(newest, commit) and repository.contains(commit, left):
            keep_before(repository, commit)
            repository.git("update-ref", "-d", ref)


def fetched_tips(repository: Repository, *which: str) -> list[tuple[str, str, str]]:
    """Tip, tree and branch of each that a fetch has brought, ours among them, or of `which` of them
    (git-for-each-ref(1))."""
    found = listed(repository, *which, refs.FETCHED_TIPS)
    return sorted((tip, *refs.tree_and_branch(ref)) for tip, ref in found)


def drop_contained(repository: Repository) -> None:
    """Refs whose commits the branch contains."""
    branch, tree = repository.memory.branch, repository.memory.tree
    if repository.head is None:
        return
    own = [refs.below(kind, tree) for kind in CONTAINED]
    merged = f"--merged=refs/heads/{branch}"
    _delete(repository, [*side_refs(repository, merged), *listed(repository, merged, *own)])
    fetched = [
        (tip, refs.fetched_tip(tree, branch))
        for tip, tree, on in fetched_tips(repository, merged)
        if on == branch
    ]
    _delete(repository, fetched)


def drop_expired(repository: Repository, now: float) -> None:
    """Histories that were left (rewritten there, or taken back with unpush) so long ago that nobody
    will look for them, where the branch has had each content of each of their files."""
    tree = repository.memory.tree
    own = [refs.below(kind, tree) for kind in LEFT]
    if repository.head is None:
        return
    _delete(
        repository,
        [
            (commit, ref)
            for commit, ref in listed(repository, *own)
            if _written(repository, ref) + KEPT_FOR < now and not holds_alone(repository, commit)
        ],
    )


def listed(repository: Repository, *arguments: str) -> Iterator[tuple[str, str]]:
    """Commit and name of the refs that git-for-each-ref(1) finds by these arguments."""
    said = repository.git("for-each-ref", "--format=%(objectname) %(refname)", *arguments)
    for line in filter(None, said.text.split("\n")):
        commit, _, ref = line.partition(" ")
        yield commit, ref


def _delete(repository: Repository, served: list[tuple[str, str]]) -> None:
    if served:
        stdin = "".join(f"delete {ref} {commit}\n" for commit, ref in served)
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
