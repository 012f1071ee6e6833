"""Private indexes: copies of the person's own, or made from a tree, on which work is done.

A fresh `read-tree` as the start of a commit would bring in what is marked assume-unchanged or
skip-worktree; so what becomes the person's index always begins as a copy of it.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping

from autosyncd.vcs.git import filters
from autosyncd.vcs.git.cachedtree import FolderTrees
from autosyncd.vcs.git.command import LONG, GitFailed
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import Pairs
from autosyncd.vcs.git.indexfile import IndexFile
from autosyncd.vcs.git.listings import of_index
from autosyncd.vcs.git.ownindex import signature
from autosyncd.vcs.git.repository import OwnIndex, Repository, Signature

ARGUMENT_BYTES = 100_000
"""Bytes of paths in one command line, well below the kernel's limit for one process."""
FEW = 30
"""git compares each entry with each path that it is given: beyond so many it is asked for all."""


def bring_along(
    repository: Repository,
    pairs: Pairs,
    seen: Mapping[bytes, os.stat_result],
    folders: FolderTrees,
) -> int:
    """Make the private index a copy of the person's, with these changes in it; `seen` is what the
    files looked like (lstat(2)) when they were read, `folders` which trees are others now.

    An index that has come about here is rewritten without git, where no entry comes or goes. The first
    time git does it: it looks again at files that are as young as the index (racy-git.txt). The youngest
    second that was written into it since, for Repository.steady.
    """
    index, root, steady = repository.private_index, repository.root, repository.steady
    youngest = max((found.st_mtime_ns // 10**9 for found in seen.values()), default=0)
    if steady is not None and steady.signature == signature(repository):
        own = IndexFile(repository.index, repository.object_format)
        if own.write_changed(
            root, index, pairs, seen=seen, folders=folders, youngest=steady.youngest
        ):
            return max(steady.youngest, youngest)
    copy_own(repository)
    changes = {path: pair[1] for path, pair in pairs.items()}
    put(repository, index, changes)
    placed = {
        path: (one, seen[path]) for path, one in changes.items() if one is not None and path in seen
    }
    timed = IndexFile(index, repository.object_format).write_times(root, placed)
    refresh(repository, index, sorted(placed.keys() - timed))
    return youngest


def copy_own(repository: Repository) -> Signature | None:
    """Make the private index a copy of the person's; its signature tells later whether it still is."""
    return copy_to(repository, repository.private_index)


def copy_to(repository: Repository, target: bytes) -> Signature | None:
    """Copy the person's index (nothing is copied where there is none yet); its signature.

    The copy keeps the time: git reads a file again that is not older than the index (git's
    racy-git.txt), and a copy that looked younger would hide an edit made in the same instant.
    """
    before = signature(repository)
    for leftover in (target, target + b".lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(leftover)
    if before is not None:
        shutil.copyfile(repository.index, target)
        os.utime(target, ns=(before[2], before[2]))
    return before


def empty(repository: Repository, name: OwnIndex) -> bytes:
    """An index of ours without entries; what was left of it is taken away."""
    index = repository.own_index(name)
    for leftover in (index, index + b".lock"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(leftover)
    return index


def put(repository: Repository, index: bytes, entries: Mapping[bytes, Version | None]) -> str:
    """Set these entries, or take them out (None). Nothing on disk is looked at. What git complains of:
    it passes over a name that it forbids."""
    if not entries:
        return ""
    width = 64 if repository.object_format == "sha256" else 40
    gone = [b"0 " + b"0" * width + b"\t" + path for path, one in entries.items() if one is None]
    here = [one.mode + b" " + one.oid + b"\t" + path for path, one in entries.items() if one]
    stdin = b"".join(line + b"\0" for line in (*gone, *here))
    command = ("update-index", "-z", "--replace", "--index-info")
    return filters.compare(repository, *command, stdin=stdin, index=index).complaint


def entries(
    repository: Repository, index: bytes, paths: Iterable[bytes]
) -> dict[bytes, Version | None]:
    """What an index has of these paths, and of none that is in conflict."""
    wanted = set(paths)
    found: dict[bytes, Version | None] = {}
    for some in portions(sorted(wanted)) if len(wanted) <= FEW else [[]]:
        found |= everything(repository, index, some)
    return {path: one for path, one in found.items() if path in wanted}


def everything(
    repository: Repository, index: bytes, below: Iterable[bytes] = ()
) -> dict[bytes, Version]:
    """What an index holds (below these paths, if any are named), but for what is in conflict."""
    said = repository.git(
        "--literal-pathspecs", "ls-files", "-s", "-z", "--", *below, index=index, timeout=LONG
    )
    return {path: version for path, stage, version in of_index(said.records) if stage == 0}


def is_untimed(repository: Repository, index: bytes, path: bytes) -> bool:
    """Whether an entry has no times of a file (git-ls-files(1), --debug)."""
    look = ("--literal-pathspecs", "ls-files", "--debug", "--", path)
    return b"mtime: 0:0" in repository.git(*look, index=index).out


def remove(repository: Repository, index: bytes, paths: Iterable[bytes]) -> None:
    """Take these paths out, whatever lies there now."""
    stdin = b"".join(path + b"\0" for path in paths)
    if stdin:
        command = ("update-index", "--force-remove", "-z", "--stdin")
        filters.compare(repository, *command, stdin=stdin, index=index)


def refresh(repository: Repository, index: bytes, paths: Iterable[bytes]) -> None:
    """Look up the stat data of these entries, so that `git status` need not read the files again."""
    wanted = list(paths)
    if len(wanted) > FEW:
        whole = ("update-index", "-q", "--refresh")
        filters.compare(repository, *whole, index=index, ok=(0, 1))
    elif wanted:
        stdin = b"".join(path + b"\0" for path in wanted)
        some = ("add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul")
        with contextlib.suppress(GitFailed):  # a path that is gone again, say
            filters.compare(repository, "--literal-pathspecs", *some, stdin=stdin, index=index)


def write_tree(repository: Repository, index: bytes) -> str:
    """The tree that an index stands for."""
    return filters.compare(repository, "write-tree", index=index).text


def staged_tree(repository: Repository) -> str | None:
    """The tree that the person's `git commit` would make; None with unresolved conflicts. Asked of
    the private index, a copy."""
    if repository.clean is not None and repository.clean[0] == signature(repository):
        return repository.clean[1]  # nobody has written it since we did
    try:
        return write_tree(repository, repository.private_index)
    except GitFailed as problem:
        if problem.code == 128 and "merge" in problem.complaint:
            return None
        raise


def tree_with(repository: Repository, tree: str, entries: Mapping[bytes, Version | None]) -> str:
    """A tree with these entries put in, or taken out."""
    if not entries:
        return tree
    index = repository.own_index("tree.index")
    repository.git("read-tree", tree, index=index, timeout=LONG)
    put(repository, index, entries)
    return write_tree(repository, index)


def flagged(
    repository: Repository, index: bytes, paths: Iterable[bytes]
) -> tuple[set[bytes], set[bytes]]:
    """Which of these paths are skip-worktree, and which assume-unchanged (git-ls-files(1), -v)."""
    skipped: set[bytes] = set()
    assumed: set[bytes] = set()
    wanted = set(paths)
    for some in portions(sorted(wanted)) if len(wanted) <= FEW else [[]]:
        said = repository.git(
            "--literal-pathspecs", "ls-files", "-v", "-z", "--", *some, index=index, timeout=LONG
        )
        for record in said.records:
            tag, path = record[:1], record[2:]
            if path not in wanted:
                continue
            if tag in b"Ss":
                skipped.add(path)
            elif tag.islower():
                assumed.add(path)
    return skipped, assumed


def restore_flags(
    repository: Repository, index: bytes, skipped: Iterable[bytes], assumed: Iterable[bytes]
) -> None:
    """put() makes new entries; the person's marks on them are set again."""
    for option, paths in (("--skip-worktree", skipped), ("--assume-unchanged", assumed)):
        stdin = b"".join(path + b"\0" for path in paths)
        if stdin:
            repository.git(
                "update-index", option, "-z", "--stdin", stdin=stdin, index=index, ok=(0, 128)
            )


def read_sparse(repository: Repository, index: bytes, *trees: str) -> None:
    """Make an index that of a tree, or bring it from one to another; what the person has staged
    elsewhere stays. git marks what lies outside a sparse checkout, but only where it writes files: so it
    writes them into a folder that is thrown away, without filters, and without submodules: it would move
    those of the person (git-config(1), submodule.recurse)."""
    with tempfile.TemporaryDirectory(dir=os.fsdecode(repository.state)) as folder:
        elsewhere = {"GIT_WORK_TREE": folder, "GIT_DIR": os.fsdecode(repository.git_dir)}
        off = [word for name in filters.configured(repository) for word in filters.without(name)]
        arguments = (*off, "read-tree", "--no-recurse-submodules", "-m", "-u", *trees)
        repository.git(*arguments, index=index, environment=elsewhere, timeout=LONG)


def portions(paths: list[bytes]) -> Iterator[list[bytes]]:
    """Lists of paths that fit into one command line each. The root is written `.`."""
    portion: list[bytes] = []
    size = 0
    for path in paths:
        if portion and size + len(path) > ARGUMENT_BYTES:
            yield portion
            portion, size = [], 0
        portion.append(path or b".")
        size += len(path) + 1
    if portion:
        yield portion
