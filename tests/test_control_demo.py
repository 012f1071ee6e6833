"""The demo as a person starts it: it shows what it promises and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autosyncd.control.machines import environment
from autosyncd.control.program import Program, Shown
from tests.waiting import eventually

ROOT = Path(__file__).parent.parent
CODE = """
import sys
from autosyncd.control import cli
from autosyncd.control.local import LOCAL
cli.VERBS.update(LOCAL)
sys.exit(cli.main())
"""


def started(tmp_path: Path, *words: str) -> "subprocess.Popen[str]":
    (tmp_path / "tmp").mkdir()
    with (tmp_path / "out").open("w") as out:
        return subprocess.Popen(
            [sys.executable, "-c", CODE, "demo", *words],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "home")},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )


def living(folder: Path) -> list[str]:
    """Processes that were started with something of this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == str(os.getpid()):
            continue
        try:
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if os.fsencode(folder) in text and state != "Z":
            found.append(entry.name)
    return found


@pytest.mark.slow
def test_the_show_as_json(tmp_path):
    process = started(tmp_path, "--once", "--json")
    assert process.wait(60) == 0, (tmp_path / "out").read_text()
    said = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [one["what"] for one in said] == ["folder", "started", "arrived", "arrived", "conflict"]
    assert (said[2]["source"], said[2]["target"]) == ("laptop", "desktop")
    assert (said[3]["source"], said[3]["target"]) == ("desktop", "laptop")
    assert len(said[4]["files"]) == 2
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not (tmp_path / "home").exists()
    assert living(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_goes_on_until_it_is_told_to_end(tmp_path, number):
    process = started(tmp_path)

    def out() -> str:
        assert process.poll() is None, (tmp_path / "out").read_text()
        return (tmp_path / "out").read_text()

    eventually(lambda: re.search(r"^  /.*desktop/notes$", out(), re.MULTILINE), 60)
    laptop, desktop = (Path(line) for line in re.findall(r"^  (/.*)$", out(), re.MULTILINE))
    (laptop / "new.md").write_text("hello\n")
    eventually((desktop / "new.md").exists, 20)
    eventually(lambda: re.search(r"laptop: committed .*add new.md", out()), 20)
    eventually(lambda: re.search(r"desktop: pulled ", out()), 20)
    process.send_signal(number)
    process.send_signal(number)  # impatience changes nothing
    assert process.wait(30) == 0
    assert "Everything is ended and removed." in (tmp_path / "out").read_text()
    assert list((tmp_path / "tmp").iterdir()) == []
    assert living(tmp_path) == []


def test_nothing_of_the_persons_environment_reaches_a_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_DIR", "/x")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x")
    known = environment(tmp_path)
    assert not known.keys() & {"GIT_DIR", "DBUS_SESSION_BUS_ADDRESS"}
    assert known["HOME"].rstrip("/") == str(tmp_path)


def test_a_program_that_ignores_the_request_is_ended_with_its_children(tmp_path, monkeypatch):
    monkeypatch.setattr("autosyncd.control.program.END_WITHIN", 0.2)
    script = "trap '' TERM; sleep 60 & echo up; while :; do wait; done"
    with (tmp_path / "log").open("wb") as log:
        marked = {**os.environ, "MARK": str(tmp_path)}
        program = Program(["sh", "-c", script], marked, output=log.fileno())
    eventually(lambda: (tmp_path / "log").read_text() == "up\n")
    assert program.status() is None
    assert program.end() == -signal.SIGKILL
    assert program.end() == -signal.SIGKILL
    eventually(lambda: living(tmp_path) == [])


def test_a_command_that_is_seen_is_also_heard():
    script = "printf 'one\\rtwo\\n' >&2; exit 3"
    done = Shown().run(
        ["sh", "-c", script], cwd="/", env=dict(os.environ), timeout=10, network=True
    )
    assert (done.code, done.err, done.timed_out) == (3, b"one\rtwo\n", False)


def test_a_silent_command_is_ended():
    done = Shown().run(
        ["sleep", "60"], cwd="/", env=dict(os.environ), timeout=60, silence=0.1, network=True
    )
    assert done.timed_out
