"""Two real daemons of one XMPP account, in one network of their own or beside each other.

They hear of each other's pushes over that account and, unless they are told to poll, in no other way.
"""

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.daemons import QUICK, Daemon, clone, daemon, hub, write_yaml
from tests.testbed.machines import Net
from tests.testbed.messaging import XmppServer
from tests.waiting import eventually

PASSWORD = "not-for-the-log-ä"
IP = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin") or "ip"
ONLINE, OFFLINE = "xmpp is online", "xmpp is not online"


def configure(
    machine: Daemon, server: XmppServer, tree: Path, poll: str = "never", **secret: str
) -> None:
    account = {
        "jid": f"alice@{server.host}",
        **(secret or {"password": PASSWORD}),
        "server": f"{server.ip}:{server.port}",
        "ca_file": server.ca,
    }
    notes = {"path": str(tree), "poll_every": poll}
    data = {"defaults": QUICK, "repositories": [notes], "transports": {"xmpp": account}}
    write_yaml(machine.config, data)


def messenger(machine: Daemon) -> int:
    """The pid of its messenger."""
    return next(pid for name, pid in machine.workers().items() if name.startswith("messen"))


@dataclass
class Side:
    """One of the two, and its work tree."""

    daemon: Daemon
    tree: Path

    def starts(self) -> None:
        """And is online."""
        self.daemon.start().ready(self.tree.name).says(ONLINE)

    def writes(self, text: str) -> None:
        (self.tree / "todo.md").write_text(text)

    def has(self, text: str) -> bool:
        """Whether what was written somewhere is here."""
        path = self.tree / "todo.md"
        return path.exists() and path.read_text() == text

    def times(self, words: str) -> int:
        """How often its log says so."""
        return self.daemon.text().count(words)


@dataclass
class Pair:
    """A laptop and a desktop, neither of them started."""

    laptop: Side
    desktop: Side
    edits: int = 0

    def meet(self) -> None:
        """An edit travels each way."""
        self.travels(self.laptop, self.desktop)
        self.travels(self.desktop, self.laptop)

    def travels(self, here: Side, there: Side, seconds: float = 20) -> None:
        """What is written here is there."""
        text = self.edit(here)
        eventually(lambda: there.has(text), seconds)

    def edit(self, here: Side) -> str:
        """Something new is written; what."""
        self.edits += 1
        text = f"edit {self.edits}\n"
        here.writes(text)
        return text

    def share_a_name(self) -> None:
        """The desktop's home is a copy of the laptop's, made while that one runs."""
        names = [
            side.daemon.home / ".local/state/autosync/daemon"
            for side in (self.laptop, self.desktop)
        ]
        names[1].parent.mkdir(parents=True)
        shutil.copyfile(*names)


@contextlib.contextmanager
def pair(
    folder: Path, server: XmppServer, net: Net | None = None, poll: str = "never"
) -> Iterator[Pair]:
    """Both, configured; in `net`, whose hosts have their names, if there is one."""
    shared = hub(folder)
    with daemon(folder, "laptop") as laptop, daemon(folder, "desktop") as desktop:
        sides = []
        for machine in (laptop, desktop):
            name = machine.home.name
            tree = clone(shared, folder / f"{name}-notes")
            if net:
                machine.through = (IP, "netns", "exec", net.namespace(name))
            configure(machine, server, tree, poll)
            sides.append(Side(machine, tree))
        yield Pair(*sides)


@contextlib.contextmanager
def on_a_network(
    folder: Path, kind: Literal["prosody", "ejabberd"], poll: str = "never"
) -> Iterator[tuple[Pair, Net]]:
    """Both online, on a network of which one may be cut off without a word."""
    with Net("laptop", "desktop") as net, XmppServer(folder / "server", kind, net=net) as server:
        server.start()
        server.add_user("alice", PASSWORD)
        with pair(folder, server, net, poll) as two:
            two.laptop.starts()
            two.desktop.starts()
            yield two, net
