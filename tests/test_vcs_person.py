"""The person's own git goes first: what they have begun, marked or staged is left to them."""

import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autosyncd.vcs.changes import NOTHING_CHANGED
from autosyncd.vcs.orders import CommitOrder
from autosyncd.vcs.outcomes import (
    CommitMade,
    NothingToCommit,
    Ready,
    Snapshotted,
    Synced,
    Unfit,
    Waiting,
    Why,
)
from tests.trees import Clone, World, make_world


@pytest.fixture
def laptop(world: World) -> Clone:
    """Two commits on main; `side` changed a.txt in another way."""
    laptop = world.clone("laptop")
    for name in ("a.txt", "b.txt", "c.txt"):
        laptop.edit(name, f"this is {name}\n")
    laptop.committed()
    laptop.git("switch", "-qc", "side")
    laptop.edit("a.txt", "aside\n")
    laptop.git("commit", "-qam", "aside")
    laptop.git("switch", "-q", "main")
    laptop.edit("a.txt", "main\n")
    laptop.committed()
    return laptop


# flags in the index


def flags(laptop: Clone) -> str:
    return laptop.git("ls-files", "-v")


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_the_person_has_put_aside_is_not_committed(laptop: Clone, flag: str) -> None:
    laptop.git("update-index", flag, "b.txt")
    marked = flags(laptop)
    laptop.edit("b.txt", "my local settings\n")
    laptop.edit("c.txt", "changed\n")
    assert laptop.committed().files == 1
    assert flags(laptop) == marked
    assert laptop.git("show", "HEAD:b.txt") == "this is b.txt"
    assert laptop.read("b.txt") == b"my local settings\n"


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_what_comes_in_never_overwrites_a_file_put_aside(
    laptop: Clone, world: World, flag: str
) -> None:
    laptop.sync()
    desktop = world.clone("desktop")
    laptop.git("update-index", flag, "b.txt")
    laptop.edit("b.txt", "my local settings\n")
    desktop.edit("b.txt", "changed by the desktop\n")
    desktop.committed()
    desktop.sync()
    laptop.sync()
    laptop.commit()
    laptop.sync()
    assert laptop.read("b.txt") == b"my local settings\n"
    assert flags(laptop).split("\n")[1][0] in "hS"


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
@pytest.mark.parametrize("name", ["b.txt", "odd [1]* name\n!#.txt"])
def test_a_file_put_aside_that_is_deleted_elsewhere_is_not_published(
    laptop: Clone, world: World, flag: str, name: str
) -> None:
    """Renamed there, it is the same: the old name is gone."""
    laptop.edit(name, "public\n")
    laptop.committed()
    laptop.sync()
    desktop = world.clone("desktop")
    laptop.git("update-index", flag, "--", name)
    laptop.edit(name, "my password\n")
    desktop.move(name, "renamed.txt")
    desktop.committed()
    desktop.sync()
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert "yours stays" in outcome.note
    for _ in range(2):
        laptop.commit()
        laptop.commit(name)
        laptop.sync()
    assert laptop.read(name) == b"my password\n"
    assert laptop.read("renamed.txt") == b"public\n"
    assert not laptop.history_has("my password\n")
    desktop.sync()
    assert os.fsencode(name) not in desktop.files()
    laptop.git("add", "-f", "--", name)
    laptop.git("commit", "-qm", "Now it is for all")
    laptop.sync()
    desktop.sync()
    assert desktop.read(name) == b"my password\n"


def test_a_name_that_was_put_aside_is_one_like_any_once_it_has_come_in_again(
    laptop: Clone, world: World
) -> None:
    """Put aside here, deleted elsewhere, given up here, made anew elsewhere: nothing is private now."""
    laptop.sync()
    desktop = world.clone("desktop")
    laptop.git("update-index", "--skip-worktree", "b.txt")
    laptop.edit("b.txt", "my password\n")
    desktop.delete("b.txt")
    desktop.committed()
    desktop.sync()
    laptop.sync()
    laptop.delete("b.txt")
    laptop.commit()
    desktop.edit("b.txt", "for all\n")
    desktop.committed()
    desktop.sync()
    laptop.sync()
    assert laptop.read("b.txt") == b"for all\n"
    desktop.delete("b.txt")
    desktop.committed()
    desktop.sync()
    laptop.sync()
    laptop.edit("b.txt", "a new one\n")
    laptop.committed()
    assert laptop.tracked() >= {b"b.txt"}
    assert not laptop.history_has("my password\n")


