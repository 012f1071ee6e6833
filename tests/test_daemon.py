"""The whole thing: real daemons, real git, real inotify; edits travel, and nothing is left behind."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from itertools import accumulate
from pathlib import Path

import pytest

from autosyncd.vcs.slots import AT_ONCE
from tests.buses import private_bus
from tests.daemons import QUICK, Daemon, clone, daemon, git, hub, write_yaml
from tests.waiting import eventually


def tree(folder: Path) -> dict[str, bytes]:
    """Every file of a work tree but git's own (one that vanishes meanwhile is left out)."""
    found = {}
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for path in (Path(base, name) for name in names):
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = path.read_bytes()
    return found


def two_trees(folder: Path) -> tuple[Path, Path]:
    shared = hub(folder)
    return clone(shared, folder / "laptop-notes"), clone(shared, folder / "desktop-notes")


def test_an_edit_travels_between_two_trees_of_one_daemon(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        (one / "todo.md").write_text("water the plants\n")
        eventually(lambda: tree(other) == {"todo.md": b"water the plants\n"}, 15)
        (other / "todo.md").write_text("done\n")
        eventually(lambda: tree(one) == {"todo.md": b"done\n"}, 15)
        eventually(lambda: git(one, "status", "--porcelain") == "", 5)
        assert machine.stop() == 0
    message = git(one, "log", "-1", "--format=%B")
    assert message.startswith("desktop-notes: edit todo.md (")
    assert "Autosync-Host: " in message
    assert "Autosync-Tree: " in message


def test_a_history_that_was_joined_of_many_is_synced_like_any_other(tmp_path: Path) -> None:
    """Each root is a channel of its own, and 70 of them are more than one message holds."""
    shared = hub(tmp_path)
    one = clone(shared, tmp_path / "laptop-notes")
    empty = git(one, "hash-object", "-wt", "tree", "/dev/null").strip()
    roots = [git(one, "commit-tree", empty, "-m", f"{n}").strip() for n in range(70)]
    parents = (word for root in roots for word in ("-p", root))
    git(
        one, "reset", "-q", "--hard", git(one, "commit-tree", empty, *parents, "-m", "join").strip()
    )
    git(one, "push", "-q", "origin", "main")
    other = clone(shared, tmp_path / "desktop-notes")
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        (one / "todo.md").write_text("water the plants\n")
        eventually(lambda: tree(other) == {"todo.md": b"water the plants\n"}, 15)


def test_a_path_made_in_one_breath_is_not_missed(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        for number in range(20):
            folder = one / f"a{number}" / "b" / "c"
            folder.mkdir(parents=True)
            (folder / "f").write_text(f"{number}\n")
        eventually(lambda: tree(one) == tree(other) and len(tree(other)) == 20, 20)
        (one / "a7/b/c/f").write_text("later\n")
        eventually(lambda: tree(other).get("a7/b/c/f") == b"later\n", 15)


def test_a_folder_that_becomes_a_repository_is_named_and_comes_back(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        (one / "proj/deep").mkdir(parents=True)
        (one / "proj/deep/p").write_text("one\n")
        eventually(lambda: tree(other).get("proj/deep/p") == b"one\n", 20)
        git(one, "init", "-q", "proj")
        machine.says("Not committed: proj: is a repository of its own.")
        (one / "proj/deep/p").write_text("its own\n")
        (one / "todo.md").write_text("beside\n")
        eventually(lambda: tree(other).get("todo.md") == b"beside\n", 20)
        shutil.rmtree(one / "proj/.git")
        eventually(lambda: tree(other).get("proj/deep/p") == b"its own\n", 20)
        (one / "proj/deep/p").write_text("two\n")
        eventually(lambda: tree(other).get("proj/deep/p") == b"two\n", 20)


def test_a_burst_is_one_commit(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        slower = {"commit_after": "1s"}
        machine.configure({"path": str(one), **slower}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        for folder in range(50):
            (one / f"d{folder}").mkdir()
            for number in range(20):
                (one / f"d{folder}" / f"f{number}").write_text(f"{folder} {number}\n")
        eventually(lambda: len(tree(other)) == 1000, 30)
        assert tree(one) == tree(other)
    assert len(git(one, "log", "--oneline").splitlines()) == 1


def test_both_edit_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    (one / "todo.md").write_text("base\n")
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        eventually(lambda: (other / "todo.md").exists(), 15)
        (one / "todo.md").write_text("from the laptop\n")
        (other / "todo.md").write_text("from the desktop\n")
        both = {b"from the laptop\n", b"from the desktop\n"}
        eventually(lambda: both <= set(tree(one).values()), 20)
        eventually(lambda: tree(one) == tree(other), 20)
    assert not any(b"<<<<" in content for content in tree(one).values())
    assert any("sync-conflict" in name for name in tree(one))


@pytest.mark.parametrize("at_work", [True, False], ids=["at work", "at rest"])
def test_sigkill_of_the_supervisor_leaves_no_process_behind(
    tmp_path: Path, *, at_work: bool
) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")

        def as_wanted() -> bool:
            if not at_work:
                return len(machine.processes()) == 4
            for root in (one, other):  # their engines end soon after the last edit
                (root / "diary.md").write_text(f"{time.monotonic()}\n")
            return len(machine.processes()) >= 6

        eventually(as_wanted, 15, every=0.2)
        machine.kill()
        eventually(lambda: machine.processes() == [], 2)


def test_a_worker_that_has_rested_goes_on_where_it_was(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        places = ["todo.md", "new/deep/first.md", "new/deep/second.md", "moved/deep/third.md"]
        for place in places:
            eventually(lambda: len(machine.processes()) == 4, 20)  # nobody but those who sleep
            if place.startswith("moved"):
                (one / "new").rename(one / "moved")
            (one / place).parent.mkdir(parents=True, exist_ok=True)
            (one / place).write_text(f"this is {place}\n")
            eventually(lambda path=other / place: path.exists(), 20)
            assert (other / place).read_text() == f"this is {place}\n"
        eventually(lambda: tree(one) == tree(other), 20)
        log = machine.text()
    # each tree was looked at once, when it was empty, and never anew
    assert log.count("head=None") == 2
    assert log.count("Identity(") == 4  # and has said its channel when it had a first commit
    assert "process" not in log


def hanging_ssh(folder: Path) -> str:
    """An ssh that never answers."""
    program = folder / "ssh"
    program.write_text("#!/bin/sh\nexec sleep 1000\n")
    program.chmod(0o755)
    return str(program)


def test_sigkill_of_all_ends_hanging_git_children_too(tmp_path: Path) -> None:
    one, _ = two_trees(tmp_path)
    git(one, "remote", "set-url", "origin", "ssh://example.invalid/x")
    with daemon(tmp_path, GIT_SSH_COMMAND=hanging_ssh(tmp_path)) as machine:
        machine.configure({"path": str(one)})
        machine.start().says("[laptop-notes] pulling")
        eventually(lambda: _named(machine, "sleep"), 5)
        machine.kill()
        eventually(lambda: machine.processes() == [], 2)


def test_nothing_that_a_worker_has_open_goes_along_to_a_child(tmp_path: Path) -> None:
    """Its children are not told what to close: the lock of the tree has to be theirs until they run."""
    one, _ = two_trees(tmp_path)
    git(one, "remote", "set-url", "origin", "ssh://example.invalid/x")
    closed = 0o2000000  # O_CLOEXEC, as proc_pid_fdinfo(5) has it
    with daemon(tmp_path, GIT_SSH_COMMAND=hanging_ssh(tmp_path)) as machine:
        machine.configure({"path": str(one)})
        machine.start().says("[laptop-notes] pulling")
        eventually(lambda: _named(machine, "sleep"), 5)
        looked = 0
        for pid in machine.processes():
            if not Path(f"/proc/{pid}/comm").read_text().startswith("autosync"):
                continue
            for entry in Path(f"/proc/{pid}/fdinfo").iterdir():
                flags = int(entry.read_text().split("flags:")[1].split()[0], 8)
                there = os.readlink(f"/proc/{pid}/fd/{entry.name}")
                assert int(entry.name) <= 2 or flags & closed, (entry.name, there)
                looked += 1
        assert looked > 20
        machine.kill()


def test_a_killed_workers_children_do_not_work_against_its_successor(tmp_path: Path) -> None:
    one, _ = two_trees(tmp_path)
    git(one, "remote", "set-url", "origin", "ssh://example.invalid/x")
    with daemon(tmp_path, GIT_SSH_COMMAND=hanging_ssh(tmp_path)) as machine:
        machine.configure({"path": str(one)})
        machine.start().says("[laptop-notes] pulling")
        sleepers = eventually(lambda: _named(machine, "sleep"), 5)
        os.kill(machine.workers()["laptop"], signal.SIGKILL)
        machine.says("[laptop-notes] pulling", times=2)
        assert not set(sleepers) & set(machine.processes())


def _named(machine: Daemon, name: str) -> list[int]:
    found = []
    for pid in machine.processes():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                found.append(pid)
    return found


def test_sigterm_commits_what_has_settled_though_the_network_hangs(tmp_path: Path) -> None:
    one, _ = two_trees(tmp_path)
    git(one, "remote", "set-url", "origin", "ssh://example.invalid/x")
    with daemon(tmp_path, GIT_SSH_COMMAND=hanging_ssh(tmp_path)) as machine:
        machine.configure({"path": str(one)})
        machine.start().says("[laptop-notes] pulling")
        (one / "todo.md").write_text("written while a fetch hangs\n")
        machine.says("[laptop-notes] pulling")
        quiet = time.monotonic() + 0.5
        eventually(lambda: time.monotonic() > quiet)
        began = time.monotonic()
        assert machine.stop() == 0
        assert time.monotonic() - began < 10
        assert machine.processes() == []
    assert git(one, "show", "HEAD:todo.md") == "written while a fetch hangs\n"


def test_a_repository_that_vanishes_halts_and_comes_back(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        one.rename(tmp_path / "away")
        machine.says("[laptop-notes] warning: halted:")
        (tmp_path / "away/todo.md").write_text("edited while away\n")
        (tmp_path / "away").rename(one)
        eventually(lambda: (other / "todo.md").exists(), 40)


def test_a_tree_that_is_moved_behind_a_link_goes_on_where_it_is(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    moved = tmp_path / "bigdisk"
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        one.rename(moved)
        one.symlink_to(moved)
        machine.says(f"{one} leads to {moved} now; it goes on there.")
        (moved / "todo.md").write_text("edited behind the link\n")
        eventually(lambda: (other / "todo.md").exists(), 40)
        (moved / "todo.md").write_text("and again\n")
        eventually(lambda: (other / "todo.md").read_text() == "and again\n", 15)
        text = machine.text()
        assert text.count("it goes on there.") == 1
        assert text.count("[laptop-notes] starting") < 5
        assert "the worker's process" not in text
        assert machine.stop() == 0
        assert machine.processes() == []


@pytest.mark.parametrize("ask", [signal.SIGUSR1, signal.SIGHUP, None])
def test_a_remote_that_is_added_later_is_used(tmp_path: Path, ask: signal.Signals | None) -> None:
    """By a person who asks for a sync or a reload, or just goes on with an edit."""
    tree, shared = tmp_path / "notes", hub(tmp_path)
    tree.mkdir()
    git(tree, "init", "-q", "-b", "main")
    (tree / "todo.md").write_text("before there was a hub\n")
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(tree), "poll_every": "never"})
        machine.start().ready("notes")
        git(tree, "remote", "add", "origin", str(shared))
        if ask is None:
            (tree / "new.md").write_text("an edit afterwards\n")
        else:
            machine.process.send_signal(ask)  # type: ignore[union-attr]
        machine.says("the remote is origin now: ")
        eventually(
            lambda: git(shared, "rev-parse", "main", check=False) == git(tree, "rev-parse", "HEAD")
        )
        git(tree, "remote", "set-url", "origin", str(hub(tmp_path, "other.git")))
        machine.process.send_signal(signal.SIGUSR1)  # type: ignore[union-attr]
        other = tmp_path / "other.git"
        eventually(
            lambda: git(other, "rev-parse", "main", check=False) == git(tree, "rev-parse", "HEAD")
        )


def test_a_commit_of_the_persons_own_is_pushed_without_any_poll(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        never = {"poll_every": "never"}
        machine.configure({"path": str(one), **never}, {"path": str(other), **never})
        machine.start().ready("laptop-notes", "desktop-notes")
        (one / "todo.md").write_text("first\n")
        eventually(lambda: (other / "todo.md").exists(), 15)
        eventually(
            lambda: len({git(at, "rev-parse", "HEAD", check=False) for at in (one, other)}) == 1, 10
        )
        (one / "todo.md").write_text("by hand\n")
        git(one, "commit", "-qam", "By hand")
        eventually(lambda: (other / "todo.md").read_text() == "by hand\n", 15)
        git(one, "commit", "-q", "--allow-empty", "-m", "No file has changed")
        mine = git(one, "rev-parse", "HEAD")
        eventually(lambda: git(tmp_path / "hub.git", "rev-parse", "main") == mine, 15)


def test_most_files_vanishing_halts_and_asks(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    for number in range(30):
        (one / f"f{number}").write_text(f"{number}\n")
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start()
        eventually(lambda: len(tree(other)) == 30, 20)
        machine.ready("laptop-notes", "desktop-notes")
        for number in range(20):
            (one / f"f{number}").unlink()
        machine.says("20 of 30 files vanished. To go on: autosyncctl resume laptop-notes")
        assert len(tree(other)) == 30
        for number in range(20):
            (one / f"f{number}").write_text(f"{number}\n")


def test_a_question_ends_without_an_answer_when_there_is_nothing_to_ask(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    names = [f"f{number}" for number in range(30)]
    for name in names:
        (one / name).write_text(f"this is {name}\n")
    with daemon(tmp_path) as machine:
        quick = {"poll_every": "5s"}
        machine.configure({"path": str(one), **quick}, {"path": str(other), **quick})
        machine.start().ready("laptop-notes", "desktop-notes")
        eventually(lambda: len(tree(other)) == 30, 15)
        # put back, by the command that it says
        for name in names:
            (one / name).unlink()
        said = machine.says("30 of 30 files vanished. To go on: autosyncctl resume laptop-notes")
        assert f"git -C {one} checkout-index -aq" in said
        git(tmp_path, "-C", str(one), "checkout-index", "-aq")
        (one / "f1").write_text("edited since\n")
        eventually(lambda: tree(other).get("f1") == b"edited since\n", 20)
        # taken back where it came from
        third = clone(tmp_path / "hub.git", tmp_path / "third")
        git(third, "rm", "-q", "f*")
        git(third, "commit", "-qm", "oops")
        git(third, "push", "-q", "origin", "main")
        machine.says("30 of 30 files would be deleted here by what comes in.", times=2)
        (other / "mine").write_text("meanwhile\n")
        git(third, "revert", "--no-edit", "HEAD")
        git(third, "push", "-q", "origin", "main")
        eventually(lambda: "mine" in tree(one) and tree(one) == tree(other), 30)
        assert len(tree(one)) == 31


def test_a_first_adoption_that_is_made_smaller_goes_on(tmp_path: Path) -> None:
    one, _ = two_trees(tmp_path)
    for number in range(30):
        (one / f"f{number}").write_text("x\n")
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one), "safety": {"max_new": 20}})
        machine.start().says("30 new files (0 MB) would be committed")
        (one / "f0").unlink()
        machine.says("29 new files (0 MB) would be committed")
        (one / ".gitignore").write_text("f1?\nf2?\n")
        eventually(lambda: len(git(one, "ls-files").split()) == 10, 15)


def test_a_first_adoption_of_too_much_halts_and_asks(tmp_path: Path) -> None:
    one, _ = two_trees(tmp_path)
    for number in range(20):
        (one / f"f{number}").write_text("x\n")
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one), "safety": {"max_new": 10}})
        machine.start().says("20 new files (0 MB) would be committed and pushed")
        assert git(one, "rev-list", "--all") == ""


def test_a_drop_in_is_taken_up_changed_and_taken_away(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)})
        machine.start().ready("laptop-notes")
        before = machine.workers()
        drop_in = machine.config.parent / "autosync.d/desktop.yaml"
        write_yaml(drop_in, {"repositories": [{"path": str(other), **QUICK}]})
        machine.ready("desktop-notes")
        assert machine.workers()["laptop"] == before["laptop"]
        (one / "todo.md").write_text("hello\n")
        eventually(lambda: (other / "todo.md").exists(), 15)
        drop_in.write_text("repositories: [{path: 7}]\n")
        machine.says("desktop.yaml:1: repositories[0].path")
        assert "deskto" in machine.workers(), "what it had before keeps running"
        drop_in.unlink()
        eventually(lambda: "deskto" not in machine.workers(), 10)
        assert machine.workers()["laptop"] == before["laptop"]


def test_two_links_to_one_repository_have_one_worker(tmp_path: Path) -> None:
    """Neither path is the other as it is written; only at work it shows."""
    one, _ = two_trees(tmp_path)
    links = [tmp_path / name for name in ("here", "there")]
    for link in links:
        link.symlink_to(one)
    with daemon(tmp_path) as machine:
        machine.configure(*({"path": str(link)} for link in links))
        text = machine.start().says("keep one of the two entries")
        assert f"leads to {one}, which is the repository" in text
        machine.says("idle")
        (one / "todo.md").write_text("once\n")
        eventually(lambda: git(tmp_path / "hub.git", "log", "--oneline", "main", check=False), 15)
        assert len(git(one, "log", "--oneline").splitlines()) == 1
        assert machine.stop() == 0


@pytest.mark.parametrize("remedy", ["the link leads elsewhere", "one entry is removed"])
def test_a_pause_of_what_leads_to_another_repository_holds_once_it_does_not(
    tmp_path: Path, remedy: str
) -> None:
    """Also when all is started anew."""
    one, other = two_trees(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(one)
    with (
        private_bus("session") as bus,
        daemon(tmp_path, DBUS_SESSION_BUS_ADDRESS=bus.address) as machine,
    ):
        machine.configure({"path": str(one)}, {"path": str(link)})
        machine.start().says("keep one of the two entries")
        ctl = [sys.executable, "-P", "-m", "autosyncd.control.cli", "pause", "link"]
        eventually(
            lambda: subprocess.run(ctl, env=machine.environment, check=False).returncode == 0
        )
        if remedy == "one entry is removed":
            machine.configure({"path": str(link)})
        else:
            link.unlink()
            link.symlink_to(other)
        assert machine.process is not None
        machine.process.send_signal(signal.SIGHUP)
        machine.says("[link] the pause begins")
        machine.says("[link] Identity(", 120)  # from then on it is written down
        assert machine.stop() == 0
        machine.configure({"path": str(link)})
        (link / "todo.md").write_text("later\n")
        machine.start().says("[link] paused", times=2)
        assert machine.stop() == 0
        assert "[link] committing" not in machine.text()


def test_a_storm_of_sighups_leaves_the_newest_configuration(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)})
        machine.start().ready("laptop-notes")
        before = machine.workers()["laptop"]
        assert machine.process is not None
        for number in range(100):
            more = [{"path": str(other), "commit_after": f"{number + 1}s"}] * (number % 2)
            machine.configure({"path": str(one)}, *more)
            machine.process.send_signal(signal.SIGHUP)
        eventually(lambda: "deskto" in machine.workers(), 20)
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.process.send_signal(signal.SIGHUP)
        (one / "todo.md").write_text("hello\n")
        eventually(lambda: (other / "todo.md").exists(), 30)
        assert machine.workers()["laptop"] == before
        assert machine.stop() == 0


