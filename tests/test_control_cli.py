"""autosyncctl as it is typed, against a real messenger on a private bus."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autosyncd.control import cli
from autosyncd.link.outside import (
    Asked,
    RepositoryGone,
    RepositoryStatus,
    Summary,
)
from autosyncd.model import Status
from tests.buses import OLD_LEAKS, ROOT, Bus, RunningMessenger, private_bus, running_messenger
from tests.waiting import eventually

pytestmark = OLD_LEAKS


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bus]:
    with private_bus("session") as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        yield bus


@pytest.fixture
def notes(tmp_path: Path) -> RepositoryStatus:
    folder = tmp_path / "notes"
    (folder / "deep").mkdir(parents=True)
    return RepositoryStatus("notes", str(folder.resolve()), Status.IDLE, "", 1.0, branch="main")


@pytest.fixture
def messenger(
    bus: Bus, notes: RepositoryStatus, capfd: pytest.CaptureFixture[str]
) -> Iterator[RunningMessenger]:
    with running_messenger(DBUS_SESSION_BUS_ADDRESS=bus.address) as messenger:
        dots = RepositoryStatus("dotfiles", "/nowhere/dots", Status.PAUSED, "", 1.0)
        messenger.order(notes, dots, Summary("2 repositories"))
        eventually(lambda: cli.main(["status"]) == 0 and "notes" in capfd.readouterr().out)
        yield messenger


def test_status_shows_a_line_for_each(messenger: RunningMessenger, capfd):
    assert cli.main(["status"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["NAME", "STATUS"],
        ["dotfiles", "paused"],
        ["notes", "idle"],
    ]


def test_status_says_by_its_exit_that_one_needs_a_person(messenger, notes, capfd):
    messenger.order(replace(notes, status=Status.HALTED, reason="214 files vanished"))
    eventually(lambda: cli.main(["status"]) == 1)
    assert "214 files vanished" in capfd.readouterr().out
    assert cli.main(["status", "dotfiles"]) == 0


def test_status_in_json(messenger: RunningMessenger, notes, capfd):
    assert cli.main(["status", "--json", "notes"]) == 0
    state = json.loads(capfd.readouterr().out)
    assert state["summary"] == "2 repositories"
    assert [row["path"] for row in state["repositories"]] == [notes.path]


def test_a_path_in_a_repository_names_it(messenger, notes, capfd, monkeypatch):
    monkeypatch.chdir(f"{notes.path}/deep")
    assert cli.main(["status", "."]) == 0
    assert capfd.readouterr().out.startswith("notes\n  status  idle")
    assert cli.main(["sync", notes.path + "/"]) == 0
    messenger.reported(Asked("sync", "notes"))


@pytest.mark.parametrize(
    ("arguments", "report", "said"),
    [
        (["sync"], Asked("sync"), "dotfiles: is paused; it will be synced when the pause is over"),
        (["sync", "notes"], Asked("sync", "notes"), "notes: will be committed and synced now."),
        (["pause", "notes"], Asked("pause", "notes", "0"), "notes: paused until resumed."),
        (
            ["pause", "--for", "1h30m"],
            Asked("pause", "", "5400"),
            "notes: paused for 1 h 30 min.",
        ),
        (["resume", "notes"], Asked("resume", "notes"), "notes: goes on."),
        (["reload"], Asked("reload"), "The configuration is read again."),
    ],
)
def test_each_verb_asks_and_says_so(messenger, capfd, arguments, report, said):
    assert cli.main(arguments) == 0
    assert said in capfd.readouterr().out
    messenger.reported(report)
    assert cli.main([*arguments, "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["asked"] == arguments[0]


@pytest.mark.parametrize("status", [Status.HALTED, Status.FAILED])
def test_what_needs_a_person_is_not_said_to_be_synced_now(messenger, notes, capfd, status):
    messenger.order(replace(notes, status=status, reason="214 files vanished."))
    eventually(lambda: cli.main(["status"]) == 1)
    capfd.readouterr()
    assert cli.main(["sync", "notes"]) == 0
    said = f"notes: is {status.value}, and will be synced when it goes on: 214 files vanished.\n"
    assert capfd.readouterr().out == said


def test_an_unknown_repository_is_wrong_usage_and_nothing_is_asked(messenger, capfd):
    assert cli.main(["sync", "notes", "nots"]) == 2
    assert "There is no repository named nots" in capfd.readouterr().err
    assert messenger.take(Asked("sync", "notes")) is None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["frobnicate"],
        ["pause", "--for", "tomorrow"],
        ["pause", "--for", "0m"],
        ["status", "--wach"],
    ],
)
def test_wrong_usage(arguments, capfd):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 2


def test_no_daemon_is_said_with_its_remedy(bus: Bus, capfd):
    for verb in ("status", "sync", "pause", "resume", "reload"):
        assert cli.main([verb]) == 3
        assert "`systemctl --user start autosyncd`" in capfd.readouterr().err


def test_every_verb_has_its_help(capfd):
    for verb in cli.VERBS:
        with pytest.raises(SystemExit) as left:
            cli.main([verb, "--help"])
        assert left.value.code == 0
        assert "--json" in capfd.readouterr().out


def test_help_imports_neither_dbus_nor_asyncio():
    code = "from autosyncd.control import cli; import sys; cli.parser(); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, cwd=ROOT, check=True).stdout.decode()
    assert not {"asyncio", "dbus_fast", "yaml"} & set(shown.split())


def start(*arguments: str, stdout: int = subprocess.PIPE, **more: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "autosyncd.control.cli", *arguments],
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"COLUMNS": "80", "TERM": "xterm", "NO_COLOR": ""} | more,
    )


def test_watch_prints_each_change_until_interrupted(messenger, notes):
    with start("status", "--watch", "notes") as watching:
        assert watching.stdout
        assert watching.stdout.readline().startswith("NAME")
        assert watching.stdout.readline().startswith("notes")
        messenger.order(RepositoryGone("dotfiles"))
        messenger.order(replace(notes, head="0123456789abcdef"))  # still idle: no line
        messenger.order(replace(notes, status=Status.PUSHING, reason="3 commits"))
        assert watching.stdout.readline().endswith(" notes: pushing: 3 commits\n")
        watching.send_signal(signal.SIGINT)
        assert watching.wait(5) == 0


def test_watch_in_json_prints_one_object_a_change(messenger, notes):
    with start("status", "--watch", "--json") as watching:
        assert watching.stdout
        assert len(json.loads(watching.stdout.readline())["repositories"]) == 2
        messenger.order(replace(notes, status=Status.PULLING))
        changed = json.loads(watching.stdout.readline())["repositories"]
        assert [row["status"] for row in changed] == ["paused", "pulling"]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(5) == 0


def test_watch_says_when_the_daemon_ends(messenger):
    with start("status", "--watch") as watching:
        assert watching.stdout
        assert watching.stdout.readline().startswith("NAME")
        messenger.process.kill()
        assert watching.wait(5) == 3
        assert watching.stderr
        assert "autosyncd has ended" in watching.stderr.read()


def test_watch_paints_a_terminal_anew(messenger, notes):
    above, terminal = pty.openpty()
    seen = ""

    def shows(text: str) -> bool:
        nonlocal seen
        if text not in seen:
            seen += os.read(above, 4096).decode()
        return text in seen

    with start("status", "--watch", stdout=terminal) as watching:
        os.close(terminal)
        eventually(lambda: shows("\x1b[33mpaused"))
        messenger.order(replace(notes, status=Status.HALTED, reason="look"))
        eventually(lambda: shows("look"))
        assert seen.count("\x1b[H\x1b[J") == 2
        watching.send_signal(signal.SIGINT)
        assert watching.wait(5) == 0
    os.close(above)


def test_watch_writes_lines_to_a_terminal_that_can_not_be_painted(messenger, notes):
    above, terminal = pty.openpty()
    with (
        start("status", "--watch", "notes", stdout=terminal, TERM="dumb") as watching,
        open(above, encoding="utf-8") as seen,
    ):
        os.close(terminal)
        lines = [seen.readline(), seen.readline()]
        messenger.order(replace(notes, status=Status.HALTED, reason="look"))
        lines.append(seen.readline())
        assert lines[2].endswith(" notes: halted: look\n")
        assert "\x1b" not in "".join(lines)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(5) == 0


def test_a_reader_that_leaves_early_is_no_trouble(messenger):
    with start("status", "--watch") as watching:
        assert watching.stdout
        watching.stdout.readline()
        watching.stdout.close()
        messenger.order(RepositoryGone("dotfiles"))
        messenger.order(RepositoryStatus("new", "/new", Status.IDLE, "", 1.0))
        assert watching.wait(5) == 1
        assert watching.stderr
        assert watching.stderr.read() == ""
