"""Carry the steps of one update out: stage, then replace file by file, then say what came of each."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from autosyncd.vcs.git import filters, nested
from autosyncd.vcs.git.disk import Hasher, Version
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.lease import leases_work
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step, StepResult
from autosyncd.vcs.git.updating.batch import Batch, stage
from autosyncd.vcs.git.updating.early import NOTHING_EARLY, Early
from autosyncd.vcs.git.updating.filtered import Learned, learn
from autosyncd.vcs.git.updating.intheway import occupant
from autosyncd.vcs.git.updating.replace import Replacer

ATTRIBUTES_WAIT = (
    "its attributes (.gitattributes) wait too, and git would write it otherwise by them"
)


@dataclass(slots=True)
class Applied:
    """What became of the steps."""

    done: set[bytes] = field(default_factory=set)
    entries: dict[bytes, Version | None] = field(default_factory=dict)
    """What lies there now, for the paths that are done."""
    placed: dict[bytes, tuple[Version, os.stat_result]] = field(default_factory=dict)
    """What lies there, and its lstat(2), where that proves that nobody has written to it."""
    dirty: set[bytes] = field(default_factory=set)
    held: set[bytes] = field(default_factory=set)
    problems: dict[bytes, str] = field(default_factory=dict)
    """Why a held path is: what the file system said."""
    in_the_way: set[bytes] = field(default_factory=set)
    """Things of the person's that block a path, above it."""


def apply(
    repository: Repository,
    steps: Sequence[Step],
    index: bytes,
    *,
    learned: Learned,
    early: Early = NOTHING_EARLY,
) -> Applied:
    """Bring these files from their old to their new versions (which `index` has), as far as nobody
    is in the way."""
    applied = Applied()
    attributes = [step for step in steps if step.path.rpartition(b"/")[2] == b".gitattributes"]
    rest = [step for step in steps if step not in attributes] if attributes else steps
    if attributes and rest:  # what lies on disk was written by the attributes of before
        hasher = Hasher(repository.object_format)
        learn(repository, hasher, [step for step in rest if step.old is not None], learned)
    for some in (attributes, rest):  # what git writes depends on the attributes that lie there
        if some is rest and len(applied.done) < len(attributes):
            some = _hold_governed(repository, rest, index, applied)
        if some:
            batch = stage(repository, some, index, learned=learned, early=early.move)
            _apply_some(repository, batch, learned, applied)
    return applied


def _hold_governed(
    repository: Repository, steps: Sequence[Step], index: bytes, applied: Applied
) -> Sequence[Step]:
    """What git would write otherwise by attributes that could not come waits for these: written now, it
    would lie there unfiltered, and be an edit as soon as they come. The steps that are left."""
    coming = [step.path for step in steps if step.new is not None]
    governed = filters.written_otherwise(repository, coming, index)
    applied.held |= governed
    applied.problems |= dict.fromkeys(governed, ATTRIBUTES_WAIT)
    return [step for step in steps if step.path not in governed]


def _apply_some(repository: Repository, batch: Batch, learned: Learned, applied: Applied) -> None:
    steps = batch.steps
    hasher = Hasher(repository.object_format)
    tree, staged = OpenFolders(repository.root), OpenFolders(batch.folder, private=True)
    modes = repository.file_modes
    replacer = Replacer(tree, staged, hasher, leases=leases_work(repository.root), modes=modes)
    replacer.knows(learned)
    theirs = nested.inside(repository.root, (step.path for step in steps))
    try:
        for number in _in_order(steps):
            if steps[number].path in theirs:
                applied.dirty.add(steps[number].path)
            else:
                _note(applied, steps[number], _carry_out(replacer, batch, number), repository)
    finally:
        tree.close()
        staged.close()
    applied.problems |= replacer.problems
    for step in steps:
        if step.new is not None and step.path in replacer.placed:
            applied.placed[step.path] = (step.new, replacer.placed[step.path])
    learn(repository, hasher, [step for step in steps if step.path in applied.dirty], learned)


def _in_order(steps: Sequence[Step]) -> list[int]:
    """Deletions first, the deepest first: a folder's place may be wanted by a file."""
    gone = [number for number, step in enumerate(steps) if step.new is None]
    come = [number for number, step in enumerate(steps) if step.new is not None]
    return sorted(gone, key=lambda number: steps[number].path, reverse=True) + come


def _carry_out(replacer: Replacer, batch: Batch, number: int) -> StepResult:
    step, spot = batch.steps[number], batch.spot(number)
    return replacer.remove(step, spot) if step.new is None else replacer.put(step, spot)


def _note(applied: Applied, step: Step, result: StepResult, repository: Repository) -> None:
    if result is StepResult.DONE:
        applied.done.add(step.path)
        applied.entries[step.path] = step.new
    elif result is StepResult.HELD:
        applied.held.add(step.path)
    else:
        above = occupant(repository.root, step.path)
        if above in applied.held:  # however busy that is: this one waits for it
            applied.held.add(step.path)
            return
        applied.dirty.add(step.path)
        if above is not None:
            applied.in_the_way.add(above)
