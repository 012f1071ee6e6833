"""Repositories whose paths are links: which of them may be synced, and that all say the same of it."""

from itertools import permutations

import pytest

from autosyncd.config.overlap import Neighbours, neighbours, objection, overlap
from autosyncd.supervisor.leads import Leads


@pytest.mark.parametrize(
    ("real", "said"),
    [
        ("/tree", "which is the repository tree already"),
        ("/tree/sub", "which lies inside the repository tree;"),
        ("/", "and the repository tree lies in it;"),
        ("/etc/x", "and the configuration lies in it, so a pull could change it"),
        ("/trees", ""),
        ("/link", ""),
        ("/link/deeper", ""),
    ],
)
def test_what_is_objected_to(real: str, said: str) -> None:
    around = neighbours(
        "/link", {"/tree": "tree", "/link": "link"}, {"/etc/x/y": "the configuration"}, {}
    )
    found = objection("/link", real, around)
    assert bool(found) == bool(said)
    assert said in found


def test_what_was_compared_as_it_is_written_is_not_compared_again() -> None:
    assert objection("/a", "/a", Neighbours({"/a": "a"}, {"/a/b": "x"})) == ""


def test_of_two_links_the_later_gives_way() -> None:
    names = {"/l1": "one", "/l2": "two"}
    leads = {"/l1": "/real/outer", "/l2": "/real/outer/inner"}
    first, second = (
        objection(path, leads[path], neighbours(path, names, {}, leads)) for path in names
    )
    assert first == ""
    assert second == (
        "/l2 leads to /real/outer/inner, which lies inside the repository one; "
        "keep one of the two entries."
    )


PLACES = {"/l1": "/r/outer", "/l2": "/r/outer/inner", "/l3": "/r/outer", "/l4": "/elsewhere"}


@pytest.mark.parametrize("order", list(permutations(PLACES)))
def test_workers_come_to_what_is_known_at_once_in_whatever_order_they_begin(
    order: tuple[str, ...],
) -> None:
    """Each begins with what is known then, and anew when the supervisor says so."""
    names = {path: path[1:] for path in PLACES}
    known = Leads()
    said: dict[str, str] = {}
    begin, begun = list(order), 0
    while begin:
        path = begin.pop(0)
        begun += 1
        said[path] = objection(path, PLACES[path], known.around(path, names))
        begin += known.heard(path, PLACES[path], names)
    assert said == {
        path: objection(path, PLACES[path], neighbours(path, names, {}, PLACES)) for path in names
    }
    assert begun <= 3 * len(order)


def test_folders_overlap_both_ways() -> None:
    assert overlap("/a/b", "/a")
    assert overlap("/a", "/a/b")
    assert not overlap("/a", "/ab")
