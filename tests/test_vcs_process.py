"""Children end when they should, with all they started, and what they said arrives whole."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autosyncd.errors import ChildAborted
from autosyncd.vcs import conversation, process
from autosyncd.vcs.conversation import Completed
from autosyncd.vcs.process import Runner
from autosyncd.vcs.session import boot_id, start_time
from tests.waiting import eventually

ENVIRONMENT = {"PATH": os.environ["PATH"]}


def shell(
    runner: Runner,
    script: str,
    *,
    timeout: float = 20,
    silence: float | None = None,
    network: bool = False,
    stdin: bytes = b"",
) -> Completed:
    return runner.run(
        ["sh", "-c", script],
        cwd="/",
        env=ENVIRONMENT,
        timeout=timeout,
        silence=silence,
        network=network,
        stdin=stdin,
    )


def is_gone(pid: int) -> bool:
    """Ended; a zombie that nobody has waited for counts as ended."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return text[text.rindex(")") + 2] == "Z"


def written_pid(file: Path) -> int:
    """The process id that a child writes down as soon as it runs."""
    return int(eventually(lambda: file.exists() and file.read_text().strip()))


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "KILL_AFTER", 0.2)


def test_what_a_child_says_and_its_status_come_back() -> None:
    done = shell(Runner(), "echo out; echo err >&2; exit 3")
    assert done == Completed(3, b"out\n", b"err\n")


def test_the_lock_of_the_tree_is_a_childs_until_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """execve(2) closes it. A child that closed it beforehand, and was about to run when its worker was
    killed, was nobody's: the successor passed it over, and it then moved the branch."""
    start, told = subprocess.Popen, []

    def spied(*arguments: object, **how: object) -> object:
        told.append(how["close_fds"])
        return start(*arguments, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "Popen", spied)
    assert shell(Runner(), "echo run").out == b"run\n"
    assert told == [False]


def test_a_child_has_only_the_environment_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    assert b"GIT_DIR" not in shell(Runner(), "env").out


def test_a_child_has_no_terminal_and_its_own_session() -> None:
    words = shell(Runner(), "cat /proc/self/stat").out.split()
    assert words[6] == b"0"
    assert int(words[5]) != os.getsid(0)


def test_much_is_written_and_read_at_once() -> None:
    data = os.urandom(3_000_000)
    assert shell(Runner(), "cat", stdin=data).out == data


def test_a_child_that_does_not_read_its_input_is_no_trouble() -> None:
    assert shell(Runner(), "exit 0", stdin=b"x" * 3_000_000).code == 0


def test_a_program_that_does_not_exist_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Runner().run(["no-such-program"], cwd=os.fspath(tmp_path), env=ENVIRONMENT, timeout=5)


def test_no_descriptor_is_left_open() -> None:
    runner = Runner()
    shell(runner, "true")
    before = os.listdir("/proc/self/fd")
    for _ in range(5):
        shell(runner, "cat", stdin=b"x")
        shell(runner, "sleep 20", timeout=0.05)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_child_over_its_time_is_ended() -> None:
    begin = time.monotonic()
    done = shell(Runner(), "echo begun; exec sleep 60", timeout=0.2)
    assert done.timed_out
    assert done.out == b"begun\n"
    assert time.monotonic() - begin < 5


def test_a_silent_child_is_ended() -> None:
    assert shell(Runner(), "exec sleep 60", silence=0.2).timed_out


def test_a_child_that_keeps_talking_is_not_silent() -> None:
    done = shell(Runner(), "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done", silence=0.5)
    assert not done.timed_out
    assert done.out.split()[-1] == b"6"


def test_a_child_that_ignores_being_asked_is_killed() -> None:
    done = shell(Runner(), "trap '' TERM; while :; do sleep 0.05; done", timeout=0.2)
    assert done.timed_out
    assert done.code == -signal.SIGKILL


def test_a_child_that_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "OUTPUT_LIMIT", 1 << 20)
    done = shell(Runner(), "exec cat /dev/zero")
    assert done.timed_out
    assert len(done.out) < 2 << 20


def test_what_a_child_started_is_ended_with_it(tmp_path: Path) -> None:
    noted = tmp_path / "pid"
    shell(Runner(), f"sleep 60 & echo $! >{noted}; wait", timeout=0.3)
    eventually(lambda: is_gone(written_pid(noted)))


