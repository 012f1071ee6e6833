"""Merge two tips off the work tree: `git merge-tree` computes, this decides what is kept where.

Nothing here touches a file, and no conflict marker ever reaches one. Where git can't merge, both
versions are kept: the side with more commits since the fork keeps the name (a tie: the larger id),
the other's version lies beside it as `name.sync-conflict-HOST-<8 of the blob id>.ext`. Two machines
that merge the same tips make the same tree, whichever calls itself "ours".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autosyncd.vcs.git.command import Result
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import is_gitlink
from autosyncd.vcs.git.indexes import tree_with
from autosyncd.vcs.git.listings import Stages, files_in
from autosyncd.vcs.git.merging import exceptions
from autosyncd.vcs.git.merging.apart import Apart
from autosyncd.vcs.git.merging.bygit import merge_by_git
from autosyncd.vcs.git.merging.bypath import merge_by_path
from autosyncd.vcs.git.merging.conflict import conflict_name, host_slug
from autosyncd.vcs.git.merging.outdated import outdated
from autosyncd.vcs.git.repository import Repository


@dataclass(slots=True)
class OrderedTips:
    """The two tips in the order of their ids, and which of them keeps the names."""

    first: str
    second: str
    winner: int
    """2 or 3: the stage that merge-tree gives to the first and the second tip."""

    def of(self, stage: int) -> str:
        """The tip of a stage."""
        return self.first if stage == 2 else self.second


@dataclass(frozen=True, slots=True)
class Merged:
    """A merged tree, and the names of files whose other version was put beside them."""

    tree: str
    conflicts: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Resolution:
    """What the conflicted part of the tree becomes."""

    entries: dict[bytes, Version | None] = field(default_factory=dict)
    conflicts: list[bytes] = field(default_factory=list)


def merge(repository: Repository, ours: str, theirs: str) -> Merged:
    """The tree of both tips."""
    first, second = sorted((ours, theirs))
    apart = Apart(repository, first, second)
    tree, stages = _merge_tree(repository, apart, first, second)
    tree = exceptions.keep_out(
        repository, tree, (first, second), lambda: _base(repository, apart, first, second)
    )
    if not stages:
        return Merged(tree)
    since = ("rev-list", "--left-right", "--count", f"{first}...{second}", "--")
    left, right = map(int, apart(*since).text.split())
    tips = OrderedTips(first, second, 2 if left > right else 3)
    names = _names_in(repository, tree, stages)
    gone = outdated(stages, names, lambda stage: files_in(repository, tips.of(stage)))
    resolution = resolve(stages, names, tips, Hosts(apart), gone)
    merged = tree_with(repository, tree, resolution.entries)
    return Merged(merged, tuple(resolution.conflicts))


def _merge_tree(
    repository: Repository, apart: Apart, first: str, second: str
) -> tuple[str, Stages]:
    """The tree, and what is not decided in it; no content that neither side has."""
    merged = merge_by_git(repository, apart, (first, second))
    if merged is not None:
        return merged
    base = _base(repository, apart, first, second)
    return merge_by_path(repository, apart, base, (first, second))


def _base(repository: Repository, apart: Apart, first: str, second: str) -> str:
    """What both tips come from. Where they have merged each other's commits before there may be several
    such; these are merged as git does it. What is not decided there has no base: then both are kept."""
    bases = sorted(apart("merge-base", "--all", first, second, ok=(0, 1)).text.split())
    if not bases:
        return repository.empty_tree
    base, *others = bases
    for other in others:
        tree, stages = _merge_tree(repository, apart, base, other)
        merged = tree_with(repository, tree, dict.fromkeys(stages))
        base = stand_in(apart, merged, (base, other))
    return base


def stand_in(git: Callable[..., Result], tree: str, parents: Sequence[str]) -> str:
    """A commit of that tree on those parents, for merges alone; with the same id on every machine."""
    nobody = "autosyncd <autosyncd> 0 +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    text = "\n".join([*lines, f"author {nobody}", f"committer {nobody}", "", "bases", ""])
    return git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode()).text


def _names_in(repository: Repository, tree: str, stages: Stages) -> dict[bytes, Version]:
    """Every file of the merged tree but the conflicted ones: names that are taken."""
    names = files_in(repository, tree)
    for path in stages:
        names.pop(path, None)
    return names


FORM = "--format=%(trailers:key=Autosync-Host,valueonly,separator=%x00)%x00%cn"


class Hosts:
    """The host that a version came from, asked of git once per file and tip."""

    def __init__(self, apart: Apart) -> None:
        self._git = apart

    def of(self, tip: str, path: bytes, oid: bytes) -> bytes:
        """The trailer of the commit that brought it, else a slug of its committer. The name may be the
        other side's (a rename there): then it is found by its content, else the tip stands for it."""
        by_content = ("--no-renames", f"--find-object={oid.decode()}", tip, "--")
        for which in ((tip, "--", path), by_content, (tip, "--")):
            said = self._git("--literal-pathspecs", "log", "-1", FORM, *which).out.strip(b"\n")
            if said:
                return host_slug(next(filter(None, said.split(b"\0")), b""))
        return host_slug(b"")


