"""Conversations with one repository's machine: what is said to it, and what it orders."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest

from autosyncd.link.messages import (
    Announce,
    Committed,
    Conflict,
    Describe,
    HeadMoved,
    Identity,
    Online,
    Problem,
    Pulled,
    PullOrder,
    Resume,
    Retry,
    Solved,
    StatusChanged,
    SyncNow,
    Woke,
)
from autosyncd.model import Channel, Head, RepoConfig, Status, TreeId
from autosyncd.vcs.changes import EVERYTHING, NOTHING_CHANGED, Scope
from autosyncd.vcs.orders import (
    CommitOrder,
    Housekeep,
    Identify,
    Inspect,
    Judge,
    Snapshot,
    Sweep,
    SyncOrder,
    Verb,
)
from autosyncd.vcs.outcomes import (
    AtHead,
    Away,
    AwayKind,
    CommitMade,
    Dirty,
    Failed,
    Identified,
    LeftOut,
    NoRemote,
    NothingToCommit,
    Question,
    Ready,
    Relinked,
    Snapshotted,
    Synced,
    Unfit,
    Waiting,
    Why,
)
from autosyncd.worker import events as ev
from autosyncd.worker.atrest import HOUSEKEEP_AGAIN, HOUSEKEEP_EVERY
from autosyncd.worker.commands import (
    AbortNetwork,
    Command,
    Interrupt,
    Quit,
    Remember,
    Report,
    Run,
    Say,
    SettleWatches,
    SetWatches,
)
from autosyncd.worker.machine import deadline, step
from autosyncd.worker.state import State

POLICY = RepoConfig(path="/home/alice/notes", name="notes", poll_every="never")
POLLING = replace(POLICY, poll_every="auto")
HEAD = Head("main", "a" * 40)
NEWS = Head("main", "c" * 40)
"""What another machine has pushed."""
HERE = Identified(TreeId("t" * 32), (), "origin", "main", None, "/hub.git")
READY = Ready(
    identity=HERE,
    ignored=frozenset(),
    state_folder=b"/state",
)
ALONE = replace(READY, identity=replace(HERE, remote=None, url=""))
MADE = CommitMade(HEAD, 1, "notes: edit todo.md (laptop)")
NOTHING = NothingToCommit(HEAD)


class Conversation:
    """One machine and a clock of the test's."""

    def __init__(self, policy: RepoConfig = POLICY) -> None:
        self.policy, self.now, self.state = policy, 1000.0, State()
        self.commands: list[Command] = []
        self.status = (Status.STARTING, "")
        self.until: float | None = None

    def hear(self, event: ev.Event) -> "Conversation":
        self.state, self.commands = step(self.state, event, now=self.now, policy=self.policy)
        for command in self.commands:
            if isinstance(command, Report) and isinstance(command.message, StatusChanged):
                self.status = (command.message.status, command.message.reason)
                self.until = command.message.until
        by_the_way: dict[Verb, ev.Event] = {
            Sweep(): ev.SweepEnded(left=False),
            Housekeep(): ev.HousekeepEnded(packed=False),
        }
        for verb, end in by_the_way.items():
            if Run(verb) in self.commands:
                before = [one for one in self.commands if one != Run(verb)]
                self.hear(end)
                self.commands = before + self.commands
        return self

    def later(self, seconds: float) -> "Conversation":
        self.now += seconds
        return self.hear(ev.Tick())

    @property
    def runs(self) -> list[object]:
        return [command.verb for command in self.commands if isinstance(command, Run)]

    @property
    def reports(self) -> list[object]:
        found = [one.message for one in self.commands if isinstance(one, Report)]
        return [message for message in found if not isinstance(message, StatusChanged)]

    @property
    def due_in(self) -> float:
        return deadline(self.state, now=self.now, policy=self.policy) - self.now


def started(policy: RepoConfig = POLICY) -> Conversation:
    """In sync, at rest."""
    talk = Conversation(policy).hear(ev.Tick())
    talk.hear(ev.InspectEnded(READY)).hear(ev.CommitEnded(NOTHING)).hear(ev.SyncEnded(Synced(HEAD)))
    talk.later(2)
    talk.state = replace(talk.state, housekeep_due=math.inf)
    assert not talk.runs
    return talk


def changed(*paths: bytes) -> ev.Changed:
    return ev.Changed(Scope(frozenset(paths)))


def test_a_start_looks_commits_everything_and_syncs_in_this_order() -> None:
    talk = Conversation()
    assert talk.hear(ev.Tick()).runs == [Inspect(gentle=True)]
    assert talk.hear(ev.InspectEnded(READY)).runs == [CommitOrder(EVERYTHING, gentle=True)]
    assert SetWatches(frozenset()) in talk.commands
    assert talk.hear(ev.CommitEnded(NOTHING)).runs == [SyncOrder(fetch=True, gentle=True)]
    talk.hear(ev.SyncEnded(Synced(HEAD)))
    assert talk.status == (Status.IDLE, "")
    assert talk.reports == [HeadMoved(HEAD)]


def test_watches_are_set_before_everything_is_looked_at() -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(READY))
    kinds = [type(command) for command in talk.commands]
    assert kinds.index(SetWatches) < kinds.index(Run)


def test_an_edit_is_committed_after_the_quiet_time_and_pushed_a_moment_later() -> None:
    talk = started().hear(changed(b"todo.md"))
    assert talk.status == (Status.SETTLING, "")
    assert talk.due_in == POLICY.commit_after
    assert talk.later(1.9).runs == []
    assert talk.later(0.1).runs == [CommitOrder(Scope(frozenset({b"todo.md"})))]
    talk.hear(ev.CommitEnded(MADE))
    assert Committed(HEAD, 1, MADE.subject) in talk.reports
    assert talk.due_in == POLICY.push_after
    assert talk.later(3).runs == [SyncOrder(fetch=False)]
    assert talk.hear(ev.Pushed(HEAD)).reports == [Announce(HEAD)]
    talk.hear(ev.SyncEnded(Synced(HEAD, pushed=True)))
    assert talk.status == (Status.IDLE, "")


