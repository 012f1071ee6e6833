"""autosyncd as people have it: installed for every user, run by a real systemd, in a booted machine."""

from collections.abc import Iterator

import pytest

from tests.booted import UNIT, Service, cleaned, installed
from tests.testbed import Box
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with installed() as box:
        yield box


@pytest.fixture
def service(box: Box) -> Iterator[Service]:
    with cleaned(box) as service:
        yield service


def test_the_unit_is_clean(box: Box) -> None:
    done = box.run("systemd-analyze", "verify", "--user", f"/usr/local/lib/systemd/user/{UNIT}")
    assert done.stdout + done.stderr == ""


def test_the_units_for_servers_are_clean(box: Box) -> None:
    box.shell("useradd -m bob 2>/dev/null || true", user="root")
    unit = "/usr/local/lib/systemd/system/autosyncd@.service"
    done = box.run("systemd-analyze", "verify", unit, user="root")
    assert done.stdout + done.stderr == ""


def test_installing_again_changes_nothing_and_says_restart(box: Box) -> None:
    listing = "find /usr/local/lib/autosyncd /usr/local/bin /usr/local/lib/systemd | sort"
    before = box.shell(listing)
    said = box.run("/checkout/script/install", user="root", timeout=120).stdout
    assert "systemctl --user restart autosyncd" in said
    assert box.shell(listing) == before
    assert "autosyncd 0" in box.run("autosyncd", "--version").stdout


def test_it_can_be_taken_away_whole(box: Box) -> None:
    box.run("/checkout/script/install", "--prefix", "/opt/autosync", user="root", timeout=120)
    assert box.shell("/opt/autosync/bin/autosyncd --version")
    # as when the distribution's python3 has become another one
    box.shell("mv /opt/autosync/lib/autosyncd/lib/python3.* /opt/autosync/gone", user="root")
    assert box.shell("/opt/autosync/bin/autosyncd --version")
    assert box.shell("/opt/autosync/bin/autosyncctl --version")
    box.shell("rm -r /opt/autosync/gone", user="root")
    box.run("/checkout/script/install", "--prefix", "/opt/autosync", "--remove", user="root")
    assert box.shell("find /opt/autosync ! -type d") == ""
    assert box.shell("test -d /etc/autosync.d && echo kept") == "kept"


def test_taken_away_while_it_runs_it_ends_in_order(box: Box, service: Service) -> None:
    # its unit forgotten, systemd would hear no sign of life any more and kill it within a minute
    service.start()
    box.shell("systemctl enable --now autosyncd@alice", user="root")
    try:
        said = box.run("/checkout/script/install", "--remove", user="root", timeout=120).stdout
        assert "sudo systemctl disable autosyncd@alice.service" in said
        assert service.show("LoadState") == "not-found"
        assert box.shell("pgrep -fa [b]in/autosyncd", check=False) == ""
        assert "\nstopped\n" in service.journal()
        assert "watchdog" not in service.journal()
        left = box.shell("systemctl show -P ActiveState autosyncd@alice", user="root")
        assert left == "inactive"
        box.shell("systemctl --user disable autosyncd")
        box.shell("systemctl disable autosyncd@alice", user="root")
    finally:
        box.run("/checkout/script/install", user="root", timeout=300)


def test_of_two_installations_the_other_one_goes_on(box: Box, service: Service) -> None:
    service.start()
    pid = service.show("MainPID")
    box.run("/checkout/script/install", "--prefix", "/opt/autosync", user="root", timeout=120)
    box.run("/checkout/script/install", "--prefix", "/opt/autosync", "--remove", user="root")
    assert service.show("MainPID") == pid


def test_without_repositories_it_is_ready_and_says_how_to_add_one(service: Service) -> None:
    service.start()
    assert service.show("ActiveState") == "active"
    assert "autosyncctl add" in service.show("StatusText")
    assert service.show("NRestarts") == "0"


