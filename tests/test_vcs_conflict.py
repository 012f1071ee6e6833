"""Two machines that changed the same thing: nothing is lost, and both end up with the same tree."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from autosyncd.vcs.git.merging import merge
from autosyncd.vcs.git.merging.conflict import conflict_name, host_slug, is_conflict_name
from autosyncd.vcs.git.repository import OWN_INDEXES
from autosyncd.vcs.outcomes import Synced
from tests.trees import Clone, World, make_world

LINES = "".join(f"line {number}\n" for number in range(20))
OTHER = "".join(f"other {number}\n" for number in range(20))

Act = Callable[[Clone], None]


@dataclass(frozen=True)
class Clash:
    """What was there, what each machine made of it, and what must be in some file afterwards."""

    base: dict[str, str | bytes]
    laptop: Act
    desktop: Act
    kept: tuple[str | bytes, ...]


def edit(name: str, content: str | bytes) -> Act:
    return lambda clone: clone.edit(name, content)


def move(old: str, new: str) -> Act:
    return lambda clone: clone.move(old, new)


def delete(name: str) -> Act:
    return lambda clone: clone.delete(name)


def link(name: str, target: str) -> Act:
    return lambda clone: clone.link(name, target)


def executable(name: str) -> Act:
    return lambda clone: os.chmod(clone.path(name), 0o755)


def both(*acts: Act) -> Act:
    return lambda clone: [act(clone) for act in acts] and None


LAPTOP, DESKTOP = LINES + "laptop\n", LINES + "desktop\n"
BINARY = bytes(range(256)) * 8

CLASHES = {
    "content": Clash(
        {"f.txt": LINES}, edit("f.txt", LAPTOP), edit("f.txt", DESKTOP), (LAPTOP, DESKTOP)
    ),
    "several files": Clash(
        {f"{n}.txt": LINES for n in range(5)},
        both(*(edit(f"{n}.txt", f"{LAPTOP}{n}") for n in range(5))),
        both(*(edit(f"{n}.txt", f"{DESKTOP}{n}") for n in range(5))),
        tuple(f"{side}{n}" for side in (LAPTOP, DESKTOP) for n in range(5)),
    ),
    "add/add": Clash(
        {"x": "x"}, edit("new.txt", LAPTOP), edit("new.txt", DESKTOP), (LAPTOP, DESKTOP)
    ),
    "no base at all": Clash({}, edit("f.txt", LAPTOP), edit("f.txt", DESKTOP), (LAPTOP, DESKTOP)),
    "edit/delete": Clash({"f.txt": LINES}, edit("f.txt", LAPTOP), delete("f.txt"), (LAPTOP,)),
    "delete/edit": Clash({"f.txt": LINES}, delete("f.txt"), edit("f.txt", DESKTOP), (DESKTOP,)),
    "rename/rename 1to2": Clash(
        {"f.txt": LINES}, move("f.txt", "a.txt"), move("f.txt", "b.txt"), (LINES,)
    ),
    "rename/rename 1to2, both edited": Clash(
        {"f.txt": LINES},
        both(move("f.txt", "a.txt"), edit("a.txt", LAPTOP)),
        both(move("f.txt", "b.txt"), edit("b.txt", DESKTOP)),
        (LAPTOP, DESKTOP),
    ),
    "rename/rename 2to1": Clash(
        {"f.txt": LINES, "g.txt": OTHER},
        move("f.txt", "z.txt"),
        move("g.txt", "z.txt"),
        (LINES, OTHER),
    ),
    "rename/rename 2to1, both edited": Clash(
        {"f.txt": LINES, "g.txt": OTHER},
        both(move("f.txt", "z.txt"), edit("g.txt", OTHER + "laptop\n")),
        both(move("g.txt", "z.txt"), edit("f.txt", DESKTOP)),
        ("laptop\n", "desktop\n"),
    ),
    "rename/delete": Clash({"f.txt": LINES}, move("f.txt", "a.txt"), delete("f.txt"), (LINES,)),
    "rename/add": Clash(
        {"f.txt": LINES}, move("f.txt", "z.txt"), edit("z.txt", OTHER), (LINES, OTHER)
    ),
    "rename and edit": Clash(
        {"f.txt": LINES},
        both(move("f.txt", "a.txt"), edit("a.txt", LAPTOP)),
        edit("f.txt", DESKTOP),
        (LAPTOP, DESKTOP),
    ),
    "swapped names, one edited": Clash(
        {"f.txt": LINES, "g.txt": OTHER},
        both(move("f.txt", "t"), move("g.txt", "f.txt"), move("t", "g.txt")),
        edit("f.txt", DESKTOP),
        (DESKTOP, OTHER),
    ),
    "folder renamed, file added in the old one": Clash(
        {f"old/{n}.txt": LINES + f"{n}\n" for n in range(4)},
        move("old", "new"),
        edit("old/added.txt", DESKTOP),
        (DESKTOP,),
    ),
    "folder split in two, file added in it": Clash(
        {f"old/{n}.txt": LINES + f"{n}\n" * 9 for n in range(4)},
        both(*(move(f"old/{n}.txt", f"{'ab'[n % 2]}/{n}.txt") for n in range(4))),
        edit("old/added.txt", DESKTOP),
        (DESKTOP,),
    ),
    "two folders renamed into one": Clash(
        {"one/f.txt": LINES, "two/f.txt": OTHER},
        move("one", "all"),
        move("two", "all"),
        (LINES, OTHER),
    ),
    "file/folder": Clash(
        {"x": LINES},
        edit("x", LAPTOP),
        both(delete("x"), edit("x/inside.txt", "inside\n")),
        (LAPTOP, "inside\n"),
    ),
    "folder/file": Clash(
        {"x": LINES},
        both(delete("x"), edit("x/inside.txt", "inside\n")),
        edit("x", DESKTOP),
        (DESKTOP, "inside\n"),
    ),
    "file and folder added": Clash(
        {"a": "a"}, edit("x", LAPTOP), edit("x/y/inside.txt", "inside\n"), (LAPTOP, "inside\n")
    ),
    "folder became a file, file in it edited": Clash(
        {"x/a.txt": LINES, "x/b.txt": OTHER},
        both(delete("x"), edit("x", "now a file\n")),
        edit("x/a.txt", DESKTOP),
        ("now a file\n", DESKTOP),
    ),
    "folder renamed, a folder in it became a file": Clash(
        {"old/f.txt": LINES, "old/g.txt": OTHER, "old/x/in": "inside\n"},
        both(
            move("old/f.txt", "far/new/f.txt"),
            edit("far/new/f.txt", LAPTOP),
            delete("old/g.txt"),
            delete("old/x"),
        ),
        both(
            delete("old/x"),
            edit("old/x", "now a file\n"),
            edit("old/f.txt", DESKTOP),
            edit("old/g.txt", OTHER + "desktop\n"),
        ),
        (LAPTOP, DESKTOP, "now a file\n", OTHER + "desktop\n"),
    ),
    "moved into a folder whose content was moved to where it was": Clash(
        {"in/hello": OTHER, "f.txt": LINES},
        both(move("f.txt", "in/f.txt"), edit("in/f.txt", LAPTOP)),
        both(move("in/hello", "hello"), delete("f.txt")),
        (OTHER, LAPTOP),
    ),
    "link and folder": Clash(
        {"a": "a"}, link("x", "a"), edit("x/inside.txt", "inside\n"), ("-> a", "inside\n")
    ),
    "mode and content": Clash(
        {"f.sh": LINES}, executable("f.sh"), edit("f.sh", DESKTOP), (DESKTOP,)
    ),
    "mode of the same new file": Clash(
        {"x": "x"},
        both(edit("f.sh", LINES), executable("f.sh")),
        edit("f.sh", LINES),
        (LINES,),
    ),
    "link/content": Clash(
        {"f.txt": LINES, "t": "t"},
        both(delete("f.txt"), link("f.txt", "t")),
        edit("f.txt", DESKTOP),
        ("-> t", DESKTOP),
    ),
    "link/link": Clash({"x": "x"}, link("l", "one"), link("l", "two"), ("-> one", "-> two")),
    "link and file of the same bytes": Clash(
        {"x": "x"}, link("l", "same"), edit("l", "same"), ("-> same", "same")
    ),
    "binary": Clash(
        {"f.bin": BINARY},
        edit("f.bin", b"laptop" + BINARY),
        edit("f.bin", b"desktop" + BINARY),
        (b"laptop" + BINARY, b"desktop" + BINARY),
    ),
    "no newline at the end": Clash(
        {"f": "x"}, edit("f", "laptop"), edit("f", "desktop"), ("laptop", "desktop")
    ),
    "an empty file and a full one": Clash({"x": "x"}, edit("f", ""), edit("f", LAPTOP), (LAPTOP,)),
    "name as long as can be": Clash(
        {"n" * 251 + ".txt": LINES},
        edit("n" * 251 + ".txt", LAPTOP),
        edit("n" * 251 + ".txt", DESKTOP),
        (LAPTOP, DESKTOP),
    ),
    "name with a newline": Clash(
        {"new\nline~x": LINES},
        edit("new\nline~x", LAPTOP),
        edit("new\nline~x", DESKTOP),
        (LAPTOP, DESKTOP),
    ),
    "name that isn't UTF-8": Clash(
        {os.fsdecode(b"\xff.txt"): LINES},
        edit(os.fsdecode(b"\xff.txt"), LAPTOP),
        edit(os.fsdecode(b"\xff.txt"), DESKTOP),
        (LAPTOP, DESKTOP),
    ),
    "CRLF under text=auto": Clash(
        {".gitattributes": "* text=auto\n", "f.txt": LINES},
        edit("f.txt", LINES.replace("\n", "\r\n") + "laptop\r\n"),
        edit("f.txt", DESKTOP),
        ("laptop", DESKTOP),
    ),
}  # fmt: skip


def settle(*clones: Clone) -> None:
    """Everybody syncs until all agree."""
    for clone in (*clones, *clones[:-1]):
        synced = clone.sync()
        assert isinstance(synced, Synced), synced
        assert not synced.refused


def same_text(files: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The machine that wrote CRLF keeps it on disk; git's attributes let it."""
    return {name: content.replace(b"\r\n", b"\n") for name, content in files.items()}


