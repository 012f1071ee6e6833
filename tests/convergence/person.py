"""What people do to the files of a work tree, in every way that a system call allows.

All randomness comes from one generator, every content is unique, and each act tells the oracle exactly
what was destroyed and what was left.
"""

import contextlib
import mmap
import os
import random
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.convergence.oracle import Oracle
from tests.convergence.owngit import Acts, OwnGit

FOLDERS = ("", "", "d0", "d1", "d2", "d1/e", "d3/e/f")
NAMES = ("f0.txt", "f1.txt", "F1.txt", "f2.bin", "f3", "f4.md", "d2", "über straße.txt", "-x\n y")

MAPPED = 0.4
"""Of the files that programs keep open, how many they map as well."""
FULL = 60
"""So many files are too many: people tidy up. Else verbs that are slow, on a busy machine, would leave
more time for more files, which make them slower."""


@dataclass
class Handle:
    """A file that a program keeps open for writing, perhaps mapped as well."""

    file: int
    path: str
    map: mmap.mmap | None
    patience: int
    """How many of the person's acts it stays as it is."""


class Person:
    """Somebody at one machine."""

    def __init__(
        self, root: str, name: str, dice: random.Random, environment: dict[str, str]
    ) -> None:
        self.root, self.name, self.dice, self.environment = root, name, dice, environment
        self.oracle = Oracle(name)
        self.handles: list[Handle] = []
        self.touched: dict[str, float] = {}
        """What a watcher would have reported, and when."""
        self.mapped = MAPPED
        """The share of files that are opened with a mapping of their bytes."""
        self.unusual = False
        """The own git is used in ways that rewrite, take back or go away, too."""
        self.git = OwnGit(self)
        self.count = 0
        self.acts = 0
        self.late = 0

    # the door

    def act(self) -> None:
        """Do one thing, whatever it is; what others have changed meanwhile may make it fail."""
        with self.oracle.lock:
            self.acts += 1
            with contextlib.suppress(
                FileNotFoundError, NotADirectoryError, IsADirectoryError, FileExistsError
            ):
                self._write_late()
                if len(files := self.files()) > FULL:
                    for path in self.dice.sample(files, FULL // 4):
                        self._delete(path)
                else:
                    self._choose()()
                self.git.pass_time()

    def go_home(self) -> None:
        """Write to what is still open, and close everything."""
        with self.oracle.lock:
            self._write_late(now=True)
            self.git.come_back()

    def tidy(self) -> None:
        """Delete the copies that conflicts have left, and some more, so that trees stay small."""
        with self.oracle.lock:
            for path in self.files():
                if "sync-conflict" in path or self.dice.random() < 0.3:
                    with contextlib.suppress(OSError):
                        self._delete(path)

    # what is there

    def full(self, path: str) -> str:
        return os.path.join(self.root, path)

    def files(self) -> list[str]:
        """Every file and link."""
        return sorted(self._walk(folders=False))

    def folders(self) -> list[str]:
        return sorted(self._walk(folders=True))

    def _walk(self, *, folders: bool, below: str = "") -> Iterator[str]:
        for base, names, files in os.walk(self.full(below) if below else self.root):
            if ".git" in names:
                names.remove(".git")
            links = [name for name in names if os.path.islink(os.path.join(base, name))]
            wanted = [name for name in names if name not in links] if folders else files + links
            yield from (os.path.relpath(os.path.join(base, name), self.root) for name in wanted)

    def some_path(self) -> str:
        return os.path.join(self.dice.choice(FOLDERS), self.dice.choice(NAMES))

    def some_file(self, *, links: bool = False) -> str:
        files = [path for path in self.files() if links or not os.path.islink(self.full(path))]
        if not files:
            raise FileNotFoundError
        return self.dice.choice(files)

    def _fresh(self) -> bytes:
        """A new content: lines that merge, bytes that don't, or a long one."""
        self.count += 1
        mark = b"%s-%d-%x" % (self.name.encode(), self.count, self.dice.getrandbits(40))
        kind = self.dice.randrange(8)
        if kind < 4:
            changed = self.dice.randrange(8)
            lines = (mark if number == changed else b"line %d" % number for number in range(8))
            return b"\n".join(lines) + b"\n" + mark + b"\n"
        if kind < 6:
            return self.dice.randbytes(60) + b"\0" + mark
        return mark + b"\n" if kind == 6 else (mark + b"\n") * 20_000

    # acts

    def _choose(self) -> Callable[[], object]:
        acts: Acts = {
            self._save: 5,
            self._save_slowly: 1,
            self._save_atomically: 3,
            self._save_with_backup: 1,
            self._edit_a_line: 6,
            self._edit_many: 0.3,
            self._append: 2,
            self._poke: 2,
            self._delete_one: 2,
            self._delete_folder: 0.5,
            self._rename_one: 2,
            self._rename_over: 1,
            self._rename_folder: 1,
            self._chmod: 1,
            self._make_link: 1,
            self._file_to_folder: 1,
            self._folder_to_file: 0.5,
            self._open: 2,
            **self.git.usual(),
            **(self.git.unusual() if self.unusual else {}),
        }
        return self.dice.choices(list(acts), list(acts.values()))[0]

    def _save(self) -> None:
        """open(O_TRUNC), write, close."""
        path = self.some_path()
        os.makedirs(os.path.dirname(self.full(path)), exist_ok=True)
        self._truncate(path, self._fresh(), "save")

    def _truncate(self, path: str, data: bytes, how: str, *, slowly: bool = False) -> None:
        if os.path.islink(self.full(path)):
            self._delete(path)
        before = time.monotonic()
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        file = os.open(self.full(path), flags, 0o644)
        inode = os.fstat(file).st_ino
        self.oracle.overwritten(inode, before, None)
        middle = len(data) // 2
        os.write(file, data[:middle])
        if slowly:
            time.sleep(self.dice.random() * 0.03)
        os.write(file, data[middle:])
        os.close(file)
        self._wrote(inode, path, data, how)

    def _save_slowly(self) -> None:
        self._truncate(self.some_file(), self._fresh(), "slow save", slowly=True)

    def _save_atomically(self) -> None:
        """Write a temporary file, rename it over."""
        path = self.some_file(links=True)
        self._rename_fresh(path, "atomic save")

    def _rename_fresh(self, path: str, how: str) -> None:
        folder, name = os.path.split(path)
        beside = os.path.join(folder, self.dice.choice((f"{name}~", f".goutputstream-{name}")))
        data = self._fresh()
        with open(self.full(beside), "xb") as file:
            file.write(data)
            inode = os.fstat(file.fileno()).st_ino
        try:
            with self.displacing(path):
                os.rename(self.full(beside), self.full(path))
        except OSError:
            os.unlink(self.full(beside))
            raise
        self._wrote(inode, path, data, how)

    def _save_with_backup(self) -> None:
        """Rename the old one aside, write a new one, delete the old one (vim's way)."""
        path = self.some_file()
        aside = path + "~"
        if os.path.lexists(self.full(aside)):
            return
        self._rename(path, aside)
        try:
            self._truncate(path, self._fresh(), "save with backup")
        finally:
            self._delete(aside)

    def _edit_many(self) -> None:
        """Search and replace through everything."""
        for path in self.files():
            with contextlib.suppress(OSError):
                self._edit(path)

    def _edit_a_line(self) -> None:
        """Read, change a line, truncate and write: what most editors do."""
        self._edit(self.some_file())

    def _edit(self, path: str) -> None:
        with self._in_place(path, "edit") as (file, old):
            lines = old.split(b"\n")[:200]
            lines[self.dice.randrange(len(lines))] = self.mark("edit")
            data = b"\n".join(lines)
            os.ftruncate(file, 0)
            os.pwrite(file, data, 0)

    def _append(self) -> None:
        with self._in_place(self.some_file(), "append") as (file, old):
            os.pwrite(file, self.mark("append") + b"\n", len(old))

    def _poke(self) -> None:
        """Bytes in the middle, the length stays."""
        with self._in_place(self.some_file(), "poke") as (file, old):
            mark = self.mark("poke")
            os.pwrite(file, mark, max(0, (len(old) - len(mark)) // 2))

    @contextlib.contextmanager
    def _in_place(self, path: str, how: str) -> Iterator[tuple[int, bytes]]:
        before = time.monotonic()
        file = os.open(self.full(path), os.O_RDWR | os.O_NOFOLLOW)
        try:
            inode, old = os.fstat(file).st_ino, content(file)
            self.oracle.overwritten(inode, before, old)
            yield file, old
            data = content(file)
        finally:
            os.close(file)
        self._wrote(inode, path, data, how)

    def _delete_one(self) -> None:
        self._delete(self.some_file(links=True))

    def _delete(self, path: str) -> None:
        with self.displacing(path):
            os.unlink(self.full(path))
        self.touch(path)

    def _delete_folder(self) -> None:
        folders = self.folders()
        if folders:
            self._remove_tree(self.dice.choice(folders))

    def _remove_tree(self, folder: str) -> None:
        for path in list(self._walk(folders=False, below=folder)):
            self._delete(path)
        for path in [*sorted(self._walk(folders=True, below=folder), reverse=True), folder]:
            with contextlib.suppress(OSError):
                os.rmdir(self.full(path))

    def _rename_one(self) -> None:
        self._rename(self.some_file(links=True), self.some_path())

    def _rename(self, path: str, other: str) -> None:
        self.rename(path, other, lambda: os.rename(self.full(path), self.full(other)))

    def rename(self, path: str, other: str, how: Callable[[], object]) -> None:
        """To a name that is free, in some way that may do nothing at all."""
        if other == path or os.path.lexists(self.full(other)):
            return
        os.makedirs(os.path.dirname(self.full(other)), exist_ok=True)
        before = time.monotonic()
        with self.displacing(other):
            how()
        if os.path.lexists(self.full(other)):
            self._moved(path, other, before)

    def _rename_over(self) -> None:
        path, other = self.some_file(), self.some_file(links=True)
        if path != other:
            before = time.monotonic()
            with self.displacing(other):
                os.rename(self.full(path), self.full(other))
            self._moved(path, other, before)

    def _rename_folder(self) -> None:
        folders = self.folders()
        other = self.dice.choice(("d0", "d1", "d4", "d5/x", "D1"))
        if not folders or os.path.lexists(self.full(other)):
            return
        folder = self.dice.choice(folders)
        if other.startswith(folder + "/"):
            return
        os.makedirs(os.path.dirname(self.full(other)), exist_ok=True)
        before = time.monotonic()
        os.rename(self.full(folder), self.full(other))
        self.touch(folder)
        self.touch(other)
        for path in list(self._walk(folders=False, below=other)):
            self._moved(os.path.join(folder, os.path.relpath(path, other)), path, before)

    def _chmod(self) -> None:
        path = self.some_file()
        os.chmod(self.full(path), self.dice.choice((0o755, 0o644)))
        self.touch(path)

    def _make_link(self) -> None:
        """A symbolic link that leads nowhere, in the place of a file or beside."""
        path = self.dice.choice((self.some_path(), self.some_file(links=True)))
        os.makedirs(os.path.dirname(self.full(path)), exist_ok=True)
        if os.path.lexists(self.full(path)):
            self._delete(path)
        target = self.mark("nowhere")
        os.symlink(os.fsdecode(target), self.full(path))
        self._wrote(os.lstat(self.full(path)).st_ino, path, target, "link")

    def _file_to_folder(self) -> None:
        path = self.some_file(links=True)
        self._delete(path)
        os.makedirs(self.full(path))
        self._truncate(path + "/in", self._fresh(), "file to folder")

    def _folder_to_file(self) -> None:
        folders = self.folders()
        if folders:
            folder = self.dice.choice(folders)
            self._remove_tree(folder)
            self._truncate(folder, self._fresh(), "folder to file")

    # programs that keep a file open

    def _open(self) -> None:
        path = self.some_file()
        file = os.open(self.full(path), os.O_RDWR | os.O_NOFOLLOW)
        status = os.fstat(file)
        self.oracle.destroyed.discard(status.st_ino)
        mapped = None
        if self.dice.random() < self.mapped and status.st_size > 40:
            mapped = mmap.mmap(file, status.st_size)
        handle = Handle(file, path, mapped, self.dice.randrange(1, 25))
        self.handles.append(handle)
        if mapped is not None and self.dice.random() < 0.5:
            # so that the next store moves no time stamp
            self._write_through(handle, close=False)

    def _write_late(self, *, now: bool = False) -> None:
        """Programs whose patience is over write and close."""
        for handle in list(self.handles):
            handle.patience -= 1
            if now or handle.patience <= 0:
                self.handles.remove(handle)
                self._write_through(handle, close=True)
                self.late += 1

    def _write_through(self, handle: Handle, *, close: bool) -> None:
        before = time.monotonic()
        status = os.fstat(handle.file)
        if status.st_nlink == 0 and status.st_ino in self.oracle.destroyed:
            if close:  # the person has deleted it: he has what he wants
                self._close(handle)
            return
        self.oracle.overwritten(status.st_ino, before, content(handle.file))
        mark = self.mark("late")
        mapped = handle.map is not None and status.st_size == len(handle.map) >= len(mark)
        if mapped and handle.map is not None:
            handle.map[: len(mark)] = mark
        elif handle.map is None and self.dice.random() < 0.5:
            os.ftruncate(handle.file, 0)
            os.pwrite(handle.file, mark, 0)
        else:
            os.pwrite(handle.file, mark, status.st_size)
        how = "late through a map" if mapped else "late through a handle"
        if status.st_nlink == 0:
            how += " of a file that no person has deleted"
        data = content(handle.file)
        if close:
            self._close(handle)
        unknown = mapped and not close
        self.oracle.wrote(status.st_ino, handle.path, data, how, unseen=mapped, open=unknown)

    def _close(self, handle: Handle) -> None:
        if handle.map is not None:
            handle.map.close()
        os.close(handle.file)
        self.touch(handle.path)

    # what the oracle and a watcher are told

    def mark(self, word: str) -> bytes:
        self.count += 1
        bits = self.dice.getrandbits(40)
        return f"{word} {self.name} {self.count} {bits:x}".encode()

    def touch(self, path: str) -> None:
        self.touched[path] = time.monotonic()

    def _wrote(self, inode: int, path: str, data: bytes, how: str) -> None:
        self.oracle.wrote(inode, path, data, how)
        self.touch(path)

    def _moved(self, path: str, other: str, before: float) -> None:
        self.touch(path)
        self.touch(other)
        inode = os.lstat(self.full(other)).st_ino
        self.oracle.moved(inode, other, before)
        for handle in self.handles:
            if os.fstat(handle.file).st_ino == inode:
                handle.path = other

    @contextlib.contextmanager
    def displacing(self, path: str) -> Iterator[None]:
        """Whatever is at the path loses its name by what is done inside; find out which inode."""
        try:
            file = os.open(self.full(path), os.O_PATH | os.O_NOFOLLOW)
        except FileNotFoundError:
            yield
            return
        try:
            before = time.monotonic()
            status = os.fstat(file)
            found = None
            if stat.S_ISREG(status.st_mode):
                again = os.open(f"/proc/self/fd/{file}", os.O_RDONLY)
                found = content(again)
                os.close(again)
            yield
            if os.fstat(file).st_nlink == 0:
                self.oracle.overwritten(status.st_ino, before, found)
                self.oracle.destroyed.add(status.st_ino)
            elif status.st_ino not in self.oracle.standing:
                self.oracle.unsure(path)  # the driver exchanged it in this very instant
        finally:
            os.close(file)


def content(file: int) -> bytes:
    """All that is in an open file."""
    return os.pread(file, os.fstat(file).st_size, 0)
