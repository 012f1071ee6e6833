"""Whether a history that was forced on a branch stands for the one that it has taken the place of."""

from dataclasses import dataclass

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.merging.merge import merge, stand_in
from autosyncd.vcs.git.repository import Repository

WORTH_LOOKING_AT = 1_000
"""Lost commits that are looked for one by one, at some 20 ms each; of more a person is asked."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A commit, and the tree in which it was made."""

    commit: str
    tree: bytes


def is_made_anew(repository: Repository, there: str, seen: str) -> bool:
    """Whether `there` stands for all that it is without of `seen`: each commit of that was amended,
    rebased or filtered, which leaves who wrote it and when; or its changes are there (squashed). A
    merge has nothing of its own: a rebase leaves it out."""
    gone, came = _written(repository, seen, there), _written(repository, there, seen)
    left = {
        author: written
        for author, written in gone.items()
        if not _stand_for(came.get(author, []), written)
    }
    tree = repository.tree_of(there)
    if not left or merge(repository, seen, there).tree == tree:
        return True
    if sum(map(len, left.values())) > WORTH_LOOKING_AT:
        return False
    return all(
        _stand_for(
            came.get(author, []), [one for one in written if not _has(repository, tree, one.commit)]
        )
        for author, written in left.items()
    )


def _has(repository: Repository, tree: str, commit: str) -> bool:
    """Whether that tree has what a commit changed."""
    before = repository.git("rev-parse", "--verify", "-q", f"{commit}^", ok=(0, 1)).text
    if not before:
        return False
    beside = stand_in(repository.git, tree, [before])
    return merge(repository, commit, beside).tree == tree


def _stand_for(came: list[_Written], gone: list[_Written]) -> bool:
    """By the trees in which commits of one author and second were made (trailer `Autosync-Tree`): a
    person has several machines. None is named where a person made it, or took the trailers out."""
    here, there = {one.tree for one in gone}, {one.tree for one in came}
    return len(came) >= len(gone) and (b"" in there or here - {b""} <= there)


def _written(repository: Repository, new: str, old: str) -> dict[bytes, list[_Written]]:
    """What `new` has and `old` hasn't, merges apart, by whom and when it was written."""
    form = (
        "--format=%an%x00%ae%x00%at%x01%H%x01%(trailers:key=Autosync-Tree,valueonly,separator=%x2C)"
    )
    span = ("--no-merges", new, f"^{old}", "--")
    found: dict[bytes, list[_Written]] = {}
    for line in repository.git("log", form, *span, timeout=LONG).out.splitlines():
        author, commit, tree = line.split(b"\x01")
        found.setdefault(author, []).append(_Written(commit.decode(), tree))
    return found
