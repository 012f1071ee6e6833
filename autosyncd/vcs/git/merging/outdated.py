"""Pure: conflict copies of a version that its own line has gone on from.

Whoever made that version may not have heard of the conflict yet, or can't give way to it: a program
keeps its log open all day. Each later state of the file meets the same lines again, and is to have one
copy, not one for each. So the copy of the state that it was made from goes; that stays in history.
"""

from collections.abc import Callable, Container, Mapping

from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.listings import Stages
from autosyncd.vcs.git.merging.conflict import is_conflict_name


def outdated(
    stages: Stages, taken: Mapping[bytes, Version], files: Callable[[int], Container[bytes]]
) -> dict[bytes, tuple[bytes, int]]:
    """Names of such copies among those that are `taken`; of each the path in conflict and the stage
    that has the later state. `files`: the names in the tip of a stage. A copy that somebody has edited
    is none; nor is one that both tips have: their base had it beside the same version."""
    found = {}
    for path, entries in stages.items():
        if set(entries) != {1, 2, 3}:
            continue
        before = entries[1]
        for name, version in taken.items():
            if version == before and is_conflict_name(name, path, before.oid):
                unaware = [stage for stage in (2, 3) if name not in files(stage)]
                if len(unaware) == 1:
                    found[name] = path, unaware[0]
    return found
