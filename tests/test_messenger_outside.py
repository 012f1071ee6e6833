"""What the messenger does with orders and with news from outside."""

from dataclasses import replace

import pytest

from autosyncd.link.channel import encode
from autosyncd.link.messages import (
    Alive,
    Online,
    Retry,
    Shutdown,
    Woke,
)
from autosyncd.link.outside import (
    Alert,
    Asked,
    Connected,
    Heard,
    RepositoryConflict,
    RepositoryGone,
    RepositoryStatus,
    Subscribe,
    Summary,
    Tell,
    TransportChanged,
    Withdraw,
)
from autosyncd.messenger.bubbles import CloseBubble, ShowBubble
from autosyncd.messenger.commands import (
    Announce,
    DropRow,
    Listen,
    Network,
    PassUp,
    ShowRow,
    ShowSummary,
    SignalConflict,
    Stop,
    TryAgain,
    Wake,
)
from autosyncd.messenger.letters import GATHER, Letters, Write
from autosyncd.messenger.loop import Ear
from autosyncd.messenger.outside import Due, Outside, deadline, step
from autosyncd.messenger.printable import printable
from autosyncd.model import AlertKind, PushNotice, Status
from autosyncd.transport.base import Interest

NOTICE = PushNotice(channels=("c1", "c2"), branch="main", head="ab" * 20, tree="t", host="laptop")
NOTES = RepositoryStatus("notes", "/home/a/notes", Status.IDLE, "", 5.0, branch="main")
ALERT = Alert("notes", AlertKind.PROBLEM, "push-refused", "notes: not pushed", "It was refused.")


def play(*messages, state=None, now=0.0):
    """The commands of the last message, and the state after it."""
    state, commands = state or Outside(), ()
    for message in messages:
        state, commands = step(state, message, now=now)
    return state, commands


def test_a_notice_is_told_to_the_other_machines():
    assert play(Tell(NOTICE))[1] == (Announce(NOTICE),)


def interests(*channels):
    return dict.fromkeys(channels, Interest())


def test_the_union_of_all_channels_is_listened_to_and_told_only_when_it_changes():
    state, commands = play(Subscribe("a", ("c1", "c2")))
    assert commands == (Listen(interests("c1", "c2")),)
    state, commands = play(Subscribe("b", ("c2", "c3")), state=state)
    assert commands == (Listen(interests("c1", "c2", "c3")),)
    assert play(Subscribe("b", ("c3", "c1")), state=state)[1] == ()
    assert play(Subscribe("a", ()), state=state)[1] == (Listen(interests("c2", "c3")),)


def test_who_is_trusted_by_one_repository_is_trusted_with_its_channels_alone():
    _, (command,) = play(
        Subscribe("a", ("c1", "c2"), ("bob@x",), "hub:a"), Subscribe("b", ("c2", "c3"), (), "hub:b")
    )
    bob, both = frozenset({"bob@x"}), frozenset({"hub:a", "hub:b"})
    assert command.channels == {
        "c1": Interest(bob, frozenset({"hub:a"})),
        "c2": Interest(bob, both),
        "c3": Interest(frozenset(), frozenset({"hub:b"})),
    }


def test_a_person_who_asks_for_a_reload_has_the_transports_try_again():
    assert play(Retry())[1] == (TryAgain(),)


def test_a_repository_that_is_gone_leaves_nothing_behind():
    state, _ = play(Subscribe("notes", ("c1",)), NOTES, ALERT)
    state, commands = play(RepositoryGone("notes"), state=state)
    assert commands == (Listen({}), CloseBubble(("notes", "push-refused")), DropRow("notes"))
    assert (state.rows, state.names, state.subscriptions) == ({}, {}, {})
    assert play(RepositoryGone("notes"), state=state)[1] == ()


def test_only_what_is_for_us_is_reported_as_heard():
    state, _ = play(Subscribe("a", ("c2", "c9")))
    heard = Heard(NOTICE, "fanout", "hub")
    expected = Heard(replace(NOTICE, channels=("c2",)), "fanout", "hub")
    assert play(heard, state=state)[1] == (PassUp(expected),)
    other = replace(heard, notice=replace(NOTICE, channels=("c7",)))
    assert play(other, state=state)[1] == ()


@pytest.mark.parametrize("field", ["branch", "head", "tree", "source", "host"])
def test_whatever_a_stranger_sends_fits_into_a_link_or_is_dropped(field):
    state, _ = play(Subscribe("a", ("c2",)))
    notice = replace(NOTICE, channels=("c2",) * 500, **{field: "\N{GRINNING FACE}" * 5000})
    _, commands = play(Heard(notice, "fanout", "s" * 9000), state=state)
    assert all(len(encode(command.message)) < 4092 for command in commands)
    assert bool(commands) == (field == "host")


def test_a_row_is_shown_when_it_changes():
    state, commands = play(NOTES)
    assert commands == (ShowRow(NOTES),)
    assert play(NOTES, state=state)[1] == ()
    busy = replace(NOTES, status=Status.PUSHING)
    assert play(busy, state=state)[1] == (ShowRow(busy),)


