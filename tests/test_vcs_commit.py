"""What happens in a work tree comes into history as it is, whatever it is called."""

import mmap
import os
import shutil
import socket
from pathlib import Path

import pytest

from autosyncd.model import Safety
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.orders import CommitOrder
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Question, Ready
from tests.trees import Clone, make_world


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    return make_world(tmp_path, monkeypatch).clone("laptop")


def test_the_first_commit_takes_everything_and_has_no_parent(laptop: Clone) -> None:
    laptop.edit("todo.md", "milk\n")
    made = laptop.committed()
    assert made.files == 1
    assert made.head.branch == "main"
    assert laptop.git("rev-parse", "HEAD") == made.head.commit
    assert laptop.commits() == 1


def test_a_tree_without_a_file_has_nothing_to_commit(laptop: Clone) -> None:
    assert laptop.commit() == NothingToCommit(None)


def test_a_second_look_finds_nothing(laptop: Clone) -> None:
    laptop.edit("todo.md", "milk\n")
    made = laptop.committed()
    assert laptop.commit() == NothingToCommit(made.head)
    assert laptop.commit("todo.md") == NothingToCommit(made.head)


def test_a_thousand_files_in_fifty_folders_are_one_commit(laptop: Clone) -> None:
    for number in range(1000):
        laptop.edit(f"folder{number % 50}/file{number}.txt", f"{number}\n")
    made = laptop.committed(*(f"folder{number}" for number in range(50)))
    assert made.files == 1000
    assert laptop.commits() == 1


def test_the_message_says_what_happened_and_where(laptop: Clone) -> None:
    laptop.edit("todo.md", "milk\n")
    made = laptop.committed()
    body = laptop.git("log", "-1", "--format=%B")
    assert made.subject == "notes: add todo.md (laptop)"
    assert body.startswith(made.subject + "\n\nA todo.md\n")
    assert "Autosync-Host: laptop\n" in body
    ready = laptop.driver.inspect()
    assert isinstance(ready, Ready)
    trailer = laptop.git("log", "-1", "--format=%(trailers:key=Autosync-Tree,valueonly)")
    assert trailer.strip() == ready.identity.tree


def test_the_persons_own_words_are_the_subject(laptop: Clone) -> None:
    laptop.edit("todo.md", "milk\n")
    made = laptop.commit(description="Plan the week")
    assert isinstance(made, CommitMade)
    assert laptop.git("log", "-1", "--format=%s") == "Plan the week" == made.subject


@pytest.fixture
def settled(laptop: Clone) -> Clone:
    """Three files and a folder under version control."""
    for name in ("a.txt", "b.txt", "folder/c.txt", "folder/deep/d.txt"):
        laptop.edit(name, f"this is {name}\n")
    laptop.committed()
    return laptop


def test_an_edited_file(settled: Clone) -> None:
    settled.edit("a.txt", "changed\n")
    made = settled.committed("a.txt")
    assert (made.files, made.subject) == (1, "notes: edit a.txt (laptop)")
    assert settled.git("show", "HEAD:a.txt") == "changed"


def test_an_edit_of_the_same_length_within_the_same_second(settled: Clone) -> None:
    for letter in "xyz":
        settled.edit("a.txt", letter * 14 + "\n")
        settled.committed("a.txt")
        assert settled.git("show", "HEAD:a.txt") == letter * 14


def test_an_edit_git_can_only_tell_by_content_is_seen(settled: Clone) -> None:
    """git trusts a file's time only if the index was written in a later second."""
    settled.git("config", "core.trustctime", "false")
    index, file, second = settled.path(".git/index"), settled.path("a.txt"), (10**9, 10**9)
    settled.edit("a.txt", "one\n")
    os.utime(file, second)
    settled.committed("a.txt")
    settled.edit("a.txt", "two\n")
    os.utime(file, second)
    os.utime(index, second)
    settled.committed("a.txt")
    assert settled.history_has("two\n")


def test_a_scope_leaves_what_is_outside_for_later(settled: Clone) -> None:
    settled.edit("a.txt", "changed\n")
    settled.edit("b.txt", "changed too\n")
    assert isinstance(settled.commit("a.txt"), CommitMade)
    assert settled.status() == " M b.txt"


