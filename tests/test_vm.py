"""The service under a memory limit, in a virtual machine that knows such. script/test-vm runs it."""

from pathlib import Path

from tests.vm import MARKS, run

pytestmark = MARKS


def test_a_git_that_is_killed_for_want_of_memory_is_one_failed_verb(tmp_path: Path) -> None:
    """MemoryMax= is too little for one file; the service lives on, says so, and commits that file when
    there is more."""
    said = run(
        tmp_path,
        """
        cat >~/.config/autosync/autosync.yaml <<YAML
repositories:
  - {path: ~/notes, commit_after: 500ms, large_file: 0}
YAML
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