def test_a_sparse_checkout_stays_sparse(laptop: Clone, world: World) -> None:
    laptop.edit("inside/x.txt", "x\n")
    laptop.edit("outside/y.txt", "y\n")
    laptop.committed()
    laptop.sync()
    desktop = world.clone("desktop")
    laptop.git("sparse-checkout", "set", "inside")
    assert not os.path.exists(laptop.path("outside"))
    assert isinstance(laptop.commit(), NothingToCommit)
    laptop.edit("inside/x.txt", "changed\n")
    laptop.committed()
    for name in ("inside/x.txt", "outside/y.txt", "outside/new.txt"):
        desktop.edit(name, "from the desktop\n")
    desktop.committed()
    desktop.sync()
    laptop.sync()
    desktop.sync()
    assert laptop.tracked() >= {b"inside/x.txt", b"outside/y.txt", b"outside/new.txt"}
    assert not os.path.exists(laptop.path("outside"))
    assert laptop.git("show", "HEAD:outside/y.txt") == "from the desktop"
    laptop.is_clean()


def test_intent_to_add_is_committed_like_any_new_file(laptop: Clone) -> None:
    laptop.edit("new.txt", "new\n")
    laptop.git("add", "-N", "new.txt")
    laptop.committed()
    assert b"new.txt" in laptop.tracked()


# staging


def test_staged_changes_are_waited_for(laptop: Clone) -> None:
    laptop.edit("a.txt", "staged\n")
    laptop.git("add", "a.txt")
    laptop.edit("b.txt", "not staged\n")
    waiting = laptop.commit()
    assert isinstance(waiting, Waiting)
    assert waiting.why is Why.STAGED
    assert laptop.git("status", "--porcelain") == "M  a.txt\n M b.txt"
    laptop.git("commit", "-qm", "By hand")
    assert laptop.committed().files == 1


def test_staged_changes_waited_for_too_long_become_a_commit_of_their_own(laptop: Clone) -> None:
    before = laptop.commits()
    laptop.edit("a.txt", "staged\n")
    laptop.git("add", "a.txt")
    laptop.edit("a.txt", "staged\nand more\n")
    assert isinstance(laptop.commit(ignore_staged=True), CommitMade)
    laptop.is_clean()
    assert laptop.commits() == before + 2
    assert laptop.git("show", "HEAD~1:a.txt") == "staged"
    assert laptop.git("show", "HEAD:a.txt") == "staged\nand more"


def test_all_staged_is_one_commit(laptop: Clone) -> None:
    before = laptop.commits()
    laptop.edit("a.txt", "staged\n")
    laptop.git("add", "a.txt")
    assert isinstance(laptop.commit(ignore_staged=True), CommitMade)
    assert laptop.commits() == before + 1
    laptop.is_clean()


def test_what_is_staged_is_committed_though_no_file_has_changed(laptop: Clone) -> None:
    before = laptop.commits()
    laptop.git("rm", "-q", "--cached", "a.txt")
    made = laptop.driver.commit(CommitOrder(NOTHING_CHANGED, ignore_staged=True))
    assert isinstance(made, CommitMade)
    assert laptop.commits() == before + 1
    assert b"a.txt" not in laptop.tracked()
    again = laptop.driver.commit(CommitOrder(NOTHING_CHANGED, ignore_staged=True))
    assert isinstance(again, NothingToCommit), "nothing but what is staged"


def test_staged_and_undone_in_the_tree_is_kept_in_history(laptop: Clone) -> None:
    laptop.edit("a.txt", "staged only\n")
    laptop.git("add", "a.txt")
    laptop.edit("a.txt", "main\n")
    laptop.commit(ignore_staged=True)
    laptop.is_clean()
    assert laptop.history_has("staged only\n")


def test_an_incoming_change_does_not_lose_what_is_staged(laptop: Clone, world: World) -> None:
    laptop.sync()
    desktop = world.clone("desktop")
    desktop.edit("a.txt", "from the desktop\n")
    desktop.edit("b.txt", "from the desktop\n")
    desktop.committed()
    desktop.sync()
    laptop.edit("a.txt", "staged\n")
    laptop.git("add", "a.txt")
    laptop.edit("a.txt", "on disk\n")
    laptop.sync()
    contents = set(laptop.files().values())
    assert b"on disk\n" in contents
    staged = laptop.git("hash-object", "--stdin", stdin=b"staged\n")
    assert staged in laptop.git("ls-files", "-s") or laptop.history_has("staged\n")
    laptop.commit(ignore_staged=True)
    assert isinstance(laptop.sync(), Synced)
    assert laptop.history_has("on disk\n")
    assert laptop.history_has("staged\n")
    laptop.is_clean()


