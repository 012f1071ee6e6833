"""The service under a memory limit, in a virtual machine that knows such. script/test-vm runs it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.testbed import CHECKOUT

FOLDER = os.environ.get("VM_FOLDER", "")
"""Where tests/testbed/vm has built a machine on which autosyncd is installed."""

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.skipif(not FOLDER, reason="boots a virtual machine; script/test-vm runs it"),
    pytest.mark.timeout(1600),
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
cat >~/.config/autosync/autosync.yaml <<YAML
repositories:
  - {path: ~/notes, commit_after: 500ms, large_file: 0}
YAML
"""


def run(folder: Path, script: str) -> str:
    """What a script says that runs in a fresh machine."""
    file = folder / "script"
    file.write_text(BEGIN + script)
    done = subprocess.run(
        [CHECKOUT / "tests/testbed/vm", "run", FOLDER, "--seconds", "1400", file],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_git_that_is_killed_for_want_of_memory_is_one_failed_verb(tmp_path: Path) -> None:
    """MemoryMax= is too little for one file; the service lives on, says so, and commits that file when
    there is more."""
    said = run(
        tmp_path,
        """
        mkdir -p ~/.config/systemd/user/autosyncd.service.d
        printf '[Service]\\nMemoryMax=96M\\nMemorySwapMax=0\\n' \
            >~/.config/systemd/user/autosyncd.service.d/memory.conf
        systemctl --user daemon-reload
        systemctl --user enable --now autosyncd
        echo one >~/notes/small.txt
        until_true 120 is_committed small.txt
        git config --global filter.same.clean cat # git holds in memory what a filter says
        echo '*.bin filter=same' >~/notes/.gitattributes
        until_true 120 is_committed .gitattributes
        head -c 120000000 /dev/urandom >~/notes/big.bin
        kills() { grep -q '^oom_kill [1-9]' "/sys/fs/cgroup$(
            systemctl --user show --value -p ControlGroup autosyncd)/memory.events"; }
        until_true 240 kills
        until_true 120 status_says 'want of memory'
        systemctl --user is-active autosyncd
        systemctl --user set-property --runtime autosyncd.service MemoryMax=800M
        until_true 700 is_committed big.bin
        echo "restarts: $(systemctl --user show --value -p NRestarts autosyncd)"
        git -C ~/notes fsck --no-dangling
        """,
    )
    assert "active\n" in said
    assert "restarts: 0\n" in said
