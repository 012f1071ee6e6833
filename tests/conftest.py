"""Skips what this machine can't run, and says why; marks what is too slow for script/check."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trees import World, make_world

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what runs in its background so, and our children would never hear Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

SLOW_MODULES = {
    "test_control_demo",
    "test_convergence",
    "test_daemon",
    "test_daemon_xmpp",
    "test_debian_libraries",
    "test_durability",
    "test_engine_batch",
    "test_engine_fallback",
    "test_engine_held",
    "test_engine_indexfile",
    "test_engine_kills",
    "test_engine_latewrites",
    "test_engine_replace",
    "test_engine_saves",
    "test_engine_updates",
    "test_messenger_loop",
    "test_messenger_writing",
    "test_old_peer",
    "test_scripts",
    "test_supervisor_loop",
    "test_testbed",
    "test_transport_xmpp_lies",
    "test_transport_xmpp_servers",
    "test_vcs_conflict",
    "test_vcs_crash",
    "test_vcs_heal",
    "test_vcs_housekeep",
    "test_vcs_incoming",
    "test_vcs_leftout",
    "test_vcs_person",
    "test_vcs_remote",
    "test_vcs_rewritten",
    "test_vcs_sameness",
    "test_vcs_special",
    "test_vcs_stale",
    "test_vcs_sync",
    "test_vcs_tips",
    "test_vcs_unpush",
    "test_vcs_whereto",
    "test_watch_random",
}
"""Whole daemons, real git by the hundred: for script/test."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A hub, of which a test makes as many clones as it needs."""
    return make_world(tmp_path, monkeypatch)


@pytest.fixture(scope="module", autouse=True)
def nothing_stays_open() -> Iterator[None]:
    """A clone that a test left keeps its tree's lock and git children until it is collected."""
    yield
    gc.collect()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in SLOW_MODULES:
            item.add_marker(pytest.mark.slow)
    if os.geteuid() == 0:
        return
    skip = pytest.mark.skip(reason="needs root; 'sudo script/test' runs it")
    for item in items:
        if item.get_closest_marker("root"):
            item.add_marker(skip)
