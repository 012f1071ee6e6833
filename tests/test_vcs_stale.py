"""A save from a buffer that is older than what came in, and everything that only looks like one."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from autosyncd import clock
from autosyncd.vcs.changes import Scope
from autosyncd.vcs.git.updating import arrivals
from autosyncd.vcs.git.updating.overwritten import AS_MERGE_COMPARES
from autosyncd.vcs.git.updating.stale import (
    IN_ALL,
    PER_PATH,
    SET_ASIDE_MOST,
    WITHIN,
    Arrival,
    Hunk,
    Ledger,
    MergedSave,
    bases,
    encode,
    hunks,
    parse,
    remember,
    undoes,
)
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Ready, Synced
from tests.trees import Clone, World, make_world

NOW = 1_700_000_000.0


def oid(letter: str) -> bytes:
    return letter.encode() * 40


def arrival(old: str, new: str, when: float = NOW, path: bytes = b"f") -> Arrival:
    return Arrival(path, oid(old), oid(new), "c" * 40, when)


# the decision


@pytest.mark.parametrize(
    ("incoming", "own", "verdict"),
    [
        pytest.param([(0, 1)], [(7, 8)], True, id="other lines"),
        pytest.param([(0, 1)], [(2, 3)], True, id="one line in between"),
        pytest.param([(0, 1), (4, 5)], [(2, 3)], True, id="between two"),
        pytest.param([(0, 1)], [(1, 2)], False, id="the next line: git calls it a conflict"),
        pytest.param([(3, 5)], [(4, 6)], False, id="a part of the incoming lines"),
        pytest.param([(3, 5)], [(3, 5)], False, id="the same lines: perhaps the same edit"),
        pytest.param([(0, 1), (4, 5)], [(0, 1), (8, 9)], False, id="one undone, one kept"),
        pytest.param([(5, 5)], [(5, 5)], False, id="both add at the end"),
        pytest.param([(5, 5)], [(2, 2)], True, id="both add, elsewhere"),
        pytest.param([(2, 4)], [(6, 6)], True, id="lines deleted there, added here"),
        pytest.param([(0, 1)], [], False, id="an older version byte for byte"),
        pytest.param([], [(0, 1)], False, id="nothing that has lines came in"),
    ],
)
def test_what_undoes_an_incoming_edit(
    incoming: list[tuple[int, int]], own: list[tuple[int, int]], *, verdict: bool
) -> None:
    assert undoes([Hunk(*one) for one in incoming], [Hunk(*one) for one in own]) is verdict


@pytest.mark.parametrize(
    ("diff", "found"),
    [
        (b"@@ -1 +1 @@\n-a\n+b\n", [Hunk(0, 1)]),
        (b"@@ -3,2 +3,0 @@ def f():\n-a\n-b\n", [Hunk(2, 4)]),
        (b"@@ -5,0 +6,2 @@\n+@@ -1 +1 @@\n+b\n", [Hunk(5, 5)]),
        (b"@@ -0,0 +1 @@\n+a\n@@ -9 +10 @@\n-a\n+b\n", [Hunk(0, 0), Hunk(8, 9)]),
        (b"Binary files a/1 and b/2 differ\n", []),
        (b"", []),
    ],
)
def test_hunks_are_read_from_a_diff(diff: bytes, found: list[Hunk]) -> None:
    assert hunks(diff) == tuple(found)


LINES = some.lists(some.sampled_from(["a", "b", "c", "", "d"]), max_size=12)


@settings(max_examples=60, deadline=None)
@given(base=LINES, new=LINES, saved=LINES)
@example(base=["a", "a"], new=["a"], saved=["a", "", "a", "a"])
def test_what_is_said_to_go_together_is_merged_by_git_without_a_conflict(
    tmp_path_factory: pytest.TempPathFactory, base: list[str], new: list[str], saved: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("merge")
    for name, lines in (("base", base), ("new", new), ("saved", saved)):
        (folder / name).write_text("".join(line + "\n" for line in lines))

    def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)

    incoming, own = (
        hunks(git("diff", "--no-index", *AS_MERGE_COMPARES, "base", name).stdout)
        for name in ("new", "saved")
    )
    if undoes(incoming, own):
        merged = git("merge-file", "-p", "saved", "base", "new")
        assert merged.returncode == 0
        assert merged.stdout not in ((folder / "saved").read_bytes(), (folder / "new").read_bytes())


@pytest.mark.parametrize(
    ("ledger", "current", "saved", "found"),
    [
        pytest.param([arrival("0", "1")], "1", "5", ["0"], id="one arrival"),
        pytest.param([arrival("0", "1")], "1", "0", [], id="the older version again"),
        pytest.param([arrival("0", "1")], "1", "1", [], id="nothing was saved"),
        pytest.param([arrival("0", "1")], "2", "5", [], id="edited since"),
        pytest.param([], "1", "5", [], id="nothing came in"),
        pytest.param(
            [arrival("0", "1"), arrival("1", "2")], "2", "5", ["0", "1"], id="two: the oldest first"
        ),
        pytest.param(
            [arrival("0", "1"), arrival("1", "2")], "2", "0", [], id="the oldest of two again"
        ),
        pytest.param(
            [arrival("0", "1"), arrival("1", "2")], "2", "1", [], id="the one in between again"
        ),
        pytest.param(
            [arrival("0", "1", NOW - WITHIN - 1)], "1", "5", [], id="more than an hour ago"
        ),
        pytest.param(
            [arrival("0", "1", NOW - WITHIN)], "1", "5", ["0"], id="an hour ago to the second"
        ),
        pytest.param(
            [arrival("0", "1", NOW + 60)], "1", "5", ["0"], id="the clock was set back a minute"
        ),
        pytest.param([arrival("0", "1", NOW + 9e9)], "1", "5", [], id="the clock is mad"),
        pytest.param(
            [arrival("0", "1", NOW - WITHIN - 1), arrival("1", "2")],
            "2",
            "5",
            ["1"],
            id="one is too long ago",
        ),
        pytest.param([arrival("0", "1", path=b"other")], "1", "5", [], id="another file"),
    ],
)
def test_from_which_versions_a_save_may_be(
    ledger: list[Arrival], current: str, saved: str, found: list[str]
) -> None:
    said = bases(Ledger(tuple(ledger)), b"f", current=oid(current), saved=oid(saved), now=NOW)
    assert [one.old for one in said] == [oid(letter) for letter in found]


def test_a_file_that_is_saved_so_again_and_again_is_left_to_whoever_does_it() -> None:
    ledger = Ledger((arrival("0", "1"),), (MergedSave(b"f", NOW),) * SET_ASIDE_MOST)
    assert not bases(ledger, b"f", current=oid("1"), saved=oid("5"), now=NOW)
    fewer = replace(ledger, asides=ledger.asides[1:])
    assert bases(fewer, b"f", current=oid("1"), saved=oid("5"), now=NOW)
    assert bases(ledger, b"f", current=oid("1"), saved=oid("5"), now=NOW + WITHIN / 2 + 1) == ()


def test_the_ledger_stays_small_and_keeps_the_oldest_version_of_each_file() -> None:
    many = [arrival("0", "1", NOW + number, b"%d" % (number % 3)) for number in range(3 * PER_PATH)]
    ledger = remember(Ledger(), [*many, arrival("1", "2", NOW + 200, b"0")], NOW + 200)
    mine = [one for one in ledger.arrivals if one.path == b"0"]
    assert len(mine) == PER_PATH
    assert (mine[0].when, mine[1].when, mine[-1].new) == (NOW, NOW + 6, oid("2"))
    wide = [arrival("0", "1", NOW, b"%d" % number) for number in range(IN_ALL + 5)]
    assert len(remember(ledger, wide, NOW).arrivals) == IN_ALL
    assert remember(ledger, [], NOW + 9999) == Ledger()


TIMES = some.floats(min_value=0, max_value=4e9)
IDS = some.sampled_from(["0", "7", "f"])


@given(
    rows=some.lists(some.tuples(some.binary(min_size=1), IDS, IDS, TIMES)),
    counted=some.lists(some.tuples(some.binary(min_size=1), TIMES)),
    cut=some.integers(min_value=0, max_value=400),
)
def test_what_is_written_is_read_again_however_it_is_torn(
    rows: list[tuple[bytes, str, str, float]], counted: list[tuple[bytes, float]], cut: int
) -> None:
    ledger = Ledger(
        tuple(arrival(old, new, when, path) for path, old, new, when in rows),
        tuple(MergedSave(*one) for one in counted),
    )
    whole = encode(ledger)
    assert parse(whole) == ledger
    torn = parse(whole[:cut])
    assert torn.arrivals == ledger.arrivals[: len(torn.arrivals)]
    assert torn.asides == ledger.asides[: len(torn.asides)]


@given(some.binary())
def test_any_bytes_are_a_ledger(text: bytes) -> None:
    assert isinstance(parse(text), Ledger)


# with git, on two machines

OLD = "".join(f"line {number}\n" for number in range(10))
THEIRS = OLD.replace("line 1\n", "line 1, by the laptop\n")


def edited(text: str, number: int, by: str = "by the desktop") -> str:
    """`text` with one of its lines edited."""
    return text.replace(f"line {number}\n", f"line {number}, {by}\n")


class Wall:
    """The clock on the wall, as it can be set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    wall = Wall()
    monkeypatch.setattr(clock, "wall", wall)
    return wall


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wall: Wall) -> World:
    return make_world(tmp_path, monkeypatch)