def test_a_drop_in_is_taken_up_and_an_edit_is_committed(service: Service) -> None:
    service.start()
    service.add_repository("notes")
    eventually(lambda: "autosyncctl add" not in service.show("StatusText"), every=0.2)
    service.box.shell("echo buy milk >notes/todo.md")
    eventually(lambda: "todo.md" in service.subjects("notes"), every=0.2)
    assert service.show("NRestarts") == "0"
    eventually(lambda: service.journal("AUTOSYNC_REPO=notes"), every=0.2)


def test_a_reload_keeps_the_process(service: Service) -> None:
    service.start()
    pid = service.show("MainPID")
    service.systemctl("reload", "autosyncd")
    eventually(lambda: service.show("ActiveState") == "active")
    assert service.show("MainPID") == pid


def test_stopped_it_ends_by_itself_and_leaves_nobody(service: Service) -> None:
    service.add_repository("notes")
    service.start()
    pids = service.box.shell("pgrep -u alice -f [b]in/autosyncd").split()
    assert len(pids) > 1
    service.systemctl("stop", "autosyncd")
    assert (service.show("ActiveState"), service.show("Result")) == ("inactive", "success")
    assert service.show("ExecMainStatus") == "0"
    assert service.box.shell("pgrep -u alice -f [b]in/autosyncd || echo none") == "none"


def test_killed_it_comes_back_and_goes_on(service: Service) -> None:
    service.add_repository("notes")
    service.start()
    pid = service.show("MainPID")
    service.systemctl("kill", "--kill-who=main", "-s", "KILL", "autosyncd")
    eventually(lambda: service.show("MainPID") not in (pid, "0"), every=0.2)
    eventually(lambda: service.show("ActiveState") == "active", every=0.2)
    service.box.shell("echo after >notes/after.md")
    eventually(lambda: "after.md" in service.subjects("notes"), every=0.2)


def test_frozen_it_is_ended_by_the_watchdog_and_comes_back(service: Service) -> None:
    service.override("[Service]\nWatchdogSec=3\n")
    service.start()
    pid = service.show("MainPID")
    service.box.shell(f"kill -STOP {pid}")
    eventually(lambda: service.show("NRestarts") == "1", seconds=20, every=0.5)
    eventually(lambda: service.show("ActiveState") == "active", every=0.2)
    assert service.show("MainPID") != pid


def with_hub(service: Service, pre_push: str = "exit 0") -> None:
    """~/notes, whose remote is ~/hub.git."""
    service.box.shell(
        "rm -rf hub.git begun; git init -q --bare -b main hub.git; git init -q -b main notes;"
        "git -C notes remote add origin ~/hub.git; git -C notes commit -q --allow-empty -m first"
    )
    hook = "notes/.git/hooks/pre-push"
    script = f"#!/bin/sh\n{pre_push}\n"
    service.box.run("sh", "-ec", f"cat >{hook}; chmod +x {hook}", input=script)
    service.configure("notes", "~/notes")


def all_is_in_history(service: Service) -> None:
    """What lies in ~/notes is committed and pushed, nothing is in the way, and all is sound."""
    same = (
        'test -z "$(git -C notes status --porcelain)" &&'
        'test "$(git -C notes rev-parse HEAD)" = "$(git -C hub.git rev-parse main)"'
    )
    eventually(lambda: service.box.shell(f"{same} && echo yes", check=False), 30, every=0.3)
    assert (
        service.box.shell(
            "git -C notes fsck --no-dangling 2>&1; ls notes/.git/*.lock 2>/dev/null || true"
        )
        == ""
    )
    listed = service.box.shell("git -C notes ls-tree --name-only HEAD")
    assert listed == service.box.shell("ls notes")


def test_frozen_during_a_slow_push_it_comes_back_and_nothing_is_lost(service: Service) -> None:
    with_hub(service, "[ -e ~/begun ] || { touch ~/begun; sleep 60; }")
    service.override("[Service]\nWatchdogSec=3\n")
    service.start()
    service.box.shell("echo before >notes/before")
    eventually(lambda: service.box.shell("ls begun", check=False), 20, every=0.1)
    service.box.shell(f"echo meanwhile >notes/meanwhile; kill -STOP {service.show('MainPID')}")
    for number in range(5):
        service.box.shell(f"echo {number} >notes/frozen{number}; sleep 0.3")
    eventually(lambda: service.show("NRestarts") == "1", seconds=20, every=0.5)
    service.box.shell("echo after >notes/after")
    all_is_in_history(service)
    assert len(service.box.shell("ls notes").split()) == 8


