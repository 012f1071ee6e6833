"""Repositories that are special in some way: each is honoured, or refused with a sentence."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.git import signing
from autosyncd.vcs.git.committing import attempt, hooks
from autosyncd.vcs.git.finding import open_repository
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.git.updating import update
from autosyncd.vcs.outcomes import (
    CommitMade,
    Dirty,
    Failed,
    NothingToCommit,
    Ready,
    Synced,
    Unfit,
    Waiting,
    Why,
)
from autosyncd.vcs.process import Runner
from tests.trees import MACHINE, Clone, World


def pushed(clone: Clone) -> None:
    assert isinstance(clone.commit(), CommitMade)
    outcome = clone.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed
    clone.is_clean()


def pulled(clone: Clone) -> None:
    assert isinstance(clone.sync(), Synced)
    clone.has_nothing_to_commit()
    clone.is_clean()


def opened(clone: Clone) -> Repository:
    return open_repository(str(clone.config.path), Runner(), clone.environment, machine=MACHINE)


# where things lie


def test_a_git_directory_that_is_moved_away_while_it_is_worked_in(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    aside = world.folder / "aside.git"
    laptop.git("init", "-q", f"--separate-git-dir={aside}")
    laptop.edit("a.txt", "two\n")
    outcome = laptop.commit()
    assert isinstance(outcome, Waiting), outcome
    assert outcome.why is Why.GONE
    assert isinstance(laptop.driver.inspect(), Ready)
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    desktop.sync()
    assert desktop.read("a.txt") == b"two\n"
    second = Clone(laptop.root, laptop.environment)
    assert isinstance(second.driver.inspect(), Unfit), "the tree is still ours alone"


def test_a_git_directory_elsewhere(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.driver.close()
    laptop.git("init", "-q", f"--separate-git-dir={world.folder}/elsewhere.git")
    assert Path(laptop.path(".git")).is_file()
    assert isinstance(laptop.reopen(), Ready)
    laptop.edit("a.txt", "two\n")
    pushed(laptop)
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    assert isinstance(desktop.sync(), Synced)
    pulled(laptop)
    assert laptop.read("b.txt") == b"desktop\n"
    assert os.listdir(world.folder / "elsewhere.git/autosync")


@pytest.mark.parametrize("name", ["git~1", ".GIT", ".git "])
def test_a_name_that_git_forbids_here_comes_in(world: World, name: str) -> None:
    """Somebody else's git took it. Here nothing is staged by it, nothing deleted there, and it goes on
    when the name is gone."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    blob = laptop.git("rev-parse", "HEAD:a.txt")
    rows = sorted([(name, blob), ("a.txt", blob)])
    data = b"".join(b"100644 %s\0%s" % (one.encode(), bytes.fromhex(oid)) for one, oid in rows)
    tree = laptop.git("hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=data)
    first = laptop.git("rev-parse", "HEAD")
    odd = laptop.git("commit-tree", "-p", first, "-m", "odd", tree)
    laptop.git("push", "-q", "origin", f"{odd}:refs/heads/main")
    desktop.edit("b.txt", "mine\n")
    desktop.committed()
    for _ in range(2):
        outcome = desktop.sync()
        assert isinstance(outcome, Failed)
        assert "forbids" in outcome.text
        assert name.strip() in outcome.text
        assert isinstance(desktop.commit(), NothingToCommit)
        desktop.is_clean()
    assert world.hub_git("show", "main:b.txt") == "mine"
    assert name in world.hub_git("ls-tree", "--name-only", "main")
    clean = laptop.git("rev-parse", f"{first}^{{tree}}")
    hub = world.hub_git("rev-parse", "main")
    laptop.git("fetch", "-q")
    renamed = laptop.git("commit-tree", "-p", hub, "-m", "renamed", clean)
    laptop.git("push", "-q", "origin", f"{renamed}:refs/heads/main")
    assert isinstance(desktop.sync(), Synced)
    desktop.is_clean()


def test_two_work_trees_of_one_branch_wait(world: World) -> None:
    """git makes such only by force. Each would see the other's commits as a staged way back."""
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.git("worktree", "add", "-qf", os.fspath(world.folder / "second"), "main")
    second = world.adopt("second")
    assert isinstance(second.driver.inspect(), Ready)
    laptop.edit("a.txt", "two\n")
    for clone in (laptop, second):
        for outcome in (clone.commit(), clone.commit(ignore_staged=True), clone.sync()):
            assert isinstance(outcome, Waiting)
            assert "git switch" in outcome.text
    assert laptop.driver.snapshot().new
    second.git("switch", "-qc", "side")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    second.git("switch", "-q", "--ignore-other-worktrees", "main")
    assert isinstance(laptop.commit(), Waiting)
    shutil.rmtree(second.root)  # git does not know yet that it is gone
    assert isinstance(laptop.commit(), NothingToCommit)


def test_two_linked_worktrees_sync_each_its_branch(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.git("worktree", "add", "-q", "-b", "topic", "../linked")
    linked = world.adopt("linked")
    assert isinstance(linked.driver.inspect(), Ready)
    linked.edit("a.txt", "on topic\n")
    laptop.edit("a.txt", "on main\n")
    pushed(linked)
    pushed(laptop)
    assert world.hub_git("show", "topic:a.txt") == "on topic"
    assert world.hub_git("show", "main:a.txt") == "on main"
    pulled(desktop)
    assert desktop.read("a.txt") == b"on main\n"


def test_reftable(world: World, tmp_path: Path) -> None:
    made = subprocess.run(
        ["git", "init", "-q", "--ref-format=reftable", world.folder / "laptop"],
        env=world.environment,
        capture_output=True,
        check=False,
    )
    if made.returncode:
        pytest.skip("this git has no reftable")
    laptop = world.adopt("laptop")
    laptop.git("remote", "add", "origin", "../hub.git")
    assert isinstance(laptop.driver.inspect(), Ready)
    laptop.edit("a.txt", "one\n")
    pushed(laptop)
    desktop = world.clone("desktop")
    desktop.edit("a.txt", "two\n")
    pushed(desktop)
    pulled(laptop)
    assert laptop.read("a.txt") == b"two\n"


# what git makes of a file's bytes


def test_line_ends_encodings_and_idents_are_gits(world: World) -> None:
    text = (
        "*.txt text\n*.win text eol=crlf\n*.u16 working-tree-encoding=UTF-16LE text\n*.id ident\n"
    )
    laptop, desktop = world.share({".gitattributes": text})
    laptop.edit("u.u16", "grüße\n".encode("utf-16-le"))
    laptop.edit("w.win", "one\r\ntwo\r\n")
    laptop.edit("i.id", "$Id$\n")
    pushed(laptop)
    assert laptop.git("show", "HEAD:u.u16") == "grüße"
    assert laptop.git("show", "HEAD:i.id") == "$Id$"
    pulled(desktop)
    assert desktop.read("u.u16") == "grüße\n".encode("utf-16-le")
    assert desktop.read("w.win") == b"one\r\ntwo\r\n"
    assert desktop.read("i.id").startswith(b"$Id: ")
    desktop.edit("u.u16", "grüße zurück\n".encode("utf-16-le"))
    desktop.edit("i.id", desktop.read("i.id") + b"more\n")
    pushed(desktop)
    assert desktop.git("show", "HEAD:i.id") == "$Id$\nmore"
    pulled(laptop)
    assert laptop.read("u.u16") == "grüße zurück\n".encode("utf-16-le")


def test_autocrlf_on_one_machine(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\ntwo\n"})
    desktop.git("config", "core.autocrlf", "true")
    laptop.edit("a.txt", "one\ntwo\nthree\n")
    laptop.edit("new.txt", "new\n")
    pushed(laptop)
    pulled(desktop)
    assert desktop.read("new.txt") == b"new\r\n"
    desktop.edit("new.txt", "new\r\nand more\r\n")
    pushed(desktop)
    assert desktop.git("show", "HEAD:new.txt") == "new\nand more"
    pulled(laptop)
    assert laptop.read("new.txt") == b"new\nand more\n"


def lfs_like(clone: Clone, smudge: str) -> None:
    clone.git("config", "filter.big.clean", "sed s/^/clean:/")
    clone.git("config", "filter.big.smudge", smudge)
    clone.git("config", "filter.big.required", "true")


def test_a_filter_that_fails_on_the_way_out_holds_its_file_alone(world: World) -> None:
    """A server of large files that is away."""
    laptop, desktop = world.share({".gitattributes": "*.big filter=big\n", "a.txt": "one\n"})
    lfs_like(laptop, "sed s/^clean://")
    lfs_like(desktop, "false")
    laptop.edit("film.big", "frames\n")
    laptop.edit("a.txt", "two\n")
    pushed(laptop)
    outcome = desktop.sync()
    assert isinstance(outcome, Synced), outcome
    assert desktop.read("a.txt") == b"two\n"
    assert not os.path.exists(desktop.path("film.big"))
    assert any("film.big" in sentence for sentence in outcome.held), outcome
    desktop.commit()
    assert "film.big" in desktop.git("ls-tree", "--name-only", "HEAD")
    lfs_like(desktop, "sed s/^clean://")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("film.big") == b"frames\n"
    desktop.is_clean()


def test_a_file_that_has_never_come_is_not_taken_for_deleted_when_an_update_breaks_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, desktop = world.share({".gitattributes": "*.big filter=big\n", "a.txt": "one\n"})
    lfs_like(laptop, "sed s/^clean://")
    lfs_like(desktop, "false")
    laptop.edit("film.big", "frames\n")
    pushed(laptop)
    assert isinstance(desktop.sync(), Synced)
    laptop.edit("a.txt", "laptop\n")
    pushed(laptop)
    desktop.edit("a.txt", "desktop\n")
    with monkeypatch.context() as patch:
        patch.setattr(update, "ROUNDS", 1)
        assert isinstance(desktop.sync(pending=EVERYTHING), Dirty)
    desktop.commit()
    assert "film.big" in desktop.git("ls-tree", "--name-only", "HEAD")
    lfs_like(desktop, "sed s/^clean://")
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("film.big") == b"frames\n"


# what else a person may have set up


def test_replaced_commits_change_nothing_for_others(world: World) -> None:
    """git-replace(1): what only one machine sees must not get into what all get."""
    laptop, desktop = world.share({"a.txt": "one\n", "b.txt": "one\n"})
    laptop.edit("a.txt", "two\n")
    pushed(laptop)
    pulled(desktop)
    laptop.git("replace", "--graft", "HEAD")
    laptop.edit("b.txt", "laptop\n")
    desktop.edit("a.txt", "desktop\n")
    pushed(desktop)
    pushed(laptop)
    pulled(desktop)
    assert desktop.files() == laptop.files()
    assert desktop.read("b.txt") == b"laptop\n"
    assert desktop.read("a.txt") == b"desktop\n"
    assert int(world.hub_git("rev-list", "--count", "main")) == 5


def test_a_replaced_file_stays_on_its_machine(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    desktop.edit("a.txt", "two\n")
    blob = desktop.git("hash-object", "-w", "a.txt")
    other = laptop.git("hash-object", "-w", "--stdin", stdin=b"replaced\n")
    laptop.git("replace", "--force", blob, other, status=None)
    pushed(desktop)
    pulled(laptop)
    assert laptop.read("a.txt") == b"two\n"
    laptop.has_nothing_to_commit()
    laptop.edit("b.txt", "laptop\n")
    pushed(laptop)
    pulled(desktop)
    assert desktop.files() == laptop.files() == {b"a.txt": b"two\n", b"b.txt": b"laptop\n"}


def test_a_gc_at_the_same_time(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    for number in range(5):
        laptop.edit("a.txt", f"{number}\n")
        gc = subprocess.Popen(["git", "gc", "-q"], cwd=laptop.root, env=laptop.environment)
        try:
            pushed(laptop)
        finally:
            assert gc.wait() == 0
        laptop.is_sound()
    pulled(desktop)
    assert desktop.read("a.txt") == b"4\n"


def ignoring_case(world: World) -> list[Clone]:
    clones = world.share({"a.txt": "one\n", "folder/x": "x\n"})
    clones[0].git("config", "core.ignorecase", "true")
    return clones


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("read.me", "READ.me"), ("Ünï", "ÜNÏ"), ("folder/new", "Folder/NEW"), ("z", "A.TXT")],
)
def test_names_that_differ_in_case_alone_are_both_kept(
    world: World, mine: str, theirs: str
) -> None:
    """core.ignorecase on a file system that does tell them apart: what matters is what is made."""
    laptop, desktop = ignoring_case(world)
    laptop.edit(mine, "laptop\n")
    desktop.edit(theirs, "desktop\n")
    pushed(desktop)
    assert isinstance(laptop.commit(), CommitMade)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    pulled(desktop)
    assert desktop.files() == laptop.files()
    assert {b"laptop\n", b"desktop\n"} <= set(laptop.files().values())
    folded = [os.fsdecode(name).casefold() for name in laptop.files()]
    assert len(set(folded)) == len(folded)
    assert outcome.conflicts == (os.fsencode(theirs),)
    (copy,) = (name for name in laptop.files() if b"sync-conflict" in name)
    assert b"-desktop-" in copy
    assert laptop.read(copy) == b"desktop\n"


def test_the_copy_takes_no_folders_place(world: World) -> None:
    laptop, desktop = ignoring_case(world)
    blob = laptop.git("hash-object", "--stdin", stdin=b"desktop\n")[:8]
    laptop.edit(f"read.SYNC-conflict-desktop-{blob}.me/file", "mine\n")
    laptop.edit("read.me", "laptop\n")
    desktop.edit("READ.me", "desktop\n")
    pushed(desktop)
    assert isinstance(laptop.commit(), CommitMade)
    pulled(laptop)
    assert {b"desktop\n", b"laptop\n", b"mine\n"} <= set(laptop.files().values())
    at_the_top = {name.partition(b"/")[0] for name in laptop.files()}
    assert len({os.fsdecode(name).casefold() for name in at_the_top}) == len(at_the_top) == 5


def test_names_that_differ_in_case_alone_are_two_files_elsewhere(world: World) -> None:
    laptop, desktop = world.share({"read.me": "one\n"})
    desktop.edit("READ.me", "two\n")
    pushed(desktop)
    pulled(laptop)
    assert laptop.files() == {b"read.me": b"one\n", b"READ.me": b"two\n"}


# hooks of the person


def hook(clone: Clone, name: str, script: str) -> None:
    path = clone.root / ".git/hooks" / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_hooks_that_do_not_run_are_named(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    repository = opened(laptop)
    assert hooks.silence(repository) == ""
    hook(laptop, "pre-commit", "exit 1")
    assert "pre-commit does not run" in hooks.silence(repository)
    hook(laptop, "commit-msg", "exit 1")
    assert "pre-commit and commit-msg do not run" in hooks.silence(repository)
    repository.rest()


@pytest.mark.parametrize("place", [".git/hooks", "own/hooks", "absolute"])
def test_hooks_see_the_private_index_and_may_change_what_is_committed(
    world: World, place: str
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    hook(
        laptop,
        "pre-commit",
        "git diff --cached --name-only >../seen; echo two >a.txt; git add a.txt",
    )
    hook(laptop, "commit-msg", 'echo "changed" >>"$1"')
    if place != ".git/hooks":
        folder = laptop.root / "own/hooks"
        shutil.move(laptop.root / ".git/hooks", folder)
        laptop.git("config", "core.hooksPath", "own/hooks" if place == "own/hooks" else str(folder))
    repository = opened(laptop)
    index = repository.state + b"/test.index"
    shutil.copyfile(repository.index, index)
    laptop.edit("b.txt", "new\n")
    repository.git("update-index", "--add", "b.txt", index=index)
    message = hooks.before_commit(repository, index, "Subject\n")
    assert message == "Subject\nchanged\n"
    assert (world.folder / "seen").read_text() == "b.txt\n"
    tree = repository.git("write-tree", index=index).text
    assert laptop.git("show", f"{tree}:a.txt") == "two"
    assert laptop.git("diff", "--cached", "--name-only") == ""  # the person's own is untouched
    repository.rest()


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg"])
def test_a_hook_that_declines_is_heard(world: World, name: str) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    hook(laptop, name, "echo 'line 3 is too long'; exit 3")
    repository = opened(laptop)
    declined = hooks.before_commit(repository, repository.index, "Subject\n")
    repository.rest()
    assert declined == hooks.Declined(
        name, f"Nothing is committed or synced, since the hook {name} declines: line 3 is too long"
    )


def test_a_hook_that_waits_for_somebody_is_ended(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "PATIENCE", 0.3)
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    hook(laptop, "pre-commit", "exec sleep 1000")
    repository = opened(laptop)
    declined = hooks.before_commit(repository, repository.index, "Subject\n")
    repository.rest()
    assert isinstance(declined, hooks.Declined)
    assert "took longer" in declined.text


def test_a_commit_that_a_hook_declines_waits_with_its_words(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    hook(laptop, "pre-commit", "echo 'line 3 is too long'; test -e ../accept")
    laptop.reopen(commit_hooks=True)
    laptop.edit("a.txt", "two\n")
    declined = laptop.commit("a.txt")
    assert isinstance(declined, Waiting)
    assert declined.why is Why.HOOK
    assert "line 3 is too long" in declined.text
    assert laptop.git("show", "HEAD:a.txt") == "one"
    assert laptop.driver.snapshot().new
    (world.folder / "accept").touch()
    laptop.committed("a.txt")
    assert laptop.git("show", "HEAD:a.txt") == "two"


def test_hooks_run_for_a_commit_only_where_that_is_wanted(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    hook(laptop, "pre-commit", "echo hooked >b.txt; git add b.txt")
    hook(laptop, "commit-msg", 'echo "as the hook says" >"$1"')
    ready = laptop.reopen()
    assert isinstance(ready, Ready)
    assert "pre-commit and commit-msg do not run" in ready.note
    laptop.edit("a.txt", "two\n")
    laptop.committed("a.txt")
    assert "as the hook says" not in laptop.git("log", "-1")
    ready = laptop.reopen(commit_hooks=True)
    assert isinstance(ready, Ready)
    assert "do not run" not in ready.note
    laptop.edit("a.txt", "three\n")
    laptop.committed("a.txt")
    assert "as the hook says" in laptop.git("log", "-1")
    assert laptop.git("show", "HEAD:b.txt") == "hooked"
    assert laptop.git("status", "--porcelain") == ""


# signatures


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen(1)")
@pytest.mark.parametrize("passphrase", ["", "geheim"])
def test_the_verb_signs_where_it_can_and_says_once_where_not(world: World, passphrase: str) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    ssh_key(laptop, passphrase)
    laptop.reopen()
    notes = []
    for text in ("two\n", "three\n"):
        laptop.edit("a.txt", text)
        laptop.committed("a.txt")
        assert ("gpgsig" in laptop.git("cat-file", "commit", "HEAD")) == (not passphrase)
        synced = laptop.sync()
        assert isinstance(synced, Synced)
        notes.append(synced.note)
    assert ["no signature" in note for note in notes] == [bool(passphrase), False]


def ssh_key(clone: Clone, passphrase: str) -> None:
    key = clone.root.parent / f"{clone.root.name}.id"
    make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", str(key)]
    subprocess.run(make, check=True, stdin=subprocess.DEVNULL)
    for setting in ("gpg.format=ssh", f"user.signingKey={key}", "commit.gpgSign=true"):
        clone.git("config", *setting.split("=", 1))


def signed_commit(clone: Clone) -> tuple[str, str]:
    """The raw commit, and what is to be told."""
    repository = opened(clone)
    assert signing.wanted(repository)
    arguments = [repository.tree_of(repository.head), "-F", "-"]
    made = signing.commit_tree(repository, arguments, b"Subject\n", {})
    told = signing.to_tell(repository)
    assert signing.to_tell(repository) == ""
    repository.rest()
    return clone.git("cat-file", "commit", made), told


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen(1)")
def test_commits_are_signed_where_that_goes_without_asking(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    ssh_key(laptop, "")
    commit, told = signed_commit(laptop)
    assert "gpgsig -----BEGIN SSH SIGNATURE-----" in commit
    assert told == ""


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen(1)")
def test_a_key_with_a_passphrase_never_asks_and_never_blocks(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    ssh_key(laptop, "geheim")
    commit, told = signed_commit(laptop)
    assert "gpgsig" not in commit
    assert "no signature" in told


@pytest.mark.skipif(shutil.which("gpg") is None, reason="needs gpg(1)")
def test_gpg_without_the_key_does_not_keep_the_commit_back(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.git("config", "commit.gpgSign", "true")
    laptop.git("config", "gpg.program", "gpg")
    commit, told = signed_commit(laptop)
    assert "gpgsig" not in commit
    assert "no signature" in told


def test_nobody_who_does_not_sign_is_asked_for_a_signature(world: World) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    repository = opened(laptop)
    assert not signing.wanted(repository)
    repository.rest()


def test_a_lost_commit_does_not_bring_back_what_was_taken_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    (laptop,) = world.share({"a.txt": "one\n"}, "laptop")
    laptop.edit("secret.txt", "geheim\n")
    laptop.committed("secret.txt")
    laptop.edit("a.txt", "two\n")
    began: list[bool] = []

    def compose_and_lose(*_: object) -> str:
        if not began:  # the person takes their commit back while ours is being made
            began.append(True)
            laptop.git("rm", "-q", "--cached", "secret.txt")
            laptop.git("commit", "-q", "--amend", "--allow-empty", "-m", "without the secret")
            (laptop.root / "secret.txt").unlink()
        return "ours"

    monkeypatch.setattr(attempt.Attempt, "message", compose_and_lose)
    assert isinstance(laptop.commit("a.txt", "secret.txt"), CommitMade)
    assert laptop.git("show", "HEAD:a.txt") == "two"
    assert "secret.txt" not in laptop.git("log", "--name-only", "--format=", "HEAD")
    kept = laptop.git("for-each-ref", "--format=%(refname)", "refs/autosync/before")
    assert laptop.git("show", f"{kept}:a.txt") == "two"
