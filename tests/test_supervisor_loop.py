"""The whole supervisor, with real processes: fake workers that behave as their repository says."""

import multiprocessing
import os
import pickle
import select
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autosyncd import clock
from autosyncd.config.given import ConfigProblem
from autosyncd.config.settings import Configuration
from autosyncd.errors import LinkClosed
from autosyncd.link.channel import Link
from autosyncd.link.messages import (
    Alive,
    Announce,
    Conflict,
    Describe,
    Identity,
    Message,
    Online,
    Pause,
    Problem,
    Pulled,
    PullOrder,
    Resume,
    Shutdown,
    Solved,
    StatusChanged,
    SyncNow,
    Woke,
)
from autosyncd.link.outside import (
    Alert,
    Asked,
    Connected,
    Heard,
    RepositoryConflict,
    RepositoryGone,
    RepositoryStatus,
    Subscribe,
    Summary,
    Tell,
    TransportChanged,
    Withdraw,
)
from autosyncd.model import (
    AlertKind,
    Channel,
    FanoutConfig,
    Head,
    OutsideConfig,
    PushNotice,
    RepoConfig,
    Status,
    TreeId,
)
from autosyncd.service import journal
from autosyncd.service.notify import Notifier
from autosyncd.supervisor import beginning, children, process
from autosyncd.supervisor.child import Limits
from autosyncd.supervisor.frame import Entries, Frame
from autosyncd.supervisor.loop import Supervisor
from tests.waiting import eventually, ready

LIMITS = Limits(
    silence=20, grace=5, reap=5, first_wait=0.05, longest_wait=0.4, healthy_after=60, deaths=5
)
CHANNEL = Channel("c" * 64)
unpickle = pickle.loads


