"""Real forks: what a child has, and what it has not."""

import ctypes
import json
import logging
import os
import signal
import subprocess
import sys
import threading

import pytest

from autosyncd.errors import LinkClosed
from autosyncd.link.channel import Link
from autosyncd.link.messages import Alive, Problem, Shutdown
from autosyncd.supervisor import process as process_module
from autosyncd.supervisor.process import ENTRY_FAILED, Process, fork, fork_all
from tests.testbed import CHECKOUT
from tests.waiting import eventually, ready

PR_GET_PDEATHSIG = 2


@pytest.fixture
def born():
    """Processes of a test, ended with it."""
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.kill()
        eventually(lambda one=process: _gone(one))
        process.close()


def _gone(process: Process) -> bool:
    try:
        return process.reap() is not None
    except ChildProcessError:
        return True


def finish(process: Process) -> int:
    """Its exit status, once its pidfd says that there is one."""
    assert ready(process.pidfd)
    status = process.reap()
    assert status is not None
    return status


def told(process: Process) -> list:
    messages: list = []

    def ended() -> bool:
        try:
            messages.extend(process.link.inbox.receive())
        except LinkClosed:
            return True
        return False

    eventually(ended)
    return messages


def sleep_until_shutdown(link: Link) -> int:
    ready(link.inbox, 30)
    return 0 if link.inbox.receive() == [Shutdown(1.0)] else 9


def test_orders_reports_and_the_exit_status(born):
    def entry(link: Link) -> int:
        link.outbox.post(Alive())
        return 40 + sleep_until_shutdown(link)

    process = fork("notes", entry)
    born.append(process)
    assert eventually(process.link.inbox.receive) == [Alive()]
    assert process.reap() is None
    process.link.outbox.post(Shutdown(1.0))
    assert finish(process) == 40
    process.kill()  # of one that is gone: nothing


def test_a_name_that_the_locale_does_not_know_is_no_obstacle():
    code = (
        "import sys; from autosyncd.supervisor.process import _comm; print(_comm('\\u65e5\\u672c'))"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        env={"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == ascii("autosync:日本".encode()).encode()


def test_a_child_has_nothing_but_its_own(born):
    foreign, other = os.pipe()

    def entry(link: Link) -> int:
        open_now = sorted(int(name) for name in os.listdir("/proc/self/fd"))
        signals = {
            name: _called(signal.getsignal(getattr(signal, name)))
            for name in ("SIGINT", "SIGHUP", "SIGUSR1", "SIGTERM", "SIGCHLD", "SIGPIPE")
        }
        with open("/proc/self/comm") as comm:
            name = comm.read().strip()
        death = ctypes.c_int()
        ctypes.CDLL(None).prctl(PR_GET_PDEATHSIG, ctypes.byref(death))
        facts = {
            "own": [link.inbox.fileno(), link.outbox.fileno()],
            "open": [fd for fd in open_now if _is_open(fd)],
            "signals": signals,
            "name": name,
            "stdin": os.readlink("/proc/self/fd/0"),
            "death": death.value,
            "mask": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "wakeup": signal.set_wakeup_fd(-1),
        }
        link.outbox.post(Problem("facts", json.dumps(facts)))
        return 0

    handler = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        process = fork("笔记本电脑", entry)
    finally:
        signal.signal(signal.SIGTERM, handler)
    born.append(process)
    facts = json.loads(told(process)[0].text)
    os.close(foreign)
    os.close(other)
    assert sorted(facts["open"]) == sorted({0, 1, 2, *facts["own"]})
    assert facts["signals"] == {
        "SIGINT": "nothing",
        "SIGHUP": "nothing",
        "SIGUSR1": "nothing",
        "SIGTERM": "SIG_DFL",
        "SIGCHLD": "SIG_DFL",
        "SIGPIPE": "SIG_IGN",  # Python's own: a broken link is an error, not a death
    }
    assert facts["name"] == "autosync:笔记"
    assert facts["stdin"] == os.devnull
    assert facts["death"] == signal.SIGTERM
    assert (facts["mask"], facts["wakeup"]) == (0, -1)


def _called(handler: object) -> str:
    return handler.name if isinstance(handler, signal.Handlers) else handler.__name__


def test_descriptors_are_closed_where_the_kernel_has_no_close_range(born, monkeypatch):
    monkeypatch.setattr(process_module, "_close_range", lambda *_: -1)
    test_a_child_has_nothing_but_its_own(born)


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False  # the descriptor of the listing itself
    return True


def test_an_entry_that_raises_is_logged_and_ends_with_1(born, tmp_path):
    written = tmp_path / "log"

    def entry(link: Link) -> int:
        logging.getLogger("autosyncd").handlers[:] = [logging.FileHandler(written)]
        raise ZeroDivisionError("by nought")

    process = fork("notes", entry)
    born.append(process)
    assert finish(process) == ENTRY_FAILED
    assert "ZeroDivisionError: by nought" in written.read_text()


def test_a_signal_in_the_first_moment_is_the_childs_alone():
    read, write = os.pipe2(os.O_NONBLOCK)
    before = signal.set_wakeup_fd(write)
    handler = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        for _ in range(20):
            process = fork("notes", sleep_until_shutdown)
            os.kill(process.pid, signal.SIGTERM)
            assert finish(process) == -signal.SIGTERM
            process.close()
        with pytest.raises(BlockingIOError):
            os.read(read, 1)
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)


def test_a_signal_while_children_are_made_is_the_supervisors(born, monkeypatch):
    heard = []
    read, write = os.pipe2(os.O_NONBLOCK)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    handler = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    forked = os.fork

    def fork_and_be_told() -> int:
        if pid := forked():
            # to this thread, the only one that a supervisor has: pytest may have others
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        return pid

    monkeypatch.setattr(os, "fork", fork_and_be_told)
    try:
        made = fork_all([("notes", sleep_until_shutdown), ("papers", sleep_until_shutdown)])
        assert eventually(lambda: heard) == [signal.SIGTERM]
        assert os.read(read, 16) == bytes([signal.SIGTERM])
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)
    born.extend(process for process in made if isinstance(process, Process))
    assert [process.reap() for process in born] == [None, None]


def test_no_descriptor_is_left_when_no_process_can_be_made(monkeypatch):
    def refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="temporarily"):
        fork("notes", sleep_until_shutdown)
    assert len(os.listdir("/proc/self/fd")) == before
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_a_child_without_a_descriptor_to_watch_it_by_does_not_live(monkeypatch):
    refused = []

    def refuse(pid: int) -> int:
        refused.append(pid)
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(OSError, match="Too many"):
        fork("notes", sleep_until_shutdown)
    with pytest.raises(ChildProcessError):
        os.waitpid(refused[0], os.WNOHANG)
