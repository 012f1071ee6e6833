"""What `journalctl -x` says of each failure."""

import re
from pathlib import Path

import pytest

from autosyncd.link.messages import Problem
from autosyncd.service.event import WELL, Event, of_problem
from autosyncd.vcs.git.remotes import doubts
from autosyncd.vcs.outcomes import AwayKind

CATALOG = Path(__file__).parent.parent / "systemd/autosyncd.catalog"
ENTRIES = dict(
    re.findall(
        r"^-- ([0-9a-f]{32})\n(.*?)(?=^-- |\Z)", CATALOG.read_text(), re.DOTALL | re.MULTILINE
    )
)
FIELDS = {"AUTOSYNC_REPO", "AUTOSYNC_PEER"}


def test_every_failure_has_its_entry_and_every_entry_its_failure() -> None:
    assert set(ENTRIES) == {event.value for event in Event if event not in WELL}


@pytest.mark.parametrize("event", [event for event in Event if event not in WELL])
def test_an_entry_explains_and_says_what_to_do(event: Event) -> None:
    head, _, text = ENTRIES[event.value].partition("\n\n")
    assert re.search(r"^Subject: [A-Zag].+[^.]$", head, re.MULTILINE)
    assert "Defined-By: autosyncd" in head
    assert len(text.split()) > 20
    assert set(re.findall(r"@(\w+)@", text)) <= FIELDS
    assert "@" not in re.sub(r"@\w+@", "", text), "journald takes it for a field"


@pytest.mark.parametrize("kind", [kind.value for kind in AwayKind])
def test_each_trouble_with_a_remote_has_an_id_of_its_own(kind: str) -> None:
    assert of_problem(kind) not in (Event.PROBLEM, *WELL)


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("gone", Event.GONE),
        ("incoming-mass-deletion", Event.MASS_DELETION),
        ("left-out-large", Event.LEFT_OUT),
        ("first-adoption", Event.FIRST_ADOPTION),
        (doubts.BRANCH_GONE, Event.BRANCH_GONE),
        (doubts.REWRITTEN, Event.REWRITTEN_HISTORY),
        (doubts.UNRELATED, Event.UNRELATED_HISTORY),
        ("pushed", Event.PROBLEM),
        ("what nobody has thought of", Event.PROBLEM),
    ],
)
def test_a_problem_is_known_by_its_kind(kind: str, event: Event) -> None:
    assert of_problem(Problem(kind, "").kind) is event


def test_every_kind_that_the_code_names_has_an_id_of_its_own() -> None:
    """A problem that is reported by a literal name, anywhere in the worker or below it."""
    code = "".join(
        path.read_text()
        for room in ("worker", "vcs")
        for path in (CATALOG.parent.parent / "autosyncd" / room).rglob("*.py")
    )
    named = set(re.findall(r"(?:\.problem|\bProblem|\bQuestion)\(\s*\"([a-z-]+)\"", code))
    assert len(named) > 6
    assert {kind for kind in named if of_problem(kind) is Event.PROBLEM} == set()