class Stage:
    """A supervisor in a process of its own, and everything that its children and systemd hear."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.limits = LIMITS
        self.messenger_limits = replace(LIMITS, grace=3)
        self.ready_after = 10.0
        self.paths = "/trees"
        self._children = self._socket("children")
        self._systemd = self._socket("systemd")
        self.heard: list[tuple[str, int, object]] = []
        """Name, pid and message (or "born") of everything that a child said of itself."""
        self.systemd: list[str] = []
        self.wake, self._watch = os.pipe2(os.O_NONBLOCK)
        self.process: multiprocessing.process.BaseProcess | None = None

    def _socket(self, name: str) -> socket.socket:
        it = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        it.bind(str(self.folder / name))
        return it

    def configure(self, *names: str, problems: tuple[str, ...] = (), **changes: object) -> None:
        outside = changes.pop("outside", OutsideConfig())
        repositories = tuple(RepoConfig(f"{self.paths}/{name}", name, **changes) for name in names)
        found = tuple(ConfigProblem("a.yaml", 1, text) for text in problems)
        config = Configuration(repositories, outside, found, ())
        new = self.folder / "config.new"
        new.write_bytes(pickle.dumps(config))
        new.rename(self.folder / "config")

    def behave(self, name: str, how: str) -> None:
        (self.folder / f"{name}.how").write_text(how)

    def start(self) -> "Stage":
        fork = multiprocessing.get_context("fork")
        self.process = fork.Process(target=self._supervise)
        self.process.start()
        return self

    def _supervise(self) -> None:
        os.environ["NOTIFY_SOCKET"] = str(self.folder / "systemd")
        os.environ["WATCHDOG_USEC"] = "400000"
        os.environ.pop("WATCHDOG_PID", None)
        journal.log.handlers[:] = [
            journal.LineHandler(open(self.folder / "log", "a", buffering=1))  # noqa: SIM115
        ]
        journal.log.setLevel("DEBUG")
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        frame = Frame(
            read=lambda _: unpickle((self.folder / "config").read_bytes()),
            entries=Entries(self._worker, self._messenger),
            host="laptop",
            watch=PipeWatch(self.wake),
            limits=self.limits,
            messenger_limits=self.messenger_limits,
            ready_after=self.ready_after,
        )
        raise SystemExit(Supervisor(frame, Notifier()).run())

    # what runs in the children

    def _say(self, name: str, what: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.sendto(pickle.dumps((name, os.getpid(), what)), bytes(self.folder / "children"))

    def _worker(self, config: RepoConfig, link: Link, find: Callable[[], str | None]) -> int:
        name = config.name
        if find() is None:
            return 0
        self._say(name, "born")
        how = self.folder / f"{name}.how"
        behaviour = how.read_text() if how.exists() else ""
        if behaviour == "die":
            return 3
        if behaviour == "leave one":  # who hangs in a file system and can't be killed
            if os.fork() == 0:
                eventually(lambda: not how.exists(), 60)
                os._exit(0)
            return 4
        if behaviour != "silent":
            link.outbox.post(Identity(TreeId(f"tree-{name}"), (CHANNEL,), "origin", "main", "h0"))
            link.outbox.post(StatusChanged(Status.IDLE, "", 1.0))
        return self._live(name, link, deaf=behaviour == "deaf")

    def _messenger(self, outside: OutsideConfig, link: Link) -> int:
        self._say("messenger", "born")
        how = self.folder / "messenger.how"
        behaviour = how.read_text() if how.exists() else ""
        if behaviour == "die":
            return 3
        if behaviour != "silent":
            link.outbox.post(Alive())
        return self._live("messenger", link)

    def _live(self, name: str, link: Link, *, deaf: bool = False) -> int:
        """Say what comes in; post what a datagram to the own socket holds."""
        address = self.folder / f"{name}.{os.getpid()}"
        orders = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        orders.bind(str(address))
        self._say(name, "ready")
        while True:
            readable, _, _ = select.select([link.inbox, orders], [], [])
            if orders in readable:
                link.outbox.post(unpickle(orders.recv(65536)))
            if link.inbox not in readable:
                continue
            try:
                messages = link.inbox.receive()
            except LinkClosed:
                return 0
            for message in messages:
                self._say(name, message)
                if isinstance(message, Shutdown) and not deaf:
                    return 0

    # what the test sees

    def pump(self) -> None:
        for source, take in (
            (self._children, lambda data: self.heard.append(unpickle(data))),
            (self._systemd, lambda data: self.systemd.extend(data.decode().split("\n"))),
        ):
            while ready(source, 0):
                take(source.recv(65536))

    def see(self, probe: Callable[[], object], seconds: float = 10.0) -> object:
        def look() -> object:
            self.pump()
            return probe()

        return eventually(look, seconds)

    def births(self, name: str) -> list[int]:
        self.pump()
        return [pid for who, pid, what in self.heard if who == name and what == "born"]

    def ready(self, name: str) -> int:
        """The process id of the newest child of this name, once it listens."""

        def newest() -> int:
            found = [pid for who, pid, what in self.heard if who == name and what == "ready"]
            born = self.births(name)
            return born[-1] if born and found and found[-1] == born[-1] else 0

        return int(self.see(newest))  # type: ignore[call-overload]

    def told(self, name: str, *kinds: type[Message]) -> list[Message]:
        self.pump()
        return [what for who, _, what in self.heard if who == name and isinstance(what, kinds)]

    def report(self, name: str, *messages: Message) -> None:
        pid = self.ready(name)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            for message in messages:
                out.sendto(pickle.dumps(message), bytes(self.folder / f"{name}.{pid}"))

    def signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid or 0, number)

    def children(self) -> set[int]:
        """The processes that it has and has not waited for, zombies included."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return set(map(int, listed.split()))

    def status(self) -> str:
        self.pump()
        return next((s for s in reversed(self.systemd) if s.startswith("STATUS=")), "")

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def noticed(self) -> None:
        """The configuration's watch has something."""
        os.write(self._watch, b"x")

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.join()
        self.pump()
        for pid in {pid for _, pid, _ in self.heard}:
            eventually(lambda one=pid: not alive(one))
        for one in (self._children, self._systemd):
            one.close()
        os.close(self.wake)
        os.close(self._watch)


class PipeWatch:
    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def changed(self) -> bool:
        return bool(os.read(self._descriptor, 100))


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def stage(tmp_path):
    it = Stage(tmp_path)
    yield it
    it.close()


def test_ready_status_watchdog_and_a_clean_end(stage):
    stage.configure("notes", "dotfiles")
    stage.start()
    stage.see(lambda: "READY=1" in stage.systemd)
    stage.see(lambda: stage.status() == "STATUS=2 repositories, all in sync")
    stage.see(lambda: stage.systemd.count("WATCHDOG=1") >= 3)
    pids = [stage.ready(name) for name in ("notes", "dotfiles", "messenger")]
    stage.see(lambda: Summary("2 repositories, all in sync") in stage.told("messenger", Summary))
    stage.signal(signal.SIGTERM)
    stage.process.join(10)
    assert stage.process.exitcode == 0
    assert not any(alive(pid) for pid in pids)
    stage.pump()
    assert stage.systemd.count("READY=1") == 1
    assert "STOPPING=1" in stage.systemd
    assert stage.told("notes", Shutdown) == [Shutdown(LIMITS.grace - 2)]
    who = [name for name, _, what in stage.heard if isinstance(what, Shutdown)]
    assert who[-1] == "messenger"
    assert sorted(who) == ["dotfiles", "messenger", "notes"]


