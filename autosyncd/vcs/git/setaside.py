"""A version of a file that is set aside: a commit beside the branch, which the next Sync merges."""

from dataclasses import dataclass

from autosyncd.vcs.outcomes import LeftOut


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A version of a file that is to be merged."""

    path: bytes
    commit: str
    """The commit beside the branch that has it."""
    kind: str
    """Of the notice: stale, or taken-back."""
    told: str

    @property
    def notice(self) -> LeftOut:
        """What the person is told, once."""
        return LeftOut(self.path, self.kind, self.told)
