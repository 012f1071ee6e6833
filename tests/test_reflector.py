"""autosync-reflector as its clients find it: a real process, real sockets, hostile ones too."""

import errno
import os
import resource
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from autosyncd.transport import reflector_entrance, reflector_protocol, reflector_server
from autosyncd.transport.reflector import Tls, main
from autosyncd.transport.reflector_peer import Plain
from autosyncd.transport.reflector_quota import Limits
from tests.reflector_process import ROOT, SECONDS, LineClient, ReflectorProcess, certificate
from tests.waiting import eventually

CHANNEL = b"cd" * 32
HEAD = b"ab" * 20


@pytest.fixture(scope="module")
def reflector() -> Iterator[ReflectorProcess]:
    with ReflectorProcess() as running:
        yield running
        assert running.end() == 0, running.lines


@contextmanager
def serving(
    security: Plain | None = None, listening: Sequence[socket.socket] = ()
) -> Iterator[int]:
    """A reflector in a thread of this process, for what takes minutes in the real one; its port."""
    own = socket.create_server(("127.0.0.1", 0))
    own.settimeout(0)
    reading, writing = socket.socketpair()
    reading.settimeout(0)
    limits = Limits(connections=10, per_household=10)
    server = reflector_server.Reflector([own, *listening], reading, limits, security or Plain())
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield own.getsockname()[1]
    finally:
        writing.send(bytes([signal.SIGTERM]))
        thread.join(SECONDS)
        for one in (own, reading, writing):
            one.close()
    assert not thread.is_alive()