@pytest.fixture
def machines(world: World) -> tuple[Clone, Clone]:
    """The laptop's edit of f has arrived on the desktop."""
    laptop, desktop = world.share({"f": OLD, "other": "1\n"})
    arrives(laptop, desktop, THEIRS)
    return laptop, desktop


def arrives(laptop: Clone, desktop: Clone, content: str | bytes) -> None:
    laptop.edit("f", content)
    laptop.committed()
    assert isinstance(laptop.sync(), Synced)
    assert isinstance(desktop.sync(), Synced)
    assert desktop.read("f") == laptop.read("f")


def stale(outcome: object) -> list[bytes]:
    """What a commit has set aside."""
    assert isinstance(outcome, CommitMade | NothingToCommit), outcome
    return [one.path for one in outcome.left_out if one.kind == "stale"]


def rests(*clones: Clone, content: str | bytes) -> None:
    """All agree, with this content; nothing is left to be done."""
    for clone in (*clones, *clones):
        assert isinstance(clone.sync(), Synced)
    for clone in clones:
        assert clone.read("f") == (content if isinstance(content, bytes) else content.encode())
        clone.has_nothing_to_commit()
        clone.is_clean()
    assert len({clone.tree() for clone in clones}) == 1
    assert len({clone.git("rev-parse", "HEAD") for clone in clones}) == 1
    assert clones[0].git("for-each-ref", "refs/autosync/side") == ""


