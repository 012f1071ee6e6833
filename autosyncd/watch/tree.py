"""Pure: which folder is behind a watch descriptor.

A renamed folder keeps its descriptor (inotify(7)), and so does everything below it. Therefore each
node knows only its own name and its parent: a rename changes one node, whatever lies below, and a
path is put together by walking up. Paths are bytes relative to the root; b"" is the root.

A node can be *detached*: its folder left the place where it was and the other half of the rename
has not been seen yet. It keeps what is below it and has no path until it is moved to a new place.
"""

from collections.abc import Iterator


class _Node:
    """One watched folder. `children` stays None for a leaf: most folders are leaves."""

    __slots__ = ("children", "name", "parent", "wd")

    def __init__(self, wd: int, name: bytes, parent: "_Node | None") -> None:
        self.wd = wd
        self.name = name
        self.parent = parent
        self.children: dict[bytes, _Node] | None = None


class WatchTree:
    """The map between watch descriptors and folders.

    Methods raise KeyError for a descriptor that isn't in the map, unless they say otherwise.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self._nodes = {root: _Node(root, b"", None)}

    def __getstate__(self) -> object:
        """For pickle: flat, so that a deep tree needs no deep stack."""
        nodes = self._nodes.values()
        rows = [(node.wd, node.parent.wd if node.parent else None, node.name) for node in nodes]
        return self.root, rows

    def __setstate__(self, known: tuple[int, list[tuple[int, int | None, bytes]]]) -> None:
        self.root, rows = known
        self._nodes = {wd: _Node(wd, name, None) for wd, _, name in rows}
        for wd, parent, _ in rows:
            if parent is not None:
                self._attach(self._nodes[wd], self._nodes[parent])

    def __len__(self) -> int:
        return len(self._nodes)

    def __contains__(self, wd: int) -> bool:
        return wd in self._nodes

    def __iter__(self) -> Iterator[int]:
        return iter(self._nodes)

    def path(self, wd: int) -> bytes | None:
        """Where the folder is; None when it isn't in the map, or it or a folder above is detached."""
        node = self._nodes.get(wd)
        if node is None:
            return None
        names = []
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        names.reverse()
        return b"/".join(names) if node.wd == self.root else None

    def below(self, wd: int, name: bytes) -> bytes | None:
        """The path of an entry of the folder; None like path()."""
        path = self.path(wd)
        return path + b"/" + name if path else name if path is not None else None

    def find(self, path: bytes) -> int | None:
        """The descriptor of the folder at this path, if it is watched."""
        node = self._nodes[self.root]
        for name in path.split(b"/") if path else ():
            child = node.children.get(name) if node.children else None
            if child is None:
                return None
            node = child
        return node.wd

    def child(self, parent: int, name: bytes) -> int | None:
        """The descriptor of the folder of this name directly below `parent`, if it is watched."""
        children = self._nodes[parent].children
        node = children.get(name) if children else None
        return node.wd if node else None

    def names(self, parent: int) -> list[bytes]:
        """The names of all watched folders directly below `parent`."""
        return list(self._nodes[parent].children or ())

    def place(self, wd: int) -> tuple[int, bytes] | None:
        """The parent's descriptor and the name; None for the root and for a detached folder."""
        node = self._nodes[wd]
        return (node.parent.wd, node.name) if node.parent else None

    def under(self, wd: int, top: int) -> bool:
        """Whether `wd` is `top` or lies below it."""
        node: _Node | None = self._nodes[wd]
        while node is not None and node.wd != top:
            node = node.parent
        return node is not None

    def add(self, parent: int, name: bytes, wd: int) -> None:
        """A folder is watched from now on. ValueError: the descriptor or the place is taken."""
        if wd in self._nodes:
            raise ValueError(f"descriptor {wd} is in the map already")
        node = _Node(wd, name, None)
        self._attach(node, self._nodes[parent])
        self._nodes[wd] = node

    def move(self, wd: int, parent: int, name: bytes) -> None:
        """The folder, with all below it, is at a new place; a detached one is attached again.

        ValueError: the root can't move, the place is taken, or lies inside the folder itself.
        """
        if wd == self.root or self.under(parent, wd):
            raise ValueError(f"descriptor {wd} can't be moved below {parent}")
        if self.place(wd) == (parent, name):
            return
        node = self._nodes[wd]
        before = node.parent
        old_name = node.name
        node.name = name
        try:
            self._attach(node, self._nodes[parent])
        except ValueError:
            node.name = old_name
            raise
        if before is not None:
            self._unlink(before, old_name)

    def detach(self, wd: int) -> None:
        """The folder left its place; nobody knows yet where to. ValueError: it is the root."""
        if wd == self.root:
            raise ValueError("the root can't be detached")
        node = self._nodes[wd]
        if node.parent is not None:
            self._unlink(node.parent, node.name)
            node.parent = None

    def lose(self, wd: int) -> list[int]:
        """The descriptor alone is gone; the folders directly below it are detached and returned."""
        self.detach(wd)
        node = self._nodes.pop(wd)
        orphans = list(node.children.values()) if node.children else []
        for orphan in orphans:
            orphan.parent = None
        return [orphan.wd for orphan in orphans]

    def drop(self, wd: int) -> list[int]:
        """Forget the folder and all below it; returns every descriptor that was forgotten."""
        self.detach(wd)
        dropped = []
        stack = [self._nodes[wd]]
        while stack:
            node = stack.pop()
            del self._nodes[node.wd]
            dropped.append(node.wd)
            if node.children:
                stack.extend(node.children.values())
        return dropped

    @staticmethod
    def _attach(node: _Node, parent: _Node) -> None:
        if parent.children is None:
            parent.children = {}
        if node.name in parent.children:
            raise ValueError(f"there is another folder named {node.name!r}")
        parent.children[node.name] = node
        node.parent = parent

    @staticmethod
    def _unlink(parent: _Node, name: bytes) -> None:
        children = parent.children
        if children is not None:
            del children[name]
            if not children:
                parent.children = None
