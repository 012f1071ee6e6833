"""A tree as benchmarks have it: begun with plain git, and worked in by a driver without limits."""

import os
import subprocess
from pathlib import Path

from autosyncd.model import RepoConfig
from autosyncd.vcs.git.driver import GitDriver
from autosyncd.vcs.outcomes import Ready
from tests.trees import MACHINE, Record


def begin_tree(tree: Path) -> None:
    """An empty repository on main, with an author, in which git packs nothing by itself."""
    subprocess.run(["git", "init", "-q", "-b", "main", tree], check=True)
    for setting in ("user.name=Alice", "user.email=a@example.org", "gc.auto=0"):
        subprocess.run(["git", "config", *setting.split("=")], cwd=tree, check=True)


def new_driver(tree: Path, host: str = "bench") -> GitDriver:
    """A driver that has not looked at its tree yet."""
    return GitDriver(
        RepoConfig(path=os.path.realpath(tree), name="notes"),
        guard=lambda _: None,
        compose=lambda *_: "edit",
        watcher=Record(),
        host=host,
        machine=MACHINE,
        environment=dict(os.environ),
    )


def driver_of(tree: Path) -> GitDriver:
    """A driver that is ready to work."""
    driver = new_driver(tree)
    assert isinstance(driver.inspect(), Ready)
    return driver
