"""What a client needs to speak TLS: whom to trust, and plain words for what went wrong."""

import os
import re
import ssl

_NUMBERS = re.compile(r"\[Errno (\d+)\]")
_ASYNCIOS = ("Connect call failed", "Multiple exceptions: [Errno ")
"""What it says, with an address, in the place of the kernel's words; there may be several addresses."""


def client_context(ca_file: str | None) -> ssl.SSLContext:
    """TLS 1.2 or newer; the server's certificate and its name are checked, always.

    `ca_file` (PEM) stands in for the system's authorities. It is read here, so a changed file counts
    for the next session. Raises OSError, whose strerror names the file.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        reason = f"{ca_file} can't be used, {in_words(error)}"
        raise OSError(error.errno, reason) from error


def in_words(error: OSError | UnicodeError) -> str:
    """Why a connection failed, for a sentence; a host's name that can't be one is UnicodeError."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted, {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed, {error.reason or error}"
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if said.startswith(_ASYNCIOS):
        numbers = [int(number) for number in _NUMBERS.findall(str(error))]
        return ", ".join(dict.fromkeys(map(os.strerror, numbers)))
    return said or type(error).__name__
