"""The supervisor's one loop: processes, signals, the configuration, systemd.

It never blocks but in select, touches no work tree and knows no transport; what it decides is decided
in child.py, routing.py, news.py, transports.py and summary.py.
"""

import logging
from functools import partial
from random import SystemRandom
from selectors import EVENT_READ, BaseSelector, DefaultSelector
from signal import SIGHUP, SIGINT, SIGTERM, SIGUSR1

from autosyncd import clock
from autosyncd.config.settings import Configuration
from autosyncd.link.messages import Alive, Message, Online, Retry, Woke, cut
from autosyncd.link.outside import Asked, Connected, Heard, TransportChanged
from autosyncd.service.journal import Event, fields
from autosyncd.service.notify import Notifier
from autosyncd.supervisor import record
from autosyncd.supervisor.child import ALIVE, Child, Life
from autosyncd.supervisor.children import Children
from autosyncd.supervisor.dispatch import Dispatch
from autosyncd.supervisor.frame import Frame
from autosyncd.supervisor.herald import Herald
from autosyncd.supervisor.pulse import Pulse
from autosyncd.supervisor.reach import MESSENGER, Reach
from autosyncd.supervisor.reading import Reading
from autosyncd.supervisor.repositories import Repositories
from autosyncd.supervisor.signals import Signals
from autosyncd.supervisor.summary import summary

LONGEST_SELECT = 60.0
OVERSLEPT = 5.0
"""Seconds beyond its time-out after which a select means that everything stood still."""
GIVE_UP = 2.0
"""Seconds after SIGKILL that the end of the service waits for a process."""

log = logging.getLogger("autosyncd")


