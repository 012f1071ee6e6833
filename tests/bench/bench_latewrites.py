"""Writers open a file at a random instant and write a little later, while it is being replaced.

    python -m tests.bench.bench_latewrites [FOLDER ...] [--writes 50000] [--hold 0.003]

Three processes open one of 60 files, wait up to `hold` seconds, put a unique mark (append, pwrite, or
through a mapping, also after the descriptor is closed), close; meanwhile all 60 are replaced again and
again. Afterwards every mark must be in some file of the tree, conflict copies included. Without
folders: tmpfs, ext4, xfs, btrfs and an overlay, mounted for it (needs root). 50,000 writes take about
six minutes.
"""

import argparse
import json
import mmap
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.disk import Hasher
from autosyncd.vcs.git.entries import steps_between
from autosyncd.vcs.git.finding import open_repository
from autosyncd.vcs.git.lease import ignore_breaks, leases_work
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.step import Step
from autosyncd.vcs.git.updating import apply as engine
from autosyncd.vcs.git.updating import batch, sweep
from autosyncd.vcs.process import Runner
from tests.bench.figures import heading, row

FILES, WRITERS, SLOTS, ROUND = 60, 3, 40, 0.15
PAGE = 4096


@dataclass
class Mark:
    """A unique text, the file it was put into, where (-1: appended), and how."""

    text: str
    file: int
    slot: int
    how: str


@dataclass
class Tally:
    """What came of it."""

    writes: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    copies: int = 0
    dirty: int = 0
    held: int = 0
    replaced: int = 0


def name(number: int) -> str:
    return f"d{number % 5}/f{number}"


class Writer:
    """A process that writes for a while whenever it is told to."""

    def __init__(self, tree: Path, number: int, hold: float) -> None:
        self._tree, self._number, self._hold = tree, number, hold
        self._random = random.Random(number)
        orders, self._order = os.pipe()
        self._answer, answers = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            os.close(self._order)
            with os.fdopen(orders) as heard, os.fdopen(answers, "w") as said:
                for line in heard:  # until it is closed, whoever closes it
                    if line == "end\n":
                        break
                    print(json.dumps(self._write(int(line))), file=said, flush=True)
            os._exit(0)
        os.close(orders)
        os.close(answers)
        self._answers = os.fdopen(self._answer)

    def begin(self, turn: int) -> None:
        os.write(self._order, b"%d\n" % turn)

    def marks(self) -> list[Mark]:
        return [Mark(*words) for words in json.loads(self._answers.readline())]

    def close(self) -> None:
        os.write(self._order, b"end\n")
        os.close(self._order)
        self._answers.close()
        os.waitpid(self._pid, 0)

    def _write(self, turn: int) -> list[tuple[str, int, int, str]]:
        made, end = [], time.monotonic() + ROUND
        while time.monotonic() < end:
            file, how = (
                self._random.randrange(FILES),
                self._random.choice(("append", "pwrite", "map")),
            )
            text = f"<{turn}.{self._number}.{len(made)}>"
            slot = (self._number * SLOTS + len(made) % SLOTS) * 32 + 64
            try:
                self._put(self._tree / name(file), text.encode(), slot, how)
            except FileNotFoundError:
                continue
            made.append((text, file, -1 if how == "append" else slot, how))
        return made

    def _put(self, path: Path, text: bytes, slot: int, how: str) -> None:
        handle = os.open(path, os.O_RDWR | (os.O_APPEND if how == "append" else 0))
        if self._random.random() < 0.8:
            time.sleep(self._random.random() * self._hold)
        if how == "map":
            with mmap.mmap(handle, PAGE) as mapped:
                os.close(handle)
                time.sleep(self._random.choice((0, self._random.random() * self._hold)))
                mapped[slot : slot + len(text)] = text
            return
        if how == "append":
            os.write(handle, text)
        else:
            os.pwrite(handle, text.ljust(32), slot)
        os.close(handle)


class Arena:
    """A repository with two trees of the same 60 files, A (on disk) and B."""

    def __init__(self, folder: Path) -> None:
        self.tree = folder / "late"
        self.tree.mkdir()
        self._git("init", "-q", "-b", "main")
        self._git("config", "user.email", "alice@example.org")
        self._git("config", "user.name", "Alice")
        self.sides = [self._commit(side) for side in (b"B", b"A")]
        environment = {"PATH": os.environ["PATH"], "HOME": os.fspath(folder)}
        root = os.path.realpath(self.tree)
        self.repository: Repository = open_repository(root, Runner(), environment, machine="0" * 32)
        self.hasher = Hasher(self.repository.object_format)

    def _git(self, *arguments: str) -> str:
        return subprocess.check_output(["git", *arguments], cwd=self.tree, text=True).strip()

    def _commit(self, side: bytes) -> str:
        self.fill(side)
        self._git("add", "-A")
        self._git("commit", "-qm", side.decode())
        return self._git("rev-parse", "HEAD^{tree}")

    def fill(self, side: bytes) -> None:
        for entry in self.tree.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry)
        for number in range(FILES):
            path = self.tree / name(number)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes((b"%s %d" % (side, number)).ljust(PAGE, b"."))

    def sweep(self, *, leases: bool) -> bool:
        return sweep.sweep_all(self.repository, self.hasher, leases=leases)

    def everything(self) -> tuple[bytes, int]:
        """All that lies in the tree, and how many conflict copies there are."""
        files = [path for path in self.tree.glob("d*/*") if path.is_file()]
        copies = sum("sync-conflict" in path.name for path in files)
        return b"".join(path.read_bytes() for path in files), copies


