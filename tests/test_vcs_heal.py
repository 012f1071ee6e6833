"""What a power cut tears is put aside and made anew; nothing that stood is lost."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from autosyncd.vcs.git.healing import heal, mark, torn
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Ready, Synced, Waiting
from tests.trees import Clone, World

Damage = Callable[[str], None]


def empty(path: str) -> None:
    _write(path, b"")


def zeros(path: str) -> None:
    _write(path, bytes(os.path.getsize(path)))


def half(path: str) -> None:
    _write(path, Path(path).read_bytes()[: os.path.getsize(path) // 2])


def garbage(path: str) -> None:
    _write(path, Path(path).read_bytes() + b"\0" * 512)


def gone(path: str) -> None:
    os.unlink(path)


DAMAGE = pytest.mark.parametrize("damage", [empty, half, gone])
TORN = [empty, zeros, half, garbage]


def _write(path: str, data: bytes) -> None:
    os.chmod(path, 0o644)
    with open(path, "wb") as file:  # the same inode: nothing but its content tells
        file.write(data)


@pytest.fixture
def laptop(world: World) -> Clone:
    """Two commits that the hub has, then one that it hasn't."""
    (clone,) = world.share({"a.txt": "one\n", "d/b.txt": "two\n"}, "laptop")
    clone.driver.close()
    clone.reopen()
    clone.edit("a.txt", "pushed\n")
    clone.committed()
    clone.sync()
    clone.edit("d/b.txt", "unpushed\n")
    clone.edit("new.txt", "unpushed too\n")
    clone.committed()
    return clone


def power_cut(clone: Clone) -> None:
    """The worker is gone without a word, and the machine has another boot id."""
    state = os.fsencode(clone.path(".git/autosync"))
    handle = clone.driver._lock.pass_on()
    assert handle is not None
    os.close(handle)
    assert not mark.read(state).holds


def loose(clone: Clone, name: str) -> str:
    oid = clone.git("rev-parse", name)
    return clone.path(f".git/objects/{oid[:2]}/{oid[2:]}")


def healed(clone: Clone, *, sync: bool = True) -> str:
    """What the next start says; it can work, and git has nothing to complain about."""
    stood = {name: data for name, data in clone.files().items() if name != b".git"}
    ready = clone.reopen()
    assert isinstance(ready, Ready), ready
    made = clone.commit()
    assert isinstance(made, CommitMade | NothingToCommit), made
    clone.is_clean()
    clone.edit("after.txt", "the next commit\n")
    clone.committed()
    if sync:
        assert isinstance(clone.sync(), Synced)
        assert clone.git("rev-parse", "HEAD") == clone.git("rev-parse", "origin/main")
    clone.is_clean()
    for name, content in stood.items():
        assert clone.read(name) == content
        assert clone.history_has(content)
    return ready.note


@pytest.mark.parametrize("damage", TORN)
@pytest.mark.parametrize("kind", ["commit", "tree", "blob"])
def test_a_torn_object_is_told_from_a_whole_one(world: World, kind: str, damage: Damage) -> None:
    (clone,) = world.share({"d/a.txt": os.urandom(200_000)}, "laptop")
    path = loose(clone, {"commit": "HEAD", "tree": "HEAD:d", "blob": "HEAD:d/a.txt"}[kind])
    oid = "".join(path.split("/")[-2:])
    assert torn.read_object(os.fsencode(path), oid) is not None
    assert torn.read_object(os.fsencode(path), "0" * 40) is None
    assert not torn.looks_torn(os.fsencode(path))
    damage(path)
    assert torn.read_object(os.fsencode(path), oid) is None
    assert torn.looks_torn(os.fsencode(path)) == (damage is not half)


@pytest.mark.parametrize("damage", TORN)
def test_what_has_a_checksum_of_itself(laptop: Clone, damage: Damage) -> None:
    laptop.git("repack", "-a", "-d", "-q", "--write-midx")
    laptop.git("commit-graph", "write", "--reachable")
    found = [*Path(laptop.path(".git/objects/pack")).iterdir()]
    found += [Path(laptop.path(".git/objects/info/commit-graph")), Path(laptop.path(".git/index"))]
    for path in [path for path in found if path.name.endswith(tuple(map(os.fsdecode, torn.SEALS)))]:
        assert torn.is_sealed(os.fsencode(path), "sha1")
        damage(os.fspath(path))
        assert not torn.is_sealed(os.fsencode(path), "sha1")
    assert len(found) >= 5


