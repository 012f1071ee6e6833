"""Remotes that refuse, are away, or hang: what a person is told, and that nothing secret is in it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosyncd import clock
from autosyncd.vcs.git import command
from autosyncd.vcs.git.complaint import away, branch_missing, failed
from autosyncd.vcs.git.remotes import addresses, tips
from autosyncd.vcs.git.remotes.answer import PushVerdict, push_answer
from autosyncd.vcs.git.remotes.publish import Publisher
from autosyncd.vcs.git.sshcommand import quiet_ssh
from autosyncd.vcs.git.surroundings import readable
from autosyncd.vcs.outcomes import Aborted, AtHead, Away, AwayKind, Question, Ready, Synced
from tests.trees import Clone, World, ahead
from tests.waiting import eventually


@pytest.fixture
def laptop(world: World) -> Clone:
    return ahead(world)


# another remote


def test_a_remote_that_changes_is_told_once_before_the_next_verb(
    world: World, laptop: Clone
) -> None:
    told = laptop.told.identities
    laptop.sync()
    told.clear()  # its first channel of a root commit
    laptop.sync()
    assert told == []
    laptop.git("remote", "add", "second", "https://alice:secret@example.org/notes.git")
    laptop.git("config", "branch.main.remote", "second")
    laptop.commit()
    assert [(one.remote, one.url) for one in told] == [("second", "https://example.org/notes.git")]
    laptop.git("config", "user.nickname", "Al")
    assert isinstance(laptop.driver.identify(), AtHead)
    assert len(told) == 1, "another setting changes nothing"
    elsewhere = laptop.environment["HOME"] + "/.gitconfig"
    with open(elsewhere, "a") as file:
        file.write('[url "https://mirror.example.org/"]\n\tinsteadOf = https://example.org/\n')
    laptop.git("remote", "set-url", "second", "https://example.org/notes.git")
    assert isinstance(laptop.driver.identify(), AtHead)
    assert told[-1].url == "https://mirror.example.org/notes.git"
    laptop.git("remote", "remove", "second")
    laptop.git("remote", "remove", "origin")
    laptop.commit()
    assert (told[-1].remote, told[-1].url) == (None, "")


def test_a_remote_that_is_named_and_is_not_there(world: World) -> None:
    (tree,) = world.share({"a": "text\n"}, "laptop")
    ready = tree.reopen(remote="upstream")
    assert isinstance(ready, Ready)
    assert ready.identity.remote is None
    assert "add it with: git remote add upstream URL" in ready.identity.missing
    tree.git("remote", "add", "upstream", "../hub.git")
    assert isinstance(tree.driver.identify(), AtHead)
    assert [(one.remote, one.missing) for one in tree.told.identities[-1:]] == [("upstream", "")]


def test_a_tree_that_began_empty_gets_another_channel_with_its_first_commit(world: World) -> None:
    """Or two that name their hub differently would not hear of each other until a restart."""
    one, other = world.clone("one"), world.clone("other")
    one.edit("a", "text\n")
    one.commit()
    one.sync()
    other.sync()
    other.sync()
    told = [machine.told.identities for machine in (one, other)]
    assert [len(identities) for identities in told] == [1, 1]
    assert len(set(told[0][0].channels) & set(told[1][0].channels)) == 2


# refused for good


def push_from(clone: Clone, name: str, content: str) -> None:
    clone.edit(name, content)
    clone.committed()
    outcome = clone.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed


def leads_elsewhere(clone: Clone, how: str) -> None:
    """To older.git from now on."""
    if how == "address":
        clone.git("remote", "set-url", "origin", "../older.git")
    else:
        clone.git("remote", "add", "backup", "../older.git")
        clone.git("config", "branch.main.remote", "backup")


@pytest.mark.parametrize("fetch", [True, False])
@pytest.mark.parametrize("how", ["address", "remote"])
def test_a_remote_that_leads_to_an_older_copy_brings_that_along(
    world: World, laptop: Clone, how: str, fetch: bool
) -> None:
    older = shutil.copytree(world.hub, world.folder / "older.git", symlinks=True)
    laptop.sync()
    push_from(laptop, "week.txt", "a week's work\n")
    before = laptop.files()
    leads_elsewhere(laptop, how)
    outcome = laptop.sync(fetch=fetch)
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed
    assert laptop.files() == before
    assert laptop.git("ls-remote", str(older), "main").split()[0] == laptop.git("rev-parse", "HEAD")
    push_from(laptop, "week.txt", "goes on\n")


def test_an_empty_hub_elsewhere_is_filled_though_it_has_other_branches(
    world: World, laptop: Clone
) -> None:
    laptop.sync()
    laptop.git("clone", "-q", "--bare", ".", "../older.git")
    laptop.git("-C", "../older.git", "branch", "-m", "main", "other")
    leads_elsewhere(laptop, "address")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.pushed


def test_a_branch_that_went_another_way_elsewhere_is_asked_about(
    world: World, laptop: Clone
) -> None:
    """Something may have been taken out of it; or somebody went on from the older copy."""
    shutil.copytree(world.hub, world.folder / "older.git", symlinks=True)
    desktop = world.clone("desktop")
    desktop.git("remote", "set-url", "origin", "../older.git")
    push_from(desktop, "b.txt", "made there\n")
    laptop.sync()
    before = laptop.files()
    leads_elsewhere(laptop, "address")
    for _ in range(2):
        question = laptop.sync()
        assert isinstance(question, Question), question
        assert question.kind == "rewritten-history"
        assert "origin leads to another place now" in question.text
        assert laptop.files() == before
    assert isinstance(laptop.sync(allowed=frozenset({question.kind})), Synced)
    assert laptop.files() == before | {b"b.txt": b"made there\n"}
    push_from(laptop, "b.txt", "goes on\n")


def test_a_hub_elsewhere_may_take_refs_that_the_old_one_refused(
    world: World, laptop: Clone
) -> None:
    older = shutil.copytree(world.hub, world.folder / "older.git", symlinks=True)
    takes_no_own_refs(world)
    laptop.git("switch", "-q", "--detach")
    laptop.edit("a.txt", "detached\n")
    laptop.driver.snapshot()
    laptop.git("switch", "-q", "main")
    laptop.sync()
    leads_elsewhere(laptop, "address")
    assert isinstance(laptop.sync(), Synced)
    laptop.git("switch", "-q", "--detach")
    laptop.edit("a.txt", "detached again\n")
    laptop.driver.snapshot()
    assert laptop.git("ls-remote", str(older), "refs/autosync/wip/*")


def decline(world: World, words: str) -> None:
    hook = world.hub / "hooks/pre-receive"
    hook.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    hook.chmod(0o755)


def test_a_hook_that_declines_is_told_in_its_own_words_and_pulls_go_on(
    world: World, laptop: Clone
) -> None:
    desktop = world.clone("desktop")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    desktop.sync()
    decline(world, "Commits on Sunday are not taken.")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.refused.startswith("The remote refuses the push; commits stay here")
    assert outcome.refused.endswith(": Commits on Sunday are not taken.")
    assert not outcome.pushed
    assert laptop.read("b.txt") == b"desktop\n"
    assert laptop.read("a.txt") == b"two\n"
    laptop.is_clean()
    (world.hub / "hooks/pre-receive").unlink()
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert outcome.refused == ""


def test_a_hook_that_says_moved_words_is_still_a_refusal(world: World, laptop: Clone) -> None:
    decline(world, "error: this file already exists, fetch first")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.refused


def test_a_hub_with_that_branch_checked_out_refuses(world: World, tmp_path: Path) -> None:
    """receive.denyCurrentBranch, git-config(1)."""
    subprocess.run(
        ["git", "clone", "-q", "hub.git", "checkedout"], cwd=world.folder, env=world.environment,
        check=True, capture_output=True,
    )  # fmt: skip
    hub = world.adopt("checkedout")
    hub.edit("a.txt", "one\n")
    hub.git("add", "-A")
    hub.git("commit", "-qm", "one")
    laptop = world.clone("laptop")
    laptop.git("remote", "set-url", "origin", "../checkedout")
    laptop.edit("b.txt", "laptop\n")
    laptop.committed()
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert "checked out" in outcome.refused
    assert laptop.read("a.txt") == b"one\n"


def test_a_pre_push_hook_of_the_person_is_heard(laptop: Clone) -> None:
    hook = laptop.root / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.refused.startswith(f"Your {hook} lets no push out; commits stay here")
    assert "not today" in outcome.refused


def test_a_pre_push_hook_that_fails_without_a_word_is_named_wherever_it_lies(
    laptop: Clone, tmp_path: Path
) -> None:
    hook = tmp_path / "hooks/pre-push"
    hook.parent.mkdir()
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    laptop.git("config", "core.hooksPath", str(hook.parent))
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert f"Your {hook} lets no push out" in outcome.refused


def test_a_pre_push_hook_of_the_person_runs_for_every_push_of_theirs_or_ours(
    world: World, laptop: Clone
) -> None:
    hook = laptop.root / ".git/hooks/pre-push"
    hook.write_text("#!/bin/sh\ncat >>../pushed\n")
    hook.chmod(0o755)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    said = (world.folder / "pushed").read_text()
    assert "refs/heads/main" in said
    assert said.count("\n") == 1


def takes_no_own_refs(world: World) -> None:
    """Some hosts take branches and tags alone."""
    hook = world.hub / "hooks/update"
    hook.write_text(
        "#!/bin/sh\ncase $1 in refs/autosync/*) echo 'only branches' >&2; exit 1;; esac\n"
    )
    hook.chmod(0o755)


def test_a_hub_that_takes_no_refs_of_ours_goes_on_and_is_told_once(
    world: World, laptop: Clone
) -> None:
    takes_no_own_refs(world)
    laptop.git("switch", "-q", "--detach")
    laptop.edit("a.txt", "three\n")
    assert laptop.driver.snapshot().new
    laptop.git("switch", "-qf", "main")
    notes = []
    for text in ("four\n", "five\n"):
        laptop.edit("a.txt", text)
        laptop.committed()
        outcome = laptop.sync()
        assert isinstance(outcome, Synced)
        assert outcome.pushed
        notes.append(outcome.note)
    assert "refs/autosync" in notes[0]
    assert "all else works" in notes[0]
    assert notes[1:] == [""]
    assert world.hub_git("for-each-ref", "refs/autosync") == ""


def test_a_hub_that_refused_one_of_our_refs_is_offered_one_again(
    world: World, laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have meant the content of that one alone."""
    takes_no_own_refs(world)
    laptop.git("switch", "-q", "--detach")
    laptop.edit("a.txt", "three\n")
    assert laptop.driver.snapshot().new
    (world.hub / "hooks/update").unlink()
    laptop.edit("a.txt", "four\n")
    assert laptop.driver.snapshot().new
    assert world.hub_git("for-each-ref", "refs/autosync") == ""
    real = clock.wall
    monkeypatch.setattr(clock, "wall", lambda: real() + 86400)
    laptop.edit("a.txt", "five\n")
    assert laptop.driver.snapshot().new
    assert "refs/autosync" in world.hub_git("for-each-ref", "refs/autosync")
    assert not (laptop.root / ".git/autosync/own-refs-refused").exists()


