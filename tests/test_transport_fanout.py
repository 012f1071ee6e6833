"""The fanout transport against a real reflector, and against servers that do as they like."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from autosyncd import clock
from autosyncd.model import Channel, FanoutConfig, PushNotice, TreeId
from autosyncd.transport import base, connection
from autosyncd.transport.fanout import FanoutTransport
from tests.reflector_process import LineClient, ReflectorProcess, certificate

HEAD = "ab" * 20
OTHER = "12" * 20
CHANNEL = Channel("cd" * 32)
FOLDER = Channel("ef" * 20)
SECONDS = 10.0


def notice(head: str = HEAD, *channels: Channel) -> PushNotice:
    return PushNotice(channels or (CHANNEL,), "main", head, TreeId("1" * 32), "laptop")


class Recorder:
    """A listener that keeps what it is told until a test asks for it."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, object]] = asyncio.Queue()

    def heard(self, notice: PushNotice, sender: str) -> None:
        self.told.put_nowait(("heard", (notice.channels[0], notice.head)))

    def connected(self) -> None:
        self.told.put_nowait(("connected", None))

    def changed(self, *, online: bool, reason: str) -> None:
        self.told.put_nowait(("online" if online else "offline", reason))

    async def next(self) -> tuple[str, object]:
        return await asyncio.wait_for(self.told.get(), SECONDS)

    def alarm(self, text: str) -> None:
        self.told.put_nowait(("alarm", text))

    async def session(self) -> None:
        """A new session begins, and nothing else happens before."""
        assert await self.next() == ("connected", None)
        assert await self.next() == ("online", "")

    async def offline(self) -> str:
        """Why it is offline, which is the next thing told."""
        kind, reason = await self.next()
        assert kind == "offline", (kind, reason)
        return str(reason)


@contextlib.asynccontextmanager
async def running(
    port: int, *channels: Channel, ca_file: Path | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[tuple[FanoutTransport, Recorder]]:
    """A transport that runs; without a ca_file it is plain."""
    recorder = Recorder()
    config = FanoutConfig(host, port, tls=ca_file is not None, ca_file=str(ca_file))
    fanout = FanoutTransport(config, recorder)
    transport: base.Transport = fanout
    transport.subscribe(frozenset(channels or (CHANNEL,)))
    task = asyncio.create_task(transport.run())
    try:
        yield fanout, recorder
    finally:
        transport.stop()
        await asyncio.wait_for(task, SECONDS)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[int]:
    """A server that does with each connection what the script says; its port."""
    over = asyncio.Event()
    tasks: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
            await writer.drain()
            await over.wait()
        except OSError:
            pass
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        over.set()
        if tasks:
            await asyncio.wait(tasks)


def test_announced_here_heard_there() -> None:
    async def story(port: int) -> None:
        async with running(port) as (_, there), running(port) as (here, own):
            await there.session()
            await own.session()
            here.announce(notice(HEAD))
            assert await there.next() == ("heard", (CHANNEL, HEAD))
            here.announce(notice(OTHER))
            assert await there.next() == ("heard", (CHANNEL, OTHER))
            assert own.told.empty(), "its own echo is nothing to hear"

    with ReflectorProcess() as reflector:
        asyncio.run(story(reflector.port))


def test_sparkleshare_and_this_client_understand_each_other() -> None:
    async def story(port: int, sparkle: LineClient) -> None:
        async with running(port, CHANNEL, FOLDER) as (here, own):
            await own.session()
            here.announce(notice(HEAD, CHANNEL, FOLDER))
            assert await asyncio.to_thread(sparkle.line) == f"{FOLDER}!{HEAD}".encode()
            sparkle.send(f"announce {FOLDER} {OTHER}".encode())
            assert await own.next() == ("heard", (FOLDER, OTHER))

    with ReflectorProcess() as reflector, LineClient(reflector.port) as sparkle:
        sparkle.greeted().send(f"subscribe {FOLDER}".encode())
        sparkle.in_step()
        asyncio.run(story(reflector.port, sparkle))


def test_the_subscription_follows_the_set() -> None:
    async def story(port: int, other: LineClient) -> None:
        async with running(port) as (here, own):
            await own.session()
            here.subscribe(frozenset({FOLDER}))
            here.announce(notice(HEAD, FOLDER))  # its echo would come after the changes
            assert await asyncio.to_thread(other.line) == f"{FOLDER}!{HEAD}".encode()
            other.send(f"announce {CHANNEL} {OTHER}".encode())
            other.send(f"announce {FOLDER} {OTHER}".encode())
            assert await own.next() == ("heard", (FOLDER, OTHER))

    with ReflectorProcess() as reflector, LineClient(reflector.port) as other:
        other.greeted().send(f"subscribe {FOLDER}".encode())
        other.in_step()
        asyncio.run(story(reflector.port, other))


def test_it_comes_back_when_the_server_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 0.05)

    async def story(first: ReflectorProcess) -> None:
        async with running(first.port) as (_, own):
            await own.session()
            await asyncio.to_thread(first.kill)
            while "Connection refused" not in await own.offline():
                pass
            second = await asyncio.to_thread(lambda: ReflectorProcess(port=first.port))
            with second, LineClient(second.port) as other:
                await own.session()
                other.greeted().send(f"announce {CHANNEL} {OTHER}".encode())
                assert await own.next() == ("heard", (CHANNEL, OTHER)), "subscribed again"

    with ReflectorProcess() as reflector:
        asyncio.run(story(reflector))


