"""An XMPP server that lies in one chosen way, and is honest in all else.

With `direct` TLS begins with the first byte (XEP-0368), else it is by STARTTLS.

    with LyingServer(Lie.BIND_WITHOUT_LOGIN, tmp_path) as server:
        … a client with server.ip, server.port, server.ca, JID alice@xmpp.test, password "secret" …
    assert server.record.stanzas == []

It lives in a thread of its own, so that tests with and without a loop can use it. By hand:
`python -m tests.lying_server FOLDER LIE` says where it listens and what it hears.
"""

import asyncio
import contextlib
import ssl
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self
from xml.etree.ElementTree import ParseError

from tests.lying_conversation import HOST, PASSWORD, USER, Conversation, Lie, Record
from tests.testbed.certificates import Authority

__all__ = ["HOST", "PASSWORD", "USER", "Lie", "LyingServer"]


class LyingServer:
    """It listens while it is entered. What it hears can be read from any thread."""

    def __init__(
        self, lie: Lie, folder: Path, *, ip: str = "127.0.0.1", direct: bool = False
    ) -> None:
        self.lie = lie
        self.ip = ip
        self.port = 0
        self.record = Record()
        authority = Authority(folder / "lying")
        self.ca = str(authority.ca)
        name = "elsewhere.test" if lie is Lie.OTHER_NAME else HOST
        signer = Authority(folder / "unknown") if lie is Lie.UNKNOWN_CA else authority
        self.context = signer.server_context(name, days=-1 if lie is Lie.EXPIRED else 3650)
        self._direct = direct
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def send(self, xml: str) -> None:
        """Say this to every client that is connected."""
        self._run(self._say_to_all(xml.encode()))

    def drop(self) -> None:
        """Close every connection."""
        self._run(self._drop())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        begins = self.context if self._direct else None
        self._server = await asyncio.start_server(self._accept, self.ip, 0, ssl=begins)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # some only just accept
            await self._drop()
            await asyncio.wait(others, timeout=0.2)

    async def _drop(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _say_to_all(self, said: bytes) -> None:
        for writer in tuple(self._writers):
            writer.write(said)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.record.connections += 1
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, EOFError, ParseError, ssl.SSLError):
                await Conversation(self.lie, self.record, self.context, reader, writer).hold()
        finally:
            self._writers.discard(writer)
            writer.transport.abort()


def main() -> None:
    """Lie until the terminal says that it is enough."""
    lie = Lie[sys.argv[2].upper()]
    with LyingServer(lie, Path(sys.argv[1])) as server:
        print(f"{server.ip}:{server.port}, CA {server.ca}: {lie.value}. Enter ends it.")
        sys.stdin.readline()
        print(server.record.stanzas)


if __name__ == "__main__":
    main()
