"""What the person's own git does in the middle of a verb: no order of the two loses anything."""

from collections.abc import Callable, Iterator
from io import FileIO
from types import ModuleType

import pytest

from autosyncd.vcs.git.committing import bypaths, excerpt, quick, wholeindex
from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.git.updating import update
from autosyncd.vcs.git.verbs.commit import TRIES
from autosyncd.vcs.outcomes import CommitMade, Dirty, NothingToCommit, Synced, Waiting, Why
from tests.test_vcs_filters import program
from tests.trees import Clone, World

OLD = "".join(f"old {number}\n" for number in range(9))


def between(
    monkeypatch: pytest.MonkeyPatch, room: object, name: str, act: Callable[[int], None]
) -> None:
    """After each call of `room.name` the person acts; they are told how often it was called."""
    run, calls = getattr(room, name), []

    def then(*arguments: object, **options: object) -> object:
        came = run(*arguments, **options)
        calls.append(name)
        act(len(calls))
        return came

    monkeypatch.setattr(room, name, then)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commit takes the way by the whole index."""

    def doubtful(*_: object) -> None:
        raise Doubtful("as the test wants it")

    monkeypatch.setattr(bypaths, "run", doubtful)


@pytest.mark.usefixtures("whole")
def test_the_person_commits_while_the_tree_is_scanned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (laptop,) = world.share({"a.txt": "one\n", "b.txt": "one\n"}, "laptop")
    before = laptop.git("rev-parse", "HEAD")
    laptop.edit("a.txt", "two\n")

    def once(number: int) -> None:
        if number == 1:
            laptop.commit_by_hand("b.txt", "by hand\n")

    between(monkeypatch, wholeindex, "scan", once)
    laptop.committed("a.txt")
    theirs, scanned = laptop.git("log", "-1", "--format=%P").split()
    assert laptop.git("log", "-1", "--format=%s", theirs) == "By hand: b.txt"
    assert laptop.git("log", "-1", "--format=%P", scanned) == before
    assert laptop.git("show", f"{scanned}:a.txt") == "two"
    assert (laptop.read("a.txt"), laptop.read("b.txt")) == (b"two\n", b"by hand\n")


@pytest.mark.usefixtures("whole")
def test_the_person_stages_while_the_tree_is_scanned(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (laptop,) = world.share({"a.txt": "one\n", "b.txt": "one\n"}, "laptop")
    laptop.edit("a.txt", "two\n")

    def once(number: int) -> None:
        if number == 1:
            laptop.edit("b.txt", "staged\n")
            laptop.git("add", "b.txt")

    between(monkeypatch, wholeindex, "scan", once)
    outcome = laptop.commit("a.txt")
    assert isinstance(outcome, Waiting)
    assert outcome.why is Why.STAGED
    assert laptop.status() == " M a.txt\nM  b.txt"


@pytest.mark.usefixtures("whole")
def test_who_commits_faster_than_we_do_goes_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many lost races as there are tries: it waits, and the next commit has everything."""
    (laptop,) = world.share({"a.txt": "one\n", "b.txt": "one\n"}, "laptop")
    laptop.edit("a.txt", "two\n")
    with monkeypatch.context() as hurry:
        between(
            hurry,
            wholeindex,
            "scan",
            lambda number: laptop.commit_by_hand("b.txt", f"edit {number}\n"),
        )
        outcome = laptop.commit("a.txt")
    assert isinstance(outcome, Waiting)
    assert outcome.why is Why.LOCKED
    assert laptop.status() == " M a.txt"
    assert laptop.read("b.txt") == b"edit %d\n" % TRIES
    assert laptop.read("a.txt") == b"two\n"
    laptop.committed("a.txt")
    assert all(laptop.history_has(f"edit {number}\n") for number in range(1, TRIES + 1))


