"""What a fetch can bring that a person should decide: a branch gone, rewritten, or a stranger's."""

from autosyncd.vcs.driver import Question
from autosyncd.vcs.git.repository import Repository

BRANCH_GONE = "branch-gone"
REWRITTEN = "rewritten-history"
UNRELATED = "unrelated-history"


def branch_gone(repository: Repository, remote: str) -> Question:
    """Somebody removed the branch that was there."""
    branch = repository.memory.branch
    return Question(
        BRANCH_GONE, f"The branch {branch} was removed from {remote}; going on pushes it again."
    )


def rewritten(repository: Repository, remote: str) -> Question:
    """Somebody forced the branch to another history: merging would bring back what was removed."""
    return Question(
        REWRITTEN,
        f"The history of {repository.memory.branch} on {remote} was rewritten; going on merges it "
        "with what is here, which brings back what was removed there.",
    )


def unrelated(
    repository: Repository, remote: str, here: str, there: str, min_files: int
) -> Question | None:
    """Two histories without a common beginning: a fresh README may join, a life's work is asked."""
    if repository.git("merge-base", here, there, ok=(0, 1)).code == 0:
        return None
    sizes = [
        repository.git("ls-tree", "-r", "-z", "--name-only", tip).out.count(b"\0")
        for tip in (here, there)
    ]
    if min(sizes) <= min_files:
        return None
    return Question(
        UNRELATED,
        f"The history on {remote} ({sizes[1]} files) has nothing in common with the one here "
        f"({sizes[0]} files); going on merges the two.",
    )
