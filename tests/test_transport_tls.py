"""What a person reads of a connection that failed."""

import errno
import socket

import pytest

from autosyncd.transport.tls import in_words

CALL = "Connect call failed ('127.0.0.1', 1)"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, CALL), "Connection refused"),
        (
            OSError(f"Multiple exceptions: [Errno 111] {CALL}, [Errno 101] {CALL}, [Errno 111] x"),
            "Connection refused, Network is unreachable",
        ),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known"),
        (OSError("something else"), "something else"),
        (UnicodeError("label too long"), "label too long"),
        (OSError(), "OSError"),
    ],
)
def test_the_kernels_words_are_told_and_not_the_librarys(error: OSError, said: str) -> None:
    assert in_words(error) == said
