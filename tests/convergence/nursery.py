"""Verbs in a process of their own, that can be killed at any instant.

A process without threads is forked before anything else happens; it forks a child for each order, and
the child makes a new driver, inspects, runs some verbs, and writes down what they came to. Who is
killed, and when, the caller decides.
"""

import contextlib
import json
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from autosyncd.vcs.changes import EVERYTHING, Scope
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.orders import CommitOrder, SyncOrder
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit
from tests.convergence.oracle import Scanned
from tests.trees import Clone
from tests.waiting import ready

MARK = "AUTOSYNC_TEST"


@dataclass(frozen=True, slots=True)
class Order:
    """What a child is to do: `verbs` are "commit", "commit everything", "sync", "push", "sweep"."""

    root: str
    verbs: tuple[str, ...]
    paths: tuple[str, ...]
    log: str
    environment: dict[str, str]
    safety: tuple[float, float, int, int, int]


class Nursery:
    """Talks to the process that forks."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._here.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self._pid = os.fork()
        if self._pid == 0:
            self._here.close()
            try:
                _nurse(there)
            finally:
                os._exit(0)
        there.close()

    def start(self, order: Order) -> int:
        """A child that begins at once; its process id."""
        self._here.send(json.dumps(asdict(order)).encode())
        return int(self._here.recv(64))

    def close(self) -> None:
        self._here.close()
        os.waitpid(self._pid, 0)


def wait(pid: int, seconds: float) -> bool:
    """Whether a child came to its end in time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return ready(handle, seconds)
    finally:
        os.close(handle)


def _nurse(orders: socket.socket) -> None:
    """Fork a child for each order; the one before is dead by then."""
    last = 0
    while data := orders.recv(1 << 20):
        if last:
            os.waitpid(last, 0)
        last = os.fork()
        if last == 0:
            orders.close()
            status = 1
            try:
                os.setsid()
                _work(json.loads(data))
                status = 0
            finally:
                os._exit(status)
        orders.send(b"%d" % last)


def _work(order: dict[str, object]) -> None:
    """In the child: a new driver, and its verbs."""
    from autosyncd.model import Safety

    ignore_breaks()
    with open(str(order["log"]), "a", encoding="utf-8") as log:

        def note(**facts: object) -> None:
            log.write(json.dumps(facts) + "\n")
            log.flush()

        try:
            _verbs(order, Safety(*order["safety"]), note)  # type: ignore[misc]
        except BaseException as fault:
            import traceback

            note(verb="crash", outcome=repr(fault), where=traceback.format_exc()[-1500:])
            raise


def _verbs(order: dict[str, object], safety: object, note: Callable[..., None]) -> None:
    clone = Clone(Path(str(order["root"])), order["environment"], safety=safety)  # type: ignore[arg-type]
    began = time.monotonic()
    note(verb="inspect", outcome=repr(clone.driver.inspect())[:600], began=began)
    paths = Scope(frozenset(os.fsencode(path) for path in order["paths"]))  # type: ignore[attr-defined]
    for verb in order["verbs"]:  # type: ignore[attr-defined]
        began = time.monotonic()
        facts: dict[str, object] = {"verb": verb, "began": began}
        if verb.startswith("commit"):
            scope = EVERYTHING if "everything" in verb else paths
            made = clone.driver.commit(CommitOrder(scope, ignore_staged="staged" in verb))
            facts["outcome"] = repr(made)[:600]
            if isinstance(made, CommitMade | NothingToCommit):
                facts["left_out"] = [os.fsdecode(left.path) for left in made.left_out]
        elif verb in ("sync", "push"):
            facts["outcome"] = repr(clone.driver.sync(SyncOrder(verb == "sync")))[:600]
        else:
            facts["outcome"] = repr(clone.driver.sweep())
        note(**facts, ended=time.monotonic())
    clone.driver.close()


def scans(log: Path, order: Order) -> list[Scanned]:
    """The commits that a child had completed, by its log."""
    found = []
    paths = frozenset(os.fsencode(path) for path in order.paths)
    for line in log.read_text().split("\n"):
        with contextlib.suppress(ValueError):
            facts = json.loads(line)
            if "left_out" in facts:
                scope = EVERYTHING if "everything" in facts["verb"] else Scope(paths)
                left_out = frozenset(os.fsencode(path) for path in facts["left_out"])
                found.append(Scanned(facts["began"], facts["ended"], scope, left_out))
    return found


def marked(mark: str) -> list[int]:
    """Live processes whose environment has the mark."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                environ = Path("/proc", entry, "environ").read_bytes()
                state = Path("/proc", entry, "stat").read_text(errors="replace")
                if (
                    f"{MARK}={mark}\0".encode() in environ
                    and state.rsplit(")", 1)[1].split()[0] != "Z"
                ):
                    found.append(int(entry))
    return found


def kill_all(mark: str, pid: int) -> None:
    """The worker and everything it has started, as the end of a machine does."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    for _ in range(20):
        others = marked(mark)
        for other in others:
            with contextlib.suppress(ProcessLookupError):
                os.kill(other, signal.SIGKILL)
        if not others:
            return


def kill_alone(pid: int) -> None:
    """The worker only: its children live on until its successor ends them."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def pick_verbs(dice: random.Random) -> tuple[str, ...]:
    """What a worker might do between its start and its end."""
    kinds = (
        "commit",
        "commit everything",
        "commit everything staged",
        "sync",
        "sync",
        "push",
        "sweep",
    )
    return tuple(dice.choice(kinds) for _ in range(dice.randrange(1, 5)))
