"""A real autosync-reflector for tests and benches, and a client that speaks plain lines to it."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 10.0


class ReflectorProcess:
    """The server as a process of its own, on loopback."""

    def __init__(self, *options: str, port: int = 0) -> None:
        code = "import sys; from autosyncd.transport.reflector import main; sys.exit(main())"
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", code, "--listen", f"127.0.0.1:{port}", *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        eventually(lambda: self.said("listening on") or self.process.poll() is not None)
        assert self.process.poll() is None, self.lines
        match = re.search(r":(\d+)( |$)", self.said("listening on")[0])
        assert match is not None
        self.port = int(match[1])

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def said(self, words: str) -> list[str]:
        """The lines of its log with these words."""
        return [line for line in self.lines if words in line]

    def pss(self) -> int:
        """Bytes of memory, what it shares divided by those that share it."""
        rollup = Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        match = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
        assert match is not None
        return int(match[1]) * 1024

    def cpu(self) -> float:
        """Seconds of processor time it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self) -> int:
        """SIGTERM; its exit status."""
        self.process.terminate()
        return self.ended()

    def kill(self) -> None:
        """SIGKILL: what a crash looks like from outside."""
        self.process.kill()
        self.ended()

    def ended(self) -> int:
        """Its exit status, once it has one."""
        status = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.returncode is None:
            self.kill()


class LineClient:
    """One connection that sends and reads whole lines."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, buffer: int = 0) -> None:
        plain = socket.socket()
        plain.settimeout(SECONDS)
        if buffer:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        plain.connect(("127.0.0.1", port))
        self.socket = tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain
        self._file = self.socket.makefile("rb")

    def send(self, *lines: bytes) -> None:
        """The lines in one packet."""
        self.socket.sendall(b"".join(line + b"\n" for line in lines))

    def line(self) -> bytes:
        """The next line without its end; empty at the end of the connection."""
        try:
            return self._file.readline().removesuffix(b"\n")
        except ConnectionResetError:
            return b""

    def greeted(self) -> Self:
        """This client, once the server has greeted it."""
        assert self.line() == b"debug!connected..."
        return self

    def in_step(self) -> Self:
        """This client, once the server has acted on all it sent and had nothing more to say."""
        self.send(b"ping")
        answer = self.line()
        assert answer.isdigit(), answer
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self.socket.close()


def certificate(folder: Path, name: str, alternative: str = "IP:127.0.0.1") -> tuple[Path, Path]:
    """A fresh self-signed certificate and its key; skips the test where openssl(1) is missing."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl program is not installed")
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={name}"),
            *("-addext", f"subjectAltName={alternative}", "-out", cert, "-keyout", key),
        ],
        check=True,
        capture_output=True,
    )
    return cert, key
