"""What of the work tree goes into an index: survey, plan, then git takes each path literally."""

import os
import stat
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace

from autosyncd.model import RepoConfig
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git import filters, held, indexes, nested, submodules
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.committing import rereading, survey
from autosyncd.vcs.git.committing.filefacts import facts_on_disk
from autosyncd.vcs.git.committing.staging import stage
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import LeftOut

UNSTABLE = "has a filter that makes other bytes of it each time, so git must commit it for you"


@dataclass(slots=True)
class Found:
    """What differs, decided but not yet taken."""

    plan: survey.Plan
    held: held.Held
    """The held files, without those that are free again."""
    reread: dict[bytes, Version] = field(default_factory=dict)
    """Tracked files that were found to differ by their content; git would go by their times."""
    left_out: list[LeftOut] = field(default_factory=list)

    def take(self, repository: Repository, index: bytes) -> dict[bytes, Version]:
        """Bring it into the index. Edits of held files are not: they are returned, since they
        belong on the version that they were made from."""
        self.left_out = [*self.plan.left_out]
        mine = held.bases_of(self.held, self.plan.take)
        edits = _edits(repository, self.held, mine)
        taken = [path for path in self.plan.take if path not in mine]
        gone = [path for path in self.plan.gone if path not in self.held]
        indexes.remove(repository, index, gone)
        doubtful = {path: self.reread[path] for path in taken if path in self.reread}
        indexes.put(repository, index, dict(doubtful))  # entries without times: git looks again
        self.left_out += stage(repository, index, taken)
        return edits

    @property
    def lost(self) -> frozenset[bytes]:
        """Held files that are there no more, or make place for a folder. That is no deletion of what
        comes in, which nobody here has seen yet; an editor may just be replacing the file."""
        return frozenset(path for path in self.plan.gone if path in self.held)


def scan(
    repository: Repository,
    scope: Scope,
    config: RepoConfig,
    index: bytes | None = None,
    *,
    beside: bool = False,
    excerpt: bool = False,
) -> Found:
    """What in `scope` differs from the index (the private one, unless another is named). With
    `beside`, nothing is changed on record, and what lies on disk of a file in conflict counts. An
    `excerpt` holds the paths of the scope alone; GitFailed is raised where git can't take them."""
    index = index or repository.private_index
    if excerpt:
        found = survey.differences_in_excerpt(repository, scope, index)
    elif scope.everything and scope.paths:
        found = rereading.differences(repository, scope, index)
    else:
        found = survey.differences(repository, scope, index=index)
    found = [one for one in found if beside or not one.unmerged]
    if not beside:
        moved = (one.path for one in found if one.submodule)
        behind = submodules.behind(repository, scope, moved)
        found = [one for one in found if one.path not in behind]
    unstable: set[bytes] = set()
    if not beside:
        edited = (one for one in found if one.indexed and not (one.deleted or one.submodule))
        unstable = filters.unstable(repository, (one.path for one in edited))
        found = [one for one in found if one.path not in unstable]
    inner = nested.inside(repository.root, (one.path for one in found))
    outer = [one for one in found if one.path not in inner]
    facts = facts_on_disk(repository.root)
    plan = survey.plan(outer, facts, large_file=config.large_file)
    left_out = [LeftOut(path, "unstable", UNSTABLE) for path in sorted(unstable)]
    if not beside:
        left_out += nested.left_out(repository, scope, index, inner.values())
    plan = replace(plan, left_out=(*plan.left_out, *left_out))
    waiting = held.recall(repository)
    if not beside:
        waiting = _still_held(repository, scope, waiting, {one.path for one in found})
    reread = {one.path: one.indexed for one in found if one.indexed and not one.submodule}
    return Found(plan, waiting, reread if scope.paths and not excerpt else {})


def _still_held(
    repository: Repository, scope: Scope, waiting: held.Held, differing: set[bytes]
) -> held.Held:
    """Those of the held files that are not free again. Of one that is put aside (assume-unchanged,
    skip-worktree) git says no difference, whatever lies there: it stays held until it is not."""
    free = {
        path
        for path, base in waiting.items()
        if _is_within(scope, path) and _is_free(repository, base, path, differs=path in differing)
    }
    skipped, assumed = indexes.flagged(repository, repository.index, free) if free else ((), ())
    free -= {*skipped, *assumed}
    return {path: base for path, base in waiting.items() if path not in free}


def _is_within(scope: Scope, path: bytes) -> bool:
    """Whether it was looked at; a folder stands for all below it."""
    parts = path.split(b"/")
    above = (b"/".join(parts[:end]) for end in range(1, len(parts) + 1))
    return scope.everything or any(one in scope.paths for one in above)


def _is_free(repository: Repository, base: str, path: bytes, *, differs: bool) -> bool:
    """Whether nothing waits for a held file any more: it is as HEAD has it; or it was deleted, here,
    and nothing came in that this would delete. One that never came could not go: its being away is no
    edit. And what can't be seen is not known to be away: its folder may be shut, or its disk failing."""
    try:
        os.lstat(os.path.join(repository.root, path))
        away = held.behind_link(repository, path)
    except (FileNotFoundError, NotADirectoryError):
        away = True
    except OSError:
        return False
    if away:
        before = held.version_in(repository, base, path)
        head = repository.head
        incoming = held.version_in(repository, head, path) if head else None
        return before is not None and incoming in (before, None)
    return not differs


def _edits(
    repository: Repository, waiting: held.Held, bases: Mapping[bytes, str]
) -> dict[bytes, Version]:
    """Those held files that are no longer the version on record, nor what waits for them (a checkout
    of the person's may have brought that). What had the place of an incoming file may be a secret: not
    even its content is stored. Where nothing had it (the incoming one could not be written), or only a
    file with no folder to lie in, it was made since; so was what lies in a folder that has a held file's
    place."""
    edits, spared = {}, held.spared(repository)
    for path, commit in bases.items():
        base = held.version_in(repository, commit, path)
        came_before = path in waiting and held.file_above(repository, commit, path) is None
        if base is None and came_before and (spared is None or path in spared):
            continue
        if path not in waiting and _keeps_out(path, (spared or {}).keys() & waiting.keys()):
            continue
        now = on_disk(repository, path, base)
        if now is not None and now not in (base, held.version_in(repository, "HEAD", path)):
            edits[path] = now
    return edits


def _keeps_out(path: bytes, incoming: Set[bytes]) -> bool:
    """Whether it has the place of a folder in which one of these comes."""
    return any(one.startswith(path + b"/") for one in incoming)


def on_disk(repository: Repository, path: bytes, base: Version | None) -> Version | None:
    """What git would make of a file or link that lies there instead of `base`; None: it can't."""
    full = os.path.join(repository.root, path)
    if held.behind_link(repository, path):
        return None
    try:
        found = os.lstat(full)
        if stat.S_ISLNK(found.st_mode):
            target = os.readlink(full)
            said = repository.git("hash-object", "-w", "--stdin", "--no-filters", stdin=target)
            return Version(b"120000", said.text.encode())
    except OSError:
        return None
    said = repository.git("hash-object", "-w", "--", full, ok=(0, 128), timeout=LONG)
    if said.code or held.behind_link(repository, path):
        return None
    mode = b"100755" if found.st_mode & stat.S_IXUSR else b"100644"
    if not repository.file_modes:
        mode = base.mode if base is not None and base.mode != b"120000" else b"100644"
    return Version(mode, said.text.encode())
