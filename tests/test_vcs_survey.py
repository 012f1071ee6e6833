"""What git's status says, and what of it goes into a commit."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED, PATHS_WORTH_NAMING, Scope
from autosyncd.vcs.git.committing.filefacts import FileFacts
from autosyncd.vcs.git.committing.survey import Difference, Plan, parse_status, plan
from autosyncd.vcs.outcomes import LeftOut

OID = b"1" * 40


def changed(xy: bytes, path: bytes, sub: bytes = b"N...") -> bytes:
    return b" ".join((b"1", xy, sub, b"100644", b"100644", b"100644", OID, OID, path))


def test_changed_and_untracked_paths_are_found() -> None:
    records = [changed(b".M", b"a b.txt"), changed(b".D", b"gone"), b"? new\nline", b"? nested/"]
    assert list(parse_status(records)) == [
        Difference(b"a b.txt", untracked=False),
        Difference(b"gone", untracked=False, deleted=True),
        Difference(b"new\nline", untracked=True),
        Difference(b"nested/", untracked=True),
    ]


def test_what_is_only_staged_does_not_differ_from_the_index() -> None:
    assert list(parse_status([changed(b"M.", b"staged")])) == []


def test_intent_to_add_differs() -> None:
    assert list(parse_status([changed(b".A", b"new")])) == [Difference(b"new", untracked=False)]


def test_headers_and_ignored_records_are_passed_over() -> None:
    assert list(parse_status([b"# branch.oid x", b"! ignored"])) == []


def test_an_unmerged_record_is_known_as_one() -> None:
    unmerged = b"u UU N... 100644 100644 100644 100644 " + b" ".join([OID] * 3) + b" a b"
    (found,) = parse_status([unmerged])
    assert (found.path, found.unmerged) == (b"a b", True)


def test_a_submodule_is_known_as_one() -> None:
    (found,) = parse_status([changed(b".M", b"lib", b"SC..")])
    assert found.submodule


@given(st.lists(st.binary(min_size=1).filter(lambda path: b"\0" not in path)))
def test_any_path_survives(paths: list[bytes]) -> None:
    records = [b"? " + path for path in paths] + [changed(b".M", path) for path in paths]
    assert [found.path for found in parse_status(records)] == paths * 2


def planned(facts: Mapping[bytes, FileFacts], *found: Difference, large_file: int = 100) -> Plan:
    return plan(found, lambda path: facts[path], large_file=large_file)


def test_new_files_are_taken_and_measured() -> None:
    found = planned(
        {b"a": FileFacts("file", 10), b"b": FileFacts("file", 20), b"c": FileFacts("link", 3)},
        Difference(b"a", untracked=True),
        Difference(b"b", untracked=False),
        Difference(b"c", untracked=True),
    )
    assert found == Plan((b"a", b"b", b"c"), (), (), (b"a", b"c"), 13)


def test_deleted_files_are_gone_and_vanished_new_ones_are_nothing() -> None:
    found = planned(
        {b"vanished": FileFacts("none")},
        Difference(b"deleted", untracked=False, deleted=True),
        Difference(b"vanished", untracked=True),
    )
    assert found == Plan((), (), (b"deleted",), (), 0)


def test_a_new_large_file_is_left_out_and_a_tracked_one_is_not() -> None:
    large = FileFacts("file", 101)
    found = planned(
        {b"new": large, b"tracked": large, b"fits": FileFacts("file", 100)},
        Difference(b"new", untracked=True),
        Difference(b"tracked", untracked=False),
        Difference(b"fits", untracked=True),
    )
    assert found.take == (b"tracked", b"fits")
    assert [(left.path, left.kind) for left in found.left_out] == [(b"new", "large")]


def test_no_limit_takes_all() -> None:
    facts = {b"new": FileFacts("file", 10**12)}
    assert planned(facts, Difference(b"new", untracked=True), large_file=0).take == (b"new",)


def test_what_cannot_be_read_is_left_out() -> None:
    locked = FileFacts("file", 1, readable=False)
    found = planned({b"x": locked}, Difference(b"x", untracked=False))
    assert found.take == ()
    assert found.left_out == (LeftOut(b"x", "unreadable", "can't be read; its last version stays"),)


def test_a_nested_repository_is_left_out() -> None:
    found = planned({}, Difference(b"nested/", untracked=True))
    assert found.take == ()
    assert [(left.path, left.kind) for left in found.left_out] == [(b"nested", "nested")]


def test_a_submodule_is_taken_whatever_its_folder_is() -> None:
    folder = FileFacts("folder", 4096, readable=False)
    assert planned({b"lib": folder}, Difference(b"lib", untracked=False, submodule=True)).take


def test_pipes_are_passed_over() -> None:
    pipe = Difference(b"p", untracked=True)
    assert planned({b"p": FileFacts("other")}, pipe) == Plan((), (), (), (), 0)


# scopes


def test_scopes_add_up_and_paths_stay_named_where_it_is_everything() -> None:
    one, two = Scope(frozenset({b"a"})), Scope(frozenset({b"b"}))
    assert (one | two).paths == {b"a", b"b"}
    assert one | EVERYTHING == EVERYTHING | one == Scope(one.paths, everything=True)
    assert (one | EVERYTHING | two).paths == {b"a", b"b"}
    assert NOTHING_CHANGED | one == one
    assert not NOTHING_CHANGED
    assert one
    assert EVERYTHING


def test_too_many_paths_are_everything_and_the_first_of_them_stay_named() -> None:
    many = Scope(frozenset(b"%d" % number for number in range(PATHS_WORTH_NAMING)))
    assert (many | Scope(frozenset({b"0"}))).paths == many.paths
    more = Scope(frozenset({b"more"}))
    assert many | more == Scope(many.paths, everything=True)
    assert b"more" in (more | many).paths
    assert len((more | many).paths) == PATHS_WORTH_NAMING
