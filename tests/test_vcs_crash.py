"""Killed at any instant, the next start recovers by itself and nothing that had stood is lost."""

import contextlib
import errno
import fcntl
import os
import random
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autosyncd.vcs.git import lock
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.remotes.answer import PushVerdict
from autosyncd.vcs.git.remotes.publish import Publisher
from autosyncd.vcs.git.repository import OWN_INDEXES, Repository
from autosyncd.vcs.git.verbs.opening import TreeLock
from autosyncd.vcs.outcomes import (
    Away,
    AwayKind,
    CommitMade,
    Dirty,
    NothingToCommit,
    Ready,
    Synced,
    Waiting,
)
from autosyncd.vcs.session import boot_id
from tests.trees import Clone, World
from tests.waiting import eventually, ready


def descendants(pid: int) -> list[int]:
    """All that a process has started, and what those have."""
    found = []
    with contextlib.suppress(OSError):  # it ends while we look
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                found += [child, *descendants(child)]
    return found


def end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def killed_while(work: Callable[[], object], after: float, *, children_too: bool) -> None:
    """Run in a fork and kill it `after` seconds; as systemd does it, with its children."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(0)
    handle = os.pidfd_open(child)
    ready(handle, after)
    family = descendants(child) if children_too else []
    end(child)
    for pid in family:
        end(pid)
    os.waitpid(child, 0)
    os.close(handle)


def recover(clone: Clone) -> None:
    """What a restarted worker does. It needs nobody's help, except where the hub's own git was killed:
    then the person does what the sentence says."""
    ready = clone.reopen()
    assert isinstance(ready, Ready), ready
    for _ in range(3):
        committed = clone.commit()
        assert isinstance(committed, CommitMade | NothingToCommit), committed
        synced = clone.sync()
        if isinstance(synced, Synced):
            break
        if isinstance(synced, Away) and synced.kind is AwayKind.LOCKED:
            remove_the_named_lock(synced)
            continue
        assert isinstance(synced, Dirty), synced
    assert isinstance(synced, Synced), synced
    assert not synced.refused
    assert list(clone.root.joinpath(".git").rglob("*.lock")) == []


def remove_the_named_lock(away: Away) -> None:
    named = re.search(r"the lock file (\S+\.lock) stays there", away.text)
    assert named, away.text
    Path(named[1]).unlink()


def test_a_lock_that_a_killed_push_left_on_the_hub_is_named(world: World) -> None:
    """Another machine's push holds it for a moment; one that stays would have us push for ever."""
    laptop, desktop = world.share({"a.txt": "a\n"})
    left = world.hub / "refs/heads/main.lock"
    left.touch()
    laptop.edit("a.txt", "b\n")
    laptop.committed("a.txt")
    told = laptop.sync()
    assert isinstance(told, Away), told
    assert told.kind is AwayKind.LOCKED
    assert str(left) in told.text
    remove_the_named_lock(told)
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.txt") == b"b\n"


def test_a_lock_that_goes_away_on_the_hub_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = world.share({"a.txt": "a\n"})
    lock_file = world.hub / "refs/heads/main.lock"
    lock_file.touch()
    publish, answers = Publisher.publish, []

    def then_it_goes(self: Publisher, tip: str, known: str | None) -> PushVerdict | Away:
        answers.append(publish(self, tip, known))
        lock_file.unlink(missing_ok=True)
        return answers[-1]

    monkeypatch.setattr(Publisher, "publish", then_it_goes)
    laptop.edit("a.txt", "b\n")
    laptop.committed("a.txt")
    assert isinstance(laptop.sync(), Synced)
    assert answers == [PushVerdict.LOCKED, PushVerdict.ACCEPTED]


