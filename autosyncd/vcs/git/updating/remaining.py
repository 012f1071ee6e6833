"""What an update leaves as it is, and why: paths that wait, files that stay, submodules."""

import os
import stat
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from autosyncd.model import RepoConfig
from autosyncd.vcs.git import excludes, held, nested, submodules
from autosyncd.vcs.git.entries import Pairs
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Steps
from autosyncd.vcs.git.updating.intheway import ignored_in_the_way, occupant


@dataclass(slots=True)
class Remaining:
    """Of one update."""

    repository: Repository
    config: RepoConfig
    stubborn: set[bytes] = field(default_factory=set)
    """Edited here, and yet nothing to commit (assume-unchanged, or an ignored file in the way): they
    count as held."""
    reasons: dict[bytes, str] = field(default_factory=dict)
    _occupied: dict[bytes, bytes] = field(default_factory=dict)
    """Incoming path → the file that has its place."""
    _behind: tuple[bytes, ...] = ()
    """Submodules whose link moves, and which stay where they are."""
    _kept_out: set[bytes] = field(default_factory=set)
    """Files that the person had put aside and that exist nowhere else any more."""

    def spare_ignored_before(self, steps: Steps) -> None:
        """Where ignore rules come in as well, those of before decide what is ignored here."""
        if any(os.path.basename(path) == b".gitignore" for path in steps):
            self.spare_ignored({path for path, step in steps.items() if step.new}, steps)

    def spare_ignored(self, dirty: Set[bytes], steps: Steps) -> None:
        """An ignored file in the way is kept, and not published: the incoming one waits for it. So is
        what lies in a repository of the person's own. But where a file was that is tracked all the
        same, an edit of it is one like any."""
        for path, top in nested.inside(self.repository.root, dirty - self.stubborn).items():
            self.stubborn.add(path)
            self._occupied[path] = top
            self.reasons[path] = (
                f"its folder lies in {os.fsdecode(top)}, which is a repository of its own here; it "
                "comes when that is moved, or is one no longer"
            )
        new = {path for path in dirty - self.stubborn if steps[path].old is None}
        for path, mine in ignored_in_the_way(self.repository, new).items():
            self.stubborn.add(path)
            self._wait_for(path, mine, f"{os.fsdecode(mine)}, which git ignores here,")

    def keep_out(self, put_aside: Set[bytes], changed: Pairs) -> None:
        """What is deleted elsewhere and put aside here stays, and is not taken for a new file."""
        root = self.repository.root
        gone = {path for path in put_aside if path in changed and changed[path][1] is None}
        left = {path for path in gone if os.path.lexists(os.path.join(root, path))}
        if left:
            excludes.keep_out(self.repository, self.config, left)
            self._kept_out |= left

    def leave_submodules(self, links: Pairs) -> None:
        """To be called before the branch moves."""
        self._behind = submodules.note(self.repository, links)

    def note_spared(self, kept: held.Held) -> None:
        """On record comes which of these wait for a file of the person's that is not to be published:
        what they make there later, where nothing was, or a pipe, is a file like any. To be called before
        the record of what is held is written."""
        repository, before = self.repository, held.spared(self.repository)
        spared = {
            path: base
            for path, base in kept.items()
            if (path in self.stubborn or before is None or path in before)
            and _has_content_there(repository.root, path)
            and held.version_in(repository, base, path) is None
        }
        if kept or before:
            held.spare(repository, spared)

    def settle(
        self, kept: held.Held, came: Set[bytes]
    ) -> tuple[Mapping[bytes, str], tuple[bytes, ...]]:
        """Each path that keeps its older version, and why ("" where that is to be found out); and the
        files of the person's that have the place of these and are not to be published. What came is
        kept out no longer."""
        excludes.let_in(self.repository, self.config, came)
        for path in kept.keys() - self.reasons.keys():
            if held.version_in(self.repository, kept[path], path) is None:
                mine = occupant(self.repository.root, path)
                above_waits = mine != path and mine in kept
                if mine is not None and not above_waits:  # it was ignored when this one came
                    self._wait_for(path, mine, os.fsdecode(mine))
        waiting = {path: self.reasons.get(path, "") for path in sorted(kept)}
        in_the_way = {self._occupied[path] for path in kept if path in self._occupied}
        return waiting, tuple(sorted(in_the_way))

    @property
    def note(self) -> str:
        """What is to be said besides."""
        return " ".join(filter(None, (submodules.describe(self._behind), self._of_kept_out())))

    def _wait_for(self, path: bytes, mine: bytes, words: str) -> None:
        self._occupied[path] = mine
        self.reasons[path] = f"{words} has its place; it comes when yours is renamed or deleted"

    def _of_kept_out(self) -> str:
        if not self._kept_out:
            return ""
        return (
            f"Another machine has deleted {os.fsdecode(min(self._kept_out))}, which you had put aside "
            "with git update-index: yours stays, and is not committed unless you do: git add -f"
        )


def _has_content_there(root: bytes, path: bytes) -> bool:
    """Whether something has the place of `path` that git could commit, or a folder with such in it."""
    there = occupant(root, path)
    try:
        mode = os.lstat(os.path.join(root, there)).st_mode if there is not None else 0
    except FileNotFoundError:
        return False
    return stat.S_IFMT(mode) in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR)
