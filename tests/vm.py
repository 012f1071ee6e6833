"""Virtual machines in which the service runs, for what the kernel here may lack. tests/testbed/vm boots
them; script/test-vm runs the tests."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.testbed import CHECKOUT

FOLDER = os.environ.get("VM_FOLDER", "")
"""Where tests/testbed/vm has built a machine on which autosyncd is installed."""

MARKS = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="boots a virtual machine; script/test-vm runs it"),
    pytest.mark.timeout(3600),
]

BEGIN = """#!/bin/bash
set -eu
until_true() { # SECONDS COMMAND..
    local end=$((SECONDS + $1)); shift
    until "$@"; do
        if [ $SECONDS -ge $end ]; then
            echo "not within the time: $*"
            autosyncctl status || true
            journalctl --user -u autosyncd -o cat | tail -n 30
            exit 1
        fi
        sleep 0.5
    done
}
is_committed() { git -C ~/notes log --format= --name-only 2>/dev/null | grep -qx "$1"; }
status_says() { autosyncctl status 2>/dev/null | grep -qi "$1"; }
git config --global user.name Alice
git config --global user.email alice@example.org
git init -q -b main ~/notes
mkdir -p ~/.config/autosync
"""


def run(folder: Path, script: str, *, as_root: str = "", seconds: int = 3400) -> str:
    """What a script says that runs in a fresh machine, after one that root runs."""
    file, before = folder / "script", folder / "as-root"
    file.write_text(BEGIN + script)
    before.write_text("#!/bin/bash\nset -eu\n" + as_root)
    options = ["--seconds", str(seconds), "--as-root", str(before)]
    done = subprocess.run(
        [CHECKOUT / "tests/testbed/vm", "run", FOLDER, *options, file],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