def test_what_a_child_started_in_a_process_group_of_its_own_is_ended_with_it(
    tmp_path: Path,
) -> None:
    noted = tmp_path / "pid"
    script = f"set -m; sleep 60 & echo $! >{noted}; wait"
    Runner().run(["bash", "-c", script], cwd="/", env=ENVIRONMENT, timeout=0.3)
    pid = written_pid(noted)
    try:
        eventually(lambda: is_gone(pid), seconds=2)
    finally:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_child_that_ended_is_done_though_its_own_child_keeps_the_pipes(tmp_path: Path) -> None:
    """A shared ssh connection (ControlPersist) or a credential cache goes on in the background."""
    noted = tmp_path / "pid"
    begin = time.monotonic()
    done = shell(Runner(), f"sleep 60 & echo $! >{noted}; echo done", timeout=3)
    os.kill(written_pid(noted), signal.SIGKILL)
    assert done.out == b"done\n"
    assert (done.code, done.timed_out) == (0, False)
    assert time.monotonic() - begin < 2


# abort


def run_in_thread(runner: Runner, script: str, *, network: bool = False) -> list[object]:
    """Whatever comes of it, as soon as it has come; the thread ends with it."""
    said: list[object] = []

    def work() -> None:
        try:
            said.append(shell(runner, script, network=network))
        except ChildAborted as aborted:
            said.append(aborted)

    threading.Thread(target=work, daemon=True).start()
    return said


def test_abort_from_another_thread_ends_the_child(tmp_path: Path) -> None:
    runner, noted = Runner(), tmp_path / "pid"
    said = run_in_thread(runner, f"echo $$ >{noted}; exec sleep 60")
    pid = written_pid(noted)
    runner.abort(network_only=False)
    eventually(lambda: said)
    assert isinstance(said[0], ChildAborted)
    assert is_gone(pid)


def test_abort_ends_a_child_that_does_not_want_to(tmp_path: Path) -> None:
    runner, noted = Runner(), tmp_path / "pid"
    said = run_in_thread(runner, f"trap '' TERM; echo $$ >{noted}; while :; do sleep 0.1; done")
    pid = written_pid(noted)
    try:
        runner.abort(network_only=False)
        eventually(lambda: said, seconds=3)
        assert isinstance(said[0], ChildAborted)
    finally:
        if not is_gone(pid):
            os.kill(pid, signal.SIGKILL)


def test_abort_of_the_network_lets_a_local_child_finish(tmp_path: Path) -> None:
    runner, noted, go = Runner(), tmp_path / "pid", tmp_path / "go"
    os.mkfifo(go)
    said = run_in_thread(runner, f"echo $$ >{noted}; read line <{go}; echo finished")
    written_pid(noted)
    runner.abort(network_only=True)
    go.write_text("go\n")
    eventually(lambda: said)
    assert said == [Completed(0, b"finished\n", b"")]


def test_after_an_abort_of_the_network_only_local_children_start() -> None:
    runner = Runner()
    runner.abort(network_only=True)
    assert shell(runner, "echo local").out == b"local\n"
    with pytest.raises(ChildAborted):
        shell(runner, "echo network", network=True)
    runner.abort(network_only=False)
    runner.abort(network_only=True)
    with pytest.raises(ChildAborted):
        shell(runner, "echo local")
    assert runner.stopping.is_set()


# the ledger


def test_the_ledger_names_the_child_while_it_runs(tmp_path: Path) -> None:
    ledger = tmp_path / "children"
    runner = Runner(ledger)
    # the child may be faster than the one who writes its number down
    named = f'until grep -q " " {ledger}; do sleep 0.01; done'
    shell(runner, f"{named}; cp {ledger} {ledger}.seen; echo $$ >{tmp_path}/pid")
    seen = (tmp_path / "children.seen").read_text().split()
    assert seen[:1] == (tmp_path / "pid").read_text().split()
    assert ledger.read_text() == ""


def test_there_is_no_instant_at_which_a_child_runs_and_the_ledger_is_empty(tmp_path: Path) -> None:
    """A worker may be killed right then; its successor must know that locks may be left behind."""
    ledger = tmp_path / "children"
    runner = Runner(ledger)
    seen = [
        runner.run(["cat", os.fspath(ledger)], cwd="/", env=ENVIRONMENT, timeout=20).out
        for _ in range(50)
    ]
    assert b"" not in seen


