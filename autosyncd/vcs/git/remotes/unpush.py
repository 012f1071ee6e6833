"""Take a path out of commits that no remote has: what a server refuses for good keeps all else here.

Only commits that nobody else can know are made anew, each as it was but for the path, which gets the
version that the remote has, or none. Its bytes stay in the work tree, and the old commits stay under
`refs/autosync/unpushed/TREE/`. So that the path is not committed again at once, it is put into
`.git/info/exclude`, or marked skip-worktree if the remote has an older version of it.

This runs beside a worker: index.lock is taken as any git command takes it (git's lockfile.h), before
the branch is read and until it has moved.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from autosyncd.errors import AutosyncError
from autosyncd.vcs.git import held, indexes, ownrefs, refs
from autosyncd.vcs.git.command import LONG, GitFailed
from autosyncd.vcs.git.complaint import servers_lines
from autosyncd.vcs.git.condition import locked, obstacle
from autosyncd.vcs.git.remotes.answer import named_blobs, named_paths
from autosyncd.vcs.git.remotes.leaveout import leaving_out
from autosyncd.vcs.git.remotes.rewrite import Rewriter, Versions, unpushed_commits
from autosyncd.vcs.git.repository import Repository


class CannotUnpush(AutosyncError):
    """Nothing was changed; str() says why, and what to do."""


@dataclass(frozen=True, slots=True)
class UnpushPlan:
    """What taking a path out comes to."""

    head: str
    commits: tuple[str, ...]
    """Every commit that no remote has, parents first."""
    paths: tuple[bytes, ...]
    """What is taken out: the files at or below the path, and others with the same content."""
    copies: tuple[bytes, ...]
    """Those of them that the person did not name."""


@dataclass(frozen=True, slots=True)
class Done:
    """What was done."""

    head: str
    kept: str
    """The ref that keeps the commits as they were."""
    excluded: tuple[bytes, ...]
    """Now in `.git/info/exclude`."""
    set_aside: tuple[bytes, ...]
    """Now marked skip-worktree: the remote has an older version."""


def touched(repository: Repository, commits: Iterable[str]) -> list[tuple[bytes, str]]:
    """Path and new blob of everything that these commits change (git-diff-tree(1), raw format)."""
    said = repository.git(
        "diff-tree", "--stdin", "-r", "-m", "--root", "-z", "--no-renames", "--no-commit-id",
        stdin="".join(commit + "\n" for commit in commits).encode(),
        timeout=LONG,
    )  # fmt: skip
    fields = iter(said.records)
    found = []
    for info in fields:
        found.append((next(fields), info.split(b" ")[3].decode()))
    return [(path, oid) for path, oid in found if oid.strip("0")]


def plan(repository: Repository, path: bytes) -> UnpushPlan:
    """What would be done. Raises CannotUnpush."""
    waiting = obstacle(repository)
    if waiting is not None:
        raise CannotUnpush(f"Nothing was changed. {waiting.text}")
    head = repository.head
    commits = tuple(unpushed_commits(repository)) if head else ()
    changes = touched(repository, commits)
    named = {one for one, _ in changes if one == path or one.startswith(path + b"/")}
    if head is None or not named:
        shown = os.fsdecode(path)
        raise CannotUnpush(
            f"Nothing was changed: no commit that is still to be pushed holds {shown}."
        )
    copies = _copies(repository, commits, changes, named)
    paths = tuple(sorted(named | copies))
    _nothing_staged(repository, paths)
    return UnpushPlan(head, commits, paths, tuple(sorted(copies)))


def blamed(repository: Repository, complaint: str) -> bytes | None:
    """The file for which a server refuses what is to be pushed, if its words name one of those."""
    changes = touched(repository, unpushed_commits(repository))
    paths = {path for path, _ in changes}
    for name in map(os.fsencode, named_paths(complaint)):
        if name in paths:
            return name
    blobs = set(named_blobs(complaint))
    for path, oid in changes:
        if oid in blobs:
            return path
    words = "\n".join(servers_lines(complaint))
    named = [path for path in paths if _is_named(os.fsdecode(path), words)]
    return max(named, key=lambda path: (len(path), path), default=None)


def _is_named(path: str, words: str) -> bool:
    """Whether any other host's words have it: quoted, or a word that can't be anything else."""
    if any(f"{quote}{path}{quote}" in words for quote in "'\"`"):
        return True
    word = re.search(rf"(?<![\w./-]){re.escape(path)}(?![\w/-]|\.\w)", words)
    return word is not None and ("." in path or "/" in path)


def _copies(
    repository: Repository,
    commits: tuple[str, ...],
    changes: list[tuple[bytes, str]],
    named: set[bytes],
) -> set[bytes]:
    """Other files with the same content (moved, or beside a conflict): refused for the same reason."""
    empty = repository.git("hash-object", "--stdin").text
    published = Rewriter(repository, (), commits).published(named)
    blobs = {oid for path, oid in changes if path in named} - {empty} - published
    return {path for path, oid in changes if oid in blobs} - named


def _nothing_staged(repository: Repository, paths: tuple[bytes, ...]) -> None:
    for some in indexes.portions(list(paths)):
        asked = ("--literal-pathspecs", "diff-index", "--cached", "--quiet", "HEAD", "--")
        if repository.git(*asked, *some, ok=(0, 1)).code:
            raise CannotUnpush(
                "Nothing was changed: you have staged changes of it; take them back first with: "
                "git restore --staged"
            )


def unpush(repository: Repository, plan: UnpushPlan) -> Done:
    """Do it. Raises CannotUnpush when something moved since the plan was made."""
    with _index_lock(repository):
        if repository.head != plan.head:
            raise CannotUnpush("Nothing was changed: a commit was made meanwhile; try it again.")
        rewriter = Rewriter(repository, plan.paths, plan.commits)
        replaced = rewriter.run()
        head = replaced.get(plan.head, plan.head)
        if head is None:
            raise CannotUnpush("Nothing was changed: no commit would be left.")
        versions = rewriter.versions(head, plan.paths)
        before = rewriter.versions(plan.head, plan.paths)
        done = _done(repository, plan, head, before=before, versions=versions)
        with leaving_out(repository, versions, done.excluded, done.set_aside, to=head):
            _move_refs(repository, old=plan.head, new=head, kept=done.kept, replaced=replaced)
    return done


def _done(
    repository: Repository, plan: UnpushPlan, head: str, *, before: Versions, versions: Versions
) -> Done:
    """Whatever lies on disk would be committed again at once, so it is to be left out."""
    here = [path for path in plan.paths if os.path.lexists(os.path.join(repository.root, path))]
    return Done(
        head,
        refs.unpushed(repository.memory.tree, plan.head),
        excluded=tuple(path for path in here if versions[path] is None),
        set_aside=tuple(path for path in here if versions[path] not in (None, before[path])),
    )


def _move_refs(
    repository: Repository, *, old: str, new: str, kept: str, replaced: Mapping[str, str | None]
) -> None:
    """The branch, and our own refs to commits that were made anew, all or none (git-update-ref(1))."""
    lines = [f"create {kept} {old}"] if repository.commit_at(kept) is None else []
    memory = repository.memory
    lines.append(f"update refs/heads/{memory.branch} {new} {old}")
    for commit, ref in ownrefs.side_refs(repository):
        if commit in replaced:
            lines.append(f"create {kept}-{commit} {commit}")
            lines.append(f"delete {ref} {commit}")
            other = replaced[commit]
            if other is not None and not repository.contains(new, other):
                side = refs.side(memory.tree, memory.branch, other)
                lines.append(f"create {side} {other}")
    stdin = "".join(line + "\n" for line in lines).encode()
    try:
        repository.git("update-ref", "-m", "autosyncctl unpush", "--stdin", stdin=stdin)
    except GitFailed as problem:
        raise CannotUnpush(f"Nothing was changed: {problem}.") from None
    record = held.recall(repository)
    moved = {path: replaced.get(base) or base for path, base in record.items()}
    if moved != record:
        held.record(repository, moved)


@contextlib.contextmanager
def _index_lock(repository: Repository) -> Iterator[None]:
    """index.lock as git itself takes it; a worker has a record of its own (lock.py) beside it."""
    lock = repository.index + b".lock"
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666))
    except FileExistsError:
        waiting = locked(repository)
        text = waiting.text if waiting else "Another git command was running; try it again."
        raise CannotUnpush(f"Nothing was changed. {text}") from None
    mine = os.stat(lock).st_ino
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            if os.stat(lock).st_ino == mine:
                os.unlink(lock)
