"""Two names swapped where the file system can't do it in one step (FUSE, NFS, exFAT).

The old file is put aside, in the batch; the new one takes the name if that is still free. So the name
is free for an instant, and whoever takes it meanwhile keeps it: nothing is ever replaced. What a kill
leaves aside is given its name back by the sweep (sweep.py).
"""

from autosyncd.vcs.git.disk import (
    PLAIN,
    RENAME_NOREPLACE,
    Place,
    rename,
)
from autosyncd.vcs.git.folders import OpenFolders

ASIDE = b"aside/"
"""In the batch: `aside/N/PATH` is what had the name PATH, for an instant."""


class Stepwise:
    """The swaps of one batch."""

    def __init__(self, staged: OpenFolders) -> None:
        self._aside = staged.again()  # `source` must stay open while its other place is found
        self._number = 0
        self._proved = False

    def swap(self, path: bytes, source: Place, target: Place) -> None:
        """What is at `source`, in the batch, and at `target`, in the tree, change places.

        FileExistsError when somebody has taken the name in between: theirs stays, `source` is as it
        was, and what had the name lies aside for the sweep. Other OSErrors when nothing was done.
        """
        self._number += 1
        spot = ASIDE + b"%d/" % self._number + path
        aside = self._aside.place(spot, make=True)
        if not self._proved:
            self._prove(source, aside)
        self._put_aside(target, aside)
        try:
            rename(source, target, RENAME_NOREPLACE)
        except FileExistsError:
            raise
        except OSError:
            rename(aside, target, RENAME_NOREPLACE)
            raise
        rename(aside, source, PLAIN)

    def _prove(self, source: Place, aside: Place) -> None:
        """That a name can be taken without replacing anything: to be known before the tree is
        touched. Raises OSError where it can't."""
        rename(source, aside, RENAME_NOREPLACE)
        rename(aside, source, RENAME_NOREPLACE)
        self._proved = True

    def _put_aside(self, target: Place, aside: Place) -> None:
        """Into a folder that nobody else knows, under a name that is free there."""
        rename(target, aside, PLAIN)
