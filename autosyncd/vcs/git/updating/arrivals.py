"""What updates have brought lately, on record for an hour (stale.py says what it is for)."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

from autosyncd import clock
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.held import Held, version_in
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating.stale import Arrival, Ledger, encode, parse, remember
from autosyncd.vcs.statefile import replace

PLAIN = (b"100644", b"100755")


def note(
    repository: Repository,
    steps: Mapping[bytes, Step],
    done: Iterable[bytes],
    *,
    record: Held,
    commit: str | None,
) -> None:
    """An update has carried these steps out; `commit` has what lay on disk before, but for what is
    held (`record`). To be called before the branch moves. Losing it loses no byte."""
    now = clock.wall()
    news = []
    for path in sorted(done):
        step, base = steps[path], record.get(path, commit)
        before = step.old
        if before is None and path in record:  # an editor may just be replacing it
            before = version_in(repository, record[path], path)
        if base is not None and _is_plain(before) and _is_plain(step.new):
            old, new = before.oid, step.new.oid
            if old != new:
                news.append(Arrival(path=path, old=old, new=new, commit=base, when=now))
    if news:
        write(repository, remember(read(repository), news, now))


def read(repository: Repository) -> Ledger:
    """The record; what can't be read of it is as if it had not been."""
    try:
        return parse(_file(repository).read_bytes())
    except OSError:
        return Ledger()


def write(repository: Repository, ledger: Ledger) -> None:
    """Without waiting for the disk, since losing it loses no byte."""
    replace(_file(repository), encode(ledger), durable=False)


def _is_plain(version: Version | None) -> TypeGuard[Version]:
    return version is not None and version.mode in PLAIN


def _file(repository: Repository) -> Path:
    return Path(os.fsdecode(repository.state), "arrivals")
