"""The messenger's process: its link, its end, its silence when there is nothing outside."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from autosyncd.link.messages import (
    Alive,
    Shutdown,
)
from autosyncd.link.outside import (
    Connected,
    Heard,
    RepositoryStatus,
    Subscribe,
    Summary,
    Tell,
    TransportChanged,
)
from autosyncd.model import PushNotice, Status
from tests.buses import ROOT, RunningMessenger, running_messenger
from tests.reflector_process import ReflectorProcess
from tests.waiting import eventually

WRAP = "import sys; from autosyncd.messenger import main; print(*sorted(sys.modules))"


def test_it_says_that_it_lives_and_ends_on_shutdown():
    with running_messenger() as messenger:
        messenger.reported(Alive())
        messenger.order(Shutdown(1.0))
        assert messenger.process.wait(5) == 0


def test_it_ends_when_the_supervisor_is_gone():
    with running_messenger() as messenger:
        messenger.reported(Alive())
        messenger.link.close()
        assert messenger.process.wait(5) == 0


def test_sigterm_ends_it_at_once():
    with running_messenger() as messenger:
        messenger.reported(Alive())
        messenger.process.terminate()
        assert messenger.process.wait(5) == -signal.SIGTERM


def test_without_any_bus_it_says_so_once_and_takes_every_order():
    with running_messenger() as messenger:
        messenger.reported(Alive())
        row = RepositoryStatus("notes", "/notes", Status.IDLE, "", 1.0)
        messenger.order(row, Subscribe("notes", ("c",)), Summary("1 repository"))
        eventually(lambda: "autosyncctl can't reach this daemon" in messenger.log)
        messenger.order(Shutdown(1.0))
        assert messenger.process.wait(5) == 0
        assert messenger.log.count("\n") == 1


def test_a_bug_over_an_order_ends_it_so_that_it_is_started_again():
    with running_messenger() as messenger:
        messenger.reported(Alive())
        messenger.order(Summary(None))  # type: ignore[arg-type]
        assert messenger.process.wait(5) == 1
        assert "because of a bug" in messenger.log


def test_a_thousand_orders_are_taken_in_order():
    with running_messenger() as messenger:
        for number in range(1000):
            row = RepositoryStatus(f"r{number}", "/r", Status.IDLE, "x" * 500, 1.0)
            messenger.order(row)
        messenger.order(Shutdown(1.0))
        link = messenger.link
        eventually(lambda: link.outbox.flush() or not link.outbox.pending)
        assert messenger.process.wait(5) == 0


def test_two_messengers_hear_each_other_over_a_reflector():
    notice = PushNotice(("c" * 64, "d" * 64), "main", "ab" * 20, "t" * 32, "laptop")
    heard = replace(notice, channels=("d" * 64,), branch="", tree="", host="")
    with ReflectorProcess() as reflector:
        server = f"127.0.0.1:{reflector.port}"
        fanout = f"FanoutConfig('127.0.0.1', {reflector.port}, tls=False)"
        outside = f"OutsideConfig(fanout={fanout})"
        with running_messenger(outside) as laptop, running_messenger(outside) as desktop:
            desktop.order(Subscribe("notes", ("d" * 64,)))
            for messenger in (laptop, desktop):
                messenger.reported(TransportChanged("fanout", True))
                messenger.reported(Connected("fanout"))
            eventually(
                lambda: laptop.order(Tell(notice)) or desktop.take(Heard(heard, "fanout", server))
            )
            laptop.order(Shutdown(1.0))
            assert laptop.process.wait(5) == 0


def test_tls_is_loaded_only_for_a_transport():
    def loaded(messenger: RunningMessenger) -> bool:
        messenger.reported(Alive())
        return "/libssl." in Path(f"/proc/{messenger.process.pid}/maps").read_text()

    fanout = "OutsideConfig(fanout=FanoutConfig('127.0.0.1', 9))"
    with running_messenger() as without, running_messenger(fanout) as having:
        assert not loaded(without)
        assert loaded(having)


def test_the_supervisor_imports_it_without_its_weight():
    found = subprocess.run(
        [sys.executable, "-c", WRAP], cwd=ROOT, env=os.environ, capture_output=True, check=True
    )
    modules = found.stdout.decode().split()
    assert "autosyncd.messenger.main" in modules
    assert not {"asyncio", "dbus_fast", "ssl", "multiprocessing"} & set(modules)