def test_after_a_clean_end_nothing_is_looked_at(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.driver.close()
    monkeypatch.setattr(heal, "Healing", None)
    assert isinstance(laptop.reopen(), Ready)


def test_a_new_tree_is_not_looked_at(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heal, "Healing", None)
    world.clone("laptop")


def test_after_a_boot_it_is_looked_at_even_after_a_clean_end(
    laptop: Clone, monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop.driver.close()
    path = loose(laptop, "HEAD:d/b.txt")
    empty(path)
    monkeypatch.setattr(mark, "boot_id", lambda: "another boot")
    assert "1 objects were damaged" in healed(laptop)
    assert os.path.getsize(path)


def test_an_unclean_end_without_damage_says_nothing(laptop: Clone) -> None:
    power_cut(laptop)
    assert healed(laptop) == ""


@DAMAGE
@pytest.mark.parametrize("name", ["HEAD:d/b.txt", "HEAD:d", "HEAD^{tree}", "HEAD"])
def test_an_object_that_only_this_machine_had(laptop: Clone, name: str, damage: Damage) -> None:
    head = laptop.git("rev-parse", "HEAD")
    power_cut(laptop)
    damage(loose(laptop, name))
    assert "objects were damaged" in healed(laptop) or damage is gone
    if name != "HEAD":  # the commit itself can't be made anew
        assert head in laptop.git("rev-list", "HEAD").split()


@DAMAGE
@pytest.mark.parametrize("name", ["HEAD~:a.txt", "HEAD~^{tree}", "HEAD~"])
def test_an_object_that_the_remote_has(laptop: Clone, name: str, damage: Damage) -> None:
    head = laptop.git("rev-parse", "HEAD")
    laptop.edit("a.txt", "edited since\n")
    power_cut(laptop)
    damage(loose(laptop, name))
    healed(laptop)
    assert head in laptop.git("rev-list", "HEAD").split()


@pytest.mark.parametrize("name", ["HEAD:d/b.txt", "HEAD^{tree}", "HEAD", "HEAD~", "HEAD~:a.txt"])
def test_without_the_remote(world: World, laptop: Clone, name: str) -> None:
    laptop.edit("a.txt", "edited since\n")
    laptop.edit("d/b.txt", "edited since too\n")
    os.rename(world.hub, world.hub.with_suffix(".away"))
    power_cut(laptop)
    empty(loose(laptop, name))
    healed(laptop, sync=False)
    os.rename(world.hub.with_suffix(".away"), world.hub)
    assert isinstance(laptop.sync(), Synced)
    laptop.is_clean()


def test_everything_since_the_mark_is_torn(laptop: Clone) -> None:
    power_cut(laptop)
    for oid in laptop.git("rev-list", "--objects", "HEAD", "--no-object-names").split():
        empty(laptop.path(f".git/objects/{oid[:2]}/{oid[2:]}"))
    empty(laptop.path(".git/refs/heads/main"))
    empty(laptop.path(".git/index"))
    empty(laptop.path(".git/HEAD"))
    empty(laptop.path(".git/config"))
    empty(laptop.path(".git/autosync/memory.json"))
    healed(laptop)


@pytest.mark.parametrize("damage", [empty, garbage])
@pytest.mark.parametrize(
    "name",
    ["refs/heads/main", "refs/remotes/origin/main", "HEAD", "logs/HEAD", "logs/refs/heads/main"],
)
def test_a_ref_or_its_log(laptop: Clone, name: str, damage: Damage) -> None:
    head = laptop.git("rev-parse", "HEAD")
    power_cut(laptop)
    damage(laptop.path(f".git/{name}"))
    assert healed(laptop) != "" or (damage is empty and "logs" in name)
    assert head in laptop.git("rev-list", "HEAD").split()


def test_a_ref_to_a_commit_that_never_reached_the_disk(laptop: Clone) -> None:
    power_cut(laptop)
    laptop.edit(".git/refs/heads/main", "1" * 40 + "\n")
    assert "main is at" in healed(laptop)


def test_other_branches_tags_and_the_stash(laptop: Clone) -> None:
    laptop.git("branch", "idea")
    laptop.git("tag", "v1", "HEAD~")
    laptop.edit("a.txt", "stashed\n")
    laptop.git("stash")
    idea, stash = laptop.git("rev-parse", "idea", "stash").split()
    power_cut(laptop)
    for name in ("heads/idea", "tags/v1", "stash"):
        zeros(laptop.path(f".git/refs/{name}"))
    note = healed(laptop)
    assert "refs/tags/v1 led nowhere" in note
    assert laptop.git("rev-parse", "idea", "stash").split() == [idea, stash]


@pytest.mark.parametrize("damage", [empty, zeros, half])
def test_packed_refs(laptop: Clone, damage: Damage) -> None:
    laptop.git("branch", "idea")
    laptop.git("pack-refs", "--all")
    head = laptop.git("rev-parse", "HEAD")
    power_cut(laptop)
    damage(laptop.path(".git/packed-refs"))
    healed(laptop)
    assert laptop.git("rev-parse", "idea") == head


@pytest.mark.parametrize("damage", [empty, zeros, half, garbage, gone])
def test_the_index(laptop: Clone, damage: Damage) -> None:
    head = laptop.git("rev-parse", "HEAD")
    laptop.edit("a.txt", "edited since\n")
    power_cut(laptop)
    damage(laptop.path(".git/index"))
    assert "index was made anew" in healed(laptop)
    assert head in laptop.git("rev-list", "HEAD").split()


def test_the_index_of_a_sparse_checkout_stays_sparse(laptop: Clone) -> None:
    laptop.git("sparse-checkout", "set", "--no-cone", "/*", "!/d/")
    power_cut(laptop)
    zeros(laptop.path(".git/index"))
    healed(laptop)
    assert b"d/b.txt" in laptop.tracked()
    assert not os.path.exists(laptop.path("d"))


def test_the_index_of_a_sparse_checkout_whose_filter_fails(laptop: Clone) -> None:
    """A key is often locked when the machine has just started."""
    laptop.edit(".gitattributes", "*.up filter=locked\n")
    laptop.edit("a.up", "encrypted\n")
    laptop.committed()
    laptop.git("sparse-checkout", "set", "--no-cone", "/*", "!/d/")
    for name, value in (("clean", "false"), ("smudge", "false"), ("required", "true")):
        laptop.git("config", f"filter.locked.{name}", value)
    laptop.reopen()
    power_cut(laptop)
    zeros(laptop.path(".git/index"))
    assert isinstance(laptop.reopen(), Ready)
    assert "S d/b.txt" in laptop.git("ls-files", "-t")
    assert not os.path.exists(laptop.path("d"))
    laptop.edit("after.txt", "the next commit\n")
    assert isinstance(laptop.commit(), CommitMade)
    assert {b"d/b.txt", b"a.up", b"after.txt"} <= laptop.tracked()


@pytest.mark.parametrize("damage", [zeros, half])
@pytest.mark.parametrize("ends", [".pack", ".idx"])
def test_a_pack(laptop: Clone, ends: str, damage: Damage) -> None:
    laptop.sync()
    laptop.git("repack", "-a", "-d", "-q")
    head = laptop.git("rev-parse", "HEAD")
    power_cut(laptop)
    (pack,) = Path(laptop.path(".git/objects/pack")).glob(f"*{ends}")
    damage(os.fspath(pack))
    healed(laptop)
    assert head in laptop.git("rev-list", "HEAD").split()


@pytest.mark.parametrize("damage", [half])
def test_a_commit_graph(laptop: Clone, damage: Damage) -> None:
    laptop.git("commit-graph", "write", "--reachable")
    power_cut(laptop)
    damage(laptop.path(".git/objects/info/commit-graph"))
    healed(laptop)


@pytest.mark.parametrize("damage", [zeros, half])
@pytest.mark.parametrize(
    "name",
    ["memory.json", "held.json", "journal", "lock-owner", "children", "mark", "excludes", "index"],
)
def test_our_own_files(laptop: Clone, name: str, damage: Damage) -> None:
    tree = laptop.driver._opened.repository.memory.tree  # type: ignore[union-attr]
    power_cut(laptop)
    path = laptop.path(f".git/autosync/{name}")
    if not os.path.exists(path):
        _make(path, b"something\nthat was here 1 2 3\n")
    damage(path)
    healed(laptop)
    assert laptop.driver._opened.repository.memory.tree == tree  # type: ignore[union-attr]


def _make(path: str, data: bytes) -> None:
    Path(path).write_bytes(data)


@pytest.mark.parametrize("damage", [empty, zeros])
def test_the_config(laptop: Clone, damage: Damage) -> None:
    power_cut(laptop)
    damage(laptop.path(".git/config"))
    assert "config" in healed(laptop)


def test_a_branch_that_moved_before_its_index_was_on_the_disk(laptop: Clone) -> None:
    before = Path(laptop.path(".git/index")).read_bytes()
    old = laptop.git("rev-parse", "HEAD")
    laptop.edit("a.txt", "the last edit\n")
    laptop.edit("e.txt", "new\n")
    laptop.committed()
    power_cut(laptop)
    _write(laptop.path(".git/index"), before)
    laptop.edit(".git/autosync/journal", f"{old} {laptop.git('rev-parse', 'HEAD')}\n")
    laptop.edit(".git/autosync/index", b"\0" * 100)
    count = laptop.commits()
    assert isinstance(laptop.reopen(), Ready)
    laptop.is_clean()
    laptop.has_nothing_to_commit()
    assert laptop.commits() == count


def test_nothing_damaged_is_deleted(laptop: Clone) -> None:
    power_cut(laptop)
    half(loose(laptop, "HEAD:d/b.txt"))
    rest = Path(loose(laptop, "HEAD:d/b.txt")).read_bytes()
    note = healed(laptop)
    (kept,) = Path(laptop.path(".git/autosync/damaged/1/objects")).rglob("*/*")
    assert kept.read_bytes() == rest
    assert note.endswith(f"{laptop.path('.git/autosync/damaged')}.")


def test_sha256(world: World, tmp_path: Path) -> None:
    root = tmp_path / "modern"
    subprocess.run(["git", "init", "-q", "--object-format=sha256", root], check=True)
    clone = Clone(root, world.environment)
    assert isinstance(clone.driver.inspect(), Ready)
    clone.edit("a.txt", "one\n")
    clone.committed()
    power_cut(clone)
    empty(loose(clone, "HEAD^{tree}"))
    zeros(clone.path(".git/index"))
    healed(clone, sync=False)


def test_a_linked_worktree(world: World, laptop: Clone) -> None:
    laptop.git("worktree", "add", "-q", "../other", "-b", "other")
    clone = world.adopt("other", branch="other", remote="none")
    assert isinstance(clone.driver.inspect(), Ready)
    clone.edit("a.txt", "in the other one\n")
    clone.committed()
    git_dir = clone.git("rev-parse", "--absolute-git-dir")
    power_cut(clone)
    zeros(f"{git_dir}/HEAD")
    zeros(f"{git_dir}/index")
    zeros(f"{git_dir}/logs/HEAD")
    healed(clone, sync=False)


def test_a_kill_during_the_healing_is_no_obstacle(laptop: Clone) -> None:
    """Everything torn has been put aside, and then the power fails again."""
    power_cut(laptop)
    for name in ("HEAD:d/b.txt", "HEAD^{tree}"):
        os.unlink(loose(laptop, name))
    os.unlink(laptop.path(".git/index"))
    os.unlink(laptop.path(".git/refs/heads/main"))
    healed(laptop)


@pytest.fixture
def rebooted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    return lambda: monkeypatch.setattr(mark, "boot_id", lambda: "another boot")


def test_a_file_that_came_back_empty_gets_its_content_back(
    laptop: Clone, rebooted: Callable[[], None]
) -> None:
    laptop.edit("zeros.txt", "x" * 3000)
    laptop.edit("meant.txt", "")
    laptop.committed()
    count = laptop.commits()
    power_cut(laptop)
    rebooted()
    zeros(laptop.path("zeros.txt"))
    empty(laptop.path("d/b.txt"))
    ready = laptop.reopen()
    assert isinstance(ready, Ready)
    assert "d/b.txt, zeros.txt" in ready.note
    laptop.has_nothing_to_commit()
    laptop.driver.sweep()
    laptop.is_clean()
    assert laptop.read("d/b.txt") == b"unpushed\n"
    assert laptop.read("zeros.txt") == b"x" * 3000
    assert set(laptop.files()) == laptop.tracked()  # and no copies of nothing
    assert laptop.commits() == count


def test_a_file_that_was_edited_in_part_is_the_persons(
    laptop: Clone, rebooted: Callable[[], None]
) -> None:
    power_cut(laptop)
    rebooted()
    laptop.edit("d/b.txt", b"unp\0\0\0\0\0")
    healed(laptop)
    assert laptop.read("d/b.txt") == b"unp\0\0\0\0\0"


def test_within_one_boot_an_empty_file_is_meant(laptop: Clone) -> None:
    power_cut(laptop)
    empty(laptop.path("d/b.txt"))
    healed(laptop)
    assert laptop.read("d/b.txt") == b""


def test_an_index_that_had_not_come_along_is_no_way_back(laptop: Clone) -> None:
    before = Path(laptop.path(".git/index")).read_bytes()
    laptop.edit("a.txt", "the last edit\n")
    laptop.edit("e.txt", "new\n")
    laptop.committed()
    power_cut(laptop)
    _write(laptop.path(".git/index"), before)
    count = laptop.commits()
    assert isinstance(laptop.reopen(), Ready)
    laptop.is_clean()
    laptop.has_nothing_to_commit()
    assert laptop.commits() == count


def test_an_index_behind_is_found_though_somebody_has_its_lock(laptop: Clone) -> None:
    """git takes that lock even to say which tree an index stands for: one that was killed in the
    middle of it left a lock that was nobody's, and nothing was committed any more."""
    before = Path(laptop.path(".git/index")).read_bytes()
    laptop.edit("a.txt", "the last edit\n")
    laptop.committed()
    power_cut(laptop)
    _write(laptop.path(".git/index"), before)
    laptop.edit(".git/index.lock", "")
    assert isinstance(laptop.reopen(), Ready)
    laptop.delete(".git/index.lock")
    laptop.has_nothing_to_commit()
    laptop.is_clean()


def test_a_torn_index_waits_for_its_lock(laptop: Clone) -> None:
    power_cut(laptop)
    zeros(laptop.path(".git/index"))
    laptop.edit(".git/index.lock", "")
    waiting = laptop.reopen()
    assert isinstance(waiting, Waiting)
    assert "rm " + laptop.path(".git/index.lock") in waiting.text
    laptop.delete(".git/index.lock")
    assert "index was made anew" in healed(laptop)


def test_a_torn_commit_of_the_person_leaves_what_was_reported(laptop: Clone) -> None:
    """Their git flushes neither the ref nor its log."""
    reported = laptop.git("rev-parse", "HEAD")
    laptop.edit("a.txt", "by hand\n")
    laptop.git("commit", "-q", "-a", "-m", "by hand")
    mine = laptop.git("rev-parse", "HEAD")
    power_cut(laptop)
    empty(loose(laptop, mine))
    for name in ("refs/heads/main", "logs/refs/heads/main", "logs/HEAD"):
        empty(laptop.path(f".git/{name}"))
    healed(laptop)
    assert reported in laptop.git("rev-list", "HEAD").split()


def test_a_log_that_came_back_as_it_was_before(laptop: Clone) -> None:
    log = laptop.path(".git/logs/refs/heads/main")
    before = Path(log).read_bytes()
    laptop.edit("a.txt", "reported\n")
    reported = laptop.committed().head.commit
    laptop.edit("a.txt", "by hand\n")
    laptop.git("commit", "-q", "-a", "-m", "by hand")
    mine = laptop.git("rev-parse", "HEAD")
    power_cut(laptop)
    empty(loose(laptop, mine))
    empty(laptop.path(".git/refs/heads/main"))
    _write(log, before)
    healed(laptop)
    assert reported in laptop.git("rev-list", "HEAD").split()


def test_a_way_back_that_the_person_went_is_not_undone(laptop: Clone) -> None:
    laptop.edit("a.txt", "a mistake\n")
    mistake = laptop.committed().head.commit
    laptop.git("reset", "-q", "--hard", "HEAD~")
    power_cut(laptop)
    empty(laptop.path(".git/refs/heads/main"))
    assert isinstance(laptop.reopen(), Ready)
    laptop.is_clean()
    assert mistake not in laptop.git("rev-list", "HEAD").split()