def test_sigint_ends_it_too(stage):
    stage.configure("notes")
    stage.start().ready("notes")
    stage.signal(signal.SIGINT)
    stage.process.join(10)
    assert stage.process.exitcode == 0


def test_without_repositories_it_is_ready_and_says_what_to_do(stage):
    stage.configure()
    stage.start()
    stage.see(lambda: "READY=1" in stage.systemd)
    stage.see(lambda: "autosyncctl add PATH" in stage.status())


def test_a_killed_child_is_replaced_and_the_others_go_on(stage):
    stage.configure("notes", "dotfiles")
    stage.start()
    other, first = stage.ready("dotfiles"), stage.ready("notes")
    os.kill(first, signal.SIGKILL)
    stage.see(lambda: len(stage.births("notes")) == 2)
    assert stage.ready("notes") != first
    stage.see(lambda: stage.status().endswith("all in sync"))
    assert stage.births("dotfiles") == [other]
    assert alive(other)
    assert "was ended by signal 9" in stage.log()


def test_five_deaths_are_the_end_until_a_reload_while_others_go_on(stage):
    stage.configure("bad", "notes")
    stage.behave("bad", "die")
    stage.start()
    stage.see(lambda: len(stage.births("bad")) == 5)
    stage.see(lambda: "READY=1" in stage.systemd)
    stage.see(lambda: "bad: failed: its process ended 5 times" in stage.status())
    stage.see(lambda: stage.told("messenger", Alert))
    assert [(a.repository, a.topic) for a in stage.told("messenger", Alert)] == [("bad", "process")]
    stage.report("notes", Announce(Head("main", "h1")))
    stage.see(lambda: stage.told("messenger", Tell))
    assert len(stage.births("bad")) == 5
    stage.behave("bad", "")
    stage.signal(signal.SIGHUP)
    stage.see(lambda: len(stage.births("bad")) == 6)
    stage.see(lambda: stage.status() == "STATUS=2 repositories, all in sync")
    stage.see(lambda: Withdraw("bad", "process") in stage.told("messenger", Withdraw))
    assert len(stage.births("notes")) == 1


def test_a_stopped_silent_child_is_killed_and_replaced(stage):
    stage.limits = replace(LIMITS, silence=1.0)
    stage.configure("notes")
    stage.start()
    first = stage.ready("notes")
    os.kill(first, signal.SIGSTOP)
    stage.see(lambda: len(stage.births("notes")) == 2)
    assert not alive(first)


def test_silence_again_and_again_is_told_once_with_the_place_to_look_at(stage):
    stage.limits = replace(LIMITS, silence=0.3, within=0.1)
    stage.configure("notes", alerts=frozenset({AlertKind.PROBLEM}))
    stage.behave("notes", "silent")
    stage.start()
    stage.see(lambda: len(stage.births("notes")) == 4)
    text = (
        "its process did not answer for 0 s and was ended; perhaps the file system of /trees/notes"
    )
    assert [line for line in stage.log().splitlines() if "process" in line] == [
        f"[notes] error: {text} doesn't answer"
    ]
    assert text in stage.status()
    assert [a.text for a in stage.told("messenger", Alert)] == [f"{text} doesn't answer"]
    stage.systemd.clear()
    stage.behave("notes", "")
    stage.see(lambda: stage.status().endswith("in sync"))
    assert not [line for line in stage.systemd if "starting" in line]
    stage.see(lambda: [w.topic for w in stage.told("messenger", Withdraw)] == ["process"])


def test_nobody_follows_a_worker_of_which_somebody_is_left(stage):
    stage.limits = replace(LIMITS, grace=0.2, reap=0.2)
    stage.configure("notes")
    stage.behave("notes", "leave one")
    stage.start()
    stage.see(lambda: "the file system of notes doesn't answer" in stage.status())
    assert len(stage.births("notes")) == 1
    (stage.folder / "notes.how").unlink()
    stage.see(lambda: stage.status().endswith("in sync"))
    assert len(stage.births("notes")) == 2
    assert "ended with status 4" in stage.log()


def test_a_child_that_does_not_end_when_asked_is_killed(stage):
    stage.limits = replace(LIMITS, grace=0.3)
    stage.configure("notes")
    stage.behave("notes", "deaf")
    stage.start()
    pid = stage.ready("notes")
    stage.signal(signal.SIGTERM)
    stage.process.join(10)
    assert (stage.process.exitcode, alive(pid)) == (0, False)


