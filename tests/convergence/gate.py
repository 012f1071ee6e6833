"""A `git` that asks before it runs: whoever sits at the gate may act in between.

A driver finds this `git` first on its PATH. While the gate is open it writes a line into one pipe and
waits for one from another; then it becomes the real git.
"""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

SCRIPT = """#!/bin/sh
if [ ! -e {folder}/closed ]; then
  echo "$*" >{folder}/ask
  read -r _ <{folder}/go
fi
exec {git} "$@"
"""


class Gate:
    """The wrapper's folder, and the thread that answers."""

    def __init__(self, folder: Path, act: Callable[[], None]) -> None:
        self.folder, self._act = folder, act
        folder.mkdir(parents=True)
        real = shutil.which("git")
        assert real is not None
        (folder / "git").write_text(SCRIPT.format(folder=folder, git=real))
        (folder / "git").chmod(0o755)
        self.close()
        for name in ("ask", "go"):
            os.mkfifo(folder / name)
        # opened for both, so that neither side ever waits in open(2)
        self._ask, self._go = (os.open(folder / name, os.O_RDWR) for name in ("ask", "go"))
        self.passed = 0
        self.faults: list[BaseException] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def path(self, environment: dict[str, str]) -> dict[str, str]:
        """The environment of a driver whose git comes through here."""
        return environment | {"PATH": f"{self.folder}:{environment['PATH']}"}

    def open(self) -> None:
        (self.folder / "closed").unlink(missing_ok=True)

    def close(self) -> None:
        (self.folder / "closed").touch()

    def end(self) -> None:
        """Nobody comes through any more."""
        self.close()
        os.write(self._ask, b"end of the day\n")
        self._thread.join()
        os.close(self._ask)
        os.close(self._go)

    def _serve(self) -> None:
        while True:
            asked = os.read(self._ask, 1 << 16)
            if b"end of the day\n" in asked:
                return
            for _ in range(asked.count(b"\n")):
                self.passed += 1
                try:
                    self._act()
                except BaseException as fault:
                    self.faults.append(fault)
                os.write(self._go, b"\n")
