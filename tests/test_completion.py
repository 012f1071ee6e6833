"""What bash, zsh and fish offer for our commands, asked of the shells themselves."""

import json
import os
import pty
import subprocess
import time
import tomllib
from abc import ABC, abstractmethod
from argparse import ArgumentParser
from pathlib import Path

import pytest

from autosyncd.__main__ import parser as service
from autosyncd.control.cli import VERBS, parser
from autosyncd.control.render import Row, status_json
from autosyncd.transport.reflector import parser as reflector
from tests.testbed import CHECKOUT, execute, require
from tests.waiting import ready

COMPLETIONS = CHECKOUT / "completions"
NAMES = ("notes", "my photos", "Grüße")
PATIENCE = 10.0
"""Seconds a shell gets for one answer."""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A home, and an autosyncctl that knows three repositories."""
    rows = [Row(name, f"/home/{name}", "idle", "", 1.0) for name in NAMES]
    (tmp_path / "state.json").write_text(status_json("3 repositories", rows))
    program = tmp_path / "bin/autosyncctl"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\n[ \"$*\" = 'status --json' ] && cat {tmp_path}/state.json\nexit 1\n"
    )
    program.chmod(0o755)
    (tmp_path / "work").mkdir()
    return {
        "PATH": f"{program.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
    }


class Shell(ABC):
    """A real shell that has read our completion."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.folder = Path(env["HOME"], "work")

    @abstractmethod
    def offers(self, line: str) -> set[str]:
        """The words that it offers where the line ends."""

    def say(self, argv: list[str]) -> list[str]:
        done = subprocess.run(
            argv, env=self.env, cwd=self.folder, capture_output=True, text=True, timeout=60
        )
        assert (done.stderr, done.returncode) == ("", 0)
        return done.stdout.splitlines()


class Bash(Shell):
    def __init__(self, env: dict[str, str]) -> None:
        super().__init__(env)
        require(programs={"bash": "bash"})

    def offers(self, line: str) -> set[str]:
        command = line.split()[0]
        function = "_" + command.replace("-", "_")
        script = f"""source {COMPLETIONS}/bash/{command}
            COMP_WORDS=({line!s} "$1"); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
            {function}; [ ${{#COMPREPLY[@]}} = 0 ] || printf '%s\\n' "${{COMPREPLY[@]}}" """
        words, _, current = line.rpartition(" ")
        script = script.replace(f"({line!s} ", f"({words} ")
        return set(self.say(["bash", "--norc", "-c", script, "bash", current]))


class Fish(Shell):
    def __init__(self, env: dict[str, str]) -> None:
        super().__init__(env)
        require(programs={"fish": "fish"})

    def offers(self, line: str) -> set[str]:
        command = line.split()[0]
        script = f"source {COMPLETIONS}/fish/{command}.fish; complete -C {line!r}"
        return {answer.split("\t")[0] for answer in self.say(["fish", "-N", "-c", script])}


ZSH = r"""
unset zle_bracketed_paste
PS1= fpath=(%s/zsh $fpath)
autoload -Uz compinit && compinit -u -D
compadd() { # writes down what is added
    local -a hits
    if (( ! ${@[(I)-[a-zA-Z]#[OAD]*]} )); then
        builtin compadd -O hits "$@"
        print -rl -- $hits >>$HOME/offered
    fi
    builtin compadd "$@"
}
setopt extended_glob
complete-and-tell() { zle expand-or-complete; print "\nDO""NE" }
zle -N complete-and-tell
bindkey '^I' complete-and-tell
print "REA""DY"
"""


class Zsh(Shell):
    """Only at a terminal does zsh complete; what it adds to its list is written down."""

    def __init__(self, env: dict[str, str]) -> None:
        super().__init__(env)
        require(programs={"zsh": "zsh"})
        Path(env["HOME"], "begin").write_text(ZSH % COMPLETIONS)

    def offers(self, line: str) -> set[str]:
        offered = Path(self.env["HOME"], "offered")
        offered.write_text("")
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execvpe("zsh", ["zsh", "-f", "-i"], self.env)  # noqa: S606
        try:
            os.write(terminal, b"source ~/begin\n")
            self._until(terminal, "READY")
            os.write(terminal, f"{line}\t".encode())
            self._until(terminal, "DONE")
        finally:
            os.close(terminal)
            os.waitpid(pid, 0)
        return set(offered.read_text().splitlines()) - {""}

    def _until(self, terminal: int, word: str) -> None:
        shown, end = b"", time.monotonic() + PATIENCE
        while f"\n{word}\r" not in (text := shown.decode(errors="replace")):
            left = end - time.monotonic()
            assert left > 0, f"zsh did not come to {word}: {text}"
            if ready(terminal, left):
                shown += os.read(terminal, 1 << 16)