def test_a_sigkilled_supervisor_leaves_no_process(stage):
    stage.configure(*(f"repo{number}" for number in range(5)))
    stage.start()
    pids = [stage.ready(f"repo{number}") for number in range(5)] + [stage.ready("messenger")]
    os.kill(pids[0], signal.SIGSTOP)  # not even one that stood still when it happened
    stage.signal(signal.SIGKILL)
    os.kill(pids[0], signal.SIGCONT)
    eventually(lambda: not any(alive(pid) for pid in pids))


def test_readiness_does_not_wait_for_a_silent_worker_for_ever(stage):
    stage.ready_after = 0.5
    stage.configure("notes")
    stage.behave("notes", "silent")
    began = time.monotonic()
    stage.start()
    stage.see(lambda: "READY=1" in stage.systemd)
    assert time.monotonic() - began >= 0.5
    stage.see(lambda: stage.status() == "STATUS=notes: starting")


def slow_forks(monkeypatch, seconds: float) -> None:
    """As on a machine on which much else runs."""

    def slowly(wanted):
        time.sleep(seconds * len(wanted))
        return process.fork_all(wanted)

    monkeypatch.setattr(children, "fork_all", slowly)
    monkeypatch.setattr(beginning, "BEGIN_FIRST", 1)
    monkeypatch.setattr(beginning, "BEGIN_MOST", 1)


def test_readiness_orders_and_the_end_do_not_wait_for_slow_forks(stage, monkeypatch):
    slow_forks(monkeypatch, 0.1)
    names = [f"repo{number:02}" for number in range(100)]  # ten seconds and more
    stage.ready_after = 0.5
    stage.configure(*names)
    stage.start()
    stage.see(lambda: "READY=1" in stage.systemd)
    assert "WATCHDOG=1" in stage.systemd
    stage.signal(signal.SIGTERM)
    stage.see(lambda: not stage.process.is_alive())
    assert stage.process.exitcode == 0
    assert not stage.births(names[-1])


def test_what_is_asked_of_all_reaches_those_that_have_no_process_yet(stage, monkeypatch):
    slow_forks(monkeypatch, 0.05)
    names = [f"repo{number:02}" for number in range(12)]
    stage.configure(*names)
    stage.start()
    stage.report("messenger", Asked("pause", "", "60"))
    for name in names:
        stage.see(lambda one=name: stage.told(one, Pause))
        assert len(stage.births(name)) == 1


def test_a_repository_that_changes_or_goes_before_it_has_begun(stage, monkeypatch):
    slow_forks(monkeypatch, 0.1)
    stage.configure("a", "b", "c", "d", "e")
    stage.start()
    stage.see(lambda: stage.births("a"))
    stage.configure("a", "b", "e", push=False)
    stage.signal(signal.SIGHUP)
    stage.see(lambda: stage.births("e"))
    stage.see(lambda: len(stage.births("a")) == 2)
    assert len(stage.births("e")) == 1
    assert not stage.births("d")


def test_a_repository_that_failed_is_left_alone_by_entries_that_do_not_concern_it(stage):
    stage.configure("notes", "copy")
    stage.start()
    for name in ("notes", "copy"):
        stage.ready(name)
    stage.report("copy", StatusChanged(Status.FAILED, "It is a bare repository.", 1.0))
    stage.see(lambda: "copy: failed" in stage.status())
    stage.configure("copy", "another")
    stage.noticed()
    stage.ready("another")
    assert len(stage.births("copy")) == 1
    assert "copy: failed" in stage.status()


def test_a_path_that_is_a_link_to_another_repository_is_told_by_its_own_process(stage):
    (stage.folder / "tree").mkdir()
    (stage.folder / "link").symlink_to("tree")
    stage.paths = str(stage.folder)
    stage.configure("tree", "link")
    stage.start()
    said = f"link: failed: {stage.folder}/link leads to {stage.folder}/tree, which is"
    stage.see(lambda: said in stage.status())
    assert stage.births("tree")
    assert not stage.births("link")
    stage.configure("link")
    stage.noticed()
    stage.see(lambda: stage.births("link"))


def test_of_two_links_into_one_another_the_later_one_gives_way(stage):
    (stage.folder / "outer/inner").mkdir(parents=True)
    (stage.folder / "one").symlink_to("outer")
    (stage.folder / "two").symlink_to("outer/inner")
    stage.paths = str(stage.folder)
    stage.configure("one", "two")
    stage.start()
    said = f"two: failed: {stage.folder}/two leads to {stage.folder}/outer/inner, which lies inside"
    stage.see(lambda: said in stage.status())
    assert stage.births("one")
    stage.configure("two")
    stage.noticed()
    stage.see(lambda: "failed" not in stage.status())


