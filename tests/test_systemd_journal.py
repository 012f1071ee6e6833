"""What a person reads: the journal, its explanations, the status line; and how the service ends."""

import json
import time
from collections.abc import Iterator

import pytest

from autosyncd.service.event import Event
from tests.booted import Service, cleaned, installed
from tests.testbed import Box
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]

COUNTING = """#!/bin/sh
# instead of ssh: note the connection, and run the command here
echo >>$HOME/connections
for command; do :; done
exec sh -c "$command"
"""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with installed() as box:
        box.run("sh", "-ec", "cat >counting; chmod +x counting", input=COUNTING)
        yield box


@pytest.fixture
def service(box: Box) -> Iterator[Service]:
    with cleaned(box) as service:
        yield service


def clone(service: Service, **settings: str) -> None:
    """~/notes with ~/hub.git as its remote, reached by a program that counts."""
    service.box.shell(
        "rm -rf hub.git connections; git init -q --bare -b main hub.git; git init -q -b main notes;"
        "git -C notes remote add origin counting:/home/alice/hub.git;"
        "git -C notes config core.sshCommand ~/counting"
    )
    service.configure("notes", "~/notes", **settings)


def lines(service: Service, *words: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in service.journal("-o", "json", *words).splitlines()]


def since_start(service: Service) -> str:
    """A match for this run of the service alone: the tests share a machine."""
    return f"_SYSTEMD_INVOCATION_ID={service.show('InvocationID')}"


def test_the_story_of_a_repository_in_order_with_fields(service: Service) -> None:
    clone(service)
    service.start()
    run = since_start(service)
    service.box.shell("echo milk >notes/todo.md")
    ours = ("AUTOSYNC_REPO=notes", run)
    eventually(lambda: "pushed" in service.journal(*ours), every=0.2)
    story = [line for line in lines(service, *ours) if line["MESSAGE"].split()[0] != "git"]
    committed, pushed = story[-2:]
    assert committed["MESSAGE_ID"] == Event.COMMITTED.value
    assert pushed["MESSAGE_ID"] == Event.PUSHED.value
    assert committed["AUTOSYNC_HEAD"] == pushed["AUTOSYNC_HEAD"]
    assert committed["AUTOSYNC_HEAD"] == service.box.shell("git -C notes rev-parse HEAD")
    assert (committed["AUTOSYNC_FILES"], committed["AUTOSYNC_EVENT"]) == ("1", "committed")
    assert {line["PRIORITY"] for line in story} == {"6"}
    assert {line["SYSLOG_IDENTIFIER"] for line in story} == {"autosyncd"}
    assert all("MESSAGE_ID" in line for line in lines(service, run) if "AUTOSYNC_REPO" in line)
    service.box.run("autosyncctl", "pause", "notes")
    eventually(lambda: "pause begins" in service.journal(*ours), every=0.2)
    service.box.run("autosyncctl", "resume", "notes")
    eventually(lambda: "pause is over" in service.journal(*ours), every=0.2)
    service.box.shell("mv .config/autosync/autosync.d/notes.yaml notes.yaml")
    eventually(lambda: "removed from" in service.journal(*ours), every=0.2)
    service.box.shell("mv notes.yaml .config/autosync/autosync.d/")
    eventually(lambda: "added to" in service.journal(*ours), every=0.2)
    more = [line["AUTOSYNC_EVENT"] for line in lines(service, *ours)[len(story) :]]
    assert [word for word in more if word != "pushed"] == ["paused", "resumed", "removed", "added"]


def test_in_sync_nothing_is_written_however_often_it_polls(service: Service) -> None:
    clone(service, poll_every="5s")
    service.box.shell(
        "cd notes; echo a >a; git add a; git commit -qm a; git push -q -u origin main"
    )
    service.start()
    run = since_start(service)
    eventually(lambda: "in sync" in service.show("StatusText"), every=0.2)
    eventually(lambda: "_PID" in service.journal("-o", "json", run), every=0.2)
    connections = "wc -l <connections"
    seen, before = lines(service, run), int(service.box.shell(connections))
    eventually(lambda: int(service.box.shell(connections)) >= before + 3, 40, every=0.5)
    assert lines(service, run) == seen


def test_a_failure_is_one_line_and_explained_with_its_remedy(service: Service) -> None:
    clone(service, poll_every="5s")
    service.start()
    run = since_start(service)
    service.box.shell("rm -rf notes")
    eventually(lambda: "isn't there" in service.journal(run), every=0.2)
    (line,) = (line for line in lines(service, run) if "isn't there" in line["MESSAGE"])
    assert (line["MESSAGE_ID"], line["PRIORITY"]) == (Event.GONE.value, "4")
    told = service.journal("-x", "-o", "short", run)
    assert "Subject: A repository is not there" in told
    assert "autosyncctl remove notes" in told


