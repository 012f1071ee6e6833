"""Pure: the limits beyond which a worker halts and asks, rather than push or apply what it sees.

Half of a tree that vanishes at once is more often an unmounted disk or a wrong `rm` than a wish.
"""

from autosyncd.model import Safety
from autosyncd.vcs.changes import ChangeKind, ChangeSet
from autosyncd.vcs.outcomes import Question


def check(changes: ChangeSet, safety: Safety) -> Question | None:
    """The question a person must answer before this is done, if there is one."""
    if changes.adopting:
        return _adoption(changes, safety)
    if changes.tracked < safety.min_files:
        return None
    where = "incoming-" if changes.incoming else ""
    deleted = changes.count(ChangeKind.DELETED)
    if deleted > safety.max_deleted * changes.tracked:
        what = "would be deleted here by what comes in" if changes.incoming else "vanished"
        return Question(f"{where}mass-deletion", f"{deleted} of {changes.tracked} files {what}.")
    modified = changes.count(ChangeKind.MODIFIED)
    if modified > safety.max_modified * changes.tracked:
        what = "would be changed here by what comes in" if changes.incoming else "changed at once"
        return Question(
            f"{where}mass-modification", f"{modified} of {changes.tracked} files {what}."
        )
    return None


def _adoption(changes: ChangeSet, safety: Safety) -> Question | None:
    """The first commit of a tree that nobody has looked at."""
    count, size = len(changes.changes), changes.new_size
    if count <= safety.max_new and size <= safety.max_new_size:
        return None
    return Question(
        "first-adoption",
        f"{count:,} new files ({size / 1_000_000:,.0f} MB) would be committed and pushed; "
        "look at them with: git status.",
    )
