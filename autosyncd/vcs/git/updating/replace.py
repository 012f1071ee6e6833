"""Replace one file under the hands of whoever may be writing it (the heart of an update).

We never overwrite or unlink a byte in the work tree: inodes are renamed. The old one goes into the
batch's folder (batch.py) and is unlinked only later, under a lease, when its bytes are proved to be in
history. What each step guards against, and the test that shows it, is in docs/races.md.
"""

import contextlib
import errno
import os

from autosyncd.vcs.git.disk import (
    PLAIN,
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    Hasher,
    Kind,
    NoExchange,
    Place,
    absent,
    rename,
)
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.lease import Lease, Writers
from autosyncd.vcs.git.step import Step, StepResult
from autosyncd.vcs.git.updating.expectation import Expectation, keep_permissions
from autosyncd.vcs.git.updating.intheway import clear_skeleton
from autosyncd.vcs.git.updating.misplaced import drop, unwritten
from autosyncd.vcs.git.updating.stepwise import Stepwise

TRIES = 50
"""How often a name may change under us before we come back later."""

OF_EVERYTHING = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""What is wrong with more than one path."""


class Replacer:
    """Carries out the steps of one batch."""

    def __init__(
        self, tree: OpenFolders, staged: OpenFolders, hasher: Hasher, *, leases: bool, modes: bool
    ) -> None:
        self._tree, self._staged, self._hasher = tree, staged, hasher
        self._old = Expectation(hasher, leases=leases, modes=modes)
        self._stepwise: Stepwise | None = None
        self.placed: dict[bytes, os.stat_result] = {}
        """Path → lstat(2) of what was put there, where that shows that nobody has written to it."""
        self.problems: dict[bytes, str] = {}
        """Path → why the file system would not have it."""

    def knows(self, learned: dict[bytes, set[bytes]]) -> None:
        """Path → ids of raw bytes that git's filters make into the old version."""
        self._old.learned = learned

    def put(self, step: Step, spot: bytes) -> StepResult:
        """Bring `step.new`, staged at `spot`, into the tree."""
        try:
            source = self._staged.place(spot, make=True)  # says which folder can't be here
            staged = source.stat()
        except OSError as refusal:
            return self._refused(step, refusal)
        if staged is None:
            problem = unwritten(source)
            return StepResult.HELD if problem is None else self._refused(step, problem)
        if not self._staged.keeps_names(spot):
            drop(source, step, self._hasher)
            self.problems[step.path] = "the file system here takes the dot off its name"
            return StepResult.HELD
        for _ in range(TRIES):
            try:
                target = self._tree.place(step.path, make=True)
                result = self._put_once(step, source, target, staged)
                if result is StepResult.DONE:
                    self._remember(step, target, staged)
            except (FileExistsError, FileNotFoundError):
                self._tree.forget(step.path.rpartition(b"/")[0])
                continue
            except NotADirectoryError:
                return StepResult.BLOCKED
            except OSError as problem:
                return self._refused(step, problem)
            if result is not None:
                return result
        return StepResult.DIRTY

    def remove(self, step: Step, spot: bytes) -> StepResult:
        """Take `step.old` out of the tree; its inode goes to `spot`."""
        try:
            target = self._tree.place(step.path)
            kind = target.kind()
        except OSError as problem:
            return StepResult.DONE if absent(problem) else self._refused(step, problem)
        if kind is Kind.NOTHING:
            return StepResult.DONE
        if kind in (Kind.FOLDER, Kind.OTHER):
            return StepResult.DIRTY
        try:
            place = self._staged.place(spot, make=True)
            result = self._remove_file(step, target, place, kind)
        except FileNotFoundError:
            return StepResult.DONE
        except OSError as problem:
            return self._refused(step, problem)
        if result is StepResult.DONE:
            self._tree.remove_empty(step.path)
        return result

    def _refused(self, step: Step, problem: OSError) -> StepResult:
        """Another file system, a folder that is not ours, a name that can't be here: this path
        waits, the others go on. What is wrong with everything is raised."""
        if problem.errno in OF_EVERYTHING:
            raise problem
        if problem.errno not in (errno.ENOENT, errno.ENOTDIR):
            self.problems[step.path] = f"it can't be put there: {problem.strerror}"
        return StepResult.HELD

    # putting

    def _put_once(
        self, step: Step, source: Place, target: Place, staged: os.stat_result
    ) -> StepResult | None:
        """One try; None when the name changed under us."""
        kind = target.kind()
        if kind is Kind.NOTHING:
            if step.old is not None:
                return StepResult.DIRTY  # deleted by the person
            rename(source, target, RENAME_NOREPLACE)
            return StepResult.DONE
        if kind is Kind.FOLDER:
            self._tree.forget(step.path)
            return None if clear_skeleton(target) else StepResult.BLOCKED
        if kind is Kind.OTHER:
            return StepResult.BLOCKED
        if step.old is None:
            return self._already_there(step, target, kind)
        if kind is Kind.LINK:
            return self._swap_link(step, source, target)
        return self._swap_file(step, source, target, staged)

    def _remember(self, step: Step, target: Place, staged: os.stat_result) -> None:
        """What git's index may say of the file. It is believed only if a write since would show:
        the clock has moved on since the last write to the staged file."""
        now = target.stat()
        if (
            now is not None
            and (now.st_ino, now.st_size) == (staged.st_ino, staged.st_size)
            and now.st_mtime_ns == staged.st_mtime_ns < now.st_ctime_ns
        ):
            self.placed[step.path] = now

    def _already_there(self, step: Step, target: Place, kind: Kind) -> StepResult:
        """Something untracked has the name: the same bytes are as good as ours."""
        with contextlib.suppress(OSError):
            if kind is Kind.LINK:
                same = self._hasher.of_link(target) == step.new
            else:
                with Lease(target, trusted=False) as file:
                    same = self._hasher.of_file(file.handle) == step.new
            if same:
                return StepResult.DONE
        return StepResult.DIRTY

    def _swap_link(self, step: Step, source: Place, target: Place) -> StepResult | None:
        """A link can't be written to, only replaced: swap, then look at what came out."""
        self._exchange(step, source, target)
        if source.kind() is Kind.LINK and self._old.is_met_by(step, self._hasher.of_link(source)):
            return StepResult.DONE
        self._swap_back(step, source, target)
        return StepResult.DIRTY

    def _swap_file(
        self, step: Step, source: Place, target: Place, staged: os.stat_result
    ) -> StepResult | None:
        try:
            lease = self._old.open(target)
        except OSError as problem:
            changed = problem.errno in (errno.ENXIO, errno.ELOOP, errno.ENOENT)
            return None if changed else StepResult.HELD  # no regular file any more; unreadable
        with lease:
            doubt = self._old.doubt(step, lease)
            if doubt is not None:
                return doubt
            keep_permissions(lease.found, source, staged, step.new)
            self._exchange(step, source, target)
            return self._after_swap(step, source, target, lease)

    def _after_swap(self, step: Step, source: Place, target: Place, lease: Lease) -> StepResult:
        """Was it the file that we looked at, and did nobody want to write to it meanwhile?"""
        came_out = source.stat()
        if came_out is None or came_out.st_ino != lease.inode:
            result = StepResult.DIRTY  # somebody saved atomically in between
        elif lease.broken:
            result = StepResult.HELD  # the waiter has this inode: it goes back before he is let go
        elif lease.writers is Writers.UNKNOWN and not self._old.is_met_by(
            step, self._hasher.of_file(lease.handle)
        ):
            result = StepResult.DIRTY
        else:
            return StepResult.DONE
        self._swap_back(step, source, target)
        return result

    def _exchange(self, step: Step, source: Place, target: Place) -> None:
        """The two names change places; step by step where the file system has no other way."""
        if self._stepwise is None:
            try:
                rename(source, target, RENAME_EXCHANGE)
                return
            except NoExchange:
                self._stepwise = Stepwise(self._staged)
        self._stepwise.swap(step.path, source, target)

    def _swap_back(self, step: Step, source: Place, target: Place) -> None:
        """Give the person's inode its name back. What was visible for an instant is swept later."""
        try:
            self._exchange(step, source, target)
        except OSError:
            with contextlib.suppress(OSError):
                rename(source, target, RENAME_NOREPLACE)
        # the name was taken anew by something else: the sweep finds the inode and puts it beside

    # removing

    def _remove_file(self, step: Step, target: Place, place: Place, kind: Kind) -> StepResult:
        if kind is Kind.LINK:
            if not self._old.is_met_by(step, self._hasher.of_link(target)):
                return StepResult.DIRTY
            rename(target, place, PLAIN)
            return StepResult.DONE
        try:
            lease = self._old.open(target)
        except FileNotFoundError:
            return StepResult.DONE
        except OSError:
            return StepResult.HELD
        with lease:
            doubt = self._old.doubt(step, lease)
            if doubt is not None:
                return doubt
            rename(target, place, PLAIN)
            came_out = place.stat()
            if came_out is None or came_out.st_ino != lease.inode or lease.broken:
                with contextlib.suppress(OSError):
                    rename(place, target, RENAME_NOREPLACE)
                return StepResult.HELD if lease.broken else StepResult.DIRTY
            return StepResult.DONE