def is_kept(content: str | bytes, files: dict[bytes, bytes]) -> bool:
    data = content if isinstance(content, bytes) else content.encode()
    return any(data in found for found in files.values())


@pytest.mark.parametrize("kind", CLASHES)
def test_both_versions_are_kept_whoever_merges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    clash = CLASHES[kind]
    world = make_world(tmp_path, monkeypatch)
    clones = (
        world.share(clash.base) if clash.base else [world.clone("laptop"), world.clone("desktop")]
    )
    for clone, act in zip(clones, (clash.laptop, clash.desktop), strict=True):
        act(clone)
        clone.committed()
    other = world.copy(tmp_path / "other")
    settle(*(world.clones[name] for name in ("laptop", "desktop")))
    settle(*(other.clones[name] for name in ("desktop", "laptop")))
    everyone = [*world.clones.values(), *other.clones.values()]
    first = everyone[0]
    for clone in everyone:
        files = clone.files()
        for content in clash.kept:
            assert is_kept(content, files), (clone.root, content, sorted(files))
        assert not any(b"<<<<<<<" in content for content in files.values())
        assert same_text(files) == same_text(first.files()), (sorted(files), sorted(first.files()))
        clone.has_nothing_to_commit()
        clone.is_clean()
    assert len({clone.tree() for clone in everyone}) == 1
    assert "<<<<<<<" not in first.git("grep", "-h", "<<<<<<<", "HEAD", status=None)


