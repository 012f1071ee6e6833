"""The worker's one loop: the kernel's file events, the supervisor's orders, the engine's outcomes.

It never blocks but in select and never runs git, so that the kernel's queue is always drained. What
is decided is decided in machine.py; this only hears and carries out. It is a shift's: once there was
nothing to do for a moment, it ends with a Handover, from which the next one goes on (keeper.py).
"""

import logging
import math
import os
import signal
from dataclasses import dataclass
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from types import FrameType

from autosyncd import clock
from autosyncd.errors import LinkClosed
from autosyncd.link.channel import Link
from autosyncd.link.messages import Pause, Shutdown
from autosyncd.model import RepoConfig
from autosyncd.service.journal import fields
from autosyncd.vcs.driver import Vcs
from autosyncd.vcs.outcomes import Ready
from autosyncd.watch.instance import Instance
from autosyncd.worker import events as ev
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
from autosyncd.worker.engine import Engine, Mailbox
from autosyncd.worker.handover import Handover, pack, unpack
from autosyncd.worker.keeper import START_OVER
from autosyncd.worker.machine import deadline, step
from autosyncd.worker.memory import MemoryFile
from autosyncd.worker.reports import Reports
from autosyncd.worker.rest import WORTH_RESTING, Rest, next_sees_all
from autosyncd.worker.state import NEVER, State
from autosyncd.worker.status import shown
from autosyncd.worker.watching import Watching

END_QUICKLY = 0.5
"""Seconds for the engine to end when there is no supervisor any more, before it is asked again."""

log = logging.getLogger("autosyncd")


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What one shift knows at its end, and the next from its beginning."""

    state: State
    watching: Watching
    memory: MemoryFile
    vcs: object
    """The driver's own."""


class Worker:
    """One shift of one repository's worker. `instance`: what its watches are set in."""

    def __init__(
        self, config: RepoConfig, link: Link, mailbox: Mailbox, vcs: Vcs, instance: Instance
    ) -> None:
        self._config, self._link, self._mailbox = config, link, mailbox
        self._vcs, self._instance, self._watch_fd = vcs, instance, instance.fileno()
        self._reports = Reports(config, link)
        self._tick = self._reports.alive_if_due
        self._state = State()
        self._watching = Watching(os.fsencode(config.path), instance, self._tick)
        self._memory = MemoryFile(config.name)
        self._rest = Rest()
        self._grace_ends = NEVER
        self._quit = self._alone = self._elsewhere = False
        self._crash: BaseException | None = None
        self._engine = Engine(vcs, mailbox, self._engine_crashed)

    def run(self, left: Handover | None) -> Handover | int:
        """Go on from what was left, until there is nothing to do: what is left to the next shift;
        or until the supervisor says so, or is gone: the exit status."""
        signal.signal(signal.SIGTERM, self._terminated)
        if left is not None:
            self._take_over(left)
        try:
            self._turn(ev.Tick())
            self._hear_orders()  # the first may have been read already (supervisor/whereabouts.py)
            while not self._quit and not self._alone:
                self._wait()
                if clock.now() >= self._rest.due:
                    return self._hand_over()
        except LinkClosed:
            self._alone = True
        if self._alone:
            self._engine.abort(network_only=False)
        if not self._engine.end(END_QUICKLY):
            self._engine.abort(network_only=False)
            self._engine.end(END_QUICKLY)
        if self._elsewhere:
            self._watching.rearm()  # the keeper's instance lives on: what has no place there is let go
        self._watching.close()
        if self._crash is not None:
            self._reports.crashed(self._crash)
            return 1
        return START_OVER if self._elsewhere else 0

    # from shift to shift

    def _take_over(self, left: Handover) -> None:
        known = unpack(left.knowledge, self._stays())
        self._state, self._watching = known.state, known.watching
        self._memory = known.memory
        self._reports.take_over(shown(self._state, self._config))
        self._vcs.take_over(known.vcs, left.lock)

    def _hand_over(self) -> Handover:
        """There is nothing to do: this process may end."""
        known, lock = self._vcs.hand_over()
        knowledge = Knowledge(self._state, self._watching, self._memory, known)
        due = deadline(self._state, now=clock.now(), policy=self._config)
        return Handover(self._config.path, pack(knowledge, self._stays()), due, lock)

    def _stays(self) -> dict[str, object]:
        return {"instance": self._instance, "tick": self._tick, **self._vcs.stays}

    def _restful(self, now: float) -> bool:
        """Whether this process could end now and nothing would be missed."""
        busy = self._engine.busy or self._mailbox.pending or self._link.outbox.pending
        due = deadline(self._state, now=now, policy=self._config)
        return (
            not busy
            and due - now > WORTH_RESTING
            and self._grace_ends == NEVER
            and next_sees_all(self._watching, self._watch_fd)
        )

    def _terminated(self, _number: int, _frame: FrameType | None) -> None:
        """The supervisor is gone (keeper.py)."""
        self._leave()

    def _leave(self) -> None:
        """There is no supervisor any more, or no engine: leave no child behind, and go."""
        self._alone = True
        self._mailbox.wake()

    def _wait(self) -> None:
        """One turn of the loop: wait for whatever comes first, and do it."""
        with DefaultSelector() as waits:
            waits.register(self._link.inbox, EVENT_READ, self._hear_orders)
            waits.register(self._mailbox, EVENT_READ, self._hear_engine)
            if self._link.outbox.pending:
                waits.register(self._link.outbox, EVENT_WRITE, self._link.outbox.flush)
            watch = self._watching.fileno()
            if watch is not None:
                waits.register(watch, EVENT_READ, self._hear_kernel)
            ready = waits.select(self._timeout())
            for key, _ in ready:
                if not self._quit:  # else what comes is for the next, which may be elsewhere
                    key.data()
        self._pass_time()
        now = clock.now()
        self._rest.look(now, may_end=self._restful(now), stirred=bool(ready))

    def _timeout(self) -> float:
        now = clock.now()
        due = min(deadline(self._state, now=now, policy=self._config), self._reports.due)
        due = min(due, self._grace_ends, self._rest.due, now + self._watching.patience)
        return max(0.0, due - now)

    def _pass_time(self) -> None:
        now = clock.now()
        if now >= self._grace_ends:
            self._engine.abort(network_only=False)
            self._grace_ends = NEVER
        self._watching.settle_if_due()
        if deadline(self._state, now=now, policy=self._config) <= now:
            self._turn(ev.Tick())
        # a verb that has just begun may hang at once
        self._reports.pass_time(busy=self._engine.busy)

    # what is heard

    def _hear_orders(self) -> None:
        for order in self._link.inbox.receive():
            match order:
                case Shutdown(grace):
                    self._grace_ends = clock.now() + grace
                    self._turn(ev.Stop())
                case Pause(until):
                    left = math.inf if until is None else until - clock.wall()
                    self._turn(ev.Paused(clock.now() + left))
                case _ if isinstance(order, ev.Order):
                    self._turn(order)
                case _:
                    raise TypeError(f"A {type(order).__name__} is no order to a worker.")

    def _hear_engine(self) -> None:
        for event in self._mailbox.take():
            if isinstance(event, ev.VerbEnded):
                self._engine.busy = False
            if isinstance(event, ev.InspectEnded) and isinstance(event.outcome, Ready):
                recalled = self._memory.recall(event.outcome.state_folder)
                if recalled is not None:
                    self._turn(recalled)
            self._turn(event)

    def _hear_kernel(self) -> None:
        self._turn(*self._watching.read())
        if self._watching.branch_moved():
            self._turn(ev.BranchMoved())

    # what is done

    def _turn(self, *events: ev.Event) -> None:
        for event in events:
            self._state, commands = step(self._state, event, now=clock.now(), policy=self._config)
            for command in commands:
                self._carry_out(command)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Run(verb):
                self._engine.order(verb)
            case Report(message):
                self._reports.post(message)
            case SetWatches(ignored, head_log):
                self._turn(*self._watching.arm(ignored, head_log))
            case SettleWatches(ignored, kept):
                self._turn(*self._watching.judged(ignored, kept))
            case AbortNetwork():
                self._engine.abort(network_only=True)
            case Interrupt():
                self._engine.interrupt()
            case Remember(until, allowed):
                self._memory.remember(until, allowed)
            case Say(text):
                log.info("%s", text, extra=fields(repo=self._config.name))
            case Quit(elsewhere):
                self._quit, self._elsewhere = True, elsewhere

    def _engine_crashed(self, bug: BaseException) -> None:
        """From the engine's thread, a bug: say it and end; the supervisor starts another worker."""
        self._crash = bug
        self._leave()
