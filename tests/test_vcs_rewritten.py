"""History is not what it was: removed, set back, rewritten, amended, unrelated."""

import shlex
import subprocess
from pathlib import Path

import pytest

from autosyncd.model import Head, Safety
from autosyncd.vcs.outcomes import (
    Dirty,
    Question,
    Synced,
)
from tests.trees import Clone, World, push_from


def test_a_branch_that_was_removed_is_asked_about(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    world.hub_git("branch", "other", "main")
    world.hub_git("branch", "-D", "main")
    question = laptop.sync()
    assert isinstance(question, Question)
    assert question.kind == "branch-gone"
    assert isinstance(laptop.sync(), Question)
    outcome = laptop.sync(allowed=frozenset({"branch-gone"}))
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert world.hub_git("rev-parse", "main") == laptop.git("rev-parse", "HEAD")


def test_a_hub_made_anew_is_filled_again(world: World) -> None:
    """Nothing can be lost by it, and a person who has set one up waits for just that."""
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    world.hub.rename(world.folder / "broken.git")
    subprocess.run(["git", "init", "-q", "--bare", world.hub], env=world.environment, check=True)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed
    assert world.hub_git("rev-parse", "main") == laptop.git("rev-parse", "HEAD")


def rewritten(world: World, *names: str) -> list[Clone]:
    """All had "two"; the laptop has forced another version and another commit in its place."""
    laptop, *others = world.share({"a.txt": "one\n", "b.txt": "b\n"}, "laptop", *names)
    laptop.edit("gone.txt", "to be forgotten\n")
    push_from(laptop, "a.txt", "two\n")
    for clone in others:
        clone.sync()
    laptop.delete("gone.txt")
    laptop.edit("a.txt", "rewritten\n")
    laptop.git("commit", "-qa", "--amend", "-m", "Another two")
    laptop.git("push", "-qf", "origin", "main")
    return [laptop, *others]


@pytest.mark.parametrize("fetched", [True, False])
def test_a_rewritten_history_is_followed_where_nothing_is_lost_by_it(
    world: World, fetched: bool
) -> None:
    laptop, desktop = rewritten(world, "desktop")
    old = desktop.git("rev-parse", "HEAD")
    if fetched:  # by hand, so that the remote-tracking branch has moved already
        desktop.git("fetch", "-q", "origin")
        desktop.reopen()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert desktop.files() == laptop.files()
    assert desktop.git("rev-parse", "HEAD") == laptop.git("rev-parse", "HEAD")
    assert f"/{old}" in outcome.note
    kept = outcome.note.rpartition(" ")[2]
    assert desktop.git("rev-parse", kept) == old
    assert desktop.history_has("to be forgotten\n")
    desktop.is_clean()
    again = desktop.sync()
    assert isinstance(again, Synced)
    assert again.note == ""
    push_from(desktop, "b.txt", "goes on\n")
    laptop.sync()
    assert laptop.files() == desktop.files()


def set_back(world: World, **config: object) -> tuple[Clone, Clone]:
    """The hub has lost a commit that both have."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "two\n")
    desktop.sync()
    desktop.reopen(**config)
    world.hub_git("update-ref", "refs/heads/main", "main~1")
    return laptop, desktop


@pytest.mark.parametrize("pull", [True, False])
@pytest.mark.parametrize("fetch", [True, False])
@pytest.mark.parametrize("edited", [True, False])
def test_a_branch_that_was_set_back_is_asked_about(
    world: World, *, edited: bool, fetch: bool, pull: bool
) -> None:
    """By a backup that was put back, or to take something out: so nothing leaves the tree by itself,
    and nothing is published again."""
    laptop, desktop = set_back(world, pull=pull)
    lost, there = desktop.git("rev-parse", "HEAD"), world.hub_git("rev-parse", "main")
    if edited:
        desktop.edit("b.txt", "made here since\n")
        desktop.committed()
    before = desktop.files()
    for _ in range(2):
        question = desktop.sync(fetch=fetch)
        assert isinstance(question, Question), question
        assert question.kind == "rewritten-history"
        assert "has lost the newest commits of main" in question.text
        assert (desktop.files(), world.hub_git("rev-parse", "main")) == (before, there)
    outcome = desktop.sync(allowed=frozenset({question.kind}))
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert desktop.files() == before
    assert lost in world.hub_git("rev-list", "main").split()
    assert isinstance(laptop.sync(), Synced)
    assert laptop.files() == before


@pytest.mark.parametrize("edited", [True, False])
def test_a_branch_that_was_set_back_is_followed_by_the_command_that_is_named(
    world: World, *, edited: bool
) -> None:
    _, desktop = set_back(world)
    if edited:
        desktop.edit("b.txt", "made here since\n")
        desktop.committed()
    question = desktop.sync()
    assert isinstance(question, Question)
    command = shlex.split(question.text.rpartition("since: ")[2])
    subprocess.run(command, env=desktop.environment, check=True, capture_output=True)
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed is edited
    since = {b"b.txt": b"made here since\n"} if edited else {}
    assert desktop.files() == {b"a.txt": b"one\n"} | since
    desktop.is_clean()


@pytest.mark.parametrize("answer", ["go on", "the command that is named"])
def test_a_branch_that_was_set_back_is_asked_about_also_if_another_machine_was_first(
    world: World, answer: str
) -> None:
    """It had not got that far yet, so it knows nothing of what was lost, and just pushes."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(desktop, "a.txt", "two\n")
    push_from(desktop, "new.txt", "lost\n")
    world.hub_git("update-ref", "refs/heads/main", "main~2")
    laptop.edit("c.txt", "from elsewhere\n")
    laptop.git("add", "c.txt")
    laptop.git("commit", "-qm", "Elsewhere", "--date=2026-01-01T00:00:00Z")
    assert isinstance(laptop.sync(), Synced)
    for _ in range(2):
        question = desktop.sync()
        assert isinstance(question, Question), question
        assert question.kind == "rewritten-history"
        assert desktop.read("new.txt") == b"lost\n"
    if answer == "go on":
        assert isinstance(desktop.sync(allowed=frozenset({question.kind})), Synced)
        wanted = {b"a.txt": b"two\n", b"new.txt": b"lost\n"}
    else:
        command = shlex.split(question.text.rpartition("since: ")[2])
        subprocess.run(command, env=desktop.environment, check=True, capture_output=True)
        wanted = {b"a.txt": b"one\n"}
    for clone in (desktop, laptop, desktop):
        assert isinstance(clone.sync(), Synced)
    assert laptop.files() == desktop.files() == wanted | {b"c.txt": b"from elsewhere\n"}


def test_two_machines_that_commit_in_one_second_have_not_amended(world: World) -> None:
    """Both are the same person's."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    for clone in (laptop, desktop):
        clone.environment = clone.environment | {
            "GIT_AUTHOR_DATE": "2026-11-01T12:00:00Z",
        }
        clone.reopen()
    push_from(desktop, "a.txt", "two\n")
    push_from(desktop, "new.txt", "lost there\n")
    world.hub_git("update-ref", "refs/heads/main", "main~2")
    laptop.edit("c.txt", "from elsewhere\n")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Question)
    assert b"new.txt" in desktop.files()


def test_one_of_several_lost_commits_picked_back_does_not_stand_for_all(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(desktop, "b.txt", "two\n")
    picked = desktop.git("rev-parse", "HEAD")
    push_from(
        desktop,
        "new.txt",
        "lost there\n",
    )
    world.hub_git("update-ref", "refs/heads/main", "main~2")
    laptop.git("fetch", "-q", "../desktop", "main")
    laptop.git("cherry-pick", picked)
    laptop.git("push", "-q", "origin", "HEAD:main")
    assert isinstance(desktop.sync(), Question)
    assert b"new.txt" in desktop.files()


def test_one_of_two_of_one_second_picked_back_does_not_stand_for_the_other(world: World) -> None:
    """What was staged and the rest are two commits of one moment."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.environment = desktop.environment | {"GIT_AUTHOR_DATE": "2026-11-01T12:00:00Z"}
    desktop.reopen()
    push_from(desktop, "b.txt", "two\n")
    picked = desktop.git("rev-parse", "HEAD")
    push_from(desktop, "new.txt", "lost there\n")
    world.hub_git("update-ref", "refs/heads/main", "main~2")
    laptop.edit("c.txt", "from elsewhere\n")
    laptop.committed()
    laptop.git("fetch", "-q", "../desktop", "main")
    laptop.git("cherry-pick", picked)
    laptop.git("push", "-q", "origin", "HEAD:main")
    assert isinstance(desktop.sync(), Question)
    assert b"new.txt" in desktop.files()


def test_a_lost_merge_that_has_something_of_its_own_is_asked_about(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.git("switch", "-qc", "topic")
    laptop.commit_by_hand("t.txt", "topic\n")
    laptop.git("push", "-q", "origin", "topic")
    laptop.git("switch", "-q", "main")
    laptop.commit_by_hand("b.txt", "b\n")
    assert isinstance(laptop.sync(), Synced)
    laptop.git("merge", "-q", "--no-commit", "--no-ff", "topic")
    laptop.edit("resolved.txt", "an hour of work\n")
    laptop.git("add", "resolved.txt")
    laptop.git("commit", "-qm", "Merge topic, resolved by hand")
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    world.hub_git("update-ref", "refs/heads/main", "main~1")
    other = world.clone("other")
    other.git("merge", "-q", "--no-ff", "-m", "Merge", "origin/topic")
    other.git("push", "-q", "origin", "main")
    assert isinstance(desktop.sync(), Question)
    assert b"resolved.txt" in desktop.files()


@pytest.mark.parametrize("odd", ["author", "folded", "carriage return"])
def test_an_odd_commit_there_is_no_obstacle(world: World, odd: str) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "two\n")
    desktop.sync()
    laptop.git("reset", "-q", "--hard", "HEAD~1")
    laptop.edit("c.txt", "c\n")
    laptop.git("add", "c.txt")
    if odd == "author":
        laptop.git("commit", "-qm", "x", "--author=A\rB <a@b>")
    else:
        tree = b"abc\n def" if odd == "folded" else b"abc\rdef"
        message = b"x\n\nAutosync-Host: h\nAutosync-Tree: " + tree + b"\n"
        laptop.git("commit", "-q", "--cleanup=verbatim", "-F", "-", stdin=message)
    laptop.git("push", "-qf", "origin", "main")
    assert isinstance(desktop.sync(), Question)
    assert desktop.read("a.txt") == b"two\n"


def test_a_squashed_history_is_followed(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "two\n")
    push_from(laptop, "b.txt", "b\n")
    desktop.sync()
    laptop.git("reset", "-q", "--soft", "HEAD~2")
    laptop.git("commit", "-qm", "Both", "--date=2020-01-01T00:00:00Z")
    laptop.git("push", "-qf", "origin", "main")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.git("rev-parse", "HEAD") == laptop.git("rev-parse", "HEAD")


def test_a_squashed_history_that_is_without_something_is_followed(world: World) -> None:
    """Each commit is there by who wrote it, or by what it changed; a rebase leaves merges out."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "password.txt", "hunter2\n")
    laptop.edit("b.txt", "b\n")
    laptop.committed()
    push_from(desktop, "c.txt", "c\n")
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.git("rev-list", "--merges", "HEAD")
    laptop.git("reset", "-q", "--soft", "HEAD~2")
    laptop.git("rm", "-q", "--cached", "password.txt")
    laptop.git("commit", "-q", "--amend", "-m", "Without the password")
    laptop.git("push", "-qf", "origin", "main")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.files().keys() == {b"a.txt", b"b.txt", b"c.txt"}
    assert desktop.git("rev-parse", "HEAD") == laptop.git("rev-parse", "HEAD")


def test_an_edit_meanwhile_is_carried_over_to_the_rewritten_history(world: World) -> None:
    laptop, desktop = rewritten(world, "desktop")
    desktop.edit("gone.txt", "edited just now\n")
    desktop.edit("b.txt", "edited just now\n")
    for _ in range(2):
        assert isinstance(desktop.sync(), Synced | Dirty)
        desktop.commit()
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("a.txt") == b"rewritten\n"
    assert desktop.read("b.txt") == b"edited just now\n"
    assert desktop.read("gone.txt") == b"edited just now\n"
    assert "two" not in desktop.git("log", "--format=", "-p", "HEAD")
    laptop.sync()
    assert laptop.files() == desktop.files()
    desktop.is_clean()


def test_a_rewritten_history_that_takes_most_files_away_is_asked_about(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    for n in range(30):
        laptop.edit(f"{n}.txt", f"{n}\n")
    push_from(laptop, "a.txt", "two\n")
    desktop.sync()
    laptop.git("rm", "-q", "[0-9]*.txt")
    laptop.git("commit", "-q", "--amend", "-m", "Made anew")
    laptop.git("push", "-qf", "origin", "main")
    for _ in range(2):
        question = desktop.sync()
        assert isinstance(question, Question), question
        assert question.kind == "incoming-mass-deletion"
        assert len(desktop.files()) == 31
    assert isinstance(desktop.sync(allowed=frozenset({question.kind})), Synced)
    assert len(desktop.files()) == 1


def test_a_person_who_rewrites_here_and_there_is_not_asked(world: World) -> None:
    (laptop,) = rewritten(world)
    outcome = laptop.sync()
    assert outcome == Synced(Head("main", laptop.git("rev-parse", "HEAD")))


def test_a_rewritten_history_is_asked_about_and_merged_if_wanted(world: World) -> None:
    _, desktop = rewritten(world, "desktop")
    desktop.edit("b.txt", "was never there\n")
    desktop.committed()
    for _ in range(2):
        question = desktop.sync()
        assert isinstance(question, Question), question
        assert question.kind == "rewritten-history"
        assert desktop.read("a.txt") == b"two\n"
    question = desktop.reopen() and desktop.sync()
    assert isinstance(question, Question)
    outcome = desktop.sync(allowed=frozenset({"rewritten-history"}))
    assert isinstance(outcome, Synced)
    assert {b"two\n", b"rewritten\n", b"was never there\n"} <= set(desktop.files().values())
    assert isinstance(desktop.sync(), Synced)


@pytest.mark.parametrize("edits", ["who rewrote", "who followed"])
def test_what_somebody_chose_to_bring_back_is_not_taken_out_again(world: World, edits: str) -> None:
    laptop, desktop, tower = rewritten(world, "desktop", "tower")
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
        assert b"gone.txt" not in clone.files()
    tower.edit("c.txt", "was never there\n")
    tower.committed()
    question = tower.sync()
    assert isinstance(question, Question)
    assert isinstance(tower.sync(allowed=frozenset({question.kind})), Synced)
    clone = laptop if edits == "who rewrote" else desktop
    push_from(clone, "d.txt", "d\n")
    assert isinstance(tower.sync(), Synced)
    for clone in (laptop, desktop, tower):
        assert isinstance(clone.sync(), Synced)
        assert b"gone.txt" in clone.files()


def test_a_rewritten_history_is_not_pushed_over_without_a_fetch(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    push_from(laptop, "a.txt", "two\n")
    desktop.sync()
    laptop.git("push", "-qf", "origin", "HEAD~1:main")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync()
    assert isinstance(outcome, Question)
    assert outcome.kind == "rewritten-history"


def unrelated(world: World, here: int, there: int) -> Clone:
    """A clone that has begun by itself, with so many files on either side."""
    desktop = world.clone("desktop")
    desktop.reopen(safety=Safety(min_files=2))
    for n in range(here):
        desktop.edit(f"here{n}.txt", "here\n")
    desktop.committed()
    laptop = world.clone("laptop")
    for n in range(there):
        laptop.edit(f"there{n}.txt", "there\n")
    laptop.committed()
    laptop.sync()
    return desktop


def test_two_grown_histories_without_a_common_beginning_are_asked_about(world: World) -> None:
    desktop = unrelated(world, 3, 3)
    question = desktop.sync()
    assert isinstance(question, Question)
    assert question.kind == "unrelated-history"
    assert len(desktop.files()) == 3
    outcome = desktop.sync(allowed=frozenset({"unrelated-history"}))
    assert isinstance(outcome, Synced)
    assert len(desktop.files()) == 6
    desktop.is_clean()


def test_a_fresh_readme_joins_a_history_without_being_asked(world: World) -> None:
    desktop = unrelated(world, 3, 1)
    assert isinstance(desktop.sync(), Synced)
    assert len(desktop.files()) == 4


@pytest.mark.parametrize("elsewhere", [False, True], ids=["nobody else", "somebody else edits too"])
@pytest.mark.parametrize("how", ["amend", "squash"])
def test_a_commit_that_is_amended_after_it_was_pushed(
    world: World, how: str, *, elsewhere: bool
) -> None:
    """It stands against the one that was pushed: no conflict of the person with themselves."""
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    laptop.commit_by_hand("a.txt", "two, wiht a typo\n")
    if how == "squash":
        laptop.commit_by_hand("a.txt", "two, with another tpyo\n")
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
    pushed = laptop.git("rev-parse", "HEAD")
    if elsewhere:
        push_from(desktop, "b.txt", "from the desktop\n")
    if how == "squash":
        laptop.git("reset", "-q", "--soft", "HEAD~2")
        laptop.edit("a.txt", "two\n")
        laptop.git("commit", "-qam", "Both in one")
    else:
        laptop.edit("a.txt", "two\n")
        laptop.git("commit", "-qa", "--amend", "-m", "Without the typo")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.conflicts == ()
    assert isinstance(desktop.sync(), Synced)
    expected = b"from the desktop\n" if elsewhere else b"one\n"
    for clone in (laptop, desktop):
        assert clone.files() == {b"a.txt": b"two\n", b"b.txt": expected}
        assert pushed in clone.git("rev-list", "HEAD")
        clone.is_clean()


def test_what_an_amend_took_out_stays_out_however_much_is_committed_until_it_is_pushed(
    world: World,
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit("secret.txt", "not meant to be here\n")
    push_from(laptop, "b.txt", "b\n")
    laptop.git("rm", "-q", "secret.txt")
    laptop.git("commit", "-q", "--amend", "-m", "Without the secret")
    for number in range(60):  # while the hub is away
        laptop.git("commit", "-q", "--allow-empty", "-m", str(number))
    assert isinstance(laptop.sync(), Synced)
    assert b"secret.txt" not in laptop.files()


def test_a_shallow_clone_with_nothing_in_common_fetches_all_then_asks(world: World) -> None:
    desktop = unrelated(world, 3, 3)
    laptop = world.clones["laptop"]
    push_from(laptop, "there0.txt", "again\n")
    desktop.git("fetch", "-q", "--depth=1", f"file://{world.hub}", "+main:refs/remotes/origin/main")
    desktop.git("remote", "set-url", "origin", f"file://{world.hub}")
    assert Path(desktop.path(".git/shallow")).exists()
    question = desktop.sync()
    assert isinstance(question, Question), question
    assert question.kind == "unrelated-history"
    assert not Path(desktop.path(".git/shallow")).exists()