def test_news_of_one_worker_reach_its_sibling_and_the_messenger(stage):
    stage.configure("notes", "copy")
    stage.start()
    stage.ready("copy")
    stage.see(lambda: Subscribe("copy", (CHANNEL,)) in stage.told("messenger", Subscribe))
    stage.report("notes", Announce(Head("main", "h1")))
    stage.see(lambda: stage.told("copy", PullOrder) == [PullOrder(Head("main", "h1"))])
    sent = PushNotice((CHANNEL,), "main", "h1", TreeId("tree-notes"), "laptop")
    stage.see(lambda: stage.told("messenger", Tell) == [Tell(sent)])
    assert stage.told("notes", PullOrder) == []


def test_a_notice_from_outside_reaches_the_workers_that_lack_it(stage):
    stage.configure("notes")
    stage.start()
    stage.see(lambda: stage.told("messenger", Subscribe))
    notice = PushNotice((CHANNEL,), "main", "h7", TreeId("far"), "desktop")
    known, own = replace(notice, head="h0"), replace(notice, tree=TreeId("tree-notes"))
    stage.report("messenger", *(Heard(n, "fanout", "x") for n in (known, own, notice)))
    stage.see(lambda: stage.told("notes", PullOrder) == [PullOrder(Head("main", "h7"))])


def test_what_people_ask_for_reaches_the_workers(stage):
    stage.configure("notes", "other")
    stage.start()
    stage.ready("other")
    stage.ready("notes")
    stage.report(
        "messenger",
        Asked("sync", "notes"),
        Asked("pause", "notes", "60"),
        Asked("pause", "notes", "0"),
        Asked("resume"),
        Asked("describe", "notes", "my words"),
        Asked("pause", "notes", "soon"),
        Asked("dance", "notes"),
        Asked("sync", "nobody"),
        Online(False),
    )
    kinds = (SyncNow, Pause, Resume, Describe, Online)
    stage.see(lambda: len(stage.told("notes", *kinds)) == 6)
    sync, pause, for_ever, resume, describe, offline = stage.told("notes", *kinds)
    assert (sync, resume, describe) == (SyncNow(), Resume(), Describe("my words"))
    assert abs(pause.until - time.time() - 60) < 5
    assert (for_ever, offline) == (Pause(None), Online(False))
    stage.see(lambda: stage.told("other", *kinds) == [Resume(), Online(False)])
    assert stage.told("notes", PullOrder) == []
    stage.signal(signal.SIGUSR1)
    stage.see(lambda: stage.told("other", SyncNow))


def test_what_is_asked_of_a_worker_that_is_away_is_heard_by_the_next(stage):
    """autosyncctl has said that it is paused, and whoever pauses it may do so since it dies."""
    stage.configure("bad", "notes")
    stage.behave("bad", "die")
    stage.start()
    stage.see(lambda: "bad: failed: its process ended 5 times" in stage.status())
    stage.report("messenger", Asked("pause", "bad", "0"), Asked("resume", "bad"))
    stage.report("messenger", Asked("pause", "bad", "60"), Asked("sync", "notes"))
    stage.see(lambda: stage.told("notes", SyncNow))
    stage.behave("bad", "")
    stage.signal(signal.SIGHUP)
    stage.see(lambda: len(stage.told("bad", Pause, Resume)) == 2)
    resume, pause = stage.told("bad", Pause, Resume)
    assert isinstance(resume, Resume)
    assert abs(pause.until - time.time() - 60) < 30
    stage.see(lambda: stage.status() == "STATUS=2 repositories, all in sync")
    os.kill(stage.ready("bad"), signal.SIGKILL)
    stage.see(lambda: len(stage.births("bad")) == 7)
    stage.ready("bad")
    stage.report("messenger", Asked("sync"))
    stage.see(lambda: stage.told("bad", SyncNow))
    assert len(stage.told("bad", Pause, Resume)) == 2


def test_what_is_asked_of_a_worker_that_is_being_replaced_is_heard_by_the_next(stage):
    stage.limits = replace(LIMITS, grace=1.0)
    stage.configure("notes")
    stage.behave("notes", "deaf")
    stage.start().ready("notes")
    stage.configure("notes", commit_after=9.0)
    stage.signal(signal.SIGHUP)
    stage.see(lambda: stage.told("notes", Shutdown))
    stage.report("messenger", Asked("pause", "notes", "0"))
    stage.see(lambda: len(stage.births("notes")) == 2)
    new = stage.ready("notes")
    stage.see(lambda: [what for _, pid, what in stage.heard if pid == new and what == Pause(None)])


