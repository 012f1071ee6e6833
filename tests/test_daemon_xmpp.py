"""Two daemons that hear of each other over an XMPP account and in no other way."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import QUICK, Daemon, clone, daemon, git, hub, write_yaml
from tests.testbed.machines import Net
from tests.testbed.messaging import XmppServer
from tests.waiting import eventually

PASSWORD = "not-for-the-log-ä"


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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[XmppServer]:
    with XmppServer(tmp_path_factory.mktemp("xmpp") / "server", "prosody") as server:
        server.start()
        server.add_user("alice", PASSWORD)
        yield server


def messenger(machine: Daemon) -> int:
    """The pid of its messenger."""
    return next(pid for name, pid in machine.workers().items() if name.startswith("messen"))


def test_an_edit_travels_and_the_messenger_may_be_killed(
    server: XmppServer, tmp_path: Path
) -> None:
    shared = hub(tmp_path)
    trees = [clone(shared, tmp_path / name) for name in ("laptop-notes", "desktop-notes")]
    with daemon(tmp_path, "laptop") as laptop, daemon(tmp_path, "desktop") as desktop:
        for machine, tree in zip((laptop, desktop), trees, strict=True):
            configure(machine, server, tree)
            machine.start().ready(tree.name).says("xmpp is online")
        there = trees[1] / "todo.md"
        (trees[0] / "todo.md").write_text("water the plants\n")
        eventually(there.exists, 20)
        os.kill(messenger(laptop), signal.SIGKILL)
        laptop.says("xmpp is online", times=2)
        (trees[0] / "todo.md").write_text("water them twice\n")
        eventually(lambda: there.read_text() == "water them twice\n", 20)
        assert PASSWORD not in laptop.text() + desktop.text()


@pytest.mark.root
def test_a_parted_network_is_noticed_and_heals_and_polling_bridges_it(tmp_path: Path) -> None:
    """With the true timers: noticed within 45 s, well within 60 s of the end."""
    shared = hub(tmp_path)
    trees = [clone(shared, tmp_path / name) for name in ("laptop-notes", "desktop-notes")]
    with (
        Net("laptop", "desktop") as net,
        XmppServer(tmp_path / "server", "prosody", net=net) as server,
        daemon(tmp_path, "laptop") as laptop,
        daemon(tmp_path, "desktop") as desktop,
    ):
        server.start()
        server.add_user("alice", PASSWORD)
        ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin") or "ip"
        for machine, tree in ((laptop, trees[0]), (desktop, trees[1])):
            machine.through = (ip, "netns", "exec", net.namespace(machine.home.name))
            configure(machine, server, tree, "10s")
            machine.start().ready(tree.name).says("xmpp is online")
        there = trees[1] / "todo.md"
        net.partition("laptop")
        began = time.monotonic()
        (trees[0] / "todo.md").write_text("water the plants\n")
        laptop.says("xmpp is not online", 45)
        eventually(there.exists, 45 - (time.monotonic() - began))
        net.heal()
        laptop.says("xmpp is online", 60, times=2)
        (trees[0] / "todo.md").write_text("water them twice\n")
        eventually(lambda: there.read_text() == "water them twice\n", 20)


def test_a_wrong_password_stops_nothing_else_and_a_reload_tries_again(
    server: XmppServer, tmp_path: Path
) -> None:
    tree = clone(hub(tmp_path), tmp_path / "notes")
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text("wrong\n")
    with daemon(tmp_path) as machine:
        configure(machine, server, tree, password_file=str(secret))
        machine.start().ready("notes").says("the password is wrong")
        (tree / "todo.md").write_text("water the plants\n")
        eventually(lambda: "todo.md" in git(tree, "log", "--name-only", check=False))
        secret.write_text(f"{PASSWORD}\n")
        assert machine.process is not None
        machine.process.send_signal(signal.SIGHUP)
        machine.says("xmpp is online")
        assert machine.text().count("the password is wrong") == 1