def test_the_summary_is_shown_when_it_changes():
    state, commands = play(Summary("1 repository, in sync"))
    assert commands == (ShowSummary("1 repository, in sync"),)
    assert play(Summary("1 repository, in sync"), state=state)[1] == ()


def test_a_name_that_is_no_text_is_shown_escaped_and_asked_for_by_what_is_shown():
    odd = replace(NOTES, repository="caf\udce9", path="/caf\udce9", reason="nul\0")
    state, (command,) = play(odd)
    assert command.row.repository == r"caf\xe9"
    assert command.row.path == r"/caf\xe9"
    assert command.row.reason == r"nul\x00"
    assert play(Asked("sync", r"caf\xe9"), state=state)[1] == (PassUp(Asked("sync", "caf\udce9")),)
    assert play(RepositoryGone("caf\udce9"), state=state)[1] == (DropRow(r"caf\xe9"),)


def test_text_of_every_script_passes_unchanged():
    assert printable("笔记 é 🎉\n") == "笔记 é 🎉\n"
    printable("".join(map(chr, range(0xD700, 0xE100)))).encode()


def test_all_repositories_are_asked_with_an_empty_name_and_unknown_ones_never():
    assert play(Asked("reload"))[1] == (PassUp(Asked("reload")),)
    assert play(Asked("sync", "notes"))[1] == ()


def test_the_network_and_the_end_of_a_suspend_are_reported_and_told_to_the_transports():
    online = Online(yes=False)
    assert play(online)[1] == (PassUp(online), Network(online=False))
    assert play(Woke())[1] == (PassUp(Woke()), Wake())


@pytest.mark.parametrize("report", [Connected("fanout"), TransportChanged("fanout", False, "no")])
def test_news_of_a_transport_is_reported(report):
    assert play(report)[1] == (PassUp(report),)


def test_a_conflict_is_signalled():
    assert play(RepositoryConflict("notes", ("a\udcff",)))[1] == (
        SignalConflict("notes", (r"a\xff",)),
    )


def test_an_alert_is_shown_and_withdrawn():
    state, commands = play(ALERT)
    assert commands == (ShowBubble(("notes", "push-refused"), ALERT.title, ALERT.text, 2),)
    assert play(Withdraw("notes", "push-refused"), state=state)[1] == (
        CloseBubble(("notes", "push-refused")),
    )


def test_what_waits_is_shown_when_its_time_has_come():
    state, _ = play(*[replace(ALERT, topic=f"t{n}") for n in range(8)])
    due = deadline(state)
    assert due == 60
    state, (command,) = step(state, Due(), now=due)
    assert command.text.startswith("and 3 more")
    assert deadline(state) is None


def test_who_wants_no_bubbles_gets_none():
    assert play(ALERT, state=Outside(desktop_alerts=False))[1] == ()


def test_shutdown_ends_it_and_what_is_not_for_the_messenger_is_ignored():
    assert play(Shutdown(1.0))[1] == (Stop(),)
    assert play(Alive()) == (Outside(), ())


LETTERS = Outside(desktop_alerts=False, letters=Letters("bob@example.org", "laptop"))


def test_an_alert_is_written_to_the_person_too_where_one_is_named():
    state, commands = play(ALERT, state=LETTERS)
    assert (commands, deadline(state)) == ((), GATHER)
    text = "autosync on laptop:\nnotes: not pushed: It was refused."
    state, commands = play(Due(), state=state, now=GATHER)
    assert commands == (Write("bob@example.org", text),)
    assert deadline(state) is None


def test_a_bubble_is_shown_at_once_whoever_is_written_to():
    state, commands = play(ALERT, state=replace(LETTERS, desktop_alerts=True))
    assert [type(one) for one in commands] == [ShowBubble]
    assert deadline(state) == GATHER


@pytest.mark.parametrize("end", [Withdraw("notes", "push-refused"), RepositoryGone("notes")])
def test_what_is_over_is_not_written(end):
    state, _ = play(ALERT, end, state=LETTERS)
    assert deadline(state) is None
    assert play(Due(), state=state, now=GATHER)[1] == ()


def test_what_a_transport_alarms_of_is_an_alert_until_it_is_online():
    fed: list[object] = []
    ear = Ear("xmpp", fed.append)
    ear.alarm("The password is wrong.")
    ear.changed(online=True, reason="")
    ear.connected()
    alert, changed, withdraw, connected = fed
    assert (alert.repository, alert.topic, alert.kind) == ("", "xmpp", AlertKind.PROBLEM)
    assert "The password is wrong." in alert.text
    assert (changed.online, withdraw, connected) == (True, Withdraw("", "xmpp"), Connected("xmpp"))
    state, shown = play(alert)
    assert [type(command) for command in shown] == [ShowBubble]
    assert play(withdraw, state=state)[1] == (CloseBubble(("", "xmpp")),)
