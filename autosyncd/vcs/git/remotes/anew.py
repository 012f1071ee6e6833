"""Whether a history that was forced on a branch stands for the one that it has taken the place of."""

from dataclasses import dataclass

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.merging.merge import merge, stand_in
from autosyncd.vcs.git.repository import Repository

WORTH_LOOKING_AT = 1_000
"""Lost commits that are looked for one by one, at some 20 ms each; of more a person is asked."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A commit, the tree in which it was made, and whether the other side has the same patch."""

    commit: str
    tree: bytes
    picked: bool


def is_made_anew(repository: Repository, there: str, seen: str) -> bool:
    """Whether `there` stands for all that it is without of `seen`: each commit of that was amended,
    rebased or filtered, which leaves who wrote it and when; or its changes are there (squashed). Of
    merges, which a rebase leaves out, only what git would not have made of their parents counts."""
    gone, came = _written(repository, seen, there), _written(repository, there, seen)
    for author, written in gone.items():
        came[author] = _but_picks(came.get(author, []), sum(one.picked for one in written))
        gone[author] = [one for one in written if not one.picked]
    merges = _with_something_of_their_own(repository, seen, there)
    left = {
        author: written for author, written in gone.items() if not _stand_for(came[author], written)
    }
    tree = repository.tree_of(there)
    if not (left or merges) or merge(repository, seen, there).tree == tree:
        return True
    if len(merges) + sum(map(len, left.values())) > WORTH_LOOKING_AT:
        return False
    return all(_has(repository, tree, one, base) for one, base in merges.items()) and all(
        _stand_for(
            came[author],
            [one for one in written if not _has(repository, tree, one.commit, f"{one.commit}^")],
        )
        for author, written in left.items()
    )


def _with_something_of_their_own(repository: Repository, new: str, old: str) -> dict[str, str]:
    """Merges that only `new` has and that git would have made otherwise (a conflict resolved by hand),
    each with a commit of what git makes of its parents. Where there are too many to look at: all."""
    walk = ("rev-list", "--min-parents=2", "--parents", new, f"^{old}", "--")
    lines = [line.split() for line in repository.git(*walk, timeout=LONG).text.splitlines()]
    if len(lines) > WORTH_LOOKING_AT:
        return {commit: first for commit, first, *_ in lines}
    found = {}
    for commit, *parents in lines:
        tree = merge(repository, *parents).tree if len(parents) == 2 else None
        if tree != repository.tree_of(commit):
            found[commit] = stand_in(repository.git, tree, parents) if tree else parents[0]
    return found


def _has(repository: Repository, tree: str, commit: str, base: str) -> bool:
    """Whether that tree has what a commit changed since `base`."""
    before = repository.git("rev-parse", "--verify", "-q", base, ok=(0, 1)).text
    if not before:
        return False
    ours = stand_in(repository.git, repository.tree_of(commit), [before])
    beside = stand_in(repository.git, tree, [before])
    return merge(repository, ours, beside).tree == tree


def _stand_for(came: list[_Written], gone: list[_Written]) -> bool:
    """By the trees in which commits of one author and second were made (trailer `Autosync-Tree`): a
    person has several machines. None is named where a person made it, or took the trailers out."""
    here, there = {one.tree for one in gone}, {one.tree for one in came}
    return len(came) >= len(gone) and (b"" in there or here - {b""} <= there)


def _but_picks(came: list[_Written], picked: int) -> list[_Written]:
    """Without so many that were picked: a pick has its author and time from what was picked, and must
    not stand for the neighbour of that."""
    picks = [one for one in came if one.picked][:picked]
    return [one for one in came if one not in picks]


def _written(repository: Repository, new: str, old: str) -> dict[bytes, list[_Written]]:
    """What `new` has and `old` hasn't, merges apart, by whom and when it was written."""
    trailer = "%(trailers:key=Autosync-Tree,valueonly,unfold,separator=%x2C)"
    form = f"--format=%an%x00%ae%x00%at%x00%H%x00%m%x00{trailer}"
    span = ("--no-merges", "--cherry-mark", "--left-only", f"{new}...{old}", "--")
    said = repository.git("log", "-z", form, *span, timeout=LONG).out.split(b"\0")[:-1]
    found: dict[bytes, list[_Written]] = {}
    for name, address, when, commit, mark, tree in zip(*[iter(said)] * 6, strict=True):
        author = b"\0".join((name, address, when))
        found.setdefault(author, []).append(_Written(commit.decode(), tree, mark == b"="))
    return found