@pytest.mark.parametrize("news", [Connected("fanout"), Woke(), Online(True)])
def test_after_an_absence_every_repository_pulls_once(stage, news, monkeypatch):
    monkeypatch.setattr("autosyncd.supervisor.dispatch.SPREAD", 0.1)
    stage.configure("notes", "other")
    stage.start()
    stage.see(lambda: len(stage.told("messenger", Subscribe)) == 2)
    stage.report("messenger", news, news)
    for name in ("notes", "other"):
        stage.see(lambda one=name: stage.told(one, PullOrder) == [PullOrder(None)])


def test_what_was_announced_before_a_repository_could_be_heard_is_pulled(stage, monkeypatch):
    monkeypatch.setattr("autosyncd.supervisor.dispatch.SPREAD", 0.1)
    monkeypatch.setattr("autosyncd.supervisor.routing.LATER", 0.1)
    stage.configure("notes")
    stage.start()
    stage.see(lambda: stage.told("messenger", Subscribe))
    stage.report("messenger", Connected("fanout"))
    stage.see(lambda: stage.told("notes", PullOrder))
    stage.configure("notes", "other")
    stage.signal(signal.SIGHUP)
    stage.see(lambda: stage.told("other", PullOrder) == [PullOrder(None)])


def test_what_the_person_asked_to_hear_becomes_alerts(stage):
    stage.configure("loud", alerts=frozenset(AlertKind))
    stage.start()
    stage.report(
        "loud",
        Problem("push-refused", "The server says no."),
        Conflict(2, ("a.txt", "b.txt")),
        Pulled(Head("main", "h2"), 3, ("desktop",)),
        Solved("push-refused"),
    )
    stage.see(lambda: stage.told("messenger", Withdraw) == [Withdraw("loud", "push-refused")])
    alerts = [(a.kind, a.text) for a in stage.told("messenger", Alert)]
    assert alerts == [
        (AlertKind.PROBLEM, "The server says no."),
        (
            AlertKind.CONFLICT,
            "2 files were changed in two places; both versions are kept: a.txt, b.txt",
        ),
        (AlertKind.PULLED, "3 files updated from desktop"),
    ]
    conflict = RepositoryConflict("loud", ("a.txt", "b.txt"))
    assert stage.told("messenger", RepositoryConflict) == [conflict]


def test_what_the_person_does_not_want_to_hear_is_only_logged(stage):
    stage.configure("quiet", alerts=frozenset())
    stage.start()
    stage.report("quiet", Problem("disk-full", "No room."), Announce(Head("main", "h1")))
    stage.see(lambda: stage.told("messenger", Tell))
    assert stage.told("messenger", Alert) == []
    stage.see(lambda: "[quiet] warning: No room. (disk-full)" in stage.log())


def test_a_new_messenger_is_told_how_everything_stands(stage):
    stage.configure("notes", problems=("unknown key",))
    stage.start()
    stage.report("notes", Problem("disk-full", "No room."), Conflict(1, ("a",)))
    stage.see(lambda: len(stage.told("messenger", Alert)) == 3)
    stage.see(lambda: Status.IDLE in [r.status for r in stage.told("messenger", RepositoryStatus)])
    first = stage.ready("messenger")
    before = len(stage.heard)
    os.kill(first, signal.SIGKILL)
    stage.see(lambda: len(stage.births("messenger")) == 2)

    def anew(kind: type[Message]) -> list[Message]:
        return [what for who, _, what in stage.heard[before:] if isinstance(what, kind)]

    stage.see(lambda: [a.topic for a in anew(Alert)] == ["configuration", "disk-full"])
    stage.see(
        lambda: (
            [(r.repository, r.status, r.branch) for r in anew(RepositoryStatus)]
            == [("notes", Status.IDLE, "main")]
        )
    )
    stage.see(lambda: anew(Subscribe) == [Subscribe("notes", (CHANNEL,))])
    assert len(stage.births("notes")) == 1


@pytest.mark.parametrize(("how", "ended"), [("die", "ended with status 3"), ("silent", "did not")])
def test_a_messenger_that_is_given_up_says_what_brings_it_back(stage, how, ended):
    stage.messenger_limits = replace(LIMITS, silence=0.3)
    stage.configure("notes")
    stage.behave("messenger", how)
    stage.start()
    what = "messenger: its process ended 5 times within 60 s (the last one "
    stage.see(lambda: what + ended in stage.status(), 30)
    assert "it is tried again at the next reload" in stage.status()
    assert f"error: {what}{ended}" in stage.log()
    stage.behave("messenger", "")
    stage.signal(signal.SIGHUP)
    stage.see(lambda: stage.status() == "STATUS=1 repository, in sync")


