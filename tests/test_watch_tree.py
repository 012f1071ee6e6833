"""The map from watch descriptors to folders, against a model that keeps whole paths."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autosyncd.watch.tree import WatchTree

ROOT = 1
NAMES = st.sampled_from([b"a", b"b", b"\xff", b"new\nline"])


def below(path: bytes, top: bytes) -> bool:
    return path == top or path.startswith(top + b"/") or not top


class AgainstPaths(RuleBasedStateMachine):
    """The model: a dict of descriptor to path; detached folders have a path that begins with `?`."""

    def __init__(self) -> None:
        super().__init__()
        self.tree = WatchTree(ROOT)
        self.paths: dict[int, bytes] = {ROOT: b""}
        self.next = ROOT + 1

    def pick(self, data: st.DataObject, *, root: bool) -> int:
        return data.draw(st.sampled_from([wd for wd in self.paths if root or wd != ROOT]))

    def at(self, parent: int, name: bytes) -> bytes:
        return self.paths[parent] + b"/" + name if self.paths[parent] else name

    def shift(self, old: bytes, new: bytes) -> None:
        for wd, path in self.paths.items():
            if wd != ROOT and below(path, old):
                self.paths[wd] = new + path[len(old) :]

    @rule(data=st.data(), name=NAMES)
    def add(self, data: st.DataObject, name: bytes) -> None:
        parent = self.pick(data, root=True)
        path = self.at(parent, name)
        if path in self.paths.values():
            with pytest.raises(ValueError, match="another folder"):
                self.tree.add(parent, name, self.next)
        else:
            self.tree.add(parent, name, self.next)
            self.paths[self.next] = path
            self.next += 1

    @precondition(lambda self: len(self.paths) > 1)
    @rule(data=st.data(), name=NAMES)
    def move(self, data: st.DataObject, name: bytes) -> None:
        wd, parent = self.pick(data, root=False), self.pick(data, root=True)
        old, new = self.paths[wd], self.at(parent, name)
        inside = below(self.paths[parent], old)
        assert self.tree.under(parent, wd) == inside
        if inside or (new != old and new in self.paths.values()):
            with pytest.raises(ValueError, match=r"can't be moved|another folder"):
                self.tree.move(wd, parent, name)
        else:
            self.tree.move(wd, parent, name)
            self.shift(old, new)

    @precondition(lambda self: len(self.paths) > 1)
    @rule(data=st.data())
    def detach(self, data: st.DataObject) -> None:
        wd = self.pick(data, root=False)
        self.tree.detach(wd)
        self.shift(self.paths[wd], b"?%d" % wd)

    @precondition(lambda self: len(self.paths) > 1)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        wd = self.pick(data, root=False)
        expected = {w for w, path in self.paths.items() if below(path, self.paths[wd])}
        dropped = self.tree.drop(wd)
        assert sorted(dropped) == sorted(expected)
        for each in expected:
            del self.paths[each]

    @precondition(lambda self: len(self.paths) > 1)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        wd = self.pick(data, root=False)
        path = self.paths.pop(wd)
        prefix = path + b"/"
        children = [
            w
            for w, p in self.paths.items()
            if p.startswith(prefix) and b"/" not in p[len(prefix) :]
        ]
        assert sorted(self.tree.lose(wd)) == sorted(children)
        for child in children:
            self.shift(self.paths[child], b"?%d" % child)

    @invariant()
    def same(self) -> None:
        assert set(self.tree) == set(self.paths)
        assert len(self.tree) == len(self.paths)
        for wd, path in self.paths.items():
            attached = not path.startswith(b"?")
            assert self.tree.path(wd) == (path if attached else None)
            if attached:
                assert self.tree.find(path) == wd
            place = self.tree.place(wd)
            if place is not None:
                assert self.at(*place) == path
                assert self.tree.child(*place) == wd


AgainstPaths.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAgainstPaths = AgainstPaths.TestCase


def test_a_rename_changes_every_path_below() -> None:
    tree = WatchTree(ROOT)
    tree.add(ROOT, b"old", 2)
    tree.add(2, b"deep", 3)
    tree.move(2, ROOT, b"new")
    assert tree.path(3) == b"new/deep"
    assert tree.find(b"old/deep") is None


def test_what_is_not_there() -> None:
    tree = WatchTree(ROOT)
    assert tree.path(7) is None
    assert tree.find(b"a/b") is None
    assert tree.child(ROOT, b"a") is None
    assert tree.place(ROOT) is None


def test_the_root_stays() -> None:
    tree = WatchTree(ROOT)
    tree.add(ROOT, b"a", 2)
    for forbidden in (lambda: tree.move(ROOT, 2, b"x"), lambda: tree.drop(ROOT)):
        with pytest.raises(ValueError, match=r"root|moved"):
            forbidden()
    assert tree.path(2) == b"a"