def test_both_edits_are_there_in_the_end_and_it_is_told(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))
    made = desktop.commit("f")
    assert isinstance(made, CommitMade)  # so that it is synced soon
    assert stale(made) == [b"f"]
    assert (made.files, made.subject) == (1, "notes: edit of the version before an incoming change")
    assert desktop.git("show", "-s", "--format=%s", made.head.commit) == made.subject
    assert desktop.git("show", f"{made.head.commit}:f") + "\n" == edited(OLD, 8)
    synced = desktop.sync(fetch=False)
    assert isinstance(synced, Synced)
    assert synced.pushed
    assert desktop.read("f") == edited(THEIRS, 8).encode()
    rests(desktop, laptop, content=edited(THEIRS, 8))
    assert desktop.history_has(edited(OLD, 8))


def test_other_edits_of_the_same_commit_are_taken_as_ever(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))
    desktop.edit("other", "2\n")
    made = desktop.commit()
    assert isinstance(made, CommitMade)
    assert (made.files, stale(made)) == (1, [b"f"])
    assert desktop.git("show", "HEAD:other") == "2"
    assert desktop.git("show", "HEAD:f") + "\n" == THEIRS
    rests(desktop, laptop, content=edited(THEIRS, 8))


def test_it_stays_where_it_was_saved_while_the_remote_is_away(
    machines: tuple[Clone, Clone],
) -> None:
    """A look at held files alone, as after a restart, merges it without the remote."""
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == [b"f"]
    synced = desktop.sync(local=True)
    assert isinstance(synced, Synced)
    assert synced.ahead
    assert desktop.read("f") == edited(THEIRS, 8).encode()
    rests(desktop, laptop, content=edited(THEIRS, 8))