def test_the_empty_path_is_the_whole_tree(settled: Clone) -> None:
    settled.edit("folder/deep/new.txt", "new\n")
    assert settled.committed(b"").files == 1


def test_a_deleted_file(settled: Clone) -> None:
    settled.delete("a.txt")
    assert settled.committed("a.txt").subject == "notes: delete a.txt (laptop)"
    assert b"a.txt" not in settled.tracked()


def test_a_deleted_folder(settled: Clone) -> None:
    settled.delete("folder")
    assert settled.committed("folder").files == 2


def test_a_renamed_file_is_told_as_one(settled: Clone) -> None:
    settled.move("a.txt", "z.txt")
    made = settled.committed("a.txt", "z.txt")
    assert (made.files, made.subject) == (1, "notes: rename z.txt (laptop)")


def test_a_renamed_folder(settled: Clone) -> None:
    settled.move("folder", "moved")
    assert settled.committed("folder", "moved").files == 2
    assert {b"moved/c.txt", b"moved/deep/d.txt"} < settled.tracked()


def test_everything_deleted_is_an_empty_commit_tree(settled: Clone) -> None:
    for name in ("a.txt", "b.txt", "folder"):
        settled.delete(name)
    settled.committed()
    assert settled.tracked() == set()


def test_deleted_and_moved_back_is_nothing_to_commit(settled: Clone, tmp_path: Path) -> None:
    os.rename(settled.path("a.txt"), tmp_path / "aside")
    os.rename(tmp_path / "aside", settled.path("a.txt"))
    assert isinstance(settled.commit("a.txt"), NothingToCommit)


def test_edited_and_edited_back_is_nothing_to_commit(settled: Clone) -> None:
    settled.edit("a.txt", "changed\n")
    settled.edit("a.txt", "this is a.txt\n")
    assert isinstance(settled.commit("a.txt"), NothingToCommit)
    settled.is_clean()


def test_touched_is_nothing_to_commit(settled: Clone) -> None:
    os.utime(settled.path("a.txt"), (1, 1))
    assert isinstance(settled.commit("a.txt"), NothingToCommit)


def test_an_editor_that_renames_a_temporary_file_over_the_old_one(settled: Clone) -> None:
    settled.edit(".goutputstream-ABC123", "saved\n")
    assert isinstance(settled.commit(), NothingToCommit)
    settled.move(".goutputstream-ABC123", "a.txt")
    assert settled.committed(".goutputstream-ABC123", "a.txt").files == 1


def test_vim_saves_with_a_probe_a_backup_and_a_swap_file(settled: Clone) -> None:
    settled.edit(".a.txt.swp", b"\0swap")
    settled.edit("4913", "")
    settled.delete("4913")
    settled.move("a.txt", "a.txt~")
    settled.edit("a.txt", "saved by vim\n")
    made = settled.commit("4913", "a.txt", "a.txt~", ".a.txt.swp")
    assert isinstance(made, CommitMade)
    assert settled.status() == "?? .a.txt.swp\n?? a.txt~"
    assert made.subject == "notes: edit a.txt (laptop)"
    assert made.left_out == ()
    settled.delete("a.txt~")
    assert isinstance(settled.commit("a.txt~"), NothingToCommit)


def test_symbolic_links_to_files_folders_and_nothing(settled: Clone) -> None:
    settled.link("to-file", "a.txt")
    settled.link("to-folder", "folder")
    settled.link("to-nothing", "gone/away")
    made = settled.committed("to-file", "to-folder", "to-nothing")
    assert made.files == 3
    assert settled.git("show", "HEAD:to-nothing") == "gone/away"
    assert b"to-folder/c.txt" not in settled.tracked()


def test_a_file_becomes_a_symbolic_link_and_a_file_again(settled: Clone) -> None:
    settled.delete("a.txt")
    settled.link("a.txt", "b.txt")
    settled.committed("a.txt")
    assert settled.git("ls-files", "-s", "a.txt").startswith("120000")
    settled.delete("a.txt")
    settled.edit("a.txt", "again\n")
    settled.committed("a.txt")
    assert settled.git("ls-files", "-s", "a.txt").startswith("100644")