def test_what_is_announced_without_a_session_is_said_in_the_next() -> None:
    packets: asyncio.Queue[bytes] = asyncio.Queue()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"debug!connected...\n1700000000\n")
        while line := await reader.readline():
            packets.put_nowait(line)

    async def story() -> None:
        async with scripted(note) as port, running(port) as (here, _):
            here.announce(notice(OTHER))
            here.announce(notice(HEAD))
            assert await packets.get() == f"subscribe {CHANNEL}\n".encode()
            assert await packets.get() == b"ping\n"
            assert await packets.get() == f"announce {CHANNEL} {HEAD}\n".encode(), "the newest"
            here.announce(notice(OTHER))
            assert await packets.get() == f"announce {CHANNEL} {OTHER}\n".encode()

    asyncio.run(story())


def test_a_hint_of_the_network_cuts_the_waiting_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "BACKOFF_FIRST", 3600.0)
    monkeypatch.setattr(connection, "BACKOFF_LONGEST", 3600.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def story() -> None:
        async with running(port) as (here, own):
            assert f"127.0.0.1:{port} can't be used" in await own.offline()
            with await asyncio.to_thread(lambda: ReflectorProcess(port=port)):
                here.network(online=True)
                await own.session()

    asyncio.run(story())


def test_a_server_that_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "ANSWER_WITHIN_AFTER_HINT", 0.1)
    pinged = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"debug!connected...\n1700000000\n")
        for _ in range(2):  # one begins the session, one is asked for by the hint
            while await reader.readline() != b"ping\n":
                pass
        pinged.set()

    async def story() -> None:
        async with scripted(hang) as port, running(port) as (here, own):
            await own.session()
            here.woke()
            assert "no answer to a ping" in await own.offline()
            assert pinged.is_set()

    asyncio.run(story())


def test_a_quiet_server_that_answers_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PING_AFTER", 0.02)
    answered = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"debug!connected...\n1700000000\n")
        pings = 0
        while pings < 5:
            if await reader.readline() == b"ping\n":
                pings += 1
                writer.write(b"1700000000\n")
        writer.write(f"{CHANNEL}!{HEAD}\n".encode())
        answered.set()

    async def story() -> None:
        async with scripted(answer) as port, running(port) as (_, own):
            await own.session()
            assert await own.next() == ("heard", (CHANNEL, HEAD))
            assert answered.is_set()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (b"debug!busy\n", "it is busy"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "doesn't greet like a fanout server"),
        (b"\xff" * 5000, "more than 4096 bytes"),
        (b"", "no answer in time"),
        (b"debug!connected...\n", "no answer in time"),
    ],
)
def test_a_server_that_is_none_gives_no_session(
    words: bytes, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "CONNECT_WITHIN", 0.5)

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)

    async def story() -> None:
        async with scripted(say) as port, running(port) as (_, own):
            assert reason in await own.offline(), "connected() would make everybody pull"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("words", "reason"),
    [(b"debug!busy\n", "it is busy"), (b"x" * 5000, "more than 4096 bytes")],
)
def test_what_ends_a_session(words: bytes, reason: str) -> None:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"debug!connected...\n1700000000\n" + words)

    async def story() -> None:
        async with scripted(say) as port, running(port) as (_, own):
            await own.session()
            assert reason in await own.offline()

    asyncio.run(story())