def test_a_save_by_renaming(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    desktop.edit(".f.swp", edited(OLD, 8))
    desktop.move(".f.swp", "f")
    assert stale(desktop.commit(".f.swp", "f")) == [b"f"]
    rests(desktop, laptop, content=edited(THEIRS, 8))


def test_a_second_stale_save_before_the_first_was_merged(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == [b"f"]
    desktop.edit("f", edited(edited(OLD, 8, "once more"), 5))
    desktop.commit("f")
    rests(desktop, laptop, content=edited(edited(THEIRS, 8, "once more"), 5))
    assert desktop.tracked() == {b"f", b"other"}  # no conflict of the two


def test_a_second_stale_save_after_the_first_was_merged(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))
    desktop.commit("f")
    desktop.sync()
    desktop.edit("f", edited(edited(OLD, 8), 5))
    assert stale(desktop.commit("f")) == [b"f"]
    rests(desktop, laptop, content=edited(edited(THEIRS, 8), 5))


def test_who_undoes_it_once_more_means_it(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))
    desktop.commit("f")
    desktop.sync()
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8))
    assert desktop.history_has(edited(THEIRS, 8))


def test_a_program_that_always_writes_its_own_version_wins_in_the_end(
    machines: tuple[Clone, Clone],
) -> None:
    laptop, desktop = machines
    merged = []
    for number in range(SET_ASIDE_MOST + 1):
        desktop.edit("f", edited(OLD, 8, f"at {number}"))
        merged.append(bool(stale(desktop.commit("f"))))
        desktop.sync()
    assert merged == [True] * SET_ASIDE_MOST + [False]
    rests(desktop, laptop, content=edited(OLD, 8, f"at {SET_ASIDE_MOST}"))


@pytest.mark.parametrize(
    "saved",
    [
        pytest.param(OLD, id="undone: the version before, byte for byte"),
        pytest.param(edited(THEIRS, 8), id="an ordinary edit"),
        pytest.param(OLD.replace("line 1\n", "line 1, by both\n"), id="the same line edited"),
        pytest.param(edited(OLD, 2), id="the line beside it edited"),
        pytest.param("", id="emptied"),
        pytest.param(edited(OLD, 8).encode() + b"\0", id="binary"),
    ],
)
def test_what_is_taken_as_it_is(machines: tuple[Clone, Clone], saved: str | bytes) -> None:
    laptop, desktop = machines
    desktop.edit("f", saved)
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=saved)
    assert desktop.history_has(THEIRS)


def test_one_of_two_incoming_hunks_undone_is_deliberate(world: World) -> None:
    laptop, desktop = world.share({"f": OLD})
    arrives(laptop, desktop, edited(edited(OLD, 1, "x"), 5, "x"))
    saved = edited(edited(OLD, 5, "x"), 8)
    desktop.edit("f", saved)
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=saved)