def resolve(
    stages: Stages,
    taken: dict[bytes, Version],
    tips: OrderedTips,
    hosts: Hosts,
    gone: Mapping[bytes, tuple[bytes, int]],
) -> Resolution:
    """Pure but for the asking of host names: decide every conflicted path. Copies that are `gone`
    (outdated.py) give way to what their line has now."""
    resolution = Resolution(dict.fromkeys(sorted(stages.keys() | gone.keys())))
    names = {name: one for name, one in taken.items() if name not in gone}
    beside: list[tuple[bytes, int, Version]] = []
    folders = _folders({*taken, *stages})
    for path, entries in sorted(stages.items()):
        real = _real_name(path, tips)
        first, *second = _in_order(entries, tips.winner)
        if not first:
            continue  # only the base is left: both sides moved it elsewhere
        if real != path or path in folders:
            beside.append((real, first, entries[first]))
            continue
        kept = resolution.entries[path] = names[path] = entries[first]
        for stage in second:
            other = entries[stage]
            if other.oid == kept.oid:  # only the mode differs: executable wins
                resolution.entries[path] = Version(max(kept.mode, other.mode), kept.oid)
            else:
                beside.append((path, stage, other))
    for path, stage, entry in beside:
        if is_gitlink(entry):
            continue  # nobody could clone it under another name; the commit has it as a parent
        host = hosts.of(tips.of(stage), path, entry.oid)
        name = conflict_name(path, host, entry.oid, _free_for(entry, names, folders))
        resolution.entries[name] = names[name] = entry
        if (path, stage) not in gone.values():  # else its copy was told of before, and has moved
            resolution.conflicts.append(path)
    return resolution


def _in_order(entries: dict[int, Version], winner: int) -> list[int]:
    """The stages that have this path, the one that keeps the name first: the winner's, but a submodule
    goes before a file, which can lie beside it. A 0 where neither side has it."""
    stages = [stage for stage in (winner, 5 - winner) if stage in entries]
    return sorted(stages, key=lambda stage: not is_gitlink(entries[stage])) or [0]


def _folders(names: set[bytes]) -> set[bytes]:
    """Every folder that these files need: a file of that name has to give way."""
    found: set[bytes] = set()
    for name in names:
        parent = name.rpartition(b"/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition(b"/")[0]
    return found


def _free_for(
    entry: Version, names: dict[bytes, Version], folders: set[bytes]
) -> Callable[[bytes], bool]:
    """A name is free for a version that already has it; one that a folder has never is."""
    return lambda name: name not in folders and names.get(name, entry) == entry


def _real_name(path: bytes, tips: OrderedTips) -> bytes:
    """merge-tree calls a file that lost its name to a folder or a link `name~TIP`."""
    for tip in (tips.first, tips.second):
        found = re.match(rb"(.+)~" + re.escape(tip.encode()) + rb"(_\d+)?\Z", path, re.S)
        if found:
            return found[1]
    return path


def incoming_hosts(repository: Repository, old: str | None, new: str) -> tuple[str, ...]:
    """Which other machines' commits came with `new`, for the person's eyes."""
    span = f"{old}..{new}" if old else new
    trailers = "%(trailers:key=Autosync-{},valueonly,separator=%x20)"
    form = trailers.format("Tree") + "%x09" + trailers.format("Host")
    said = repository.git("log", "-n", "50", f"--format={form}", span, "--")
    rows = [line.partition("\t") for line in said.text.split("\n")]
    own = repository.memory.tree
    return tuple(sorted({host for tree, _, host in rows if host and tree != own}))[:3]
