"""Read a password from where the person has put it, at the moment when it is needed.

It goes to whoever asked and nowhere else: no repr, error text or log line holds it, or any word of
the command that prints it or of what that command says.
"""

import asyncio
import contextlib
import os
import signal
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autosyncd.model import Secret

COMMAND_WITHIN = 60.0
"""Seconds for password_command: a keyring may ask the person to unlock it."""
BYTES_LIMIT = 64 * 1024
"""Of a file, or of what a command prints; the password is the first line of it."""
AGAIN = "correct that, and say `autosyncctl reload` to have it tried at once"


@dataclass(frozen=True, slots=True)
class Password:
    """The password itself; not empty, one line."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoPassword:
    """There is none to be had; `reason` is a sentence that says why, and what to do."""

    reason: str
    asked: bool = False
    """A command was run for it, which may have asked the person (a locked keyring)."""


async def read(
    secret: Secret,
    environment: Mapping[str, str] = os.environ,
    *,
    within: float = COMMAND_WITHIN,
) -> Password | NoPassword:
    """The password, read anew. `environment` tells where systemd keeps credentials
    (systemd.exec(5)) and is what the command gets; `within` is seconds. Raises nothing."""
    if secret.command:
        found = await _of_command(secret.command, environment, within)
        return replace(found, asked=True) if isinstance(found, NoPassword) else found
    if secret.file is not None:
        return _of_file(secret.file, f"The password_file {secret.file}", private=True)
    if secret.credential is not None:
        return _of_credential(secret.credential, environment)
    if secret.literal is not None:
        return _first_line(secret.literal.encode(), "The password of the configuration")
    return NoPassword("The configuration names no password; give password_command, for one.")


async def _of_command(
    argv: tuple[str, ...], environment: Mapping[str, str], within: float
) -> Password | NoPassword:
    what = "The password_command"
    printed = _Printed()
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=printed.inlet,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,  # no terminal to ask at, and one group to end
        )
    except (OSError, ValueError) as error:
        printed.close()
        reason = error.strerror if isinstance(error, OSError) else "it holds a NUL character"
        return NoPassword(f"{what} can't be started ({reason}); {AGAIN}.")
    ended = asyncio.ensure_future(process.wait())
    either: set[asyncio.Future[Any]] = {ended, printed.too_much}
    try:
        await asyncio.wait(either, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        content = printed.take()
        if len(content) > BYTES_LIMIT:
            return NoPassword(f"{what} prints more than {BYTES_LIMIT} bytes; {AGAIN}.")
        if not ended.done():
            return NoPassword(f"{what} did not end within {within:.0f} seconds; {AGAIN}.")
    finally:
        printed.close()
        await _end(process, ended)
    if status := ended.result():
        how = f"exited with status {status}" if status > 0 else f"ended by signal {-status}"
        return NoPassword(f"{what} {how}; {AGAIN}.")
    return _first_line(content, what)


class _Printed:
    """What a command prints, taken from its pipe as it comes, up to BYTES_LIMIT and some more.

    Nobody waits for the pipe's end: a daemon that the command started may hold it open for ever.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._outlet, self.inlet = os.pipe()
        os.set_blocking(self._outlet, False)
        self._content = b""
        self.too_much: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(self._outlet, self.take)

    def take(self) -> bytes:
        """All that there is by now."""
        with contextlib.suppress(BlockingIOError):
            while len(self._content) <= BYTES_LIMIT and (more := os.read(self._outlet, 65536)):
                self._content += more
            self._loop.remove_reader(self._outlet)
            if len(self._content) > BYTES_LIMIT and not self.too_much.done():
                self.too_much.set_result(None)
        return self._content

    def close(self) -> None:
        self._loop.remove_reader(self._outlet)
        os.close(self._outlet)
        os.close(self.inlet)


async def _end(process: asyncio.subprocess.Process, ended: "asyncio.Future[int]") -> None:
    """A command that has not ended by itself ends, with all that it has started."""
    if not ended.done():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await asyncio.shield(ended)


def _of_credential(name: str, environment: Mapping[str, str]) -> Password | NoPassword:
    folder = environment.get("CREDENTIALS_DIRECTORY")
    if not folder:
        return NoPassword(
            "No password is configured for XMPP, and the service has no systemd credential "
            f"{name}; give password_command or password_file in the configuration, or "
            "LoadCredential= in the unit."
        )
    what = f"The systemd credential {name}"
    # systemd has made it, readable for this service alone, at times by an access control list
    return _of_file(os.path.join(folder, name), what, private=False)


def _of_file(path: str, what: str, *, private: bool) -> Password | NoPassword:
    """`private`: the file has to be the user's own, and nobody else's to read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name holds a NUL character"
        return NoPassword(f"{what} can't be read ({reason}); {AGAIN}.")
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return NoPassword(f"{what} is not a regular file; {AGAIN}.")
        if private and found.st_uid != os.geteuid():
            return NoPassword(f"{what} belongs to another user; make it your own, with mode 600.")
        if private and stat.S_IMODE(found.st_mode) & 0o077:
            mode = f"{stat.S_IMODE(found.st_mode):03o}"
            return NoPassword(f"{what} has mode {mode}, so others may read it; chmod 600 it.")
        return _first_line(os.read(descriptor, BYTES_LIMIT), what)
    except OSError as error:
        return NoPassword(f"{what} can't be read ({error.strerror}); {AGAIN}.")
    finally:
        os.close(descriptor)


def _first_line(content: bytes, what: str) -> Password | NoPassword:
    line = content.partition(b"\n")[0].removesuffix(b"\r")
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return NoPassword(f"{what} holds bytes that are no UTF-8 text; {AGAIN}.")
    if not text or "\0" in text:
        return NoPassword(f"{what} is empty in its first line, or holds a NUL; {AGAIN}.")
    return Password(text)
