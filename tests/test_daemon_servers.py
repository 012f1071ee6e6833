"""Whole daemons against real servers: ssh, smart https, and one that falls silent and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemons import daemon, git
from tests.testbed import GitServers
from tests.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[GitServers]:
    with GitServers(tmp_path / "servers", "notes") as running:
        yield running


def clones(folder: Path, servers: GitServers, kind: str) -> tuple[Path, Path]:
    """Two work trees whose remote is this server's."""
    made = []
    for name in ("laptop-notes", "desktop-notes"):
        tree = folder / name
        git(folder, "init", "-q", "-b", "main", name)
        git(tree, "remote", "add", "origin", servers.url(kind))
        made.append(tree)
    return made[0], made[1]


@pytest.mark.parametrize("kind", ["ssh", "https"])
def test_edits_travel_over(tmp_path: Path, servers: GitServers, kind: str) -> None:
    one, other = clones(tmp_path, servers, kind)
    with daemon(tmp_path, **servers.environment) as machine:
        machine.configure({"path": str(one)}, {"path": str(other)})
        machine.start().ready("laptop-notes", "desktop-notes")
        (one / "todo.md").write_text("water the plants\n")
        eventually(lambda: (other / "todo.md").exists(), 20)
        (other / "answer.md").write_text("done\n")
        eventually(lambda: (one / "answer.md").exists(), 20)
    assert "secret" not in machine.text(), "the password of the https address"


def test_a_server_that_was_away_needs_no_new_edit(tmp_path: Path, servers: GitServers) -> None:
    one, _ = clones(tmp_path, servers, "ssh")
    with daemon(tmp_path, **servers.environment) as machine:
        machine.configure({"path": str(one)})
        machine.start().ready("laptop-notes")
        servers.kill("ssh")
        (one / "todo.md").write_text("written while the server is away\n")
        machine.says("retrying: origin can't be reached")
        servers.restart()
        listed = ("ls-tree", "--name-only", "main")
        eventually(lambda: "todo.md" in git(servers.path(), *listed, check=False), 60)