def clash(world: World, laptop: str, desktop: str, name: str = "f.txt") -> Synced:
    """The desktop pushes first, the laptop merges; what that came to."""
    for machine, content in (("desktop", desktop), ("laptop", laptop)):
        world.clones[machine].edit(name, content)
        world.clones[machine].committed()
    world.clones["desktop"].sync()
    outcome = world.clones["laptop"].sync()
    assert isinstance(outcome, Synced), outcome
    return outcome


def test_the_version_that_gives_way_is_named_after_its_machine(world: World) -> None:
    laptop, _ = world.share({"f.txt": "base\n"})
    laptop.edit("other.txt", "one more commit\n")
    laptop.committed()
    outcome = clash(world, "laptop\n", "desktop\n")
    assert outcome.conflicts == (b"f.txt",)
    assert outcome.hosts == ("desktop",)
    assert laptop.read("f.txt") == b"laptop\n"
    (copy,) = (name for name in laptop.files() if b"sync-conflict" in name)
    blob = laptop.git("hash-object", laptop.path(copy))
    assert copy == f"f.sync-conflict-desktop-{blob[:8]}.txt".encode()
    assert laptop.read(copy) == b"desktop\n"


def test_a_version_that_gives_way_under_the_name_of_the_other_side_is_named_after_its_machine(
    world: World, tmp_path: Path
) -> None:
    laptop, desktop = world.share({"f.txt": LINES, "x": "x\n"})
    laptop.move("f.txt", "g.txt")
    laptop.edit("g.txt", LINES.replace("line 3", "laptop"))
    laptop.committed()
    for content in ("x1\n", "x2\n"):  # so the laptop's side keeps the name
        laptop.edit("y", content)
        laptop.committed()
    desktop.edit("f.txt", LINES.replace("line 3", "desktop"))
    desktop.committed()
    desktop.edit("x", "of another host\n")
    desktop.git("commit", "-qam", "On top", "--trailer", "Autosync-Host: other")
    other = world.copy(tmp_path / "other")
    settle(laptop, desktop)
    settle(*(other.clones[name] for name in ("desktop", "laptop")))
    for clone in (*world.clones.values(), *other.clones.values()):
        (copy,) = (name for name in clone.files() if b"sync-conflict" in name)
        assert copy.startswith(b"g.sync-conflict-desktop-"), copy
    assert len({clone.tree() for clone in (*world.clones.values(), *other.clones.values())}) == 1


