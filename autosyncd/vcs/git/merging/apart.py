"""git commands whose outcome is a function of two tips: nothing of this machine has a say in it.

A merge goes by attributes, and those come from files that only one machine may have: the work tree's
`.gitattributes`, `info/attributes`, drivers in somebody's settings. So these commands run in a git
directory of their own that has the repository's objects and nothing else. Attributes are those of
`.gitattributes` at the top, if both tips have the same one; drivers are those that git has built in.

Rule files (`.gitignore`, `.gitattributes`) are merged by union, where git merges unless those say
otherwise. A rule that gave way to a conflict copy would hold no longer, and what it keeps private here
would be committed next (exceptions.py: what union alone would bring back).
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from autosyncd.vcs.git.command import QUICK, Result
from autosyncd.vcs.git.repository import Repository

NEEDED = (
    r"^(extensions\.(objectformat|partialclone)|remote\..*\.(url|promisor|partialclonefilter))$"
)
"""Settings without which the objects could not be read (partial clones fetch what is missing)."""

RULES = (b".gitignore", b".gitattributes")
"""Files of which each line is a rule of its own."""


class Apart:
    """Such commands for one merge."""

    def __init__(self, repository: Repository, first: str, second: str) -> None:
        self._git = repository.git
        self._folder = Path(os.fsdecode(repository.state), "apart")
        self._work_tree = self._folder / "tree"
        self._environment = {
            "GIT_DIR": str(self._folder),
            "GIT_WORK_TREE": str(self._work_tree),
            "GIT_OBJECT_DIRECTORY": os.fsdecode(repository.common_dir + b"/objects"),
            "GIT_SHALLOW_FILE": os.fsdecode(repository.common_dir + b"/shallow"),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
        }
        if not os.path.exists(self._environment["GIT_SHALLOW_FILE"]):
            del self._environment["GIT_SHALLOW_FILE"]
        self._make()
        ours, theirs = (repository.git.lookup(f"{tip}:.gitattributes") for tip in (first, second))
        if ours is not None and ours == theirs:
            blob = repository.git("cat-file", "blob", ours).out
            (self._work_tree / ".gitattributes").write_bytes(blob)

    def __call__(
        self,
        *arguments: str | bytes,
        stdin: bytes = b"",
        ok: Sequence[int] = (0,),
        timeout: float = QUICK,
    ) -> Result:
        """A local command. Raises GitFailed if its status is not in `ok`."""
        there = ("-C", str(self._work_tree), "-c", f"core.attributesFile={self._folder}/attributes")
        environment = self._environment
        return self._git(
            *there, *arguments, stdin=stdin, ok=ok, environment=environment, timeout=timeout
        )

    def _make(self) -> None:
        """The git directory, made anew: it is small."""
        shutil.rmtree(self._folder, ignore_errors=True)
        for name in ("refs", "tree"):
            (self._folder / name).mkdir(parents=True)
        (self._folder / "HEAD").write_text("ref: refs/heads/none\n")
        by_union = b"".join(name + b" merge=union\n" for name in RULES)
        (self._folder / "attributes").write_bytes(by_union)
        lines = ["[core]", "repositoryformatversion = 1", "bare = false"]
        said = self._git("config", "--local", "-z", "--get-regexp", NEEDED, ok=(0, 1))
        for record in said.records:
            key, _, value = os.fsdecode(record).partition("\n")
            section, _, name = key.rpartition(".")
            first, _, second = section.partition(".")
            lines.append(f"[{first} {_quoted(second)}]" if second else f"[{first}]")
            lines.append(f"{name} = {_quoted(value)}")
        text = "\n".join(lines) + "\n"
        (self._folder / "config").write_bytes(os.fsencode(text))


def _quoted(text: str) -> str:
    """A value as git-config(1) writes it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
