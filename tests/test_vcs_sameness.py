"""Commits of known paths on an index of those alone, beside those on the whole: never another tree.

Two copies of one tree live through the same story, drawn at random: edits, deletions, folders in place
of files, rules of git, marks in the index. One commits on excerpts, the other on the whole index.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from autosyncd.vcs.git.committing import excerpt, quick
from autosyncd.vcs.git.committing.draft import Doubtful
from autosyncd.vcs.outcomes import CommitMade, CommitOutcome, NothingToCommit
from tests.trees import Clone, make_world

NAMES = ("a", "b.txt", "x.o", "sub", "B.txt")
FOLDERS = ("", "sub/", "sub/a/", "other/")
CONTENTS = ("", "one\n", "two\n", "one\r\ntwo\r\n", "mixed\r\nlines\n", "$Id$\n", "\0binary\r\n")
RULES = {
    ".gitignore": ("*.o\n", "sub/\n", "*\n!b.txt\n!.gitignore\n", "!x.o\n", "/a\n"),
    ".gitattributes": ("* text=auto\n", "*.txt text eol=crlf\n", "*.o binary\n", "* ident\n"),
}
SETTINGS = {
    "core.autocrlf": ("true", "input", "false"),
    "core.fileMode": ("true", "false"),
    "core.symlinks": ("true", "false"),
    "core.protectNTFS": ("true", "false"),
}
paths = st.builds(str.__add__, st.sampled_from(FOLDERS), st.sampled_from(NAMES))
rules = st.one_of(
    st.tuples(
        st.just("edit"),
        st.sampled_from(FOLDERS).map(lambda folder, name=name: folder + name),  # type: ignore[misc]
        st.sampled_from(texts),
    )
    for name, texts in RULES.items()
)
git_settings = st.one_of(
    st.tuples(st.just("config"), st.just(name), st.sampled_from(values))
    for name, values in SETTINGS.items()
)
OTHER = ("delete", "executable", "link", "intend", "assume", "forget", "nest", "touch", "by hand")
steps = st.one_of(
    st.tuples(st.just("edit"), paths, st.sampled_from(CONTENTS)),
    st.tuples(st.just("edit"), paths, st.sampled_from(CONTENTS)),
    st.tuples(st.sampled_from(OTHER), paths, st.just("")),
    rules,
    git_settings,
)
Step = tuple[str, str, str]
stories = st.lists(
    st.tuples(st.lists(steps, min_size=1, max_size=4), st.frozensets(paths, max_size=2)),
    min_size=2,
    max_size=6,
)


def do(clone: Clone, step: Step) -> None:
    """One step of the story. What can't be done here is not done there either."""
    verb, name, text = step
    with contextlib.suppress(OSError):
        match verb:
            case "edit":
                clear_the_way(clone, name)
                clone.edit(name, text)
            case "link":
                clear_the_way(clone, name)
                clone.link(name, "b.txt")
            case "delete":
                clone.delete(name)
            case "executable":
                os.chmod(clone.path(name), 0o755)
            case "touch":
                os.utime(clone.path(name))
            case "intend":
                clone.git("add", "-N", "-f", "--", name, status=None)
            case "assume":
                clone.git("update-index", "--assume-unchanged", "--", name, status=None)
            case "forget":
                clone.git("update-index", "--no-assume-unchanged", "--", name, status=None)
            case "nest":
                if os.path.isdir(clone.path(name)):
                    clone.git("init", "-q", name)
            case "config":
                clone.git("config", name, text)
            case "by hand":
                clone.git("add", "--", name, status=None)
                clone.git("commit", "-qm", "by hand", status=None)


def clear_the_way(clone: Clone, name: str) -> None:
    """Whatever is a file where a folder has to be, or the reverse, gives way."""
    parts = name.split("/")
    for count in range(1, len(parts)):
        above = clone.path("/".join(parts[:count]))
        if os.path.lexists(above) and (os.path.islink(above) or not os.path.isdir(above)):
            os.unlink(above)
    here = clone.path(name)
    if os.path.islink(here):
        os.unlink(here)
    elif os.path.isdir(here):
        shutil.rmtree(here)


@contextlib.contextmanager
def without(*ways: object) -> Iterator[None]:
    def refuse(*_: object) -> None:
        raise Doubtful("Another way is looked at.")

    with contextlib.ExitStack() as stack:
        for way in ways:
            stack.enter_context(mock.patch.object(way, "draft", refuse))
        yield


def told(outcome: CommitOutcome) -> object:
    """An outcome without the ids of commits, in which the time is."""
    if isinstance(outcome, CommitMade):
        return (
            "made",
            outcome.files,
            outcome.subject.partition("(")[0],
            sorted(map(str, outcome.left_out)),
        )
    if isinstance(outcome, NothingToCommit):
        return "nothing", sorted(map(str, outcome.left_out))
    return outcome


def holds(clone: Clone) -> tuple[str, str, str]:
    """Its tree, its index with all marks, and what its person sees."""
    return clone.tree(), clone.git("ls-files", "-s", "-v"), clone.git("status", "--porcelain")


@pytest.mark.parametrize("other", [(quick,), ()], ids=["excerpt", "quick"])
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=stories)
def test_whatever_happens_each_way_comes_to_the_same(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    other: tuple[object, ...],
    story: list[tuple[list[Step], frozenset[str]]],
) -> None:
    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    with monkeypatch.context() as environment:
        world = make_world(folder, environment)
        first = world.clone("first")
        for name in ("b.txt", "sub/b.txt", "sub/a/x.o", "other/a"):
            first.edit(name, f"{name}\n")
        first.committed()
        first.sync()
        second = world.clone("second")
        try:
            for happened, more in story:
                live(first, second, happened, more, other)
        finally:
            first.driver.close()
            second.driver.close()
            shutil.rmtree(folder)


def live(
    first: Clone,
    second: Clone,
    happened: list[Step],
    more: frozenset[str],
    other: tuple[object, ...],
) -> None:
    """A burst of steps in both, and then their commits: of some paths of the burst, and of others."""
    for step in happened:
        do(first, step)
        do(second, step)
    named = sorted({name for verb, name, _ in happened if verb != "config"} | more)
    if not named:
        return
    with without(*other):
        by_paths = first.commit(*named)
    with without(quick, excerpt):
        by_whole = second.commit(*named)
    note(f"{happened} {named}: {by_paths}")
    assert told(by_paths) == told(by_whole)
    assert holds(first) == holds(second)