def test_news_wait_while_there_is_no_messenger(stage):
    stage.messenger_limits = replace(LIMITS, first_wait=1.2, longest_wait=2.0)
    stage.configure("notes")
    stage.start()
    stage.ready("notes")
    os.kill(stage.ready("messenger"), signal.SIGKILL)
    stage.see(lambda: "messenger: its process was ended by signal 9" in stage.status())
    stage.report("notes", Announce(Head("main", "h1")))
    stage.see(lambda: "pushed h1" in stage.log())
    assert len(stage.births("messenger")) == 1
    stage.see(lambda: [t.notice.head for t in stage.told("messenger", Tell)] == ["h1"])


def test_a_reload_touches_only_what_changed(stage):
    stage.configure("notes", "dotfiles", "old")
    stage.start()
    kept = {name: stage.ready(name) for name in ("notes", "dotfiles", "old", "messenger")}
    stage.see(lambda: "READY=1" in stage.systemd)
    config = unpickle((stage.folder / "config").read_bytes())
    notes, dotfiles, _ = config.repositories
    changed = replace(dotfiles, commit_after=9.0)
    new = replace(config, repositories=(notes, changed, RepoConfig("/trees/new", "new")))
    (stage.folder / "config").write_bytes(pickle.dumps(new))
    stage.signal(signal.SIGHUP)
    stage.see(lambda: len(stage.births("dotfiles")) == 2)
    stage.ready("new")
    stage.see(lambda: not alive(kept["old"]))
    stage.see(lambda: stage.told("messenger", RepositoryGone) == [RepositoryGone("old")])
    assert not alive(kept["dotfiles"])
    assert stage.births("notes") == [kept["notes"]]
    assert stage.births("messenger") == [kept["messenger"]]
    stage.see(lambda: stage.status() == "STATUS=3 repositories, all in sync")
    assert "RELOADING=1" in stage.systemd
    at = stage.systemd.index("RELOADING=1")
    assert stage.systemd[at + 1].startswith("MONOTONIC_USEC=")
    assert "READY=1" in stage.systemd[at:]


def test_what_comes_and_goes_by_a_reload_is_told_and_nothing_else(stage):
    stage.configure("notes", "old")
    stage.start()
    stage.ready("old")
    stage.configure("notes", "new", commit_after=9.0)
    stage.signal(signal.SIGHUP)
    stage.see(lambda: "read again" in stage.log())
    told = [line for line in stage.log().splitlines() if "configuration" in line]
    assert told == [
        "[new] added to the configuration",
        "[old] removed from the configuration",
        "the configuration was read again",
    ]


def test_a_process_that_can_not_be_made_is_told_of_its_repository(stage, monkeypatch):
    room = stage.folder / "room"

    def no_room(wanted):
        if room.exists() or wanted[0][0] != "notes":
            return process.fork_all(wanted)
        room.touch()
        return [OSError(11, "Resource temporarily unavailable")] * len(wanted)

    monkeypatch.setattr(children, "fork_all", no_room)
    stage.configure("notes")
    stage.start()
    stage.ready("notes")
    text = "No process could be made for notes: Resource temporarily unavailable."
    assert f"[notes] error: {text}" in stage.log()


def test_a_renamed_repository_is_never_two_processes(stage):
    stage.configure("notes")
    stage.start()
    first = stage.ready("notes")
    config = unpickle((stage.folder / "config").read_bytes())
    renamed = replace(config.repositories[0], name="diary")
    (stage.folder / "config").write_bytes(pickle.dumps(replace(config, repositories=(renamed,))))
    stage.report("messenger", Asked("reload"))
    stage.see(lambda: stage.births("diary"))
    assert not alive(first)
    stage.see(lambda: stage.told("messenger", RepositoryGone) == [RepositoryGone("notes")])


def test_what_is_outside_changes_for_the_messenger_alone(stage):
    stage.configure("notes")
    stage.start()
    stage.ready("notes")
    stage.ready("messenger")
    stage.configure("notes", outside=OutsideConfig(FanoutConfig("localhost")))
    stage.noticed()
    stage.see(lambda: len(stage.births("messenger")) == 2)
    assert len(stage.births("notes")) == 1


def test_problems_of_the_configuration_are_said_once_and_withdrawn(stage):
    stage.configure("notes", problems=("unknown key",))
    stage.start()
    stage.ready("notes")
    stage.see(lambda: "configuration: a.yaml:1: unknown key" in stage.status())
    stage.see(lambda: "READY=1" in stage.systemd)
    stage.signal(signal.SIGHUP)
    stage.see(lambda: "RELOADING=1" in stage.systemd)
    stage.configure("notes")
    stage.signal(signal.SIGHUP)
    stage.see(lambda: Withdraw("", "configuration") in stage.told("messenger", Withdraw))
    stage.see(lambda: stage.status() == "STATUS=1 repository, in sync")
    assert stage.log().count("a.yaml:1: unknown key") == 1
    assert len(stage.told("messenger", Alert)) == 1