def test_what_a_killed_worker_was_just_starting_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between fork(2) and execve(2) it has the lock too; the kill of its parent does not end it."""
    laptop, _ = world.share({"a.txt": "a\n"})
    laptop.driver.close()
    lock = os.open(laptop.root / ".git/autosync/lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    take, tries = TreeLock.take, []

    def then_it_runs(self: TreeLock, repository: Repository) -> bool:
        tries.append(take(self, repository))
        if len(tries) == 1:
            os.close(lock)
        return tries[-1]

    monkeypatch.setattr(TreeLock, "take", then_it_runs)
    recover(laptop)
    assert tries[:2] == [False, True]


def in_history(clone: Clone) -> set[str]:
    return set(clone.git("rev-list", "--objects", "HEAD").replace("\n", " ").split())


def blob(clone: Clone, content: str) -> str:
    return clone.git("hash-object", "--stdin", stdin=content.encode())


def rounds_of_kills(world: World, rounds: int, *, seed: int) -> None:
    """Each round: both machines edit, one is killed in the middle of what it does, and recovers."""
    chance = random.Random(seed)
    laptop, desktop = world.share({f"{n}.txt": f"{n}\n" for n in range(6)})
    stood: list[str] = []
    longest = 0.3
    for number in range(rounds):
        for clone in (laptop, desktop):
            for _ in range(chance.randint(1, 4)):
                name = f"{chance.randint(0, 9)}.txt"
                content = f"{clone.root.name} {number} {chance.random()}\n"
                clone.edit(name, content)
            stood += [data.decode() for data in clone.files().values()]
        desktop.commit()
        desktop.sync()
        laptop.driver.close()

        def work() -> None:
            laptop.reopen()
            laptop.commit()
            laptop.sync()

        killed_while(work, chance.random() * longest, children_too=chance.random() < 0.5)
        recover(laptop)
        recover(desktop)
    recover(laptop)
    for clone in (laptop, desktop):
        clone.is_clean()
        known = in_history(clone)
        missing = [text for text in set(stood) if blob(clone, text) not in known]
        assert missing == []
    assert laptop.files() == desktop.files()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_by_kills(world: World, seed: int) -> None:
    rounds_of_kills(world, 4, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 120))
def test_nothing_is_lost_by_many_kills(world: World, seed: int) -> None:
    rounds_of_kills(world, 15, seed=seed)


# what a kill can leave behind, one by one


@pytest.mark.parametrize(
    "left",
    [
        *(f"autosync/{name}.lock" for name in OWN_INDEXES),
        "autosync/lock.new",
        "autosync/memory.json.new",
        "autosync/excludes.new",
    ],
)
def test_a_file_of_our_own_left_behind_is_no_obstacle(world: World, left: str) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.edit(f".git/{left}", "")
    for clone in (desktop, laptop):
        clone.edit("a.txt", f"{clone.root.name}\n")
    desktop.committed()
    desktop.sync()
    recover(laptop)
    recover(desktop)
    assert laptop.files() == desktop.files()
    laptop.is_clean()


@pytest.mark.parametrize(
    "left",
    [
        "refs/heads/main.lock",
        "refs/remotes/origin/main.lock",
        "HEAD.lock",
    ],
)
def test_a_ref_lock_of_a_child_that_was_killed_with_us_is_no_obstacle(
    world: World, left: str
) -> None:
    """systemd kills the whole control group; the ledger tells that a child of ours was running."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit("a.txt", "two\n")
    desktop.committed()
    desktop.sync()
    laptop.driver.close()
    laptop.edit(".git/autosync/children", "999999999 1\n")
    laptop.edit(".git/autosync/journal", f"{laptop.git('rev-parse', 'HEAD')} {'1' * 40}\n")
    laptop.edit(f".git/{left}", "")
    laptop.edit("b.txt", "new\n")
    recover(laptop)
    laptop.is_clean()


@pytest.mark.parametrize(
    ("place", "options", "variables"),
    [
        ("laptop", (), ()),
        ("laptop/.git", (), ()),
        ("linked", (), ()),
        ("", ("--git-dir", "laptop/.git"), ()),
        ("", ("--git-dir=laptop/.git/worktrees/linked",), ()),
        ("", (), ("GIT_DIR=laptop/.git",)),
    ],
)
def test_a_lock_of_a_git_elsewhere_in_the_repository_is_left(
    world: World, place: str, options: tuple[str, ...], variables: tuple[str, ...]
) -> None:
    """Work trees share their refs; a worker that was killed has its successor look for locks."""
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.git("worktree", "add", "-q", "-b", "other", "../linked")
    linked = world.adopt("linked")
    assert isinstance(linked.reopen(), Ready)
    linked.driver.close()
    held = laptop.root / ".git/refs/autosync/side/held.lock"
    person = subprocess.Popen(
        ["env", *variables, "git", *options, "update-ref", "--stdin"],
        cwd=world.folder / place,
        env=world.environment,
        stdin=subprocess.PIPE,
    )
    assert person.stdin is not None
    with person.stdin as said:
        said.write(
            f"start\nupdate refs/autosync/side/held {laptop.git('rev-parse', 'HEAD')}\n".encode()
        )
        said.write(b"prepare\n")
        said.flush()
        eventually(held.exists)
        linked.edit("a.txt", "two\n")
        killed = Path(linked.git("rev-parse", "--absolute-git-dir"), "autosync/children")
        killed.write_text("999999999 1\n")
        assert isinstance(linked.reopen(), Ready)
        assert held.exists()
        said.write(b"commit\n")
    assert person.wait() == 0
    held.touch()
    linked.driver.close()
    killed.write_text("999999999 1\n")
    assert isinstance(linked.reopen(), Ready)
    assert not held.exists()


