"""What a row shows, and which alert a report becomes."""

import pytest

from autosyncd.link.channel import decode, encode
from autosyncd.link.messages import (
    Alive,
    Announce,
    Committed,
    Conflict,
    HeadMoved,
    Identity,
    Problem,
    Pulled,
    Solved,
    StatusChanged,
    cut_paths,
)
from autosyncd.link.outside import Alert, RepositoryConflict, Withdraw
from autosyncd.model import AlertKind, Head, RepoConfig, Status, TreeId
from autosyncd.supervisor.child import NO_PROCESS, Child, Life, Limits
from autosyncd.supervisor.news import View, alert, lived, row, seen

CONFIG = RepoConfig("/home/a/notes", "notes")
ALL = RepoConfig("/home/a/notes", "notes", alerts=frozenset(AlertKind))
LIMITS = Limits()


def test_a_row_gathers_what_the_reports_said():
    view = seen(View(CONFIG, since=1.0), Identity(TreeId("t"), (), "origin", "main", "h1"))
    assert (view.branch, view.head, view.remote, view.answered) == ("main", "h1", "origin", False)
    view = seen(view, StatusChanged(Status.RETRYING, "no route", 5.0))
    assert view.answered
    view = seen(seen(view, HeadMoved(Head("topic", "h2"))), Alive())
    shown = row(view)
    assert (shown.repository, shown.path, shown.branch) == ("notes", "/home/a/notes", "topic")
    assert (shown.head, shown.remote) == ("h2", "origin")
    assert (shown.status, shown.reason, shown.since) == (Status.RETRYING, "no route", 5.0)
    # where there is no remote, nothing else tells of it
    assert row(seen(view, Committed(Head("main", "h3"), 1, "edit f"))).head == "h3"
    view = seen(view, StatusChanged(Status.PAUSED, "", 6.0, 66.0))
    assert (row(view).status, row(view).until) == (Status.PAUSED, 66.0)
    longer = row(seen(view, StatusChanged(Status.PAUSED, "", 36.0, 126.0)))
    assert (longer.since, longer.until) == (6.0, 126.0)
    assert row(seen(view, StatusChanged(Status.IDLE, "", 66.0))).until is None
    for life in (Life.STARTING, Life.BACKOFF, Life.FATAL):
        assert row(lived(view, Child(life=life), LIMITS, 7.0)).until is None
    bare = seen(view, Identity(TreeId("t"), (), None, "main", None))
    assert (bare.branch, bare.head, bare.remote) == ("main", "", "")


@pytest.mark.parametrize("letter", ["x", "笔", "\U0001f600", "\udce9"])
def test_a_row_always_fits_into_a_link(letter):
    config = RepoConfig("/" + letter * 4000, "notes")
    view = View(config, 1.0, Status.FAILED, letter * 600, remote=letter * 300)
    view = seen(view, HeadMoved(Head(letter * 300, "e" * 64)))
    shown = row(view)
    encode(shown)
    assert shown.path.startswith("/" + letter * 100) or letter == "\udce9"
    assert shown.path.endswith("…")


@pytest.mark.parametrize("letter", ["x", "笔", "\U0001f600", "\udce9"])
def test_what_others_named_at_length_fits_into_a_link_too(letter):
    """Paths come from a merge, hosts from the commits of other machines."""
    name = (letter * 200).encode("utf-8", "surrogatepass")[:200].decode("utf-8", "ignore")
    config = RepoConfig("/home/a/notes", name or "n" * 200, alerts=frozenset(AlertKind))
    conflict = Conflict(9, cut_paths((letter * 400,) * 9))
    decode(encode(conflict))
    decode(encode(RepositoryConflict(config.name, conflict.paths)))
    for report in (conflict, Pulled(Head("main", "h"), 9, (letter * 1200,) * 3)):
        told = alert(config, report)
        assert isinstance(told, Alert)
        assert decode(encode(told)) == told


@pytest.mark.parametrize(
    ("child", "status", "reason", "answered"),
    [
        (
            Child(Life.BACKOFF, wait=4, status=-9),
            Status.RETRYING,
            "its process was ended by signal 9; a new one starts in 4 s",
            False,
        ),
        (
            Child(Life.BACKOFF, wait=2, status=0),
            Status.RETRYING,
            "its process ended with status 0; a new one starts in 2 s",
            False,
        ),
        (
            Child(Life.BACKOFF, wait=1, status=NO_PROCESS),
            Status.RETRYING,
            "its process could not be made; a new one starts in 1 s",
            False,
        ),
        (
            Child(Life.FATAL, deaths=(1, 2, 3, 4, 5), status=1),
            Status.FAILED,
            "its process ended 5 times within 60 s (the last one ended with status 1); it is"
            " tried again at the next reload",
            True,
        ),
        (
            Child(Life.KILLING, stuck=True),
            Status.FAILED,
            "the file system of notes doesn't answer; its process can't even be killed",
            True,
        ),
        *(
            (
                Child(life, silences=silences),
                Status.FAILED,
                "its process did not answer for 120 s and was ended; perhaps the file system of"
                " /home/a/notes doesn't answer",
                True,
            )
            for life, silences in ((Life.BACKOFF, 1), (Life.STARTING, 1), (Life.KILLING, 2))
        ),
        (Child(Life.STARTING), Status.STARTING, "", False),
    ],
)
def test_the_life_of_the_process_shows(child, status, reason, answered):
    view = lived(View(CONFIG, 1.0, Status.PUSHING, answered=False), child, LIMITS, 9.0)
    assert (view.status, view.reason, view.since) == (status, reason, 9.0)
    assert view.answered == answered


def test_of_a_new_process_nothing_is_known_yet():
    old = View(CONFIG, 1.0, Status.WAITING, "A merge is going on.", answered=True)
    assert lived(old, Child(Life.STARTING), LIMITS, 9.0) == View(CONFIG, 9.0)


@pytest.mark.parametrize("child", [Child(Life.RUNNING), Child(Life.KILLING, silences=1)])
def test_a_process_speaks_for_itself_until_it_is_gone(child):
    view = View(CONFIG, 1.0, Status.PUSHING)
    assert lived(view, child, LIMITS, 9.0) == view


@pytest.mark.parametrize(
    ("report", "topic", "text"),
    [
        (Problem("disk-full", "No room."), "disk-full", "No room."),
        (
            Conflict(7, ("a", "b")),
            "conflict",
            "7 files were changed in two places; both versions are kept: a, b and 5 more",
        ),
        (
            Conflict(1, ("a",)),
            "conflict",
            "1 file was changed in two places; both versions are kept: a",
        ),
        (Pulled(Head("main", "h"), 1), "pulled", "1 file updated"),
        (Announce(Head("main", "h")), "pushed", "All is pushed."),
    ],
)
def test_an_alert_for_each_kind_that_is_asked_for(report, topic, text):
    told = alert(ALL, report)
    assert isinstance(told, Alert)
    assert (told.repository, told.topic, told.text) == ("notes", topic, text)
    assert alert(RepoConfig("/x", "notes", alerts=frozenset()), report) is None


def test_the_default_is_conflicts_and_problems_and_what_is_solved_is_withdrawn():
    assert alert(CONFIG, Pulled(Head("main", "h"), 1)) is None
    assert alert(CONFIG, Conflict(1, ("a",))) is not None
    assert alert(CONFIG, Solved("disk-full")) == Withdraw("notes", "disk-full")
    assert alert(CONFIG, Alive()) is None
