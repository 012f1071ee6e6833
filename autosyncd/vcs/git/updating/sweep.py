"""Sweep a batch: let go of what is in history, give back what is not.

It is the same after an update (a writer may still hold an old inode) and after a kill at any instant:
recovery is a sweep. An inode is unlinked only under a lease, with bytes that are proved to be in
history; everything else lies beside its path again, where the next scan finds it.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from autosyncd import clock
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.disk import (
    RENAME_NOREPLACE,
    Hasher,
    Kind,
    Place,
    Version,
    rename,
)
from autosyncd.vcs.git.folders import OpenFolders
from autosyncd.vcs.git.lease import Lease, Writers
from autosyncd.vcs.git.merging.conflict import conflict_name
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating.batch import ARMED, batches_of, read_plan
from autosyncd.vcs.git.updating.stepwise import ASIDE
from autosyncd.vcs.git.writers import is_written, writers

KEEP_WITHOUT_LEASES = 60.0
"""Seconds an old inode is kept where no lease can tell whether somebody still writes to it."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a step's file lies in the batch."""

    step: Step
    at: bytes


def sweep_all(repository: Repository, hasher: Hasher, *, leases: bool) -> bool:
    """Sweep every batch; True when something must be looked at again later."""
    top = batches_of(repository)
    later = False
    for name in _listed(top):
        folder = top + b"/" + name
        if not os.path.exists(folder + ARMED):
            shutil.rmtree(folder, ignore_errors=True)  # nothing of the person's was put there yet
            continue
        sweeper = Sweeper(repository, hasher, folder, leases=leases)
        later |= sweeper.run()
        _remove_empty(folder)
    return later


def _remove_empty(folder: bytes) -> None:
    """The batch's folder, once no file of a person can be in it any more."""
    for base, folders, files in os.walk(folder, topdown=False):
        links = [name for name in folders if os.path.islink(base + b"/" + name)]
        if base != folder and not files and not links:
            with contextlib.suppress(OSError):
                os.rmdir(base)
    left = [name for name in os.listdir(folder) if os.path.isdir(folder + b"/" + name)]
    if not left:
        shutil.rmtree(folder, ignore_errors=True)