def test_the_person_begins_a_merge_after_we_looked(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was seen that nothing is going on; a conflicting merge of theirs begins before the lock."""
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    desktop.git("switch", "-qc", "side")
    desktop.edit("a.txt", "aside\n")
    desktop.git("commit", "-qam", "aside")
    desktop.git("switch", "-q", "main")
    desktop.edit("a.txt", "main\n")
    desktop.committed()
    assert isinstance(desktop.sync(), Synced)
    laptop.edit("b.txt", "laptop\n")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)

    between(
        monkeypatch, update, "obstacle", lambda _: desktop.git("merge", "side", status=1) and None
    )
    outcome = desktop.sync()
    assert isinstance(outcome, Waiting), outcome
    assert outcome.why is Why.OPERATION
    assert b"<<<<<<<" in desktop.read("a.txt")
    assert "AA" in desktop.status() or "UU" in desktop.status()
    monkeypatch.undo()
    desktop.edit("a.txt", "both\n")
    desktop.git("commit", "-qam", "Merged by hand")
    assert isinstance(desktop.sync(), Synced)
    assert (desktop.read("a.txt"), desktop.read("b.txt")) == (b"both\n", b"laptop\n")
    desktop.is_clean()


# another branch, in the middle of a verb; `git switch -c` and `--detach` take no lock

LEAVING = {"another branch": ("switch", "-qc", "feature"), "detached": ("switch", "-q", "--detach")}


def has_left(laptop: Clone, was: str, status: str) -> None:
    """Branch, index and files are as they were when the person left the branch."""
    assert laptop.git("rev-parse", "main") == laptop.git("rev-parse", "HEAD") == was
    assert laptop.status() == status
    laptop.is_sound()


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.usefixtures("whole")
def test_the_person_leaves_the_branch_while_the_tree_is_scanned(
    world: World, monkeypatch: pytest.MonkeyPatch, leave: str
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    was = laptop.git("rev-parse", "HEAD")
    laptop.edit("a.txt", "two\n")
    between(monkeypatch, wholeindex, "scan", lambda _: laptop.git(*LEAVING[leave]) and None)
    assert isinstance(laptop.commit(), Waiting)
    has_left(laptop, was, " M a.txt")


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("way", [quick, excerpt])
def test_the_person_leaves_the_branch_while_some_paths_are_committed(
    world: World, monkeypatch: pytest.MonkeyPatch, leave: str, way: ModuleType
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    was = laptop.git("rev-parse", "HEAD")
    laptop.edit("a.txt", "two\n")
    if way is excerpt:
        monkeypatch.setattr(quick, "MOST", 0)
    between(monkeypatch, way, "draft", lambda _: laptop.git(*LEAVING[leave]) and None)
    assert isinstance(laptop.commit("a.txt"), Waiting)
    has_left(laptop, was, " M a.txt")


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("when", ["obstacle", "apply"])
def test_the_person_leaves_the_branch_while_changes_come_in(
    world: World, monkeypatch: pytest.MonkeyPatch, leave: str, when: str
) -> None:
    """Files that were put there already go back: they are no part of the other branch."""
    laptop, desktop = world.share({"a.txt": "one\n", "gone.txt": "1\n"})
    was = laptop.git("rev-parse", "HEAD")
    desktop.edit("a.txt", "two\n")
    desktop.edit("folder/new.txt", "new\n")
    desktop.delete("gone.txt")
    desktop.committed()
    desktop.sync()

    def once(number: int) -> None:
        if number == 1:
            laptop.git(*LEAVING[leave])

    between(monkeypatch, update, when, once)
    assert isinstance(laptop.sync(), Waiting)
    has_left(laptop, was, "")
    assert laptop.files() == {b"a.txt": b"one\n", b"gone.txt": b"1\n"}
    monkeypatch.undo()
    laptop.git("switch", "-q", "main")
    assert isinstance(laptop.sync(), Synced)
    assert laptop.files() == desktop.files()
    laptop.is_clean()


# git commit -a while a file is held


@pytest.fixture
def waiting(world: World) -> Iterator[tuple[Clone, Clone, FileIO]]:
    """An incoming change of app.log waits at the desktop, where somebody has it open."""
    laptop, desktop = world.share({"app.log": OLD, "other": "1\n"})
    laptop.edit("app.log", OLD.replace("old 0", "incoming"))
    laptop.committed()
    laptop.sync()
    with open(desktop.path("app.log"), "ab", buffering=0) as writer:
        outcome = desktop.sync()
        assert isinstance(outcome, Synced)
        assert outcome.held
        yield laptop, desktop, writer


@pytest.mark.parametrize("first", ["commit", "sync"])
@pytest.mark.parametrize("more", ["", "appended\n"], ids=["as it was", "appended to"])
@pytest.mark.parametrize("push", [False, True], ids=["kept here", "pushed by hand"])
def test_all_committed_while_a_file_is_held(
    waiting: tuple[Clone, Clone, FileIO], first: str, more: str, *, push: bool
) -> None:
    """What came in is brought back, joined with what was written meanwhile, and it is told."""
    laptop, desktop, writer = waiting
    writer.write(more.encode())
    desktop.edit("other", "2\n")
    desktop.git("commit", "-qam", "Everything, by hand")
    assert desktop.git("show", "HEAD:app.log") + "\n" == OLD + more
    if push:
        desktop.git("push", "-q")
    if first == "commit":
        made = desktop.commit()
        assert isinstance(made, CommitMade)
        assert [(one.path, one.kind) for one in made.left_out] == [(b"app.log", "taken-back")]
        told = desktop.git("show", "-s", "--format=%s", made.head.commit)
        assert (made.subject, made.files) == (told, 1)
        assert made.head.commit != desktop.git("rev-parse", "HEAD")
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.held
    assert ("app.log was committed as it was" in outcome.note) == (first == "sync")
    assert desktop.read("app.log").decode() == OLD + more
    assert isinstance(laptop.sync(), Synced)
    both = OLD.replace("old 0", "incoming") + more
    assert laptop.read("app.log").decode() == both
    assert laptop.read("other") == b"2\n"
    assert "Everything, by hand" in laptop.git("log", "--format=%s")
    commits = desktop.commits()
    assert isinstance(desktop.commit(), NothingToCommit)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.commits() == commits
    writer.close()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("app.log").decode() == both
    desktop.is_clean()


@pytest.mark.parametrize("first", ["commit", "sync"])
def test_a_revert_by_the_persons_git_while_a_file_is_held_is_left_alone(
    waiting: tuple[Clone, Clone, FileIO], first: str
) -> None:
    laptop, desktop, _ = waiting
    desktop.git("checkout", "-q", "--", "app.log")  # another file in its place: seen, and meant
    assert isinstance(desktop.sync(), Synced)
    desktop.git("revert", "--no-edit", "HEAD")
    if first == "commit":
        desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    laptop.sync()
    assert laptop.read("app.log").decode() == desktop.read("app.log").decode() == OLD
    desktop.is_clean()


@pytest.mark.parametrize("leave", LEAVING)
@pytest.mark.parametrize("opened", [False, True])
def test_what_came_in_is_edited_after_the_person_has_left_the_branch(
    world: World, monkeypatch: pytest.MonkeyPatch, leave: str, *, opened: bool
) -> None:
    """It can't be taken back any more: the edit stays where it was made, and belongs to no other
    branch; what was edited before they left stays too."""
    laptop, desktop = world.share({"a.txt": OLD, "b.txt": "1\n"})
    desktop.edit("a.txt", OLD.replace("old 0", "new 0"))
    desktop.edit("b.txt", "2\n")
    desktop.committed()
    desktop.sync()
    laptop.edit("a.txt", OLD.replace("old 8", "mine"))
    file: list[FileIO] = []

    def then(number: int) -> None:
        if number == 2:
            laptop.git(*LEAVING[leave])
            if opened:
                file.append(FileIO(laptop.path("b.txt"), "a"))
            else:
                laptop.edit("b.txt", "2, and mine\n")

    between(monkeypatch, update, "apply", then)
    assert isinstance(laptop.sync(), Waiting)
    monkeypatch.undo()
    assert laptop.read("a.txt").decode() == OLD.replace("old 8", "mine")
    assert laptop.read("b.txt") == (b"2\n" if opened else b"2, and mine\n")
    assert laptop.status() == " M a.txt\n M b.txt"
    assert not (laptop.root / ".git/autosync/held.json").exists()
    for one in file:
        one.close()


# commits are taken back in the middle of a verb: `git reset --soft` takes no lock


@pytest.fixture
def with_secret(world: World) -> tuple[Clone, str]:
    """A machine on which something comes in, and its newest commit, which was pushed nowhere."""
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    laptop.edit("a.txt", "two\n")
    laptop.edit("new.txt", "new\n")
    laptop.committed()
    laptop.sync()
    desktop.reopen(push=False)
    desktop.commit_by_hand("secret.txt", "a password\n")
    return desktop, desktop.git("rev-parse", "HEAD")


@pytest.mark.parametrize("edited", [False, True])
@pytest.mark.parametrize("when", ["obstacle", "apply"])
def test_the_person_takes_a_commit_back_while_changes_come_in(
    with_secret: tuple[Clone, str], monkeypatch: pytest.MonkeyPatch, when: str, *, edited: bool
) -> None:
    """What was put there by then was joined with it: it goes back, and comes in without it."""
    desktop, secret = with_secret
    if edited:  # by the first round: it is committed on what is then taken back
        desktop.edit("new.txt", "mine\n")
    last = 2 if edited and when == "apply" else 1

    def once(number: int) -> None:
        if number == last:
            desktop.git("reset", "-q", "--soft", "HEAD~1")

    between(monkeypatch, update, when, once)
    assert isinstance(desktop.sync(), Dirty)
    monkeypatch.undo()
    assert secret not in desktop.git("rev-list", "HEAD").split()
    assert desktop.read("secret.txt") == b"a password\n"
    assert desktop.read("a.txt") == b"one\n"
    assert desktop.read("new.txt") == b"mine\n" if edited else "new.txt" not in desktop.files()
    desktop.git("rm", "-q", "--cached", "secret.txt")
    (desktop.root / ".git/info/exclude").write_text("secret.txt\n")
    desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert secret not in desktop.git("rev-list", "HEAD").split()
    assert desktop.read("a.txt") == b"two\n"
    assert b"new\n" in desktop.files().values()
    assert (b"mine\n" in desktop.files().values()) == edited
    assert desktop.read("secret.txt") == b"a password\n"


def test_the_person_takes_a_commit_back_while_a_filter_works(
    with_secret: tuple[Clone, str], world: World
) -> None:
    """It works before the lock is taken, for minutes perhaps, on what was joined with that commit."""
    desktop, secret = with_secret
    desktop.edit(".git/info/attributes", "a.txt filter=slow\n")
    done = world.folder / "done"
    reset = f"test -e {done} || git -C {desktop.root} reset -q --soft HEAD~1; touch {done}"
    desktop.git("config", "filter.slow.smudge", program(world, "slow", f"{reset}; exec cat"))
    desktop.reopen()
    assert isinstance(desktop.sync(), Dirty)
    assert done.exists()
    assert secret not in desktop.git("rev-list", "HEAD").split()
    assert desktop.read("a.txt") == b"one\n"
