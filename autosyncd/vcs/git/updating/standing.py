"""Where an update stands between two of its rounds, and what moves it on."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from autosyncd.vcs.git import held, indexes, ownrefs
from autosyncd.vcs.git.condition import elsewhere, rewritten
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.merging.join import Joiner
from autosyncd.vcs.git.remotes import doubts
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Steps
from autosyncd.vcs.git.updating.slippedin import SlippedIn
from autosyncd.vcs.outcomes import Dirty, Waiting


@dataclass(slots=True, kw_only=True)
class Standing:
    """Of one update."""

    head: str | None
    """Of the branch."""
    ours: str | None
    """The commit that has what lies on disk but for what came in: the head, or edits on it."""
    target: str
    disk: str
    """The tree of what lies there."""
    record: held.Held
    """What was held before."""
    came: held.Held = field(default_factory=dict)
    """What was put there, and the commit that has it."""
    left: Waiting | Dirty | None = None
    """The person is on another branch, or has rewritten this one: what came in is taken out again."""

    def put(self, done: Set[bytes], merged: str) -> None:
        """These are as `merged` has them, and were held before at most."""
        self.record = {path: base for path, base in self.record.items() if path not in done}
        self.came |= dict.fromkeys(done, merged)

    def take_in(self, found: SlippedIn, dirty: Set[bytes], joiner: Joiner) -> None:
        """Edits slipped in, and are committed: they are part of what is wanted."""
        edited = dirty - found.stubborn
        self.came = {path: commit for path, commit in self.came.items() if path not in edited}
        self.ours, self.disk = found.ours, found.disk
        self.record |= found.held_edits
        for edit in sorted(set(found.held_edits.values())):
            self.target = doubts.join_edit(joiner.repository, joiner, self.target, edit)

    def kept(
        self, repository: Repository, waiting: Set[bytes], steps: Steps, merged: str
    ) -> held.Held:
        """The record of the paths that wait. What an earlier round has put there for a target that is
        another now, and that somebody has open, waits for nothing: it is a new file of theirs. If
        another version is to come in its place, it is what their edits are made from."""
        kept = {}
        for path in waiting if self.left is None else waiting & self.record.keys():
            base = self.record.get(path, self.ours or merged)
            goes = path in steps and steps[path].new is None
            if not goes or held.version_in(repository, base, path) is not None:
                kept[path] = self.came.get(path, base)
        for commit in sorted({self.came[path] for path in kept.keys() & self.came.keys()}):
            ownrefs.keep_side(repository, commit)  # no branch has it, but for the newest
        return kept

    def stop(self, repository: Repository, merged: str, brought: Set[bytes]) -> None:
        """A person is asked first: branch and index stay. Of what was put there for `merged` it is on
        record that it came in: so it is nobody's edit here, and the next update goes on from it."""
        if brought and self.head is not None:  # else the same bytes are as good as ours
            placed = {path: self.came.get(path, merged) for path in brought}
            for commit in sorted(set(placed.values())):
                ownrefs.keep_side(repository, commit)
            held.record(repository, self.record | placed)

    def look_anew(
        self, repository: Repository, merged: str, entries: Mapping[bytes, Version | None]
    ) -> Waiting | Dirty | None:
        """The branch was moved meanwhile, or the person has left it; `entries` were put on the disk for
        `merged`. Why it can't go on, if it can't."""
        self.disk = indexes.tree_with(repository, self.disk, entries)
        now = repository.head
        taken_back = rewritten(repository, self.head, now)
        self.left = elsewhere(repository) or taken_back
        if self.left is None:
            self.target, self.head, self.ours = merged, now, now
        elif self.head is None or self.ours is None:
            return self.left
        else:  # what was put there is no part of the history they are on; what they edited stays
            if taken_back is not None:
                ownrefs.give_up_sides(repository, self.head, self.ours)
            self.target = self.ours
        return None
