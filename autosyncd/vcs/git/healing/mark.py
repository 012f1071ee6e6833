"""The clean mark: since when everything in a repository is known to be on the disk, and whether our
last run ended as it should.

After a kill within one boot nothing is torn: the kernel still has what was written. After a power cut
anything may be that was written since the disk was last told to flush and was not flushed itself (a
person's git does not flush loose objects). So the mark says what has to be looked at, and what of the
repository's few irreplaceable files was last known to be good.
"""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from autosyncd.vcs.git.disk import FOLDER_FLAGS, flush
from autosyncd.vcs.git.healing.torn import ref_value
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.session import boot_id
from autosyncd.vcs.statefile import replace

FLUSH_EVERY = 600
"""Seconds after which a clean end moves the mark on; that costs a syncfs(2)."""
CLOCK_MARGIN = 86_400
"""Seconds that clocks may have jumped: what is not older than the mark by more counts as younger."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What is written down."""

    boot: str
    clean: bool
    """The run that wrote it has ended as it should."""
    since: float
    """Seconds since 1970, by the clock of the file system; what is older is on the disk."""
    tip: str | None
    """Where the adopted branch was then: this commit and all before it are whole."""
    memory: dict[str, object] = field(default_factory=dict)
    """memory.TreeMemory, in case its own file is damaged."""

    @property
    def holds(self) -> bool:
        """Nothing can be torn: the last run ended well, and no boot has been since."""
        return self.clean and self.boot == boot_id()

    @property
    def other_boot(self) -> bool:
        """The machine has been booted since."""
        return self.boot not in ("", boot_id())

    @property
    def cut_off(self) -> bool:
        """The machine went down in the middle of a run."""
        return not self.clean and self.other_boot

    def younger(self, found: os.stat_result) -> bool:
        """Whether a file may have been written after the mark."""
        return max(found.st_mtime, found.st_ctime) >= self.since - CLOCK_MARGIN


UNKNOWN = Mark("", clean=False, since=float("-inf"), tip=None)
"""There is none, or it is damaged: everything is to be looked at."""


def read(state: bytes) -> Mark:
    """The mark of a state folder."""
    try:
        said = json.loads(_file(state).read_text(encoding="utf-8"))
        return Mark(
            boot=str(said["boot"]),
            clean=said["clean"] is True,
            since=float(said["since"]),
            tip=str(said["tip"]) if said["tip"] else None,
            memory=dict(said["memory"]),
        )
    except (OSError, ValueError, TypeError, KeyError):
        return UNKNOWN


def begin(repository: Repository, *, healed: bool) -> None:
    """A run begins: until end() is called it may be torn. After a look at everything (`healed`)
    the mark moves on."""
    if healed or read(repository.state) == UNKNOWN:
        _move_on(repository, clean=False)
        return
    _write(repository, read(repository.state), clean=False)


def end(repository: Repository) -> None:
    """A run has ended as it should."""
    known = read(repository.state)
    if abs(_now(repository) - known.since) > FLUSH_EVERY:
        _move_on(repository, clean=True)
    else:
        _write(repository, known, clean=True)


def _move_on(repository: Repository, *, clean: bool) -> None:
    """What was written until now is on the disk when this returns."""
    now = _now(repository)
    tip = _tip(repository) or read(repository.state).tip
    handle = os.open(repository.common_dir, FOLDER_FLAGS)
    try:
        flush(handle)
    finally:
        os.close(handle)
    _write(repository, Mark(boot=boot_id(), clean=clean, since=now, tip=tip), clean=clean)


def _write(repository: Repository, known: Mark, *, clean: bool) -> None:
    """If a power cut empties it, everything is looked at."""
    memory = asdict(repository.memory)
    mark = Mark(boot=boot_id(), clean=clean, since=known.since, tip=known.tip, memory=memory)
    replace(_file(repository.state), json.dumps(asdict(mark)).encode(), durable=False)


def _tip(repository: Repository) -> str | None:
    """The adopted branch, where it is not packed. No child is asked: none may start any more when a
    run ends."""
    branch = os.fsencode(repository.memory.branch)
    try:
        with open(repository.common_dir + b"/refs/heads/" + branch, "rb") as file:
            return ref_value(file.read())
    except OSError:
        return None


def _now(repository: Repository) -> float:
    """The time by the clock that stamps this file system's files."""
    probe = _file(repository.state).with_suffix(".new")
    probe.write_bytes(b"")
    return probe.stat().st_mtime


def _file(state: bytes) -> Path:
    return Path(os.fsdecode(state), "mark")
