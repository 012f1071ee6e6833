"""Commands whose output takes no more say so in one sentence, and in their exit status; and who is shown
colours."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autosyncd.service.streams import in_colour, obeys
from tests.daemons import git

ROOT = Path(__file__).parent.parent
FULL = "The output can't be written (No space left on device).\n"
DAEMON, CTL = "autosyncd", "autosyncd.control.cli"
REFLECTOR = "autosyncd.transport.reflector"


def shell(
    home: Path, script: str, module: str, *arguments: str, keep: int = 2
) -> subprocess.CompletedProcess[str]:
    """`script` in a shell, in which "$@" is the command."""
    found = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", script, "sh", sys.executable, "-P", "-m", module, *arguments],
        env=found,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=home,
        pass_fds=[keep],
    )


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main", "notes")
    return tmp_path / "notes"


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (DAEMON, ["--help"]),
        (DAEMON, ["--version"]),
        (DAEMON, ["--check", "--json"]),
        (CTL, ["--version"]),
        (CTL, ["status", "--help"]),
        (CTL, ["doctor", "--json"]),
        (CTL, ["add", "--dry-run", "notes"]),
        (CTL, ["add", "--yes", "notes"]),
    ],
)
def test_what_can_not_be_written_is_told_once(notes, module, arguments):
    done = shell(notes.parent, 'exec "$@" >/dev/full', module, *arguments)
    assert (done.returncode, done.stderr.rpartition(": ")[2]) == (1, FULL)
    # the reader is gone, and has not asked for a sentence
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as gone:
        done = shell(
            notes.parent, f'exec "$@" >&{gone.fileno()}', module, *arguments, keep=gone.fileno()
        )
    assert (done.returncode, done.stderr) == (1, "")
    assert not (notes.parent / ".config").exists()  # a question that was not seen is not answered


def test_errors_that_can_not_be_written_leave_the_exit_status(notes):
    done = shell(notes.parent, '"$@" 2>/dev/full', CTL, "status")
    assert (done.returncode, done.stdout) == (3, "")
    done = shell(notes.parent, '"$@" 2>/dev/full', CTL, "add", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("module", [DAEMON, CTL, REFLECTOR])
def test_who_has_no_streams_at_all_is_served(tmp_path, module):
    done = shell(tmp_path, 'exec "$@" <&- >&- 2>&-', module, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("module", "arguments"),
    [(CTL, ["nosuch"]), (CTL, ["status", "--nosuch"]), (DAEMON, ["--origin"]), (REFLECTOR, [])],
)
def test_a_wrong_command_line_is_wrong_usage_whoever_hears_of_it(tmp_path, module, arguments):
    done = shell(tmp_path, '"$@"', module, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: ")
    assert ": error: " in done.stderr.splitlines()[-1]
    done = shell(tmp_path, '"$@" 2>/dev/full', module, *arguments)
    assert (done.returncode, done.stdout) == (2, "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_colour_is_for_terminals_and_for_who_wants_it():
    for environment in ({}, {"TERM": "xterm"}, {"NO_COLOR": ""}):
        assert in_colour(Terminal(), environment)
        assert not in_colour(io.StringIO(), environment)
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert not in_colour(Terminal(), environment)


def test_a_reader_without_colours_may_have_a_terminal_that_is_painted_anew():
    assert obeys(Terminal(), {"NO_COLOR": "1"})
    assert not obeys(Terminal(), {"TERM": "dumb"})
    assert not obeys(io.StringIO(), {})