def test_a_broken_main_file_never_stops_a_running_daemon(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        machine.config.write_text("repositories: [}\n")
        machine.says("autosync.yaml:1:")
        (one / "todo.md").write_text("hello\n")
        eventually(lambda: (other / "todo.md").exists(), 15)


def test_a_refused_push_is_told_while_pulls_still_arrive(tmp_path: Path) -> None:
    one, other = two_trees(tmp_path)
    (one / "seed").write_text("seed\n")
    hook = tmp_path / "hub.git/hooks/pre-receive"
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)})
        machine.start().says("pushed")
        hook.parent.mkdir(exist_ok=True)
        hook.write_text("#!/bin/sh\necho 'main is protected, ask Carol' >&2\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
        (one / "mine").write_text("mine\n")
        text = machine.says("main is protected, ask Carol")
        assert "The remote refuses the push" in text
        eventually(lambda: git(one, "status", "--porcelain") == "", 5)
        (one / "more").write_text("more\n")
        eventually(lambda: "more" in git(one, "ls-tree", "--name-only", "HEAD"), 10)
        assert "mine" not in git(tmp_path / "hub.git", "ls-tree", "--name-only", "main")
    assert other.exists()


@pytest.mark.slow
def test_fifty_repositories_in_one_daemon(tmp_path: Path) -> None:
    shared = hub(tmp_path)
    trees = [clone(shared, tmp_path / f"tree{number:02}") for number in range(50)]
    with daemon(tmp_path) as machine:
        machine.configure(*({"path": str(one)} for one in trees))
        machine.start().ready(*(one.name for one in trees))
        (trees[7] / "todo.md").write_text("to all\n")
        eventually(lambda: all((one / "todo.md").exists() for one in trees), 90)
        assert machine.stop() == 0


COUNTED_SSH = """#!/bin/sh
for command; do :; done
echo + >>{log}
sh -c "$command"
status=$?
echo - >>{log}
exit $status
"""


@pytest.mark.slow
def test_a_hundred_repositories_of_one_host_do_not_storm_it(tmp_path: Path) -> None:
    """sshd drops connections beyond ten that have not logged in yet."""
    count = 100
    shared = hub(tmp_path)
    (tmp_path / "first").mkdir()
    git(tmp_path / "first", "init", "-q", "-b", "main")
    git(tmp_path / "first", "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path / "first", "push", "-q", str(shared), "main")
    trees = [clone(shared, tmp_path / f"notes{number}") for number in range(count)]
    for one in trees:
        git(one, "remote", "set-url", "origin", f"ssh://git.example.org{shared}")
    log, ssh = tmp_path / "ssh.log", tmp_path / "counted"
    ssh.write_text(COUNTED_SSH.format(log=log))
    ssh.chmod(0o755)
    with daemon(tmp_path, GIT_SSH_COMMAND=str(ssh), GIT_SSH_VARIANT="simple") as machine:
        machine.configure(*({"path": str(one)} for one in trees))
        machine.start()
        eventually(lambda: machine.text().count("] idle\n") >= count, 120)
    marks = log.read_text().split()
    running = list(accumulate(1 if mark == "+" else -1 for mark in marks))
    assert marks.count("+") >= count
    assert 1 < max(running) <= AT_ONCE


def test_a_worker_whose_tree_is_deleted_for_good_does_not_disturb_the_others(
    tmp_path: Path,
) -> None:
    one, other = two_trees(tmp_path)
    third = clone(tmp_path / "hub.git", tmp_path / "third-notes")
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)}, {"path": str(third)})
        machine.start().ready("laptop-notes", "desktop-notes", "third-notes")
        shutil.rmtree(third)
        machine.says("[third-notes] warning: halted:")
        (one / "todo.md").write_text("still here\n")
        eventually(lambda: (other / "todo.md").exists(), 15)
