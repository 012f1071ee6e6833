"""The quick way to a commit of a few known paths: it comes out as the general one would, always."""

import os
import random
import resource
import stat
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from autosyncd.errors import ChildAborted
from autosyncd.vcs import partner
from autosyncd.vcs.git import indexes
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.committing import children, excerpt, quick, quickcommit, wholeindex
from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.git.committing.trees import Folder, tree_id
from autosyncd.vcs.outcomes import (
    Aborted,
    CommitMade,
    NothingToCommit,
    Question,
    Waiting,
    Why,
)
from autosyncd.vcs.partner import Partner, PartnerFailed, lines
from tests.trees import Clone, World
from tests.waiting import eventually


@pytest.fixture
def laptop(world: World) -> Clone:
    return settled(world.clone("laptop"))


def settled(clone: Clone, files: tuple[str, ...] = ("a.txt", "notes/b.txt")) -> Clone:
    """A clone with some files, of which it is known that nothing is staged."""
    for name in files:
        clone.edit(name, f"{name}\n")
    clone.committed()
    return clone


class Ways:
    """Which way commits have gone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gone: Counter[str] = Counter()
        self._count(monkeypatch, excerpt, "draft", "excerpt")
        self._count(monkeypatch, wholeindex, "run", "whole")

    def _count(self, monkeypatch: pytest.MonkeyPatch, room: object, name: str, way: str) -> None:
        run = getattr(room, name)

        def counted(*arguments: object) -> object:
            self.gone[way] += 1
            return run(*arguments)

        monkeypatch.setattr(room, name, counted)

    @property
    def surely(self) -> int:
        """How often it was not the quick way."""
        return self.gone.total()

    def quick(self, clone: Clone, *paths: str | bytes) -> CommitMade:
        """Commit, and be sure that it went the quick way."""
        return self._by(clone, paths, set())

    def excerpt(self, clone: Clone, *paths: str | bytes) -> CommitMade:
        """… on an index of the paths alone."""
        return self._by(clone, paths, {"excerpt"})

    def whole(self, clone: Clone, *paths: str | bytes) -> CommitMade:
        """… on the whole index."""
        return self._by(clone, paths, None)

    def _by(
        self, clone: Clone, paths: tuple[str | bytes, ...], ways: set[str] | None
    ) -> CommitMade:
        self.gone.clear()
        made = clone.committed(*paths)
        assert "whole" in self.gone if ways is None else ways == set(self.gone), self.gone
        return made


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


def refuse_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Doubtful("Another way is looked at.")

    monkeypatch.setattr(quick, "draft", refuse)


def tree_of_everything(clone: Clone, before: str) -> str:
    """The tree that `git add -A` makes of what is on disk, with an index that knows no times."""
    index = clone.path(".git/expected.index")
    environment, clone.environment = (
        clone.environment,
        {
            **clone.environment,
            "GIT_INDEX_FILE": index,
        },
    )
    try:
        clone.git("read-tree", before)
        clone.git("add", "-A")
        return clone.git("write-tree")
    finally:
        clone.environment = environment
        os.unlink(index)


# it is taken, and comes out as it should


def test_an_edit_a_new_file_and_a_deleted_one(laptop: Clone, ways: Ways) -> None:
    laptop.edit("a.txt", "edited\n")
    laptop.edit("notes/new.txt", "new\n")
    laptop.delete("notes/b.txt")
    made = ways.quick(laptop, "a.txt", "notes/new.txt", "notes/b.txt")
    assert made.files == 3
    assert laptop.tracked() == {b"a.txt", b"notes/new.txt"}
    assert laptop.git("show", "HEAD:a.txt") == "edited"


def test_one_after_the_other(laptop: Clone, ways: Ways) -> None:
    for number in range(5):
        laptop.edit("notes/b.txt", f"{number}\n")
        assert ways.quick(laptop, "notes/b.txt").files == 1
    assert laptop.commits() == 6


def test_the_first_and_the_last_file_of_a_folder(laptop: Clone, ways: Ways) -> None:
    laptop.delete("notes/b.txt")
    laptop.edit("deep/er/still/c.txt", "c\n")
    ways.quick(laptop, "notes/b.txt", "deep/er/still/c.txt")
    assert laptop.tracked() == {b"a.txt", b"deep/er/still/c.txt"}


def test_the_last_file_of_all(laptop: Clone, ways: Ways) -> None:
    laptop.delete("a.txt")
    laptop.delete("notes/b.txt")
    ways.quick(laptop, "a.txt", "notes/b.txt")
    assert laptop.tracked() == set()


def test_a_rename_is_told_as_one(laptop: Clone, ways: Ways) -> None:
    laptop.move("notes/b.txt", "moved.txt")
    made = ways.quick(laptop, "notes/b.txt", "moved.txt")
    assert (made.files, "moved.txt" in made.subject) == (1, True)


def test_modes_and_links(laptop: Clone, ways: Ways) -> None:
    os.chmod(laptop.path("a.txt"), 0o755)
    laptop.link("link", "notes/b.txt")
    laptop.link("dangling", "no\nwhere")
    ways.quick(laptop, "a.txt", "link", "dangling")
    listed = laptop.git("ls-tree", "HEAD", "a.txt", "link", "dangling").split("\n")
    assert [line.split()[0] for line in listed] == ["100755", "120000", "120000"]
    laptop.delete("link")
    laptop.edit("link", "a file now\n")
    ways.quick(laptop, "link")
    assert laptop.git("ls-tree", "HEAD", "link").startswith("100644")


def test_nothing_has_changed(laptop: Clone, ways: Ways) -> None:
    laptop.edit("a.txt", "a.txt\n")
    assert isinstance(laptop.commit("a.txt", "never-was"), NothingToCommit)
    assert ways.surely == 0


def test_a_sha256_repository(world: World, ways: Ways) -> None:
    world.folder.joinpath("big").mkdir()
    clone = world.adopt("big")
    clone.git("init", "-q", "--object-format=sha256", "-b", "main")
    clone.driver.inspect()
    settled(clone)
    clone.edit("notes/b.txt", "edited\n")
    clone.edit("notes/c/d.txt", "new\n")
    ways.quick(clone, "notes/b.txt", "notes/c/d.txt")


def test_the_author_and_the_message_are_those_of_any_commit(laptop: Clone, ways: Ways) -> None:
    laptop.edit("a.txt", "1\n")
    ways.quick(laptop, "a.txt")
    laptop.edit("a.txt", "2\n")
    laptop.edit(".gitignore", "*.o\n")
    ways.excerpt(laptop, "a.txt", ".gitignore")
    form = "--format=%an|%ae|%cn|%ce|%(trailers)|%e"
    assert laptop.git("log", "-1", form) == laptop.git("log", "-1", form, "HEAD~1")
    zone = laptop.git("log", "-1", "--format=%ad", "--date=format:%z")
    assert zone == laptop.git("log", "-1", "--format=%ad", "--date=format:%z", "HEAD~1")
    times = laptop.git("log", "-g", "--format=%gd %gs", "--date=unix", "main").split("\n")
    assert all("autosyncd" in line for line in times[:2])


def test_the_reflog_has_the_time_of_each_commit(laptop: Clone, ways: Ways) -> None:
    made = 0
    for number in range(2):
        eventually(lambda made=made: time.time() >= made + 2, every=0.1)
        laptop.edit("a.txt", f"{number}\n")
        ways.quick(laptop, "a.txt")
        entry = Path(laptop.path(".git/logs/HEAD")).read_text().splitlines()[-1]
        made = int(laptop.git("log", "-1", "--format=%ct"))
        assert abs(int(entry.split("> ")[1].split()[0]) - made) <= 1


# what nobody wants in a commit stays out of it


def test_ignored_files_stay_out_and_rules_that_change_hold_at_once(
    laptop: Clone, ways: Ways
) -> None:
    laptop.edit(".gitignore", "*.o\n")
    ways.excerpt(laptop, ".gitignore")
    laptop.edit("x.o", "object\n")
    laptop.edit("x.c", "source\n")
    ways.quick(laptop, "x.o", "x.c")
    assert b"x.o" not in laptop.tracked()
    laptop.edit("x.c", "more\n")
    laptop.edit("notes/.gitignore", "*.c\n")  # its own event is still to come
    laptop.edit("notes/y.c", "another\n")
    laptop.commit("x.c", "notes/y.c")
    assert b"notes/y.c" not in laptop.tracked()
    laptop.edit(".git/info/exclude", "secret*\n")
    laptop.edit("secret.txt", "s\n")
    laptop.edit("x.c", "even more\n")
    laptop.commit("x.c", "secret.txt")
    assert b"secret.txt" not in laptop.tracked()


def test_what_looks_like_a_key_is_held_back(laptop: Clone) -> None:
    laptop.edit("id_rsa", "key\n")
    laptop.edit("a.txt", "edited\n")
    made = laptop.commit("id_rsa", "a.txt")
    assert isinstance(made, CommitMade)
    assert [one.kind for one in made.left_out] == ["secret"]


def test_what_is_staged_is_left_to_the_person(laptop: Clone) -> None:
    laptop.edit("notes/b.txt", "staged\n")
    laptop.git("add", "notes/b.txt")
    laptop.edit("a.txt", "edited\n")
    outcome = laptop.commit("a.txt")
    assert isinstance(outcome, Waiting)
    assert outcome.why is Why.STAGED


def test_the_persons_commit_in_between_is_the_parent(laptop: Clone, ways: Ways) -> None:
    laptop.edit("notes/b.txt", "by hand\n")
    laptop.git("commit", "-qam", "by hand")
    laptop.edit("a.txt", "edited\n")
    ways.quick(laptop, "a.txt")
    laptop.edit("a.txt", "edited again\n")
    ways.quick(laptop, "a.txt")
    assert laptop.git("log", "-1", "--format=%s", "HEAD~2") == "by hand"


def test_a_file_put_aside_is_not_committed(laptop: Clone, ways: Ways) -> None:
    laptop.git("update-index", "--assume-unchanged", "a.txt")
    laptop.edit("a.txt", "mine alone\n")
    laptop.edit("notes/b.txt", "edited\n")
    assert isinstance(laptop.commit("notes/b.txt"), CommitMade)
    laptop.edit("notes/b.txt", "again\n")
    assert isinstance(laptop.commit("notes/b.txt", "a.txt"), CommitMade)
    assert laptop.git("show", "HEAD:a.txt") == "a.txt"
    assert laptop.git("ls-files", "-v", "a.txt") == "h a.txt"


def test_a_nested_repository_stays_out(laptop: Clone) -> None:
    laptop.edit("inner/file", "1\n")
    laptop.git("init", "-q", "inner")
    laptop.edit("a.txt", "edited\n")
    assert isinstance(laptop.commit("inner/file", "a.txt"), CommitMade)
    assert laptop.tracked() == {b"a.txt", b"notes/b.txt"}


def test_a_folder_that_became_a_link_is_not_followed(laptop: Clone, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "b.txt").write_text("not ours\n")
    laptop.delete("notes")
    laptop.link("notes", os.fspath(outside))
    laptop.committed("notes/b.txt", "notes")
    assert laptop.tracked() == {b"a.txt", b"notes"}
    assert not laptop.history_has("not ours\n")


def test_too_many_deletions_are_asked_about(world: World) -> None:
    names = tuple(f"f{number}" for number in range(60))
    clone = settled(world.clone("laptop"), names)
    clone.edit("f0", "edited\n")
    clone.committed("f0")
    for name in names[1:]:
        clone.delete(name)
    outcome = clone.commit(*names)
    assert isinstance(outcome, Question)
    clone.edit("f0", "again\n")
    clone.git("checkout", "-q", "--", *names[1:])
    clone.committed("f0")


# filters and line ends


def test_attributes_hold_from_the_moment_they_change(laptop: Clone, ways: Ways) -> None:
    laptop.edit("c.txt", "one\r\n")
    ways.quick(laptop, "c.txt")
    assert laptop.git("cat-file", "-s", "HEAD:c.txt") == "5"
    laptop.edit(".gitattributes", "*.txt text\n")  # its own event is still to come
    laptop.edit("d.txt", "two\r\n")
    laptop.commit("d.txt")
    assert laptop.git("cat-file", "-s", "HEAD:d.txt") == "4"


def test_a_filter_that_is_configured_later(laptop: Clone) -> None:
    laptop.edit(".gitattributes", "*.up filter=up\n")
    laptop.committed()
    laptop.edit("a.up", "small\n")
    laptop.committed("a.up")
    assert laptop.git("show", "HEAD:a.up") == "small"
    laptop.git("config", "filter.up.clean", "tr a-z A-Z")
    laptop.edit("a.up", "big\n")
    assert isinstance(laptop.commit("a.up"), CommitMade)
    assert laptop.git("show", "HEAD:a.up") == "BIG"


def test_line_ends_that_the_index_decides_about(laptop: Clone) -> None:
    """Under text=auto a file that has CRLF in the index keeps it."""
    laptop.edit("dos.txt", "one\r\n")
    laptop.committed()
    laptop.edit(".gitattributes", "* text=auto\n")
    laptop.committed()
    laptop.edit("dos.txt", "one\r\ntwo\r\n")
    before = laptop.tree()
    laptop.committed("dos.txt")
    assert laptop.tree() == tree_of_everything(laptop, before)
    assert laptop.git("cat-file", "-s", "HEAD:dos.txt") == "10"


def test_a_failing_filter_leaves_the_others_going(laptop: Clone) -> None:
    laptop.edit(".gitattributes", "*.bad filter=bad\n")
    laptop.committed()
    laptop.git("config", "filter.bad.clean", "false")
    laptop.git("config", "filter.bad.required", "true")
    laptop.edit("x.bad", "1\n")
    laptop.edit("a.txt", "edited\n")
    made = laptop.commit("x.bad", "a.txt")
    assert isinstance(made, CommitMade)
    assert laptop.git("show", "HEAD:a.txt") == "edited"


# somebody else is faster, or something breaks


def test_a_file_that_changes_while_it_is_hashed(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = children.GitChildren.blobs

    def slow(self: children.GitChildren, paths: list[bytes]) -> list[bytes]:
        oids = blobs(self, paths)
        laptop.edit("a.txt", "after the hash\n")
        return oids

    laptop.edit("a.txt", "before the hash\n")
    monkeypatch.setattr(children.GitChildren, "blobs", slow)
    laptop.committed("a.txt")
    assert laptop.git("show", "HEAD:a.txt") == "after the hash"


def test_the_person_commits_just_before_the_branch_moves(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = quickcommit.write_commit

    def interrupted(*arguments: object, **options: object) -> str:
        monkeypatch.setattr(quickcommit, "write_commit", write)
        made = write(*arguments, **options)  # type: ignore[arg-type]
        laptop.edit("notes/b.txt", "by hand\n")
        laptop.git("commit", "-qm", "by hand", "notes/b.txt")
        return made

    laptop.edit("a.txt", "edited\n")
    monkeypatch.setattr(quickcommit, "write_commit", interrupted)
    laptop.committed("a.txt")
    parents = laptop.git("log", "-1", "--format=%P").split()
    assert len(parents) == 2
    assert laptop.git("log", "-1", "--format=%s", parents[0]) == "by hand"


def test_the_person_stages_just_before_the_branch_moves(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = quickcommit.write_commit

    def interrupted(*arguments: object, **options: object) -> str:
        made = write(*arguments, **options)  # type: ignore[arg-type]
        laptop.edit("notes/b.txt", "staged\n")
        laptop.git("add", "notes/b.txt")
        return made

    laptop.edit("a.txt", "edited\n")
    monkeypatch.setattr(quickcommit, "write_commit", interrupted)
    outcome = laptop.commit("a.txt")
    assert isinstance(outcome, Waiting)
    assert outcome.why is Why.STAGED
    assert laptop.git("diff", "--cached", "--name-only") == "notes/b.txt"
    assert laptop.commits() == 1


def test_the_branch_is_moved_by_somebody_who_leaves_the_index_alone(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = children.GitChildren.end_move
    head = laptop.git("rev-parse", "HEAD")
    other = laptop.git("commit-tree", "-p", head, "-m", "other", "HEAD^{tree}")
    begin = children.GitChildren.begin_move

    def raced(self: children.GitChildren, ref: str, old: str, new: str) -> None:
        monkeypatch.setattr(children.GitChildren, "begin_move", begin)
        laptop.git("update-ref", ref, other)
        begin(self, ref, old, new)

    laptop.edit("a.txt", "edited\n")
    monkeypatch.setattr(children.GitChildren, "begin_move", raced)
    laptop.committed("a.txt")
    assert laptop.git("log", "-1", "--format=%P").split()[0] == other
    assert children.GitChildren.end_move is end


@pytest.mark.parametrize("after_staging", [False, True])
def test_killed_between_the_branch_and_the_index(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch, after_staging: bool
) -> None:
    def killed(*_: object) -> None:
        raise GitFailed("update-index", 1, "no space left on device")

    laptop.edit("a.txt", "edited\n")
    laptop.edit("notes/new.txt", "new\n")
    with monkeypatch.context() as broken:
        broken.setattr(indexes, "bring_along", killed)
        laptop.commit("a.txt", "notes/new.txt")
    assert laptop.git("show", "HEAD:a.txt") == "edited"
    if after_staging:
        laptop.edit("notes/b.txt", "staged\n")
        laptop.git("add", "notes/b.txt")
    laptop.reopen()
    assert laptop.git("diff", "--cached", "--name-only") == ("notes/b.txt" if after_staging else "")
    if not after_staging:
        laptop.is_clean()


def test_a_killed_predecessors_objects_are_flushed_before_they_are_relied_on(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[object] = []
    monkeypatch.setattr("autosyncd.vcs.git.durable.flush_all", flushed.append)
    Path(laptop.path(".git/autosync/unflushed")).touch()
    laptop.edit("a.txt", "edited\n")
    laptop.committed("a.txt")
    assert len(flushed) == 1
    assert not Path(laptop.path(".git/autosync/unflushed")).exists()


def test_no_child_is_left_behind(laptop: Clone, ways: Ways) -> None:
    laptop.edit("a.txt", "edited\n")
    ways.quick(laptop, "a.txt")
    before = [pid for pid in children_of(os.getpid()) if works_in(pid, laptop.root)]
    assert before
    laptop.driver.inspect()  # anew, as when a person asks for it
    assert not set(before) & set(children_of(os.getpid()))
    laptop.driver.close()
    assert not [pid for pid in children_of(os.getpid()) if works_in(pid, laptop.root)]


def children_of(parent: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        try:
            fields = Path("/proc", entry, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if entry.isdigit() and int(fields[1]) == parent and fields[0] != "Z":
            found.append(int(entry))
    return found


def works_in(pid: int, root: Path) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/cwd") == os.path.realpath(root)
    except OSError:
        return False


def test_a_child_that_was_killed_is_no_trouble(laptop: Clone) -> None:
    laptop.edit("a.txt", "1\n")
    laptop.committed("a.txt")
    children = [pid for pid in children_of(os.getpid()) if works_in(pid, laptop.root)]
    assert children
    for pid in children:
        os.kill(pid, 9)
    laptop.edit("a.txt", "2\n")
    laptop.committed("a.txt")


def test_an_abort_ends_the_verb_soon(laptop: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner, "ENDED_WITHIN", 0.3)
    laptop.edit(".gitattributes", "*.slow filter=slow\n")
    laptop.committed()
    laptop.git("config", "filter.slow.clean", "touch ../begun; exec sleep 60")
    laptop.edit("x.slow", "1\n")
    begun = Path(laptop.path("../begun"))
    outcomes: list[object] = []
    thread = threading.Thread(target=lambda: outcomes.append(laptop.commit("x.slow")))
    thread.start()
    eventually(begun.exists)
    laptop.driver.abort(network_only=False)
    thread.join(5)
    assert not thread.is_alive()
    assert isinstance(outcomes[0], Aborted)


# partners

FD_SETSIZE = 1024
"""Descriptors that select(2) knows."""


def a_partner(script: str, given_up: Callable[[], bool] = lambda: False) -> Partner:
    return Partner(["sh", "-c", script], cwd=b"/", env=dict(os.environ), given_up=given_up)


def test_a_partners_last_words_are_heard() -> None:
    talker = a_partner("read x; echo it broke >&2; exit 1")
    with pytest.raises(PartnerFailed, match="it broke"):
        talker.talk(b"hello\n", lines(1))


def test_a_partner_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner, "ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(partner, "ENDED_WITHIN", 0.1)
    talker = a_partner("trap '' TERM; echo $$; while :; do sleep 60; done")
    number = int(talker.talk(b"", lines(1)))
    with pytest.raises(PartnerFailed, match="in time"):
        talker.talk(b"hello\n", lines(1))
    assert number not in children_of(os.getpid())


def test_nobody_waits_for_a_partner_after_an_abort(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partner, "ENDED_WITHIN", 0.1)
    talker = a_partner("sleep 60", lambda: True)
    with pytest.raises(ChildAborted):
        talker.talk(b"hello\n", lines(1))


def test_more_than_a_pipe_holds_goes_both_ways() -> None:
    talker = a_partner("cat")
    said = b"x" * 99 + b"\n"
    assert talker.talk(said * 10_000, lines(10_000)) == said * 10_000
    talker.end()


# trees


def test_the_computed_id_of_a_tree_is_gits(laptop: Clone) -> None:
    for name in ("a", "a.b", "a0", "ab", "a-", "b/c"):
        laptop.edit(f"sort/{name}x" if name != "b/c" else "sort/a/file", "x\n")
    laptop.committed()
    raw = laptop.git("cat-file", "tree", "HEAD:sort")
    folder = Folder(os.fsencode(raw))
    assert {name for name, _ in folder.items()} == {b"a", b"ax", b"a.bx", b"a0x", b"abx", b"a-x"}
    assert tree_id(folder.data, "sha1").decode() == laptop.git("rev-parse", "HEAD:sort")
    assert tree_id(b"", "sha256").startswith(b"6ef19b41")


# and at random

NAMES = (
    b"plain",
    b"with blank",
    b' "quoted"',
    b"-dash",
    b"--all",
    b":colon",
    b":(glob)x",
    b"st*r",
    b"[a-z]?",
    b"caf\xc3\xa9",
    b"\xff\xfe invalid",
    b"tab\t",
    b"!bang",
    b"#hash",
    b"x.txt",
    b"y.crlf",
    b"z.up",
    b"'",
    b".hidden",
    b"deep",
)


UNUSUAL = (b"back\\slash", b"carriage\r", b"new\nline")
"""Names for the general way."""


def random_path(chance: random.Random) -> bytes:
    names = NAMES if chance.random() < 0.95 else UNUSUAL
    return b"/".join(chance.choice(names) for _ in range(chance.choice((1, 1, 2, 2, 3))))


def random_content(chance: random.Random) -> bytes:
    words = (b"one", b"two", b"$Id$", b"\r\n", b"\n", b"\0", b"\xff", b"line\n", b"dos\r\n")
    return b"".join(chance.choice(words) for _ in range(chance.randrange(6)))


def random_edit(clone: Clone, chance: random.Random) -> set[bytes]:
    """Change something; the paths that the watch would name."""
    path = random_path(chance)
    full = os.path.join(os.fsencode(clone.root), path)
    parts, named = path.split(b"/"), {path}
    for count in range(1, len(parts)):
        above = os.path.join(os.fsencode(clone.root), *parts[:count])
        if os.path.lexists(above) and (os.path.islink(above) or not os.path.isdir(above)):
            os.unlink(above)
            named.add(b"/".join(parts[:count]))
        elif not os.path.lexists(above) and chance.random() < 0.1:
            named.add(b"/".join(parts[:count]))  # a new folder, as the watch names it
    action = chance.randrange(10)
    if os.path.isdir(full) and not os.path.islink(full):
        if action < 3:
            clone.delete(path)
        return named
    if action < 2 and os.path.lexists(full):
        os.unlink(full)
    elif action == 2:
        clone.edit(path, b"") if not os.path.islink(full) else None
        if os.path.isfile(full):
            os.chmod(full, os.stat(full).st_mode ^ stat.S_IXUSR)
    elif action == 3:
        os.makedirs(os.path.dirname(full), exist_ok=True)
        if os.path.lexists(full):
            os.unlink(full)
        os.symlink(chance.choice(NAMES[:12]), full)
    else:
        if os.path.islink(full):
            os.unlink(full)
        clone.edit(path, random_content(chance))
    return named


ATTRIBUTES = (
    b"*.txt text=auto\n*.crlf text eol=crlf\n",
    b"*.up filter=up\n*.txt text\nx.txt ident\n",
    b"*.up filter=up\n* text=auto\n",
    b"",
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("way", ["quick", "excerpt"])
def test_whatever_is_edited_the_tree_is_that_of_git_add(
    world: World, ways: Ways, monkeypatch: pytest.MonkeyPatch, seed: int, way: str
) -> None:
    if way == "excerpt":
        refuse_the_quick_way(monkeypatch)
    chance = random.Random(seed)
    clone = settled(world.clone("laptop"))
    clone.git("config", "filter.up.clean", "tr a-z A-Z")
    clone.git("config", "filter.up.smudge", "cat")
    taken = 0
    for turn in range(60):
        before, paths = clone.tree(), set[bytes]()
        for _ in range(chance.choice((1, 1, 1, 2, 5))):
            paths |= random_edit(clone, chance)
        if turn % 12 == 11:  # by hand: whatever other rules make of all files
            where = chance.choice((".gitattributes", "deep.d/.gitattributes"))
            clone.edit(where, chance.choice(ATTRIBUTES))
            clone.git("add", "-A")
            clone.git("add", "--renormalize", ".")
            clone.git("commit", "-q", "--allow-empty", "-m", "by hand")
            continue
        ways.gone.clear()
        outcome = clone.commit(*sorted(paths))
        assert isinstance(outcome, CommitMade | NothingToCommit), outcome
        taken += set(ways.gone) == ({"excerpt"} if way == "excerpt" else set())
        assert clone.tree() == tree_of_everything(clone, before), (turn, paths)
        assert clone.git("diff", "--cached", "--name-only") == ""
        assert clone.status() == "", (turn, paths)
    clone.is_sound()
    assert taken > 25


def test_a_partner_answers_in_a_process_with_very_many_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened: list[int] = []
    try:
        while not opened or opened[-1] < FD_SETSIZE:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        asked = a_partner("while read -r line; do echo $line; done")
        assert asked.ask(b"are you there?") == b"are you there?"
        asked.end()
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("pack", [("pack-refs", "--all"), ("gc", "-q")])
def test_refs_that_are_packed_again_and_again_within_a_second(
    laptop: Clone, pack: tuple[str]
) -> None:
    """git takes a packed-refs of the same size and second for the one that it has read."""
    for number in range(4):
        for name in ("a.txt", "notes/b.txt"):
            laptop.edit(name, f"{number}\n")
            laptop.committed(name)
            for _ in range(2):
                laptop.git(*pack)
