"""Two daemons that hear of each other over an XMPP account and in no other way."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from tests.daemons import clone, daemon, git, hub
from tests.testbed.messaging import XmppServer
from tests.waiting import eventually
from tests.xmpp_daemons import OFFLINE, ONLINE, PASSWORD, configure, messenger, on_a_network, pair

Kind = Literal["prosody", "ejabberd"]
KINDS: tuple[Kind, ...] = ("prosody", "ejabberd")


@pytest.fixture(scope="module", params=KINDS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[XmppServer]:
    with XmppServer(tmp_path_factory.mktemp("xmpp") / "server", request.param) as server:
        server.start()
        server.add_user("alice", PASSWORD)
        yield server


def test_an_edit_travels_and_the_messenger_may_be_killed(
    server: XmppServer, tmp_path: Path
) -> None:
    with pair(tmp_path, server) as two:
        two.laptop.starts()
        two.desktop.starts()
        two.laptop.writes("water the plants\n")
        eventually(lambda: two.desktop.has("water the plants\n"), 20)
        os.kill(messenger(two.laptop.daemon), signal.SIGKILL)
        two.laptop.daemon.says(ONLINE, times=2)
        two.laptop.writes("water them twice\n")
        eventually(lambda: two.desktop.has("water them twice\n"), 20)
        assert PASSWORD not in two.laptop.daemon.text() + two.desktop.daemon.text()


@pytest.mark.root
@pytest.mark.parametrize("kind", KINDS)
def test_a_parted_network_is_noticed_and_heals_and_polling_bridges_it(
    kind: Kind, tmp_path: Path
) -> None:
    """With the true timers: noticed within 45 s, well within 60 s of the end."""
    with on_a_network(tmp_path, kind, "10s") as (two, net):
        net.partition("laptop")
        began = time.monotonic()
        two.laptop.writes("water the plants\n")
        two.laptop.daemon.says(OFFLINE, 45)
        eventually(lambda: two.desktop.has("water the plants\n"), 45 - (time.monotonic() - began))
        net.heal()
        two.laptop.daemon.says(ONLINE, 60, times=2)
        two.meet()


def test_two_daemons_of_one_name_end_up_side_by_side(server: XmppServer, tmp_path: Path) -> None:
    """A copied home: the older one is displaced, once, and both hear each other ever after."""
    with pair(tmp_path, server) as two:
        two.laptop.starts()
        two.share_a_name()
        two.desktop.starts()
        two.laptop.daemon.says("another client of the account took its place")
        two.laptop.daemon.says(ONLINE, times=2)
        for _ in range(5):  # longer than the pause after a first loss
            two.meet()
        assert two.laptop.times(OFFLINE) == 1
        assert two.desktop.times(OFFLINE) == 0


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
        machine.says(ONLINE)
        assert machine.text().count("the password is wrong") == 1
