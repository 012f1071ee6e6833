"""Commits of known paths: whatever state the index is in, the outcome is that of the whole one."""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from autosyncd.vcs.git import durable
from autosyncd.vcs.git.command import GitFailed
from autosyncd.vcs.git.committing import excerpt, quickcommit
from autosyncd.vcs.git.committing.trees import Folder, tree_id
from autosyncd.vcs.git.disk import Version
from autosyncd.vcs.git.indexfile import IndexFile
from autosyncd.vcs.outcomes import CommitMade, Waiting, Why
from tests.test_vcs_quick import Ways, refuse_the_quick_way, settled, tree_of_everything
from tests.trees import Clone, World
from tests.waiting import eventually

FILES = ("a.txt", "notes/b.txt", "notes/deep/c.txt", "other/d.txt", "other/e.txt")


@pytest.fixture
def laptop(world: World) -> Clone:
    return settled(world.clone("laptop"), FILES)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    return Ways(monkeypatch)


@pytest.fixture(params=["quick", "excerpt"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each of the two ways that do without the whole index."""
    if request.param == "excerpt":
        refuse_the_quick_way(monkeypatch)
    return str(request.param)


def taken(ways: Ways, way: str, clone: Clone, *paths: str) -> CommitMade:
    """Commit, and be sure of the way and of the outcome."""
    before = clone.tree()
    made = ways.excerpt(clone, *paths) if way == "excerpt" else ways.quick(clone, *paths)
    assert clone.tree() == tree_of_everything(clone, before)
    return made


# folders


def test_a_new_folder_with_folders_in_it(laptop: Clone, ways: Ways, way: str) -> None:
    laptop.edit("new/one.txt", "1\n")
    laptop.edit("new/in/two.txt", "2\n")
    laptop.link("new/in/link", "two.txt")
    os.makedirs(laptop.path("new/empty"))
    assert taken(ways, way, laptop, "new").files == 3


def test_a_folder_that_is_gone(laptop: Clone, ways: Ways, way: str) -> None:
    laptop.delete("notes")
    assert taken(ways, way, laptop, "notes").files == 2
    assert laptop.tracked() == {b"a.txt", b"other/d.txt", b"other/e.txt"}


def test_a_folder_that_is_gone_and_its_files_are_named_too(
    laptop: Clone, ways: Ways, way: str
) -> None:
    laptop.delete("notes")
    assert taken(ways, way, laptop, "notes", "notes/b.txt", "notes/deep").files == 2


def test_a_folder_that_was_moved(laptop: Clone, ways: Ways, way: str) -> None:
    laptop.move("notes", "elsewhere/notes")
    made = taken(ways, way, laptop, "notes", "elsewhere")
    assert made.files == 2
    assert b"elsewhere/notes/deep/c.txt" in laptop.tracked()


def test_a_folder_of_which_files_came_went_and_changed(laptop: Clone, ways: Ways, way: str) -> None:
    laptop.edit("notes/b.txt", "edited\n")
    laptop.delete("notes/deep/c.txt")
    laptop.edit("notes/deep/er/f.txt", "f\n")
    assert taken(ways, way, laptop, "notes").files == 3


def test_a_new_folder_of_ignored_files(laptop: Clone, ways: Ways, way: str) -> None:
    laptop.edit(".gitignore", "build/\n*.o\n!keep.o\n")
    laptop.committed()
    for name in ("build/x.c", "src/x.o", "src/keep.o", "src/x.c", "src/build/y.c"):
        laptop.edit(name, f"{name}\n")
    assert taken(ways, way, laptop, "build", "src").files == 2
    assert {b"src/keep.o", b"src/x.c"} <= laptop.tracked()


def test_a_folder_takes_the_place_of_a_file_and_a_file_that_of_a_folder(
    laptop: Clone, ways: Ways
) -> None:
    laptop.delete("a.txt")
    laptop.edit("a.txt/inside", "1\n")
    before = laptop.tree()
    laptop.committed("a.txt")
    assert laptop.tree() == tree_of_everything(laptop, before)
    laptop.delete("notes")
    laptop.edit("notes", "a file\n")
    before = laptop.tree()
    laptop.committed("notes")
    assert laptop.tree() == tree_of_everything(laptop, before)
    assert laptop.tracked() == {b"a.txt/inside", b"notes", b"other/d.txt", b"other/e.txt"}


def test_a_repository_in_a_new_folder_stays_out(laptop: Clone) -> None:
    laptop.edit("new/one.txt", "1\n")
    laptop.edit("new/inner/two.txt", "2\n")
    laptop.git("init", "-q", "new/inner")
    made = laptop.commit("new")
    assert isinstance(made, CommitMade)
    assert [one.kind for one in made.left_out] == ["nested"]
    assert b"new/one.txt" in laptop.tracked()
    assert b"new/inner/two.txt" not in laptop.tracked()


def test_a_folder_of_too_many_files_for_the_quick_way(
    laptop: Clone, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(250):
        laptop.edit(f"many/{number}", f"{number}\n")
    assert ways.excerpt(laptop, "many").files == 250
    monkeypatch.setattr(excerpt, "MOST", 100)
    laptop.edit("many/0", "edited\n")
    assert ways.whole(laptop, "many").files == 1


# rules that the index has a part in


def test_rules_that_are_edited_hold_for_what_is_named_beside_them(
    laptop: Clone, ways: Ways
) -> None:
    laptop.edit("notes/.gitattributes", "*.txt text\n")
    laptop.edit("notes/.gitignore", "*.o\n")
    laptop.edit("notes/x.txt", "dos\r\n")
    laptop.edit("notes/x.o", "object\n")
    ways.excerpt(laptop, "notes/.gitattributes", "notes/.gitignore", "notes/x.txt", "notes/x.o")
    assert laptop.git("cat-file", "-s", "HEAD:notes/x.txt") == "4"
    assert b"notes/x.o" not in laptop.tracked()


def test_attributes_that_are_gone_from_disk_still_hold(laptop: Clone, ways: Ways) -> None:
    """git takes them from the index then, until their deletion is committed as well."""
    laptop.edit(".gitattributes", "*.txt text\n")
    laptop.committed()
    laptop.delete(".gitattributes")
    laptop.edit("notes/x.txt", "dos\r\n")
    ways.gone.clear()
    assert isinstance(laptop.commit("notes/x.txt"), CommitMade)
    assert set(ways.gone) == {"excerpt"}
    assert laptop.git("cat-file", "-s", "HEAD:notes/x.txt") == "4"


def test_a_submodule_that_moved_on(world: World, laptop: Clone, ways: Ways) -> None:
    library = world.clone("library")
    library.edit("lib.txt", "1\n")
    library.committed()
    where = os.fspath(library.root)
    laptop.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", where, "lib")
    laptop.git("commit", "-qm", "a submodule")
    laptop.git("-C", "lib", "commit", "-q", "--allow-empty", "-m", "it moved on")
    laptop.edit("a.txt", "edited\n")
    ways.excerpt(laptop, "lib", "a.txt")
    assert laptop.git("-C", "lib", "rev-parse", "HEAD") == laptop.git("rev-parse", "HEAD:lib")


# what the person's index may be, or become in between

KINDS = {
    "version 4": ["update-index", "--index-version=4"],
    "split": ["update-index", "--split-index"],
    "untracked cache": ["update-index", "--force-untracked-cache"],
    "fsmonitor": ["update-index", "--fsmonitor-valid", "a.txt"],
    "checksum left out": ["config", "index.skipHash", "true"],
    "end marked": ["config", "index.threads", "2"],
    "many files": ["config", "feature.manyFiles", "true"],
    "sparse": ["sparse-checkout", "set", "notes", "other"],
    "sparse index": ["sparse-checkout", "set", "--cone", "--sparse-index", "notes", "other"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_index_of_another_kind(laptop: Clone, way: str, kind: str) -> None:
    laptop.git(*KINDS[kind])
    laptop.git("status")  # writes it once more, as it is now
    for turn in range(4):
        before = laptop.git("ls-files", "-s", "--", "a.txt", "other/d.txt")
        laptop.edit("notes/b.txt", f"{turn}\n")
        laptop.edit("other/e.txt", f"{turn}\n")
        assert laptop.committed("notes/b.txt", "other/e.txt").files == 2
        assert laptop.git("ls-files", "-s", "--", "a.txt", "other/d.txt") == before
        assert laptop.git("write-tree") == laptop.tree()
    laptop.is_sound()
    assert len(laptop.tracked()) == len(FILES)


def test_the_person_commits_stages_resets_and_amends_in_between(
    laptop: Clone, ways: Ways, way: str
) -> None:
    def edited(text: str) -> None:
        laptop.edit("notes/b.txt", text)
        taken(ways, way, laptop, "notes/b.txt")

    edited("1\n")
    laptop.edit("a.txt", "by hand\n")
    laptop.git("commit", "-qam", "by hand")
    edited("2\n")
    edited("3\n")
    laptop.git("reset", "-q", "--hard", "HEAD~2")
    edited("4\n")
    laptop.git("commit", "-q", "--amend", "-m", "reworded")
    edited("5\n")
    laptop.edit("other/d.txt", "staged\n")
    laptop.git("add", "other/d.txt")
    laptop.edit("notes/b.txt", "6\n")
    outcome = laptop.commit("notes/b.txt")
    assert isinstance(outcome, Waiting)
    assert outcome.why is Why.STAGED
    laptop.git("reset", "-q")
    laptop.git("checkout", "-q", "other/d.txt")
    edited("7\n")
    laptop.is_sound()


def test_partly_staged_stays_partly_staged(laptop: Clone, ways: Ways, way: str) -> None:
    """After staged_wait what is staged is committed first, then the rest, whatever was kept before."""
    laptop.edit("notes/b.txt", "1\n")
    taken(ways, way, laptop, "notes/b.txt")
    laptop.edit("notes/b.txt", "staged\n")
    laptop.git("add", "notes/b.txt")
    laptop.edit("notes/b.txt", "staged\nand more\n")
    made = laptop.commit("notes/b.txt", ignore_staged=True)
    assert isinstance(made, CommitMade)
    assert laptop.git("show", "HEAD~1:notes/b.txt") == "staged"
    laptop.is_clean()
    laptop.edit("notes/b.txt", "2\n")
    taken(ways, way, laptop, "notes/b.txt")


@pytest.mark.parametrize("named", ["notes/x.o", "notes"])
def test_what_is_to_be_added_by_intent_is_tracked_though_it_is_ignored(
    laptop: Clone, way: str, named: str
) -> None:
    """The last commit does not have it, and nothing is staged: only the index tells."""
    laptop.edit(".gitignore", "*.o\n")
    laptop.committed()
    laptop.edit("notes/x.o", "object\n")
    laptop.git("add", "-N", "-f", "notes/x.o")
    laptop.edit("a.txt", "1\n")
    assert isinstance(laptop.commit("a.txt"), CommitMade)
    assert isinstance(laptop.commit(named), CommitMade)
    assert laptop.git("show", "HEAD:notes/x.o") == "object"
    laptop.is_clean()


def test_a_name_that_git_forbids_by_now_stays_in_history(laptop: Clone, way: str) -> None:
    """It is in the last commit and in the person's index, and git puts it into no other."""
    blob = laptop.git("rev-parse", "HEAD:a.txt")
    laptop.git("config", "core.protectNTFS", "false")
    laptop.git("update-index", "--add", "--cacheinfo", f"100644,{blob},notes/git~1")
    laptop.git("commit", "-qm", "by hand")
    laptop.edit("notes/git~1", "a.txt\n")
    laptop.git("config", "core.protectNTFS", "true")
    laptop.edit("notes/b.txt", "1\n")
    assert isinstance(laptop.commit("notes"), CommitMade)
    assert laptop.git("show", "HEAD:notes/b.txt") == "1"
    assert b"notes/git~1" in laptop.tracked()
    assert laptop.git("write-tree") == laptop.tree()


def test_an_index_that_was_removed(laptop: Clone, way: str) -> None:
    laptop.edit("notes/b.txt", "1\n")
    laptop.committed("notes/b.txt")
    os.unlink(laptop.path(".git/index"))
    laptop.git("reset", "-q")
    laptop.edit("notes/b.txt", "2\n")
    laptop.committed("notes/b.txt")


def test_leftovers_of_a_kill_are_no_trouble(laptop: Clone, ways: Ways, way: str) -> None:
    for name in ("excerpt.index", "excerpt.index.lock", "index", "index.new"):
        Path(laptop.path(f".git/autosync/{name}")).write_bytes(b"half of an index")
    laptop.edit("notes/b.txt", "1\n")
    taken(ways, way, laptop, "notes/b.txt")


@pytest.mark.parametrize("where", ["draft", "move", "index"])
def test_killed_in_between(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch, way: str, where: str
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise GitFailed("commit", 1, "killed")

    laptop.edit("notes/b.txt", "0\n")
    laptop.committed("notes/b.txt")
    laptop.edit("notes/b.txt", "1\n")
    laptop.edit("other/e.txt", "1\n")
    place, name = {
        "draft": (quickcommit, "write_commit"),
        "move": (durable, "flush_objects"),
        "index": (IndexFile, "write_changed"),
    }[where]
    with monkeypatch.context() as broken:
        broken.setattr(place, name, killed)
        laptop.commit("notes/b.txt", "other/e.txt")
    laptop.reopen()
    assert laptop.git("diff", "--cached", "--name-only") == ""
    laptop.commit("notes/b.txt", "other/e.txt")
    assert laptop.git("show", "HEAD:notes/b.txt") == "1"
    laptop.is_clean()
    laptop.is_sound()


# the person's index, rewritten without git


def counted_rewrites(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    outcomes: list[bool] = []
    write = IndexFile.write_changed

    def counted(self: IndexFile, *arguments: object, **options: object) -> bool:
        outcomes.append(write(self, *arguments, **options))  # type: ignore[arg-type]
        return outcomes[-1]

    monkeypatch.setattr(IndexFile, "write_changed", counted)
    return outcomes


def index_is_right(clone: Clone) -> None:
    """Asked of a copy, so that the person's git does not write the index itself."""
    copy = clone.path(".git/copied.index")
    shutil.copy2(clone.path(".git/index"), copy)
    own, clone.environment = clone.environment, {**clone.environment, "GIT_INDEX_FILE": copy}
    try:
        assert clone.git("diff-files", "--name-only") == "", "its times were not known"
        shown = clone.git("ls-tree", "-r", "HEAD").replace(" blob ", " ").splitlines()
        listed = clone.git("ls-files", "-s").replace(" 0\t", "\t").splitlines()
        assert sorted(shown) == sorted(listed)
        assert clone.git("write-tree") == clone.tree()  # of what git has noted
        assert clone.git("fsck", "--strict", "--no-dangling") == ""
    finally:
        clone.environment = own


def test_it_is_rewritten_and_what_git_has_noted_in_it_stays_true(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    outcomes = counted_rewrites(monkeypatch)
    laptop.edit("notes/deep/c.txt", "0\n")
    laptop.committed("notes/deep/c.txt")
    laptop.git("read-tree", "HEAD")  # notes every tree
    laptop.git("update-index", "-q", "--refresh")
    for turn in range(3):
        laptop.edit("notes/deep/c.txt", f"turn {turn}\n")
        os.chmod(laptop.path("a.txt"), 0o755 if turn % 2 else 0o644)
        laptop.edit("a.txt", f"turn {turn}\n")
        assert isinstance(laptop.commit("notes/deep/c.txt", "a.txt"), CommitMade)
        index_is_right(laptop)
    assert outcomes == [True, True], "the first after the person's git is git's"


def test_an_edit_in_the_instant_in_which_the_index_is_written_is_not_hidden(
    laptop: Clone, way: str
) -> None:
    """racy-git.txt: an entry as young as its index is looked at again. The person stages a file, and
    edits it once more so soon that neither size nor times tell."""
    laptop.edit("other/d.txt", "one\n")
    times = (2_000_000_000, 2_000_000_000)
    os.utime(laptop.path("other/d.txt"), times)
    laptop.git("commit", "-qam", "by hand")
    os.utime(laptop.path(".git/index"), times)
    changed = os.stat(laptop.path("other/d.txt"))
    laptop.edit("other/d.txt", "two\n")
    os.utime(laptop.path("other/d.txt"), ns=(changed.st_atime_ns, changed.st_mtime_ns))
    laptop.git("config", "core.trustctime", "false")
    for turn in range(3):
        laptop.edit("notes/b.txt", f"{turn}\n")
        laptop.commit("notes/b.txt")
    os.utime(laptop.path(".git/index"), (2_000_000_100, 2_000_000_100))
    assert "other/d.txt" in laptop.git("status", "--porcelain")


def test_an_edit_in_the_second_of_its_commit_is_seen_by_stat_alone(laptop: Clone, way: str) -> None:
    """git compares whole seconds: an edit to the same size shows only as long as the index is not
    younger than that second, however often it is rewritten for other files."""
    file, index = laptop.path("notes/b.txt"), laptop.path(".git/index")
    laptop.edit("other/e.txt", "the first that is committed is written by git\n")
    laptop.commit("other/e.txt")
    for turn in range(20):
        laptop.edit("notes/b.txt", f"{turn:02}\n")
        laptop.commit("notes/b.txt")
        if int(os.stat(file).st_mtime) == int(os.stat(index).st_mtime):
            break
    then = os.stat(file).st_mtime_ns
    laptop.edit("notes/b.txt", "in\n")
    os.utime(file, ns=(then, then + 1))
    eventually(lambda: time.time() > then / 1e9 + 1)
    laptop.edit("other/e.txt", "a second later\n")
    laptop.commit("other/e.txt")
    assert laptop.git("status", "--porcelain") == " M notes/b.txt"
    laptop.commit()
    assert laptop.git("show", "HEAD:notes/b.txt") == "in"


def test_an_entry_younger_than_an_index_that_kept_its_time_stays_visible(
    laptop: Clone, way: str
) -> None:
    """The next index that gets a time of its own must not be younger than such an entry either."""
    file, index = laptop.path("notes/b.txt"), laptop.path(".git/index")
    laptop.git("config", "core.trustctime", "false")
    eventually(lambda: time.time() > os.stat(index).st_mtime + 1.05)
    laptop.edit("other/e.txt", "the first that is committed is written by git\n")
    laptop.commit("other/e.txt")
    eventually(lambda: time.time() > os.stat(index).st_mtime + 1.05)
    laptop.edit("notes/b.txt", "by\n")
    second = int(time.time()) + 3
    os.utime(file, (second, second))
    laptop.commit("notes/b.txt")
    assert int(os.stat(index).st_mtime) < second
    laptop.edit("notes/b.txt", "in\n")
    os.utime(file, ns=(second * 10**9, second * 10**9 + 1))
    eventually(lambda: time.time() > second + 1)
    for turn in range(2):  # the last entry of the index's own second goes
        laptop.edit("other/e.txt", f"{turn}\n")
        laptop.commit("other/e.txt")
    assert laptop.git("status", "--porcelain") == " M notes/b.txt"
    laptop.commit()
    assert laptop.git("show", "HEAD:notes/b.txt") == "in"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_at_random_it_is_what_git_would_have_written(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    folders = ("", "a/", "a/b/", "a/b/c/", "a.b/", "b/", "b/c/", "c/a/")
    names = [f"{chance.choice(folders)}f{number}" for number in range(40)]
    clone = settled(world.clone("laptop"), tuple(names))
    outcomes = counted_rewrites(monkeypatch)
    for turn in range(40):
        some = chance.sample(names, chance.choice((1, 1, 2, 7)))
        for name in some:
            clone.edit(name, f"{seed} {turn} {name}\n")
            if chance.random() < 0.1:
                os.chmod(clone.path(name), chance.choice((0o644, 0o755)))
        if chance.random() < 0.1:
            clone.git("read-tree", "HEAD")
            clone.git("update-index", "-q", "--refresh", status=None)
        assert isinstance(clone.commit(*some), CommitMade)
        index_is_right(clone)
    clone.is_clean()
    clone.is_sound()
    assert outcomes.count(True) > 20


def test_ids_of_trees_are_gits_whatever_the_names(laptop: Clone) -> None:
    chance = random.Random(1)
    blob = laptop.git("rev-parse", "HEAD:a.txt").encode()
    tree = laptop.git("rev-parse", "HEAD:notes").encode()
    for _ in range(40):
        names = {
            bytes(chance.choices(b"ab-./0\xff\x01", k=chance.randrange(1, 4))) for _ in range(12)
        }
        names = {name.replace(b"/", b"") for name in names} - {b"", b".", b".."}
        folder, rows = Folder(), b""
        for name in names:
            kind = chance.choice(("blob", "tree"))
            version = Version(*((b"40000", tree) if kind == "tree" else (b"100644", blob)))
            folder.put(name, Version(b"100644", blob))
            folder.put(name, version)
            rows += b"%s %s %s\t%s\0" % (version.mode, kind.encode(), version.oid, name)
        made = laptop.git("mktree", "-z", stdin=rows)
        assert tree_id(folder.data, "sha1").decode() == made
        assert tree_id(Folder(folder.data).data, "sha1").decode() == made
