"""Which alerts become letters, how many, and what is never in one."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosyncd.link.outside import (
    Alert,
)
from autosyncd.messenger import letters
from autosyncd.messenger.letters import (
    AN_HOUR,
    BETWEEN,
    GATHER,
    LINES,
    PER_HOUR,
    WAITING,
    Letters,
    Write,
)
from autosyncd.model import AlertKind

Step = tuple[float, Alert | tuple[str, str]]


def alert(
    repository: str = "notes", text: str = "No.", topic: str = "push", title: str = ""
) -> Alert:
    title = title or f"{repository}: a problem"
    return Alert(repository, AlertKind.PROBLEM, topic, title, text)


def play(*history: Step) -> list[tuple[float, str]]:
    """(time, what comes or is withdrawn) → (time, letter), deadlines included."""
    state, seen = Letters("bob@example.org", "laptop"), []
    end: Step = (1e9, ("", ""))
    for at, what in (*history, end):
        while (due := letters.deadline(state)) is not None and due <= at:
            state, written = letters.ripened(state, due)
            for one in written:
                assert one == Write("bob@example.org", one.text)
                seen.append((due, one.text))
        if isinstance(what, Alert):
            state = letters.alerted(state, what, at)
        else:
            state = letters.withdrawn(state, what)
    return seen


def test_a_letter_says_which_machine_and_what() -> None:
    head = "autosync on laptop:\n"
    assert play((5, alert(text="No."))) == [(5 + GATHER, head + "notes: a problem: No.")]
    assert play((0, alert(text="x: y", title="x"))) == [(GATHER, head + "x: y")]


def test_a_beat_before_its_time_sends_nothing() -> None:
    state = letters.alerted(Letters("bob@example.org", "laptop"), alert(), 0)
    assert letters.ripened(state, GATHER - 1) == (state, ())
    assert letters.ripened(Letters("bob@example.org", "laptop"), 100)[1] == ()


def test_what_comes_together_goes_together_and_the_newest_of_a_kind_counts() -> None:
    seen = play((0, alert("a", "old")), (1, alert("b")), (2, alert("a", "new")))
    assert [(at, text.splitlines()[1:]) for at, text in seen] == [
        (GATHER, ["b: a problem: No.", "a: a problem: new"])
    ]


def test_what_the_messenger_before_has_said_is_said_again_only_when_it_has_changed() -> None:
    assert play((0, replace(alert(), said=True)), (300, alert())) == []
    ((_, text),) = play((0, replace(alert(), said=True)), (300, alert(text="Worse.")))
    assert "Worse." in text


def test_there_is_a_minute_between_two_letters() -> None:
    seen = play((0, alert("a")), (GATHER + 1, alert("b")), (300, alert("c")))
    assert [at for at, _ in seen] == [GATHER, GATHER + BETWEEN, 300 + GATHER]


def test_there_are_ten_an_hour_and_what_did_not_go_is_counted() -> None:
    storm: list[Step] = [(float(at), alert(f"r{at}")) for at in range(0, 3000, 5)]
    seen = play(*storm)
    assert all(later - at > BETWEEN - 0.001 for (at, _), (later, _) in pairwise(seen))
    assert len([at for at, _ in seen if at < AN_HOUR]) == PER_HOUR
    told = sum(len(text.splitlines()) - 1 - text.count("more;") for _, text in seen)
    left_out = sum(
        int(text.rpartition("and ")[2].split()[0]) for _, text in seen if "more;" in text
    )
    assert told + left_out == len(storm)


def test_a_letter_spells_out_the_newest_and_counts_the_rest() -> None:
    seen = play(*[(0, alert(f"r{number}")) for number in range(WAITING + 30)])
    lines = seen[0][1].splitlines()
    assert lines[1] == f"r{WAITING + 20}: a problem: No."
    assert len(lines) == 1 + LINES + 1
    assert lines[-1] == "and 70 more; `autosyncctl status` there shows how all is."


def test_the_same_is_not_written_twice_within_an_hour() -> None:
    seen = play(*[(at, alert()) for at in (0, 100, 2000, AN_HOUR + GATHER + 1)])
    assert [at for at, _ in seen] == [GATHER, AN_HOUR + 2 * GATHER + 1]
    assert len(play((0, alert(text="one")), (100, alert(text="two")))) == 2


def test_what_is_over_before_its_letter_goes_is_not_written() -> None:
    assert play((0, alert()), (5, ("notes", "push"))) == []
    (one,) = play((0, alert("a")), (0, alert("b")), (5, ("a", "push")))
    assert one[1].splitlines()[1:] == ["b: a problem: No."]


def test_what_comes_back_after_it_was_over_is_written_again() -> None:
    assert len(play((0, alert()), (100, ("notes", "push")), (200, alert()))) == 2


def test_a_repository_that_is_gone_has_nothing_to_say() -> None:
    state = Letters("bob@example.org", "laptop")
    state = letters.alerted(state, alert("a"), 0)
    state = letters.alerted(state, alert("b"), 0)
    state = letters.gone(letters.gone(state, "b"), "a")
    assert letters.deadline(state) is None


def test_that_letters_can_not_be_sent_is_in_no_letter() -> None:
    assert play((0, alert("", topic="xmpp"))) == []


def test_no_letter_holds_a_password_or_what_a_terminal_would_obey() -> None:
    text = "https://alice:hunter2@example.org/x and ssh://token@h:22/y failed\n\x1b[2J\u202e"
    ((_, written),) = play((0, alert(text=text, title="https://hunter2@h")))
    assert "hunter2" not in written
    assert "token" not in written
    assert "https://example.org/x and ssh://h:22/y failed ?[2J?" in written
    assert all(line.isprintable() for line in written.splitlines())


@pytest.mark.parametrize(
    "address",
    [
        "https://u:se'cret@h/x",
        'https://u:se"cret@h/x',
        "https://h/x?private_token=secret",
        "u:secret@h",
    ],
)
def test_no_letter_holds_a_password_wherever_an_address_has_it(address: str) -> None:
    ((_, written),) = play((0, alert(text=f"unable to access '{address}'")))
    assert "cret" not in written


def test_a_letter_is_short_whatever_an_alert_says() -> None:
    ((_, written),) = play(*[(0, alert(f"r{n}", "x" * 5000)) for n in range(20)])
    assert len(written) < 4000


@given(
    st.lists(
        st.tuples(
            st.floats(0, 200),
            st.sampled_from("abc"),
            st.sampled_from(["push", "pull"]),
            st.sampled_from(["1", "2", None]),
        ),
        max_size=60,
    )
)
def test_whatever_happens_letters_are_few_and_nothing_waits_for_ever(
    history: list[tuple[float, str, str, str | None]],
) -> None:
    at, steps = 0.0, []
    for wait, repository, topic, text in history:
        at += wait
        what = alert(repository, text, topic) if text else (repository, topic)
        steps.append((at, what))
    seen = play(*steps)
    times = [at for at, _ in seen]
    assert all(later - at > BETWEEN - 0.001 for at, later in pairwise(times))
    assert all(
        later - at > AN_HOUR - 0.001 for at, later in zip(times, times[PER_HOUR:], strict=False)
    )
    assert all(len(text.splitlines()) > 1 for _, text in seen)
