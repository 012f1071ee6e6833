"""Long-lived git children for commits of a few known paths.

Each is asked what a process of its own would be started for elsewhere, and git's own filters, checks
and formats apply. What they read once and never again (configuration, attributes, ignore rules) is
watched by its stamps (stamps.py): when that changes, new children take their place.

Their objects are not flushed one by one; durable.py does that for all of a commit at once.
"""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.partner import Extent, Partner, PartnerFailed, lines, nothing

UNFLUSHED = ("core.fsync=none",)
OWN_OBJECTS = {"GIT_NO_REPLACE_OBJECTS": "1"}
"""A long-lived child would not notice a replacement (git-replace(1)) that comes."""
_SIZE = re.compile(rb"[0-9a-f]+ [a-z]+ ([0-9]+)")
AT_ONCE = 64
"""Texts that a child is given at a time: each costs a descriptor meanwhile."""
_OID = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(slots=True)
class GitChildren:
    """Those of one repository, each started when it is first asked."""

    git: Git
    _running: dict[str, Partner] = field(default_factory=dict)
    _trees: list[bytes] = field(default_factory=list)
    """Ids of trees that were written."""
    _awaited: int = 0
    """How many more the child has been given."""
    _texts: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def blobs(self, paths: Sequence[bytes]) -> list[bytes]:
        """Write these files of the work tree as blobs, through git's filters; their ids."""
        return self._hashed("files", ("hash-object", "-w", "--stdin-paths"), paths)

    def raw_blobs(self, texts: Sequence[bytes]) -> list[bytes]:
        """Write these bytes as blobs; their ids."""
        command = ("hash-object", "-w", "--no-filters", "--stdin-paths")
        with contextlib.ExitStack() as stack:
            files = [stack.enter_context(_in_memory(text)) for text in texts]
            return self._hashed("raw", command, files)

    def commit(self, text: bytes) -> bytes:
        """Write a commit object; its id. git checks the format."""
        command = ("hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths")
        with _in_memory(text) as file:
            return self._hashed("commits", command, [file])[0]

    def write_trees(self, texts: Sequence[bytes]) -> None:
        """Let tree objects be written; their ids are asked for later (written_trees())."""
        for at in range(0, len(texts), AT_ONCE):
            self._hear_trees()
            some = [self._texts.enter_context(_in_memory(text)) for text in texts[at:][:AT_ONCE]]
            asked = b"".join(quoted(file) + b"\n" for file in some)
            self._talk(self._child("trees", _TREES), asked, nothing)
            self._awaited = len(some)

    def written_trees(self) -> list[bytes]:
        """The ids of the trees, in the order in which they were given."""
        self._hear_trees()
        written, self._trees = self._trees, []
        return written

    def _hear_trees(self) -> None:
        self._trees += self._ids("trees", _TREES, b"", self._awaited)
        self._awaited = 0
        self._texts.close()

    def contents(self, names: Sequence[bytes]) -> list[tuple[bytes, bytes] | None]:
        """Id and bytes of the trees with these names (gitrevisions(7)); None where there is none."""
        if not names:
            return []
        asked = b"".join(b"contents %s\n" % name for name in names) + b"flush\n"
        child = self._child("contents", ("cat-file", "--batch-command", "--buffer"))
        said = self._talk(child, asked, _objects(len(names)))
        found: list[tuple[bytes, bytes] | None] = []
        at = 0
        for name in names:
            if said.startswith(name + b" missing\n", at):
                at += len(name) + len(b" missing\n")
                found.append(None)
                continue
            head, _, _ = said[at : at + 200].partition(b"\n")
            words = head.split(b" ")
            if len(words) != 3 or words[1] != b"tree":
                raise Doubtful("A folder is something else in the last commit.")
            begin = at + len(head) + 1
            at = begin + int(words[2]) + 1
            found.append((words[0], said[begin : at - 1]))
        return found

    def ignored(self, paths: Sequence[bytes]) -> list[bool]:
        """Whether each is ignored, if it is not tracked."""
        if not paths:
            return []
        # without "./" a path that begins with a colon would be a pattern
        asked = b"".join(b"./" + path + b"\0" for path in paths)
        command = ("check-ignore", "--no-index", "-z", "-v", "-n", "--stdin")
        said = self._talk(self._child("ignored", command), asked, _ends(b"\0", 4 * len(paths)))
        fields = said.split(b"\0")[:-1]
        patterns, names = fields[2::4], fields[3::4]
        if names != [b"./" + path for path in paths]:
            raise Doubtful("It is not known whether a file is ignored.")
        return [bool(pattern) and not pattern.startswith(b"!") for pattern in patterns]

    def begin_move(self, ref: str, old: str, new: str) -> None:
        """Have a ref locked and its new value written, if it is at `old`; end_move() moves it."""
        name = ref.encode("utf-8", "surrogateescape")
        command = b"update %s\0%s\0%s\0" % (name, new.encode(), old.encode())
        self._child("refs", _REFS, settings=()).say(b"start\0" + command + b"prepare\0")

    def end_move(self) -> bool:
        """Move the ref; False when it wasn't where it was expected. Raises PartnerFailed. To be
        followed by leave_move() in any case."""
        child = self._child("refs", _REFS, settings=())
        try:
            child.talk(b"commit\0", lines(3))
        except PartnerFailed as problem:
            if "cannot lock ref" in str(problem) and "is at" in str(problem):
                return False
            raise
        return True

    def leave_move(self) -> None:
        """Let the ref be unlocked, if it still is locked. The child serves once: it would write the
        time of its first answer into every later entry of the reflog."""
        self._let_go("refs")

    def prepare(self) -> None:
        """Let what takes a moment to start begin with that."""
        self._child("refs", _REFS, settings=()).wake()

    def end(self) -> None:
        """Let them all go."""
        for name in list(self._running):
            self._let_go(name)
        self._trees, self._awaited = [], 0
        self._texts.close()

    def _let_go(self, name: str) -> None:
        partner = self._running.pop(name, None)
        if partner is not None:
            partner.end()

    def _child(
        self, name: str, command: Sequence[str], settings: Sequence[str] = UNFLUSHED
    ) -> Partner:
        if name not in self._running:
            self._running[name] = self.git.partner(
                *command, settings=settings, environment=OWN_OBJECTS
            )
        return self._running[name]

    def _hashed(self, name: str, command: Sequence[str], paths: Sequence[bytes]) -> list[bytes]:
        asked = b"".join(quoted(path) + b"\n" for path in paths)
        return self._ids(name, command, asked, len(paths))

    def _ids(self, name: str, command: Sequence[str], asked: bytes, count: int) -> list[bytes]:
        if not count:
            return []
        oids = self._talk(self._child(name, command), asked, _ends(b"\n", count)).split(b"\n")[:-1]
        if not all(_OID.fullmatch(oid) for oid in oids):
            raise Doubtful("A git child gave a strange answer.")
        return oids

    def _talk(self, child: Partner, asked: bytes, extent: Extent) -> bytes:
        try:
            return child.talk(asked, extent)
        except PartnerFailed as problem:
            raise Doubtful(f"A git child gave no answer: {problem}") from problem


