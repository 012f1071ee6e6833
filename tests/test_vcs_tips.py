"""A machine that loses each race for the hub is helped, and nothing comes back by that."""

import json
import subprocess

import pytest

from autosyncd.vcs.outcomes import (
    Question,
    Synced,
)
from tests.trees import Clone, World, push_from


def test_the_hub_moves_with_each_push_until_it_rests(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    other = world.folder / "other"
    subprocess.run(["git", "clone", "-q", world.hub, other], env=world.environment, check=True)
    hook = desktop.root / ".git/hooks/pre-push"
    hook.write_text(
        f"#!/bin/sh\ncd {other}\nunset GIT_DIR\necho x >>count\ngit pull -q\n"
        "git add count; git commit -qm faster; git push -q\n"
        "test $(wc -l <count) -lt 3 || echo '#!/bin/sh' >$OLDPWD/.git/hooks/pre-push\n"
    )
    hook.chmod(0o755)
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed
    assert desktop.read("count") == b"x\n" * 3
    laptop.sync()
    assert laptop.files() == desktop.files()


@pytest.mark.parametrize(
    ("branch", "comes"), [("main", True), ("side", False), ("team/main", False)]
)
def test_only_who_works_on_the_same_branch_is_helped(
    world: World, branch: str, *, comes: bool
) -> None:
    """A machine that always loses the race leaves its tip on the hub, for others to take along."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit("b.txt", "always too slow\n")
    tip = desktop.committed("b.txt").head.commit
    desktop.git("push", "-q", "origin", f"{tip}:refs/autosync/tips/0123abcd/{branch}")
    assert isinstance(laptop.sync(), Synced)
    assert (b"b.txt" in laptop.tracked()) is comes
    assert (tip in laptop.git("rev-list", "main")) is comes


def ask_for_help(desktop: Clone) -> str:
    """As a machine that was stopped before it could take its request back."""
    tree = json.loads(desktop.read(".git/autosync/memory.json"))["tree"]
    ref = f"refs/autosync/tips/{tree}/main"
    desktop.git("push", "-q", "origin", f"HEAD:{ref}")
    return ref


def tips_on(world: World) -> str:
    return world.hub_git("for-each-ref", "--format=%(refname)", "refs/autosync/tips")


def test_a_request_for_help_that_was_left_is_taken_back_by_its_owner(world: World) -> None:
    _, desktop = world.share({"a.txt": "one\n"})
    desktop.edit("b.txt", "too slow\n")
    desktop.committed()
    assert tips_on(world) == ""
    ref = ask_for_help(desktop)
    assert tips_on(world) == ref
    assert isinstance(desktop.sync(), Synced)
    assert tips_on(world) == ""
    assert desktop.git("for-each-ref", "refs/autosync/theirs") == ""


def test_a_request_for_help_that_has_served_brings_nothing_back(world: World) -> None:
    """Its owner is away; the person takes a password out of the branch and forces it."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    other = world.clone("other")
    laptop.edit("password.txt", "hunter2\n")
    laptop.committed()
    for clone in (laptop, desktop, other):
        assert isinstance(clone.sync(), Synced)
    ask_for_help(desktop)
    laptop.git("rm", "-q", "password.txt")
    laptop.edit("b.txt", "b\n")
    laptop.git("add", "b.txt")
    laptop.git("commit", "-q", "--amend", "-m", "Without it")
    laptop.git("push", "-q", "-f", "origin", "main")
    for clone in (other, laptop, other):
        assert isinstance(clone.sync(), Synced)
        assert "password.txt" not in world.hub_git("ls-tree", "--name-only", "main")
    assert b"password.txt" not in {*laptop.files(), *other.files()}
    assert tips_on(world) == ""


def test_a_request_for_help_on_a_history_that_was_left_is_its_owners_to_decide(
    world: World,
) -> None:
    """It has something that the branch never had, and the password too."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    other = world.clone("other")
    push_from(laptop, "password.txt", "hunter2\n")
    for clone in (desktop, other):
        assert isinstance(clone.sync(), Synced)
    desktop.edit("b.txt", "too slow\n")
    desktop.committed()
    ask_for_help(desktop)  # and goes to sleep
    laptop.git("rm", "-q", "password.txt")
    laptop.edit("c.txt", "c\n")
    laptop.git("add", "c.txt")
    laptop.git("commit", "-q", "--amend", "-m", "Without it")
    laptop.git("push", "-q", "-f", "origin", "main")
    for clone in (other, laptop, other):
        outcome = clone.sync()
        assert isinstance(outcome, Synced), outcome
        assert "password.txt" not in world.hub_git("ls-tree", "--name-only", "main")
    assert b"password.txt" not in {*laptop.files(), *other.files()}
    assert tips_on(world) != ""
    question = desktop.sync()
    assert isinstance(question, Question)
    assert question.kind == "rewritten-history"
