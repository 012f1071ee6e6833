"""Whole daemons in surroundings that are not as they should be: folders, buses, clocks, languages."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import QUICK, ROOT, Daemon, clone, daemon, git, hub, write_yaml
from tests.testbed.program import require
from tests.waiting import eventually


def works(machine: Daemon, tree: Path, name: str = "todo.md") -> None:
    """An edit is committed."""
    (tree / name).write_text("done\n")

    def committed() -> bool:
        tracked = ["git", "ls-tree", "-r", "-z", "--name-only", "HEAD"]
        said = subprocess.run(tracked, cwd=tree, capture_output=True, check=False).stdout
        return os.fsencode(name) in said.split(b"\0")

    eventually(committed, 15)
    assert "Traceback" not in machine.text()


def one_tree(folder: Path, name: str = "notes") -> Path:
    tree = folder / name
    tree.mkdir(parents=True)
    git(tree, "init", "-q", "-b", "main")
    return tree


@contextlib.contextmanager
def mounted(kind: str, options: str, at: Path, source: str = "none") -> Iterator[None]:
    at.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", kind, "-o", options, source, str(at)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.skip(f"no {kind} can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(at)], check=True)


# folders


@pytest.mark.root
def test_a_home_that_can_not_be_written(tmp_path: Path) -> None:
    tree = one_tree(tmp_path)
    with daemon(tmp_path) as machine:
        machine.configure({"path": str(tree)})
        home = str(machine.home)
        subprocess.run(["mount", "--bind", home, home], check=True)
        try:
            run = tmp_path / "run"
            run.mkdir(mode=0o700)
            machine.environment["XDG_RUNTIME_DIR"] = str(run)
            machine.log = tmp_path / "log"
            subprocess.run(["mount", "-o", "remount,bind,ro", home], check=True)
            machine.start().ready("notes")
            works(machine, tree)
            assert machine.stop() == 0
        finally:
            subprocess.run(["umount", "--lazy", home], check=True)


@pytest.mark.root
def test_no_folder_for_the_lock_is_said_in_a_sentence(tmp_path: Path) -> None:
    roots = dict.fromkeys(("XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"), "/proc")
    with daemon(tmp_path, **roots) as machine:
        assert machine.start().process is not None
        text = machine.says("No lock can be taken")
        assert "so this one ends" in text
        assert machine.process is not None
        assert machine.process.wait(5) == 1


@pytest.mark.root
def test_a_full_runtime_folder(tmp_path: Path) -> None:
    tree = one_tree(tmp_path)
    run = tmp_path / "full"
    with mounted("tmpfs", "size=4k,nr_inodes=2,mode=700", run):
        (run / "one").touch()
        with daemon(tmp_path, XDG_STATE_HOME="/proc", XDG_RUNTIME_DIR=str(run)) as machine:
            machine.configure({"path": str(tree)})
            machine.start().ready("notes")
            works(machine, tree)
            assert (machine.home / ".cache/autosync").is_dir()


def test_a_home_with_blanks_and_other_letters(tmp_path: Path) -> None:
    with daemon(tmp_path, "Ängström 家 $HOME") as machine:
        tree = one_tree(machine.home, "my notes")
        drop_in = machine.home / ".config/autosync/autosync.d/n.yaml"
        write_yaml(drop_in, {"repositories": [{"path": "~/my notes", **QUICK}]})
        machine.start().ready("my notes")
        works(machine, tree, "Grüße 家.md")


# the session


@pytest.mark.parametrize(
    "language",
    [{}, {"LANG": "xx_XX.nowhere"}, {"LC_ALL": "POSIX"}, {"LC_ALL": "de_DE.ISO-8859-1"}],
)
def test_a_locale_that_is_not_there_or_not_utf_8(tmp_path: Path, language: dict[str, str]) -> None:
    tree = one_tree(tmp_path)
    with daemon(tmp_path, PYTHONCOERCECLOCALE="0", PYTHONUTF8="0") as machine:
        for name in ("LANG", "LC_ALL", "LC_CTYPE", "LANGUAGE"):
            machine.environment.pop(name, None)
        machine.environment |= language
        machine.configure({"path": str(tree)})
        machine.start().ready("notes")
        Path(os.fsdecode(os.fsencode(tree) + b"/caf\xe9")).write_text("Latin-1\n")
        works(machine, tree, "Grüße 家.md")
        assert machine.stop() == 0


def test_no_session_bus_is_said_once(tmp_path: Path) -> None:
    tree = one_tree(tmp_path)
    nowhere = "unix:path=/nonexistent"
    with daemon(tmp_path, DBUS_SESSION_BUS_ADDRESS=nowhere) as machine:
        machine.configure({"path": str(tree)})
        machine.start().ready("notes")
        machine.says("autosyncctl can't reach this daemon")
        works(machine, tree)
        assert machine.stop() == 0
        assert machine.text().count("autosyncctl can't reach this daemon") == 1


@pytest.mark.parametrize("address", ["/nonexistent/notify", "@nobody-listens-here", "rubbish"])
def test_a_notify_socket_that_is_gone(tmp_path: Path, address: str) -> None:
    tree = one_tree(tmp_path)
    with daemon(tmp_path, NOTIFY_SOCKET=address, WATCHDOG_USEC="2000000") as machine:
        machine.configure({"path": str(tree)})
        machine.start().ready("notes")
        works(machine, tree)
        assert machine.stop() == 0


def test_a_journal_that_is_gone_leaves_lines_on_stderr(tmp_path: Path) -> None:
    with daemon(tmp_path, JOURNAL_STREAM="1:2") as machine:
        machine.start().says("started")


def test_a_clock_before_2000(tmp_path: Path) -> None:
    require(programs={"faketime": "faketime"})
    library = subprocess.run(
        ["faketime", "-m", "2000-01-01", "sh", "-c", "echo $LD_PRELOAD"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    early = {"LD_PRELOAD": library.stdout.strip(), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    tree = one_tree(tmp_path)
    with daemon(tmp_path, FAKETIME="@1999-12-01 00:00:00", **early) as machine:
        machine.configure({"path": str(tree)})
        machine.start().ready("notes")
        works(machine, tree)
        assert git(tree, "log", "-1", "--format=%cd", "--date=format:%Y").strip() == "1999"
        works(machine, tree, "again")


# what is listed


def test_no_repositories_at_all(tmp_path: Path) -> None:
    with daemon(tmp_path) as machine:
        machine.start().says("started")
        tree = one_tree(tmp_path)
        drop_in = machine.home / ".config/autosync/autosync.d/n.yaml"
        write_yaml(drop_in, {"repositories": [{"path": str(tree), **QUICK}]})
        machine.ready("notes")


def drop_in(machine: Daemon, file: str, path: Path, **more: object) -> None:
    target = machine.home / f".config/autosync/autosync.d/{file}.yaml"
    write_yaml(target, {"repositories": [{"path": str(path), **QUICK, **more}]})


def test_the_same_repository_in_two_drop_ins(tmp_path: Path) -> None:
    tree = one_tree(tmp_path)
    with daemon(tmp_path) as machine:
        drop_in(machine, "a", tree)
        drop_in(machine, "b", tree, name="other")
        machine.start().ready("notes")
        said = machine.says("b.yaml")
        assert "a.yaml" in said
        works(machine, tree)


def test_a_link_to_a_repository_that_is_listed_too(tmp_path: Path) -> None:
    tree = one_tree(tmp_path)
    (tmp_path / "link").symlink_to(tree)
    with daemon(tmp_path) as machine:
        drop_in(machine, "a", tree)
        drop_in(machine, "b", tmp_path / "link")
        machine.start()
        machine.says("failed: ")
        eventually(lambda: machine.text().count("idle"), 10)
        works(machine, tree)


def test_a_path_inside_another_repository(tmp_path: Path) -> None:
    tree = one_tree(tmp_path)
    (tree / "inside").mkdir()
    with daemon(tmp_path) as machine:
        drop_in(machine, "a", tree)
        drop_in(machine, "b", tree / "inside")
        machine.start().ready("notes")
        machine.says("lies inside")
        works(machine, tree, "inside/todo.md")


def test_a_bare_repository(tmp_path: Path) -> None:
    tree = one_tree(tmp_path)
    with daemon(tmp_path) as machine:
        drop_in(machine, "a", hub(tmp_path))
        drop_in(machine, "b", tree)
        machine.start().ready("notes")
        machine.says("is a bare repository: it has no files that could be edited")
        works(machine, tree)


# where it lies


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Path]:
    """What ~/notes shows. FUSE stands for a network's file system: what changes behind it makes no
    sound."""
    require(programs={"bindfs": "bindfs"})
    behind, tree = one_tree(tmp_path, "behind"), tmp_path / "notes"
    tree.mkdir()
    if subprocess.run(["bindfs", str(behind), str(tree)], check=False).returncode:
        pytest.skip("no FUSE here")
    yield behind
    subprocess.run(["umount", "--lazy", str(tree)], check=True)


@pytest.mark.root
def test_a_file_system_that_others_change_is_looked_at_and_said_so(
    tmp_path: Path, behind: Path
) -> None:
    # a minute, as it is, would be long for a test
    (tmp_path / "sitecustomize.py").write_text(
        "from autosyncd.worker import state\n\nstate.SCAN_UNWATCHED = 2.0\n"
    )
    tree = tmp_path / "notes"
    with daemon(tmp_path, PYTHONPATH=f"{tmp_path}:{ROOT}") as machine:
        machine.configure({"path": str(tree)})
        machine.start().ready("notes")
        assert "fuse" in machine.text()
        works(machine, tree)
        (behind / "remote").write_text("from another machine\n")
        committed = ("git", "show", "HEAD:remote")
        eventually(lambda: subprocess.run(committed, cwd=behind, capture_output=True).stdout, 15)
        eventually(lambda: git(behind, "status", "--porcelain") == "")  # the index comes after it


@pytest.mark.root
def test_fat_which_knows_neither_modes_nor_links(tmp_path: Path) -> None:
    require(programs={"mkfs.vfat": "dosfstools"})
    disk = tmp_path / "disk"
    with disk.open("wb") as file:
        file.truncate(32 << 20)
    subprocess.run(["mkfs.vfat", str(disk)], check=True, capture_output=True)
    shared = hub(tmp_path)
    other = clone(shared, tmp_path / "other")
    with mounted("vfat", "loop,utf8", tmp_path / "stick", str(disk)):
        tree = clone(shared, tmp_path / "stick/notes")
        with daemon(tmp_path) as machine:
            machine.configure({"path": str(tree)}, {"path": str(other)})
            machine.start().ready("notes", "other")
            works(machine, tree)
            eventually((other / "todo.md").exists, 15)
            (other / "todo.md").write_text("back\n")
            eventually(lambda: (tree / "todo.md").read_text() == "back\n", 15)
            assert shutil.disk_usage(tree).total < 33 << 20


# an upgrade


def copied(folder: Path) -> None:
    """A version of autosyncd in the folder that may be replaced."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        Path(__file__).parent.parent / "autosyncd", folder / "autosyncd", ignore=ignored
    )


