"""Which of a person's machines this is, for the resource of its connection.

A random id in XDG state, bound to the machine, so that a copied home folder gets one of its own.
"""

import os
import secrets
from hashlib import sha256
from pathlib import Path

from autosyncd.machine import machine_id
from autosyncd.model import DaemonId


def daemon_id(environment: dict[str, str] | None = None) -> DaemonId:
    """The id, made at the first call. Where it can't be kept, another one each time."""
    known = os.environ if environment is None else environment
    home = known.get("XDG_STATE_HOME") or os.path.join(known.get("HOME", "/"), ".local", "state")
    path = Path(home, "autosync", "daemon")
    bound = sha256(b"daemon:" + machine_id().encode("utf-8", "surrogateescape")).hexdigest()[:32]
    try:
        kept, _, machine = path.read_text(encoding="ascii").strip().partition(" ")
        if machine == bound and len(kept) == 32 and kept.isalnum():
            return DaemonId(kept)
    except (OSError, UnicodeDecodeError):
        pass
    made = DaemonId(secrets.token_hex(16))
    new = path.with_name(f".daemon.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_text(f"{made} {bound}\n", encoding="ascii")
        new.replace(path)
    except OSError:
        return made
    return made