def test_the_status_line_follows_within_a_second(service: Service) -> None:
    service.add_repository("notes")
    service.start()
    eventually(lambda: "in sync" in service.show("StatusText"), every=0.1)
    service.box.run("autosyncctl", "pause", "notes")
    asked = time.monotonic()
    eventually(lambda: "notes: paused" in service.show("StatusText"), 5, every=0.02)
    assert time.monotonic() - asked < 1.5  # one more look takes some tenths


def stopped_in_a_hook(service: Service, then: str, before: str = ":") -> None:
    """The service is stopped while a pre-commit hook of ~/notes runs, which does `then`."""
    service.add_repository("notes", commit_hooks="true")
    hook = "notes/.git/hooks/pre-commit"
    script = f"#!/bin/sh\n{before}\ntouch ~/begun\n{then}\n"
    service.box.run("sh", "-ec", f"rm -f begun; cat >{hook}; chmod +x {hook}", input=script)
    service.start()
    service.box.shell("echo milk >notes/todo.md")
    eventually(lambda: service.box.shell("ls begun", check=False), 20, every=0.1)
    service.systemctl("stop", "autosyncd")


def test_a_commit_in_flight_is_finished_before_the_end(service: Service) -> None:
    stopped_in_a_hook(service, "sleep 2")
    assert service.show("Result") == "success"
    assert "todo.md" in service.subjects("notes")
    looks = "git -C notes fsck --no-dangling 2>&1; git -C notes status --porcelain"
    assert service.box.shell(looks) == ""


def test_a_hook_that_hangs_does_not_keep_the_service_from_a_clean_end(service: Service) -> None:
    stopped_in_a_hook(service, "while :; do sleep 1; done", before="trap '' TERM INT HUP")
    assert (service.show("Result"), service.show("ExecMainStatus")) == ("success", "0")
    assert service.box.shell("pgrep -u alice -f [p]re-commit || echo none") == "none"
    looks = "git -C notes fsck --no-dangling >/dev/null 2>&1 && cat notes/todo.md"
    assert service.box.shell(looks) == "milk"


def test_read_only_etc_and_no_journal(service: Service) -> None:
    service.add_repository("notes")
    service.box.shell("mount --bind /etc /etc; mount -o remount,bind,ro /etc", user="root")
    units = "systemd-journald.service systemd-journald.socket systemd-journald-dev-log.socket"
    service.box.shell(f"systemctl stop {units} 2>/dev/null", user="root")
    try:
        service.start()
        service.box.shell("echo milk >notes/todo.md")
        eventually(lambda: "todo.md" in service.subjects("notes"), every=0.2)
        assert service.show("NRestarts") == "0"
    finally:
        service.box.shell(f"umount /etc; systemctl start {units}", user="root")


# servers on which nobody's user manager runs


@pytest.fixture
def server(box: Box) -> Iterator[Box]:
    """bob, who has never logged in, and a repository of his."""
    box.shell("id bob >/dev/null 2>&1 || useradd -m bob", user="root")
    drop_in = "repositories:\n  - path: ~/site\n    commit_after: 500ms\n"
    script = (
        "cd /home/bob; git init -q -b main site; mkdir -p .config/autosync/autosync.d;"
        "cat >.config/autosync/autosync.d/site.yaml; chown -R bob: .;"
    )
    box.run("sh", "-ec", script, user="root", input=drop_in)
    yield box
    box.shell("systemctl disable --now autosyncd@bob; rm -rf /home/bob/site", user="root")


def test_a_server_without_user_managers(server: Box) -> None:
    def show(field: str) -> str:
        return server.shell(f"systemctl show --value -p {field} autosyncd@bob", user="root")

    server.run("systemctl", "enable", "--now", "autosyncd@bob", user="root")
    pid = show("MainPID")
    assert server.shell(f"stat -c %U /proc/{pid}", user="root") == "bob"
    status = server.shell(f"grep NoNewPrivs /proc/{pid}/status", user="root")
    assert status.split() == ["NoNewPrivs:", "0"], "a hook may start what it likes"
    server.shell("echo hello >/home/bob/site/index.html; chown bob: /home/bob/site/*", user="root")
    log = "git -c safe.directory='*' -C /home/bob/site log --format=%s 2>&1"
    eventually(lambda: "index.html" in server.shell(log, user="root", check=False), every=0.2)
    asked = server.shell("runuser -u bob autosyncctl status 2>&1", user="root", check=False)
    assert asked.endswith("How it goes: systemctl status autosyncd@bob")
    server.run("systemctl", "reload", "autosyncd@bob", user="root")
    eventually(lambda: "in sync" in show("StatusText"), every=0.2)
    assert show("MainPID") == pid
    server.run("systemctl", "stop", "autosyncd@bob", user="root")
    assert (show("Result"), show("ExecMainStatus")) == ("success", "0")
    assert server.shell("pgrep -u bob || echo nobody", user="root") == "nobody"