@pytest.fixture(params=[Bash, Zsh, Fish], ids=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, env: dict[str, str]) -> Shell:
    made: Shell = request.param(env)
    return made


def below(top: ArgumentParser) -> dict[str, ArgumentParser]:
    return next(action.choices for action in top._actions if action.dest == "verb")  # type: ignore


def options(one: ArgumentParser) -> set[str]:
    return {word for word in one._option_string_actions if word.startswith("--")}


def test_every_verb_is_offered_and_no_other(shell: Shell) -> None:
    assert shell.offers("autosyncctl ") == set(VERBS)


def test_a_verb_is_completed(shell: Shell) -> None:
    assert shell.offers("autosyncctl re") == {"resume", "reload", "remove"}


@pytest.mark.slow
def test_every_option_is_offered_and_no_other(shell: Shell) -> None:
    top = parser()
    assert shell.offers("autosyncctl --") == options(top)
    for verb, one in below(top).items():
        assert shell.offers(f"autosyncctl {verb} --") == options(one), verb


@pytest.mark.parametrize(
    ("command", "top"), [("autosyncd", service()), ("autosync-reflector", reflector())]
)
def test_every_option_of_the_services_is_offered_and_no_other(
    shell: Shell, command: str, top: ArgumentParser
) -> None:
    assert shell.offers(f"{command} --") == options(top)


@pytest.mark.parametrize(
    "line", ["autosyncd --config ga", "autosync-reflector --cert ga", "autosyncd --etc ga"]
)
def test_a_file_is_offered_where_one_is_wanted(shell: Shell, line: str) -> None:
    (shell.folder / "garden").mkdir()
    (shell.folder / "game.txt").touch()
    offered = {word.rstrip("/") for word in shell.offers(line)}
    assert offered == ({"garden"} if "--etc" in line else {"garden", "game.txt"})


@pytest.mark.parametrize("verb", ["status", "sync --json", "pause --for 2h", "resume", "remove"])
def test_repositories_are_offered_by_name(shell: Shell, verb: str) -> None:
    offered = {word.replace("\\", "") for word in shell.offers(f"autosyncctl {verb} ")}
    assert offered == set(NAMES)


def test_a_folder_is_offered_where_one_is_wanted(shell: Shell) -> None:
    (shell.folder / "garden").mkdir()
    (shell.folder / "gate").mkdir()
    (shell.folder / "game.txt").touch()
    offered = {word.rstrip("/") for word in shell.offers("autosyncctl add ga")}
    assert offered == {"garden", "gate"}


def test_times_are_offered_for_a_pause(shell: Shell) -> None:
    assert {"30m", "2h"} <= shell.offers("autosyncctl pause --for ")


def test_a_module_in_the_current_folder_is_not_run(shell: Shell) -> None:
    """A synced folder holds what any machine that pushes puts there."""
    (shell.folder / "json.py").write_text(
        f"open({shell.env['HOME'] + '/has-run'!r}, 'w')\nfrom json.decoder import *\n"
    )
    shell.env["PYTHONPATH"] = "."
    offered = {word.replace("\\", "") for word in shell.offers("autosyncctl status ")}
    assert not Path(shell.env["HOME"], "has-run").exists()
    assert offered >= set(NAMES)  # zsh offers what lies in the folder too


def test_without_a_daemon_nothing_is_offered_and_nothing_is_said(shell: Shell) -> None:
    Path(shell.env["HOME"], "state.json").unlink()
    assert shell.offers("autosyncctl sync ") <= {""}


def test_the_files_are_what_their_shells_can_read(env: dict[str, str]) -> None:
    commands = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["scripts"]
    for command in commands:
        execute(["bash", "-n", COMPLETIONS / "bash" / command])
        head = (COMPLETIONS / f"zsh/_{command}").read_text().partition("\n")[0]
        assert head == f"#compdef {command}"
        assert (COMPLETIONS / f"fish/{command}.fish").is_file()
    assert json.loads(Path(env["HOME"], "state.json").read_text())["repositories"]
