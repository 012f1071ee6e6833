"""Replace one file under the hands of whoever may be writing it (the heart of an update).

We never overwrite or unlink a byte in the work tree: inodes are renamed. The old one goes into the
batch's folder (batch.py) and is unlinked only later, under a lease, when its bytes are proved to be in
history. What each step guards against, and the test that shows it, is in docs/races.md.
"""

import contextlib
import errno
import os
from dataclasses import dataclass
from enum import Enum

from autosyncd import clock
from autosyncd.vcs.git.disk import (
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    Folders,
    Hasher,
    Kind,
    Place,
    Version,
    absent,
    rename,
)
from autosyncd.vcs.git.lease import Lease, Writers

BUSY_WAIT = 0.02
"""Seconds to wait for a writer that is just finishing."""
TRIES = 50
"""How often a name may change under us before we come back later."""


class Result(Enum):
    """What became of one path."""

    DONE = "done"
    DIRTY = "dirty"
    """It isn't what we believed: somebody edited it, made or deleted it. Untouched."""
    HELD = "held"
    """Somebody has it open for writing (or it can't be read). Untouched."""
    BLOCKED = "blocked"
    """Something that is no file of ours stands in the way. Untouched."""


@dataclass(frozen=True, slots=True)
class Step:
    """One path of an update: what should be there, and what is to come."""

    path: bytes
    old: Version | None
    new: Version | None