def test_odd_lines_are_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"debug!connected...\n1700000000\ndebug!one\ndebug!\x1b[2Jtwo\nall!hello\n\n\xff!\xfe\n"
        )
        writer.write(f"{FOLDER}!{HEAD}\n{CHANNEL}!{HEAD}x\n{CHANNEL}!{OTHER}\n".encode())

    async def story() -> None:
        async with scripted(say) as port, running(port) as (_, own):
            await own.session()
            assert await own.next() == ("heard", (CHANNEL, OTHER))

    asyncio.run(story())
    assert [record.getMessage()[-4:] for record in caplog.records] == [" one"]


def test_each_line_is_sent_at_once_in_a_packet_of_its_own() -> None:
    packets: asyncio.Queue[bytes] = asyncio.Queue()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"debug!connected...\n1700000000\n")
        while packet := await reader.read(4096):
            packets.put_nowait(packet)

    async def story() -> None:
        async with scripted(note) as port, running(port) as (here, own):
            await own.session()
            first = b""
            while not first.endswith(b"ping\n"):
                first += await packets.get()
            assert first == f"subscribe {CHANNEL}\nping\n".encode()
            here.announce(notice())
            assert await packets.get() == f"announce {CHANNEL} {HEAD}\n".encode()
            writer = here._writer
            assert writer is not None
            raw = writer.get_extra_info("socket")
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1

    asyncio.run(story())


def test_cancelling_leaves_nothing() -> None:
    async def story(port: int) -> None:
        recorder = Recorder()
        transport = FanoutTransport(FanoutConfig("127.0.0.1", port, tls=False), recorder)
        task = asyncio.create_task(transport.run())
        await recorder.session()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing of it is left"
        transport.announce(notice())
        transport.network(online=True)

    with ReflectorProcess() as reflector:
        asyncio.run(story(reflector.port))


def test_a_bug_of_the_listener_does_not_vanish() -> None:
    class Broken(Recorder):
        def connected(self) -> None:
            raise ZeroDivisionError

    with ReflectorProcess() as reflector:
        transport = FanoutTransport(FanoutConfig("127.0.0.1", reflector.port, tls=False), Broken())
        with pytest.raises(ZeroDivisionError):
            asyncio.run(transport.run())


def test_tls_announces_and_hears(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "server")

    async def story(port: int) -> None:
        async with (
            running(port, ca_file=cert) as (_, there),
            running(port, ca_file=cert) as (
                here,
                own,
            ),
        ):
            await there.session()
            await own.session()
            here.announce(notice())
            assert await there.next() == ("heard", (CHANNEL, HEAD))

    with ReflectorProcess("--cert", str(cert), "--key", str(key)) as reflector:
        asyncio.run(story(reflector.port))


@pytest.mark.parametrize(
    ("alternative", "trusted", "reason"),
    [
        ("IP:127.0.0.1", "another", "its certificate is not accepted, self-signed certificate"),
        ("DNS:elsewhere.example", "server", "its certificate is not accepted, IP address mismatch"),
        ("IP:127.0.0.1", "missing", "missing.crt can't be used, No such file or directory"),
    ],
)
def test_tls_refuses_who_cannot_prove_it(
    alternative: str, trusted: str, reason: str, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path, "server", alternative)
    certificate(tmp_path, "another")

    async def story(port: int) -> None:
        async with running(port, ca_file=tmp_path / f"{trusted}.crt") as (here, own):
            text = await own.offline()
            assert reason in text
            assert await own.next() == ("alarm", text), "it won't get better by itself"
            due = connection.deadline(here._connection)
            assert due is not None
            assert due > clock.now() + 2 * connection.BACKOFF_LONGEST, "nor soon"

    with ReflectorProcess("--cert", str(cert), "--key", str(key)) as reflector:
        asyncio.run(story(reflector.port))


def test_tls_never_falls_back_to_plain(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path, "server")
    first: asyncio.Queue[bytes] = asyncio.Queue()

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"debug!connected...\n1700000000\n")
        first.put_nowait(await reader.read(4096))

    async def story() -> None:
        async with scripted(plain) as port, running(port, ca_file=cert) as (here, own):
            here.announce(notice())
            assert "TLS failed" in await own.offline()
            packet = await first.get()
            assert packet.startswith(b"\x16\x03"), "a TLS handshake, and nothing in the clear"

    asyncio.run(story())
