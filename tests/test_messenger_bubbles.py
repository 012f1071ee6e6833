"""Which alerts become bubbles."""

from hypothesis import given
from hypothesis import strategies as st

from autosyncd.link.outside import (
    Alert,
)
from autosyncd.messenger import bubbles
from autosyncd.messenger.bubbles import (
    AGAIN_AFTER,
    BUBBLES,
    MORE,
    WINDOW,
    Bubbles,
    CloseBubble,
    ShowBubble,
)
from autosyncd.model import AlertKind


def alert(repository="notes", topic="push-refused", text="No.", kind=AlertKind.PROBLEM) -> Alert:
    return Alert(repository, kind, topic, f"{repository}: problem", text)


def play(*history):
    """(time, Alert) or (time, key to withdraw) → [(time, command)], deadlines included."""
    state, seen = Bubbles(), []

    def done(now, answer):
        nonlocal state
        state = answer[0]
        seen.extend((now, command) for command in answer[1])

    for at, what in [*history, (1e6, None)]:
        while (due := bubbles.deadline(state)) is not None and due <= at:
            done(due, bubbles.ripened(state, due))
        if isinstance(what, Alert):
            done(at, bubbles.alerted(state, what, at))
        elif what:
            done(at, bubbles.withdrawn(state, what, at))
    return seen


def texts(seen) -> list[tuple[float, str]]:
    return [(at, command.text) for at, command in seen if isinstance(command, ShowBubble)]


def test_the_newest_of_a_topic_replaces_its_bubble():
    seen = play((0, alert(text="one")), (1, alert(text="two")))
    assert [command.key for _, command in seen] == [("notes", "push-refused")] * 2
    assert texts(seen) == [(0, "one"), (1, "two")]


def test_a_problem_is_critical_and_a_pull_is_not():
    (first, second) = play((0, alert()), (1, alert(topic="pulled", kind=AlertKind.PULLED)))
    assert (first[1].urgency, second[1].urgency) == (2, 0)


def test_the_same_text_is_shown_again_only_after_ten_minutes():
    seen = play(*[(at, alert()) for at in (0, 1, 300, 599, 601, 900)])
    assert texts(seen) == [(0, "No."), (601, "No.")]


def test_a_reason_that_is_gone_closes_its_bubble_once():
    key = ("notes", "push-refused")
    assert play((0, alert()), (5, key), (6, key))[1:] == [(5, CloseBubble(key))]


def test_one_that_flaps_and_stays_is_shown_after_ten_minutes():
    key = ("notes", "push-refused")
    flapping = [(0, alert()), (10, key), (20, alert()), (30, key), (40, alert())]
    assert texts(play(*flapping)) == [(0, "No."), (AGAIN_AFTER, "No.")]


def test_one_that_flaps_and_goes_is_shown_once():
    key = ("notes", "push-refused")
    assert texts(play((0, alert()), (10, key), (20, alert()), (30, key))) == [(0, "No.")]


def test_too_many_become_one_with_their_number_and_names():
    seen = play(*[(at / 10, alert(f"r{at}")) for at in range(12)])
    assert len(texts(seen)) == BUBBLES + 1
    at, last = seen[-1]
    assert at == WINDOW
    assert last.key == MORE
    assert last.text.startswith("and 7 more: r10, r11, r5, r6, r7, r8, r9.")


def test_a_single_one_too_many_is_shown_as_it_is():
    seen = play(*[(0, alert(f"r{n}", text=f"text {n}")) for n in range(BUBBLES + 1)])
    assert texts(seen)[-1] == (WINDOW, f"text {BUBBLES}")


def test_one_that_is_gone_before_it_was_shown_is_not_counted():
    many = [(0, alert(f"r{n}")) for n in range(BUBBLES + 3)]
    seen = play(*many, (1, (f"r{BUBBLES}", "push-refused")))
    assert texts(seen)[-1][1].startswith("and 2 more")


def test_a_repository_that_is_gone_takes_its_bubbles_along():
    state, _ = bubbles.alerted(Bubbles(), alert("a"), 0)
    state, _ = bubbles.alerted(state, alert("b"), 0)
    state, commands = bubbles.gone(state, "a", 1)
    assert commands == (CloseBubble(("a", "push-refused")),)
    assert bubbles.alerted(state, alert("b"), 2)[1] == ()


HISTORIES = st.lists(
    st.tuples(
        st.floats(0, 200),
        st.sampled_from("abcdefgh"),
        st.sampled_from(["one", "two", None]),
    ),
    max_size=60,
)


@given(HISTORIES)
def test_any_history(history):
    """Never too many, never the same too soon; what stands at the end has been shown or counted."""
    now, moves, standing = 0.0, [], {}
    for wait, repository, text in history:
        now += wait
        standing[repository] = text
        what = alert(repository, text=text) if text else (repository, "push-refused")
        moves.append((now, what))
    seen = play(*moves)
    shows = [(at, command) for at, command in seen if isinstance(command, ShowBubble)]
    for i, (at, _) in enumerate(shows[BUBBLES:]):
        assert at >= shows[i][0] + WINDOW
    last = {}
    for at, command in shows:
        if command.key == MORE:
            names = command.text.split(": ")[1].split(".")[0].split(", ")
            last.update({(name, "push-refused"): (at, None) for name in names})
            continue
        before, text = last.get(command.key, (-1e9, ""))
        assert text != command.text or at >= before + AGAIN_AFTER
        last[command.key] = (at, command.text)
    for repository, text in standing.items():
        if text:
            assert last[(repository, "push-refused")][1] in (text, None)