def test_a_folder_becomes_a_symbolic_link_and_a_folder_again(settled: Clone) -> None:
    settled.move("folder", "moved")
    settled.link("folder", "moved")
    made = settled.committed("folder", "moved")
    assert made.left_out == ()
    assert settled.git("show", "HEAD:folder") == "moved"
    settled.delete("folder")
    settled.move("moved", "folder")
    settled.committed("folder", "moved")
    assert b"folder/deep/d.txt" in settled.tracked()


def test_what_changed_below_a_folder_that_is_a_symbolic_link_by_now(settled: Clone) -> None:
    settled.move("folder", "moved")
    settled.link("folder", "moved")
    settled.committed("folder/c.txt", "folder/deep", "folder", "moved")


def test_a_file_becomes_a_folder_and_a_file_again(settled: Clone) -> None:
    settled.delete("a.txt")
    settled.edit("a.txt/inside", "inside\n")
    settled.committed("a.txt")
    assert b"a.txt/inside" in settled.tracked()
    settled.delete("a.txt")
    settled.edit("a.txt", "a file\n")
    settled.committed("a.txt")
    assert settled.git("show", "HEAD:a.txt") == "a file"


def test_a_file_made_executable_and_plain_again(settled: Clone) -> None:
    os.chmod(settled.path("a.txt"), 0o755)
    settled.committed("a.txt")
    assert settled.git("ls-tree", "HEAD", "a.txt").startswith("100755")
    os.chmod(settled.path("a.txt"), 0o644)
    settled.committed("a.txt")
    assert settled.git("ls-tree", "HEAD", "a.txt").startswith("100644")


NAMES = (
    b"with blank", b" leading", b"trailing ", b"new\nline", b'"quoted"', b"it's", b"back\\slash",
    b"tab\there", b"-rf", b"--all", b"*", b"?", b"IMG[1].txt", b"IMG1.txt", b":(top)x", b":!x",
    b":/x", b"#hash", b"!bang", b"a#b", b"$HOME", b"\xff\xfe invalid", b"caf\xc3\xa9",
    b"cafe\xcc\x81", b"\xe6\x97\xa5\xe6\x9c\xac", b"x" * 200, b"\xc3\xa9" * 100, b"@", b"@{u}",
    b"HEAD", b"a..b", b"a:b", b"\x01\x1b[31m", b".hidden", b"...", b"folder/-x", b"[x]/*",
)  # fmt: skip


def test_files_of_all_names_are_added_edited_and_deleted_one_by_one(laptop: Clone) -> None:
    for name in NAMES:
        laptop.edit(name, b"content of " + name)
        made = laptop.commit(name)
        assert isinstance(made, CommitMade), name
        assert (made.files, made.left_out) == (1, ()), name
    assert laptop.tracked() == set(NAMES)
    laptop.is_clean()
    for name in NAMES:
        laptop.edit(name, b"another content of " + name)
    made = laptop.commit(*NAMES, allowed=frozenset({"mass-modification"}))
    assert isinstance(made, CommitMade)
    assert made.files == len(NAMES)
    for name in NAMES:
        laptop.delete(name)
    assert isinstance(laptop.commit(*NAMES, allowed=frozenset({"mass-deletion"})), CommitMade)
    laptop.is_clean()
    assert laptop.tracked() == set()


def test_files_of_all_names_are_found_by_a_look_at_everything(laptop: Clone) -> None:
    for name in NAMES:
        laptop.edit(name, b"content of " + name)
    laptop.committed()
    assert laptop.tracked() == set(NAMES)


@pytest.mark.parametrize(
    ("name", "other"),
    [("IMG[1].txt", "IMG1.txt"), ("*", "bystander"), (":(top)x", "x"), ("?", "y")],
)
def test_a_name_that_looks_like_a_pattern_means_itself_alone(
    laptop: Clone, name: str, other: str
) -> None:
    laptop.edit(name, "one\n")
    laptop.edit(other, "one\n")
    laptop.committed()
    laptop.edit(name, "two\n")
    laptop.edit(other, "two\n")
    assert isinstance(laptop.commit(name), CommitMade)
    assert laptop.git("diff", "--name-only", "-z").split("\0")[:-1] == [other]


