"""Conversations with a worker's machine about what must not be put off for ever, or forgotten."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from autosyncd.link.channel import encode
from autosyncd.link.messages import Identity, Pulled, PullOrder, Resume, SyncNow, Woke
from autosyncd.model import Channel, Head, Status
from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED, Scope
from autosyncd.vcs.channel import ROOTS
from autosyncd.vcs.orders import CommitOrder, Inspect, Judge, Snapshot, SyncOrder
from autosyncd.vcs.outcomes import (
    Aborted,
    Away,
    AwayKind,
    Dirty,
    Failed,
    NoRemote,
    Snapshotted,
    Synced,
    SyncOutcome,
    Waiting,
    Why,
)
from autosyncd.worker import events as ev
from tests.test_worker_machine import (
    HEAD,
    HERE,
    MADE,
    NEWS,
    NOTHING,
    POLICY,
    POLLING,
    READY,
    VANISHED,
    Conversation,
    changed,
    started,
)

NEWER = Head("main", "e" * 40)
ENDS: dict[type, ev.Event] = {
    Inspect: ev.InspectEnded(READY),
    Judge: ev.JudgeEnded(frozenset(), frozenset()),
    Snapshot: ev.SnapshotEnded(Snapshotted()),
    CommitOrder: ev.CommitEnded(NOTHING),
    SyncOrder: ev.SyncEnded(Synced(HEAD)),
}
"""How verbs end where all is well."""
MOVED = ev.IdentityChanged(replace(HERE, url="/other.git"))


def under(
    talk: Conversation, noise: Callable[[int], ev.Event], ends: Mapping[type, ev.Event] = ENDS
) -> list[type]:
    """The verbs that run, half a second each, in 200 seconds in which it never rests."""
    ended: list[type] = []
    running = next(iter(talk.runs), None)
    for number in range(1, 500):
        talk.now += 0.4
        talk.hear(noise(number))
        if running is not None:
            ended.append(type(running))
            talk.hear(ends[type(running)])
        running = next(iter(talk.runs), None)
    return ended


# pulls that were ordered


def test_notices_that_come_in_the_wrong_order_lose_none() -> None:
    talk = started().hear(PullOrder(Head("main", "9" * 40)))
    assert talk.runs == [SyncOrder(fetch=True)]
    talk.hear(PullOrder(NEWER)).hear(PullOrder(NEWS))
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1)))  # it had fetched before the newer was there
    assert talk.runs == [SyncOrder(fetch=True)]
    assert talk.hear(ev.SyncEnded(Synced(NEWER, pulled=1))).runs == []


@pytest.mark.parametrize("event", [SyncNow(), Woke(), PullOrder(None), MOVED])
@pytest.mark.parametrize("before", [False, True])
def test_a_sync_that_is_on_its_way_is_no_answer_to_what_is_asked_meanwhile(
    event: ev.Event, *, before: bool
) -> None:
    talk = started().hear(PullOrder(NEWS))
    for one in (event, PullOrder(NEWS)) if before else (PullOrder(NEWS), event):
        talk.hear(one)
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1)))
    assert talk.runs == [SyncOrder(fetch=True)]


# a look at everything


def test_nothing_is_synced_before_a_commit_has_got_through_the_whole_tree() -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(READY))
    assert talk.runs == [CommitOrder(EVERYTHING, gentle=True)]
    talk.hear(ev.CommitEnded(Waiting(Why.LOCKED, "git status is running.")))
    second = 0
    while not talk.runs:
        second += 1
        talk.now += 1
        talk.hear(changed(b"log"))
    assert second <= POLICY.commit_within
    (again,) = talk.runs
    assert again == CommitOrder(Scope(frozenset({b"log"}), everything=True))
    assert talk.hear(ev.CommitEnded(NOTHING)).runs == [SyncOrder(fetch=True, gentle=True)]


def test_a_tree_in_which_everything_always_changes_is_synced_all_the_same() -> None:
    talk = started()
    talk.hear(ev.Changed(EVERYTHING)).later(2)
    for _ in range(3):
        assert [type(one) for one in talk.runs] == [CommitOrder]
        talk.hear(ev.Changed(EVERYTHING)).hear(PullOrder(None)).hear(ev.CommitEnded(MADE))
        assert talk.runs == [SyncOrder(fetch=True, pending=EVERYTHING)]
        talk.hear(ev.Changed(EVERYTHING)).hear(ev.SyncEnded(Synced(HEAD))).later(2)


def test_a_sync_that_meets_what_a_commit_would_ask_about_leaves_it_to_a_commit() -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(VANISHED))
    assert talk.status[0] is Status.HALTED
    assert talk.due_in > 3000
    talk.hear(changed(b"a")).later(2)
    assert talk.runs == [CommitOrder(EVERYTHING | Scope(frozenset({b"a"})))]
    assert talk.hear(ev.CommitEnded(VANISHED)).runs == []
    (answered,) = talk.hear(Resume()).runs
    assert isinstance(answered, CommitOrder)
    assert answered.allowed == {VANISHED.kind}
    assert talk.hear(ev.CommitEnded(MADE)).runs == [SyncOrder(fetch=True)]


# rules that change


def test_rules_that_always_change_stop_nothing() -> None:
    talk = started()
    runs = under(talk, lambda number: ev.RulesChanged() if number % 50 else PullOrder(None))
    assert 3 <= runs.count(Inspect) < 20
    assert runs.count(CommitOrder) >= runs.count(Inspect)
    assert runs.count(SyncOrder) >= 8


def test_rules_that_change_while_they_are_looked_at_are_looked_at_again() -> None:
    talk = started().hear(ev.RulesChanged()).later(POLICY.commit_after)
    assert talk.runs == [Inspect()]
    talk.hear(ev.RulesChanged())  # a folder is ignored no longer, say
    talk.now += 60
    assert talk.hear(ev.InspectEnded(READY)).runs == [CommitOrder(EVERYTHING)]
    talk.hear(ev.CommitEnded(NOTHING)).later(POLICY.commit_after)
    assert talk.runs == [Inspect()]
    talk.hear(ev.InspectEnded(READY)).hear(ev.CommitEnded(NOTHING))
    assert Inspect() not in talk.later(600).runs


@pytest.mark.parametrize("bad", [Failed("git-failed", "no."), Waiting(Why.LOCKED, "locked.")])
def test_rules_that_could_not_be_looked_at_are_looked_at_again(bad: Failed | Waiting) -> None:
    talk = started().hear(ev.RulesChanged()).later(POLICY.commit_after)
    assert talk.hear(ev.InspectEnded(bad)).runs == []
    assert talk.later(talk.due_in).runs == [Inspect()]


def test_a_root_that_goes_while_it_is_looked_at_is_looked_at_again() -> None:
    talk = started().hear(ev.RootGone())
    talk.hear(ev.RootGone()).hear(ev.InspectEnded(READY)).hear(ev.CommitEnded(NOTHING))
    talk.hear(ev.SyncEnded(Synced(HEAD))).later(POLICY.commit_after)
    assert talk.runs == [Inspect()]


def test_a_person_who_says_sync_has_nothing_inspected_anew() -> None:
    assert Inspect() not in started().hear(SyncNow()).runs


# held files


def held_and_away(talk: Conversation, seconds: float) -> list[float]:
    """The times at which the held files are tried, while the remote is away."""
    tries, end = [], talk.now + seconds
    while talk.now < end:
        for verb in talk.runs:
            if isinstance(verb, SyncOrder) and verb.local:
                tries.append(talk.now)
                talk.hear(ev.SyncEnded(Synced(HEAD, held=("a: waits",))))
            else:
                away = ev.SyncEnded(Away(AwayKind.NETWORK, "away."))
                talk.hear(away if isinstance(verb, SyncOrder) else ENDS[type(verb)])
        if not talk.runs:
            talk.later(talk.due_in)
    return tries


def test_held_files_are_tried_again_while_the_remote_is_away() -> None:
    talk = started(POLLING).hear(PullOrder(NEWS))
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1, held=("a: waits",))))
    assert 10 < len(held_and_away(talk, 600)) < 30


def test_files_that_were_held_before_a_start_are_tried_though_the_remote_is_away() -> None:
    talk = Conversation(POLLING).hear(ev.Tick()).hear(ev.InspectEnded(replace(READY, held=True)))
    assert 10 < len(held_and_away(talk, 600)) < 30


@pytest.mark.parametrize("ended", [Failed("git-failed", "no."), Dirty("b"), NoRemote(), Aborted()])
def test_a_try_of_held_files_that_fails_does_not_spin(ended: SyncOutcome) -> None:
    talk = started().hear(PullOrder(NEWS))
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1, held=("a: waits",))))
    tries, end = 0, talk.now + 600
    while talk.now < end:
        for verb in talk.runs:
            local = isinstance(verb, SyncOrder) and verb.local
            tries += local
            talk.hear(ev.SyncEnded(ended) if local else ENDS[type(verb)])
        if not talk.runs:
            talk.later(talk.due_in)
    assert tries < 30


def test_what_a_try_of_held_files_has_merged_goes_out_without_polling() -> None:
    talk = started().hear(PullOrder(NEWS))
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1, held=("a: waits",))))
    (local,) = talk.later(talk.due_in).runs
    assert local == SyncOrder(fetch=False, push=False, local=True)
    talk.hear(ev.SyncEnded(Synced(NEWER, ahead=True)))
    assert talk.later(talk.due_in).runs == [SyncOrder(fetch=False)]


# staged content

STAGED = Waiting(Why.STAGED, "You have staged changes.")
LOCKED = Waiting(Why.LOCKED, "git status is running.")


def test_what_is_staged_is_committed_in_time_though_only_a_sync_has_met_it() -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(STAGED))
    since = talk.now
    while CommitOrder not in map(type, talk.runs):
        if talk.runs == [Snapshot()]:
            talk.hear(ev.SnapshotEnded(Snapshotted()))
        elif talk.runs:
            talk.hear(ev.SyncEnded(STAGED))
        else:
            talk.later(talk.due_in)
        assert talk.now < since + POLICY.staged_wait + 60
    assert talk.now >= since + POLICY.staged_wait
    assert talk.runs == [CommitOrder(NOTHING_CHANGED, ignore_staged=True)]
    assert talk.hear(ev.CommitEnded(MADE)).runs == [SyncOrder(fetch=True)]


def test_what_is_staged_is_committed_in_time_though_a_lock_is_met_now_and_then() -> None:
    talk = started().hear(changed(b"a")).later(2)
    since, looks = talk.now, 0
    while not (talk.runs and getattr(talk.runs[0], "ignore_staged", False)):
        if talk.runs == [Snapshot()]:
            talk.hear(ev.SnapshotEnded(Snapshotted()))
        elif talk.runs:
            looks += 1
            talk.hear(ev.CommitEnded(STAGED if looks % 5 else LOCKED))
        else:
            talk.later(talk.due_in)
    assert talk.now < since + POLICY.staged_wait + 60


@pytest.mark.parametrize("event", [ev.BranchMoved(), ev.SyncEnded(Synced(NEWS, pulled=1))])
def test_what_is_staged_next_is_waited_for_as_long(event: ev.Event) -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(STAGED))
    talk.later(talk.due_in).hear(event)  # the person has committed it, or taken it back
    for _ in range(20):
        talk.later(max(talk.due_in, 0.1))
        for verb in talk.runs:
            talk.hear(ENDS.get(type(verb), ev.Tick()))
    assert talk.state.staged_since is None


# new folders


def test_folders_that_never_stop_coming_stop_nothing() -> None:
    def noise(number: int) -> ev.Event:
        name = b"%d" % number
        new_folder = ev.Changed(Scope(frozenset({name})), frozenset({name}))
        return new_folder if number % 50 else PullOrder(None)

    runs = under(started(), noise)
    assert runs.count(Judge) > 100
    assert runs.count(CommitOrder) >= 200 / POLICY.commit_within - 1
    assert runs.count(SyncOrder) >= 8


# snapshots


@pytest.mark.parametrize("why", [Why.OPERATION, Why.OTHER_BRANCH, Why.STAGED])
def test_a_snapshot_is_taken_though_something_always_changes(why: Why) -> None:
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(Waiting(why, "words.")))
    ends = {**ENDS, CommitOrder: ev.CommitEnded(Waiting(why, "words."))}
    runs = under(talk, lambda number: changed(b"%d" % number), ends)
    assert 2 <= runs.count(Snapshot) <= 200 / POLICY.commit_within + 1
    assert CommitOrder in runs


# commits that fail


def test_while_commits_fail_syncs_go_on_between_two_of_them() -> None:
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(MADE))
    talk.hear(changed(b"b")).later(2)
    failed = ev.CommitEnded(Failed("git-failed", "no."))
    commits, syncs, end = 0, 0, talk.now + 3600
    while talk.now < end:
        for verb in talk.runs:
            if isinstance(verb, CommitOrder):
                commits += 1
                talk.hear(failed).hear(PullOrder(None))
            else:
                syncs += isinstance(verb, SyncOrder)
                talk.hear(ENDS[type(verb)])
        if not talk.runs:
            talk.later(talk.due_in)
    assert syncs >= 10
    assert 10 < commits < 30, "slower and slower"


def test_nothing_is_synced_while_a_hook_declines_the_commit() -> None:
    """It would take along what the hook has declined, should that meet what comes in."""
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(MADE))
    talk.hear(changed(b"b")).later(2)
    declined = ev.CommitEnded(Waiting(Why.HOOK, "Nothing is committed or synced."))
    runs = under(
        talk,
        lambda number: changed(b"b") if number % 7 else PullOrder(None),
        {**ENDS, CommitOrder: declined},
    )
    assert set(runs) == {CommitOrder, Snapshot}
    while CommitOrder not in map(type, talk.runs):
        talk.hear(ENDS[type(talk.runs[0])]) if talk.runs else talk.later(talk.due_in)
    assert talk.hear(ev.CommitEnded(MADE)).runs == [SyncOrder(fetch=True)]


def test_however_much_there_is_to_tell_of_a_history_it_fits_into_a_link() -> None:
    """Its roots are channels, and commits of others name their machines."""
    channels = tuple(Channel(f"{number:064x}") for number in range(ROOTS + 2))
    wide = replace(HERE, channels=channels, url="\U0001f600" * 400)
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(replace(READY, identity=wide)))
    (told,) = (report for report in talk.reports if isinstance(report, Identity))
    encode(told)
    talk.hear(ev.CommitEnded(NOTHING))
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=1, hosts=("\U0001f600" * 900,) * 3)))
    (pulled,) = (report for report in talk.reports if isinstance(report, Pulled))
    encode(pulled)
