"""New versions that go through a filter of the person's, staged before index.lock is taken.

A filter may take minutes (git-lfs downloads what it is asked for), and whoever holds that lock keeps the
person's own git from working. What was staged early and is still what is wanted moves into the update's
batch; the rest stays in a batch of its own, which is swept like any.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from autosyncd.vcs.git import filters, indexes
from autosyncd.vcs.git.committing.cache import cache_of
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.entries import Pairs
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating.batch import Batch, stage

ATTRIBUTES = b".gitattributes"


@dataclass(frozen=True, slots=True)
class Early:
    """What was staged."""

    folder: bytes = b""
    versions: Mapping[bytes, Version] = field(default_factory=dict)
    raw: Mapping[bytes, bytes] = field(default_factory=dict)
    """As a batch has it."""

    def move(self, batch: Batch) -> set[bytes]:
        """Into the batch goes what it wants, too; which paths that is."""
        moved = set()
        wanted = batch.steps if self.versions else ()
        for step in wanted:
            source = self.folder + b"/tree/" + step.path
            if self.versions.get(step.path) == step.new is not None and os.path.lexists(source):
                target = batch.folder + b"/tree/" + step.path
                os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
                os.rename(source, target)
                moved.add(step.path)
                if step.path in self.raw:
                    batch.raw[step.path] = self.raw[step.path]
        return moved


NOTHING_EARLY = Early()


def may_take_long(repository: Repository) -> bool:
    """Whether files may go through a filter on their way out."""
    return cache_of(repository).settings.has_filters_out


def stage_early(repository: Repository, changed: Pairs, steps: Mapping[bytes, Step]) -> Early:
    """Let git write those of the new versions that a filter makes. Where the attributes themselves
    are to change, nothing can be said before they have."""
    coming = {path: step for path, step in steps.items() if step.new is not None}
    if any(os.path.basename(path) == ATTRIBUTES for path in steps):
        return NOTHING_EARLY
    wanted = filters.filtered(repository, coming)
    if not wanted:
        return NOTHING_EARLY
    index = repository.own_index("early.index")
    indexes.copy_to(repository, index)
    indexes.put(repository, index, {path: pair[1] for path, pair in changed.items()})
    batch = stage(repository, [coming[path] for path in wanted], index)
    versions = {path: one for path in wanted if (one := coming[path].new)}
    return Early(batch.folder, versions, batch.raw)