def test_after_an_hour_it_is_an_edit_like_any(machines: tuple[Clone, Clone], wall: Wall) -> None:
    laptop, desktop = machines
    wall.now += WITHIN + 1
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8))


def test_a_file_that_was_edited_here_since_did_not_just_come_in(
    machines: tuple[Clone, Clone],
) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(THEIRS, 5))
    desktop.committed("f")
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8))


@pytest.mark.parametrize(
    "revert",
    [
        ("restore", "--source=HEAD~1", "f"),
        ("checkout", "HEAD~1", "--", "f"),
        ("revert", "--no-edit", "HEAD"),
        ("reset", "-q", "HEAD~1", "--", "f"),
    ],
    ids=lambda words: words[0],
)
def test_a_revert_by_the_persons_git_is_left_alone(
    machines: tuple[Clone, Clone], revert: tuple[str, ...]
) -> None:
    laptop, desktop = machines
    desktop.git(*revert)
    if revert[0] == "reset":
        desktop.edit("f", edited(OLD, 8))  # on top of what is staged
    kept = desktop.read("f")
    assert stale(desktop.commit("f", ignore_staged=True)) == []
    rests(desktop, laptop, content=kept)


def test_a_version_of_long_ago_is_left_alone(world: World, wall: Wall) -> None:
    laptop, desktop = world.share({"f": edited(OLD, 8, "long ago")})
    arrives(laptop, desktop, OLD)
    wall.now += WITHIN + 1
    arrives(laptop, desktop, THEIRS)
    desktop.git("restore", "--source=HEAD~2", "f")
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8, "long ago"))


def test_a_history_that_was_begun_anew_is_not_tied_to_the_old_one(
    machines: tuple[Clone, Clone],
) -> None:
    _, desktop = machines
    desktop.git("checkout", "-q", "--orphan", "anew")
    desktop.git("commit", "-qm", "Anew")
    desktop.git("branch", "-M", "main")
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    assert desktop.commits() == 2


@pytest.mark.parametrize("newer", [False, True], ids=["from before both", "from between them"])
def test_two_updates_in_a_row(machines: tuple[Clone, Clone], *, newer: bool) -> None:
    laptop, desktop = machines
    last = edited(THEIRS, 5, "by the laptop")
    arrives(laptop, desktop, last)
    desktop.edit("f", edited(THEIRS if newer else OLD, 8))
    assert stale(desktop.commit("f")) == [b"f"]
    rests(desktop, laptop, content=edited(last, 8))


def test_a_stale_save_that_meets_the_next_update(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    laptop.edit("f", edited(THEIRS, 5, "by the laptop"))
    laptop.committed()
    laptop.sync()
    desktop.edit("f", edited(OLD, 8))
    synced = desktop.sync(pending=Scope(frozenset({b"f"})))
    assert isinstance(synced, Synced)
    assert synced.ahead
    rests(desktop, laptop, content=edited(edited(THEIRS, 5, "by the laptop"), 8))


def test_a_file_deleted_there_and_saved_here_is_there_again(world: World) -> None:
    laptop, desktop = world.share({"f": OLD, "other": "1\n"})
    laptop.delete("f")
    laptop.committed()
    laptop.sync()
    desktop.sync()
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8))


def test_a_file_renamed_there_and_saved_here_is_there_under_both_names(world: World) -> None:
    laptop, desktop = world.share({"f": OLD, "other": "1\n"})
    laptop.move("f", "g")
    laptop.committed()
    laptop.sync()
    desktop.sync()
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8))
    assert desktop.read("g") == OLD.encode()


@pytest.mark.parametrize("mark", ["--assume-unchanged", "--skip-worktree"])
def test_a_file_that_was_put_aside_meanwhile_stays_private(
    machines: tuple[Clone, Clone], mark: str
) -> None:
    _, desktop = machines
    desktop.git("update-index", mark, "f")
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit()) == []
    assert not desktop.history_has(edited(OLD, 8))


