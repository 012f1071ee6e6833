"""Random histories of several machines: everything ends the same everywhere, and nothing is lost."""

import os
import time
from pathlib import Path

import pytest

from autosyncd.vcs.changes import EVERYTHING, Scope
from tests.convergence.oracle import Oracle, Scanned
from tests.convergence.run import inprocess, killed, realtime
from tests.convergence.world import World

SEEDS = int(os.environ.get("CONVERGENCE_SEED", "1"))
"""Where to begin; every seed is another history."""


def scanned(**named: object) -> Scanned:
    now = time.monotonic()
    return Scanned(now, now + 1e-6, **({"scope": EVERYTHING} | named))  # type: ignore[arg-type]


def test_what_a_commit_saw_is_owed_and_what_none_could_see_is_not() -> None:
    oracle = Oracle("host")
    oracle.wrote(1, "a", b"unseen", "save")
    oracle.overwritten(1, time.monotonic(), b"unseen")
    oracle.wrote(1, "a", b"seen", "save")
    oracle.scans.append(scanned())
    oracle.overwritten(1, time.monotonic() + 1, b"seen")
    oracle.wrote(1, "a", b"elsewhere", "save")
    oracle.scans.append(scanned(scope=Scope(frozenset({b"ab"}))))
    oracle.scans.append(scanned(left_out=frozenset({b"a"})))
    oracle.overwritten(1, time.monotonic() + 1, b"elsewhere")
    oracle.wrote(1, "a", b"last", "save")
    assert [one.written.data for one in oracle.settle()] == [b"seen", b"last"]


def test_what_the_driver_puts_in_place_of_a_content_makes_it_owed() -> None:
    oracle = Oracle("host")
    oracle.wrote(1, "a", b"mine", "save")
    oracle.overwritten(1, time.monotonic(), b"another's")
    assert [one.written.data for one in oracle.settle()] == [b"mine"]


def test_the_judge_sees_a_loss_and_a_difference(tmp_path: Path) -> None:
    world = World(tmp_path, 2, 1)
    try:
        for host in world.hosts:
            host.start()
        one = world.hosts[0].person
        one._save()
        (written,) = one.oracle.standing.values()
        os.unlink(one.full(written.path))  # and nobody says so
        Path(one.full("other")).write_text("left\n<<<<<<< here\n")
        faults = world.rest()
    finally:
        world.end()
    assert [fault for fault in faults if fault.startswith("LOST")]
    assert [fault for fault in faults if "conflict marker" in fault]


def test_a_few_rounds_converge(tmp_path: Path) -> None:
    report = inprocess(tmp_path, 2, 20, SEEDS, 20, calm=True)
    assert report.faults == [], report.line()
    assert report.totals["contents verified"] > 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + 2))
def test_many_rounds_converge(tmp_path: Path, seed: int) -> None:
    report = inprocess(tmp_path, 3, 60, seed, 30, calm=True)
    assert report.faults == [], report.line()
    assert report.totals["contents verified"] > 15


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + 2))
def test_machines_converge_whatever_people_do_with_their_git(tmp_path: Path, seed: int) -> None:
    report = inprocess(tmp_path, 3, 40, seed, 20, calm=True, unusual=True)
    assert report.faults == [], report.line()
    assert report.totals["contents verified"] > 15


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + 4))
def test_machines_converge_while_people_keep_typing(tmp_path: Path, seed: int) -> None:
    report = inprocess(tmp_path, 3, 10, seed, 10)
    assert report.faults == [], report.line()
    assert report.totals["contents verified"] > 15


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SEEDS, SEEDS + 4))
def test_machines_converge_though_workers_are_killed(tmp_path: Path, seed: int) -> None:
    report = killed(tmp_path, 3, 10, seed, 10)
    assert report.faults == [], report.line()
    assert report.totals["kills at a gate"] + report.totals["kills by time"] > 0


@pytest.mark.slow
def test_no_machine_is_starved_by_others_that_push_all_the_time(tmp_path: Path) -> None:
    report = realtime(tmp_path, 3, 15, SEEDS, 0)
    assert report.faults == [], report.line()
    # on a machine that others use as well all take longer: none may take far longer than usual
    assert report.worst < max(10, 40 * report.usual), report.notes