class Supervisor:
    """Run it once: run() returns when the service has ended."""

    def __init__(self, frame: Frame, notifier: Notifier) -> None:
        self._frame = frame
        self._notifier = notifier
        self._selector: BaseSelector = DefaultSelector()
        self._children = Children(self._selector, self._reported, self._turned)
        self._herald = Herald(partial(self._children.post, MESSENGER))
        self._dispatch = Dispatch(self._children, self._herald, frame.host)
        self._repositories = Repositories(
            self._children, self._herald, self._dispatch, frame.entries.worker, frame.limits
        )
        self._reach = Reach(
            self._children, self._herald, frame.entries.messenger, frame.messenger_limits
        )
        self._pulse = Pulse(notifier, clock.now(), frame.ready_after)
        self._reading = Reading(frame.read, frame.watch, self._herald)
        self._stopping = False
        self.anew = False
        """The program was replaced: once this one has ended, the new one is to be started."""

    def run(self) -> int:
        """Until SIGTERM or SIGINT; the exit status, 0. ConfigError if nothing can be read at first."""
        config = self._reading.again()
        with Signals() as signals, self._selector:
            self._selector.register(signals, EVENT_READ, lambda: self._signalled(signals))
            if self._reading.watch is not None:
                self._selector.register(self._reading.watch, EVENT_READ, self._noticed)
            log.info("started", extra=fields(event=Event.STARTED))
            self._apply(config)
            woken = clock.now()
            while not self._ended():
                self._beat()
                timeout = self._timeout()
                events = self._selector.select(timeout)
                if clock.now() - woken > timeout + OVERSLEPT:
                    self._children.overslept()
                woken = clock.now()
                for key, _ in events:
                    # what ran before may have closed this descriptor, or even opened it anew
                    if self._selector.get_map().get(key.fd) is key:
                        key.data()
                if clock.now() - woken > OVERSLEPT:  # just now, while something was done
                    self._children.overslept()
                self._tick()
        self._repositories.close()
        self._frame.entries.afterwards()
        log.info("stopped", extra=fields(event=Event.STOPPED))
        return 0

    def _timeout(self) -> float:
        due = min(
            self._children.deadline(),
            self._repositories.deadline(),
            self._dispatch.deadline(),
            self._pulse.deadline(),
            self._reading.deadline(),
            self._reach.deadline(),
        )
        longest = GIVE_UP / 8 if self._stopping else LONGEST_SELECT
        return min(max(due - clock.now(), 0.0), longest)

    def _tick(self) -> None:
        self._children.tick()
        self._repositories.tick()
        self._dispatch.tick()
        self._reach.tick()
        if clock.now() >= self._reading.deadline():
            self._reload(asked=False)
        if self._stopping and not any(self._lives(key) for key in self._workers()):
            self._reach.stop()

    def _beat(self) -> None:
        lines, problems = self._repositories.lines(), self._reading.problems
        text = summary(lines, problems, self._reach.lines())
        if self._stopping:
            text = "starting anew, since it was upgraded" if self.anew else "stopping"
        self._herald.summary(text)
        self._pulse.beat(clock.now(), answered=self._repositories.answered, status=text)

    # the configuration

    def _noticed(self) -> None:
        before = self._reading.watch
        self._reading.noticed()
        if before is not None and self._reading.watch is None:
            self._selector.unregister(before)

    def _reload(self, *, asked: bool) -> None:
        """Read the files again; `asked` by a person, who gets an answer and another chance."""
        if self._stopping:
            self._reading.skip()
            return
        if self._pulse.ready:
            self._notifier.reloading(clock.monotonic_usec())
        before = [line.name for line in self._repositories.lines()]
        changed = self._apply(self._reading.again())
        record.of_reload(before, (line.name for line in self._repositories.lines()))
        if asked:
            self._repositories.retry()
            self._repositories.pass_on(Retry())
            self._reach.retry()
        if changed or asked:
            log.info("the configuration was read again", extra=fields(event=Event.RELOADED))
        if self._pulse.ready:
            self._notifier.ready()

    def _apply(self, config: Configuration) -> bool:
        self._reading.say()
        another = self._reach.differs(config.outside)
        if another and self._begins_anew():
            return True
        if another:
            self._reach.apply(config.outside)
        if self._stopping:
            return True
        return self._repositories.apply(config.repositories, config.guarded) or another

    # children

    def _workers(self) -> list[str]:
        return [key for key in self._children if key != MESSENGER]

    def _lives(self, key: str) -> bool:
        """Whether the end of the service still waits for this child."""
        child = self._children[key]
        given_up = child.life is Life.KILLING and clock.now() - child.since > GIVE_UP
        return child.life in ALIVE and not given_up

    def _ended(self) -> bool:
        return self._stopping and not any(self._lives(key) for key in self._children)

    def _turned(self, key: str, before: Child, after: Child) -> None:
        if key != MESSENGER:
            self._repositories.turned(key, before, after)
            return
        new = after.life in (Life.STARTING, Life.BACKOFF, Life.FATAL)
        if not (new and self._begins_anew()):
            self._reach.turned(after)

    def _begins_anew(self) -> bool:
        """A new messenger would be of another version than we are: whether we end for that one."""
        if self._stopping or not self._frame.upgraded():
            return False
        log.info("autosyncd was upgraded; it starts anew.", extra=fields(event=Event.NOTE))
        self._stopping = self.anew = True
        self._repositories.stop()
        return True

    def _reported(self, key: str, report: Message) -> None:
        if key != MESSENGER:
            self._repositories.reported(key, report)
            return
        match report:
            case Heard():
                self._dispatch.heard(report)
            case Asked(verb="reload"):
                self._reload(asked=True)
            case Asked():
                self._repositories.asked(report)
            case Online(yes=False):
                self._repositories.pass_on(report)
            case Woke() | Online():
                self._repositories.pass_on(report)
                self._pull_all()
            case Connected():
                self._dispatch.hears = True
                self._pull_all()
            case TransportChanged():
                self._reach.changed(report)
            case _ if report != Alive():
                log.debug("%s", cut(repr(report)))

    def _pull_all(self) -> None:
        chance = SystemRandom()
        self._dispatch.pull_all([chance.random() for _ in self._workers()])

    # signals

    def _signalled(self, signals: Signals) -> None:
        came = signals.received()
        if came & {SIGTERM, SIGINT} and (self.anew or not self._stopping):
            self._stopping, self.anew = True, False
            self._notifier.stopping()
            self._repositories.stop()
        if SIGHUP in came:
            self._reload(asked=True)
        if SIGUSR1 in came:
            self._repositories.asked(Asked("sync"))