def test_a_version_that_a_person_committed_is_named_after_them(world: World) -> None:
    """No trailer says which machine it was: the committer's name must do."""
    laptop, desktop = world.share({"f.txt": "base\n"})
    laptop.edit("other.txt", "one more commit\n")
    laptop.committed()
    desktop.edit("f.txt", "desktop\n")
    desktop.git("-c", "user.name=Jörg von Übel, jr.", "commit", "-qam", "By hand")
    desktop.sync()
    laptop.edit("f.txt", "laptop\n")
    laptop.committed()
    laptop.sync()
    (copy,) = (name for name in laptop.files() if b"sync-conflict" in name)
    assert copy.startswith(b"f.sync-conflict-J-rg-von-bel-jr-")
    desktop.sync()
    assert desktop.files() == laptop.files()


@pytest.mark.parametrize(
    "name",
    [
        "ü" * 125 + ".txt",
        "\N{GRINNING FACE}" * 62 + ".x",
        os.fsdecode(b"\xff\xfe" * 125 + b".txt"),
        "." + "n" * 254,
        "a." + "e" * 253,
    ],
)
def test_a_name_of_any_length_has_its_copy_on_every_machine(
    world: World, tmp_path: Path, name: str
) -> None:
    laptop, desktop = world.share({name: "base\n"})
    for clone in (laptop, desktop):
        clone.edit(name, f"{clone.root.name}\n")
        clone.committed()
    other = world.copy(tmp_path / "other")
    settle(laptop, desktop)
    settle(other.clones["desktop"], other.clones["laptop"])
    files = laptop.files()
    assert files == desktop.files() == other.clones["desktop"].files()
    assert {b"laptop\n", b"desktop\n"} == set(files.values())
    assert all(len(found) <= 255 for found in files)


