"""A year of one commit a minute: what it takes to keep, and whether everything stays fast.

    python -m tests.bench.bench_year [--commits 500000] [--files 2000] [DIR]

Each day (1,440 commits, a twentieth of them merges) is written by `git fast-import` as loose objects,
with the lines that git would have added to its reflogs, and ends with the verb Housekeep of a real
driver. Beside it, at the end, stands the same tree after one day. The default takes about half an
hour, and two gigabytes in /dev/shm.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.orders import CommitOrder, SyncOrder
from autosyncd.vcs.outcomes import CommitMade, Synced
from tests.bench.driven import begin_tree, driver_of
from tests.bench.figures import heading, row

DAY = 1440
LINES = 40
MERGES = 20
RUNS = 15


class Year:
    """One work tree with its hub, and the days that go by in it."""

    def __init__(self, folder: Path, files: int, commits: int) -> None:
        self.tree, self.hub = folder / "tree", folder / "hub.git"
        self.tree.mkdir(parents=True)
        self.names = [f"d{number // 40:03}/f{number:05}.md" for number in range(files)]
        self.texts = {name: [f"{name} {line}" for line in range(LINES)] for name in self.names}
        self.now = int(time.time()) - 60 * commits
        self.random = random.Random(commits)
        self.mark, self.made = 0, 0
        self.kept: list[float] = []
        begin_tree(self.tree)
        self._import([self._commit("main", self.names)])
        self.git("reset", "-q", "--hard")
        self.driver = driver_of(self.tree)

    def git(self, *arguments: str, stdin: bytes = b"", at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=at or self.tree, input=stdin, capture_output=True, check=True
        )
        return os.fsdecode(done.stdout).rstrip("\n")

    def _commit(self, branch: str, names: list[str], *also: str) -> bytes:
        self.mark += 1
        self.now += 60
        lines = [f"commit refs/heads/{branch}", f"mark :{self.mark}"]
        lines += [f"committer Alice <a@example.org> {self.now} +0000", "data 5\nedit", *also]
        for name in names:
            text = "\n".join(self.texts[name]) + "\n"
            lines.append(f"M 100644 inline {name}\ndata {len(text)}\n{text}")
        self.made += 1
        return ("\n".join(lines) + "\n").encode()

    def _edit(self) -> str:
        """A few files are edited far more often than the others."""
        name = self.names[int(len(self.names) * self.random.random() ** 3)]
        self.texts[name][self.random.randrange(LINES)] = f"{self.random.random()}"
        return name

    def _import(self, stream: list[bytes]) -> None:
        loose = ("-c", "fastimport.unpackLimit=1000000", "-c", "core.fsync=none")
        self.git(*loose, "fast-import", "--quiet", "--force", stdin=b"".join(stream))

    def day(self, commits: int) -> None:
        """One day goes by, and ends with the housekeeping."""
        before = self.git("rev-parse", "main")
        stream, main = [], f"from {before}"
        number = 0
        while number < commits:
            stream.append(self._commit("main", [self._edit()], main))
            main, number = f"from :{self.mark}", number + 1
            if number % MERGES == 0:
                there = self._edit()
                stream.append(self._commit("side", [there], main))
                merge = f"merge :{self.mark}"
                stream.append(self._commit("main", [self._edit()], main))
                stream.append(self._commit("main", [there], f"from :{self.mark}", merge))
                main, number = f"from :{self.mark}", number + 3
        self._import(stream)
        self.git("update-ref", "-d", "refs/heads/side")
        self._log(before, commits)
        begin = time.perf_counter()
        if self.driver.housekeep():
            self.kept.append(time.perf_counter() - begin)

    def _log(self, commit: str, lines: int) -> None:
        """fast-import writes one line of reflog; our commits and pushes write one each."""
        begin = self.now - 60 * lines
        for log in ("HEAD", "refs/heads/main", "refs/remotes/origin/main"):
            file = self.tree / ".git/logs" / log
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as stream:
                stream.writelines(
                    f"{commit} {commit} Alice <a@example.org> {begin + 60 * line} +0000\tautosyncd\n"
                    for line in range(lines)
                )

    def settle(self) -> None:
        """The work tree and a hub as they are at the end."""
        self.driver.close()
        self.git("reset", "-q", "--hard")
        self.git("clone", "-q", "--bare", ".", os.fspath(self.hub))
        self.git("remote", "add", "origin", "../hub.git")
        self.git("fetch", "-q")
        self.driver = driver_of(self.tree)

    def incoming(self) -> None:
        """Another machine has pushed one commit."""
        name = self._edit()
        index = {**os.environ, "GIT_INDEX_FILE": os.fspath(self.hub / "bench.index")}
        text = ("\n".join(self.texts[name]) + "\n").encode()
        blob = self.git("hash-object", "-w", "--stdin", stdin=text, at=self.hub)
        for arguments in (
            ("read-tree", "main"),
            ("update-index", "--cacheinfo", f"100644,{blob},{name}"),
        ):
            subprocess.run(["git", *arguments], cwd=self.hub, env=index, check=True)
        tree = subprocess.check_output(["git", "write-tree"], cwd=self.hub, env=index, text=True)
        who = ("-c", "user.name=Bob", "-c", "user.email=b@example.org")
        new = self.git(*who, "commit-tree", tree.strip(), "-p", "main", "-m", "x", at=self.hub)
        self.git("update-ref", "refs/heads/main", new, at=self.hub)

    # what is measured

    def commit(self) -> float:
        name = self._edit()
        (self.tree / name).write_text("\n".join(self.texts[name]) + "\n")
        scope = Scope(frozenset({os.fsencode(name)}))
        begin = time.perf_counter()
        made = self.driver.commit(CommitOrder(scope))
        assert isinstance(made, CommitMade), made
        return time.perf_counter() - begin

    def plain_commit(self) -> float:
        name = self._edit()
        (self.tree / name).write_text("\n".join(self.texts[name]) + "\n")
        begin = time.perf_counter()
        self.git("-c", "gc.auto=0", "commit", "-qm", "edit", "--", name)
        return time.perf_counter() - begin

    def sync(self) -> float:
        begin = time.perf_counter()
        synced = self.driver.sync(SyncOrder(fetch=True))
        assert isinstance(synced, Synced), synced
        return time.perf_counter() - begin

    def sync_incoming(self) -> float:
        self.incoming()
        taken = self.sync()
        self.driver.sweep()
        return taken

    def log(self, *arguments: str) -> float:
        begin = time.perf_counter()
        self.git("log", *arguments)
        return time.perf_counter() - begin

    @property
    def size(self) -> str:
        objects = self.tree / ".git/objects"
        packs = [file.stat().st_size for file in (objects / "pack").glob("*.pack")]
        graphs = sum(file.stat().st_size for file in (objects / "info").rglob("*.graph"))
        logs = sum(file.stat().st_size for file in (self.tree / ".git/logs").rglob("*[NE]*"))
        logs += (self.tree / ".git/logs/refs/heads/main").stat().st_size
        return (
            f"{sum(packs) / 1e6:.0f} MB in {len(packs)} packs, commit-graph {graphs / 1e6:.0f} MB, "
            f"HEAD's and main's reflog {logs / 1e6:.0f} MB"
        )


def figures(year: Year) -> dict[str, float]:
    """Medians in seconds."""
    year.sync()

    def median(measure: Callable[[], float]) -> float:
        return statistics.median(measure() for _ in range(RUNS))

    often, rarely = year.names[0], year.names[-1]
    found = {
        "commit of one path": median(year.commit),
        "the same by plain git commit -- PATH": median(year.plain_commit),
    }
    year.sync()
    found["sync, nothing new"] = median(year.sync)
    found["sync, one commit comes in"] = median(year.sync_incoming)
    found["git log -1 -- PATH, often edited"] = median(lambda: year.log("-1", "--", often))
    found["git log -1 -- PATH, rarely edited"] = median(lambda: year.log("-1", "--", rarely))
    found["git log -- PATH, often edited"] = year.log("--oneline", "--", often)
    found["git log -- PATH, rarely edited"] = year.log("--oneline", "--", rarely)
    return found


def live(folder: Path, commits: int, files: int) -> Year:
    year = Year(folder, files, commits)
    while year.made < commits:
        year.day(min(DAY, commits - year.made))
        if year.made // DAY % 30 == 0:
            print(f"  {year.made:,} commits: {year.size}", flush=True)
    return year


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("/dev/shm"))
    parser.add_argument("--commits", type=int, default=500_000)
    parser.add_argument("--files", type=int, default=2000)
    options = parser.parse_args()
    ignore_breaks()
    heading(f"a year: {options.commits:,} commits in a tree of {options.files:,} files")
    place = Path(tempfile.mkdtemp(prefix="year-", dir=options.folder))
    try:
        day = live(place / "day", DAY, options.files)
        year = live(place / "year", options.commits, options.files)
        kept = sorted(year.kept)
        row("at the end", year.size)
        row(
            f"{len(kept)} times housekeeping",
            f"median {statistics.median(kept):.1f} s, worst {kept[-1]:.1f} s, {sum(kept):.0f} s in all",
        )
        for one in (day, year):
            one.settle()
        begin = time.perf_counter()
        year.git("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        row("git fsck --connectivity-only", f"{time.perf_counter() - begin:.1f} s, sound")
        before, after = figures(day), figures(year)
        for what, seconds in after.items():
            row(what, f"{seconds * 1e3:.1f} ms (after one day: {before[what] * 1e3:.1f} ms)")
        begin = time.perf_counter()
        year.driver.housekeep()
        row("housekeeping with nothing to do", f"{(time.perf_counter() - begin) * 1e3:.0f} ms")
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
