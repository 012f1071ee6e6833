"""Pure: folders of one tree that carry no watch, by path."""

from collections.abc import Collection


class NotEntered:
    """What was learnt of paths; it holds as long as the folders above them stay where they are."""

    def __init__(self, ignored: Collection[bytes]) -> None:
        self.ignored = set(ignored)
        """Folders that are not entered; never more than exist or the caller has named."""
        self.nested: set[bytes] = set()
        """Folders that are repositories of their own."""

    def __contains__(self, path: bytes) -> bool:
        return path in self.ignored or path in self.nested

    def forget_below(self, top: bytes | None) -> None:
        """What was known of paths below a folder is no longer true, or of no use. None: it has none."""
        if top is None:
            return
        prefix = top + b"/"
        for marks in (self.ignored, self.nested):
            marks.difference_update([path for path in marks if path.startswith(prefix)])