def test_what_was_named_stays_named_when_everything_is_looked_at() -> None:
    """The kernel names what was written; stat does not always tell."""
    talk = started().hear(changed(b"a"))
    talk.state = replace(talk.state, last_scan=talk.now - 7200)
    (scan,) = talk.later(0.1).runs
    named = Scope(frozenset({b"a"}), everything=True)
    assert scan == CommitOrder(named)
    talk.hear(ev.CommitEnded(Failed("git-failed", "no"))).hear(changed(b"b"))
    (again,) = talk.later(5).runs
    assert again == CommitOrder(named | Scope(frozenset({b"b"})))


def test_a_burst_is_one_commit() -> None:
    talk = started()
    for number in range(50):
        talk.hear(changed(b"f%d" % number))
        talk.now += 1.0
    assert talk.later(1.0).runs == [
        CommitOrder(Scope(frozenset(b"f%d" % number for number in range(50))))
    ]


def test_a_tree_that_never_rests_is_committed_within_the_longest_wait() -> None:
    talk = started()
    waited = 0.0
    while not talk.hear(changed(b"log")).runs:
        talk.now += 1.0
        waited += 1.0
    assert waited == POLICY.commit_within


def test_what_changes_during_a_commit_is_committed_next() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(changed(b"b")).hear(ev.CommitEnded(MADE))
    assert talk.later(2).runs == [CommitOrder(Scope(frozenset({b"b"})))]


def test_a_new_folder_is_judged_before_anything_is_committed() -> None:
    talk = started().hear(ev.Changed(Scope(frozenset({b"d"})), frozenset({b"d"})))
    assert talk.runs == [Judge(frozenset({b"d"}))]
    talk.hear(ev.JudgeEnded(frozenset({b"d"}), frozenset()))
    assert SettleWatches(frozenset(), frozenset({b"d"})) in talk.commands


def test_a_failed_commit_forgets_nothing() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(Failed("git-failed", "git add failed: no.")))
    assert talk.reports == [Problem("git-failed", "git add failed: no.")]
    assert talk.status == (Status.RETRYING, "git add failed: no.")
    assert talk.due_in == 5.0
    assert talk.later(5).runs == [CommitOrder(Scope(frozenset({b"a"})))]
    assert Solved("git-failed") in talk.hear(ev.CommitEnded(MADE)).reports


def test_a_remote_that_is_away_is_retried_slower_and_slower_while_commits_go_on() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(MADE)).later(3)
    away = Away(AwayKind.NETWORK, "origin can't be reached.")
    delays = []
    for _ in range(9):
        talk.hear(ev.SyncEnded(away))
        delays.append(talk.due_in)
        talk.later(talk.due_in)
    assert delays == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    talk.hear(ev.SyncEnded(away)).hear(changed(b"b"))
    assert talk.later(2).runs == [CommitOrder(Scope(frozenset({b"b"})))]


@pytest.mark.parametrize("event", [PullOrder(NEWS), Online(yes=True), Woke(), SyncNow()])
def test_a_remote_that_is_away_is_tried_at_once_when_there_is_reason_to(event: ev.Event) -> None:
    talk = started().hear(PullOrder(NEWS))
    for _ in range(5):
        talk.hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away."))).later(talk.due_in)
    talk.hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away.")))
    assert talk.runs == []
    assert [type(verb) for verb in talk.hear(event).runs] == [SyncOrder]


@pytest.mark.parametrize("event", [PullOrder(NEWS), Online(yes=True), Woke()])
def test_a_key_that_wants_consent_asks_once_an_hour_or_when_a_person_says_sync(
    event: ev.Event,
) -> None:
    talk = started().hear(PullOrder(NEWS))
    away = Away(AwayKind.CONFIRMATION, "origin: touch the key.")
    assert talk.hear(ev.SyncEnded(away)).reports == [
        Problem("confirmation", "origin: touch the key.")
    ]
    assert talk.hear(event).runs == []
    assert talk.due_in > 3500
    assert [type(verb) for verb in talk.hear(SyncNow()).runs] == [SyncOrder]


def test_a_person_is_told_of_missing_credentials_at_once_and_of_a_silent_network_later() -> None:
    talk = started().hear(PullOrder(NEWS))
    away = Away(AwayKind.CREDENTIALS, "origin: load the key.")
    assert talk.hear(ev.SyncEnded(away)).reports == [
        Problem("credentials", "origin: load the key.")
    ]
    assert talk.later(5).hear(ev.SyncEnded(away)).reports == []
    assert talk.later(10).hear(ev.SyncEnded(Synced(HEAD))).reports == [Solved("credentials")]
    talk.hear(PullOrder(NEWS))
    assert talk.hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away."))).reports == []


def test_a_remote_without_room_is_a_problem_of_its_own_until_a_push_finds_some() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(MADE)).later(3)
    full = "origin has no space left."
    talk.hear(ev.SyncEnded(Synced(HEAD, full=full)))
    assert talk.status == (Status.RETRYING, full)
    assert talk.reports.count(Problem("push-full", full)) == 1
    assert talk.hear(changed(b"b")).later(2).runs == [CommitOrder(Scope(frozenset({b"b"})))]
    talk.hear(ev.CommitEnded(MADE))
    talk.hear(PullOrder(NEWS))
    (pull,) = talk.runs
    assert isinstance(pull, SyncOrder)
    assert (pull.fetch, pull.push) == (True, False)
    said = talk.hear(ev.SyncEnded(Synced(NEWS))).reports
    assert not [report for report in said if isinstance(report, Problem | Solved)]
    talk.later(300)
    push = next(verb for verb in talk.runs if isinstance(verb, SyncOrder))
    assert push.push
    assert (
        Problem("push-full", full) not in talk.hear(ev.SyncEnded(Synced(NEWS, full=full))).reports
    )
    talk.later(300)
    assert Solved("push-full") in talk.hear(ev.SyncEnded(Synced(HEAD, pushed=True))).reports
    assert talk.status == (Status.IDLE, "")