def newer(folder: Path) -> None:
    """Another version takes the place of ours; its messenger needs what the old one's files lack."""
    shutil.copytree(folder / "autosyncd", folder / "new")
    messages, loop = folder / "new/link/messages.py", folder / "new/messenger/loop.py"
    messages.write_text(messages.read_text() + "\nNEWER = 1\n")
    loop.write_text(loop.read_text() + "\nfrom autosyncd.link.messages import NEWER as NEWER\n")
    (folder / "autosyncd").rename(folder / "old")
    (folder / "new").rename(folder / "autosyncd")


def kill_messenger(machine: Daemon) -> None:
    names = machine.workers()
    os.kill(next(pid for name, pid in names.items() if name[:4] == "mess"), 9)


@pytest.mark.parametrize("cause", ["killed", "configured"])
def test_after_an_upgrade_a_new_messenger_comes_with_a_new_daemon(
    tmp_path: Path, cause: str
) -> None:
    copied(tmp_path)
    tree = one_tree(tmp_path)
    with daemon(tmp_path, PYTHONPATH=str(tmp_path)) as machine:
        machine.configure({"path": str(tree)})
        machine.start().ready("notes")
        assert machine.process is not None
        newer(tmp_path)
        works(machine, tree)
        if cause == "killed":
            kill_messenger(machine)
        else:
            machine.configure({"path": str(tree)}, fanout=9)
        machine.says("autosyncd was upgraded; it starts anew.")

        def started_while_it_is_pestered() -> bool:
            assert machine.process is not None
            machine.process.send_signal(signal.SIGHUP)
            return machine.text().count("started") == 2

        eventually(started_while_it_is_pestered, 20)
        eventually(lambda: any(name[:4] == "mess" for name in machine.workers()))
        works(machine, tree, "after")
        assert machine.text().count("upgraded") == 1
        assert "bug" not in machine.text()
        assert machine.stop() == 0