def test_a_machine_that_always_loses_where_no_refs_of_ours_are_taken_goes_on(
    world: World, laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tips, "HELP_AFTER", 1)
    desktop = world.clone("desktop")
    desktop.edit("b.txt", "desktop\n")
    desktop.committed()
    desktop.sync()
    takes_no_own_refs(world)
    outcome = laptop.sync(fetch=False)
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert "refs/autosync" in outcome.note


# damaged, full


def damage(folder: Path) -> Path:
    """Turn the bytes of the newest blob of the branch into others."""
    name = subprocess.run(
        ["git", "rev-parse", "main:a.txt"], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()
    git_dir = folder if folder.suffix == ".git" else folder / ".git"
    file = git_dir / "objects" / name[:2] / name[2:]
    file.chmod(0o644)
    file.write_bytes(b"damaged" + file.read_bytes()[7:])
    return file


def test_a_damaged_hub_is_told_and_what_is_here_goes_on(world: World, laptop: Clone) -> None:
    desktop = world.clone("desktop")
    laptop.sync()
    damage(world.hub)
    outcome = desktop.sync()
    assert isinstance(outcome, Away), outcome
    assert outcome.kind is AwayKind.DAMAGED
    assert "git fsck" in outcome.text
    desktop.edit("b.txt", "goes on\n")
    desktop.committed()
    # a hub made anew is filled by whoever has it all
    world.hub.rename(world.folder / "damaged.git")
    subprocess.run(["git", "init", "-q", "--bare", world.hub], check=True, env=world.environment)
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.files() == {b"a.txt": b"two\n", b"b.txt": b"goes on\n"}


def test_a_damaged_pack_of_the_hub_is_told(world: World, laptop: Clone) -> None:
    desktop = world.clone("desktop")
    laptop.edit("big.bin", os.urandom(30_000))
    laptop.committed()
    laptop.sync()
    world.hub_git("repack", "-adq")
    (pack,) = (world.hub / "objects/pack").glob("*.pack")
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 255
    pack.chmod(0o644)
    pack.write_bytes(content)
    outcome = desktop.sync()
    assert isinstance(outcome, Away), outcome
    assert outcome.kind is AwayKind.DAMAGED, outcome
    assert desktop.read("a.txt") == b"one\n"


def test_a_damaged_object_here_is_told_and_no_file_is_touched(world: World, laptop: Clone) -> None:
    file = damage(laptop.root)
    outcome = laptop.sync()
    assert isinstance(outcome, Away), outcome
    assert outcome.kind is AwayKind.DAMAGED
    assert "git fsck" in outcome.text
    assert laptop.read("a.txt") == b"two\n"
    file.unlink()  # git takes what is there for good, so it must go before it is written anew
    laptop.git("hash-object", "-w", "a.txt")
    assert isinstance(laptop.sync(), Synced)


@pytest.fixture
def tiny(world: World) -> Iterator[Path]:
    """A hub on a disk of its own with hardly any space."""
    disk = world.folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k,nr_inodes=100", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def more_room(disk: Path) -> None:
    remount = ["mount", "-o", "remount,size=20m,nr_inodes=1000", str(disk)]
    subprocess.run(remount, check=True)


@pytest.mark.root
@pytest.mark.parametrize("wanting", ["blocks", "inodes"])
def test_a_full_disk_where_the_hub_is_is_waited_for_while_all_else_goes_on(
    world: World, laptop: Clone, tiny: Path, wanting: str
) -> None:
    subprocess.run(
        ["git", "init", "-q", "--bare", "--template=", tiny / "hub.git"],
        check=True,
        env=world.environment,
    )
    desktop = world.clone("desktop")
    for clone in (laptop, desktop):
        clone.git("remote", "set-url", "origin", str(tiny / "hub.git"))
        assert isinstance(clone.sync(), Synced)
    desktop.edit("b.txt", "from elsewhere\n")
    desktop.committed()
    desktop.sync()
    if wanting == "inodes":
        with contextlib.suppress(OSError):
            for number in range(1000):
                (tiny / f"{number}").touch()
        (tiny / "1").unlink()
        (tiny / "2").unlink()
    for number in range(2):
        laptop.edit(f"{number}.bin", os.urandom(600_000))
        laptop.committed()
        outcome = laptop.sync()
        assert isinstance(outcome, Synced), outcome
        assert "no space left" in outcome.full
        assert "No space left on device" in outcome.full
        assert (outcome.pushed, outcome.refused) == (False, "")
    assert laptop.read("b.txt") == b"from elsewhere\n"
    assert laptop.git("status", "--porcelain") == ""
    more_room(tiny)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert (outcome.pushed, outcome.full) == (True, "")


# settings


@pytest.mark.parametrize(
    "setting",
    ["remote.origin.mirror=true", "push.gpgSign=true", "push.pushOption=ci.skip"],
)
def test_a_setting_does_not_keep_a_push_back(laptop: Clone, setting: str) -> None:
    name, _, value = setting.partition("=")
    laptop.git("config", name, value)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert (outcome.pushed, outcome.refused) == (True, "")


def test_a_hub_that_wants_pushes_signed_is_heard(world: World, laptop: Clone) -> None:
    laptop.git("config", "push.gpgSign", "true")
    world.hub_git("config", "receive.certNonceSeed", "seed")
    hook = world.hub / "hooks/pre-receive"
    hook.write_text('#!/bin/sh\n[ "$GIT_PUSH_CERT" ] || { echo not signed >&2; exit 1; }\n')
    hook.chmod(0o755)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.refused.endswith(": not signed")


@pytest.fixture(params=["hub.git", "mirror.git"])
def two_places(world: World, request: pytest.FixtureRequest) -> tuple[Clone, Clone]:
    """A laptop that pushes to a mirror as well, named before or after the hub, and a desktop."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.git("clone", "-q", "--bare", "../hub.git", "../mirror.git")
    for name in sorted(("hub.git", "mirror.git"), key=lambda name: name != request.param):
        laptop.git("config", "--add", "remote.origin.pushurl", f"../{name}")
    laptop.sync()
    laptop.told.heads.clear()
    return laptop, desktop


def is_at(clone: Clone, name: str) -> str:
    return clone.git("ls-remote", f"../{name}", "refs/heads/main").split()[0]


def test_a_second_place_that_is_pushed_to_is_behind(two_places: tuple[Clone, Clone]) -> None:
    """As a disk at home is while somebody is away, or when others push to the hub alone."""
    laptop, desktop = two_places
    push_from(desktop, "b.txt", "from elsewhere\n")
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    for name in ("hub.git", "mirror.git"):
        assert is_at(laptop, name) == laptop.git("rev-parse", "HEAD")


def test_the_place_that_is_read_says_whether_a_push_was_first(
    two_places: tuple[Clone, Clone],
) -> None:
    """Where the mirror takes what the hub doesn't, others can't have it."""
    laptop, desktop = two_places
    push_from(desktop, "b.txt", "from elsewhere\n")
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    assert isinstance(laptop.sync(fetch=False), Synced)
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
        assert clone.files() == {b"a.txt": b"two\n", b"b.txt": b"from elsewhere\n"}
    assert is_at(laptop, "hub.git") == laptop.told.heads[-1].commit


def unplugged(world: World, _: Clone) -> None:
    (world.folder / "mirror.git").rename(world.folder / "unplugged.git")


def refusing(world: World, _: Clone) -> None:
    hook = world.folder / "mirror.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\necho no\nexit 1\n")
    hook.chmod(0o755)


def elsewhere(_: World, desktop: Clone) -> None:
    desktop.git("commit", "-q", "--allow-empty", "-m", "to the mirror alone")
    desktop.git("push", "-q", "../mirror.git", "HEAD:main")
    desktop.git("reset", "-q", "--hard", "HEAD~1")


@pytest.mark.parametrize("trouble", [unplugged, refusing, elsewhere])
def test_a_second_place_that_does_not_take_it_is_told(
    world: World, two_places: tuple[Clone, Clone], trouble: Callable[[World, Clone], None]
) -> None:
    laptop, desktop = two_places
    trouble(world, desktop)
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert not outcome.refused
    assert "pushes to ../mirror.git as well, which did not take what is new here" in outcome.note
    assert (
        is_at(laptop, "hub.git") == laptop.told.heads[-1].commit == laptop.git("rev-parse", "HEAD")
    )


def test_a_second_place_that_was_away_gets_it_when_it_is_back(
    world: World, two_places: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nothing more is committed."""
    laptop, desktop = two_places
    unplugged(world, desktop)
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    laptop.sync()
    (world.folder / "unplugged.git").rename(world.folder / "mirror.git")
    laptop.sync()
    monkeypatch.setattr("autosyncd.vcs.git.remotes.publish.FURTHER_AGAIN", 0.0)
    laptop.reopen()
    assert isinstance(laptop.sync(), Synced)
    assert is_at(laptop, "mirror.git") == laptop.git("rev-parse", "HEAD")


def test_a_second_place_gets_what_a_kill_kept_from_it(
    two_places: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, _ = two_places

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    laptop.edit("a.txt", "two\n")
    laptop.committed()
    with monkeypatch.context() as patch:
        patch.setattr(Publisher, "_push_further", killed)
        with pytest.raises(KeyboardInterrupt):
            laptop.sync()
    laptop.reopen()
    assert isinstance(laptop.sync(), Synced)
    assert is_at(laptop, "mirror.git") == laptop.git("rev-parse", "HEAD")


@pytest.fixture
def unsure(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[Clone, Clone]:
    """None of the places can be known to be the one that is read, as with an alias of ssh for it."""
    laptop, desktop = world.share({"a.txt": "one\n"})
    laptop.git("clone", "-q", "--bare", "../hub.git", "../mirror.git")
    for name in ("mirror.git", "hub.git"):
        laptop.git("config", "--add", "remote.origin.pushurl", f"../{name}")
    monkeypatch.setattr("autosyncd.vcs.git.remotes.addresses._place", lambda _, address: object())
    laptop.reopen()
    push_from(desktop, "b.txt", "from elsewhere\n")
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    return laptop, desktop


@pytest.mark.parametrize("fetch", [True, False])
def test_places_of_which_none_is_known_to_be_the_one_that_is_read(
    unsure: tuple[Clone, Clone], fetch: bool
) -> None:
    laptop, desktop = unsure
    laptop.told.heads.clear()
    assert isinstance(laptop.sync(fetch=fetch), Synced)
    for name in ("hub.git", "mirror.git"):
        assert is_at(laptop, name) == laptop.git("rev-parse", "HEAD")
    for clone in (laptop, desktop):
        assert isinstance(clone.sync(), Synced)
        assert clone.files() == {b"a.txt": b"two\n", b"b.txt": b"from elsewhere\n"}
    assert [head.commit for head in laptop.told.heads] == [is_at(laptop, "hub.git")]


@pytest.mark.parametrize("trouble", [unplugged, refusing, elsewhere])
def test_one_of_those_does_not_take_it(
    world: World, unsure: tuple[Clone, Clone], trouble: Callable[[World, Clone], None]
) -> None:
    laptop, desktop = unsure
    trouble(world, desktop)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    assert "../mirror.git as well, which did not take" in outcome.note
    assert is_at(laptop, "hub.git") == laptop.git("rev-parse", "HEAD")


def test_the_hub_of_those_refuses_it(world: World, unsure: tuple[Clone, Clone]) -> None:
    laptop, _ = unsure
    decline(world, "never")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert (outcome.pushed, outcome.refused[-5:]) == (False, "never")


def test_a_beginning_that_git_replaces_is_replaced_once(world: World) -> None:
    laptop, _ = world.share({"a.txt": "one\n"})
    top = world.folder
    laptop.git("clone", "-q", "--bare", "../hub.git", "../m/mirror.git")
    laptop.git("config", f"url.{top}/m/.insteadOf", f"{top}/")
    for place in ("../hub.git", f"{top}/mirror.git"):
        laptop.git("config", "--add", "remote.origin.pushurl", place)
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.note == ""
    assert is_at(laptop, "m/mirror.git") == laptop.git("rev-parse", "HEAD")


def test_a_place_is_known_by_where_it_really_is(world: World) -> None:
    laptop, _ = world.share({"a.txt": "one\n"})
    (world.folder / "alias").symlink_to(".")
    for place in ("../nowhere.git", f"file://{world.folder}/alias/hub.git"):
        laptop.git("config", "--add", "remote.origin.pushurl", place)
    laptop.reopen()
    assert laptop.driver._opened
    found = addresses.of(laptop.driver._opened.repository, "origin")
    assert found.read is not None
    assert found.read.given.startswith("file://")


def test_what_the_hub_has_lost_is_asked_about_though_there_is_a_second_place(
    world: World, two_places: tuple[Clone, Clone]
) -> None:
    laptop, _ = two_places
    laptop.edit("a.txt", "two\n")
    laptop.committed()
    laptop.sync()
    world.hub_git("update-ref", "refs/heads/main", "refs/heads/main~1")
    laptop.edit("a.txt", "three\n")
    laptop.committed()
    assert isinstance(laptop.sync(fetch=False), Question)
    assert world.hub_git("log", "--format=%s", "main").count("\n") == 0


def test_push_options_go_along_where_the_hub_takes_them(world: World, laptop: Clone) -> None:
    laptop.git("config", "push.pushOption", "ci.skip")
    world.hub_git("config", "receive.advertisePushOptions", "true")
    hook = world.hub / "hooks/post-receive"
    hook.write_text('#!/bin/sh\necho "$GIT_PUSH_OPTION_0" >said\n')
    hook.chmod(0o755)
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert (world.hub / "said").read_text() == "ci.skip\n"


# away


def test_a_lock_that_a_killed_fetch_left_here_is_named(world: World, laptop: Clone) -> None:
    """An editor's, say: it is no network that is away."""
    desktop = world.clone("desktop")
    desktop.edit("b.txt", "new\n")
    desktop.committed()
    desktop.sync()
    left = laptop.path(".git/refs/remotes/origin/main.lock")
    laptop.edit(".git/refs/remotes/origin/main.lock", "")
    outcome = laptop.sync()
    assert isinstance(outcome, Away)
    assert outcome.kind is AwayKind.LOCKED
    assert left in outcome.text
    os.unlink(left)
    assert isinstance(laptop.sync(), Synced)


def test_a_hub_that_is_gone_is_away(world: World, laptop: Clone) -> None:
    world.hub.rename(world.folder / "elsewhere")
    outcome = laptop.sync()
    assert isinstance(outcome, Away)
    assert outcome.kind in (AwayKind.NOT_FOUND, AwayKind.NETWORK)
    assert "origin" in outcome.text
    assert "hub.git" in outcome.text
    (world.folder / "elsewhere").rename(world.hub)
    assert isinstance(laptop.sync(), Synced)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("scheme", ["git", "http"])
@pytest.mark.parametrize("fetch", [True, False])
def test_a_closed_port_is_away(laptop: Clone, scheme: str, fetch: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    laptop.git("remote", "set-url", "origin", f"{scheme}://127.0.0.1:{port}/x")
    outcome = laptop.sync(fetch=fetch)
    assert isinstance(outcome, Away)
    assert outcome.kind is AwayKind.NETWORK
    assert "tried again" in outcome.text


@pytest.mark.parametrize("scheme", ["git", "http", "ssh"])
@pytest.mark.parametrize("fetch", [True, False])
def test_a_server_that_hangs_is_away(
    laptop: Clone, silent: int, monkeypatch: pytest.MonkeyPatch, scheme: str, fetch: bool
) -> None:
    monkeypatch.setattr(command, "SILENCE", 0.3)
    if scheme == "ssh":  # logged in, and then nothing comes; git sees only the pipe
        stub = laptop.root.parent / "silent-ssh"
        stub.write_text("#!/bin/sh\nexec sleep 1000\n")
        stub.chmod(0o755)
        laptop.git("config", "core.sshCommand", str(stub))
        laptop.reopen()
    laptop.git("remote", "set-url", "origin", f"{scheme}://127.0.0.1:{silent}/x")
    outcome = laptop.sync(fetch=fetch)
    assert isinstance(outcome, Away)
    assert outcome.kind is AwayKind.NETWORK
    assert "silent" in outcome.text


def test_a_sync_that_hangs_is_ended_by_abort(laptop: Clone, silent: int) -> None:
    laptop.git("remote", "set-url", "origin", f"git://127.0.0.1:{silent}/x")
    said: list[object] = []
    thread = threading.Thread(target=lambda: said.append(laptop.sync()), daemon=True)
    ledger = laptop.root / ".git/autosync/children"
    thread.start()
    eventually(lambda: b"fetch" in _running(ledger))
    laptop.driver.abort(network_only=True)
    thread.join(10)
    assert said == [Aborted()]
    laptop.edit("a.txt", "three\n")
    laptop.committed()
    assert laptop.sync() == Aborted()


def _running(ledger: Path) -> bytes:
    """The command line of the child that the ledger names."""
    try:
        return Path(f"/proc/{ledger.read_text().split()[0]}/cmdline").read_bytes()
    except (OSError, IndexError):
        return b""


def test_what_is_here_goes_on_without_the_remote(world: World, laptop: Clone) -> None:
    world.hub.rename(world.folder / "elsewhere")
    laptop.sync()
    laptop.edit("b.txt", "new\n")
    laptop.committed()
    (world.folder / "elsewhere").rename(world.hub)
    laptop.sync()
    assert world.hub_git("show", "main:b.txt") == "new"


# secrets


@pytest.mark.parametrize("fetch", [True, False])
@pytest.mark.parametrize(
    "url",
    [
        "https://alice:geheim@127.0.0.1:{port}/x.git",
        "http://geheim@127.0.0.1:{port}/x.git",
        "http://alice:geheim@127.0.0.1:{port}/x.git",
        "nosuchscheme://alice:geheim@127.0.0.1/x",
        "ssh://alice:geheim@127.0.0.1:{port}/x",
    ],
)
def test_no_secret_of_a_url_is_in_any_outcome(laptop: Clone, url: str, fetch: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    laptop.git("remote", "set-url", "origin", url.format(port=port))
    outcome = laptop.sync(fetch=fetch)
    assert isinstance(outcome, Away), outcome
    assert "geheim" not in repr(outcome)
    assert "geheim" not in repr(laptop.reopen())


@pytest.mark.parametrize("grown", [True, False])
def test_a_remote_with_other_hashes_is_told(laptop: Clone, world: World, grown: bool) -> None:
    other = world.folder / "other.git"
    laptop.git("init", "-q", "--bare", "--object-format=sha256", str(other))
    if grown:
        tree = laptop.git("-C", str(other), "hash-object", "-t", "tree", "-w", "/dev/null")
        first = laptop.git("-C", str(other), "commit-tree", "-m", "first", tree)
        laptop.git("-C", str(other), "update-ref", "refs/heads/main", first)
    laptop.git("remote", "set-url", "origin", str(other))
    laptop.edit("new.txt", "new\n")
    laptop.committed()
    outcome = laptop.sync()
    assert isinstance(outcome, Away), outcome
    assert outcome.kind is AwayKind.NOT_FOUND
    assert "another kind of hash" in outcome.text


def test_a_secret_in_the_servers_words_is_taken_out(world: World, laptop: Clone) -> None:
    decline(world, "see https://bot:geheim@example.org/rules")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert outcome.refused.endswith(": see https://example.org/rules")


def test_words_of_a_server_cannot_steer_a_terminal(world: World, laptop: Clone) -> None:
    decline(world, "\x1b[31mred\x07")
    outcome = laptop.sync()
    assert isinstance(outcome, Synced)
    assert "red" in outcome.refused
    assert outcome.refused.isprintable()


# what git's words mean


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Host key verification failed.\nfatal: Could not read from remote", AwayKind.HOST_KEY),
        ("@@@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @@@", AwayKind.HOST_KEY),
        ("No ED25519 host key is known for example.org and you have requested", AwayKind.HOST_KEY),
        ("git@example.org: Permission denied (publickey).", AwayKind.CREDENTIALS),
        ("fatal: could not read Username for 'https://x': terminal prompts", AwayKind.CREDENTIALS),
        ("fatal: Authentication failed for 'https://example.org/x/'", AwayKind.CREDENTIALS),
        ("remote: HTTP Basic: Access denied", AwayKind.CREDENTIALS),
        ("Bad owner or permissions on /home/a/.ssh/config\nfatal: Could not", AwayKind.CREDENTIALS),
        ('/home/a/.ssh/config line 3: no argument after keyword "port"', AwayKind.CREDENTIALS),
        ("fatal: repository 'https://example.org/x/' not found", AwayKind.NOT_FOUND),
        ("ERROR: Repository not found.", AwayKind.NOT_FOUND),
        ("fatal: '/srv/x' does not appear to be a git repository", AwayKind.NOT_FOUND),
        ("fatal: remote error: access denied or repository not exported: /x", AwayKind.NOT_FOUND),
        ("fatal: mismatched algorithms: client sha1; server sha256", AwayKind.NOT_FOUND),
        ("ssh: Could not resolve hostname example.org: Name or service", AwayKind.NETWORK),
        ("ssh: connect to host example.org port 22: Connection refused", AwayKind.NETWORK),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", AwayKind.NETWORK),
        ("fatal: the remote end hung up unexpectedly", AwayKind.NETWORK),
        ("fatal: early EOF\nfatal: fetch-pack: invalid index-pack output", AwayKind.NETWORK),
        ("remote: fatal: packed object 0f is corrupt\nfatal: early EOF", AwayKind.DAMAGED),
        ("error: object file .git/objects/0f/1 is empty\nfatal: bad object", AwayKind.DAMAGED),
        ("fatal: write error: No space left on device", AwayKind.FULL),
        ("remote: fatal: Disk quota exceeded", AwayKind.FULL),
        ("", AwayKind.NETWORK),
        ("something never heard of", AwayKind.NETWORK),
    ],
)
def test_why_a_remote_could_not_be_read(said: str, kind: AwayKind) -> None:
    found = away(said, "origin")
    assert found.kind is kind
    assert found.text.startswith("origin")
    assert "\n" not in found.text


@pytest.mark.parametrize(
    ("said", "signal", "kind", "advice"),
    [
        ("fatal: write error: No space left on device", 0, "disk-full", "when there is room"),
        ("fatal: write error: Disk quota exceeded", 0, "disk-full", "quota"),
        ("error: could not lock config: Read-only file system", 0, "read-only", "by itself"),
        ("error: read error while indexing a: Input/output error", 0, "disk-error", "journalctl"),
        ("fsync: Input/output error\nunlink: Read-only file system", 0, "disk-error", "journalctl"),
        ("git status failed with status -7", signal.SIGBUS, "disk-error", "journalctl"),
        ("something never heard of", 0, "git-failed", "tried again"),
        ("git update-index failed with status -9", signal.SIGKILL, "no-memory", "MemoryMax"),
    ],
)
def test_why_a_verb_failed_here(said: str, signal: int, kind: str, advice: str) -> None:
    found = failed(OSError(said), "/home/alice/notes", ended_by=signal)
    assert found.kind == kind
    assert advice in found.text
    assert said in found.text


FROM_TO = "refs/heads/main:refs/heads/main"


@pytest.mark.parametrize(
    ("code", "porcelain", "complaint", "verdict"),
    [
        (0, f"To x\n \t{FROM_TO}\tabc..def\nDone\n", "", PushVerdict.ACCEPTED),
        (0, f"To x\n=\t{FROM_TO}\t[up to date]\nDone\n", "", PushVerdict.ACCEPTED),
        (0, f"To x\n*\t{FROM_TO}\t[new branch]\nDone\n", "", PushVerdict.ACCEPTED),
        (1, f"To x\n!\t{FROM_TO}\t[rejected] (fetch first)\nDone\n", "", PushVerdict.MOVED),
        (1, f"To x\n!\t{FROM_TO}\t[rejected] (non-fast-forward)\n", "", PushVerdict.MOVED),
        (1, f"!\t{FROM_TO}\t[remote rejected] (failed to update ref)\n", "", PushVerdict.MOVED),
        (1, f"!\t{FROM_TO}\t[remote rejected] (cannot lock ref 'x')\n", "", PushVerdict.MOVED),
        (
            1,
            f"!\t{FROM_TO}\t[remote rejected] (pre-receive hook declined)\n",
            "remote: no",
            PushVerdict.REFUSED,
        ),
        (1, f"!\t{FROM_TO}\t[remote rejected] (unpacker error)\n", "", PushVerdict.REFUSED),
        (1, f"!\t{FROM_TO}\t[remote rejected] (unpacker error)\n",
         "remote: fatal: write error: No space left on device", PushVerdict.FULL),
        (1, f"!\t{FROM_TO}\t[remote rejected] (unpacker error)\n",
         "remote: fatal: unable to write file: Disk quota exceeded", PushVerdict.FULL),
        (1, f"!\t{FROM_TO}\t[remote rejected] (failed to update ref)\n",
         "remote: error: Unable to create 'main.lock': No space left on device", PushVerdict.FULL),
        (1, f"!\t{FROM_TO}\t[remote rejected] (failed to update ref)\n",
         "remote: error: cannot lock ref 'refs/heads/main': Unable to create "
         "'/srv/a.git/./refs/heads/main.lock': File exists.", PushVerdict.LOCKED),
        (1, f"!\t{FROM_TO}\t[rejected] (fetch first)\n",
         "remote: Unable to create '/srv/a.git/./refs/heads/main.lock': File exists.",
         PushVerdict.MOVED),
        (1, f"!\t{FROM_TO}\t[remote rejected] (pre-receive hook declined)\n",
         "remote: big.bin: file too large", PushVerdict.REFUSED),
        (128, "", "ERROR: Permission to a/b.git denied to c.", PushVerdict.REFUSED),
        (128, "", "ERROR: The key you are authenticating with is read only", PushVerdict.REFUSED),
        (128, "", "fatal: unable to access 'x': The requested URL returned error: 403",
         PushVerdict.REFUSED),
        (128, "", "fatal: remote error: service not enabled: /x", PushVerdict.REFUSED),
        (128, "", "ssh: connect to host x port 22: Connection timed out", PushVerdict.AWAY),
        (128, "", "git@x: Permission denied (publickey).", PushVerdict.AWAY),
        (128, "", "Host key verification failed.", PushVerdict.AWAY),
        (1, "", "", PushVerdict.AWAY),
        (-15, "", "", PushVerdict.AWAY),
    ],
)  # fmt: skip
def test_what_a_push_came_to(
    code: int, porcelain: str, complaint: str, verdict: PushVerdict
) -> None:
    assert push_answer(code, porcelain, complaint).verdict is verdict


def test_a_missing_branch_is_told_from_a_missing_remote() -> None:
    assert branch_missing("fatal: couldn't find remote ref refs/heads/main")
    assert not branch_missing("fatal: repository not found")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"", ""),
        (b"Receiving objects: 10%\rReceiving objects: 100% (3/3), done.\nfatal: no\n", "fatal: no"),
        (b"remote: Counting objects: 3\nremote: Sorry\n", "remote: Sorry"),
        (b"fatal: \xff\n", "fatal: \N{REPLACEMENT CHARACTER}"),
        (b"a\x1b[31mb\x00c\n", "a[31mbc"),
        (b"https://u:p@h/x", "https://h/x"),
    ],
)
def test_complaints_are_readable(said: bytes, shown: str) -> None:
    assert readable(said) == shown


@pytest.mark.parametrize(
    ("configured", "quiet"),
    [
        ("", True),
        ("ssh -i key", True),
        ("/usr/bin/ssh -p 22", True),
        ("plink -batch", False),
        ("my-ssh-wrapper", False),
    ],
)
def test_only_openssh_is_given_openssh_options(configured: str, quiet: bool) -> None:
    assert ("BatchMode=yes" in quiet_ssh(configured)) is quiet
    assert quiet_ssh(configured).startswith(configured or "ssh")