def test_a_refused_push_is_told_in_the_servers_words_and_tried_slowly() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(MADE)).later(3)
    talk.hear(ev.SyncEnded(Synced(HEAD, refused="protected branch hook declined")))
    assert talk.status[0] is Status.RETRYING
    assert "protected branch hook declined" in talk.status[1]
    assert [type(report) for report in talk.reports if isinstance(report, Problem)] == [Problem]
    talk.policy = POLLING
    seen = []
    for _ in range(100):
        talk.later(max(talk.due_in, 0.0))
        seen += talk.runs
        if talk.runs and isinstance(talk.runs[0], SyncOrder):
            refused = "no" if talk.runs[0].push else ""
            talk.hear(ev.SyncEnded(Synced(HEAD, refused=refused)))
        elif talk.runs:
            talk.hear(ev.CommitEnded(NOTHING))
        if talk.now > 1000 + 3000:
            break
    pushes = [verb for verb in seen if isinstance(verb, SyncOrder) and verb.push]
    assert 3 <= len(pushes) <= 6
    pulls = [verb.fetch for verb in seen if isinstance(verb, SyncOrder) and not verb.push]
    assert pulls
    assert all(pulls)


def test_a_push_that_is_announced_twice_is_fetched_once() -> None:
    other = Head("main", "b" * 40)
    talk = started().hear(PullOrder(other))
    assert talk.runs == [SyncOrder(fetch=True)]
    talk.hear(PullOrder(other))
    assert talk.hear(ev.SyncEnded(Synced(other, pulled=1))).runs == []
    assert talk.hear(PullOrder(other)).runs == []
    assert talk.hear(PullOrder(None)).runs == [SyncOrder(fetch=True)]


def test_a_dirty_tree_is_committed_then_synced_again() -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(Dirty("x not uptodate")))
    assert talk.runs == [CommitOrder(EVERYTHING)]
    talk.hear(ev.CommitEnded(MADE))
    assert talk.later(1).runs == [SyncOrder(fetch=True)]


def test_a_file_that_can_never_be_committed_does_not_spin() -> None:
    talk = started().hear(PullOrder(NEWS))
    rounds = 0
    end = talk.now + 3600
    while talk.now < end:
        if talk.runs and isinstance(talk.runs[0], SyncOrder):
            talk.hear(ev.SyncEnded(Dirty("x not uptodate")))
            rounds += 1
        elif talk.runs:
            talk.hear(ev.CommitEnded(NOTHING))
        else:
            talk.later(max(talk.due_in, 0.001))
    assert rounds < 40


@pytest.mark.parametrize("why", [Why.OPERATION, Why.DETACHED, Why.OTHER_BRANCH, Why.LOCKED])
def test_while_the_person_is_busy_it_waits_says_why_and_goes_on(why: Why) -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(Waiting(why, "You are in the middle of a merge.")))
    assert talk.status == (Status.WAITING, "You are in the middle of a merge.")
    assert 0 < talk.due_in <= 5
    snapshots = 0
    for _ in range(20):
        talk.later(talk.due_in)
        if talk.runs == [Snapshot()]:
            snapshots += 1
            talk.hear(ev.SnapshotEnded(Snapshotted(new=True)))
            continue
        assert talk.runs == [CommitOrder(Scope(frozenset({b"a"})))]
        talk.hear(ev.CommitEnded(Waiting(why, "You are in the middle of a merge.")))
    assert talk.due_in <= 30
    assert snapshots == 1, "the bytes are safe meanwhile"
    talk.later(talk.due_in).hear(ev.CommitEnded(MADE))
    assert talk.later(3).runs == [SyncOrder(fetch=False)]


def test_a_snapshot_that_is_not_on_the_remote_yet_is_tried_again() -> None:
    talk = started().hear(changed(b"a")).later(2)
    busy = Waiting(Why.OPERATION, "You are in the middle of a merge.")
    talk.hear(ev.CommitEnded(busy))
    snapshots = []
    while len(snapshots) < 4:
        talk.later(talk.due_in)
        if talk.runs == [Snapshot()]:
            snapshots.append(talk.now)
            talk.hear(ev.SnapshotEnded(Snapshotted(left=len(snapshots) < 4)))
        else:
            talk.hear(ev.CommitEnded(busy))
    assert all(60 <= later - before <= 90 for before, later in pairwise(snapshots))
    for _ in range(20):
        talk.later(talk.due_in)
        assert talk.runs != [Snapshot()]
        talk.hear(ev.CommitEnded(busy))


def test_staged_content_is_waited_for_and_then_committed_first() -> None:
    talk = started().hear(changed(b"a")).later(2)
    staged = Waiting(Why.STAGED, "You have staged changes.")
    began = talk.now
    while not (talk.runs and getattr(talk.runs[0], "ignore_staged", False)):
        if talk.runs == [Snapshot()]:
            talk.hear(ev.SnapshotEnded(Snapshotted(new=True)))
        elif talk.runs:
            talk.hear(ev.CommitEnded(staged))
        else:
            talk.later(talk.due_in)
        assert talk.now - began < 700
    assert talk.now - began >= POLICY.staged_wait


def test_a_repository_that_vanishes_halts_and_comes_back() -> None:
    talk = started().hear(ev.RootGone())
    assert talk.runs == [Inspect()]
    talk.hear(ev.InspectEnded(Waiting(Why.GONE, "/home/alice/notes isn't there.")))
    assert talk.status == (Status.HALTED, "/home/alice/notes isn't there.")
    assert Problem("gone", "/home/alice/notes isn't there.") in talk.reports
    assert 0 < talk.due_in <= 30
    talk.later(talk.due_in).hear(ev.InspectEnded(READY))
    assert Solved("gone") in talk.reports
    assert talk.runs == [CommitOrder(EVERYTHING)]


