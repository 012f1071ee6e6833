"""Pure: what can be said of a command of ssh, and of an address that it leads to."""

import re
import shlex
from itertools import pairwise

QUIET = "-o BatchMode=yes -o ConnectTimeout=20 -o ServerAliveInterval=20"
"""Three such intervals without a sign of life, and ssh gives the connection up, shared or not."""
_ADDRESS = re.compile(
    r"(?:(?:git\+)?ssh(?:\+git)?://(?P<host>[^/?#]+)|(?P<short>[^/:@]*@?(?:\[[^\]/]+\]|[^/:]+)):(?!//))"
)


def quiet_ssh(configured: str) -> str:
    """The ssh command that never asks and notices a dead line, from the person's own (or empty).

    A program that is not OpenSSH's is left as it is: it would not know the options.
    """
    base = configured or "ssh"
    return f"{base} {QUIET}" if is_openssh(base) else base


def is_openssh(command: str) -> bool:
    """Whether a command (git-config(1), core.sshCommand) runs OpenSSH's ssh."""
    return command.split()[0].rsplit("/", 1)[-1] == "ssh"


def works_elsewhere(command: str) -> bool:
    """Whether no file that the command names depends on the folder it runs in."""
    try:
        words = shlex.split(command)
    except ValueError:
        return False
    for before, word in pairwise(words):
        value = word.partition("=")[2] or word
        is_path = before in ("-i", "-F", "-E", "-S") or "File" in word or "/" in value
        if is_path and not value.startswith(("/", "~", "none")):
            return False
    return "/" not in words[0] or words[0].startswith("/")


def host_of(address: str) -> str | None:
    """HOST of `ssh://HOST/…`, or of the short form `HOST:PATH`, with user and port as written; None:
    git doesn't use ssh for such an address (git-clone(1), "GIT URLS")."""
    found = _ADDRESS.match(address)
    return (found["host"] or found["short"]) if found else None
