"""Incoming changes of held files that a commit of the person's took back, unawares.

`git commit -a` takes what lies on disk; of a held file that is the version before the incoming change,
which nobody here has seen yet. Their commit stays as it is. On top of it goes one that has the incoming
version again, joined with what they had written into the file, and the file goes on waiting for it.

A commit that has its own reasons is left alone: nobody has the file open any more then (git's revert and
checkout put another file in its place), or something else lies on disk than what was committed.
"""

from autosyncd.vcs.git import durable, held, ownrefs
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.history import Author, make_commit
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.lease import Lease, leases_work
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.remotes import doubts
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.setaside import SetAside
from autosyncd.vcs.git.writers import is_written

WORDS = "bring back what a commit took back while it waited"
"""What the commit is called."""
TOLD = (
    "was committed as it was before an incoming change, which waits since the file is open for "
    "writing; another commit brings back what came in"
)


def bring_back(repository: Repository, author: Author, name: str) -> tuple[SetAside, ...]:
    """Find such files, and make the commit that the next Sync is to merge, kept by a ref. What lies on
    disk is on record as what HEAD has."""
    record = held.forget_lost(repository, author, name)
    head = repository.head if record else None
    seen = repository.commit_at(doubts.seen_ref(repository)) if head else None
    if head is None or seen in (None, head) or not repository.contains(head, seen):
        return ()
    found = {}
    for path, base in record.items():
        if not repository.contains(base, seen):  # else it was brought back already
            incoming = _taken_back(repository, path, (base, seen, head))
            if incoming is not None:
                found[path] = incoming
    if not found:
        return ()
    durable.settle(repository)
    commit = _commit(repository, found, record, head=head, author=author, name=name)
    ownrefs.keep_side(repository, commit)
    held.record(repository, record | dict.fromkeys(found, head))
    return tuple(
        SetAside(path=path, commit=commit, kind="taken-back", told=TOLD) for path in sorted(found)
    )


def _commit(
    repository: Repository,
    found: dict[bytes, Version],
    record: held.Held,
    *,
    head: str,
    author: Author,
    name: str,
) -> str:
    """The incoming versions on `head`, joined with what the person had written besides."""
    message = f"{name}: {WORDS}"
    tree = tree_with(repository, repository.tree_of(head), dict(found))
    commit = make_commit(repository, tree, [head], message=message, author=author)
    joiner = Joiner(repository, name, author)
    for base in sorted({record[path] for path in found}):
        edits = _edits(repository, [path for path in found if record[path] == base], base, head)
        if edits:
            tree = tree_with(repository, repository.tree_of(base), dict(edits))
            edit = make_commit(repository, tree, [base], message=message, author=author)
            commit = doubts.join_edit(repository, joiner, commit, edit)
    return commit


def _taken_back(
    repository: Repository, path: bytes, commits: tuple[str, str, str]
) -> Version | None:
    """The incoming version of a path, if a commit of the person's has put in its place what lies on
    disk in an open file."""
    before, incoming, now = (held.version_in(repository, one, path) for one in commits)
    if None in (before, incoming, now) or incoming in (before, now):
        return None
    _, seen, head = commits
    how = ("rev-list", "-1", "--no-merges", f"{seen}..{head}", "--", path)
    by = repository.git("--literal-pathspecs", *how).text
    if not by or "Autosync-Tree: " in repository.git("show", "-s", "--format=%B", by).text:
        return None
    return incoming if _is_open(repository, path, now) else None


def _is_open(repository: Repository, path: bytes, version: Version | None) -> bool:
    """Whether somebody has a file open for writing that is this version."""
    folders = OpenFolders(repository.root)
    try:
        with Lease(folders.place(path), trusted=leases_work(repository.root)) as lease:
            written = is_written(lease)
    except OSError:
        return False
    finally:
        folders.close()
    if not written or version is None:
        return False
    return repository.git("hash-object", "--", path, ok=(0, 128)).text == version.oid.decode()


def _edits(
    repository: Repository, paths: list[bytes], base: str, head: str
) -> dict[bytes, Version]:
    """What the person's commit has of these paths besides what was there before."""
    edits = {}
    for path in paths:
        mine = held.version_in(repository, head, path)
        if mine is not None and mine != held.version_in(repository, base, path):
            edits[path] = mine
    return edits
