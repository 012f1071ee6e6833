"""What arrives at systemd's socket."""

import os
import socket

import pytest

from autosyncd.service.notify import Notifier


@pytest.fixture
def notifying():
    """Makes a Notifier that is closed with the test."""
    made: list[Notifier] = []

    def make() -> Notifier:
        made.append(Notifier())
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as it:
        it.bind(str(tmp_path / "notify"))
        it.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield it


def test_every_word_arrives(notifying, systemd):
    notifier = notifying()
    notifier.ready()
    notifier.watchdog()
    notifier.reloading(123456)
    notifier.stopping()
    assert [systemd.recv(4096) for _ in range(4)] == [
        b"READY=1",
        b"WATCHDOG=1",
        b"RELOADING=1\nMONOTONIC_USEC=123456",
        b"STOPPING=1",
    ]


def test_no_child_inherits_the_way_to_systemd(notifying, systemd, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    notifier = notifying()
    assert notifier.watchdog_every == 1.0
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & os.environ.keys()
    assert notifier.told.keys() == {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"}
    notifier.ready()
    assert systemd.recv(4096) == b"READY=1"


def test_a_chinese_name_arrives(notifying, systemd):
    notifying().status("笔记本电脑: halted")
    assert systemd.recv(4096).decode() == "STATUS=笔记本电脑: halted"


def test_a_status_is_one_line_whatever_is_in_it(notifying, systemd):
    notifying().status(os.fsdecode(b"caf\xe9\nMAINPID=1\x1b[2J"))
    assert systemd.recv(4096) == b"STATUS=caf\\xe9\\x0aMAINPID=1\\x1b[2J"


def test_an_abstract_socket(notifying, monkeypatch):
    name = f"autosyncd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as it:
        it.bind(f"\0{name}")
        it.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        notifying().ready()
        assert it.recv(4096) == b"READY=1"


def test_a_socket_that_is_gone_is_no_error(notifying, systemd):
    notifier = notifying()
    notifier.ready()
    assert systemd.recv(4096) == b"READY=1"
    systemd.close()
    notifier.status("nobody hears this")
    notifier.watchdog()


def test_outside_systemd_nothing_is_sent(notifying, monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = notifying()
    notifier.ready()
    notifier.status("笔记")


@pytest.mark.parametrize(
    ("usec", "pid", "every"),
    [
        ("60000000", "", 30.0),
        ("60000000", "own", 30.0),
        ("60000000", "1", None),
        ("", "", None),
        ("0", "", None),
        ("soon", "", None),
    ],
)
def test_the_watchdog_beats_at_half_its_time_if_it_is_meant_for_this_process(
    notifying, monkeypatch, usec, pid, every
):
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert notifying().watchdog_every == every