def test_restarted_again_and_again_it_loses_nothing(service: Service) -> None:
    with_hub(service)
    service.start()
    write = "i=0; until [ -e ~/enough ]; do i=$((i+1)); echo $i >notes/$i; sleep 0.1; done"
    service.box.shell("rm -f enough")
    service.box.run("systemd-run", "--user", "-q", "-u", "writer", "sh", "-c", f"cd; {write}")
    try:
        for _ in range(6):
            service.systemctl("restart", "autosyncd")
    finally:
        service.box.shell("touch enough")
    eventually(
        lambda: service.box.shell("systemctl --user is-active writer", check=False) != "active",
        every=0.1,
    )
    all_is_in_history(service)
    assert int(service.box.shell("ls notes | wc -l")) > 20
    assert (service.show("NRestarts"), service.show("Result")) == ("0", "success")


def test_beside_one_in_a_terminal_it_waits_and_takes_over(service: Service) -> None:
    box = service.box
    box.shell("systemd-run --user --collect -q -u terminal /usr/local/bin/autosyncd")
    try:
        eventually(lambda: box.shell("ls .local/state/autosync/*.lock", check=False), every=0.2)
        service.start()
        eventually(lambda: "Another autosyncd (process" in service.show("StatusText"), every=0.2)
        box.run("systemctl", "start", "autosyncd@alice", user="root")
        shown = ("systemctl", "show", "--value", "-p", "StatusText", "autosyncd@alice")
        said = box.run(*shown, user="root").stdout
        assert "Another autosyncd (process" in said
        box.run("systemctl", "stop", "autosyncd@alice", user="root")
        assert (service.show("ActiveState"), service.show("NRestarts")) == ("active", "0")
        assert service.journal().count("Another autosyncd") == 1
    finally:
        box.shell("systemctl --user stop terminal", check=False)
    eventually(lambda: "autosyncctl add" in service.show("StatusText"), every=0.2)
    assert service.show("NRestarts") == "0"


def test_after_an_upgrade_a_new_messenger_comes_with_a_new_daemon(service: Service) -> None:
    service.start()
    pid = service.show("MainPID")
    service.box.run("/checkout/script/install", user="root", timeout=120)
    assert service.show("MainPID") == pid
    service.box.shell("pkill -9 -u alice -x autosync:messen")
    eventually(lambda: "it starts anew" in service.journal(), 20, every=0.2)
    eventually(lambda: "autosyncctl add" in service.show("StatusText"), 20, every=0.2)
    assert service.box.shell("autosyncctl status")
    assert (service.show("MainPID"), service.show("NRestarts")) == (pid, "0")
    assert service.show("ActiveState") == "active"


def test_a_named_configuration_that_is_missing_is_not_tried_again(service: Service) -> None:
    command = "/usr/local/bin/autosyncd --config /nowhere.yaml"
    service.override(f"[Service]\nExecStart=\nExecStart={command}\n")
    service.box.run("systemctl", "--user", "start", "autosyncd", check=False)
    eventually(lambda: service.show("ActiveState") == "failed", every=0.2)
    assert (service.show("ExecMainStatus"), service.show("NRestarts")) == ("78", "0")
    assert "/nowhere.yaml" in service.journal()


def test_what_never_starts_is_given_up(service: Service) -> None:
    service.override("[Service]\nExecStart=\nExecStart=/bin/false\n")
    service.box.run("systemctl", "--user", "start", "--no-block", "autosyncd", check=False)
    eventually(lambda: service.show("SubState") == "failed", 60, every=0.5)
    assert (service.show("NRestarts"), service.show("ExecMainStatus")) == ("10", "1")