def test_a_root_that_git_finds_and_the_kernel_does_not_is_looked_for_more_and_more_slowly() -> None:
    talk = started().hear(ev.RootGone())
    looks, end = 0, talk.now + 600
    while talk.now < end:
        assert talk.runs == [Inspect()]
        looks += 1
        talk.hear(ev.InspectEnded(READY)).hear(ev.RootGone()).hear(ev.CommitEnded(NOTHING))
        if not talk.runs:
            assert "can't be watched" in talk.status[1] or looks < 4
            talk.later(talk.due_in)
    assert 10 < looks < 40
    assert "unwatchable" in talk.state.problems
    talk.hear(ev.InspectEnded(READY))
    talk.now += 7200
    assert Solved("unwatchable") in talk.hear(ev.CommitEnded(NOTHING)).reports


def test_a_path_that_leads_elsewhere_now_begins_there_anew() -> None:
    talk = started().hear(ev.RootGone())
    talk.hear(ev.InspectEnded(Waiting(Why.GONE, "/home/alice/notes isn't there.")))
    talk.later(talk.due_in).hear(ev.InspectEnded(Relinked("it goes on there.")))
    assert Solved("gone") in talk.reports
    assert Say("it goes on there.") in talk.commands
    assert Quit(elsewhere=True) in talk.commands
    assert talk.runs == []
    assert talk.hear(changed(b"a")).commands == []


def test_what_is_no_repository_fails_and_is_looked_at_again() -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(Unfit("not a git repository")))
    assert talk.status == (Status.FAILED, "not a git repository")
    assert 5 < talk.due_in <= 60
    assert talk.later(talk.due_in).runs == [Inspect(gentle=True)]


def test_a_question_halts_and_resume_goes_on_with_the_answer() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(Question("mass-deletion", "214 of 230 files vanished.")))
    assert talk.status == (
        Status.HALTED,
        "214 of 230 files vanished. To go on: autosyncctl resume notes "
        "(to get the files back: git -C /home/alice/notes checkout-index -aq)",
    )
    assert talk.due_in > 3000
    assert talk.hear(changed(b"b")).runs == []
    assert talk.hear(PullOrder(NEWS)).runs == []
    talk.hear(Resume())
    assert Solved("mass-deletion") in talk.reports
    assert Remember(-math.inf, frozenset({"mass-deletion"})) in talk.commands
    order = CommitOrder(Scope(frozenset({b"a", b"b"})), frozenset({"mass-deletion"}))
    assert talk.runs == [order]


VANISHED = Question("mass-deletion", "214 of 230 files vanished.")
INCOMING = Question("incoming-mass-deletion", "40 of 40 files would be deleted here.")


def test_a_question_is_void_when_the_files_are_put_back() -> None:
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(VANISHED))
    assert talk.hear(changed(b"a")).runs == []
    assert talk.later(1).hear(changed(b"b")).due_in == POLICY.commit_after, "when it is quiet"
    assert talk.later(2).runs == [CommitOrder(Scope(frozenset({b"a", b"b"})))]
    assert talk.status[0] is Status.HALTED
    assert Solved("mass-deletion") in talk.hear(ev.CommitEnded(NOTHING)).reports
    assert talk.status == (Status.IDLE, "")


def test_a_question_that_has_changed_shows_the_new_numbers_and_the_same_one_is_not_told_again() -> (
    None
):
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(VANISHED))
    talk.hear(changed(b"b")).later(2)
    assert talk.hear(ev.CommitEnded(VANISHED)).reports == []
    talk.hear(changed(b"c")).later(2)
    talk.hear(ev.CommitEnded(Question("mass-deletion", "120 of 230 files vanished.")))
    solved, told = talk.reports
    assert solved == Solved("mass-deletion")
    assert isinstance(told, Problem)
    assert told.text.startswith("120 of 230 files vanished.")
    assert talk.status == (Status.HALTED, told.text)


def test_a_halted_tree_that_never_rests_is_looked_at_rarely() -> None:
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(VANISHED))
    looks, end = 0, talk.now + 3000
    while talk.now < end:
        if talk.hear(changed(b"log")).runs:
            looks += 1
            talk.hear(ev.CommitEnded(VANISHED))
        talk.now += 1.0
    assert 20 < looks < 80


def test_a_pull_order_is_no_reason_to_look_again_at_what_vanished_here() -> None:
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(VANISHED))
    assert talk.hear(PullOrder(NEWS)).runs == []
    assert talk.hear(SyncNow()).runs == [CommitOrder(Scope(frozenset({b"a"})))]


def test_what_comes_in_is_looked_at_again_when_the_remote_has_moved() -> None:
    talk = started(POLLING).hear(PullOrder(NEWS)).hear(ev.SyncEnded(INCOMING))
    assert "git revert" in talk.status[1]
    assert talk.due_in == 15, "it is polled"
    talk.hear(PullOrder(HEAD)).hear(PullOrder(Head("main", "d" * 40)))
    assert talk.runs == [SyncOrder(fetch=True)]
    assert talk.hear(ev.SyncEnded(INCOMING)).reports == []
    assert talk.later(15).runs == [SyncOrder(fetch=True)]
    talk.hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away.")))
    assert talk.status[0] is Status.HALTED
    talk.later(talk.due_in).hear(ev.SyncEnded(Synced(NEWS)))
    assert Solved("incoming-mass-deletion") in talk.reports
    assert talk.status == (Status.IDLE, "")


def test_while_it_is_asked_about_what_comes_in_edits_are_committed_all_the_same() -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(INCOMING))
    talk.hear(changed(b"a")).later(2)
    assert talk.runs == [CommitOrder(Scope(frozenset({b"a"})))]
    assert talk.hear(ev.CommitEnded(MADE)).runs == []
    assert talk.status[0] is Status.HALTED
    (look,) = talk.later(2).runs
    assert isinstance(look, SyncOrder)
    assert look.allowed == frozenset()
    talk.hear(ev.SyncEnded(INCOMING)).hear(Resume())
    (answered,) = talk.runs
    assert getattr(answered, "allowed", None) == {"incoming-mass-deletion"}