def test_all_subscribers_hear_and_the_sender_too(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as a, LineClient(reflector.port) as b:
        a.greeted().send(b"subscribe " + CHANNEL)
        b.greeted().send(b"subscribe " + CHANNEL)
        a.in_step()
        b.in_step().send(b"announce " + CHANNEL + b" " + HEAD)
        assert a.line() == b.line() == CHANNEL + b"!" + HEAD


def test_nobody_else_hears(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as a, LineClient(reflector.port) as b:
        a.greeted().send(b"subscribe x", b"unsubscribe x", b"subscribe y")
        a.in_step()
        b.greeted().send(b"announce x " + HEAD)
        b.in_step()
        a.in_step()


def test_everybody_is_on_all(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as a, LineClient(reflector.port) as b:
        b.greeted()
        a.greeted().send(b"unsubscribe all", b"announce all hello")
        assert a.line() == b.line() == b"all!hello"


def test_ping_is_answered_by_the_unix_time(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as client:
        client.greeted().send(b"ping")
        assert abs(int(client.line()) - time.time()) < 5


def test_info_is_lines_that_no_client_takes_for_an_announcement(
    reflector: ReflectorProcess,
) -> None:
    with LineClient(reflector.port) as client:
        client.greeted().send(b"info")
        lines = [client.line() for _ in range(6)]
        assert b"client-limit: 1024" in lines
        assert not any(b"!" in line for line in lines)
        client.in_step()


def test_unknown_and_binary_lines_get_silence(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as client:
        client.greeted().send(b"", b"hello", b"GET / HTTP/1.1", b"announce debug busy")
        client.send(bytes(set(range(256)) - {10}), b"subscribe \xff", b"announce x a\x00b")
        client.in_step()


def test_lines_in_pieces_and_half_a_line(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as client:
        client.greeted()
        for byte in b"ping\n":
            client.socket.sendall(bytes([byte]))
        assert client.line().isdigit()
        client.socket.sendall(b"announce all half")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.line() == b""


def test_what_came_before_the_end_is_answered(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as client:
        client.greeted().send(b"ping")
        client.socket.shutdown(socket.SHUT_WR)
        assert client.line().isdigit()
        assert client.line() == b""


def test_an_over_long_line_ends_its_connection_alone() -> None:
    with (
        ReflectorProcess() as reflector,
        LineClient(reflector.port) as bad,
        LineClient(reflector.port) as good,
    ):
        bad.greeted().socket.sendall(b"x" * 4096)
        assert bad.line() == b""
        good.greeted().in_step()
        assert eventually(lambda: reflector.said("127.0.0.1: it sent a line of more than 4096"))


def test_subscriptions_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector_protocol, "SUBSCRIPTION_LIMIT", 2)
    with serving() as port, LineClient(port) as client:
        client.greeted().send(b"subscribe a", b"subscribe b", b"subscribe a")
        client.in_step().send(b"subscribe c")
        assert client.line() == b"debug!too many subscriptions"


def test_beyond_the_rate_a_client_waits_and_is_not_dropped() -> None:
    with ReflectorProcess() as reflector, LineClient(reflector.port) as client:
        begin = time.monotonic()
        client.greeted().send(*[b"ping"] * 230)
        assert all(client.line().isdigit() for _ in range(230))
        assert time.monotonic() - begin > 0.5
        assert reflector.said("127.0.0.1 sends too much")


def test_a_slow_reader_is_dropped_and_the_others_hear_all() -> None:
    message = b"m" * 4000
    with (
        ReflectorProcess() as reflector,
        LineClient(reflector.port, buffer=4096) as slow,
        LineClient(reflector.port) as quick,
        LineClient(reflector.port) as sender,
    ):
        for client in (slow, quick):
            client.greeted().send(b"subscribe x")
            client.in_step()
        sender.greeted()
        for _ in range(20):
            sender.send(*[b"announce x " + message] * 10)
            assert all(quick.line() == b"x!" + message for _ in range(10))
        eventually(lambda: reflector.said("it doesn't read what it subscribed to"))
        sender.in_step()


def test_clients_that_reset_their_connection(reflector: ReflectorProcess) -> None:
    with LineClient(reflector.port) as good:
        good.greeted().send(b"subscribe x")
        good.in_step()
        for _ in range(50):
            with socket.create_connection(("127.0.0.1", reflector.port)) as rude:
                rude.sendall(b"subscribe x\nannounce x y\n")
                rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        good.send(b"announce x last")
        while good.line() != b"x!last":
            pass


def test_many_connections_quickly() -> None:
    with ReflectorProcess() as reflector, ExitStack() as stack:
        clients = [stack.enter_context(LineClient(reflector.port)) for _ in range(400)]
        for client in clients:
            client.greeted().send(b"subscribe x")
        for client in clients:
            client.in_step()
        clients[0].send(b"announce x " + HEAD)
        assert all(client.line() == b"x!" + HEAD for client in clients)
        assert reflector.pss() < 20 * 1024 * 1024


def test_beyond_the_limit_clients_are_told_busy() -> None:
    with ReflectorProcess("--max-connections", "2") as reflector, ExitStack() as stack:
        inside = [stack.enter_context(LineClient(reflector.port)).greeted() for _ in range(2)]
        for _ in range(5):
            with LineClient(reflector.port) as late:
                assert late.line() == b"debug!busy"
                assert late.line() == b""
        eventually(lambda: reflector.said("all 2 connections are taken"))
        assert len(reflector.said("all 2 connections are taken")) == 1, "one line, not five"
        inside[0].socket.shutdown(socket.SHUT_RDWR)

        def there_is_room() -> bool:
            with LineClient(reflector.port) as late:
                return late.line() == b"debug!connected..."

        assert eventually(there_is_room)


def test_without_descriptors_it_waits_instead_of_spinning() -> None:
    with ReflectorProcess() as reflector, ExitStack() as stack:
        first = stack.enter_context(LineClient(reflector.port)).greeted()
        used = len(os.listdir(f"/proc/{reflector.process.pid}/fd"))
        limits = resource.prlimit(reflector.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(reflector.process.pid, resource.RLIMIT_NOFILE, (used, limits[1]))
        late = stack.enter_context(LineClient(reflector.port))
        eventually(lambda: reflector.said("can't accept connections: Too many open files"))
        first.in_step()
        before, begin = reflector.cpu(), time.monotonic()
        resource.prlimit(reflector.process.pid, resource.RLIMIT_NOFILE, limits)
        late.greeted()
        assert reflector.cpu() - before < max(0.2, (time.monotonic() - begin) / 2)


def test_one_socket_out_of_luck_stops_all_for_a_second(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class NoDescriptors(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    turns: list[float] = []
    monkeypatch.setattr(reflector_entrance, "ACCEPT_AGAIN_AFTER", 0.1)
    with ExitStack() as stack:
        listening = [stack.enter_context(NoDescriptors()) for _ in range(2)]
        for one in listening:
            one.bind(("127.0.0.1", 0))
            one.listen()
            one.settimeout(0)
            stack.enter_context(socket.create_connection(one.getsockname()))
        with serving(listening=listening):
            eventually(lambda: "Too many open files" in caplog.text)
            turns.append(time.process_time())
            threading.Event().wait(0.3)
            turns.append(time.process_time())
    assert turns[1] - turns[0] < 0.15


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector_server, "IDLE_FOR", 0.2)
    with serving() as port, LineClient(port) as client:
        assert client.greeted().line() == b""


def test_a_listener_who_never_speaks_is_not_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reflector_server, "IDLE_FOR", 0.4)
    with serving() as port, LineClient(port) as listener, LineClient(port) as sender:
        listener.greeted()
        begin = time.monotonic()
        while time.monotonic() - begin < 1.0:
            sender.send(b"announce all x")
            assert listener.line() == b"all!x"
            threading.Event().wait(0.1)


def test_idle_memory() -> None:
    code = "import sys; import autosyncd.transport.reflector; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout.split()
    assert not {"asyncio", "ssl", "dataclasses", "inspect"} & set(loaded), "a mebibyte or more each"
    with ReflectorProcess() as fresh, LineClient(fresh.port) as client:
        client.greeted()
        assert fresh.pss() <= 12 * 1024 * 1024


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(number: signal.Signals) -> None:
    with ReflectorProcess() as reflector, LineClient(reflector.port) as client:
        client.greeted()
        reflector.process.send_signal(number)
        assert client.line() == b""
        assert reflector.ended() == 0
        assert len(reflector.lines) == 1, reflector.lines


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--listen", "127.0.0.1"],
        ["--listen", "127.0.0.1:x"],
        ["--listen", "127.0.0.1:70000"],
        ["--listen", "127.0.0.1:0", "--cert", "x"],
        ["--listen", "127.0.0.1:0", "--max-connections", "0"],
    ],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: autosync-reflector" in capsys.readouterr().err


def test_an_address_in_use_is_said_in_one_line(
    reflector: ReflectorProcess, caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["--listen", f"127.0.0.1:{reflector.port}"]) == 1
    assert "Address already in use; nothing is served" in caplog.text


def test_a_missing_certificate_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    assert main(["--listen", "127.0.0.1:0", "--cert", "/nowhere/c", "--key", "/nowhere/k"]) == 1
    assert "the certificate or its key can't be used" in caplog.text


def test_tls(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "first")
    context = ssl.create_default_context(cafile=cert)
    with (
        ReflectorProcess("--cert", str(cert), "--key", str(key)) as reflector,
        LineClient(reflector.port, context) as a,
        LineClient(reflector.port, context) as b,
    ):
        a.greeted().send(b"subscribe x")
        a.in_step()
        b.greeted().send(*[b"announce x " + b"m" * 4000] * 50)
        assert all(a.line() == b"x!" + b"m" * 4000 for _ in range(50))
        with LineClient(reflector.port) as plain:
            plain.send(b"subscribe x")
            assert b"debug" not in plain.line()
        eventually(lambda: reflector.said("the TLS handshake failed"))
        assert reflector.end() == 0


def test_a_handshake_that_never_comes_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reflector_server, "HANDSHAKE_WITHIN", 0.2)
    cert, key = certificate(tmp_path, "first")
    with serving(Tls(str(cert), str(key))) as port, LineClient(port) as silent:
        assert silent.line() == b""
    assert "no TLS handshake in time" in caplog.text


def test_hangup_renews_the_certificate(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "first")
    with ReflectorProcess("--cert", str(cert), "--key", str(key)) as reflector:
        key.write_text("not a key")
        reflector.process.send_signal(signal.SIGHUP)
        eventually(lambda: reflector.said("can't be read again"))
        with LineClient(reflector.port, ssl.create_default_context(cafile=cert)) as old:
            old.greeted()
            certificate(tmp_path, "first")
            reflector.process.send_signal(signal.SIGHUP)
            eventually(lambda: reflector.said("was read again"))
            old.in_step()
        with LineClient(reflector.port, ssl.create_default_context(cafile=cert)) as new:
            new.greeted()
