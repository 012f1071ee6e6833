"""Files whose names mean something else to git as well: HEAD, a branch, the id of a commit."""

from autosyncd.model import Safety
from autosyncd.vcs.outcomes import Synced
from tests.trees import Clone, World


def synced(clone: Clone) -> Synced:
    outcome = clone.sync()
    assert isinstance(outcome, Synced), outcome
    return outcome


def confusing(clone: Clone) -> list[str]:
    revisions = clone.git("rev-list", "--objects", "--no-object-names", "HEAD", "--").split()
    return ["HEAD", "FETCH_HEAD", "main", "origin", "@", "refs", *revisions]


def test_they_are_committed_edited_merged_and_deleted(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "a\n"})
    for clone in (laptop, desktop):
        clone.reopen(safety=Safety(min_files=1000))
    for name in confusing(laptop):
        laptop.edit(name, f"{name}\n")
    laptop.committed()
    synced(laptop)
    synced(desktop)
    names = confusing(laptop)
    for number, clone in enumerate((laptop, desktop)):
        for name in names:
            clone.edit(name, f"{name} by {number}\n")  # a conflict each
        clone.reopen()
        clone.commit("HEAD")
        clone.committed(*names[1:])
    for clone in (laptop, desktop, laptop):
        synced(clone)
    assert laptop.files() == desktop.files()
    assert len(laptop.files()) > 2 * len(names)
    for name in ("HEAD", "main"):
        (laptop.root / name).unlink()
        laptop.committed(name)
    synced(laptop)
    synced(desktop)
    assert not (desktop.root / "HEAD").exists()
    assert laptop.files() == desktop.files()
