"""Packing and cleaning, and what it may never do: be in the way, or throw content away."""

import logging
import os
import signal
import threading
from pathlib import Path

import pytest

from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.updating import sweep
from autosyncd.vcs.git.verbs import housekeep
from autosyncd.vcs.git.verbs.housekeep import (
    LEFT_BEHIND,
    LOOSE_LIMIT,
    NIGHTLY,
    PACK_LIMIT,
    Gathered,
    is_due,
)
from autosyncd.vcs.outcomes import Ready, Synced
from autosyncd.vcs.priority import NICENESS
from tests.trees import Clone, World
from tests.waiting import eventually

NOW = 1_700_000_000.0


@pytest.fixture
def laptop(world: World, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Three commits, all of them loose; any loose object is worth packing."""
    monkeypatch.setattr(housekeep, "gather", lambda repository: Gathered(LOOSE_LIMIT, 0))
    (laptop,) = world.share({"a": "1\n", "b": "1\n"}, "laptop")
    for content in ("2\n", "3\n"):
        laptop.edit("a", content)
        laptop.committed()
    return laptop


def every_loose(clone: Clone) -> list[Path]:
    objects = clone.root / ".git/objects"
    return [file for folder in objects.glob("??") for file in folder.iterdir()]


def packs(clone: Clone) -> list[Path]:
    return list((clone.root / ".git/objects/pack").glob("*.pack"))


def leave(file: Path, *, days: float = 0) -> Path:
    """A file that some git has left behind so long ago."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("torn")
    when = file.stat().st_mtime - days * 86400
    os.utime(file, (when, when))
    return file


@pytest.mark.parametrize(
    ("gathered", "last", "due"),
    [
        (Gathered(LOOSE_LIMIT, 1), NOW, True),
        (Gathered(LOOSE_LIMIT - 1, 1), NOW, False),
        (Gathered(256, 1), NOW - NIGHTLY, True),
        (Gathered(256, 1), NOW - NIGHTLY + 1, False),
        (Gathered(0, 1), 0.0, False),
        (Gathered(256, 1), NOW + 9e9, True),
        (Gathered(0, PACK_LIMIT), NOW, True),
        (Gathered(0, PACK_LIMIT - 1), NOW, False),
    ],
)
def test_when_packing_is_worth_it(gathered: Gathered, last: float, *, due: bool) -> None:
    assert is_due(gathered, last, NOW) is due


def test_what_has_gathered_is_seen(world: World) -> None:
    laptop = world.clone("laptop")
    repository = laptop.driver._opened.repository  # type: ignore[union-attr]
    assert housekeep.gather(repository) == Gathered(0, 0)
    assert laptop.driver.housekeep() is False
    number = 0
    while not (laptop.root / ".git/objects/17").exists():
        laptop.git("hash-object", "-w", "--stdin", stdin=b"%d" % number)
        number += 1
    laptop.edit("a", "1\n")
    laptop.committed()
    assert housekeep.gather(repository).loose == 256
    assert laptop.driver.housekeep() is True  # none was made yet, and it is not for nothing
    assert housekeep.gather(repository).loose == 0
    assert 1 <= housekeep.gather(repository).packs <= 2
    assert laptop.driver.housekeep() is False


def test_everything_is_packed_afterwards_what_is_in_no_history_too(laptop: Clone) -> None:
    dangling = laptop.git("hash-object", "-w", "--stdin", stdin=b"in no history\n")
    assert laptop.driver.housekeep() is True
    assert every_loose(laptop) == []
    assert len(packs(laptop)) <= 2
    assert laptop.git("cat-file", "blob", dangling) == "in no history"
    assert laptop.git("commit-graph", "verify") == ""
    assert laptop.git("log", "--format=%s", "--", "a").count("\n") == 2
    laptop.is_clean()
    laptop.edit("a", "4\n")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)


def test_packs_are_put_together(laptop: Clone) -> None:
    for number in range(4):
        laptop.edit("a", f"again {number}\n")
        laptop.committed()
        laptop.driver.housekeep()
    assert len(packs(laptop)) <= 2