def locked_by(world: World, *, boot: str | None = None, earlier: int = 0, device: int = 0) -> Clone:
    """A machine with an index.lock, and a record of one of ours that was written earlier (ns), in
    another boot, or on another device."""
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit(".git/index.lock", "")
    found = os.stat(laptop.path(".git/index.lock"))
    mark = f"{found.st_ino}:{found.st_mtime_ns - earlier}:{found.st_dev + device}"
    os.symlink(f"{boot or boot_id()} {mark}", laptop.path(".git/autosync/lock-owner"))
    return laptop


def test_a_lock_that_is_provably_ours_is_removed(world: World) -> None:
    laptop = locked_by(world)
    laptop.edit("a.txt", "two\n")
    recover(laptop)
    laptop.is_clean()


@pytest.mark.parametrize("end", [-1, 0], ids=["before it is the index", "as the index"])
def test_a_lock_of_ours_that_could_not_be_removed_is_known_at_the_next_start(
    world: World, monkeypatch: pytest.MonkeyPatch, end: int
) -> None:
    """A disk that fails for a moment; what is tried until then does not forget whose the lock is."""
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit("a.txt", "two\n")
    left = os.fsencode(laptop.path(".git/index.lock"))

    def failing(real: Callable[..., None]) -> Callable[..., None]:
        def call(*paths: bytes) -> None:
            if paths[end] == left:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(*paths)

        return call

    with monkeypatch.context() as broken:
        broken.setattr(lock.os, "unlink", failing(os.unlink))
        broken.setattr(lock.os, "rename", failing(os.rename))
        laptop.commit()
    assert os.path.exists(left)
    assert isinstance(laptop.commit(), Waiting)
    recover(laptop)
    laptop.is_clean()


@pytest.mark.parametrize("instant", ["link", "rename", "unlink"])
def test_a_kill_at_each_step_of_the_lock(
    world: World, monkeypatch: pytest.MonkeyPatch, instant: str
) -> None:
    """The kill comes right after the first, second … such call while a commit has the lock."""
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    for number in range(1, 5):
        laptop.edit("a.txt", f"{instant} {number}\n")
        laptop.driver.close()

        def work(number: int = number) -> None:
            laptop.reopen()
            real, calls = getattr(os, instant), []

            def last(*arguments: object, **named: object) -> None:
                real(*arguments, **named)
                calls.append(arguments)
                if len(calls) == number:
                    os.kill(os.getpid(), signal.SIGKILL)

            setattr(lock.os, instant, last)
            laptop.commit()

        killed_while(work, 60, children_too=True)
        recover(laptop)
        laptop.is_clean()