def test_pipes_and_sockets_are_no_files(settled: Clone) -> None:
    os.mkfifo(settled.path("pipe"))
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(settled.path("socket"))
        assert isinstance(settled.commit("pipe", "socket"), NothingToCommit)
        assert isinstance(settled.commit(), NothingToCommit)


def test_a_file_that_becomes_a_pipe_is_left_alone_or_deleted_but_never_read(settled: Clone) -> None:
    settled.delete("a.txt")
    os.mkfifo(settled.path("a.txt"))
    settled.edit("b.txt", "changed\n")
    outcome = settled.commit()
    assert isinstance(outcome, CommitMade), outcome
    assert settled.git("show", "HEAD:b.txt") == "changed"


def test_an_empty_folder_is_nothing(settled: Clone) -> None:
    os.mkdir(settled.path("empty"))
    assert isinstance(settled.commit("empty"), NothingToCommit)


def test_an_empty_file_is_something(settled: Clone) -> None:
    settled.edit("empty", "")
    assert settled.committed("empty").files == 1


def test_a_path_that_never_was_is_nothing(settled: Clone) -> None:
    assert isinstance(settled.commit("came/and/went", "x"), NothingToCommit)


def test_more_paths_than_fit_into_one_command_line(laptop: Clone) -> None:
    names = [f"{'long' * 40}{number}" for number in range(1500)]
    for name in names:
        laptop.edit(name, name)
    assert laptop.committed(*names).files == 1500


def test_the_persons_own_commit_is_left_as_it_is(settled: Clone) -> None:
    settled.edit("a.txt", "by hand\n")
    settled.git("commit", "-qam", "By hand")
    outcome = settled.commit()
    assert isinstance(outcome, NothingToCommit)
    assert outcome.head is not None
    assert outcome.head.commit == settled.git("rev-parse", "HEAD")


def test_hooks_of_the_person_do_not_run_for_our_commits(settled: Clone) -> None:
    hook = settled.root / ".git/hooks/post-commit"
    for name in ("pre-commit", "commit-msg", "post-commit", "reference-transaction"):
        hook = settled.root / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {settled.root}/hook-ran\nexit 1\n")
        hook.chmod(0o755)
    settled.edit("a.txt", "changed\n")
    assert isinstance(settled.commit(), CommitMade)
    assert not (settled.root / "hook-ran").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("core.splitIndex", "true"),
        ("core.untrackedCache", "true"),
        ("index.version", "4"),
        ("feature.manyFiles", "true"),
        ("core.quotePath", "true"),
        ("status.showUntrackedFiles", "no"),
        ("status.renames", "copies"),
        ("diff.noprefix", "true"),
        ("commit.gpgSign", "true"),
        ("core.autocrlf", "input"),
        ("color.ui", "always"),
        ("log.showSignature", "true"),
        ("core.precomposeUnicode", "true"),
        ("core.preloadIndex", "false"),
        ("core.fileMode", "false"),
        ("diff.orderFile", "/nonexistent"),
    ],
)
def test_a_setting_of_the_person_does_not_disturb(settled: Clone, name: str, value: str) -> None:
    settled.git("config", name, value)
    settled.git("status")
    settled.edit("a.txt", "changed\n")
    settled.edit("new.txt", "new\n")
    settled.delete("folder/c.txt")
    assert settled.committed().files == 3
    settled.edit("folder/new.txt", "new\n")
    assert settled.committed("folder").files == 1


@pytest.mark.parametrize("scope", [("a.txt",), ()])
def test_modes_that_are_switched_off_later_are_committed_no_more(
    settled: Clone, scope: tuple[str, ...]
) -> None:
    settled.git("config", "core.fileMode", "false")
    os.chmod(settled.path("a.txt"), 0o755)
    assert isinstance(settled.commit(*scope), NothingToCommit)
    settled.git("config", "core.fileMode", "true")
    assert settled.committed(*scope).files == 1


def test_sha256_repositories_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world(tmp_path, monkeypatch)
    os.mkdir(world.folder / "modern")
    clone = world.adopt("modern")
    clone.git("init", "-q", "--object-format=sha256")
    assert isinstance(clone.driver.inspect(), Ready)
    clone.edit("a.txt", "one\n")
    assert len(clone.committed().head.commit) == 64