@pytest.mark.parametrize("lock", ["index.lock", "packed-refs.lock", "gc.pid"])
def test_nothing_is_done_while_the_persons_git_works(laptop: Clone, lock: str) -> None:
    mine = leave(laptop.root / ".git" / lock)
    assert laptop.driver.housekeep() is False
    assert packs(laptop) == []
    mine.unlink()
    assert laptop.driver.housekeep() is True


def test_the_trace_of_a_gc_of_long_ago_is_no_gc(laptop: Clone) -> None:
    leave(laptop.root / ".git/gc.pid", days=1)
    assert laptop.driver.housekeep() is True


def test_it_runs_behind_everything_else(laptop: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, int] = {}
    real = Git.__call__

    def call(self: Git, *arguments: str | bytes, **words: object) -> object:
        verb = next(str(one) for one in arguments if str(one).isalpha() or "-" in str(one)[1:])
        seen.setdefault(verb, os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        return real(self, *arguments, **words)  # type: ignore[arg-type]

    usual = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    with monkeypatch.context() as patch:
        patch.setattr(Git, "__call__", call)
        assert laptop.driver.housekeep() is True
    assert seen["repack"] == seen["commit-graph"] == max(usual, NICENESS)
    assert os.getpriority(os.PRIO_PROCESS, 0) == usual
    assert seen["for-each-ref"] == usual


# what is left behind


LEFTOVERS = (
    "objects/17/tmp_obj_abc",
    "objects/pack/tmp_pack_abc",
    "objects/pack/tmp_idx_abc",
    "objects/pack/.tmp-812-pack-abc.pack",
    "objects/info/commit-graphs/tmp_graph_abc",
)


def test_what_a_killed_git_left_half_done_is_removed_when_it_is_nobodys(laptop: Clone) -> None:
    old = [leave(laptop.root / ".git" / name, days=2 * LEFT_BEHIND / 86400) for name in LEFTOVERS]
    young = [leave(file.with_name(file.name + "2")) for file in old]
    kept = leave(laptop.root / ".git/objects/pack/other", days=99)
    assert laptop.driver.housekeep() is True
    assert [file for file in old if file.exists()] == []
    assert [file for file in young if not file.exists()] == []
    assert kept.exists()


def test_folders_that_a_killed_git_has_not_taken_over_are_removed(laptop: Clone) -> None:
    objects = laptop.root / ".git/objects"
    days = 2 * LEFT_BEHIND / 86400
    names = ("tmp_objdir-incoming-abc123", "tmp_objdir-bulk-fsync-abc123", "incoming-abc123")
    old = [objects / name for name in names]
    for folder in old:
        leave(folder / "17/0123", days=days)
    young = objects / "tmp_objdir-incoming-young1"
    leave(young / "17/0123", days=0)
    leave(young / "18/0123", days=days)
    kept = objects / "incoming-mail"
    leave(kept / "letter", days=days)
    for folder in (*old, young, kept):
        for one in (*folder.iterdir(), folder):
            when = one.stat().st_mtime - days * 86400
            os.utime(one, (when, when))
    assert laptop.driver.housekeep() is True
    assert [folder for folder in old if folder.exists()] == []
    assert (young / "18/0123").exists()
    assert (kept / "letter").exists()


def test_the_lock_that_a_killed_housekeeping_left_is_removed(laptop: Clone) -> None:
    chain = ".git/objects/info/commit-graphs/commit-graph-chain.lock"
    lock = leave(laptop.root / chain, days=1)
    assert laptop.driver.housekeep() is True  # it is not known whose that is
    assert lock.exists()
    leave(laptop.root / ".git/autosync/housekeeping", days=2)
    laptop.edit("a", "4\n")
    laptop.committed()
    assert laptop.driver.housekeep() is True
    assert not lock.exists()
    assert not (laptop.root / ".git/autosync/housekeeping").exists()
    assert laptop.git("commit-graph", "verify") == ""


STEPS = ("repack", "prune-packed", "commit-graph", "reflog")


@pytest.mark.parametrize("step", STEPS)
def test_killed_before_any_step(laptop: Clone, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    real = Git.__call__

    def call(self: Git, *arguments: str | bytes, **words: object) -> object:
        if step in arguments:
            raise KeyboardInterrupt
        return real(self, *arguments, **words)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Git, "__call__", call)
        with pytest.raises(KeyboardInterrupt):
            laptop.driver.housekeep()
    laptop.is_clean()
    assert isinstance(laptop.reopen(), Ready)
    assert laptop.driver.housekeep() is True
    assert every_loose(laptop) == []
    laptop.is_clean()


def slowly(clone: Clone, folder: Path) -> Path:
    """From now on `git repack` says that it runs, and then takes for ever."""
    begun = folder / "begun"
    real = clone.git("--exec-path")
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    script = bin_folder / "git"
    script.write_text(
        f'#!/bin/sh\ncase " $* " in *" repack "*) echo $$ > {begun}.new; mv {begun}.new {begun};'
        f' exec sleep 60;; esac\nexec {real}/git "$@"\n'
    )
    script.chmod(0o755)
    clone.environment = {**clone.environment, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    assert isinstance(clone.reopen(), Ready)
    return begun


def is_alive(number: str) -> bool:
    """Whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path("/proc", number, "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_it_is_ended_at_once_when_the_worker_stops(laptop: Clone, tmp_path: Path) -> None:
    begun = slowly(laptop, tmp_path)
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(laptop.driver.housekeep()))
    thread.start()
    eventually(begun.exists, 30)
    laptop.driver.abort(network_only=False)
    thread.join(5)
    assert said == [False]
    laptop.is_clean()


@pytest.mark.parametrize("early", [False, True])
def test_it_gives_way_at_once_and_may_be_done_again(
    laptop: Clone, tmp_path: Path, *, early: bool
) -> None:
    begun = slowly(laptop, tmp_path)
    said: list[bool] = []
    thread = threading.Thread(target=lambda: said.append(laptop.driver.housekeep()))
    if early:  # it was ordered, and the thread has not come to it yet
        laptop.driver.interrupt()
    thread.start()
    if not early:
        eventually(begun.exists, 30)
        laptop.driver.interrupt()
    thread.join(5)
    assert said == [False]
    assert begun.exists() is not early
    laptop.edit("a", "meanwhile\n")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    laptop.environment["PATH"] = os.environ["PATH"]
    assert isinstance(laptop.reopen(), Ready)
    assert laptop.driver.housekeep() is True
    assert every_loose(laptop) == []
    assert not list(laptop.root.glob(".git/objects/pack/*tmp*"))


def test_other_verbs_are_not_interrupted(laptop: Clone) -> None:
    laptop.edit("a", "4\n")
    laptop.driver.interrupt()
    laptop.committed()
    assert laptop.driver.housekeep() is False  # it was meant for one that had just ended
    assert laptop.driver.housekeep() is True


def test_the_child_of_a_killed_housekeeping_is_ended_by_the_next_start(
    laptop: Clone, tmp_path: Path
) -> None:
    begun = slowly(laptop, tmp_path)
    child = os.fork()
    if not child:
        laptop.driver.housekeep()
        os._exit(0)
    eventually(begun.exists, 30)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert isinstance(laptop.reopen(), Ready)
    eventually(lambda: not is_alive(begun.read_text().strip()))
    assert (laptop.root / ".git/autosync/housekeeping").exists()
    laptop.is_clean()


# refs of ours


def test_refs_that_have_served_go_and_all_others_stay(laptop: Clone) -> None:
    tree = laptop.driver.inspect().identity.tree  # type: ignore[union-attr]
    inside = laptop.git("rev-parse", "HEAD~1")
    outside = laptop.git("commit-tree", "HEAD^{tree}", "-p", "HEAD~1", "-m", "nowhere else")
    refs = {
        f"refs/autosync/side/{tree}/{inside}": inside,
        f"refs/autosync/side/{tree}/{outside}": outside,
        f"refs/autosync/side/{tree}/main/{inside}": inside,
        f"refs/autosync/side/{tree}/main/{outside}": outside,
        f"refs/autosync/side/{tree}/main/b/{inside}": inside,
        f"refs/autosync/before/{tree}/1": inside,
        f"refs/autosync/unpushed/{tree}/1": outside,
        f"refs/autosync/wip/{tree}": outside,
        "refs/autosync/side/another/1": inside,
        "refs/autosync/theirs/another/main": inside,
        "refs/autosync/theirs/another/other": inside,
        "refs/autosync/theirs/third/main": outside,
        "refs/heads/mine": inside,
    }
    for ref, commit in refs.items():
        laptop.git("update-ref", ref, commit)
    laptop.driver.housekeep()
    listed = laptop.git("for-each-ref", "--format=%(refname)", "refs/autosync", "refs/heads/mine")
    gone = {ref for ref in refs if ref not in listed.split("\n")}
    assert gone == {
        f"refs/autosync/side/{tree}/{inside}",
        f"refs/autosync/side/{tree}/main/{inside}",
        f"refs/autosync/before/{tree}/1",
        "refs/autosync/theirs/another/main",
    }


@pytest.mark.parametrize(
    ("days", "content", "packed", "stays"),
    [
        (91, "2\n", False, False),
        (91, "2\n", True, False),
        (89, "2\n", False, True),
        (89, "2\n", True, True),
        (91, "nowhere else\n", False, True),
    ],
    ids=["old", "old-packed", "young", "young-packed", "holds-alone"],
)
def test_a_history_that_was_left_long_ago_goes_where_it_holds_nothing_alone(
    laptop: Clone, days: int, content: str, *, packed: bool, stays: bool
) -> None:
    tree = laptop.driver.inspect().identity.tree  # type: ignore[union-attr]
    blob = laptop.git("hash-object", "-w", "--stdin", stdin=content.encode())
    folder = laptop.git("mktree", stdin=f"100644 blob {blob}\ta\n".encode())
    left = laptop.git("commit-tree", folder, "-p", "HEAD~2", "-m", "left")
    refs = [f"refs/autosync/{kind}/{tree}/{left}" for kind in ("before", "unpushed")]
    seen = f"refs/autosync/seen/{tree}/other"
    strangers = f"refs/autosync/before/another/{left}"
    for ref in (*refs, seen, strangers):
        laptop.git("update-ref", ref, left)
    if packed:
        laptop.git("pack-refs", "--all")
    files = [laptop.root / ".git" / ref for ref in (*refs, seen, strangers)]
    for file in [laptop.root / ".git/packed-refs"] if packed else files:
        when = file.stat().st_mtime - days * 86400
        os.utime(file, (when, when))
    laptop.driver.housekeep()
    listed = laptop.git("for-each-ref", "--format=%(refname)", "refs/autosync").split("\n")
    assert {seen, strangers} <= set(listed)
    assert [ref in listed for ref in refs] == [stays, stays]


def test_logs_of_refs_do_not_grow_for_ever(laptop: Clone) -> None:
    log = laptop.root / ".git/logs/refs/heads/main"
    young = log.read_text()
    zero, commit = "0" * 40, laptop.git("rev-parse", "HEAD~1")
    log.write_text(f"{zero} {commit} Alice <a@example.org> 1600000000 +0000\tlong ago\n{young}")
    assert laptop.driver.housekeep() is True
    assert log.read_text() == young


def test_why_it_failed_is_in_the_log(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its outcome, and that of Sweep, has no place for it."""

    def fails(*_: object, **options: object) -> bool:
        raise OSError("what the disk says")

    monkeypatch.setattr(housekeep, "housekeep", fails)
    monkeypatch.setattr(sweep, "sweep_all", fails)
    caplog.set_level(logging.DEBUG, "autosyncd")
    assert laptop.driver.housekeep() is False
    assert laptop.driver.sweep() is True
    assert [message.partition(":")[0] for message in caplog.messages] == [
        "Housekeep was not done",
        "Sweep was not done",
    ]
    assert all("what the disk says" in message for message in caplog.messages)