class Sweeper:
    """One pass over a batch that is no longer being applied."""

    def __init__(
        self, repository: Repository, hasher: Hasher, folder: bytes, *, leases: bool
    ) -> None:
        self._repository, self._hasher = repository, hasher
        self._folder, self._leases = folder, leases
        self._raw: dict[bytes, set[bytes]] = {}
        self._seen = cache(writers)
        """Looked up once: nobody can open a file anew, since nobody knows where it lies."""

    def run(self) -> bool:
        """Unlink what is in history, give back the rest; True when a writer is still at work."""
        later = False
        folders = OpenFolders(self._folder)
        try:
            for spot in self._spots():
                later |= self._look_safely(folders, spot)
        finally:
            folders.close()
        return later

    def _look_safely(self, folders: OpenFolders, spot: Spot) -> bool:
        """One file that can't be looked at keeps no other from it."""
        try:
            place = folders.place(spot.at)
            if spot.at.startswith(ASIDE) and self._return(place, spot.step.path):
                return False
            if place.kind() is Kind.FOLDER:
                return self._give_back(place, spot.step, Version(b"", b"folder"))
            return self._look(place, spot.step)
        except FileNotFoundError:
            return False
        except OSError:
            return True

    def _return(self, place: Place, path: bytes) -> bool:
        """What was put aside for an instant gets its name back, unless that was taken since."""
        tree = OpenFolders(self._repository.root)
        try:
            rename(place, tree.place(path, make=True), RENAME_NOREPLACE)
        except OSError:
            return False
        else:
            return True
        finally:
            tree.close()

    def _spots(self) -> Iterator[Spot]:
        """Every file that is left in the batch, with what the plan says of it."""
        planned = read_plan(self._folder)
        steps = [step for step, _ in planned]
        self._raw = {step.path: raw for step, raw in planned}
        by_path = {step.path: step for step in steps}
        for at in self._files_in(b"aside"):
            path = at.split(b"/", 2)[2]
            yield Spot(by_path.get(path, Step(path, None, None)), at)
        for at in self._files_in(b"tree"):
            path = at.removeprefix(b"tree/")
            yield Spot(by_path.get(path, Step(path, None, None)), at)
        for name in _listed(self._folder + b"/gone"):
            number = int(name) if name.isdigit() else -1
            step = steps[number] if 0 <= number < len(steps) else Step(name, None, None)
            yield Spot(step, b"gone/" + name)

    def _files_in(self, part: bytes) -> Iterator[bytes]:
        """Files and links, relative to the batch's folder."""
        for base, folders, names in os.walk(self._folder + b"/" + part):
            links = [name for name in folders if os.path.islink(base + b"/" + name)]
            for name in (*names, *links):
                yield os.path.relpath(base + b"/" + name, self._folder)

    def _look(self, place: Place, step: Step) -> bool:
        """Unlink it, give it back, or (True) leave it for later."""
        kind = place.kind()
        if kind is Kind.LINK:
            link = self._hasher.of_link(place)
            if not self._in_history(link, step):
                return self._give_back(place, step, link)
            place.unlink()
            return False
        if kind is Kind.OTHER:
            return self._give_back(place, step, Version(b"", b"special"))
        if kind is not Kind.FILE:
            return False
        with Lease(place, trusted=self._leases) as lease:
            if is_written(lease, self._seen):
                return True
            version = self._hasher.of_file(lease.handle)
            if version is None or lease.broken:
                return True
            if self._in_history(version, step):
                if lease.writers is Writers.UNKNOWN and _young(lease):
                    return True
                place.unlink()
                return False
        return self._decide_filtered(place, step, version)

    def _decide_filtered(self, place: Place, step: Step, version: Version) -> bool:
        """The raw bytes are no blob of the plan: perhaps git's filters make one of them."""
        cleaned = clean_id(self._repository, place, step.path)
        with Lease(place, trusted=self._leases) as lease:
            again = self._hasher.of_file(lease.handle)
            if lease.writers is Writers.SOME or again != version or lease.broken:
                return True
            if cleaned is not None and cleaned in _oids(step):
                place.unlink()
                return False
        return self._give_back(place, step, version)

    def _in_history(self, version: Version, step: Step) -> bool:
        return version.oid in _oids(step) or version.oid in self._raw.get(step.path, ())

    def _give_back(self, place: Place, step: Step, version: Version) -> bool:
        """Bytes that are in no history lie beside their path again, where the next scan finds
        them. True when it can't be done now."""
        host = os.fsencode(os.uname().nodename)
        tree = OpenFolders(self._repository.root)
        taken: set[bytes] = set()
        path = step.path
        try:
            for _ in range(1000):
                # a number stands before the extension: by that a filter knows what to encrypt
                wanted = conflict_name(path, host, version.oid, lambda name: name not in taken)
                try:
                    rename(place, tree.place(wanted, make=True), RENAME_NOREPLACE)
                except FileExistsError:
                    taken.add(wanted)
                except FileNotFoundError:
                    continue
                except NotADirectoryError:
                    path = os.path.basename(path)
                else:
                    return False
            return True
        finally:
            tree.close()


def _young(lease: Lease) -> bool:
    """Without leases an inode is kept for a while (its ctime is when it was swapped out)."""
    return clock.wall() - lease.found.st_ctime < KEEP_WITHOUT_LEASES


def clean_id(repository: Repository, place: Place, path: bytes) -> bytes | None:
    """The blob that git's filters make of a file, were it at `path`."""
    folder = os.fsencode(os.readlink(f"/proc/self/fd/{place.folder}"))
    ask = ("hash-object", b"--path=" + path, "--", folder + b"/" + place.name)
    said = repository.git(*ask, ok=(0, 1, 128), timeout=LONG)
    return said.text.encode() if said.code == 0 else None


def _oids(step: Step) -> set[bytes]:
    return {version.oid for version in (step.old, step.new) if version is not None}


def _listed(folder: bytes) -> list[bytes]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []
