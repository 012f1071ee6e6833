"""Pure: the life of one child process, whoever it is.

`step(child, event, now, limits)` answers with the child as it is then and what is to be done;
`deadline(child, limits)` says when to come back with TICK, and is what TICK itself asks whether
something is due: what is due is done, and what was done is no longer due.

    STOPPED ─WANTED─▶ STARTING ─REPORTED─▶ RUNNING ─UNWANTED─▶ STOPPING ─Exited─▶ STOPPED
                         ▲  └──Exited──▶ BACKOFF ◀──Exited──┘      └─grace over─▶ KILLING
                         └─────TICK───────┘ └─too many deaths─▶ FATAL

A process that was sent SIGKILL may stay for ever in an uninterruptible sleep (a network file system
that is away). KILLING therefore ends only when the exit is seen: never two processes for one child.
"""

from dataclasses import dataclass, replace
from enum import Enum
from math import inf

NO_PROCESS = 71
"""The status that stands for "the system could not make the process" (EX_OSERR, sysexits.h)."""


class Life(Enum):
    """Where a child is in its life."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    KILLING = "killing"
    STOPPED = "stopped"
    BACKOFF = "backoff"
    FATAL = "fatal"


ALIVE = frozenset({Life.STARTING, Life.RUNNING, Life.STOPPING, Life.KILLING})
"""The states in which there is a process."""


class Stimulus(Enum):
    """What happens to a child, beside its exit."""

    WANTED = "wanted"
    """It shall run; a FATAL one gets another chance."""
    UNWANTED = "unwanted"
    """It shall end."""
    REPORTED = "reported"
    """A message of it came in."""
    HUNG_UP = "hung up"
    """Its end of the link is closed: it is about to end, or of no use any more."""
    OVERSLEPT = "overslept"
    """The machine or the supervisor stood still: what seemed silence may be none."""
    TICK = "tick"


@dataclass(frozen=True, slots=True)
class Exited:
    """The process is gone and reaped; a negative status is the signal that ended it.

    Also said, with NO_PROCESS, of one that could not be made at all.
    """

    status: int


Event = Stimulus | Exited


class Command(Enum):
    """What the caller has to do."""

    FORK = "fork"
    ASK = "ask"
    """Order it to end (Shutdown)."""
    KILL = "kill"
    """Send SIGKILL."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts; the tests' are smaller."""

    silence: float = 120.0
    """Without any report for so long, a child is taken for hung."""
    grace: float = 10.0
    """From the order to end until SIGKILL."""
    reap: float = 10.0
    """From SIGKILL until the child is called stuck."""
    first_wait: float = 1.0
    longest_wait: float = 60.0
    healthy_after: float = 60.0
    """After so long a good life, the next wait is the first again."""
    deaths: int = 5
    within: float = 60.0


@dataclass(frozen=True, slots=True)
class Child:
    """One child. Points in time are seconds of clock.now()."""

    life: Life = Life.STOPPED
    since: float = 0.0
    """When it came into this state; in BACKOFF the wait runs from here."""
    heard: float = 0.0
    """The last sign of life."""
    answered: float | None = None
    """The first report of the present process."""
    wait: float = 0.0
    """Length of the last BACKOFF; 0: the last life was a good one."""
    deaths: tuple[float, ...] = ()
    wanted: bool = False
    """Whether it shall run (again) once the present process is gone."""
    asked: bool = False
    """The end of the present process was asked for and is no death."""
    stuck: bool = False
    """It did not even end by SIGKILL, until now."""
    silences: int = 0
    """How many processes in a row were killed since they fell silent, the present one included."""
    status: int | None = None
    """How the last process ended."""


Answer = tuple[Child, tuple[Command, ...]]


def step(child: Child, event: Event, now: float, limits: Limits) -> Answer:
    """What becomes of the child, and what is to be done."""
    if isinstance(event, Exited):
        return _exited(child, event.status, now, limits)
    match event:
        case Stimulus.WANTED:
            return _wanted(child, now)
        case Stimulus.UNWANTED:
            return _unwanted(child, now)
        case Stimulus.REPORTED:
            return _reported(child, now), ()
        case Stimulus.HUNG_UP:
            if child.life in (Life.STARTING, Life.RUNNING):
                return replace(child, life=Life.STOPPING, since=now, silences=0), ()
            return child, ()
        case Stimulus.OVERSLEPT:
            since = now if child.life in (Life.STOPPING, Life.KILLING) else child.since
            return replace(child, heard=now, since=since), ()
        case Stimulus.TICK:
            return _tick(child, now, limits)


def deadline(child: Child, limits: Limits) -> float:
    """When TICK changes something; infinity if only an event can."""
    match child.life:
        case Life.STARTING | Life.RUNNING:
            return child.heard + limits.silence
        case Life.STOPPING:
            return child.since + limits.grace
        case Life.KILLING:
            return inf if child.stuck else child.since + limits.reap
        case Life.BACKOFF:
            return child.since + child.wait
        case Life.STOPPED | Life.FATAL:
            return inf


def _tick(child: Child, now: float, limits: Limits) -> Answer:
    if now < deadline(child, limits):
        return child, ()
    match child.life:
        case Life.STARTING | Life.RUNNING:
            silences = child.silences + 1
            return replace(child, life=Life.KILLING, since=now, silences=silences), (Command.KILL,)
        case Life.STOPPING:
            return replace(child, life=Life.KILLING, since=now), (Command.KILL,)
        case Life.KILLING:
            return replace(child, stuck=True), ()
        case _:
            return _start(child, now)


def _start(child: Child, now: float) -> Answer:
    fresh = replace(
        child, life=Life.STARTING, since=now, heard=now, answered=None, asked=False, stuck=False
    )
    return fresh, (Command.FORK,)


def _wanted(child: Child, now: float) -> Answer:
    match child.life:
        case Life.STOPPED | Life.FATAL:
            return _start(replace(child, wanted=True, wait=0.0, deaths=(), silences=0), now)
        case _:
            return replace(child, wanted=True), ()


def _unwanted(child: Child, now: float) -> Answer:
    child = replace(child, wanted=False)
    match child.life:
        case Life.STARTING | Life.RUNNING:
            return replace(child, life=Life.STOPPING, since=now, asked=True), (Command.ASK,)
        case Life.STOPPING | Life.KILLING:
            return replace(child, asked=True), ()
        case _:
            return replace(child, life=Life.STOPPED, since=now), ()


def _reported(child: Child, now: float) -> Child:
    answered = now if child.answered is None else child.answered
    if child.life is Life.STARTING:
        running = replace(child, life=Life.RUNNING, since=now, heard=now, answered=answered)
        return replace(running, silences=0)
    if child.life is Life.RUNNING:
        return replace(child, heard=now)
    return child


def _exited(child: Child, status: int, now: float, limits: Limits) -> Answer:
    if child.life not in ALIVE:
        return child, ()
    silences = child.silences if child.life is Life.KILLING else 0
    gone = replace(child, since=now, status=status, stuck=False, silences=silences)
    if not child.wanted:
        return replace(gone, life=Life.STOPPED), ()
    if child.asked:
        return _start(replace(gone, wait=0.0, deaths=(), silences=0), now)
    deaths = (*(at for at in child.deaths if now - at < limits.within), now)
    if len(deaths) >= limits.deaths:
        return replace(gone, life=Life.FATAL, deaths=deaths), ()
    # a hung child was well only until it fell silent
    well_until = child.heard if child.life is Life.KILLING else now
    well = child.answered is not None and well_until - child.answered >= limits.healthy_after
    wait = limits.first_wait if well or not child.wait else 2 * child.wait
    wait = min(wait, limits.longest_wait)
    return replace(gone, life=Life.BACKOFF, deaths=deaths, wait=wait), ()
