"""The processes behind the lives of child.py: forks them, listens to them, ends them.

A child is known by a key; what a report of it means is the caller's business. All of this runs in
one thread on one selector, whose keys carry the function to call.
"""

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from autosyncd import clock
from autosyncd.errors import LinkClosed
from autosyncd.link.channel import Link
from autosyncd.link.messages import Message, Shutdown
from autosyncd.service.journal import Event, fields
from autosyncd.supervisor import child as life
from autosyncd.supervisor.child import NO_PROCESS, Child, Command, Exited, Life, Limits, Stimulus
from autosyncd.supervisor.process import Entry, Process, fork_all

HEAD_START = 2.0
"""Seconds of its grace that a child does not get told, to write its last report in."""

log = logging.getLogger("autosyncd")


@dataclass
class Kept:
    """One child, living or not."""

    name: str
    entry: Entry
    limits: Limits
    child: Child = field(default_factory=Child)
    process: Process | None = None
    writing: bool = False
    """The selector waits for its pipe to take more."""


class Children:
    """Every child of the supervisor.

    `reported(key, message)` is called for each report, `turned(key, before, after)` for each change
    of a child's life, after what the change demands is done.
    """

    def __init__(
        self,
        selector: BaseSelector,
        reported: Callable[[str, Message], None],
        turned: Callable[[str, Child, Child], None],
    ) -> None:
        self._selector = selector
        self._reported = reported
        self._turned = turned
        self._kept: dict[str, Kept] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._kept))

    def __getitem__(self, key: str) -> Child:
        return self._kept[key].child

    def __contains__(self, key: object) -> bool:
        return key in self._kept

    def keep(self, key: str, name: str, entry: Entry, limits: Limits) -> None:
        """Run it from now on; one that runs something else is stopped first."""
        self.keep_all({key: (name, entry)}, limits)

    def keep_all(self, wanted: Mapping[str, tuple[str, Entry]], limits: Limits) -> None:
        """The same for several at once: by key, what each is called and what it runs."""
        for key, (name, entry) in wanted.items():
            kept = self._kept.get(key)
            if kept is None:
                self._kept[key] = Kept(name, entry, limits)
            else:
                kept.name, kept.entry, kept.limits = name, entry, limits
                self._step(key, Stimulus.UNWANTED)
        self._step_all(wanted, Stimulus.WANTED)

    def retry(self, keys: Iterable[str]) -> None:
        """Give those that were given up another chance."""
        for key in keys:
            if self._kept[key].child.life is Life.FATAL:
                self._step(key, Stimulus.WANTED)

    def stop(self, key: str) -> None:
        """End it; it is forgotten by forget() once it is STOPPED."""
        self._step(key, Stimulus.UNWANTED)

    def forget(self, key: str) -> None:
        """A stopped child need not be known any more."""
        if self._kept[key].child.life is Life.STOPPED:
            del self._kept[key]

    def post(self, key: str, message: Message) -> bool:
        """Send it a message; False if it has no process now."""
        kept = self._kept.get(key)
        if kept is None or kept.process is None or kept.child.life is Life.KILLING:
            return False
        kept.process.link.outbox.post(message)
        self._arm(kept)
        return True

    def overslept(self) -> None:
        """The machine was suspended: no silence until now counts."""
        for key in self:
            self._step(key, Stimulus.OVERSLEPT)

    def tick(self) -> None:
        """Do what is due."""
        for key in self:
            self._step(key, Stimulus.TICK)

    def deadline(self) -> float:
        """When tick() has something to do."""
        return min((life.deadline(k.child, k.limits) for k in self._kept.values()), default=inf)

    def _step(self, key: str, event: life.Event) -> None:
        self._step_all([key], event)

    def _step_all(self, keys: Iterable[str], event: life.Event) -> None:
        """The same happens to all of them; those that are to be forked are so together."""
        befores, births = {}, {}
        for key in keys:
            kept = self._kept[key]
            befores[key] = kept.child
            kept.child, commands = life.step(kept.child, event, clock.now(), kept.limits)
            for command in commands:
                if command is Command.FORK:
                    births[key] = kept
                else:
                    self._do(key, kept, command)
        if births:
            self._fork(births)
        for key, before in befores.items():
            after = self._kept[key].child
            if after.life is not before.life or after.stuck is not before.stuck:
                self._turned(key, before, after)

    def _do(self, key: str, kept: Kept, command: Command) -> None:
        match command:
            case Command.ASK:
                self.post(key, Shutdown(max(kept.limits.grace - HEAD_START, 0.0)))
            case Command.KILL if kept.process is not None:
                kept.process.kill()

    def _fork(self, births: Mapping[str, Kept]) -> None:
        made = fork_all([(kept.name, kept.entry) for kept in births.values()])
        for (key, kept), process in zip(births.items(), made, strict=True):
            if isinstance(process, OSError):
                extra = fields(repo=kept.name if kept.name != key else "", event=Event.CHILD_DIED)
                text = "No process could be made for %s: %s."
                log.error(text, kept.name, process.strerror, extra=extra)
                now = clock.now()
                kept.child, _ = life.step(kept.child, Exited(NO_PROCESS), now, kept.limits)
            else:
                self._listen(key, kept, process)

    def _listen(self, key: str, kept: Kept, process: Process) -> None:
        kept.process = process
        read, end = self._hear, self._ended
        self._selector.register(process.link.inbox, EVENT_READ, lambda: read(key, process))
        self._selector.register(process.pidfd, EVENT_READ, lambda: end(key, process))

    def _hear(self, key: str, process: Process) -> None:
        try:
            messages = process.link.inbox.receive()
        except LinkClosed:
            self._unregister(process.link.inbox)
            if process.status is not None:
                self._bury(key, process, process.status)
            else:
                self._step(key, Stimulus.HUNG_UP)
            return
        self._step(key, Stimulus.REPORTED)
        for message in messages:
            self._reported(key, message)

    def _ended(self, key: str, process: Process) -> None:
        process.status = status = process.reap()
        if status is None:
            return
        self._unregister(process.pidfd)
        try:
            while messages := process.link.inbox.receive():  # its last words
                for message in messages:
                    self._reported(key, message)
        except LinkClosed:
            self._bury(key, process, status)
        else:  # a child of it has the link still: one that can't end, as it waits for a file system
            self._step(key, Stimulus.HUNG_UP)

    def _bury(self, key: str, process: Process, status: int) -> None:
        """Nothing of it is left."""
        self._forget_process(self._kept[key], process)
        self._step(key, Exited(status))

    def _forget_process(self, kept: Kept, process: Process) -> None:
        self._unregister(process.link.inbox)
        self._unregister(process.pidfd)
        self._unregister(process.link.outbox)
        process.close()
        kept.process, kept.writing = None, False

    def _unregister(self, end: object) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(end)  # type: ignore[arg-type]

    def _arm(self, kept: Kept) -> None:
        """Wait for the pipe to take more, or no longer."""
        if kept.process is None or kept.process.link.outbox.pending == kept.writing:
            return
        link = kept.process.link
        kept.writing = link.outbox.pending
        if kept.writing:
            self._selector.register(link.outbox, EVENT_WRITE, lambda: self._flush(kept, link))
        else:
            self._unregister(link.outbox)

    def _flush(self, kept: Kept, link: Link) -> None:
        link.outbox.flush()
        self._arm(kept)
