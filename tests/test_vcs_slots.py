"""No host is asked by more than a few workers at once."""

import contextlib
import multiprocessing
import os
import signal
import threading
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

from autosyncd import clock
from autosyncd.vcs import slots
from autosyncd.vcs.git.command import Git
from autosyncd.vcs.process import Runner
from autosyncd.vcs.slots import Slots
from tests.waiting import eventually

GOING_ON = threading.Event()


@pytest.fixture
def shared(tmp_path: Path) -> Slots:
    return Slots(str(tmp_path), at_once=2)


def test_no_more_than_so_many_at_once(shared: Slots) -> None:
    lock, inside, most = threading.Lock(), 0, 0
    two_at_once = threading.Event()

    def work() -> None:
        nonlocal inside, most
        for _ in range(5):
            with shared.held("git.example.org", GOING_ON) as held:
                assert held
                with lock:
                    inside += 1
                    most = max(most, inside)
                    if inside == 2:
                        two_at_once.set()
                assert two_at_once.wait(20)
                with lock:
                    inside -= 1

    workers = [threading.Thread(target=work) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert most == 2


def test_hosts_do_not_wait_for_each_other(shared: Slots) -> None:
    with contextlib.ExitStack() as stack:
        for host in ("one.example.org", "one.example.org", "two.example.org", "two.example.org"):
            assert stack.enter_context(shared.held(host, GOING_ON))


def test_this_machine_is_not_limited(shared: Slots) -> None:
    with contextlib.ExitStack() as stack:
        assert [stack.enter_context(shared.held("", GOING_ON)) for _ in range(9)] == [False] * 9


def test_who_is_to_stop_waits_for_no_slot(shared: Slots) -> None:
    stopping = threading.Event()
    stopping.set()
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(shared.held("git.example.org", GOING_ON))
        assert stack.enter_context(shared.held("git.example.org", GOING_ON))
        assert not stack.enter_context(shared.held("git.example.org", stopping))


class Crowd:
    """Many that want the same host at once."""

    def __init__(self, shared: Slots, count: int, seconds: float) -> None:
        self._shared, self._seconds = shared, seconds
        self._lock, self._inside = threading.Lock(), 0
        self.most = 0
        self.without: list[float] = []
        """When each began that went without a slot."""
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        with self._shared.held("git.example.org", GOING_ON) as held:
            with self._lock:
                self._inside += 1
                self.most = max(self.most, self._inside)
                self.without += [] if held else [clock.now()]
            threading.Event().wait(self._seconds)
            with self._lock:
                self._inside -= 1

    def end(self) -> "Crowd":
        for thread in self._threads:
            thread.join(30)
        return self


def test_long_waits_are_no_reason_to_go_all_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "STANDSTILL", 1.5)
    crowd = Crowd(Slots(str(tmp_path), at_once=4), 100, 0.1).end()  # the last one waits for 2.5 s
    assert crowd.most == 4
    assert crowd.without == []


def test_where_nothing_moves_one_after_the_other_goes_without(
    shared: Slots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slots, "STANDSTILL", 0.3)
    monkeypatch.setattr(slots, "WITHOUT_EVERY", 0.3)
    began = clock.now()
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(shared.held("git.example.org", GOING_ON))
        assert stack.enter_context(shared.held("git.example.org", GOING_ON))
        crowd = Crowd(shared, 4, 0.0).end()
    assert len(crowd.without) == 4
    assert crowd.without[0] - began >= 0.29
    assert all(after - before >= 0.25 for before, after in pairwise(crowd.without))


def test_a_folder_that_can_not_be_used_limits_nothing(tmp_path: Path) -> None:
    (tmp_path / "slots").write_text("a file where the folder belongs\n")
    with Slots(str(tmp_path)).held("git.example.org", GOING_ON) as held:
        assert not held


def test_a_killed_worker_holds_no_slot(tmp_path: Path) -> None:
    shared = Slots(str(tmp_path), at_once=1)
    ready, tell = multiprocessing.Pipe(duplex=False)

    def hold() -> None:
        with shared.held("git.example.org", GOING_ON):
            tell.send(True)
            signal.pause()

    worker = multiprocessing.get_context("fork").Process(target=hold)
    worker.start()
    assert ready.recv()
    assert shared._free("git.example.org") is None
    assert worker.pid is not None
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(5)
    with shared.held("git.example.org", GOING_ON) as held:
        assert held


def test_git_of_many_trees_asks_one_host_in_turn(tmp_path: Path) -> None:
    """Six trees, each with a Git of its own, as in six workers."""
    log, gate, ssh = tmp_path / "log", tmp_path / "gate", tmp_path / "ssh"
    log.touch()
    os.mkfifo(gate)
    ssh.write_text(f"#!/bin/sh\necho + >>{log}\nread word <{gate}\necho - >>{log}\nexit 1\n")
    ssh.chmod(0o755)
    environment = {**os.environ, "GIT_SSH_COMMAND": str(ssh), "XDG_RUNTIME_DIR": str(tmp_path)}

    def ask() -> None:
        git = Git(os.fsencode(tmp_path), Runner(), environment)
        assert git.network("ls-remote", "ssh://git.example.org/notes").code != 0

    workers = [threading.Thread(target=ask) for _ in range(6)]
    holder = os.open(gate, os.O_RDWR)
    try:
        for worker in workers:
            worker.start()
        eventually(lambda: log.read_text().count("+") == slots.AT_ONCE)
        for ended in range(6):
            os.write(holder, b"go\n")
            eventually(lambda wanted=ended + 1: log.read_text().count("-") == wanted)
        for worker in workers:
            worker.join(20)
    finally:
        os.close(holder)
    running = [0, *accumulate(1 if mark == "+" else -1 for mark in log.read_text().split())]
    assert max(running) == slots.AT_ONCE
    assert running[-1] == 0
