"""The testbed does what it says: a test that runs on it must be able to believe it."""

import asyncio
import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Literal

import pytest

from tests.testbed import Box, Desktop, Disk, Failed, GitServers, Net, XmppServer, execute
from tests.testbed.program import HERE
from tests.waiting import eventually

PROGRAMS = [
    "systemd-box",
    "systemd-box-boot",
    "git-servers",
    "net",
    "net-wire",
    "desktop",
    "faults",
    "clean-room",
    "xmpp",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_explains_itself(program: str) -> None:
    assert program in execute([HERE / program, "--help"]).stdout


@pytest.mark.slow
def test_git_servers_serve_pause_and_come_back_at_the_same_address(tmp_path: Path) -> None:
    with GitServers(tmp_path / "servers", "notes") as servers:
        env = servers.environment

        def reachable(kind: str) -> bool:
            asked = ["timeout", "3", "git", "ls-remote", servers.url(kind)]
            return execute(asked, env=env, check=False).returncode == 0

        assert [kind for kind in servers.kinds if reachable(kind)] == list(servers.kinds)
        servers.pause("git")
        assert not reachable("git")
        servers.resume("git")
        servers.kill("ssh")
        assert not reachable("ssh")
        assert reachable("git")
        servers.restart()
        assert reachable("ssh")
    assert not (tmp_path / "servers").exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
def test_an_xmpp_server_lets_its_users_in_falls_silent_and_comes_back(
    tmp_path: Path, kind: Literal["prosody", "ejabberd"]
) -> None:
    from tests.chat_client import ChatClient  # it skips what needs slixmpp where there is none

    with XmppServer(tmp_path / "server", kind) as server:
        jid = server.add_user("alice", "first")

        async def first_event(password: str) -> str:
            client = ChatClient(server, jid, password)
            await client.connect()
            try:
                return await client.event("session_start", "failed_all_auth", "ssl_invalid_chain")
            finally:
                await client.end()

        assert asyncio.run(first_event("first")) == "session_start"
        assert asyncio.run(first_event("second")) == "failed_all_auth"

        def greets() -> bool:
            with socket.create_connection((server.ip, server.port), 5) as connection:
                connection.settimeout(1.0)
                connection.sendall(
                    b"<stream:stream to='xmpp.test' version='1.0' xmlns='jabber:client' "
                    b"xmlns:stream='http://etherx.jabber.org/streams'>"
                )
                with contextlib.suppress(TimeoutError):
                    return connection.recv(1) == b"<"
                return False

        assert greets()
        server.pause()
        assert not greets()
        server.resume()
        assert greets()
        server.kill()
        with pytest.raises(ConnectionError):  # refused, or reset while it is being torn down
            greets()
        server.start()
        server.add_user("alice", "second")
        assert asyncio.run(first_event("second")) == "session_start"
    assert not (tmp_path / "server").exists()


@pytest.mark.slow
def test_a_desktop_shows_a_bubble_and_takes_a_click(tmp_path: Path) -> None:
    with Desktop(tmp_path / "desktop") as desktop:
        assert desktop.notify("autosync", "Conflict", "in notes", "open=Open") >= 1

        def clicked_away() -> bool:
            with contextlib.suppress(Failed):  # the bubble may not be drawn yet
                desktop.click()
            return "in notes" in desktop.history()

        assert "in notes" not in desktop.history()
        eventually(clicked_away)


@pytest.mark.root
def test_hosts_reach_each_other_until_they_are_parted() -> None:
    with Net("a", "b") as net:

        def ping(host: str, other: str) -> bool:
            asked = ["ping", "-q", "-c", "1", "-W", "1", other]
            return net.run(host, *asked, check=False).returncode == 0

        assert ping("a", "b")
        net.partition("a", "b")
        assert not ping("a", "b")
        assert ping("a", "hub")
        net.heal()
        assert ping("a", "b")
        net.unplug("a")
        assert not ping("a", "b")


@pytest.mark.root
@pytest.mark.slow
def test_a_wire_delays_and_recovers(tmp_path: Path) -> None:
    with Net("a", "b") as net, GitServers(tmp_path / "servers", net=net) as servers:

        def round_trip() -> float:
            printed = net.run("a", "ping", "-q", "-c", "3", "-i", "0.2", "b").stdout
            return float(printed.rsplit("=", 1)[1].split("/")[1])

        assert round_trip() < 30
        net.shape("a", delay="60ms")
        assert 115 < round_trip() < 250
        net.shape("a")
        assert round_trip() < 30
        asked = net.run("b", "env", *[f"{k}={v}" for k, v in servers.environment.items()],
                        "git", "ls-remote", servers.url("https"))  # fmt: skip
        assert asked.stdout == ""


@pytest.mark.root
@pytest.mark.slow
def test_a_box_boots_sleeps_and_reboots() -> None:
    with Box(user="alice", can_sleep=True) as box:
        assert box.shell("systemctl --user is-system-running; id -un") == "running\nalice"
        assert box.run("sh", "-c", "cat; exit 7", input="in", check=False).returncode == 7
        assert box.run("cat", input="in").stdout == "in"
        assert box.shell("cat /checkout/pyproject.toml | head -n 1") == "[build-system]"
        box.suspend(0.5)
        woken = "journalctl -b -o cat -u systemd-logind"
        eventually(lambda: "sleep' finished" in box.shell(woken, user="root"))
        before = box.call("pid", box.name)
        box.reboot()
        assert box.shell("systemctl --user is-system-running") == "running"
        assert box.call("pid", box.name) != before
        gone = int(box.call("pid", box.name))
        box.cut_power()
        assert not Path(f"/proc/{gone}").exists()


@pytest.mark.root
@pytest.mark.slow
def test_a_disk_fills_up_fails_and_loses_power(tmp_path: Path) -> None:
    with Disk(tmp_path / "disk") as disk:
        disk.fault("fill")
        with pytest.raises(OSError, match="No space left"):
            (disk.path / "new").write_bytes(b"x" * 100_000)
        disk.fault("unfill")
        disk.fault("read-only")
        with pytest.raises(OSError, match="Read-only"):
            (disk.path / "new").touch()
        disk.fault("writable")
        with (disk.path / "synced").open("w") as file:
            file.write("kept")
            file.flush()
            os.fsync(file.fileno())
        (disk.path / "unsynced").write_text("lost")
        disk.fault("power-cut")
        assert (disk.path / "synced").read_text() == "kept"
        lost = disk.path / "unsynced"
        assert not lost.exists() or lost.read_text() == ""
        (disk.path / "big").write_bytes(os.urandom(1_000_000))
        disk.fault("unreadable")
        with pytest.raises(OSError, match=r"Input/output|Bad message|Structure needs"):
            (disk.path / "big").read_bytes()
        disk.fault("readable")
        assert len((disk.path / "big").read_bytes()) == 1_000_000


def test_inotify_can_be_limited_for_one_command(tmp_path: Path) -> None:
    folders = [tmp_path / str(number) for number in range(3)]
    for folder in folders:
        folder.mkdir()
    script = "import inotify_simple, sys\ni = inotify_simple.INotify()\n" + (
        "for f in sys.argv[1:]: i.add_watch(f, 2)"
    )
    watch = [sys.executable, "-c", script]
    limited: list[str | Path] = [HERE / "faults", "inotify", "2", "--", *watch, *folders]
    done = execute(limited, check=False)
    if "unshare failed" in done.stderr:
        pytest.skip("this kernel gives ordinary users no namespace")
    assert "No space left" in done.stderr
