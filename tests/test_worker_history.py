"""Random histories of two machines and a hub: whatever is lost, doubled or late, they end in sync.

The machines are the real ones; version control is a model of sets: a commit moves edits into local
history, a sync unites local history with the hub's. Notices between the two are lost, doubled and
reordered. Time is the test's own.
"""

from dataclasses import dataclass, field, replace
from hashlib import sha1

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autosyncd.link.messages import Announce, Online, PullOrder, Resume, SyncNow, Woke
from autosyncd.model import Head, RepoConfig, TreeId
from autosyncd.vcs.changes import Scope
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
    Aborted,
    AtHead,
    Away,
    AwayKind,
    CommitMade,
    Dirty,
    Failed,
    Identified,
    NothingToCommit,
    Question,
    Ready,
    Snapshotted,
    Synced,
    Waiting,
    Why,
)
from autosyncd.worker import events as ev
from autosyncd.worker.commands import Quit, Report, Run
from autosyncd.worker.handover import pack, unpack
from autosyncd.worker.machine import deadline, step
from autosyncd.worker.state import State

POLICY = RepoConfig(path="/notes", name="notes")
READY = Ready(Identified(TreeId("t"), (), "origin", "main", None, "/hub"), frozenset(), b"/state")
COMMIT_TROUBLE = (
    Waiting(Why.OPERATION, "merging"),
    Waiting(Why.STAGED, "staged"),
    Waiting(Why.LOCKED, "locked"),
    Failed("disk-full", "no space"),
    Question("mass-deletion", "gone"),
)
SYNC_TROUBLE = (
    Away(AwayKind.NETWORK, "away"),
    Away(AwayKind.CREDENTIALS, "asks"),
    Dirty("x"),
    Failed("git-failed", "no"),
    Question("rewritten-history", "rewritten"),
    Question("mass-deletion", "gone"),
)


@dataclass
class Machine:
    """One real machine and the model of its tree."""

    name: str
    policy: RepoConfig
    state: State = field(default_factory=State)
    edits: set[int] = field(default_factory=set)
    history: set[int] = field(default_factory=set)
    running: Verb | None = None
    quit: bool = False


def head_of(machine: Machine) -> Head:
    """A name for what the machine's history holds."""
    return Head("main", sha1(repr(sorted(machine.history)).encode()).hexdigest())  # noqa: S324


class World:
    """Two machines, a hub, and the notices in flight."""

    def __init__(self, draw: st.DataObject, policy: RepoConfig) -> None:
        self.draw, self.now = draw, 100.0
        self.machines = [Machine("laptop", policy), Machine("desktop", policy)]
        self.hub: set[int] = set()
        self.flying: list[tuple[int, Head]] = []
        self.trouble = True
        self.count = 0
        self.steps_without_time = 0

    def hear(self, who: int, event: ev.Event) -> None:
        machine = self.machines[who]
        self.steps_without_time += 1
        assert self.steps_without_time < 400, f"it spins: {machine.state}"
        # as if a shift ended after every event: nothing that is known may be lost in a handover
        known = unpack(pack(machine.state, {}), {})
        machine.state, commands = step(known, event, now=self.now, policy=machine.policy)
        for command in commands:
            if isinstance(command, Run):
                assert machine.running is None, "one verb at a time"
                machine.running = command.verb
            elif isinstance(command, Quit):
                machine.quit = True
            elif isinstance(command, Report) and isinstance(command.message, Announce):
                self.announce(1 - who, command.message.head)

    def announce(self, to: int, head: Head) -> None:
        copies = self.draw.draw(st.integers(0, 2)) if self.trouble else 1
        self.flying += [(to, head)] * copies

    def edit(self, who: int) -> None:
        self.count += 1
        self.machines[who].edits.add(self.count)
        self.hear(who, ev.Changed(Scope(frozenset({b"%d" % self.count}))))

    def finish(self, who: int, trouble: int | None = None) -> None:
        """The running verb ends, well or badly."""
        machine = self.machines[who]
        verb, machine.running = machine.running, None
        match verb:
            case Inspect():
                self.hear(who, ev.InspectEnded(READY))
            case Identify():
                self.hear(who, ev.IdentifyEnded(AtHead(head_of(self.machines[who]))))
            case Judge(folders):
                self.hear(who, ev.JudgeEnded(folders, frozenset()))
            case Housekeep():
                self.hear(who, ev.HousekeepEnded(packed=trouble is not None))
            case Snapshot():
                self.hear(who, ev.SnapshotEnded(Snapshotted(new=trouble is not None)))
            case Sweep():
                self.hear(who, ev.SweepEnded(left=trouble is not None))
            case CommitOrder():
                self.hear(who, ev.CommitEnded(self._commit(machine, verb, trouble)))
            case SyncOrder():
                outcome = self._sync(who, verb, trouble)
                self.hear(who, ev.SyncEnded(outcome))

    def _commit(self, machine: Machine, verb: CommitOrder, trouble: int | None) -> object:
        if trouble is not None:
            bad = COMMIT_TROUBLE[trouble % len(COMMIT_TROUBLE)]
            if not (isinstance(bad, Question) and bad.kind in verb.allowed) and not (
                isinstance(bad, Waiting) and bad.why is Why.STAGED and verb.ignore_staged
            ):
                return bad
        named = {int(path) for path in verb.scope.paths}
        taken = set(machine.edits) if verb.scope.everything else machine.edits & named
        machine.edits -= taken
        machine.history |= taken
        head = head_of(machine)
        return CommitMade(head, len(taken), "x") if taken else NothingToCommit(head)

    def _sync(self, who: int, verb: SyncOrder, trouble: int | None) -> object:
        machine = self.machines[who]
        if verb.local:
            return Synced(head_of(machine))
        if trouble is not None:
            bad = SYNC_TROUBLE[trouble % len(SYNC_TROUBLE)]
            if not (isinstance(bad, Question) and bad.kind in verb.allowed):
                return bad
        news = machine.history - self.hub
        behind = self.hub - machine.history
        if not verb.fetch and (not news or not behind):
            behind = set()
        machine.history |= behind
        self.hub |= machine.history if news else set()
        head = head_of(machine)
        if news:
            self.hear(who, ev.Pushed(head))
        return Synced(head, bool(news), len(behind))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.steps_without_time = 0
        for who, machine in enumerate(self.machines):
            due = deadline(machine.state, now=self.now, policy=machine.policy)
            if due <= self.now:
                self.hear(who, ev.Tick())


