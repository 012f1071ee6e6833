"""What the journal hears of us: standard logging, with fields where the journal itself listens.

If stderr is the journal ($JOURNAL_STREAM names its device and inode, systemd.exec(5)), records go
to journald's own socket with PRIORITY=, MESSAGE_ID= and AUTOSYNC_*= fields, in the format of
https://systemd.io/JOURNAL_NATIVE_PROTOCOL/. Otherwise they are readable lines on stderr.

The socket is opened for each record: it survives a fork that closes every descriptor, and a
journald that is restarted.
"""

import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping
from typing import TextIO, TypedDict

from autosyncd.service.event import Event as Event
from autosyncd.service.streams import in_colour

SOCKET = "/run/systemd/journal/socket"
TEXT_LIMIT = 48_000
"""Characters of one field: a datagram has to fit into the socket's buffer."""

log = logging.getLogger("autosyncd")


class Extra(TypedDict):
    """What logging's `extra=` takes from `fields`."""

    autosync: Mapping[str, str]


def fields(
    *,
    repo: str = "",
    head: str = "",
    event: Event | None = None,
    peer: str = "",
    files: int | None = None,
) -> Extra:
    """For `log.info(text, extra=fields(repo=…, event=…))`: what the journal can be searched by."""
    named = {
        "AUTOSYNC_REPO": repo,
        "AUTOSYNC_HEAD": head,
        "AUTOSYNC_PEER": peer,
        "AUTOSYNC_FILES": "" if files is None else str(files),
        "AUTOSYNC_EVENT": event.name.lower() if event else "",
        "MESSAGE_ID": event.value if event else "",
    }
    return {"autosync": {name: value for name, value in named.items() if value}}


_everywhere: dict[str, str] = {}
"""What each record of this process has, if it does not say otherwise itself."""


def speak_for(repo: str) -> None:
    """This process and those that it forks are about this repository, whatever they say: a bug, too."""
    _everywhere["AUTOSYNC_REPO"] = repo


_HIDDEN = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_HIDDEN |= {code: f"\\x{code - 0xDC00:02x}" for code in range(0xDC80, 0xDD00)}  # surrogateescape
_HIDDEN |= {code: f"\\u{code:04x}" for code in (*range(0xD800, 0xDC80), *range(0xDD00, 0xE000))}
_HIDDEN |= {code: f"\\u{code:04x}" for code in (*range(0x2028, 0x202F), *range(0x2066, 0x206A))}


def printable(text: str) -> str:
    """The text without what could forge a line, steer a terminal or fail to encode.

    Control characters, line breaks, bidirectional overrides and the bytes of names that are no
    UTF-8 are shown as escapes.
    """
    return text.translate(_HIDDEN)


def datagram(named: Mapping[str, str]) -> bytes:
    """The fields in journald's native format: values of several lines in the binary form."""
    parts: list[bytes] = []
    for name, value in named.items():
        data = value[:TEXT_LIMIT].encode("utf-8", "backslashreplace")
        if b"\n" in data:
            parts += [name.encode(), b"\n", struct.pack("<Q", len(data)), data, b"\n"]
        else:
            parts += [name.encode(), b"=", data, b"\n"]
    return b"".join(parts)


def _priority(level: int) -> str:
    """syslog(3)'s, for the levels of logging."""
    limits = ((logging.CRITICAL, "2"), (logging.ERROR, "3"), (logging.WARNING, "4"))
    rest = "6" if level >= logging.INFO else "7"
    return next((priority for least, priority in limits if level >= least), rest)


def _otherwise(record: logging.LogRecord) -> Event:
    """What it is when nobody has said."""
    if record.exc_info:
        return Event.BUG
    return Event.PROBLEM if record.levelno >= logging.WARNING else Event.NOTE


def _of(record: logging.LogRecord) -> Mapping[str, str]:
    named: Mapping[str, str] = getattr(record, "autosync", {})
    return {**_everywhere, **named}


def _text(record: logging.LogRecord, formatter: logging.Formatter) -> str:
    """The message on one line; below it the traceback, if there is one."""
    text = printable(record.getMessage())
    if record.exc_info:
        lines = formatter.formatException(record.exc_info).splitlines()
        text = "\n".join([text, *(printable(line) for line in lines)])
    return text


class JournalHandler(logging.Handler):
    """Records as datagrams to journald. What it does not take is written to stderr."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._format = logging.Formatter()
        self._otherwise = LineHandler(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        own = {name: printable(value) for name, value in _of(record).items()}
        named = {
            "MESSAGE": _text(record, self._format),
            "MESSAGE_ID": _otherwise(record).value,
            "PRIORITY": _priority(record.levelno),
            "SYSLOG_IDENTIFIER": "autosyncd",
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
            **own,
        }
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
                out.settimeout(0.0)  # a stalled journald must not stall the loop
                out.sendto(datagram(named), self._address)
        except OSError:
            self._otherwise.emit(record)


class LineHandler(logging.Handler):
    """Records as lines for people: `[repo] text`, in colour on a terminal."""

    def __init__(self, stream: TextIO, *, colour: bool = False) -> None:
        super().__init__()
        self._stream = stream
        self._colour = colour
        self._format = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        repo = printable(_of(record).get("AUTOSYNC_REPO", ""))
        word = record.levelname.lower() if record.levelno >= logging.WARNING else ""
        shade = "31" if record.levelno >= logging.ERROR else "33"
        label = self._painted(f"[{repo}]", "36") if repo else ""
        word = self._painted(f"{word}:", shade) if word else ""
        text = " ".join(part for part in (label, word, _text(record, self._format)) if part)
        try:
            encoding = getattr(self._stream, "encoding", None) or "utf-8"
            text = text.encode(encoding, "backslashreplace").decode(encoding)
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # stderr is gone or full: nowhere is left to say so

    def _painted(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def to_journal(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether the stream is connected to the journal."""
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return (device, inode) == (str(status.st_dev), str(status.st_ino))


def install(verbose: bool) -> None:  # noqa: FBT001 - the option itself
    """Send what autosyncd logs to the journal or to stderr; DEBUG too if `verbose`."""
    handler: logging.Handler
    if to_journal(sys.stderr, os.environ) and os.path.exists(SOCKET):
        handler = JournalHandler(SOCKET)
    else:
        handler = LineHandler(sys.stderr, colour=in_colour(sys.stderr, os.environ))
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if verbose else logging.INFO)