def test_a_linked_worktree_is_a_tree_of_its_own(settled: Clone) -> None:
    settled.git("worktree", "add", "-q", "-b", "side", "../side")
    side = Clone(settled.root.parent / "side", settled.environment)
    ready = side.driver.inspect()
    assert isinstance(ready, Ready)
    assert ready.identity.branch == "side"
    side.edit("a.txt", "aside\n")
    side.committed()
    assert settled.git("show", "side:a.txt") == "aside"
    assert isinstance(settled.commit(), NothingToCommit)


def test_crlf_files_under_text_auto_stay_clean(settled: Clone) -> None:
    settled.edit(".gitattributes", "* text=auto\n")
    settled.edit("dos.txt", b"one\r\ntwo\r\n")
    settled.committed()
    assert settled.read("dos.txt") == b"one\r\ntwo\r\n"


def test_a_file_safecrlf_refuses_leaves_the_others_going(settled: Clone) -> None:
    settled.git("config", "core.autocrlf", "input")
    settled.git("config", "core.safecrlf", "true")
    settled.edit("dos.txt", b"one\r\ntwo\r\n")
    settled.edit("a.txt", "changed\n")
    outcome = settled.commit()
    assert isinstance(outcome, CommitMade), outcome
    assert settled.git("show", "HEAD:a.txt") == "changed"


def test_a_file_of_the_wrong_encoding_leaves_the_others_going(settled: Clone) -> None:
    settled.edit(".gitattributes", "*.utf16 text working-tree-encoding=UTF-16\n")
    settled.edit("bad.utf16", b"no byte order mark")
    settled.edit("a.txt", "changed\n")
    outcome = settled.commit()
    assert isinstance(outcome, CommitMade), outcome
    assert settled.git("show", "HEAD:a.txt") == "changed"
    assert [left.path for left in outcome.left_out] == [b"bad.utf16"]


def test_a_failing_filter_leaves_the_others_going(settled: Clone) -> None:
    settled.git("config", "filter.broken.clean", "false")
    settled.git("config", "filter.broken.required", "true")
    settled.edit(".gitattributes", "*.broken filter=broken\n")
    settled.edit("x.broken", "can't be taken\n")
    settled.edit("a.txt", "changed\n")
    outcome = settled.commit()
    assert isinstance(outcome, CommitMade), outcome
    assert settled.git("show", "HEAD:a.txt") == "changed"
    assert [left.path for left in outcome.left_out] == [b"x.broken"]


def test_a_name_git_forbids_is_told_and_leaves_the_others_going(settled: Clone) -> None:
    names = ["git~1", "sub/git~1", "GIT~1/x", "new\nline/git~1", "50%/git~1"]
    for name in names:
        settled.edit(name, "forbidden\n")
    settled.edit("a.txt", "changed\n")
    outcome = settled.commit()
    assert isinstance(outcome, CommitMade), outcome
    assert settled.git("show", "HEAD:a.txt") == "changed"
    assert sorted(os.fsdecode(left.path) for left in outcome.left_out) == sorted(names)


# safety limits, through the door


def test_a_tree_that_vanishes_is_asked_about(laptop: Clone) -> None:
    for number in range(30):
        laptop.edit(f"{number}.txt", f"{number}\n")
    made = laptop.committed()
    for number in range(20):
        laptop.delete(f"{number}.txt")
    question = laptop.commit()
    assert isinstance(question, Question)
    assert question.kind == "mass-deletion"
    assert laptop.git("rev-parse", "HEAD") == made.head.commit
    assert isinstance(laptop.commit(allowed=frozenset({"mass-deletion"})), CommitMade)
    laptop.is_clean()


def test_the_first_commit_of_a_big_tree_is_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, monkeypatch)
    laptop = world.clone("laptop", safety=Safety(max_new=10))
    for number in range(11):
        laptop.edit(f"{number}.txt", "x")
    question = laptop.commit()
    assert isinstance(question, Question)
    assert question.kind == "first-adoption"
    assert isinstance(laptop.commit(allowed=frozenset({"first-adoption"})), CommitMade)
    for number in range(11, 40):
        laptop.edit(f"{number}.txt", "x")
    assert isinstance(laptop.commit(), CommitMade)


