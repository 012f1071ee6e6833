"""Two clones of a real tree, this machine's Python library and /usr/share/doc, through all that people
and their programs do to files."""

import hashlib
import os
import shutil
import socket
import stat
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemons import Daemon, clone, daemon, git, hub
from tests.testbed import GitServers
from tests.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LIBRARY_FILES = 15_000
ALL_FILES = 20_000
ARRIVES_WITHIN = 40.0
Seen = dict[bytes, tuple[str, str]]
"""Path → what it is (file, program, link), and its content's hash or its target."""


@dataclass
class Pair:
    """The two clones, and the daemon that holds both."""

    one: Path
    other: Path
    machine: Daemon

    def agree(self) -> Seen:
        """Wait until both clones are clean and hold the same; what they hold."""
        try:
            eventually(lambda: not self.difference(), ARRIVES_WITHIN, every=0.1)
        except AssertionError:
            raise AssertionError(f"{self.difference()}\n{self.machine.text()[-4000:]}") from None
        return seen(self.one)

    def difference(self) -> object:
        """What is not as it should be yet; falsy when all is."""
        if dirty := [line for tree in (self.one, self.other) for line in unclean(tree)]:
            return dirty
        heads = {git(tree, "rev-parse", "HEAD") for tree in (self.one, self.other)}
        return heads if len(heads) > 1 else seen(self.one).items() ^ seen(self.other).items()


def unclean(tree: Path) -> list[str]:
    """What git's status says, without a repository inside, which stays untracked."""
    said = git(tree, "--no-optional-locks", "status", "--porcelain", "--untracked-files=all")
    return [line for line in said.splitlines() if not line.endswith("projects/inner/")]


def seen(folder: Path) -> Seen:
    """All that git would keep of a work tree."""
    found: Seen = {}
    for base, folders, names in os.walk(os.fsencode(folder)):
        folders[:] = [one for one in folders if not _apart(os.path.join(base, one))]
        links = [one for one in folders if os.path.islink(os.path.join(base, one))]
        for path in (os.path.join(base, name) for name in (*names, *links)):
            if kept := _what(path):
                found[os.path.relpath(path, os.fsencode(folder))] = kept
    return found


def _apart(path: bytes) -> bool:
    """git's own folder, or a repository of its own."""
    return path.endswith(b"/.git") or os.path.exists(os.path.join(path, b".git"))


def _what(path: bytes) -> tuple[str, str] | None:
    about = os.lstat(path)
    if stat.S_ISLNK(about.st_mode):
        return "link", os.fsdecode(os.readlink(path))
    if not stat.S_ISREG(about.st_mode):
        return None
    with open(path, "rb") as file:
        content = hashlib.file_digest(file, "sha1").hexdigest()
    return "program" if about.st_mode & stat.S_IXUSR else "file", content


def fill(folder: Path) -> int:
    """Copy the real files into a folder; how many there are."""
    count = copy(Path(sysconfig.get_path("stdlib")), folder / "library", LIBRARY_FILES)
    return count + copy(Path("/usr/share/doc"), folder / "doc", ALL_FILES - count)


def copy(source: Path, target: Path, most: int) -> int:
    count = 0
    for base, folders, names in os.walk(source):
        folders[:] = sorted(one for one in folders if one not in ("__pycache__", ".git"))
        place = target / Path(base).relative_to(source)
        for name in sorted(names)[: most - count]:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy2(Path(base, name), place / name, follow_symlinks=False)
            count += 1
    return count


@pytest.fixture(scope="module", params=["local", "ssh", "https"])
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp(f"real-{request.param}")
    if request.param == "local":
        yield from running(folder, str(hub(folder)), {})
    else:
        with GitServers(folder / "servers") as servers, pytest.MonkeyPatch.context() as patch:
            for name, value in servers.environment.items():
                patch.setenv(name, value)
            yield from running(folder, servers.url(request.param), servers.environment)
    shutil.rmtree(folder, ignore_errors=True)


def running(folder: Path, url: str, environment: dict[str, str]) -> Iterator[Pair]:
    """Two clones of the real tree under one daemon."""
    one = clone(url, folder / "one")
    assert fill(one) > 500
    git(one, "add", "--all", "--force")
    git(one, "commit", "--quiet", "--message", "a real tree")
    git(one, "-c", "http.version=HTTP/1.1", "push", "--quiet", "origin", "main")
    other = clone(url, folder / "other")
    git(other, "reset", "--quiet", "--hard", "origin/main")
    with daemon(folder, **environment) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start()
        machine.says("[one] idle", 60)
        machine.says("[other] idle", 60)
        yield Pair(one, other, machine)


