"""Where damaged files go: nothing of a person's repository is deleted because it is torn."""

import contextlib
import os

from autosyncd.vcs.git.repository import Repository


class Aside:
    """`<git dir>/autosync/damaged/N/`, made when the first file is moved there."""

    def __init__(self, state: bytes, common_dir: bytes) -> None:
        self._base = state + b"/damaged"
        self._common_dir = common_dir
        self._folder: bytes | None = None
        self.moved: list[bytes] = []

    @classmethod
    def of(cls, repository: Repository) -> "Aside":
        """For one look at a repository."""
        return cls(repository.state, repository.common_dir)

    def take(self, path: bytes) -> None:
        """Move a file there, under the name it had in the git directory."""
        name = os.path.relpath(path, self._common_dir)
        target = self._where() + b"/" + name.replace(b"../", b"")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            os.rename(path, target)
            self.moved.append(name)

    def keep_copy(self, path: bytes, data: bytes) -> None:
        """Keep what a file held that is about to be written anew."""
        target = self._where() + b"/" + os.path.relpath(path, self._common_dir).replace(b"../", b"")
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "wb") as file:
            file.write(data)

    @property
    def place(self) -> str:
        """Where a person finds them."""
        return os.fsdecode(self._folder or self._base)

    def _where(self) -> bytes:
        if self._folder is None:
            os.makedirs(self._base, mode=0o700, exist_ok=True)
            numbers = [int(name) for name in os.listdir(self._base) if name.isdigit()]
            self._folder = self._base + b"/%d" % (max(numbers, default=0) + 1)
            os.mkdir(self._folder)
        return self._folder