def test_an_answer_that_comes_during_another_look_counts() -> None:
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(VANISHED))
    talk.hear(changed(b"a")).later(2).hear(Resume())
    allowed = frozenset({"mass-deletion"})
    again = talk.hear(ev.CommitEnded(VANISHED)).runs
    assert again == [CommitOrder(Scope(frozenset({b"a"})), allowed)]
    talk.hear(ev.CommitEnded(VANISHED))
    assert talk.status[0] is Status.HALTED, "whoever asks in spite of that is heard"


def test_an_answer_about_what_comes_in_holds_until_here_and_there_agree() -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(INCOMING)).hear(Resume())
    answer = frozenset({INCOMING.kind})
    talk.hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away."))).hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(MADE)).later(5)
    assert talk.runs == [SyncOrder(fetch=True, allowed=answer)]
    talk.hear(ev.SyncEnded(Synced(NEWS, pulled=40)))
    assert Remember(-math.inf, frozenset()) in talk.commands
    talk.hear(PullOrder(MINE))
    assert talk.runs == [SyncOrder(fetch=True)]


@pytest.mark.parametrize("ready", [READY, ALONE])
@pytest.mark.parametrize("ended", [MADE, NOTHING])
def test_an_answer_about_what_vanished_holds_for_one_commit(
    ready: Ready, ended: CommitMade | NothingToCommit
) -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(ready)).hear(ev.CommitEnded(NOTHING))
    talk.hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away.")) if ready == READY else ev.Tick())
    talk.hear(changed(b"a")).later(2).hear(ev.CommitEnded(VANISHED)).hear(Resume())
    answered = CommitOrder(Scope(frozenset({b"a"})), frozenset({VANISHED.kind}))
    assert talk.runs == [answered]
    talk.hear(ev.CommitEnded(Waiting(Why.LOCKED, "git status is running.")))
    assert talk.later(talk.due_in).runs == [answered], "nothing was committed yet"
    talk.hear(ev.CommitEnded(ended))
    assert Remember(-math.inf, frozenset()) in talk.commands, "a successor asks as well"
    talk.hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away.")) if talk.runs else ev.Tick())
    talk.hear(changed(b"b")).later(2)
    assert talk.runs == [CommitOrder(Scope(frozenset({b"b"})))]


def test_a_pause_outlives_the_answer_beside_it() -> None:
    talk = started().hear(changed(b"a")).later(2).hear(ev.CommitEnded(VANISHED)).hear(Resume())
    until = talk.now + 3600
    talk.hear(ev.Paused(until)).hear(ev.CommitEnded(MADE))
    assert Remember(until, frozenset()) in talk.commands


def test_a_pause_touches_nothing_and_ends_by_itself() -> None:
    talk = started()
    talk.hear(ev.Paused(talk.now + 1800))
    assert talk.status == (Status.PAUSED, "")
    assert talk.hear(changed(b"a")).runs == []
    assert talk.hear(PullOrder(NEWS)).runs == []
    assert talk.due_in == 1800
    assert talk.later(1800).runs == [CommitOrder(Scope(frozenset({b"a"})))]


def test_a_pause_of_what_is_not_known_yet_waits_for_its_tree() -> None:
    """It is written down there, and would not outlive the worker."""
    talk = Conversation().hear(ev.Tick()).hear(ev.Paused(math.inf))
    talk.hear(ev.InspectEnded(Waiting(Why.GONE, "It is away.")))
    assert talk.due_in < 3600
    assert talk.later(talk.due_in).runs == [Inspect(gentle=True)]
    talk.hear(ev.InspectEnded(ALONE))
    assert talk.runs == []
    assert talk.due_in == math.inf


def test_the_end_of_a_pause_is_shown_and_told() -> None:
    """Also where there is nothing to do then, and where it is another one meanwhile."""
    talk = Conversation()
    talk.hear(ev.InspectEnded(ALONE)).hear(ev.CommitEnded(NOTHING))
    assert (talk.status, talk.until) == ((Status.IDLE, ""), None)
    talk.hear(ev.Paused(talk.now + 1800))
    assert (talk.status, talk.until) == ((Status.PAUSED, ""), talk.now + 1800)
    talk.hear(ev.Paused(talk.now + 60))
    assert talk.until == talk.now + 60
    talk.hear(ev.Paused(math.inf))
    assert (talk.status, talk.until) == ((Status.PAUSED, ""), None)
    talk.hear(ev.Paused(talk.now + 60)).later(60)
    assert (talk.status, talk.until) == ((Status.IDLE, ""), None)
    assert talk.hear(ev.Paused(talk.now - 1)).status == (Status.IDLE, "")


def test_a_pause_that_is_over_is_forgotten() -> None:
    """A clock that is set back must not bring it back with the next start."""
    talk = started().hear(ev.Paused(1000.0 + 1800))
    over = talk.later(1800)
    assert Remember(-math.inf, frozenset()) in over.commands


def test_resume_ends_a_pause() -> None:
    talk = started().hear(ev.Paused(math.inf)).hear(changed(b"a"))
    talk.now += 100
    assert talk.hear(Resume()).runs == [CommitOrder(Scope(frozenset({b"a"})))]


def test_sync_now_waits_for_no_quiet_time() -> None:
    talk = started().hear(changed(b"a"))
    assert talk.hear(SyncNow()).runs == [CommitOrder(Scope(frozenset({b"a"})))]
    assert talk.hear(ev.CommitEnded(MADE)).runs == [SyncOrder(fetch=True)]


