"""What tells this machine from others (machine-id(5))."""

import os
from pathlib import Path


def machine_id() -> str:
    """The machine's id; where there is none, the host's name must do."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip() or os.uname().nodename
    except OSError:
        return os.uname().nodename
