"""Refs as they lie on the disk: loose, packed, and their logs; torn ones put aside, and each ref that
leads nowhere set back to the last commit in its log that is whole (gitrepository-layout(5))."""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from autosyncd.vcs.git.healing.aside import Aside
from autosyncd.vcs.git.healing.mark import Mark
from autosyncd.vcs.git.healing.torn import (
    packed_refs_are_torn,
    ref_value,
    sound_packed_refs,
    sound_reflog,
)
from autosyncd.vcs.git.refs import FETCHED_TIPS
from autosyncd.vcs.git.repository import Repository

Whole = Callable[[str], bool]
"""Whether a commit is there, with all that it names."""
BRANCHES = "refs/heads/"
FETCHED_AGAIN = ("refs/remotes/", FETCHED_TIPS)


@dataclass(slots=True)
class Refs:
    """One look at them."""

    repository: Repository
    aside: Aside
    known: Mark
    young: dict[str, str] = field(default_factory=dict)
    """Loose refs that may have been written since the mark."""
    packed: dict[str, str] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    """Refs that were torn, or have a log and are no more."""

    @property
    def branch(self) -> str:
        """The adopted branch."""
        return BRANCHES + self.repository.memory.branch

    @property
    def tips(self) -> set[str]:
        """Commits that should be there with all their history: where young refs are, and where those
        that are gone were."""
        last = (next(self._candidates(name), None) for name in self.gone)
        return {*self.young.values(), *filter(None, last)}

    def look(self) -> None:
        """Put aside what is torn, and read the rest."""
        if os.path.isdir(self.repository.common_dir + b"/reftable"):
            return  # git itself keeps checksums there
        self._look_at_packed()
        loose = set()
        for name, path in _files(self.repository.common_dir, b"refs"):
            if name.endswith(".lock"):
                continue
            loose.add(name)
            value = ref_value(_read(path))
            if value is None:
                self.aside.take(path)
                self.gone.add(name)
            elif not value.startswith("ref: ") and self.known.younger(os.stat(path)):
                self.young[name] = value
        for name, _ in _files(self.repository.common_dir + b"/logs", b"refs"):
            if name not in loose and name not in self.packed and self.log(name):
                self.gone.add(name)

    def _look_at_packed(self) -> None:
        path = self.repository.common_dir + b"/packed-refs"
        data = _read(path)
        self.packed = sound_packed_refs(data)
        if packed_refs_are_torn(data):
            lines = [f"{oid} {name}\n" for name, oid in sorted(self.packed.items())]
            with open(path + b".lock", "xb") as file:  # git's own way to keep others out
                file.write(os.fsencode("".join(lines)))
            self.aside.take(path)
            os.rename(path + b".lock", path)

    def log(self, name: str) -> list[bytes]:
        """The whole lines of a ref's log, oldest first."""
        return sound_reflog(_read(self._log_path(name)))

    def settle(self, whole: Whole) -> list[tuple[str, str | None]]:
        """Set each ref that leads nowhere back; which ones, and to what (None: there is nothing)."""
        leads_nowhere = {name for name, oid in self.young.items() if not whole(oid)}
        leads_nowhere |= {name for name, oid in self.packed.items() if name not in self.young
                          and name not in self.gone and not whole(oid)}  # fmt: skip
        moved = []
        for name in sorted(self.gone | leads_nowhere):
            target = next(filter(whole, self._candidates(name)), None)
            self._set(name, target)
            moved.append((name, target))
        return moved

    def _candidates(self, name: str) -> Iterator[str]:
        """Where a ref may have been, the best first."""
        if name.startswith(FETCHED_AGAIN):
            return
        if name == self.branch:
            yield from self._later_than_its_log()
        for line in reversed(self.log(name)):
            yield from (line.split(b" ", 2)[number].decode() for number in (1, 0))
        if name == self.branch:
            yield from (line.split(b" ", 2)[1].decode() for line in reversed(self.log("HEAD")))
            yield from self._our_moves()
            if self.known.tip:
                yield self.known.tip
            short = self.repository.memory.branch
            remotes = {**self.packed, **self.young}.items()
            yield from (oid for ref, oid in remotes if _is_remote(ref, short))
        elif name in self.packed:
            yield self.packed[name]

    def _later_than_its_log(self) -> Iterator[str]:
        """Our last moves, if the log does not know of them: a log is never flushed, and may have come
        back as it was before."""
        logged = b"".join(self.log(self.branch))
        for moved in self._our_moves():
            if moved.encode() not in logged:
                yield moved

    def _our_moves(self) -> Iterator[str]:
        """Where we had moved the branch to, and from where: on the disk before it was reported."""
        for file in (b"/journal", b"/last-move"):
            words = _read(self.repository.state + file).split()
            if len(words) == 2 and all(map(ref_value, words)):
                yield from (word.decode() for word in reversed(words))

    def _set(self, name: str, target: str | None) -> None:
        git = self.repository.git
        if target is not None:
            git("update-ref", "-m", "autosyncd: the last commit that is whole", name, target)
            return
        git("update-ref", "-d", name, ok=(0, 1, 128))
        path = os.path.join(self.repository.common_dir, os.fsencode(name))
        self.aside.take(path)
        if name != self.branch:  # else `git fsck` and others believe it was there
            self.aside.take(self._log_path(name))

    def trim_logs(self, whole: Whole) -> int:
        """Take lines out of the logs that are torn or lead nowhere; how many logs that were."""
        trimmed = 0
        zero = "0" * (64 if self.repository.object_format == "sha256" else 40)
        logs = [path for _, path in _files(self.repository.common_dir + b"/logs", b"refs")]
        for path in {*logs, self._log_path("HEAD")}:
            data = _read(path)
            kept = [line for line in sound_reflog(data) if _leads_on(line, whole, zero)]
            if b"".join(kept) != data and os.path.exists(path):
                self.aside.keep_copy(path, data)
                with open(path + b".autosyncd", "wb") as file:
                    file.write(b"".join(kept))
                os.rename(path + b".autosyncd", path)
                trimmed += 1
        return trimmed

    def _log_path(self, name: str) -> bytes:
        folder = self.repository.git_dir if name == "HEAD" else self.repository.common_dir
        return folder + b"/logs/" + os.fsencode(name)


def _leads_on(line: bytes, whole: Whole, zero: str) -> bool:
    ids = [word.decode() for word in line.split(b" ", 2)[:2]]
    return all(oid == zero or whole(oid) for oid in ids)


def _is_remote(ref: str, branch: str) -> bool:
    return ref.startswith("refs/remotes/") and ref.split("/", 3)[3:] == [branch]


def _files(base: bytes, below: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and path of each file below a folder of `base`."""
    for folder, _, names in os.walk(base + b"/" + below):
        for name in names:
            path = folder + b"/" + name
            yield os.fsdecode(os.path.relpath(path, base)), path


def _read(path: bytes) -> bytes:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), open(path, "rb") as file:
        return file.read()
    return b""