def test_a_new_version_that_can_not_be_started_ends_it_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied(tmp_path)
    python = tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    for name in ("lib", "pyvenv.cfg"):
        (tmp_path / "venv" / name).symlink_to(Path(sys.prefix) / name)
    python.symlink_to(os.path.realpath(sys.executable))
    monkeypatch.setattr(sys, "executable", str(python))
    with daemon(tmp_path, PYTHONPATH=str(tmp_path)) as machine:
        machine.configure({"path": str(one_tree(tmp_path))})
        machine.start().says("[notes] idle", 60)
        newer(tmp_path)
        python.unlink()
        kill_messenger(machine)
        assert machine.process is not None
        assert machine.process.wait(30) == 1
        machine.says("The new version of autosyncd can't be started")
        assert machine.processes() == []


# signals


def test_a_hook_has_the_signals_that_it_has_in_a_shell(tmp_path: Path) -> None:
    """What is ignored at the start of a shell can't be trapped in it."""
    tree = clone(hub(tmp_path), tmp_path / "notes")
    hook, seen = tree / ".git/hooks/pre-push", tmp_path / "seen"
    # not of the shell: that blocks all of them while it begins a program
    look = "sed -nE 's/^Sig(Blk|Ign):\\t0*//p' /proc/self/status"
    hook.write_text(f"#!/bin/sh\n{look} >{seen}.new\nmv {seen}.new {seen}\n")
    hook.chmod(0o755)
    with daemon(tmp_path) as machine:
        # some are ignored where a shell runs the tests in the background
        machine.through = ("env", "--default-signal=INT,QUIT")
        machine.configure({"path": str(tree)})
        machine.start().ready("notes")
        works(machine, tree)
        eventually(seen.exists, 15)
    assert seen.read_text() == "\n\n"  # none is blocked, none is ignored