@pytest.mark.parametrize("inside", ["", "/deep/file"])
def test_a_copy_never_takes_the_name_of_another_file(world: World, inside: str) -> None:
    """Somebody has made a file of just that name before, or a folder."""
    laptop, desktop = world.share({"f.txt": "base\n"})
    blob = laptop.git("hash-object", "--stdin", stdin=b"desktop\n")[:8]
    taken = f"f.sync-conflict-desktop-{blob}.txt"
    laptop.edit(taken + inside, "mine\n")
    laptop.edit("other.txt", "one more commit\n")
    laptop.committed()
    laptop.edit("more.txt", "and one more\n")
    laptop.committed()
    clash(world, "laptop\n", "desktop\n")
    assert laptop.read(taken + inside) == b"mine\n"
    assert laptop.read(f"f.sync-conflict-desktop-{blob}-1.txt") == b"desktop\n"
    desktop.sync()
    assert desktop.files() == laptop.files()


def test_a_second_conflict_of_the_same_file_makes_a_second_copy(world: World) -> None:
    laptop, desktop = world.share({"f.txt": "base\n"})
    clash(world, "laptop\n", "desktop\n")
    desktop.sync()
    clash(world, "laptop again\n", "desktop again\n")
    desktop.sync()
    files = laptop.files()
    assert len(files) == 3
    for content in ("laptop", "desktop"):
        assert laptop.history_has(content + "\n")
        assert is_kept(content + " again\n", files)
    assert files == desktop.files()


def test_a_version_that_goes_on_after_it_gave_way_has_one_copy(
    world: World, tmp_path: Path
) -> None:
    """The desktop edits its version once more, and has not heard yet that it lies beside."""
    laptop, desktop = world.share({"f.txt": "base\n"})
    laptop.edit("other.txt", "one more commit\n")
    laptop.committed()
    for clone in (laptop, desktop):
        clone.edit("f.txt", f"{clone.root.name}\n")
        clone.committed()
    desktop.sync()
    laptop.sync(push=False)
    (copy,) = (name for name in laptop.files() if b"sync-conflict" in name)
    desktop.edit("f.txt", "desktop again\n")
    desktop.committed()
    other = world.copy(tmp_path / "other")
    settle(laptop, desktop)
    settle(other.clones["desktop"], other.clones["laptop"])
    assert laptop.files() == desktop.files() == other.clones["laptop"].files()
    assert copy not in laptop.files()
    assert set(laptop.files().values()) == {b"laptop\n", b"desktop again\n", b"one more commit\n"}
    assert laptop.history_has("desktop\n")


def test_a_conflict_of_a_conflict_copy_does_not_grow_another_mark(world: World) -> None:
    laptop, desktop = world.share({"f.txt": "base\n"})
    clash(world, "laptop\n", "desktop\n")
    desktop.sync()
    (copy,) = (name for name in laptop.files() if b"sync-conflict" in name)
    clash(world, "laptop again\n", "desktop again\n", name=os.fsdecode(copy))
    assert all(name.count(b"sync-conflict") <= 1 for name in laptop.files())
    assert is_kept("laptop again\n", laptop.files())
    assert is_kept("desktop again\n", laptop.files())


def test_edits_of_different_lines_merge_without_a_copy(world: World) -> None:
    laptop, _ = world.share({"f.txt": LINES})
    outcome = clash(world, "first\n" + LINES, LINES + "last\n")
    assert outcome.conflicts == ()
    assert laptop.read("f.txt") == f"first\n{LINES}last\n".encode()


def test_the_same_edit_on_both_machines_is_no_conflict(world: World) -> None:
    laptop, _ = world.share({"f.txt": "base\n"})
    assert clash(world, "same\n", "same\n").conflicts == ()
    assert laptop.files() == {b"f.txt": b"same\n"}


