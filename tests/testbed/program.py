"""A program of the testbed while it is up, and how commands are run."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
PATH_WITH_SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

Result = subprocess.CompletedProcess[str]


def require(*, root: bool = False, programs: Mapping[str, str]) -> None:
    """Skip the test where we are not root or a program (name → Debian package) is missing."""
    if root and os.geteuid() != 0:
        pytest.skip("needs root")
    for program, package in programs.items():
        if shutil.which(program, path=PATH_WITH_SBIN) is None:
            pytest.skip(f"needs {program}: apt install {package}")


class Failed(AssertionError):
    """A command that should have succeeded did not; says what it wrote."""


def execute(
    argv: Iterable[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    input: str | None = None,
    check: bool = True,
    timeout: float = 120.0,
) -> Result:
    """Run a command, with `env` on top of our environment, and give back what it wrote."""
    command = [str(word) for word in argv]
    done = subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        **({"stdin": subprocess.DEVNULL} if input is None else {"input": input}),
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=timeout,
        check=False,
    )
    if check and done.returncode != 0:
        raise Failed(f"{command} exited {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def read_exports(path: Path) -> dict[str, str]:
    """The variables that a file of `export NAME=VALUE` lines sets."""
    return {
        name: value.strip('"')
        for name, value in re.findall(r"^export (\w+)=(.*)$", path.read_text(), re.MULTILINE)
    }


class Testbed:
    """One program of the testbed while it is up."""

    __test__ = False  # not a test class, whatever pytest thinks of its name
    program = ""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        self.env = dict(env or {})

    def call(self, *words: str | Path, check: bool = True, timeout: float = 120.0) -> str:
        """Run our program; what it printed."""
        argv = [HERE / self.program, *words]
        return execute(argv, env=self.env, check=check, timeout=timeout).stdout

    def start(self) -> None: ...
    def stop(self) -> None: ...

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            with contextlib.suppress(Failed):
                self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