# what the person is in the middle of

OPERATIONS: dict[str, tuple[str, ...]] = {
    "merge": ("merge", "side"),
    "rebase": ("rebase", "side"),
    "cherry-pick": ("cherry-pick", "side"),
    "revert": ("revert", "--no-commit", "HEAD"),
    "am": ("am", "../side.patch"),
    "bisect": ("bisect", "start"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_is_done_in_the_middle_of_an_operation(laptop: Clone, operation: str) -> None:
    patch = laptop.git("format-patch", "-1", "--stdout", "side")
    (laptop.root.parent / "side.patch").write_text(patch + "\n")
    laptop.git(*OPERATIONS[operation], status=None)
    head, status = laptop.git("rev-parse", "HEAD"), laptop.status()
    laptop.edit("c.txt", "meanwhile\n")
    for outcome in (laptop.commit(), laptop.commit("c.txt", ignore_staged=True), laptop.sync()):
        assert isinstance(outcome, Waiting), outcome
        assert outcome.why in (Why.OPERATION, Why.DETACHED)
        assert operation.split("-")[0] in outcome.text or operation == "am"
    assert laptop.git("rev-parse", "HEAD") == head
    assert set(status.splitlines()) <= set(laptop.status().splitlines())
    finish = "reset" if operation == "bisect" else "--abort"
    laptop.git(operation, finish)
    assert isinstance(laptop.commit(), CommitMade | NothingToCommit)
    laptop.edit("c.txt", "afterwards\n")
    laptop.committed()


def begin(laptop: Clone, what: str) -> str:
    """The person is in the middle of something; the command that ends it."""
    patch = laptop.git("format-patch", "-1", "--stdout", "side")
    (laptop.root.parent / "side.patch").write_text(patch + "\n")
    if what in OPERATIONS:
        laptop.git(*OPERATIONS[what], status=None)
        return f"{what} {'reset' if what == 'bisect' else '--abort'}"
    laptop.git("switch", "-q", *(("--detach",) if what == "detached" else ("side",)))
    return "switch -qf main"


def as_it_is(laptop: Clone) -> tuple[str, ...]:
    """What a snapshot must leave as it is."""
    asked = ("rev-parse HEAD main", "ls-files -s -v", "status --porcelain", "stash list")
    return tuple(laptop.git(*words.split()) for words in asked)


@pytest.mark.parametrize("what", [*OPERATIONS, "detached", "another branch"])
def test_what_is_written_in_the_middle_of_something_is_made_safe(
    laptop: Clone, world: World, what: str
) -> None:
    """A snapshot here and on the remote; HEAD and index are the person's; it goes on afterwards."""
    laptop.sync()
    finish = begin(laptop, what)
    laptop.edit("c.txt", "only a snapshot has it\n")
    laptop.edit("new.txt", "nor was this ever added\n")
    assert isinstance(laptop.commit(), Waiting)
    before, index = as_it_is(laptop), laptop.read(".git/index")
    assert laptop.driver.snapshot().new
    assert as_it_is(laptop) == before
    assert laptop.read(".git/index") == index
    (ref,) = world.hub_git("for-each-ref", "--format=%(refname)", "refs/autosync/wip").split("\n")
    assert ref.startswith("refs/autosync/wip/")
    assert world.hub_git("show", f"{ref}:c.txt") == "only a snapshot has it"
    assert world.hub_git("show", f"{ref}:new.txt") == "nor was this ever added"
    assert world.hub_git("show", f"{ref}:a.txt") == laptop.read("a.txt").decode().rstrip("\n")
    assert not laptop.driver.snapshot().new  # nothing is new
    laptop.git(*finish.split())
    laptop.edit("c.txt", "only a snapshot has it\n")
    assert isinstance(laptop.commit(), CommitMade)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed
    assert world.hub_git("for-each-ref", "refs/autosync") == ""
    assert laptop.git("for-each-ref", "refs/autosync/wip") == ""
    laptop.is_clean()


def test_a_snapshot_that_could_not_be_pushed_is_pushed_later(laptop: Clone, world: World) -> None:
    laptop.sync()
    laptop.git("switch", "-q", "side")
    laptop.edit("c.txt", "typed\n")
    away = world.hub.rename(world.folder / "away.git")
    assert laptop.driver.snapshot() == Snapshotted(new=True, left=True)
    away.rename(world.hub)
    assert laptop.driver.snapshot() == Snapshotted(new=False, left=False)
    assert "refs/autosync/wip/" in world.hub_git("for-each-ref")
    assert laptop.driver.snapshot() == Snapshotted()


def test_a_snapshot_has_what_is_only_staged(laptop: Clone) -> None:
    laptop.git("switch", "-q", "side")
    laptop.edit("c.txt", "staged\n")
    laptop.git("add", "c.txt")
    laptop.edit("c.txt", "on disk\n")
    assert laptop.driver.snapshot().new
    assert not laptop.driver.snapshot().new
    assert laptop.history_has("staged\n")
    assert laptop.history_has("on disk\n")
    assert laptop.status() == "MM c.txt"
    laptop.git("checkout-index", "-qf", "c.txt")
    laptop.edit("c.txt", "on disk again\n")
    assert laptop.driver.snapshot().new


def test_a_snapshot_of_what_the_person_has_thrown_away_is_kept(laptop: Clone, world: World) -> None:
    laptop.sync()
    laptop.git("switch", "-q", "side")
    laptop.edit("c.txt", "a whole day of work\n")
    assert laptop.driver.snapshot().new
    laptop.git("switch", "-qf", "main")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    kept = outcome.note.partition("git show ")[2]
    assert laptop.git("show", f"{kept}:c.txt") == "a whole day of work"
    assert laptop.history_has("a whole day of work\n")
    assert world.hub_git("for-each-ref", "refs/autosync/wip") == ""
    assert laptop.sync().note == ""  # type: ignore[union-attr]


def test_a_snapshot_of_what_is_committed_afterwards_is_gone(laptop: Clone) -> None:
    laptop.sync()
    laptop.git("switch", "-q", "--detach")
    laptop.edit("c.txt", "typed meanwhile\n")
    assert laptop.driver.snapshot().new
    laptop.git("switch", "-q", "main")
    laptop.committed()
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.note == ""
    assert laptop.git("for-each-ref", "refs/autosync/wip", "refs/autosync/before") == ""


def test_a_snapshot_of_what_is_staged_in_part_holds_the_file_as_it_is(
    laptop: Clone, world: World
) -> None:
    laptop.edit("a.txt", "staged\n")
    laptop.git("add", "a.txt")
    laptop.edit("a.txt", "staged\nand more\n")
    assert isinstance(laptop.commit(), Waiting)
    assert laptop.driver.snapshot().new
    assert laptop.status() == "MM a.txt"
    ref = world.hub_git("for-each-ref", "--format=%(refname)", "refs/autosync/wip")
    assert world.hub_git("show", f"{ref}:a.txt") == "staged\nand more"


def test_a_stash_popped_into_a_conflict_is_waited_for(laptop: Clone, world: World) -> None:
    laptop.sync()
    desktop = world.clone("desktop")
    laptop.edit("a.txt", "stashed\n")
    laptop.git("stash", "-q")
    laptop.edit("a.txt", "something else\n")
    laptop.committed()
    laptop.git("stash", "pop", status=1)
    desktop.edit("b.txt", "from the desktop\n")
    desktop.committed()
    desktop.sync()
    stages = laptop.git("ls-files", "-u")
    for outcome in (laptop.commit(), laptop.commit(ignore_staged=True)):
        assert isinstance(outcome, Waiting), outcome
        assert outcome.why is Why.OPERATION
    assert isinstance(laptop.sync(), Waiting | Synced)
    assert laptop.git("ls-files", "-u") == stages
    assert "<<<<<<<" in laptop.read("a.txt").decode()
    laptop.edit("a.txt", "resolved\n")
    laptop.git("add", "a.txt")
    assert isinstance(laptop.commit(ignore_staged=True), CommitMade)
    laptop.sync()
    laptop.is_clean()
    assert laptop.read("b.txt") == b"from the desktop\n"


def test_a_detached_head_is_waited_for(laptop: Clone) -> None:
    laptop.git("switch", "-q", "--detach", "HEAD~1")
    laptop.edit("a.txt", "meanwhile\n")
    for outcome in (laptop.commit(), laptop.sync()):
        assert isinstance(outcome, Waiting)
        assert outcome.why is Why.DETACHED
        assert "git switch main" in outcome.text
    laptop.git("switch", "-qf", "main")
    assert isinstance(laptop.commit(), NothingToCommit)


def test_another_branch_is_waited_for(laptop: Clone) -> None:
    laptop.git("switch", "-q", "side")
    laptop.edit("b.txt", "meanwhile\n")
    for outcome in (laptop.commit(), laptop.sync(), laptop.reopen() and laptop.commit()):
        assert isinstance(outcome, Waiting)
        assert outcome.why is Why.OTHER_BRANCH
        assert "side" in outcome.text
        assert "main" in outcome.text
    laptop.git("switch", "-q", "main")
    assert laptop.committed().head.branch == "main"


def test_what_is_pushed_while_another_branch_is_checked_out_comes_afterwards(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    laptop.git("switch", "-qc", "side")
    desktop.edit("a.txt", "desktop\n")
    desktop.committed()
    desktop.sync()
    before = laptop.git("rev-parse", "refs/remotes/origin/main", "main")
    for fetch in (True, False):
        assert isinstance(laptop.sync(fetch=fetch), Waiting)
    assert laptop.git("rev-parse", "refs/remotes/origin/main", "main") == before
    assert laptop.read("a.txt") == b"one\n"
    laptop.git("switch", "-q", "main")
    laptop.edit("b.txt", "laptop\n")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert laptop.files() == desktop.files() == {b"a.txt": b"desktop\n", b"b.txt": b"laptop\n"}


def test_a_branch_that_is_configured_is_the_one(laptop: Clone) -> None:
    ready = laptop.reopen(branch="side")
    assert isinstance(ready, Ready)
    assert ready.identity.branch == "side"
    laptop.edit("b.txt", "on main\n")
    assert isinstance(laptop.commit(), Waiting)


# index.lock


def test_a_lock_left_behind_is_told_with_the_way_out_and_never_removed(laptop: Clone) -> None:
    laptop.edit("a.txt", "changed\n")
    lock = Path(laptop.path(".git/index.lock"))
    lock.touch()
    for outcome in (laptop.commit(), laptop.sync(), laptop.reopen() and laptop.commit()):
        assert isinstance(outcome, Waiting)
        assert outcome.why is Why.LOCKED
        assert os.fspath(lock) in outcome.text
    lock.unlink()
    laptop.committed()


def test_a_lock_held_by_a_living_git_names_it(laptop: Clone) -> None:
    laptop.edit("a.txt", "changed\n")
    laptop.git("config", "core.editor", "sh -c 'echo ready; read line <../go'")
    os.mkfifo(laptop.root.parent / "go")
    held = subprocess.Popen(
        ["git", "commit", "-qa"],
        cwd=laptop.root,
        env=laptop.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert held.stdout is not None
        held.stdout.readline()
        outcome = laptop.commit()
        assert isinstance(outcome, Waiting)
        assert outcome.why is Why.LOCKED
        assert f"git ({held.pid})" in outcome.text
    finally:
        (laptop.root.parent / "go").write_text("go\n")
        held.communicate()
    laptop.committed()


@pytest.mark.parametrize("name", ["refs/heads/main.lock", "HEAD.lock"])
def test_another_lock_left_behind_is_named(laptop: Clone, name: str) -> None:
    """Whoever is to remove it must be told which file it is."""
    laptop.edit("a.txt", "changed\n")
    lock = Path(laptop.path(f".git/{name}"))
    lock.touch()
    outcome = laptop.commit()
    if not isinstance(outcome, CommitMade):
        assert os.path.basename(name) in getattr(outcome, "text", "")
    lock.unlink()
    laptop.commit()
    laptop.is_clean()


# trees that can't be worked in


def test_a_folder_that_is_not_there_is_waited_for(world: World) -> None:
    clone = world.adopt("nowhere")
    outcome = clone.driver.inspect()
    assert isinstance(outcome, Waiting)
    assert outcome.why is Why.GONE


def test_a_folder_that_goes_away_is_waited_for_and_nothing_is_deleted(laptop: Clone) -> None:
    laptop.root.rename(laptop.root.parent / "away")
    for outcome in (laptop.commit(), laptop.sync(), laptop.driver.inspect()):
        assert isinstance(outcome, Waiting)
        assert outcome.why is Why.GONE
    (laptop.root.parent / "away").rename(laptop.root)
    assert isinstance(laptop.commit(), NothingToCommit)


def not_a_repository(folder: Path) -> str:
    return "git init"


def a_bare_one(folder: Path) -> str:
    subprocess.run(["git", "init", "-q", "--bare", folder], check=True)
    return "bare"


def a_folder_inside_one(folder: Path) -> str:
    subprocess.run(["git", "init", "-q", folder.parent], check=True)
    return "inside"


@pytest.mark.parametrize("kind", [not_a_repository, a_bare_one, a_folder_inside_one])
def test_a_folder_that_is_no_work_tree_is_unfit(world: World, kind: Callable[[Path], str]) -> None:
    (world.folder / "x").mkdir()
    word = kind(world.folder / "x")
    unfit = world.adopt("x").driver.inspect()
    assert isinstance(unfit, Unfit)
    assert word in unfit.text


def test_a_detached_head_at_first_sight_is_unfit(world: World, laptop: Clone) -> None:
    laptop.sync()
    desktop = world.clone("desktop", inspect=False)
    desktop.git("switch", "-q", "--detach")
    assert isinstance(desktop.driver.inspect(), Unfit)


def test_two_workers_never_share_a_tree(laptop: Clone) -> None:
    other = Clone(laptop.root, laptop.environment)
    unfit = other.driver.inspect()
    assert isinstance(unfit, Unfit)
    assert "Another autosyncd" in unfit.text
    laptop.driver.close()
    assert isinstance(other.driver.inspect(), Ready)


def test_nothing_is_done_before_a_look(world: World) -> None:
    laptop = world.clone("laptop", inspect=False)
    laptop.edit("a.txt", "x\n")
    assert not isinstance(laptop.commit(), CommitMade)
    assert not isinstance(laptop.sync(), Synced)


def test_the_tree_keeps_its_id_and_a_copy_gets_its_own(laptop: Clone, world: World) -> None:
    first, second = laptop.driver.inspect(), laptop.reopen()
    assert isinstance(first, Ready)
    assert isinstance(second, Ready)
    assert first.identity.tree == second.identity.tree
    assert len(first.identity.tree) == 32
    copied = world.copy(world.folder.parent / "other").clones["laptop"].driver.inspect()
    assert isinstance(copied, Ready)
    assert copied.identity.tree != first.identity.tree


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"unknown": 1}'])
def test_a_damaged_memory_is_begun_anew(laptop: Clone, content: str) -> None:
    laptop.edit(".git/autosync/memory.json", content)
    assert isinstance(laptop.reopen(), Ready)
    laptop.edit("a.txt", "changed\n")
    laptop.committed()


def test_where_git_knows_no_author_the_user_and_host_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make_world(tmp_path, monkeypatch, author=False)
    laptop = world.clone("laptop")
    ready = laptop.driver.inspect()
    assert isinstance(ready, Ready)
    laptop.edit("a.txt", "x\n")
    laptop.committed()
    address = laptop.git("log", "-1", "--format=%ae %ce")
    user = laptop.git("log", "-1", "--format=%an")
    assert address == f"{user}@laptop {user}@laptop"
    assert f"{user}@laptop" in ready.note
    assert "user.email" in ready.note


@pytest.mark.parametrize("scope", [("a.txt",), ()])
def test_a_name_that_is_taken_away_while_the_tree_is_worked_in(
    world: World, scope: tuple[str, ...]
) -> None:
    laptop = world.clone("laptop")
    laptop.edit("a.txt", "1\n")
    laptop.committed()
    laptop.git("config", "user.name", "")
    laptop.edit("a.txt", "2\n")
    laptop.committed(*scope)
    assert laptop.git("log", "-1", "--format=%an") == pwd.getpwuid(os.getuid()).pw_name
    laptop.git("config", "user.name", "Alice")
    laptop.edit("a.txt", "3\n")
    laptop.committed(*scope)
    assert laptop.git("log", "-1", "--format=%an") == "Alice"


@pytest.mark.parametrize("known", ["user.name", "user.email"])
def test_half_an_author_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: str
) -> None:
    world = make_world(tmp_path, monkeypatch, author=False)
    laptop = world.clone("laptop")
    laptop.git("config", known, "alice@example.org")
    laptop.git("config", "user.useConfigOnly", "true")
    laptop.reopen()
    laptop.edit("a.txt", "x\n")
    laptop.committed()
    assert "alice@example.org" in laptop.git("log", "-1", "--format=%an %ae")


def test_a_known_author_is_used_without_a_note(laptop: Clone) -> None:
    ready = laptop.driver.inspect()
    assert isinstance(ready, Ready)
    assert ready.note == ""
    assert laptop.git("log", "-1", "--format=%an <%ae>") == "Alice <alice@example.org>"