def test_line_ends_of_the_work_tree(world: World) -> None:
    laptop, desktop = world.share({"f": OLD, ".gitattributes": "f text eol=crlf\n"})
    arrives(laptop, desktop, THEIRS.replace("\n", "\r\n"))
    desktop.edit("f", edited(OLD, 8).replace("\n", "\r\n"))
    assert stale(desktop.commit("f")) == [b"f"]
    rests(desktop, laptop, content=edited(THEIRS, 8).replace("\n", "\r\n"))


@pytest.mark.parametrize(
    "name", [b"a folder/f", b"\xff f", b"-f", b":(top)f", b"*", b"with\nnewline"]
)
def test_names_of_any_bytes(world: World, name: bytes) -> None:
    laptop, desktop = world.share({os.fsdecode(name): OLD, "other": "1\n"})
    laptop.edit(name, THEIRS)
    laptop.committed()
    laptop.sync()
    desktop.sync()
    desktop.edit(name, edited(OLD, 8))
    assert stale(desktop.commit(os.path.dirname(name) or name)) == [name]
    desktop.sync()
    assert desktop.read(name) == edited(THEIRS, 8).encode()


def test_a_link_and_a_folder_in_its_place_are_no_saves(machines: tuple[Clone, Clone]) -> None:
    _, desktop = machines
    desktop.delete("f")
    desktop.link("f", "other")
    assert stale(desktop.commit("f")) == []
    desktop.delete("f")
    desktop.edit("f/g", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    opened = {os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}
    assert str(desktop.root / "f") not in opened


def test_a_record_that_can_not_be_read_costs_only_the_merge(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    file = desktop.root / ".git/autosync/arrivals"
    file.write_bytes(file.read_bytes()[:-1])
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8))


def test_a_record_that_lies_is_not_believed(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    file = desktop.root / ".git/autosync/arrivals"
    ledger = parse(file.read_bytes())
    lies = [replace(one, commit=desktop.git("rev-parse", "HEAD")) for one in ledger.arrivals]
    file.write_bytes(encode(Ledger(tuple(lies))))
    desktop.edit("f", edited(OLD, 8))
    assert stale(desktop.commit("f")) == []
    rests(desktop, laptop, content=edited(OLD, 8))


@pytest.mark.parametrize("until", ["ownrefs.keep_side", "held.record"])
def test_killed_while_it_is_set_aside(
    machines: tuple[Clone, Clone], monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))

    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"autosyncd.vcs.git.{until}", kill)
        with pytest.raises(KeyboardInterrupt):
            desktop.commit("f")
    assert isinstance(desktop.reopen(), Ready)
    desktop.commit()
    rests(desktop, laptop, content=edited(THEIRS, 8))


def test_both_machines_at_once(machines: tuple[Clone, Clone]) -> None:
    laptop, desktop = machines
    desktop.edit("f", edited(OLD, 8))
    laptop.edit("f", edited(THEIRS, 5, "by the laptop"))
    desktop.commit("f")
    laptop.commit("f")
    rests(desktop, laptop, content=edited(edited(THEIRS, 8), 5, "by the laptop"))


def test_what_came_in_is_on_record_and_small(machines: tuple[Clone, Clone]) -> None:
    _, desktop = machines
    repository = desktop.driver._opened.repository  # type: ignore[union-attr]
    (one,) = arrivals.read(repository).arrivals
    assert (one.path, one.when) == (b"f", NOW)
    assert desktop.git("cat-file", "blob", one.old.decode()) + "\n" == OLD
    assert desktop.git("cat-file", "blob", one.new.decode()) + "\n" == THEIRS
    assert desktop.git("rev-parse", f"{one.commit}:f") == one.old.decode()