@pytest.mark.parametrize("everything", [False, True])
def test_a_late_store_through_a_mapping_is_committed(laptop: Clone, *, everything: bool) -> None:
    """It moves neither of the file's times, so `git status` sees nothing (on tmpfs, say); also not
    where the path was named and then everything is looked at."""
    laptop.edit("a", "A" * 80)
    laptop.edit("b", "x")
    laptop.committed()
    handle = os.open(laptop.path("a"), os.O_RDWR)
    mapped = mmap.mmap(handle, 80)
    mapped[:4] = b"BBBB"
    laptop.commit("a")
    before = os.stat(laptop.path("a"))
    mapped[:4] = b"CCCC"
    mapped.close()
    os.close(handle)
    os.utime(laptop.path("a"), ns=(before.st_atime_ns, before.st_mtime_ns))
    laptop.git("config", "core.trustctime", "false")
    os.utime(laptop.path(".git/index"))
    laptop.driver.commit(CommitOrder(Scope(frozenset({b"a"}), everything)))
    assert laptop.history_has(b"CCCC" + b"A" * 76)


def test_what_was_put_aside_stays_private_where_it_is_named_and_everything_is_looked_at(
    laptop: Clone,
) -> None:
    laptop.edit("a", "one")
    laptop.edit("d/b", "one")
    laptop.committed()
    laptop.git("update-index", "--assume-unchanged", "a")
    laptop.edit("a", "private")
    laptop.edit("d/b", "two")
    laptop.edit("c", "new")
    everything = Scope(frozenset({b"a", b"d", b"gone"}), everything=True)
    made = laptop.driver.commit(CommitOrder(everything))
    assert isinstance(made, CommitMade)
    assert made.files == 2
    assert laptop.git("show", "HEAD:a") == "one"
    assert laptop.git("show", "HEAD:d/b") == "two"


@pytest.mark.parametrize("named", [(), ("busy", "a.txt")])
@pytest.mark.parametrize(
    "end",
    ["kill -BUS $$", "{ echo fatal: confused by unstable object source data >&2; exit 128; }"],
)
def test_a_file_that_is_cut_shorter_whenever_git_reads_it_is_taken_from_a_copy(
    laptop: Clone, tmp_path: Path, named: tuple[str, ...], end: str
) -> None:
    wrapper, asked = tmp_path / "bin" / "git", tmp_path / "asked"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f"#!/bin/sh\ncase \" $* \" in *' update-index --add '*) cat >{asked}\n"
        f'grep -q busy {asked} && {end}\nexec {shutil.which("git")} "$@" '
        f'<{asked};; esac\nexec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    laptop.driver.close()
    laptop.environment = laptop.environment | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    assert isinstance(laptop.reopen(), Ready)
    laptop.edit(".gitattributes", "busy text\n")
    laptop.committed()
    laptop.edit("busy", "one\r\n")
    os.chmod(laptop.path("busy"), 0o755)
    laptop.edit("a.txt", "one\n")
    os.mkfifo(laptop.path("pipe"))  # so that no quicker way is taken
    made = laptop.committed(*named, *(["pipe"] if named else []))
    assert made.left_out == ()
    assert laptop.git("ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD") == (
        "100644 .gitattributes\n100644 a.txt\n100755 busy"
    )
    assert laptop.git("cat-file", "blob", "HEAD:busy") == "one"
    assert laptop.commit() == NothingToCommit(made.head)
    laptop.is_clean()


def test_a_file_that_is_cut_shorter_as_git_compares_is_no_failing_disk(
    laptop: Clone, tmp_path: Path
) -> None:
    wrapper, died = tmp_path / "bin" / "git", tmp_path / "died"
    wrapper.parent.mkdir()
    died.touch()
    wrapper.write_text(
        f"#!/bin/sh\ncase \" $* \" in *' status --porcelain'*) if [ $(wc -l <{died}) -lt 4 ]; then\n"
        f'echo >>{died}; kill -BUS $$; fi;; esac\nexec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    laptop.edit("a.txt", "one\n")
    laptop.committed()
    laptop.driver.close()
    laptop.environment = laptop.environment | {"PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    assert isinstance(laptop.reopen(), Ready)
    laptop.edit("a.txt", "two\n")
    assert laptop.committed().left_out == ()
    assert len(died.read_text()) == 4