def test_what_a_killed_worker_left_running_is_ended(tmp_path: Path) -> None:
    ledger, noted = tmp_path / "children", tmp_path / "pid"
    script = (
        "import sys; from pathlib import Path; from autosyncd.vcs.process import Runner\n"
        "Runner(Path(sys.argv[1])).run(['sh', '-c', sys.argv[2]], cwd='/', env={'PATH': sys.argv[3]},"
        " timeout=60)"
    )
    child = f"sleep 60 & echo $! $$ >{noted}; wait"
    worker = subprocess.Popen(
        [sys.executable, "-c", script, ledger, child, os.environ["PATH"]],
        cwd=Path(__file__).parents[1],
    )
    pids = eventually(lambda: noted.exists() and noted.read_text().split())
    eventually(lambda: ledger.exists() and ledger.read_text().split()[:1] == [pids[1]])
    worker.kill()
    worker.wait()
    assert not any(is_gone(int(pid)) for pid in pids)
    assert Runner(ledger).end_predecessors() == 2
    assert all(is_gone(int(pid)) for pid in pids)
    assert Runner(ledger).end_predecessors() == 0


def test_a_worker_killed_before_it_knew_its_childs_number_leaves_nothing(tmp_path: Path) -> None:
    """It dies between the start of the child and the moment the ledger has its number."""
    ledger, noted = tmp_path / "children", tmp_path / "pid"
    script = (
        "import os, signal, sys; from pathlib import Path; from autosyncd.vcs.process import Runner\n"
        "class Dies(Runner):\n"
        "    def _note(self, pid):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "Dies(Path(sys.argv[1])).run(['sh', '-c', sys.argv[2]], cwd='/', env={'PATH': sys.argv[3]},"
        " timeout=60)"
    )
    child = f"sleep 60 & echo $! $$ >{noted}; wait"
    subprocess.run(
        [sys.executable, "-c", script, ledger, child, os.environ["PATH"]],
        cwd=Path(__file__).parents[1],
        check=False,
    )
    pids = eventually(lambda: noted.exists() and noted.read_text().split())
    assert ledger.read_text().startswith("starting ")
    assert Runner(ledger).end_predecessors() == 2
    assert all(is_gone(int(pid)) for pid in pids)


def test_what_a_killed_worker_left_running_may_take_its_lock_away(tmp_path: Path) -> None:
    """As git does when it is asked to end."""
    ledger, lock = tmp_path / "children", tmp_path / "index.lock"
    script = f"trap 'rm {lock}; exit 0' TERM; touch {lock}; while :; do sleep 0.05; done"
    child = subprocess.Popen(["sh", "-c", script], start_new_session=True)
    eventually(lock.exists)
    ledger.write_text(f"{child.pid} {start_time(child.pid)} {boot_id()}")
    assert Runner(ledger).end_predecessors() >= 1
    assert child.wait() == 0
    assert not lock.exists()


def test_a_number_that_serves_another_process_now_is_left_alone(tmp_path: Path) -> None:
    ledger = tmp_path / "children"
    bystander = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        ledger.write_text(f"{bystander.pid} 1\n")
        assert Runner(ledger).end_predecessors() == 0
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_session_of_an_earlier_boot_is_left_alone(tmp_path: Path) -> None:
    """After a boot the numbers begin anew: a session of that number is somebody else's, though
    its leader is gone by now."""
    noted = tmp_path / "pid"
    leader = subprocess.Popen(["sh", "-c", f"sleep 60 & echo $! >{noted}"], start_new_session=True)
    leader.wait()
    bystander = written_pid(noted)
    ledger = tmp_path / "children"
    ledger.write_text(f"{leader.pid} 1\n")
    try:
        Runner(ledger).end_predecessors()
        assert not is_gone(bystander)
    finally:
        if not is_gone(bystander):
            os.kill(bystander, signal.SIGKILL)


@pytest.mark.parametrize(
    "content", ["", "x", "1", "a b", "-1 -1", "0 0", "0 1", "\0", "99999999 1", "1 2 3", "² ²"]
)
def test_a_damaged_ledger_ends_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    """Kernel threads and the first process are of session 0."""
    ended: list[int] = []
    monkeypatch.setattr(process, "end_and_wait", lambda pids, _: ended.extend(pids))
    ledger = tmp_path / "children"
    ledger.write_text(content)
    Runner(ledger).end_predecessors()
    assert ended == []


def test_no_ledger_is_no_trouble(tmp_path: Path) -> None:
    assert Runner().end_predecessors() == 0
    assert Runner(tmp_path / "none").end_predecessors() == 0