def some_files(tree: Path, count: int) -> list[Path]:
    """Files all over the tree, the same at each call while nobody changes it."""
    tracked = git(tree, "ls-files", "-z", "library").split("\0")[:-1]
    plain = [tree / name for name in tracked if not (tree / name).is_symlink()]
    return plain[:: max(1, len(plain) // count)][:count]


def test_edits_in_place(pair: Pair) -> None:
    files = some_files(pair.one, 20)
    for file in files:
        with file.open("ab") as opened:
            opened.write(b"# one more line\n")
    pair.agree()
    assert all(file.read_bytes().endswith(b"# one more line\n") for file in files)


def test_files_made_and_deleted(pair: Pair) -> None:
    gone = some_files(pair.one, 15)
    for number, file in enumerate(gone):
        file.unlink()
        (pair.one / "new" / f"{number % 3}").mkdir(parents=True, exist_ok=True)
        (pair.one / "new" / f"{number % 3}" / f"made-{number}.txt").write_text(f"{number}\n")
    held = pair.agree()
    assert b"new/2/made-14.txt" in held
    assert not any(os.fsencode(file.relative_to(pair.one)) in held for file in gone)


def test_files_and_folders_renamed(pair: Pair) -> None:
    for file in some_files(pair.other, 10):
        file.rename(file.with_name(f"renamed {file.name}"))
    (pair.other / "library" / "json").rename(pair.other / "library" / "json of old")
    held = pair.agree()
    assert b"library/json of old/decoder.py" in held
    assert b"library/json/decoder.py" not in held
    (pair.one / "library/json of old/decoder.py").write_text("edited under its new name\n")
    pair.agree()
    moved = pair.other / "library/json of old/decoder.py"
    assert moved.read_text() == "edited under its new name\n"


def test_a_save_by_a_file_renamed_over(pair: Pair) -> None:
    file = some_files(pair.one, 1)[0]
    beside = file.with_name(f".{file.name}.part-1")
    beside.write_text("the whole new content\n")
    beside.rename(file)
    pair.agree()
    assert (pair.other / file.relative_to(pair.one)).read_text() == "the whole new content\n"


def test_a_save_as_vim_does_it(pair: Pair) -> None:
    file = some_files(pair.one, 2)[1]
    probe = file.with_name("4913")
    probe.touch()
    probe.unlink()
    backup = file.with_name(f"{file.name}~")
    file.rename(backup)
    file.write_text("written by vim\n")
    backup.unlink()
    held = pair.agree()
    assert (pair.other / file.relative_to(pair.one)).read_text() == "written by vim\n"
    assert not any(path.endswith((b"/4913", b"~")) for path in held)


def test_links_and_programs(pair: Pair) -> None:
    (pair.one / "link to a file").symlink_to("doc")
    (pair.one / "link to nowhere").symlink_to("no/such/file")
    program = some_files(pair.one, 3)[2]
    program.chmod(0o755)
    held = pair.agree()
    assert held[b"link to a file"] == ("link", "doc")
    assert held[b"link to nowhere"] == ("link", "no/such/file")
    assert os.access(pair.other / program.relative_to(pair.one), os.X_OK)
    (pair.other / "link to nowhere").unlink()
    (pair.other / "link to nowhere").symlink_to("elsewhere")
    assert pair.agree()[b"link to nowhere"] == ("link", "elsewhere")


NAMES = (
    b"two words",
    b"new\nline",
    b"quote\" and 'quote'",
    b"-leading dash",
    b"--all",
    b"IMG[1].txt",
    b"IMG1.txt",
    b"*",
    b"?",
    b":(glob)x",
    b"back\\slash",
    b"invalid \xff\xfe utf-8",
    "grün 文".encode(),
    b"l" * 200,
    b" ",
    b"#comment",
    b"!important",
)


def test_names_that_programs_stumble_over(pair: Pair) -> None:
    place = os.fsencode(pair.one / "odd")
    os.mkdir(place)
    for name in NAMES:
        with open(os.path.join(place, name), "wb") as file:
            file.write(b"this is " + name)
    held = pair.agree()
    assert {b"odd/" + name for name in NAMES} <= held.keys()
    os.unlink(os.path.join(os.fsencode(pair.other), b"odd", b"*"))
    os.unlink(os.path.join(os.fsencode(pair.other), b"odd", b"IMG[1].txt"))
    held = pair.agree()
    assert {b"odd/" + name for name in NAMES} - held.keys() == {b"odd/*", b"odd/IMG[1].txt"}


def test_a_file_deleted_and_moved_back_at_once(pair: Pair) -> None:
    file = some_files(pair.one, 4)[3]
    content = file.read_bytes()
    outside = pair.one.parent / "kept outside"
    shutil.move(file, outside)
    eventually(lambda: not file.exists())
    shutil.move(outside, file)
    pair.agree()
    assert file.read_bytes() == content
    assert (pair.other / file.relative_to(pair.one)).read_bytes() == content


def test_a_repository_inside_is_left_alone_and_said_once(pair: Pair) -> None:
    inner = pair.one / "projects" / "inner"
    inner.mkdir(parents=True)
    git(inner, "init", "-q")
    (inner / "its-own.txt").write_text("not ours\n")
    (pair.one / "projects" / "ours.txt").write_text("ours\n")
    held = pair.agree()
    assert b"projects/ours.txt" in held
    (pair.one / "projects" / "ours-too.txt").write_text("ours\n")
    pair.agree()
    assert not (pair.other / "projects" / "inner").exists()
    assert "160000" not in git(pair.one, "ls-files", "--stage", "projects")
    assert pair.machine.text().count("projects/inner") == 1


def test_what_is_no_file_is_no_matter(pair: Pair) -> None:
    special = pair.one / "special"
    special.mkdir()
    os.mkfifo(special / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(special, os.O_PATH)
        try:
            listening.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
        (special / "plain.txt").write_text("plain\n")
        held = pair.agree()
    assert [path for path in held if path.startswith(b"special/")] == [b"special/plain.txt"]


def test_a_file_that_nobody_may_read_holds_up_no_other(pair: Pair) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    locked = pair.one / "locked.txt"
    locked.touch(mode=0o000)
    (pair.one / "beside-it.txt").write_text("readable\n")
    eventually(lambda: (pair.other / "beside-it.txt").exists(), ARRIVES_WITHIN)
    locked.unlink()
    pair.agree()


def test_at_the_end_the_whole_history_is_sound(pair: Pair) -> None:
    pair.agree()
    for tree in (pair.one, pair.other):
        git(tree, "fsck", "--no-dangling", "--no-progress")
    assert "Traceback" not in pair.machine.text()
    assert "error" not in pair.machine.text().lower().replace("no-error", "")