MOVES = st.sampled_from(
    ["edit"] * 2
    + ["finish"] * 3
    + ["deliver"] * 2
    + ["wait"] * 2
    + ["trouble"] * 2
    + ["drop", "long", "pause", "resume", "sync", "online", "offline", "woke", "rules", "gone"]
)


def move(world: World, what: str, who: int, amount: int) -> None:
    """One thing happens."""
    if what == "edit":
        world.edit(who)
    elif what == "finish":
        world.finish(who)
    elif what == "trouble":
        world.finish(who, amount)
    elif what in ("deliver", "drop") and world.flying:
        to, head = world.flying.pop(amount % len(world.flying))
        if what == "deliver":
            world.hear(to, PullOrder(head))
    elif what in ("wait", "long"):
        world.pass_time(amount / 3 if what == "wait" else amount * 60.0)
    else:
        world.hear(
            who,
            {
                "pause": ev.Paused(world.now + amount),
                "resume": Resume(),
                "sync": SyncNow(),
                "online": Online(yes=True),
                "offline": Online(yes=False),
                "woke": Woke(),
                "rules": ev.RulesChanged(),
                "gone": ev.RootGone(),
            }.get(what, ev.Tick()),
        )


def settle(world: World) -> None:
    """No more edits, no more trouble; answer every question; let time pass as the machines want."""
    world.trouble = False
    for _ in range(3000):
        for who, machine in enumerate(world.machines):
            if machine.running is not None:
                world.finish(who)
            if machine.state.question is not None:
                world.hear(who, Resume())
        while world.flying:
            to, head = world.flying.pop()
            world.hear(to, PullOrder(head))
        if any(machine.running for machine in world.machines):
            continue
        if in_sync(world):
            return
        due = min(deadline(one.state, now=world.now, policy=one.policy) for one in world.machines)
        assert due > world.now or any(one.running for one in world.machines) or due < 1e12
        world.pass_time(max(0.0, due - world.now))
    raise AssertionError(f"not in sync: {world.machines}")


def in_sync(world: World) -> bool:
    return all(
        machine.history == world.hub and not machine.edits and machine.running is None
        for machine in world.machines
    )


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.lists(st.tuples(MOVES, st.integers(0, 1), st.integers(0, 40)), max_size=60))
def test_whatever_happens_two_machines_end_in_sync(
    data: st.DataObject, moves: list[tuple[str, int, int]]
) -> None:
    world = World(data, POLICY)
    for who in (0, 1):
        world.hear(who, ev.Tick())
    for what, who, amount in moves:
        move(world, what, who, amount)
    settle(world)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.data(), st.lists(st.tuples(MOVES, st.integers(0, 1), st.integers(0, 40)), max_size=40))
def test_a_stop_always_comes_to_an_end(
    data: st.DataObject, moves: list[tuple[str, int, int]]
) -> None:
    world = World(data, replace(POLICY, poll_every="never"))
    world.hear(0, ev.Tick())
    for what, _, amount in moves:
        move(world, what, 0, amount)
    world.hear(0, ev.Stop())
    machine = world.machines[0]
    for _ in range(3):
        if not machine.quit and machine.running is not None:
            verb, machine.running = machine.running, None
            ended: ev.Event = ev.SyncEnded(Aborted())
            if isinstance(verb, CommitOrder):
                ended = ev.CommitEnded(Aborted())
            elif isinstance(verb, Inspect):
                ended = ev.InspectEnded(Aborted())
            elif isinstance(verb, Housekeep):
                ended = ev.HousekeepEnded(packed=False)
            elif isinstance(verb, Snapshot):
                ended = ev.SnapshotEnded(Snapshotted(new=True))
            elif isinstance(verb, Sweep):
                ended = ev.SweepEnded(left=True)
            elif isinstance(verb, Judge):
                ended = ev.JudgeEnded(verb.folders, frozenset())
            world.hear(0, ended)
    assert machine.quit