# mktree(1) would look up each entry of each tree: for a hundred trees most of the time
_TREES = ("hash-object", "-t", "tree", "-w", "--no-filters", "--stdin-paths")
_REFS = ("update-ref", "-m", "autosyncd", "--stdin", "-z")


def quoted(path: bytes) -> bytes:
    """A path in the quotes of C, as git reads it from a line (git's quote.c)."""
    inside = path.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"' + inside + b'"'


def _ends(mark: bytes, count: int) -> Extent:
    """So many rows that end with this mark, and nothing after them."""

    def extent(came: bytearray) -> int | None:
        return len(came) if came.count(mark) >= count else None

    return extent


def _objects(count: int) -> Extent:
    """So many objects as `cat-file --batch` writes them: `id type size`, then the bytes; or a name
    and a word."""
    at, left = 0, count

    def extent(came: bytearray) -> int | None:
        nonlocal at, left
        while left:
            end = came.find(b"\n", at)
            if end < 0:
                return None
            size = _SIZE.fullmatch(came, at, end)
            after = end + 1 + (int(size[1]) + 1 if size else 0)
            if len(came) < after:
                return None
            at, left = after, left - 1
        return at

    return extent


@contextlib.contextmanager
def _in_memory(text: bytes) -> Iterator[bytes]:
    """A file of these bytes that costs no disk; its path, as long as it is used."""
    handle = os.memfd_create("text", os.MFD_CLOEXEC)
    try:
        os.write(handle, text)
        yield b"/proc/%d/fd/%d" % (os.getpid(), handle)
    finally:
        os.close(handle)