def test_a_transport_that_is_away_is_in_the_status_line(stage):
    stage.configure("notes")
    stage.start()
    stage.report("messenger", TransportChanged("fanout", False, "connection refused"))
    stage.see(lambda: stage.status().endswith("in sync; fanout: connection refused"))
    stage.report("messenger", TransportChanged("fanout", True))
    stage.see(lambda: stage.status().endswith("in sync"))


@pytest.mark.parametrize("meanwhile", ["it sleeps", "it works"])
def test_hours_that_pass_in_a_moment_are_no_silence(stage, monkeypatch, meanwhile):
    """CLOCK_BOOTTIME goes on while the machine is suspended, wherever the supervisor is just then."""
    jump, real = stage.folder / "jump", clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + 8 * 3600 * jump.exists())
    work = Supervisor._signalled
    monkeypatch.setattr(
        Supervisor, "_signalled", lambda *arguments: (work(*arguments), jump.touch())
    )
    stage.configure("notes", "dotfiles")
    stage.start()
    born = {name: stage.ready(name) for name in ("notes", "dotfiles", "messenger")}
    stage.see(lambda: "READY=1" in stage.systemd)
    stage.told("notes")
    if meanwhile == "it works":
        stage.signal(signal.SIGUSR1)
        stage.see(lambda: stage.told("notes", SyncNow))
    else:
        jump.touch()
    stage.systemd.clear()
    stage.see(lambda: stage.systemd.count("WATCHDOG=1") > 3)
    assert {name: stage.births(name)[-1] for name in born} == born
    assert all(map(alive, born.values()))
    stage.see(lambda: stage.status() in ("", "STATUS=2 repositories, all in sync"))
    os.kill(born["notes"], signal.SIGKILL)
    stage.see(lambda: len(stage.births("notes")) == 2)


def test_a_storm_of_sighups_ends_with_the_newest_configuration(stage):
    stage.configure("notes", "dotfiles")
    stage.start()
    kept = {name: stage.ready(name) for name in ("notes", "messenger")}
    stage.see(lambda: "READY=1" in stage.systemd)
    notes = RepoConfig("/trees/notes", "notes")
    for number in range(100):
        changing = RepoConfig("/trees/dotfiles", "dotfiles", commit_after=1.0 + number)
        come_and_go = RepoConfig(f"/trees/t{number % 3}", f"t{number % 3}")
        entries = (notes, changing, *([come_and_go] if number % 2 else []))
        new = Configuration(entries, OutsideConfig(), (), ())
        fresh = stage.folder / "config.new"
        fresh.write_bytes(pickle.dumps(new))
        fresh.rename(stage.folder / "config")
        stage.signal(signal.SIGHUP)
        stage.noticed()
    stage.configure("notes", "last")
    stage.signal(signal.SIGHUP)
    stage.ready("last")
    stage.see(lambda: stage.status() == "STATUS=2 repositories, all in sync", 20)
    stage.see(lambda: len(stage.children()) == 3)
    assert stage.births("notes") == [kept["notes"]]
    assert stage.births("messenger") == [kept["messenger"]]
    assert stage.children() == {kept["notes"], kept["messenger"], stage.births("last")[-1]}
    stage.systemd.clear()
    stage.see(lambda: "WATCHDOG=1" in stage.systemd)
    assert "Traceback" not in stage.log()


def test_all_children_die_at_once_again_and_again_while_it_is_reloaded(stage):
    names = ["messenger", *(f"n{number}" for number in range(8))]
    stage.configure(*names[1:])
    stage.start()
    stage.see(lambda: all(map(stage.births, names)))
    for storm in range(3):
        for pid in [stage.ready(name) for name in names]:
            os.kill(pid, signal.SIGKILL)
        stage.signal(signal.SIGHUP)
        stage.see(lambda storm=storm: all(len(stage.births(n)) > storm + 1 for n in names), 20)
    stage.see(lambda: stage.status() == "STATUS=8 repositories, all in sync", 20)
    living = {stage.ready(name) for name in names}
    stage.see(lambda: stage.children() == living)
    stage.signal(signal.SIGTERM)
    stage.see(lambda: not stage.process.is_alive())
    assert stage.process.exitcode == 0


def test_an_idle_supervisor_sleeps(stage):
    stage.configure("notes")
    stage.start()
    stage.see(lambda: stage.status().endswith("in sync"))
    ticks = _cpu(stage.process.pid)
    threading.Event().wait(1.0)
    assert _cpu(stage.process.pid) - ticks <= 5  # hundredths of a second


def _cpu(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
