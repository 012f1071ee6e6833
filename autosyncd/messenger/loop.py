"""The messenger's loop: it feeds `outside.step` and does what that says."""

import asyncio
import os
from collections.abc import Callable

from autosyncd import clock
from autosyncd.control.interface import Control
from autosyncd.desktop.addresses import AddressWatch
from autosyncd.desktop.alerts import Alerts
from autosyncd.desktop.bus import BusUser, hold, session_address, system_address
from autosyncd.desktop.session import Session
from autosyncd.errors import LinkClosed
from autosyncd.link.beat import next_beat
from autosyncd.link.channel import Link
from autosyncd.link.messages import (
    Alive,
    Message,
    cut,
)
from autosyncd.link.outside import (
    Alert,
    Connected,
    Heard,
    TransportChanged,
    Withdraw,
)
from autosyncd.messenger import outside
from autosyncd.messenger.bubbles import CloseBubble, ShowBubble
from autosyncd.messenger.commands import (
    Announce,
    Command,
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
from autosyncd.messenger.letters import Letters, Write
from autosyncd.messenger.outside import Outside, Stimulus
from autosyncd.messenger.printable import printable
from autosyncd.model import AlertKind, OutsideConfig, PushNotice
from autosyncd.transport.base import Listener, Transport, Writer

STOP_WITHIN = 2.0
"""Seconds that the transports have to say goodbye."""


class Ear:
    """What one transport tells the messenger (transport/base.py: Listener)."""

    def __init__(self, transport: str, feed: Callable[[Stimulus], None]) -> None:
        self._transport = transport
        self._feed = feed

    def heard(self, notice: PushNotice, sender: str) -> None:
        self._feed(Heard(notice, self._transport, sender))

    def connected(self) -> None:
        self._feed(Connected(self._transport))

    def changed(self, *, online: bool, reason: str) -> None:
        self._feed(TransportChanged(self._transport, online, cut(printable(reason))))
        if online:
            self._feed(Withdraw("", self._transport))

    def alarm(self, text: str) -> None:
        title = f"autosync: {self._transport}"
        self._feed(Alert("", AlertKind.PROBLEM, self._transport, title, cut(text)))


def transports(config: OutsideConfig, listener: Callable[[str], Listener]) -> list[Transport]:
    """Every transport that is configured; its code is imported only then."""
    found: list[Transport] = []
    if config.fanout:
        from autosyncd.transport.fanout import FanoutTransport

        found.append(FanoutTransport(config.fanout, listener("fanout")))
    if config.xmpp:
        from autosyncd.transport.xmpp.transport import XmppTransport

        found.append(XmppTransport(config.xmpp, listener("xmpp")))
    return found


class Messenger:
    """Everything outside, and the one link to the supervisor."""

    def __init__(self, config: OutsideConfig, link: Link) -> None:
        self._link = link
        writing = Letters(config.alerts_to, os.uname().nodename) if config.alerts_to else None
        self._state = Outside(desktop_alerts=config.desktop_alerts, letters=writing)
        self._control = Control(self.feed)
        self._alerts = Alerts()
        self._session = Session(self.feed)
        self._addresses = AddressWatch(self.feed)
        self._transports = transports(config, lambda name: Ear(name, self.feed))
        self._ended = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Until the link ends or Shutdown comes. A bug in any part ends it all."""
        self._tick()
        on_session: list[BusUser] = [self._alerts, self._control]  # in this order: Control.attach
        async with asyncio.TaskGroup() as group:
            talking = [group.create_task(transport.run()) for transport in self._transports]
            beside = [
                group.create_task(self._receive()),
                group.create_task(hold(session_address, on_session)),
                group.create_task(hold(system_address, [self._session])),
                group.create_task(self._alerts.run()),
                group.create_task(self._session.run()),
                group.create_task(self._addresses.run()),
            ]
            await self._ended.wait()
            for transport in self._transports:
                transport.stop()
            if talking:
                await asyncio.wait(talking, timeout=STOP_WITHIN)
            for task in (*talking, *beside):
                task.cancel()

    def feed(self, stimulus: Stimulus) -> None:
        """Something happened: do what it calls for."""
        self._state, commands = outside.step(self._state, stimulus, now=clock.now())
        for command in commands:
            self._perform(command)
        self._set_timer()

    async def _receive(self) -> None:
        """Obey the supervisor until cancelled. A task, since a bug in what the loop calls by itself
        would be logged, and the rest of the orders lost."""
        come = asyncio.Event()
        loop, inbox = asyncio.get_running_loop(), self._link.inbox
        loop.add_reader(inbox.fileno(), come.set)
        try:
            while not self._ended.is_set():
                await come.wait()
                come.clear()
                for message in inbox.receive():
                    self.feed(message)
        except LinkClosed:
            self._ended.set()
        finally:
            loop.remove_reader(inbox.fileno())

    def _perform(self, command: Command) -> None:
        match command:
            case PassUp(message):
                self._post(message)
            case Stop():
                self._ended.set()
            case Announce() | Listen() | Network() | TryAgain() | Wake():
                for transport in self._transports:
                    _advise(transport, command)
            case ShowBubble(key, title, text, urgency):
                self._alerts.show(key, title, text, urgency)
            case CloseBubble(key):
                self._alerts.close(key)
            case Write(to, text):
                for writer in self._transports:
                    if isinstance(writer, Writer):
                        writer.write(to, text)
            case _:
                self._publish(command)

    def _publish(self, command: ShowRow | DropRow | ShowSummary | SignalConflict) -> None:
        match command:
            case ShowRow(row):
                self._control.show(row)
            case DropRow(repository):
                self._control.drop(repository)
            case ShowSummary(text):
                self._control.summarise(text)
            case SignalConflict(repository, paths):
                self._control.conflict(repository, paths)

    def _post(self, message: Message) -> None:
        self._link.outbox.post(message)
        if self._link.outbox.pending:
            loop = asyncio.get_running_loop()
            loop.add_writer(self._link.outbox.fileno(), self._flush)

    def _flush(self) -> None:
        self._link.outbox.flush()
        if not self._link.outbox.pending:
            asyncio.get_running_loop().remove_writer(self._link.outbox.fileno())

    def _tick(self) -> None:
        """Say that the loop turns: at once, then at each beat."""
        self._post(Alive())
        self.feed(outside.Due())
        now = clock.now()
        asyncio.get_running_loop().call_later(next_beat(now) - now, self._tick)

    def _set_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        due = outside.deadline(self._state)
        if due is None:
            self._timer = None
            return
        wait = max(0.0, due - clock.now())
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(wait, self.feed, outside.Due())


def _advise(transport: Transport, command: Announce | Listen | Network | TryAgain | Wake) -> None:
    match command:
        case Announce(notice):
            transport.announce(notice)
        case Listen(channels):
            transport.subscribe(channels)
        case Network(online):
            transport.network(online=online)
        case TryAgain():
            transport.retry()
        case Wake():
            transport.woke()
