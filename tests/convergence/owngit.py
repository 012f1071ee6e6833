"""What people do with their own git while a driver works in the same tree.

Whatever of it destroys a content is told to the oracle as the person's own doing, also of files that a
program has open: git unlinks what it replaces.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.convergence.person import Person

Acts = dict[Callable[[], object], float]
"""How likely each is."""
ELSEWHERE = "elsewhere"


class OwnGit:
    """One person's."""

    def __init__(self, person: "Person") -> None:
        self._person = person
        self.subjects: list[str] = []
        """Of the person's own commits, which must stay in history."""
        self._away = 0
        """For so many acts the person stays on a branch of his own."""

    def usual(self) -> Acts:
        """What most people do."""
        return {self._stage_one: 0.5, self._stage_all: 0.4, self._commit: 0.4}

    def unusual(self) -> Acts:
        """What rewrites, takes back or goes away."""
        return {
            self._unstage: 0.3,
            self._untrack: 0.3,
            self._move: 0.5,
            self._remove: 0.3,
            self._discard: 0.5,
            self._amend: 0.4,
            self._take_back: 0.4,
            self._revert: 0.3,
            self._pull: 0.4,
            self._tidy_up: 0.05,
            self._go_away: 0.2,
        }

    def pass_time(self) -> None:
        """The person has done something; in the end he comes back to the branch."""
        if self._away:
            self._away -= 1
            if not self._away and not self.come_back():
                self._away = 1

    def come_back(self) -> bool:
        """Be on the branch again; False: git did not let us now."""
        if self.run("symbolic-ref", "--short", "HEAD") != ELSEWHERE:
            return True
        back = self._try("switch", "-q", "main")
        return back and self._try("branch", "-q", "-D", ELSEWHERE)

    # acts

    def _stage_one(self) -> None:
        self._try("add", "--", self._person.some_file(links=True))

    def _stage_all(self) -> None:
        self._try("add", "-A")

    def _commit(self) -> None:
        if self._away:
            return  # what is committed there alone is not owed here
        dice = self._person.dice
        if dice.random() < 0.7:
            self._try("add", "--", self._person.some_file(links=True))
        subject = self._person.mark("own commit").decode()
        all_of_it = ("-a",) if dice.random() < 0.3 else ()
        if self._try("commit", "-q", *all_of_it, "-m", subject):
            self.subjects.append(subject)

    def _unstage(self) -> None:
        self._try("reset", "-q", "--", self._person.some_file(links=True))

    def _untrack(self) -> None:
        """The file stays: so it is new again."""
        self._try("rm", "-q", "--cached", "--", self._person.some_file(links=True))

    def _move(self) -> None:
        path, other = self._person.some_file(links=True), self._person.some_path()
        self._person.rename(path, other, lambda: self._try("mv", "--", path, other))

    def _remove(self) -> None:
        path = self._person.some_file(links=True)
        with self._person.displacing(path), self._unlinking():
            self._try("rm", "-q", "-f", "--", path)
        self._person.touch(path)

    def _discard(self) -> None:
        path = self._person.some_file(links=True)
        with self._person.displacing(path), self._unlinking():
            self._try("checkout", "-q", "--", path)
        self._person.touch(path)

    def _amend(self) -> None:
        """Another message for the last commit, whoever made it and whoever has it."""
        before = self.run("log", "-1", "--format=%s")
        subject = self._person.mark("own commit, amended").decode()
        if not self._away and self._try("commit", "-q", "--amend", "--only", "-m", subject):
            self.subjects = [one for one in self.subjects if one != before] + [subject]

    def _take_back(self) -> None:
        """Undo the last commit and keep the files; what others have seen of it stays in history."""
        published = ("merge-base", "--is-ancestor", "HEAD", "refs/remotes/origin/main")
        if not self._away and self._try(*published):
            self._try("reset", "-q", "HEAD~1")

    def _revert(self) -> None:
        with self._unlinking():
            if not self._away and not self._try("revert", "--no-edit", "HEAD"):
                self._try("revert", "--abort")

    def _pull(self) -> None:
        """Too impatient to wait for the driver."""
        with self._unlinking():
            self._away or self._try("pull", "-q", "--ff-only")

    def _tidy_up(self) -> None:
        self._try("gc", "-q")

    def _go_away(self) -> None:
        """To a branch, with all that is not committed."""
        if not self._away and self.run("log", "-1") and self._try("switch", "-q", "-c", ELSEWHERE):
            self._away = self._person.dice.randrange(2, 15)

    @contextlib.contextmanager
    def _unlinking(self) -> Iterator[None]:
        """git replaces files inside: those that programs have open are gone by the person's doing."""
        before = time.monotonic()
        opened = [handle.file for handle in self._person.handles]
        named = [file for file in opened if os.fstat(file).st_nlink]
        yield
        for status in map(os.fstat, named):
            if not status.st_nlink:
                self._person.oracle.overwritten(status.st_ino, before, None)
                self._person.oracle.destroyed.add(status.st_ino)

    # git

    def _try(self, *arguments: str) -> bool:
        return self._ran(arguments).returncode == 0

    def run(self, *arguments: str) -> str:
        """What it says."""
        return os.fsdecode(self._ran(arguments).stdout).rstrip("\n")

    def _ran(self, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", *arguments],
            cwd=self._person.root,
            env=self._person.environment,
            capture_output=True,
            check=False,
            timeout=60,
        )
