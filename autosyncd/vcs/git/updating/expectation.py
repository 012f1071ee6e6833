"""Is a file what history says is there, and does nobody write to it?"""

import os

from autosyncd import clock
from autosyncd.vcs.git.disk import Hasher, Place, Version
from autosyncd.vcs.git.lease import Lease, Writers
from autosyncd.vcs.git.step import Step, StepResult

BUSY_WAIT = 0.02
"""Seconds to wait for a writer that is just finishing."""


class Expectation:
    """What the steps of one batch may go by."""

    def __init__(self, hasher: Hasher, *, leases: bool, modes: bool) -> None:
        """`leases`: whether they can be believed here; `modes`: whether the file system knows what
        is executable."""
        self.hasher = hasher
        self._leases, self._modes = leases, modes
        self.learned: dict[bytes, set[bytes]] = {}
        """Path → ids of raw bytes that git's filters make into the old version."""

    def open(self, target: Place) -> Lease:
        """The file under a lease; a writer that is just finishing is waited for, shortly."""
        lease = Lease(target, trusted=self._leases)
        if lease.writers is Writers.SOME:
            lease.release()
            clock.pause(BUSY_WAIT)
            lease = Lease(target, trusted=self._leases)
        return lease

    def doubt(self, step: Step, lease: Lease) -> StepResult | None:
        """Why the open file can't be replaced now, or None."""
        if lease.writers is Writers.SOME:
            return StepResult.HELD
        version = self.hasher.of_file(lease.handle, lambda: lease.broken, lease.found)
        if version is None:
            return StepResult.HELD
        return None if self.is_met_by(step, version) else StepResult.DIRTY

    def is_met_by(self, step: Step, found: Version | None) -> bool:
        """Whether these are the bytes that history says are there."""
        if found is None or step.old is None:
            return False
        if found.oid != step.old.oid and found.oid not in self.learned.get(step.path, ()):
            return False
        return found.mode == step.old.mode or (not self._modes and found.mode != b"120000")


def keep_permissions(
    old: os.stat_result, source: Place, staged: os.stat_result, new: Version | None
) -> None:
    """A file that its owner has closed to others stays closed; git knows only "executable"."""
    if new is None or new.mode == b"120000":
        return
    bits = old.st_mode & 0o777
    if new.mode == b"100755":
        bits |= (bits & 0o444) >> 2
    else:
        bits &= ~0o111
    if bits != staged.st_mode & 0o7777:
        os.chmod(source.name, bits, dir_fd=source.folder)