@contextmanager
def after_staging(writers: list[Writer], turn: int) -> Iterator[None]:
    """Let the writers begin when the first swap is about to come: later they find few files that
    are not edited yet."""
    real = engine.stage

    def stage(
        repository: Repository, steps: Sequence[Step], *more: Any, **options: Any
    ) -> batch.Batch:
        made = real(repository, steps, *more, **options)
        for writer in writers:
            writer.begin(turn)
        time.sleep(random.random() * 0.003)
        return made

    engine.stage = stage
    try:
        yield
    finally:
        engine.stage = real


def one_round(
    arena: Arena, writers: list[Writer], turn: int, tally: Tally, *, leases: bool
) -> None:
    arena.fill(b"A")
    here, there = reversed(arena.sides)
    begun, end = False, 0.0
    while not begun or time.monotonic() < end:  # there and back again
        steps = list(steps_between(arena.repository, here, there).values())
        random.shuffle(steps)
        with after_staging([] if begun else writers, turn):
            index = arena.repository.private_index
            indexes.put(arena.repository, index, {step.path: step.new for step in steps})
            applied = engine.apply(arena.repository, steps, index, learned={})
        arena.sweep(leases=leases)  # harder than life, where it comes two seconds later
        if not begun:
            begun, end = True, time.monotonic() + ROUND
        tally.replaced += len(applied.done)
        tally.dirty += len(applied.dirty)
        tally.held += len(applied.held)
        here, there = there, here
    made = [mark for writer in writers for mark in writer.marks()]
    time.sleep(0.01)
    while arena.sweep(leases=leases):
        time.sleep(0.01)
    lying_there, copies = arena.everything()
    tally.copies += copies
    # a later mark in the same slot of the same file is written over the earlier one
    last = {(mark.file, mark.slot if mark.slot >= 0 else mark.text): mark for mark in made}
    tally.writes += len(last)
    for mark in last.values():
        if mark.text.encode() not in lying_there:
            tally.lost[mark.how] += 1


def measure(folder: Path, writes: int, hold: float = 0.003) -> Tally:
    """Rounds in a fresh tree below `folder`, until so many writes were made."""
    ignore_breaks()
    place = Path(tempfile.mkdtemp(prefix="latewrites-", dir=folder))
    tally = Tally()
    try:
        arena = Arena(place)
        leases = leases_work(arena.repository.root)
        writers = [Writer(arena.tree, number, hold) for number in range(WRITERS)]
        turn = 0
        while tally.writes < writes:
            one_round(arena, writers, turn, tally, leases=leases)
            turn += 1
        for writer in writers:
            writer.close()
    finally:
        shutil.rmtree(place)
    return tally


@contextmanager
def mounted(kind: str) -> Iterator[Path]:
    """A file system of its own; CalledProcessError where the machine lacks it."""
    folder = Path(tempfile.mkdtemp(prefix=f"latewrites-{kind}-"))
    top = folder / "mnt"
    top.mkdir()
    quiet = {"check": True, "capture_output": True}
    try:
        if kind == "tmpfs":
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", top], **quiet)  # type: ignore[call-overload]
        elif kind == "overlay":
            for part in ("lower", "upper", "work"):
                (folder / part).mkdir()
            parts = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", parts, top], **quiet)  # type: ignore[call-overload]
        else:
            image = folder / "image"
            image.touch()
            os.truncate(image, 512 << 20)
            subprocess.run([f"mkfs.{kind}", "-q", image], **quiet)  # type: ignore[call-overload]
            subprocess.run(["mount", "-o", "loop", image, top], **quiet)  # type: ignore[call-overload]
        try:
            yield top
        finally:
            subprocess.run(["umount", top], **quiet)  # type: ignore[call-overload]
    finally:
        shutil.rmtree(folder)


def report(label: str, tally: Tally) -> None:
    how = ", ".join(f"{count} {what}" for what, count in tally.lost.items())
    row(
        f"{label}: {tally.writes:,} writes",
        f"{tally.lost.total()} lost{f' ({how})' if how else ''}; {tally.replaced:,} replaced, "
        f"{tally.held:,} held, {tally.dirty:,} dirty, {tally.copies} conflict copies",
        "0 lost",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--writes", type=int, default=50_000, help="in all")
    parser.add_argument("--hold", type=float, default=0.003, help="seconds between open and write")
    options = parser.parse_args()
    heading("late writes through open files while they are replaced")
    kinds = [] if options.folders else ["tmpfs", "ext4", "xfs", "btrfs", "overlay"]
    share = -(-options.writes // (len(kinds) + len(options.folders)))
    for folder in options.folders:
        report(str(folder), measure(folder, share, options.hold))
    for kind in kinds:
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(mounted(kind))
            except (subprocess.CalledProcessError, FileNotFoundError) as problem:
                row(kind, f"left out: {problem}")
                continue
            report(kind, measure(folder, share, options.hold))


if __name__ == "__main__":
    main()