def test_what_is_taken_back_after_merges_to_and_fro_stays_so(world: World, tmp_path: Path) -> None:
    """Two commits are where the sides have parted: of each file one of them has what the other changed.
    A rename meets a rename besides, so that git would put markers into a blob."""
    p, q = LINES, OTHER
    laptop, desktop = world.share({"x": "0\n", "y": "0\n", "p": p, "q": q})
    for clone, name in ((laptop, "x"), (desktop, "y")):
        clone.edit(name, "1\n")
        clone.committed()
    first = desktop.git("rev-parse", "HEAD")
    desktop.git("fetch", "-q", "../laptop", "main")
    desktop.git("merge", "-q", "FETCH_HEAD")
    laptop.git("fetch", "-q", "../desktop", first)
    laptop.git("merge", "-q", "FETCH_HEAD")
    laptop.edit("x", "0\n")
    laptop.move("p", "r")
    laptop.edit("q", q.replace("other 3\n", "edited on the laptop\n"))
    desktop.edit("y", "0\n")
    desktop.move("q", "r")
    desktop.edit("p", p.replace("line 15\n", "edited on the desktop\n"))
    for clone in (laptop, desktop):
        clone.committed()
    other = world.copy(tmp_path / "other").clones
    for clones in ((laptop, desktop), (other["desktop"], other["laptop"])):
        settle(*clones)
        for clone in clones:
            assert clone.read("x") == clone.read("y") == b"0\n"
    assert laptop.files() == other["laptop"].files()


def test_three_machines_end_with_the_same(world: World) -> None:
    clones = world.share({"f.txt": "base\n"}, "laptop", "desktop", "phone")
    for clone in clones:
        clone.edit("f.txt", f"{clone.root.name}\n")
        clone.committed()
    settle(*clones)
    for clone in clones:
        clone.is_clean()
        assert clone.files() == clones[0].files()
        for other in clones:
            assert is_kept(f"{other.root.name}\n", clone.files())


@pytest.mark.parametrize(
    "setting",
    [
        "merge.renameLimit=1",
        "diff.renames=false",
        "merge.renames=false",
        "merge.directoryRenames=false",
        "merge.conflictStyle=diff3",
        "diff.algorithm=patience",
        "merge.renormalize=true",
        "core.attributesFile=../attributes",
        "trailer.separators==",
        "i18n.logOutputEncoding=utf-16",
        "log.showSignature=true",
        "merge.default=union",
    ],
)
def test_a_merge_does_not_depend_on_a_persons_settings(
    world: World, tmp_path: Path, setting: str
) -> None:
    base = {f"old/{n}.txt": f"{n}\n" + LINES for n in range(4)}
    laptop, desktop = world.share(base)
    (world.folder / "attributes").write_text("*.txt merge=union\n")
    laptop.move("old", "new")
    for n in range(4):
        laptop.edit(f"new/{n}.txt", f"{n}\n{LINES}laptop\n")
        desktop.edit(f"old/{n}.txt", f"{n}\ndesktop\n{LINES}")
    desktop.edit("old/3.txt", f"3\n{LINES}desktop\n")
    desktop.edit("old/added.txt", DESKTOP)
    for clone in (laptop, desktop):
        clone.commit(allowed=frozenset({"mass-modification"}))
    desktop.sync()
    other = world.copy(tmp_path / "other")
    other.clones["laptop"].git("config", *setting.split("="))
    trees = set()
    for one in (world, other):
        assert isinstance(one.clones["laptop"].sync(), Synced)
        trees.add(one.clones["laptop"].tree())
    assert len(trees) == 1


DRIVER = "echo '<<<<<<< made up' >%A; true"
ATTRIBUTES = {
    "in the work tree": (".gitattributes", "*.txt merge=union\n"),
    "in git's own folder": (".git/info/attributes", "*.txt merge=union\n"),
    "a driver": (".git/info/attributes", "*.txt merge=mine\n"),
}