def test_a_description_becomes_the_next_commits_message_once() -> None:
    talk = started().hear(Describe("Plan the garden")).hear(changed(b"a")).later(2)
    assert talk.runs == [CommitOrder(Scope(frozenset({b"a"})), description="Plan the garden")]
    talk.hear(ev.CommitEnded(MADE)).hear(changed(b"b")).later(2)
    assert talk.runs[0].description == ""  # type: ignore[attr-defined]


def test_without_a_remote_it_only_commits() -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(ALONE))
    talk.hear(ev.CommitEnded(MADE))
    assert talk.runs == []
    assert talk.status == (Status.IDLE, "")
    assert talk.later(2).due_in >= 500
    lost = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(NoRemote()))
    assert lost.status == (Status.IDLE, "")


@pytest.mark.parametrize("ask", [SyncNow(), Retry()])
def test_a_remote_that_is_added_later_is_noticed_when_a_person_asks(ask: ev.Event) -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(ALONE)).hear(ev.CommitEnded(NOTHING))
    assert talk.later(2).hear(ask).runs == [Identify()]
    who = Identity(HERE.tree, (), "origin", "main", None, HERE.url)
    assert who in talk.hear(ev.IdentityChanged(HERE)).reports
    assert talk.hear(ev.IdentifyEnded(AtHead(HEAD))).runs == [SyncOrder(fetch=True, gentle=True)]
    assert talk.hear(ev.SyncEnded(Synced(HEAD, pushed=True))).runs == []
    assert talk.status == (Status.IDLE, "")


def test_another_remote_is_not_blamed_for_what_the_old_one_did() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(MADE)).later(3)
    talk.hear(ev.SyncEnded(Synced(HEAD, refused="protected branch")))
    talk.hear(PullOrder(NEWS)).hear(ev.SyncEnded(Away(AwayKind.NOT_FOUND, "no such repository.")))
    talk.later(1).hear(ev.IdentityChanged(replace(HERE, url="/other.git")))
    assert {Solved("push-refused"), Solved("remote-not-found")} <= set(talk.reports)
    assert talk.runs == [SyncOrder(fetch=True)]
    assert talk.status == (Status.SETTLING, "")


def test_a_remote_that_is_named_and_is_not_there_is_said_and_looked_for() -> None:
    text = "There is no remote called upstream; add it with: git remote add upstream URL"
    missing = replace(HERE, remote=None, url="", missing=text)
    talk = Conversation(replace(POLICY, remote="upstream")).hear(ev.Tick())
    talk.hear(ev.InspectEnded(replace(ALONE, identity=missing)))
    assert Problem("remote-not-found", text) in talk.reports
    talk.hear(ev.CommitEnded(NOTHING)).later(1)
    assert talk.status == (Status.RETRYING, text)
    assert talk.later(30).runs == [Identify()]
    assert talk.hear(ev.IdentifyEnded(AtHead(HEAD))).runs == []
    assert talk.later(30).runs == [Identify()]
    talk.hear(ev.IdentityChanged(replace(HERE, remote="upstream")))
    assert Solved("remote-not-found") in talk.reports
    assert talk.hear(ev.IdentifyEnded(AtHead(HEAD))).runs == [SyncOrder(fetch=True, gentle=True)]


def test_another_channel_is_told_and_nothing_else_is_done() -> None:
    talk = started()
    known = replace(HERE, channels=(Channel("c" * 64),))
    assert talk.hear(ev.IdentityChanged(known)).reports == [
        Identity(HERE.tree, known.channels, "origin", "main", None, HERE.url)
    ]
    assert talk.runs == []
    assert talk.status == (Status.IDLE, "")


def test_a_remote_that_is_removed_leaves_a_tree_that_only_commits() -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.SyncEnded(Away(AwayKind.NETWORK, "away.")))
    talk.hear(ev.IdentityChanged(replace(HERE, remote=None, url="")))
    assert talk.status == (Status.IDLE, "")
    talk.hear(changed(b"a")).later(2)
    assert talk.hear(ev.CommitEnded(MADE)).runs == []
    assert talk.later(600).runs == []


def test_a_reload_looks_again_at_what_can_not_be_worked_in() -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(Unfit("not a git repository")))
    assert talk.later(1).runs == []
    assert talk.hear(Retry()).runs == [Inspect(gentle=True)]


MINE = Head("main", "e" * 40)
"""A commit of the person's own."""


def test_a_commit_of_the_persons_own_goes_out_as_one_of_ours() -> None:
    talk = started().hear(ev.BranchMoved()).hear(ev.BranchMoved())
    assert talk.runs == []
    assert talk.later(talk.due_in).runs == [Identify()]
    assert talk.hear(ev.IdentifyEnded(AtHead(MINE))).status == (Status.SETTLING, "")
    assert talk.due_in == POLICY.push_after
    assert talk.later(3).runs == [SyncOrder(fetch=False)]
    talk.hear(ev.BranchMoved()).hear(ev.SyncEnded(Synced(MINE, pushed=True)))
    talk.later(talk.due_in)
    assert talk.runs == [Identify()]
    assert talk.hear(ev.IdentifyEnded(AtHead(MINE))).runs == []
    assert talk.due_in > 3000
    assert talk.status == (Status.IDLE, "")


def test_an_edit_that_the_person_commits_first_goes_out() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(NothingToCommit(MINE)))
    assert talk.later(3).runs == [SyncOrder(fetch=False)]


def test_a_tree_that_is_not_to_be_pushed_comes_to_rest() -> None:
    talk = started(replace(POLICY, push=False)).hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(MADE))
    assert talk.status == (Status.IDLE, "")
    talk.hear(PullOrder(NEWS)).hear(ev.SyncEnded(Synced(NEWS, pulled=1, ahead=True)))
    assert talk.status == (Status.IDLE, "")


def test_pulled_files_and_conflicts_are_reported() -> None:
    talk = started().hear(PullOrder(NEWS))
    other = Head("main", "b" * 40)
    talk.hear(ev.SyncEnded(Synced(other, False, 3, ("desktop",), (b"todo.md",))))
    assert talk.reports == [
        HeadMoved(other),
        Pulled(other, 3, ("desktop",)),
        Conflict(1, ("todo.md",)),
    ]


