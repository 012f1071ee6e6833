"""More repositories than the limit of open files has room for at first, with real daemons."""

import os
import re
import resource
from pathlib import Path

import pytest

from autosyncd.service.notify import Notifier
from autosyncd.supervisor import descriptors
from autosyncd.supervisor.descriptors import EACH, OWN, give_back, room_for
from autosyncd.supervisor.upgrade import Program
from tests.daemons import Daemon, clone, git, hub
from tests.waiting import eventually

SOFT = 64
"""Enough for seven workers and the messenger."""
FIT = (SOFT - OWN) // EACH - 1


@pytest.fixture
def daemon(tmp_path):
    it = Daemon(tmp_path)
    yield it
    it.end()


def through(soft: int, hard: int) -> tuple[str, ...]:
    """What starts a program with these limits."""
    return ("sh", "-c", f'ulimit -Sn {soft} && ulimit -Hn {hard} && exec "$0" "$@"')


def trees(folder: Path, count: int) -> list[Path]:
    made = [folder / f"r{number:02}" for number in range(count)]
    for tree in made:
        git(folder, "init", "-q", "-b", "main", str(tree))
        (tree / "a").write_text("a\n")
    return made


def entries(paths: list[Path]) -> list[dict[str, object]]:
    return [{"path": str(path), "poll_every": "never"} for path in paths]


def allowed(pid: int) -> int:
    """The soft limit of a process."""
    text = Path(f"/proc/{pid}/limits").read_text()
    return int(re.findall(r"^Max open files +(\d+)", text, re.MULTILINE)[0])


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def test_the_limit_is_raised_for_the_supervisor_alone(tmp_path, daemon):
    """Also at a reload; a hook of git finds what the service was started with."""
    tree = clone(hub(tmp_path), tmp_path / "shared")
    seen = tmp_path / "seen"
    hook = tree / ".git/hooks/pre-push"
    hook.write_text(f"#!/bin/sh\nulimit -Sn >{seen}\n")
    hook.chmod(0o755)
    many = trees(tmp_path, 24)
    daemon.configure(*entries([tree, *many[:2]]))
    daemon.through = through(SOFT, 4096)
    daemon.start().ready("shared", "r00", "r01")
    pid = daemon.process.pid
    assert allowed(pid) == SOFT
    daemon.configure(*entries([tree, *many]))
    daemon.ready(*(path.name for path in many))
    assert allowed(pid) == OWN + EACH * (len(many) + 2)
    assert {allowed(child) for child in children(pid)} == {SOFT}
    held = len(os.listdir(f"/proc/{pid}/fd"))
    assert held > SOFT
    assert held <= OWN + 3 * (len(many) + 2)
    (tree / "b").write_text("b\n")
    eventually(lambda: seen.exists() and seen.read_text() == f"{SOFT}\n", 20)


def test_where_the_limit_is_too_low_those_that_fit_are_run(tmp_path, daemon):
    many = trees(tmp_path, FIT + 5)
    daemon.configure(*entries(many))
    daemon.through = through(SOFT, SOFT)
    daemon.start().ready(*(path.name for path in many[:FIT]))
    said = daemon.says(
        f"error: 5 of {FIT + 5} repositories are not synced (r07, r08, r09 and 2 more), because "
        f"autosyncd may have {SOFT} files open, which is enough for {FIT}; those go on. To allow more, "
        "raise LimitNOFILE= of the service (systemd.exec(5)) and start it anew.\n"
    )
    assert "Too many open files" not in said
    assert "[r07]" not in said
    assert len(children(daemon.process.pid)) == FIT + 1
    # one that goes makes room for the next, and none of the others begins anew
    before = set(children(daemon.process.pid))
    daemon.configure(*entries(many[:2] + many[3 : FIT + 1]))
    text = daemon.ready("r07").text()
    assert text.count("not synced") == 1
    assert len(before & set(children(daemon.process.pid))) == FIT
    # one that comes before it takes its place
    daemon.configure(*entries(many[: FIT + 1]))
    eventually(lambda: daemon.text().count("[r02] idle") == 2)
    daemon.says(f"1 of {FIT + 1} repositories are not synced (r07)")
    eventually(lambda: len(children(daemon.process.pid)) == FIT + 1)
    assert "Traceback" not in daemon.text()


@pytest.fixture
def limits():
    """The limits of this process, put back after the test."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_limit_that_may_not_be_raised_is_no_failure(limits, monkeypatch):
    soft = 256
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))

    def forbidden(*_: object) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "setrlimit", forbidden)
    fit = (soft - OWN) // EACH
    assert [room_for(n) for n in (0, fit, fit + 1, 5000)] == [0, fit, fit, fit]


def test_what_was_raised_is_given_back_and_nothing_else(limits, monkeypatch):
    hard = limits[1]
    monkeypatch.setattr(descriptors, "FIRST", 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, hard))
    give_back()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (100, hard)
    assert room_for(60) == 60
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (OWN + 60 * EACH, hard)
    give_back()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (200, hard)


def test_an_upgrade_begins_with_what_the_service_was_started_with(limits, monkeypatch, tmp_path):
    monkeypatch.setattr(descriptors, "FIRST", 200)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
    monkeypatch.chdir(tmp_path)
    begun = []
    monkeypatch.setattr(
        os, "execve", lambda *_: begun.append(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    )
    assert room_for(60) == 60
    Program().start_anew(Notifier())
    assert begun == [200]
