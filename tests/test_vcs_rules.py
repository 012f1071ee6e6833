"""Rules that two machines change at once: what either makes private stays private."""

import os

import pytest

from autosyncd.vcs.git.merging import exceptions
from tests.trees import World


@pytest.mark.parametrize("renamed", [False, True], ids=["by git", "with a rename beside"])
@pytest.mark.parametrize("folder", ["", "sub/"])
def test_an_exception_that_was_taken_out_stays_out(
    world: World, folder: str, renamed: bool
) -> None:
    """The other machine adds one beside it, and union keeps what either side has."""
    rules = f"{folder}.gitignore"
    laptop, desktop = world.share({rules: "*.txt\n!notes.txt\n", "r.md": "1\n2\n3\n"})
    laptop.edit(rules, "*.txt\n")
    laptop.edit(f"{folder}notes.txt", "private by now\n")
    desktop.edit(rules, "*.txt\n!notes.txt\n!b.txt\n")
    desktop.edit(f"{folder}b.txt", "for all\n")
    if renamed:
        os.rename(desktop.path("r.md"), desktop.path("s.md"))
    for clone in (laptop, desktop):
        clone.committed()
    for clone in (laptop, desktop, laptop):
        clone.sync()
        clone.commit()
    desktop.sync()
    assert laptop.read(rules) == desktop.read(rules) == b"*.txt\n!b.txt\n"
    assert not laptop.history_has("private by now\n")
    assert laptop.history_has("for all\n")


def test_only_exceptions_of_the_base_are_kept_out() -> None:
    base = b"*.txt\n!a\n!b\nc\n"
    first, second = b"*.txt\n!b\n!new\n", b"*.txt\n!a\n!b\nc\n!newer\n"
    merged = b"*.txt\n!a\n!b\n!new\nc\n!newer\n"
    meant = b"*.txt\n!b\n!new\nc\n!newer\n"
    assert exceptions.without_taken_out(base, first, second, merged) == meant
    assert exceptions.without_taken_out(base, second, first, merged) == meant
    assert exceptions.without_taken_out(merged, merged, merged, merged) == merged
