"""The stage of the demo: a hub, a reflector, and two machines, all of them in one folder."""

import json
import os
import re
import sys
from contextlib import ExitStack
from pathlib import Path

from autosyncd import clock
from autosyncd.control.program import Program
from autosyncd.errors import AutosyncError
from autosyncd.vcs.git.command import Git
from autosyncd.vcs.process import Runner

READY_WITHIN = 15.0
"""Seconds the reflector may take to listen."""
CONFIG = """\
defaults: {{commit_after: 0.5s, push_after: 0.5s}}
repositories:
  - {{path: {notes}, name: notes}}
transports:
  fanout: {{server: "127.0.0.1:{port}", tls: false}}
alerts: {{desktop: false}}
"""
NEWS = re.compile(r"\[notes\] (committed|pushed|pulled|warning:|error:|solved:).*")
"""What the journal says of things that happened (service/journal.py's lines)."""
RESTS = ("[notes] idle",)


class Logged:
    """A program that runs, and what it says."""

    def __init__(self, name: str, program: Program, log: Path) -> None:
        self.name, self.program, self._log = name, program, log
        self._seen = 0

    def lines(self) -> list[str]:
        """Whole lines of its log."""
        text = self._log.read_text(errors="replace")
        return text[: text.rfind("\n") + 1].splitlines()

    def last_words(self) -> str:
        """The end of its log, for an error text."""
        return f"{self.name} says: {'; '.join(self.lines()[-3:]) or 'nothing'}."

    def news(self) -> list[str]:
        """What happened since this was asked last."""
        lines = self.lines()
        fresh, self._seen = lines[self._seen :], len(lines)
        found = [NEWS.fullmatch(line) for line in fresh]
        return [match[0].removeprefix("[notes] ") for match in found if match]


class Reflector(Logged):
    """The reflector, beside the bare repository that both machines push to."""

    @property
    def port(self) -> int:
        """Where it listens, 0 as long as it does not."""
        found = re.search(r"listening on 127\.0\.0\.1:(\d+)", "\n".join(self.lines()))
        return int(found[1]) if found else 0


class Machine(Logged):
    """A home with a folder `notes` in it, and the daemon that keeps it in sync."""

    def __init__(self, name: str, program: Program, home: Path) -> None:
        super().__init__(name, program, home / "log")
        self.notes = home / "notes"

    def ready(self) -> bool:
        """It knows its repository and hears the other one."""
        lines = self.lines()
        return "fanout is online" in lines and self.rests()

    def rests(self) -> bool:
        """It has nothing to do."""
        said = [line for line in self.lines() if line.startswith("[notes] ")]
        return bool(said) and said[-1] in RESTS

    def names(self) -> list[str]:
        """The files in its folder."""
        return sorted(name for name in os.listdir(self.notes) if not name.startswith("."))

    def read(self, name: str) -> str:
        """A file's text; empty while there is none."""
        try:
            return (self.notes / name).read_text()
        except FileNotFoundError:
            return ""


def start_machines(folder: str, stack: ExitStack) -> tuple[Reflector, Machine, Machine]:
    """Everything in place and started; the stack ends it, the machines first."""
    stage = Path(folder)
    _make_hub(stage)
    log = stage / "reflector.log"
    arguments = ["autosyncd.transport.reflector", "--listen", "127.0.0.1:0"]
    reflector = Reflector("reflector", _start(arguments, log, stage, stack), log)
    end = clock.now() + READY_WITHIN
    while not (port := reflector.port):
        if reflector.program.status(within=0.02) is not None or clock.now() > end:
            raise AutosyncError(f"The reflector does not start. {reflector.last_words()}")
    laptop, desktop = (_machine(stage, name, port, stack) for name in ("laptop", "desktop"))
    return reflector, laptop, desktop


def _make_hub(stage: Path) -> None:
    """A bare repository with one commit, so that both machines begin alike."""
    _git(stage, "init", "--quiet", "--bare", "-b", "main", "hub")
    names = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "demo"), ("EMAIL", "demo@localhost"))
    }
    git = Git(os.fsencode(stage / "hub"), Runner(), environment(stage))
    tree = git("mktree", stdin=b"").text
    commit = git("commit-tree", tree, "-m", "Begin", environment=names).text
    git("update-ref", "refs/heads/main", commit)


def _machine(stage: Path, name: str, port: int, stack: ExitStack) -> Machine:
    home = stage / name
    home.mkdir()
    (home / "runtime").mkdir(mode=0o700)
    _git(home, "clone", "--quiet", str(stage / "hub"), "notes")
    _git(home / "notes", "config", "user.name", name)
    _git(home / "notes", "config", "user.email", f"{name}@localhost")
    config = home / "autosync.yaml"
    # a JSON string is a YAML string, and a dollar sign would begin a variable
    path = json.dumps(str(home / "notes").replace("$", "$$"))
    config.write_text(CONFIG.format(notes=path, port=port))
    config.chmod(0o600)
    # what is configured for every user is none of the demo's business
    arguments = ["autosyncd", "--config", str(config), "--etc", str(home), "--verbose"]
    return Machine(name, _start(arguments, home / "log", home, stack), home)


def _git(folder: Path, *arguments: str) -> None:
    Git(os.fsencode(folder), Runner(), environment(folder))(*arguments)


def _start(arguments: list[str], log: Path, home: Path, stack: ExitStack) -> Program:
    """A module of ours as a program, with a home of its own."""
    with log.open("wb") as output:
        argv = [sys.executable, "-P", "-m", *arguments]
        program = Program(argv, environment(home), output=output.fileno())
    stack.callback(program.end)
    return program


def environment(home: Path) -> dict[str, str]:
    """What a program finds: nothing of the person's, no session bus, and our own modules."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    folders = {
        "HOME": "",
        "XDG_CONFIG_HOME": ".config",
        "XDG_CACHE_HOME": ".cache",
        "XDG_STATE_HOME": ".local/state",
        "XDG_RUNTIME_DIR": "runtime",
    }
    return {
        **kept,
        **{name: str(home / folder) for name, folder in folders.items()},
        "GIT_CONFIG_NOSYSTEM": "1",
        # in order, so that each module is found where we have found it
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
    }
