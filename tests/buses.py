"""A private message bus, and a real messenger in a process of its own, for tests."""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import dbus_fast.__version__
import pytest

from autosyncd.errors import LinkClosed
from autosyncd.link.channel import Link, pair
from autosyncd.link.messages import Message
from tests.waiting import eventually

T = TypeVar("T")
OLD_LEAKS = pytest.mark.filterwarnings(
    "ignore:.*<socket.socket:pytest.PytestUnraisableExceptionWarning"
    if int(dbus_fast.__version__.__version__.split(".")[0]) < 5
    else "error"
)
"""dbus-fast 1.84 doesn't close the socket of a bus that isn't there."""
ROOT = Path(__file__).parent.parent
CONFIG = """<busconfig>
  <type>session</type><listen>unix:path={path}</listen><auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""
CHILD = """
import sys
from multiprocessing.connection import Connection
from autosyncd.link.channel import Link, Receiver, Sender
from autosyncd.messenger.main import run
from autosyncd.model import FanoutConfig, OutsideConfig
sender = Sender(Connection(int(sys.argv[2]), readable=False))
link = Link(Receiver(Connection(int(sys.argv[1]), writable=False), sender), sender)
sys.exit(run(eval(sys.argv[3]), link))
"""


class Bus:
    """A dbus-daemon that knows no service files; it can be stopped and started again."""

    def __init__(self, folder: str, name: str) -> None:
        self.socket = f"{folder}/{name}"
        self.address = f"unix:path={self.socket}"
        self._config = Path(f"{folder}/{name}.conf")
        self._config.write_text(CONFIG.format(path=self.socket))
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Return when it listens."""
        self._process = subprocess.Popen(
            ["dbus-daemon", f"--config-file={self._config}", "--nofork", "--print-address"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # it complains about a limit of descriptors
            text=True,
        )
        assert self._process.stdout
        assert self._process.stdout.readline().startswith("unix:")

    def stop(self) -> None:
        """End it; its socket is gone."""
        if self._process:
            self._process.terminate()
            self._process.communicate(timeout=5)
            Path(self.socket).unlink(missing_ok=True)
        self._process = None


@contextmanager
def private_bus(name: str) -> Iterator[Bus]:
    """A running bus of its own."""
    if not shutil.which("dbus-daemon"):
        pytest.skip("dbus-daemon is not installed")
    with tempfile.TemporaryDirectory(prefix="bus") as folder:
        bus = Bus(folder, name)
        bus.start()
        try:
            yield bus
        finally:
            bus.stop()


class RunningMessenger:
    """The supervisor's end of a link to a real messenger process."""

    def __init__(self, link: Link, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.link = link
        self.process = process
        self._log = log
        self.reports: list[Message] = []

    def order(self, *messages: Message) -> None:
        """Send orders down."""
        for message in messages:
            self.link.outbox.post(message)

    def reported(self, message: Message) -> Message:
        """Wait until this very report has come up."""
        return eventually(lambda: self.take(message))

    def take(self, message: Message) -> Message | None:
        self.reports += self._received()
        return message if message in self.reports else None

    def _received(self) -> list[Message]:
        try:
            return self.link.inbox.receive()
        except LinkClosed:
            raise AssertionError(f"the messenger has ended:\n{self.log}") from None

    @property
    def log(self) -> str:
        """What it has logged."""
        return self._log.read_text()


@contextmanager
def running_messenger(
    outside: str = "OutsideConfig()", **environment: str
) -> Iterator[RunningMessenger]:
    """A real messenger; a bus that isn't given does not exist for it."""
    above, below = pair()
    descriptors = (below.inbox.fileno(), below.outbox.fileno())
    kept = {k: v for k, v in os.environ.items() if "DBUS" not in k and k != "XDG_RUNTIME_DIR"}
    buses = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus", **environment}
    with tempfile.TemporaryDirectory(prefix="log") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-c", CHILD, *map(str, descriptors), outside],
                pass_fds=descriptors,
                env=kept | buses,
                stderr=stderr,
                cwd=ROOT,
            )
        below.close()
        try:
            yield RunningMessenger(above, process, log)
        finally:
            above.close()
            process.kill()
            process.wait(5)


async def soon(probe: Callable[[], T], seconds: float = 5.0) -> T:
    """The first true answer of `probe`, asked while the loop of the test goes on."""
    async with asyncio.timeout(seconds):
        while not (answer := probe()):  # noqa: ASYNC110 (whatever is probed sets no Event)
            await asyncio.sleep(0.005)
        return answer
