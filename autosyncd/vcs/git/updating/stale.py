"""Pure: was a file saved from a buffer that is older than what came in?

Another machine's edit of a file arrives; an editor here still shows the version of before, and saves
it with the person's own edit: the other's edit seems deleted. What was saved then is as the version
of before, but for lines that the other edit has not touched. Such a save is merged, as if it had been
made before the other edit arrived (decision 0016).

A save that has any part of the incoming edit was made by somebody who saw it; one that is an older
version byte for byte may be an undo, or `git restore`: both are left as they are.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WITHIN = 3600.0
"""Seconds after an arrival in which a save may be of the version before it."""
PER_PATH = 60
"""Arrivals of one file that are remembered: the newest, and the oldest, which an editor that was
left alone has most likely."""
IN_ALL = 2000
"""Arrivals that are remembered in all; of a larger update only so many."""
SET_ASIDE_MOST = 10
"""How often in that time a save of one file is merged. More is no person: a program writes the file
again whenever it changes, and it would go on for ever."""

_RANGE = re.compile(rb"^@@ -(\d+)(?:,(\d+))? \+", re.M)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An update has brought one file from one version to another."""

    path: bytes
    old: bytes
    """The id of the blob that was there."""
    new: bytes
    commit: str
    """A commit that has `old` at `path`."""
    when: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True)
class MergedSave:
    """A save was merged instead of being taken as it is."""

    path: bytes
    when: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """What came in lately, oldest first."""

    arrivals: tuple[Arrival, ...] = ()
    asides: tuple[MergedSave, ...] = ()


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of the older version, from `start` up to but not `end`, that an edit replaces (or, with
    none, the place where it adds some)."""

    start: int
    end: int

    def touches(self, other: "Hunk") -> bool:
        """Whether git's merge calls both in one text a conflict: it wants a line in between."""
        return self.start <= other.end and other.start <= self.end


def hunks(diff: bytes) -> tuple[Hunk, ...]:
    """The hunks of `git diff -U0`; none for versions without lines (binary ones)."""
    found = []
    for first, count in _RANGE.findall(diff):
        length = int(count) if count else 1
        # without lines git names the line before the place, else the first one, counted from 1
        start = int(first) - 1 if length else int(first)
        found.append(Hunk(start, start + length))
    return tuple(found)


def undoes(incoming: Sequence[Hunk], own: Sequence[Hunk]) -> bool:
    """Whether a save with the hunks `own` has nothing of the incoming edit, and goes together with
    it. Both are counted in the lines of the version before."""
    if not incoming or not own:
        return False
    return not any(mine.touches(theirs) for mine in own for theirs in incoming)


def bases(
    ledger: Ledger, path: bytes, *, current: bytes, saved: bytes, now: float
) -> tuple[Arrival, ...]:
    """The arrivals before which the save may have been made, the oldest first: whoever lacks all
    that came since an older version has that one. None when the save is left as it is."""
    known = [one for one in ledger.arrivals if one.path == path and is_fresh(one.when, now)]
    asides = [one for one in ledger.asides if one.path == path and is_fresh(one.when, now)]
    if not known or known[-1].new != current or saved == current:
        return ()  # since then the person has moved on: what is there now did not just come in
    if len(asides) >= SET_ASIDE_MOST or any(saved in (one.old, one.new) for one in known):
        return ()
    return tuple(known)


def is_fresh(when: float, now: float) -> bool:
    """Whether it was lately. A clock that was set back makes it lie ahead: that counts too, but not
    for ever."""
    return abs(now - when) <= WITHIN


def remember(ledger: Ledger, news: Iterable[Arrival | MergedSave], now: float) -> Ledger:
    """The ledger with the news, without what is too old or too much."""
    arrivals, asides = list(ledger.arrivals), list(ledger.asides)
    for one in news:
        if isinstance(one, MergedSave):
            asides.append(one)
        else:
            arrivals.append(one)
    kept = [one for one in arrivals if is_fresh(one.when, now)][-IN_ALL:]
    counted = [one for one in asides if is_fresh(one.when, now)][-IN_ALL:]
    return Ledger(tuple(_thinned(kept)), tuple(counted))


def _thinned(arrivals: Sequence[Arrival]) -> list[Arrival]:
    """At most PER_PATH of each path: the oldest, and the newest ones."""
    total: dict[bytes, int] = {}
    for one in arrivals:
        total[one.path] = total.get(one.path, 0) + 1
    seen: dict[bytes, int] = {}
    kept = []
    for one in arrivals:
        seen[one.path] = number = seen.get(one.path, 0) + 1
        if number == 1 or total[one.path] - number < PER_PATH - 1:
            kept.append(one)
    return kept


def encode(ledger: Ledger) -> bytes:
    """A line each; parse() reads them."""
    lines = [
        f"in {one.when} {one.commit} {one.old.decode()} {one.new.decode()} {one.path.hex()}\n"
        for one in ledger.arrivals
    ]
    lines += [f"aside {one.when} {one.path.hex()}\n" for one in ledger.asides]
    return "".join(lines).encode("ascii")


def parse(text: bytes) -> Ledger:
    """What can be read of a ledger; a line that is torn or foreign is passed over."""
    arrivals, asides = [], []
    for line in text.decode("ascii", "replace").split("\n")[:-1]:
        words = line.split(" ")
        try:
            if words[0] == "in" and len(words) == 6:
                when, commit, old, new, path = words[1:]
                ids = (old.encode(), new.encode())
                if all(map(_is_id, (commit, old, new))):
                    arrivals.append(Arrival(bytes.fromhex(path), *ids, commit, float(when)))
            elif words[0] == "aside" and len(words) == 3:
                asides.append(MergedSave(bytes.fromhex(words[2]), float(words[1])))
        except ValueError:
            continue
    return Ledger(tuple(arrivals), tuple(asides))


def _is_id(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", text) is not None
