"""Two people on one machine, and a machine that boots again while nobody logs in."""

from collections.abc import Iterator

import pytest

from tests.booted import Service, installed
from tests.testbed import Box
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]
ADMINISTRATORS = """repositories:
  - path: ~/notes
    commit_after: 500ms
    push_after: 500ms
"""


@pytest.fixture
def box() -> Iterator[Box]:
    with installed() as box:
        box.run("sh", "-ec", "cat >/etc/autosync.d/notes.yaml", input=ADMINISTRATORS, user="root")
        yield box


def as_root(box: Box, script: str) -> str:
    """What a script prints that opens nobody's session."""
    return box.shell(script, user="root", check=False)


def subjects(box: Box, person: str) -> str:
    return as_root(box, f"git -c safe.directory='*' -C /home/{person}/notes log --format='%an: %s'")


def test_each_of_two_people_has_their_own_notes(box: Box) -> None:
    box.shell("useradd -m -s /bin/bash bob; loginctl enable-linger bob", user="root")
    for person in ("alice", "bob"):
        identity = f"user.name {person}; git config --global user.email {person}@example.org"
        box.shell(f"git config --global {identity}; git init -qb main notes", user=person)
        box.shell("systemctl --user enable --now autosyncd", user=person)
    for person in ("alice", "bob"):
        box.shell(f"echo of {person} >notes/{person}.md", user=person)
    for person in ("alice", "bob"):
        wanted = f"{person}: notes: add {person}.md"
        eventually(lambda who=person, text=wanted: text in subjects(box, who), 20, every=0.2)
    assert subjects(box, "alice").count("\n") == subjects(box, "bob").count("\n") == 0
    assert "bob" not in Service(box).journal()
    box.shell("systemctl --user stop autosyncd", user="bob")
    assert Service(box).show("ActiveState") == "active"


def test_after_a_boot_it_works_though_nobody_logs_in(box: Box) -> None:
    service = Service(box)
    box.shell("git init -qb main notes")
    service.start()
    box.shell("echo milk >notes/todo.md")
    eventually(lambda: "todo.md" in service.subjects("notes"), 20, every=0.2)
    box.shell("echo in flight >notes/late.md")
    box.reboot()
    eventually(lambda: "late.md" in subjects(box, "alice"), 30, every=0.2)
    as_root(box, "echo tea >/home/alice/notes/tea.md; chown alice: /home/alice/notes/tea.md")
    eventually(lambda: "tea.md" in subjects(box, "alice"), 20, every=0.2)
    assert service.show("NRestarts") == "0"