@pytest.mark.parametrize("where", ATTRIBUTES)
def test_a_merge_does_not_depend_on_attributes_of_one_machine(
    world: World, tmp_path: Path, where: str
) -> None:
    laptop, desktop = world.share({"f.txt": "base\n"})
    laptop.edit("f.txt", "laptop\n")
    laptop.committed()
    desktop.edit("f.txt", "desktop\n")
    desktop.committed()
    desktop.sync()
    other = world.copy(tmp_path / "other").clones["laptop"]
    other.git("config", "merge.mine.driver", DRIVER)
    other.edit(*ATTRIBUTES[where])
    for clone in (laptop, other):
        assert isinstance(clone.sync(), Synced)
    assert laptop.tree() == other.tree()
    assert laptop.read("f.txt") in (b"laptop\n", b"desktop\n")


def test_a_merge_goes_by_attributes_that_both_sides_have(world: World, tmp_path: Path) -> None:
    """Whoever merges: `merge=union` is built into git."""
    laptop, desktop = world.share({"log.txt": "base\n", ".gitattributes": "*.txt merge=union\n"})
    laptop.edit("log.txt", "base\nlaptop\n")
    laptop.committed()
    desktop.edit("log.txt", "base\ndesktop\n")
    desktop.committed()
    other = world.copy(tmp_path / "other")
    for first, second in ((laptop, desktop), (other.clones["desktop"], other.clones["laptop"])):
        first.sync()
        assert second.sync().conflicts == ()  # type: ignore[union-attr]
        assert set(second.read("log.txt").split()) == {b"base", b"laptop", b"desktop"}
    assert desktop.tree() == other.clones["laptop"].tree()


@pytest.mark.parametrize("sides", [("union", None), ("union", "binary")])
def test_attributes_that_the_sides_have_not_in_common_have_no_say(
    world: World, tmp_path: Path, sides: tuple[str, str | None]
) -> None:
    clones = world.share({"f.txt": "base\n"})
    for clone, attribute in zip(clones, sides, strict=True):
        clone.edit("f.txt", f"{clone.root.name}\n")
        if attribute:
            clone.edit(".gitattributes", f"*.txt merge={attribute}\n")
        clone.committed()
    other = world.copy(tmp_path / "other").clones
    trees = set()
    for first, second in (clones, (other["desktop"], other["laptop"])):
        first.sync()
        outcome = second.sync()
        assert isinstance(outcome, Synced)
        assert b"f.txt" in outcome.conflicts
        trees.add(second.tree())
    assert len(trees) == 1


@pytest.mark.parametrize("by_path", [False, True], ids=["by git", "by path"])
@pytest.mark.parametrize("base", ["*.o\n", None], ids=["edited", "new"])
def test_rules_that_both_have_added_hold_both(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base: str | None,
    *,
    by_path: bool,
) -> None:
    """One that gave way to a conflict copy would hold no longer: what it keeps private would be
    committed next, and a filter that encrypts would not run any more."""
    if by_path:
        monkeypatch.setattr(merge, "merge_by_git", lambda *_: None)
    names = (".gitignore", "below/.gitattributes")
    laptop, desktop = world.share({"a.txt": "one\n"} | ({name: base for name in names if base}))
    for clone in (laptop, desktop):
        for name in names:
            clone.edit(name, f"{base or ''}{clone.root.name}.txt\n")
        clone.edit(f"{clone.root.name}.txt", f"private to {clone.root.name}\n")
        clone.committed()
    other = world.copy(tmp_path / "other").clones
    for first, second in ((laptop, desktop), (other["desktop"], other["laptop"])):
        for clone in (first, second, first):
            outcome = clone.sync()
            assert isinstance(outcome, Synced)
            assert outcome.conflicts == ()
        for clone in (first, second):
            clone.has_nothing_to_commit()
            for name in names:
                assert {b"laptop.txt", b"desktop.txt"} <= set(clone.read(name).split())
    assert desktop.tree() == other["laptop"].tree()


