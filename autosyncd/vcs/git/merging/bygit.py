"""A merge by `git merge-tree`, wherever renames let git make one of what the two tips have."""

import signal
from itertools import takewhile

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.listings import Stages, files_in, stages_of
from autosyncd.vcs.git.merging.apart import Apart
from autosyncd.vcs.git.repository import Repository

GAVE_UP = (-signal.SIGABRT, -signal.SIGSEGV)
"""Statuses of a git whose own bookkeeping of renames does not hold: 2.39 ends so where a file was moved
into a folder that was moved to where the file had been. It does each time."""


def merge_by_git(
    repository: Repository, apart: Apart, tips: tuple[str, str]
) -> tuple[str, Stages] | None:
    """The tree, and the stages of what conflicts; None if git can't make one of these tips alone."""
    said = apart(
        "merge-tree",
        "--write-tree",
        "-z",
        "--no-messages",
        "--allow-unrelated-histories",
        *tips,
        ok=(0, 1, *GAVE_UP),
        timeout=LONG,
    )
    if said.code in GAVE_UP:
        return None
    # git-merge-tree(1): the tree, then `<mode> <object> <stage> TAB <path>` of what conflicts
    parts = said.out.split(b"\0")
    tree, stages = parts[0].decode(), stages_of(takewhile(bool, parts[1:]))
    # a rename met a rename, and git has put markers into a blob; or a renamed folder met a file of the
    # name of one in it, and git has put in nothing
    if stages and (_synthetic(repository, stages, tips) or _has_hole(repository, tree)):
        return None
    return tree, stages


def _synthetic(repository: Repository, stages: Stages, tips: tuple[str, str]) -> bool:
    """Whether a conflicted entry is content that neither side ever had."""
    for stage, tip in ((2, tips[0]), (3, tips[1])):
        wanted = {entries[stage].oid for entries in stages.values() if stage in entries}
        if not wanted:
            continue
        if wanted - {version.oid for version in files_in(repository, tip).values()}:
            return True
    return False


def _has_hole(repository: Repository, tree: str) -> bool:
    """Whether an entry is there without an object (git 2.39 makes such): no index could hold it."""
    return any(not one.oid.strip(b"0") for one in files_in(repository, tree).values())