class Replacer:
    """Carries out the steps of one batch."""

    def __init__(
        self, tree: Folders, staged: Folders, hasher: Hasher, *, leases: bool, modes: bool
    ) -> None:
        self._tree, self._staged, self._hasher = tree, staged, hasher
        self._leases, self._modes = leases, modes
        self.learned: dict[bytes, set[bytes]] = {}
        """Path → ids of raw bytes that git's filters make into the old version."""

    def put(self, step: Step, spot: bytes) -> Result:
        """Bring `step.new`, staged at `spot`, into the tree."""
        try:
            source = self._staged.place(spot)
        except FileNotFoundError:
            return Result.HELD
        if source.stat() is None:
            return Result.HELD  # git could not write it: a filter failed
        for _ in range(TRIES):
            try:
                target = self._tree.place(step.path, make=True)
                result = self._put_once(step, source, target)
            except (FileExistsError, NotADirectoryError, FileNotFoundError) as problem:
                if isinstance(problem, NotADirectoryError):
                    return Result.BLOCKED
                self._tree.forget(step.path.rpartition(b"/")[0])
                continue
            except OSError as problem:
                if problem.errno in (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EROFS):
                    return Result.HELD  # another file system, or a folder that is not ours
                raise
            if result is not None:
                return result
        return Result.DIRTY

    def remove(self, step: Step, spot: bytes) -> Result:
        """Take `step.old` out of the tree; its inode goes to `spot`."""
        try:
            target = self._tree.place(step.path)
        except OSError as problem:
            if absent(problem):
                return Result.DONE
            raise
        kind = target.kind()
        if kind is Kind.NOTHING:
            return Result.DONE
        if kind in (Kind.FOLDER, Kind.OTHER):
            return Result.DIRTY
        place = self._staged.place(spot, make=True)
        try:
            result = self._remove_file(step, target, place, kind)
        except FileNotFoundError:
            return Result.DONE
        except OSError as problem:
            if problem.errno in (errno.EXDEV, errno.EPERM, errno.EACCES, errno.EROFS):
                return Result.HELD
            raise
        if result is Result.DONE:
            self._tree.remove_empty(step.path)
        return result

    # putting

    def _put_once(self, step: Step, source: Place, target: Place) -> Result | None:
        """One try; None when the name changed under us."""
        kind = target.kind()
        if kind is Kind.NOTHING:
            if step.old is not None:
                return Result.DIRTY  # deleted by the person
            rename(source, target, RENAME_NOREPLACE)
            return Result.DONE
        if kind is Kind.FOLDER:
            return self._clear_skeleton(step.path, target)
        if kind is Kind.OTHER:
            return Result.BLOCKED
        if step.old is None:
            return self._already_there(step, target, kind)
        if kind is Kind.LINK:
            return self._swap_link(step, source, target)
        return self._swap_file(step, source, target)

    def _clear_skeleton(self, path: bytes, target: Place) -> Result | None:
        """Empty folders don't count as content."""
        self._tree.forget(path)
        walked = list(os.fwalk(target.name, dir_fd=target.folder))
        if any(files for _, _, files, _ in walked):
            return Result.BLOCKED
        folders = [base for base, *_ in walked]
        for base in reversed(folders[1:]):
            with contextlib.suppress(OSError):
                os.rmdir(base, dir_fd=target.folder)
        try:
            os.rmdir(target.name, dir_fd=target.folder)
        except OSError:
            return Result.BLOCKED
        return None

    def _already_there(self, step: Step, target: Place, kind: Kind) -> Result:
        """Something untracked has the name: the same bytes are as good as ours."""
        with contextlib.suppress(OSError):
            if kind is Kind.LINK:
                same = self._hasher.of_link(target) == step.new
            else:
                with Lease(target, trusted=False) as file:
                    same = self._hasher.of_file(file.handle) == step.new
            if same:
                return Result.DONE
        return Result.DIRTY

    def _swap_link(self, step: Step, source: Place, target: Place) -> Result | None:
        """A link can't be written to, only replaced: swap, then look at what came out."""
        rename(source, target, RENAME_EXCHANGE)
        if source.kind() is Kind.LINK and self._expected(step, self._hasher.of_link(source)):
            return Result.DONE
        self._swap_back(source, target)
        return Result.DIRTY

    def _swap_file(self, step: Step, source: Place, target: Place) -> Result | None:
        try:
            lease = self._open(target)
        except OSError as problem:
            changed = problem.errno in (errno.ENXIO, errno.ELOOP, errno.ENOENT)
            return None if changed else Result.HELD  # no regular file any more; unreadable
        with lease:
            doubt = self._doubt(step, lease)
            if doubt is not None:
                return doubt
            _keep_permissions(lease.handle, source, step.new)
            rename(source, target, RENAME_EXCHANGE)
            return self._after_swap(step, source, target, lease)

    def _doubt(self, step: Step, lease: Lease) -> Result | None:
        """Why the open file can't be replaced now, or None."""
        if lease.writers is Writers.SOME:
            return Result.HELD
        version = self._hasher.of_file(lease.handle, lambda: lease.broken)
        if version is None or lease.broken:
            return Result.HELD
        return None if self._expected(step, version) else Result.DIRTY

    def _after_swap(self, step: Step, source: Place, target: Place, lease: Lease) -> Result:
        """Was it the file that we looked at, and did nobody want to write to it meanwhile?"""
        came_out = source.stat()
        if came_out is None or came_out.st_ino != lease.inode:
            result = Result.DIRTY  # somebody saved atomically in between
        elif lease.broken:
            result = Result.HELD  # the waiter has this inode: it goes back before he is let go
        elif lease.writers is Writers.UNKNOWN and not self._expected(
            step, self._hasher.of_file(lease.handle)
        ):
            result = Result.DIRTY
        else:
            return Result.DONE
        self._swap_back(source, target)
        return result

    def _swap_back(self, source: Place, target: Place) -> None:
        """Give the person's inode its name back. What was visible for an instant is swept later."""
        for flags in (RENAME_EXCHANGE, RENAME_NOREPLACE):
            try:
                rename(source, target, flags)
            except OSError:
                continue
            return
        # the name was taken anew by something else: the sweep finds the inode and puts it beside

    def _open(self, target: Place) -> Lease:
        """The file under a lease; a writer that is just finishing is waited for, shortly."""
        lease = Lease(target, trusted=self._leases)
        if lease.writers is Writers.SOME:
            lease.release()
            clock.pause(BUSY_WAIT)
            lease = Lease(target, trusted=self._leases)
        return lease

    # removing

    def _remove_file(self, step: Step, target: Place, place: Place, kind: Kind) -> Result:
        if kind is Kind.LINK:
            if not self._expected(step, self._hasher.of_link(target)):
                return Result.DIRTY
            rename(target, place, RENAME_NOREPLACE)
            return Result.DONE
        try:
            lease = self._open(target)
        except FileNotFoundError:
            return Result.DONE
        except OSError:
            return Result.HELD
        with lease:
            doubt = self._doubt(step, lease)
            if doubt is not None:
                return doubt
            rename(target, place, RENAME_NOREPLACE)
            came_out = place.stat()
            if came_out is None or came_out.st_ino != lease.inode or lease.broken:
                with contextlib.suppress(OSError):
                    rename(place, target, RENAME_NOREPLACE)
                return Result.HELD if lease.broken else Result.DIRTY
            return Result.DONE

    def _expected(self, step: Step, found: Version | None) -> bool:
        """Whether these are the bytes that history says are there."""
        if found is None or step.old is None:
            return False
        if found.oid != step.old.oid and found.oid not in self.learned.get(step.path, ()):
            return False
        return found.mode == step.old.mode or (not self._modes and found.mode != b"120000")


def _keep_permissions(old: int, source: Place, new: Version | None) -> None:
    """A file that its owner has closed to others stays closed; git knows only "executable"."""
    bits = os.fstat(old).st_mode & 0o777
    if new is not None and new.mode == b"100755":
        bits |= (bits & 0o444) >> 2
    else:
        bits &= ~0o111
    if new is not None and new.mode != b"120000":
        os.chmod(source.name, bits, dir_fd=source.folder)