def test_what_was_left_out_is_told_once_by_kind_and_taken_back() -> None:
    talk = started().hear(changed(b"iso")).later(2)
    large = LeftOut(b"iso", "large", "is larger than large_file (900 MB)")
    talk.hear(ev.CommitEnded(NothingToCommit(HEAD, (large,))))
    text = "Not committed: iso: is larger than large_file (900 MB)."
    assert talk.reports == [Problem("left-out-large", text)]
    talk.hear(changed(b"iso")).later(2)
    assert talk.hear(ev.CommitEnded(NothingToCommit(HEAD, (large,)))).reports == []
    talk.later(3600)
    while not (talk.runs and talk.runs[0] == CommitOrder(EVERYTHING)):
        talk.hear(ev.SyncEnded(Synced(HEAD)))
        talk.later(max(0.0, talk.due_in))
    assert talk.hear(ev.CommitEnded(NOTHING)).reports == [Solved("left-out-large")]


def test_what_is_noted_of_a_tree_is_said_again_only_if_it_is_news() -> None:
    noted = replace(READY, note="git knows no author here")
    talk = started()
    for note, said in ((noted, 1), (noted, 0), (replace(READY, note="other"), 1), (READY, 0)):
        talk.hear(ev.RootGone())
        talk.hear(ev.InspectEnded(note))
        assert [type(one) for one in talk.commands].count(Say) == said
        talk.hear(ev.CommitEnded(NOTHING)).hear(ev.SyncEnded(Synced(HEAD)))


def test_a_repository_that_is_one_no_longer_is_named_no_longer() -> None:
    talk = started().hear(changed(b"proj")).later(2)
    nested = LeftOut(b"proj", "nested", "is a repository of its own")
    talk.hear(ev.CommitEnded(NothingToCommit(HEAD, (nested,))))
    assert [type(one) for one in talk.reports] == [Problem]
    talk.hear(changed(b"a")).later(2)
    assert talk.hear(ev.CommitEnded(NothingToCommit(HEAD))).reports == []
    talk.hear(changed(b"proj")).later(2)
    assert talk.hear(ev.CommitEnded(NothingToCommit(HEAD))).reports == [Solved("left-out-nested")]


def test_a_file_that_is_no_longer_left_out_is_taken_back_and_told_again_if_it_is() -> None:
    talk = started().hear(changed(b"d", b"other")).later(2)
    out = [LeftOut(path, "unreadable", "can't be read") for path in (b"d/secret", b"other")]
    talk.hear(ev.CommitEnded(NothingToCommit(HEAD, tuple(out))))
    assert len(talk.reports) == 1
    talk.hear(changed(b"d/secret")).later(2).hear(ev.CommitEnded(MADE))
    assert not [one for one in talk.reports if isinstance(one, Solved)], "one is left"
    talk.hear(changed(b"d/secret")).later(2)
    again = talk.hear(ev.CommitEnded(NothingToCommit(HEAD, tuple(out[:1])))).reports
    assert [type(one) for one in again] == [Solved, Problem]
    talk.hear(changed(b"d", b"other")).later(2)
    assert talk.hear(ev.CommitEnded(NOTHING)).reports == [Solved("left-out-unreadable")]


def test_polling_is_quick_while_somebody_works_and_slow_at_rest() -> None:
    talk = started(POLLING).hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(MADE)).later(3)
    talk.hear(ev.SyncEnded(Synced(HEAD, pushed=True)))
    assert talk.due_in == 15
    delays = []
    for _ in range(200):
        talk.later(talk.due_in)
        delays.append(talk.due_in)
        if talk.runs and isinstance(talk.runs[0], CommitOrder):
            talk.hear(ev.CommitEnded(NOTHING))
        talk.hear(ev.SyncEnded(Synced(HEAD)))
    assert talk.due_in == 300


def test_never_polling_still_hears_orders() -> None:
    talk = started()
    assert talk.due_in > 3000
    assert talk.hear(PullOrder(NEWS)).runs == [SyncOrder(fetch=True)]


def test_a_stop_commits_what_has_settled_and_quits() -> None:
    talk = started().hear(changed(b"a"))
    talk.now += 2
    talk.hear(ev.Stop())
    assert AbortNetwork() in talk.commands
    assert talk.runs == [CommitOrder(Scope(frozenset({b"a"})))]
    assert Quit() in talk.hear(ev.CommitEnded(MADE)).commands


def test_a_stop_does_not_commit_what_is_still_being_written() -> None:
    talk = started().hear(changed(b"a"))
    talk.hear(ev.Stop())
    assert talk.runs == []
    assert Quit() in talk.commands


def test_a_stop_in_the_middle_of_a_sync_waits_for_its_end() -> None:
    talk = started().hear(PullOrder(NEWS)).hear(ev.Stop())
    assert Quit() not in talk.commands
    assert Quit() in talk.hear(ev.SyncEnded(Synced(HEAD))).commands


def test_a_halted_repository_stops_without_doing_what_it_asked_about() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.hear(ev.CommitEnded(Question("mass-deletion", "gone."))).hear(ev.Stop())
    assert talk.runs == []
    assert Quit() in talk.commands


def test_an_incomplete_watch_is_told_and_made_up_for_by_looking_every_minute() -> None:
    talk = started().hear(ev.WatchState(complete=False, text="The limit of watches is too low."))
    assert talk.reports == [Problem("watch-limit", "The limit of watches is too low.")]
    waited = 0.0
    while CommitOrder(EVERYTHING) not in talk.runs:
        assert talk.due_in <= 60
        waited += talk.due_in
        talk.later(talk.due_in)
        if talk.runs and isinstance(talk.runs[0], SyncOrder):
            talk.hear(ev.SyncEnded(Synced(HEAD)))
    assert waited <= 60
    talk.hear(ev.CommitEnded(NOTHING)).hear(ev.WatchState(complete=True))
    assert Solved("watch-limit") in talk.reports