def test_a_merge_that_was_killed_is_no_obstacle(world: World) -> None:
    laptop, _ = world.share({"f.txt": "base\n"})
    locks = [f"{name}.lock" for name in OWN_INDEXES]
    for name in (*locks, "lock.new", "memory.json.new", "excludes.new"):
        laptop.edit(f".git/autosync/{name}", "")
    laptop.reopen()
    assert clash(world, "laptop\n", "desktop\n").conflicts == (b"f.txt",)
    laptop.is_clean()


# the name of what gives way


def always(name: bytes) -> bool:
    return True


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"a.sync-conflict-other-89abcdef", b"a.sync-conflict-h-01234567"),
        (b"a.sync-conflict-x-1.sync-conflict-y-2", b"a.sync-conflict-h-01234567"),
        (b"a.d/b.sync-conflict-x-89abcdef-1", b"a.d/b.sync-conflict-h-01234567"),
        (b"a.txt", b"a.sync-conflict-h-01234567.txt"),
        (b"folder/a.txt", b"folder/a.sync-conflict-h-01234567.txt"),
        (b"folder.d/a", b"folder.d/a.sync-conflict-h-01234567"),
        (b"a.tar.gz", b"a.tar.sync-conflict-h-01234567.gz"),
        (b".bashrc", b".bashrc.sync-conflict-h-01234567"),
        (b"a.", b"a.sync-conflict-h-01234567."),
        (b"a." + b"e" * 40, b"a." + b"e" * 40 + b".sync-conflict-h-01234567"),
        (b"a.sync-conflict-other-89abcdef.txt", b"a.sync-conflict-h-01234567.txt"),
    ],
)
def test_a_conflict_name_keeps_folder_and_extension(path: bytes, expected: bytes) -> None:
    assert conflict_name(path, b"h", b"0123456789", always) == expected


def test_a_name_that_is_taken_gets_a_number() -> None:
    taken = {b"a.sync-conflict-h-01234567.txt", b"a.sync-conflict-h-01234567-1.txt"}
    name = conflict_name(b"a.txt", b"h", b"0123456789", lambda name: name not in taken)
    assert name == b"a.sync-conflict-h-01234567-2.txt"


component = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@given(
    name=component, host=st.binary(max_size=80), oid=st.from_regex(rb"[0-9a-f]{40}", fullmatch=True)
)
def test_any_name_has_a_conflict_name_that_fits(name: bytes, host: bytes, oid: bytes) -> None:
    found = conflict_name(b"folder/" + name, host_slug(host), oid, always)
    folder, slash, last = found.partition(b"/")
    assert (folder, slash) == (b"folder", b"/")
    assert b"/" not in last
    assert last != name
    assert 0 < len(last) <= 255


@given(
    name=component,
    host=st.binary(max_size=80),
    oid=st.from_regex(rb"[0-9a-f]{40}", fullmatch=True),
    number=st.integers(0, 12),
)
def test_a_conflict_name_is_known_again(name: bytes, host: bytes, oid: bytes, number: int) -> None:
    path, tries = b"folder/" + name, iter(range(number + 1))
    found = conflict_name(path, host_slug(host), oid, lambda name: next(tries) == number)
    assert is_conflict_name(found, path, oid)
    assert not is_conflict_name(found, name, oid)


@given(st.text(min_size=1, max_size=300))
def test_a_utf8_name_stays_utf8(text: str) -> None:
    name = text.replace("/", "").replace("\0", "").encode("utf-8", "ignore")[:255]
    name = name.decode("utf-8", "ignore").encode()
    assume(name)
    conflict_name(name, b"host", b"0" * 40, always).decode()


@given(st.binary())
def test_a_host_is_a_safe_part_of_a_name(host: bytes) -> None:
    slug = host_slug(host)
    assert 0 < len(slug) <= 32
    assert all(chr(byte).isalnum() or byte in b"-_" for byte in slug)
