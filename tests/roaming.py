"""A laptop that sleeps and moves: a booted machine, a desktop and an XMPP server on one network."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.booted import Service, configured
from tests.daemons import Daemon, clone, daemon, git, hub
from tests.testbed.machines import Box, Net
from tests.testbed.messaging import XmppServer
from tests.testbed.program import execute
from tests.waiting import eventually
from tests.xmpp_daemons import IP, PASSWORD, configure

HERE = "/srv/world"
"""Where the laptop sees the folder of the hub and the server."""


@dataclass
class Roaming:
    """Both machines have ~/notes (the desktop's lies in `tree`) and never poll."""

    laptop: Service
    desktop: Daemon
    tree: Path
    net: Net
    server: XmppServer
    edits: int = 0
    place: int = 100
    """The last part of the laptop's newest address."""

    def edit(self) -> str:
        """The desktop writes something; what."""
        self.edits += 1
        text = f"edit {self.edits}"
        (self.tree / "todo.md").write_text(text)
        eventually(lambda: git(self.tree, "show", "main:todo.md", check=False) == text, 20)
        return text

    def arrives(self, text: str, seconds: float) -> None:
        """The laptop's file has these bytes."""
        try:
            eventually(
                lambda: self.laptop.box.shell("cat notes/todo.md", check=False) == text, seconds
            )
        except AssertionError as missing:
            lines = self.laptop.journal("-o", "short-precise")
            missing.add_note(f"the laptop:\n{lines}")
            missing.add_note(f"the desktop:\n{self.desktop.text()}")
            raise

    def online(self) -> int:
        """How often the laptop's journal says that it is online."""
        return self.laptop.journal().count("xmpp is online")

    def offline(self) -> int:
        """How often it says that it is not."""
        return self.laptop.journal().count("xmpp is not online")

    def moves(self) -> None:
        """The laptop gets another address; of its old connections no packet arrives any more."""
        self.place += 1
        network = self.net.address("laptop").rpartition(".")[0]
        old = f"{network}.{self.place - 1}" if self.place > 101 else self.net.address("laptop")
        ip = [IP, "-n", self.net.namespace("laptop"), "addr"]
        execute([*ip, "del", f"{old}/24", "dev", "eth0"])
        execute([*ip, "add", f"{network}.{self.place}/24", "dev", "eth0"])

    def sleeps(self, seconds: float, meanwhile: Callable[[], None]) -> None:
        """The laptop is suspended; returns once it has woken."""
        nap = threading.Thread(target=self.laptop.box.suspend, args=(seconds,))
        nap.start()
        asleep = "systemctl show -P FreezerState user.slice"
        eventually(lambda: self.laptop.box.shell(asleep, user="root") == "frozen", 20)
        meanwhile()
        nap.join()


@contextlib.contextmanager
def roaming(folder: Path) -> Iterator[Roaming]:
    """All of it, online and at rest."""
    shared = hub(folder)
    tree = clone(shared, folder / "notes")
    # the first commit is what the two know each other by: each calls the hub by another name
    git(tree, "commit", "-q", "--allow-empty", "-m", "begin")
    git(tree, "push", "-q", "origin", "HEAD:main")
    with (
        Net("laptop", "desktop") as net,
        XmppServer(folder / "server", net=net) as server,
        daemon(folder, "desktop") as desktop,
        Box(user="alice", net=(net, "laptop"), can_sleep=True, binds={folder: HERE}) as box,
    ):
        server.start()
        server.add_user("alice", PASSWORD)
        desktop.through = (IP, "netns", "exec", net.namespace("desktop"))
        configure(desktop, server, tree)
        desktop.start().ready("notes").says("xmpp is online")
        box.run("/checkout/script/install", user="root", timeout=300)
        laptop = configured(box)
        box.shell(f"chmod a+rx {HERE}; chmod -R a+rwX {HERE}/hub.git {HERE}/server", user="root")
        box.shell(f"git config --global safe.directory '*'; git clone -q {HERE}/hub.git notes")
        box.run(
            "sh",
            "-ec",
            "mkdir -pm 700 .config/autosync; umask 077; cat >.config/autosync/autosync.yaml",
            input=desktop.config.read_text()
            .replace(str(tree), "~/notes")
            .replace(str(folder), HERE),
        )
        laptop.start()
        one = Roaming(laptop, desktop, tree, net, server)
        eventually(one.online, 20, every=0.2)
        one.arrives(one.edit(), 20)
        yield one