def refused(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


@pytest.mark.parametrize("also", [None, "rename"])
def test_a_file_system_without_hard_links(
    world: World, monkeypatch: pytest.MonkeyPatch, also: str | None
) -> None:
    """As exFAT and vfat are; `also`: some of FUSE can't rename without replacing either."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    monkeypatch.setattr(os, "link", refused)
    if also is not None:
        monkeypatch.setattr(lock, also, refused)
    laptop.edit("a.txt", "two\n")
    laptop.committed("a.txt")
    laptop.edit(".git/index.lock", "")
    laptop.edit("b.txt", "new\n")
    waiting = laptop.commit()
    assert isinstance(waiting, Waiting), waiting
    laptop.delete(".git/index.lock")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.files() == laptop.files()
    desktop.is_clean()
    assert list(laptop.root.joinpath(".git").rglob("lock*")) == [laptop.root / ".git/autosync/lock"]


def test_a_lock_without_hard_links_is_known_as_ours_after_a_kill(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    monkeypatch.setattr(os, "link", refused)
    laptop.edit("a.txt", "two\n")
    laptop.driver.close()

    def work() -> None:
        real = lock.rename

        def last(*arguments: Any) -> None:
            real(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        lock.rename = last
        laptop.reopen()
        laptop.commit()

    killed_while(work, 60, children_too=True)
    assert os.path.exists(laptop.path(".git/index.lock"))
    recover(laptop)
    laptop.is_clean()


def test_a_lock_that_has_the_inode_of_ours_is_somebody_elses(world: World) -> None:
    """Inodes are given away again at once; the other git is alive, and would lose its index."""
    laptop = locked_by(world, earlier=1)
    laptop.reopen()
    assert os.path.exists(laptop.path(".git/index.lock"))
    assert not os.path.lexists(laptop.path(".git/autosync/lock-owner"))


def test_after_a_boot_the_device_may_have_another_number(world: World) -> None:
    recover(locked_by(world, boot="another-boot", device=1))


def test_a_damaged_note_about_a_lock_removes_nothing(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit(".git/index.lock", "")
    laptop.edit(".git/autosync/lock-owner", "not a number")
    laptop.reopen()
    assert os.path.exists(laptop.path(".git/index.lock"))


@pytest.fixture
def before_the_index(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Ends a verb between the branch's move and the index's, as a full disk does, or a kill."""

    def end_there(verb: Callable[[], object]) -> None:
        def full(*_: object) -> None:
            raise GitFailed("update-index", 1, "no space left on device")

        with monkeypatch.context() as broken:
            broken.setattr(lock.IndexLock, "publish", full)
            verb()

    return end_there


@pytest.mark.parametrize("staged", ["", "in/a.txt", "in/c.txt", "new.txt"])
def test_a_kill_between_branch_and_index_in_a_sparse_checkout(
    world: World, before_the_index: Callable[[Callable[[], object]], None], staged: str
) -> None:
    """An index that stays behind would have what others have changed outside taken back."""
    names = ("in/a.txt", "in/c.txt", "out/b.txt", "out/gone.txt")
    laptop, desktop = world.share(dict.fromkeys(names, "1\n"))
    desktop.git("sparse-checkout", "set", "in")
    desktop.has_nothing_to_commit()
    for name in ("in/a.txt", "out/b.txt", "out/new.txt"):
        laptop.edit(name, "2\n")
    laptop.delete("out/gone.txt")
    laptop.committed()
    laptop.sync()
    before_the_index(desktop.sync)
    assert desktop.git("rev-parse", "HEAD") == laptop.git("rev-parse", "HEAD")
    if staged:
        desktop.edit(staged, "3\n")
        desktop.git("add", staged)
    desktop.reopen()
    assert desktop.git("diff", "--cached", "--name-only") == staged
    desktop.commit(ignore_staged=True)
    desktop.sync()
    assert world.hub_git("diff", "--name-only", laptop.git("rev-parse", "HEAD"), "main") == staged
    assert not os.path.exists(desktop.path("out"))
    desktop.is_clean()


@pytest.mark.parametrize("mark", ["--skip-worktree", "--assume-unchanged"])
def test_a_kill_between_branch_and_index_costs_no_mark(
    world: World, before_the_index: Callable[[Callable[[], object]], None], mark: str
) -> None:
    """Not on what came in, and not on what was put aside since."""
    laptop, desktop = world.share({"private": "1\n", "later": "1\n", "other": "1\n"})
    desktop.git("update-index", mark, "private")
    desktop.edit("private", "nobody's business\n")
    for name in ("private", "other"):
        laptop.edit(name, "2\n")
    laptop.committed()
    laptop.sync()
    before_the_index(desktop.sync)
    desktop.git("update-index", mark, "later")
    desktop.edit("later", "nobody's business\n")
    desktop.reopen()
    desktop.commit()
    desktop.commit("private", "later")
    desktop.sync()
    assert not desktop.history_has("nobody's business\n")
    assert desktop.read("private") == desktop.read("later") == b"nobody's business\n"
    assert desktop.git("show", "HEAD:private") == "2"


@pytest.mark.parametrize("content", ["", "x", "x y", "- -", "a b c", "\0"])
def test_a_damaged_journal_is_no_obstacle(world: World, content: str) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit(".git/autosync/journal", content)
    laptop.edit("a.txt", "two\n")
    recover(laptop)
    laptop.is_clean()