def test_the_numbers_of_what_is_not_watched_are_told_again_when_they_are_known() -> None:
    talk = started().hear(ev.WatchState(complete=False, text="1 of 2 folders can't be watched."))
    assert len(talk.reports) == 1
    for number in range(3, 60):
        talk.hear(changed(b"d%d" % number))
        text = f"{number - 1} of {number} folders can't be watched."
        talk.hear(ev.WatchState(complete=False, text=text))
        assert talk.reports == []
    talk.later(2)
    told = [Solved("watch-limit"), Problem("watch-limit", text)]
    assert [one for one in talk.hear(ev.CommitEnded(NOTHING)).reports if one in told] == told
    talk.hear(ev.WatchState(complete=False, text="60 of 61 folders can't be watched."))
    talk.hear(changed(b"a")).later(2)
    assert talk.hear(ev.CommitEnded(NOTHING)).reports == [], "not each time that one comes"
    talk.hear(ev.WatchState(complete=True))
    assert talk.reports == [Solved("watch-limit")]


def test_ignored_files_in_the_way_are_named_once() -> None:
    talk = started()

    def told(*files: bytes) -> list[object]:
        talk.hear(PullOrder(None))
        held = tuple(f"{file!r}: an incoming change waits" for file in files)
        talk.hear(ev.SyncEnded(Synced(HEAD, held=held, in_the_way=files)))
        return [one for one in talk.reports if isinstance(one, Problem | Solved)]

    (problem,) = told(b".env")
    assert isinstance(problem, Problem)
    assert problem.kind == "in-the-way"
    assert ".env" in problem.text
    assert told(b".env") == []
    solved, more = told(b".env", b"my.cfg")
    assert (type(solved), type(more)) == (Solved, Problem)
    assert ".env, my.cfg" in more.text  # type: ignore[attr-defined]
    assert told(b"my.cfg") == []
    assert told() == [Solved("in-the-way")]


# housekeeping


def housekeeping() -> Conversation:
    """It runs, and has not ended yet."""
    talk = started()
    talk.state = replace(talk.state, housekeep_due=talk.now + 60)
    talk.state, talk.commands = step(talk.state, ev.Tick(), now=talk.now + 60, policy=talk.policy)
    talk.now += 60
    assert talk.runs == [Housekeep()]
    return talk


def was_kept(talk: Conversation) -> bool:
    """Housekeep has just run to its end."""
    return talk.state.housekeep_due == talk.now + HOUSEKEEP_EVERY


@pytest.mark.parametrize("event", [changed(b"a"), PullOrder(NEWS), SyncNow(), Woke()])
def test_housekeeping_gives_way_at_once_and_comes_again(event: ev.Event) -> None:
    talk = housekeeping()
    assert Interrupt() in talk.hear(event).commands
    assert Interrupt() not in talk.hear(changed(b"b")).commands
    assert talk.runs == []
    ended = talk.hear(ev.HousekeepEnded(packed=False)).now
    seen = list(talk.runs)
    while not was_kept(talk):
        if not talk.runs:
            talk.later(talk.due_in)
        elif isinstance(talk.runs[0], CommitOrder):
            talk.hear(ev.CommitEnded(MADE))
        elif isinstance(talk.runs[0], Identify):
            talk.hear(ev.IdentifyEnded(AtHead(HEAD)))
        else:
            talk.hear(ev.SyncEnded(Synced(NEWS, pushed=True)))
        seen += talk.runs
    assert talk.now == ended + HOUSEKEEP_AGAIN
    assert {CommitOrder, SyncOrder} == {type(verb) for verb in seen} - {Identify}


def test_a_tree_that_never_rests_is_packed_at_last() -> None:
    talk = started()
    interrupted = 0
    for number in range(20):
        talk.state = replace(talk.state, scope=NOTHING_CHANGED, unpushed=False)
        talk.state = replace(talk.state, housekeep_due=talk.now)
        talk.state, talk.commands = step(talk.state, ev.Tick(), now=talk.now, policy=talk.policy)
        assert talk.runs == [Housekeep()]
        given_way = Interrupt() in talk.hear(changed(b"%d" % number)).commands
        interrupted += given_way
        talk.hear(ev.HousekeepEnded(packed=not given_way))
        talk.now += 0.5
    assert interrupted == 15  # every fourth was left to finish
    assert Interrupt() not in talk.commands


@pytest.mark.parametrize("event", [ev.Stop(), ev.Paused(math.inf)])
def test_housekeeping_always_gives_way_to_the_end(event: ev.Event) -> None:
    talk = housekeeping()
    talk.state = replace(talk.state, interruptions=99)
    assert Interrupt() not in talk.hear(changed(b"a")).commands
    assert Interrupt() in talk.hear(event).commands


def test_a_poll_is_no_reason_to_give_way() -> None:
    talk = housekeeping()
    assert Interrupt() not in talk.later(7200).commands


def test_housekeeping_waits_for_the_push_that_is_due_in_a_moment() -> None:
    talk = started().hear(changed(b"a")).later(2)
    talk.state = replace(talk.state, housekeep_due=talk.now)
    assert talk.hear(ev.CommitEnded(MADE)).runs == []
    assert talk.due_in == POLICY.push_after
    (push,) = talk.later(POLICY.push_after).runs
    assert isinstance(push, SyncOrder)
    assert not was_kept(talk)
    assert was_kept(talk.hear(ev.SyncEnded(Synced(HEAD, pushed=True))))


def test_without_a_remote_housekeeping_comes_all_the_same() -> None:
    talk = Conversation().hear(ev.Tick()).hear(ev.InspectEnded(ALONE))
    talk.hear(ev.CommitEnded(MADE))
    talk.state = replace(talk.state, housekeep_due=talk.now + 5)
    assert not was_kept(talk)
    assert was_kept(talk.later(5))
