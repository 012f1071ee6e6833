"""Commits made anew without some paths: everything else of them stays as it was."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from autosyncd.vcs.git import indexes, ownrefs, refs
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.listings import of_tree
from autosyncd.vcs.git.repository import Repository

Versions = Mapping[bytes, Version | None]
PUBLISHED = ("--not", "--remotes", f"--glob={refs.FETCHED_TIPS}*")
"""What other machines may know: every remote as it was last seen (git-rev-list(1))."""


def unpushed_commits(repository: Repository) -> list[str]:
    """Every commit that no remote has, parents first: of the branch, and edits still to be merged
    into it (held.py)."""
    sides = [commit for commit, _ in ownrefs.side_refs(repository)]
    branch = f"refs/heads/{repository.memory.branch}"
    walk = ("rev-list", "--topo-order", "--reverse", branch, *sides, *PUBLISHED, "--")
    return repository.git(*walk, timeout=LONG).text.split()


@dataclass(slots=True)
class Rewriter:
    """Makes `commits` (parents first) anew without `paths`."""

    repository: Repository
    paths: tuple[bytes, ...]
    commits: tuple[str, ...]
    _known: dict[str, dict[bytes, Version]] = field(default_factory=dict)

    def run(self) -> dict[str, str | None]:
        """Old commit → the one in its place, for each that changes. One that held nothing else is
        left out: its parent takes its place, or nothing."""
        replaced: dict[str, str | None] = {}
        for commit in self.commits:
            other = self._anew(commit, replaced)
            if other != commit:
                replaced[commit] = other
        return replaced

    def versions(self, commit: str, paths: Iterable[bytes]) -> dict[bytes, Version | None]:
        """What a commit has at these paths."""
        if commit not in self._known:
            self._known[commit] = dict(self._read(commit))
        return {path: self._known[commit].get(path) for path in paths}

    def published(self, paths: Iterable[bytes]) -> set[str]:
        """The blobs that the commits' own published parents have at these paths."""
        known = set(self.commits)
        borders = {parent for one in self.commits for parent in self._raw(one)[1]} - known
        asked = Rewriter(self.repository, tuple(paths), ())
        return {
            version.oid.decode()
            for border in borders
            for version in asked.versions(border, asked.paths).values()
            if version is not None
        }

    def _read(self, commit: str) -> Iterator[tuple[bytes, Version]]:
        for some in indexes.portions(list(self.paths)):
            asked = ("--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--")
            for path, kind, version in of_tree(self.repository.git(*asked, *some).records):
                if kind != b"tree":
                    yield path, version

    def _raw(self, commit: str) -> tuple[str, list[str], list[bytes], bytes]:
        """Tree, parents, other header lines (a signature left out), message (git's commit.c)."""
        whole = self.repository.git("cat-file", "commit", commit).out
        header, _, message = whole.partition(b"\n\n")
        lines = re.sub(rb"\n ", b"\0", header).split(b"\n")  # what goes on begins with a space
        tree = lines[0].removeprefix(b"tree ").decode()
        parents = [line[7:].decode() for line in lines if line.startswith(b"parent ")]
        others = [
            line.replace(b"\0", b"\n ")
            for line in lines[1:]
            if not line.startswith((b"parent ", b"gpgsig"))
        ]
        return tree, parents, others, message

    def _anew(self, commit: str, replaced: Mapping[str, str | None]) -> str | None:
        repository = self.repository
        tree, old, others, message = self._raw(commit)
        new = self._parents(old, replaced)
        wanted = self._wanted(new)
        same = wanted == self.versions(commit, self.paths)
        if same and new == old:
            return commit
        changed = tree if same else self._tree(tree, wanted)
        before = repository.tree_of(new[0] if new else None)
        held_more = tree != repository.tree_of(old[0] if old else None)
        if len(new) <= 1 and changed == before and (held_more or len(old) > 1):
            return new[0] if new else None
        header = [b"tree " + changed.encode(), *(b"parent " + one.encode() for one in new), *others]
        stdin = b"\n".join(header) + b"\n\n" + message
        written = ("hash-object", "-t", "commit", "-w", "--stdin")
        return repository.git(*written, stdin=stdin).text

    def _parents(self, old: list[str], replaced: Mapping[str, str | None]) -> list[str]:
        """What takes the parents' places; one that another contains says nothing more."""
        mapped = [replaced.get(one, one) for one in old]
        new = [one for one in dict.fromkeys(mapped) if one is not None]
        if new == old:
            return old
        contains = self.repository.contains
        return [one for one in new if not any(two != one and contains(two, one) for two in new)]

    def _wanted(self, new: list[str]) -> dict[bytes, Version | None]:
        """The paths as the parents have them; where these differ, whichever has changed it."""
        if not new:
            return dict.fromkeys(self.paths)
        sides = [self.versions(one, self.paths) for one in new]
        if len(sides) == 1:
            return sides[0]
        bases = self.repository.git("merge-base", *new, ok=(0, 1)).text.split()
        base = self.versions(bases[0], self.paths) if bases else dict.fromkeys(self.paths)
        return {
            path: next((side[path] for side in sides if side[path] != base[path]), base[path])
            for path in self.paths
        }

    def _tree(self, tree: str, wanted: Versions) -> str:
        index = self.repository.own_index("rewrite.index")
        self.repository.git("read-tree", tree, index=index, timeout=LONG)
        indexes.put(self.repository, index, wanted)
        return indexes.write_tree(self.repository, index)
