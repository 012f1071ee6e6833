"""After everybody has come to rest: is everything the same everywhere, sound, clean, and all there?"""

import contextlib
import os
import re
import stat
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.outcomes import NothingToCommit, Synced
from tests.convergence.host import Host

CYCLES = 12
SWEEPING = 20.0
"""Seconds in which a sweep has to be done once nobody has a file open."""

MARKER = re.compile(rb"^(<{7} |>{7} |\|{7} )", re.M)


class Judge:
    """Everything is looked at with git and the file system alone."""

    def __init__(self, hub: Path, hosts: Sequence[Host], environment: dict[str, str]) -> None:
        self.hub, self.hosts, self.environment = hub, hosts, environment
        self.verified = 0
        self.kept = 0

    def git(self, folder: str | Path, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=self.environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
        said = os.fsdecode(done.stdout)
        return said if done.returncode == 0 else f"{said}\n{os.fsdecode(done.stderr)}"

    def head(self, host: Host) -> str:
        return self.git(host.person.root, "rev-parse", "HEAD", "refs/heads/main")

    def quiesce(self) -> list[str]:
        """Commit and sync everywhere until nothing changes any more; what kept it from that."""
        before: list[str] = []
        for _ in range(CYCLES):
            for host in self.hosts:
                host.commit(host.touched(), ignore_staged=True)
                host.commit(EVERYTHING, ignore_staged=True)
                host.sync()
                self._sweep(host)
            heads = [self.head(host) for host in self.hosts]
            if heads == before and len(set(heads)) == 1:
                return []
            before = heads
        tail = [line for host in self.hosts for line in host.oddities[-3:]]
        return [f"no rest after {CYCLES} cycles: {before} {tail}"]

    def _sweep(self, host: Host) -> None:
        end = time.monotonic() + SWEEPING
        while host.sweep() and time.monotonic() < end:
            time.sleep(0.1)

    def judge(self) -> list[str]:
        """Every fault, in words."""
        faults = self.quiesce()
        faults += [fault for host in self.hosts for fault in self._clone(host)]
        faults += self._same_everywhere()
        faults += self._nothing_lost()
        faults += self._no_marker()
        faults += self._at_rest()
        return faults

    def _clone(self, host: Host) -> list[str]:
        faults = []
        root = host.person.root
        if status := self.git(root, "status", "--porcelain"):
            faults.append(f"{host.name}: git status says {status[:400]!r}")
        if said := self.git(root, "fsck", "--no-dangling", "--no-progress"):
            faults.append(f"{host.name}: git fsck says {said[:400]!r}")
        if self.git(root, "symbolic-ref", "HEAD") != "refs/heads/main\n":
            faults.append(f"{host.name}: HEAD is not main any more")
        faults += [f"{host.name}: {oddity}" for oddity in map(repr, host.gate.faults)]
        return faults

    def _same_everywhere(self) -> list[str]:
        first, *others = self.hosts
        faults = []
        trees = [(host, look(host.person.root)) for host in others]
        mine = look(first.person.root)
        for host, theirs in trees:
            different = sorted(
                path for path in mine.keys() | theirs.keys() if mine.get(path) != theirs.get(path)
            )
            if different:
                shown = [
                    (path, short(mine.get(path)), short(theirs.get(path))) for path in different
                ]
                faults.append(f"{first.name} and {host.name} differ in {shown[:4]}")
        heads = {self.head(host).split()[1] for host in self.hosts}
        at_hub = self.git(self.hub, "rev-parse", "refs/heads/main").strip()
        if heads != {at_hub}:
            faults.append(f"the hub is at {at_hub}, the clones are at {heads}")
        return faults

    def _nothing_lost(self) -> list[str]:
        listed = self.git(self.hub, "rev-list", "--objects", "refs/heads/main")
        there = {line[:40] for line in listed.split("\n")}
        subjects = set(self.git(self.hub, "log", "--format=%s", "refs/heads/main").split("\n"))
        faults = []
        for host in self.hosts:
            owed = host.person.oracle.settle()
            self.verified += len(owed)
            faults += [f"LOST {one}" for one in owed if blob(one) not in there]
            for subject in host.person.git.subjects:
                self.kept += 1
                if subject not in subjects:
                    faults.append(f"LOST {host.name}: the person's own commit {subject!r}")
            host.person.git.subjects.clear()
        return faults

    def _no_marker(self) -> list[str]:
        return [
            f"a conflict marker in {host.name}:{path}"
            for host in self.hosts
            for path, found in look(host.person.root).items()
            if MARKER.search(found[1])
        ]

    def _at_rest(self) -> list[str]:
        faults = []
        before = [self.head(host) for host in self.hosts]
        for host in self.hosts:
            made = host.commit(EVERYTHING, ignore_staged=True)
            if not isinstance(made, NothingToCommit):
                faults.append(f"{host.name}: at rest, yet a commit says {made}")
            synced = host.sync()
            if not isinstance(synced, Synced) or synced.pushed or synced.pulled or synced.held:
                faults.append(f"{host.name}: at rest, yet a sync says {synced}")
        if before != [self.head(host) for host in self.hosts]:
            faults.append("at rest, yet a head moved")
        return faults


def blob(owed: object) -> str:
    from tests.convergence.oracle import Owed, blob_id

    assert isinstance(owed, Owed)
    return blob_id(owed.written.data)


def look(root: str) -> dict[str, tuple[str, bytes]]:
    """Every file: link, executable or plain, and what is in it. One that goes meanwhile is none."""
    found = {}
    for base, folders, names in os.walk(root):
        if ".git" in folders:
            folders.remove(".git")
        for name in names + folders:
            path = os.path.join(base, name)
            with contextlib.suppress(FileNotFoundError):
                if what := _what_is_at(path):
                    found[os.path.relpath(path, root)] = what
    return found


def _what_is_at(path: str) -> tuple[str, bytes] | None:
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return "link", os.fsencode(os.readlink(path))
    if stat.S_ISREG(mode):
        return "executable" if mode & 0o100 else "plain", Path(path).read_bytes()
    return None


def short(found: tuple[str, bytes] | None) -> str:
    return "nothing" if found is None else f"{found[0]} {found[1][:40]!r}"
