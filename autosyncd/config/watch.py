"""Notice that a configuration file may have changed, by inotify(7).

Watched is each folder on the way to a file, through symbolic links, for the one name that matters in
it; and each folder of drop-ins for every name that is read there. So a file, a folder or a link may
vanish, come back, be replaced or be made for the first time.

A folder that is only on the way (/etc, ~/.config) is watched for names that come and go, not for what
strangers write there. The kernel can't be told a name; any other is dropped here, unread.
"""

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from inotify_simple import INotify, flags  # type: ignore[import-untyped]

from autosyncd.config.places import hops, is_drop_in, places
from autosyncd.errors import WatchLimit

_ON_THE_WAY = int(
    flags.CREATE
    | flags.DELETE
    | flags.MOVED_FROM
    | flags.MOVED_TO
    | flags.DELETE_SELF
    | flags.MOVE_SELF
    | flags.ATTRIB
    | flags.ONLYDIR
)
_HOLDS_FILES = _ON_THE_WAY | int(flags.CLOSE_WRITE)
_GONE = int(flags.DELETE_SELF | flags.MOVE_SELF | flags.UNMOUNT | flags.IGNORED)
_ROUNDS = 10


@dataclass
class _Wanted:
    """What there is to watch; real folders."""

    names: dict[str, set[str]] = field(default_factory=dict)
    """Folders, and the names in each whose change matters."""
    files: set[str] = field(default_factory=set)
    """Those of them in which a file is read."""
    drop_ins: set[str] = field(default_factory=set)
    """Folders of drop-ins."""

    def way_to(self, path: str) -> tuple[str, str]:
        """Watch the way to this path; the folder and the name that it ends at."""
        here, name = "/", ""
        for here, name in hops(path):
            self.names.setdefault(here, set()).add(name)
        return here, name


class ConfigWatch:
    """Make it before the first load(), so that no change falls between the two."""

    def __init__(
        self, main_file: str | None, environment: Mapping[str, str], etc: str = "/etc"
    ) -> None:
        """Raises WatchLimit if the kernel allows no more watches or instances."""
        self._places = places(main_file, environment, etc)
        self._names: dict[int, frozenset[str]] = {}
        """Watch descriptor to the names that matter in that folder."""
        self._drop_ins: set[int] = set()
        """Watch descriptors of folders where every drop-in matters."""
        try:
            self._inotify = INotify()
        except OSError as error:
            raise _limit(error) from error
        try:
            self._arm()
        except WatchLimit:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when changed() has something to read."""
        return int(self._inotify.fileno())

    def changed(self) -> bool:
        """Read the events without blocking; True if a configuration file may have changed.

        Raises WatchLimit if what appeared can't be watched for want of watches.
        """
        events = list(self._inotify.read(timeout=0))
        if not any(self._matters(event.wd, event.mask, event.name) for event in events):
            return False
        self._arm()
        return True

    def close(self) -> None:
        """Give the descriptor back; a second time does nothing."""
        self._inotify.close()

    def _matters(self, watch: int, mask: int, name: str) -> bool:
        if mask & flags.Q_OVERFLOW:
            return True
        if watch not in self._names:  # the farewell of a watch that was taken off
            return False
        if mask & _GONE:
            return True
        return name in self._names[watch] or (watch in self._drop_ins and is_drop_in(name))

    def _arm(self) -> None:
        """Watch what matters now. Once more if that changed meanwhile; what comes later is an event."""
        wanted = self._wanted()
        for _ in range(_ROUNDS):
            self._watch(wanted)
            again = self._wanted()
            if again == wanted:
                return
            wanted = again

    def _wanted(self) -> _Wanted:
        wanted = _Wanted()
        files = list(self._places.main)
        for folder in self._places.folders:
            wanted.way_to(folder)
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            wanted.drop_ins.add(os.path.realpath(folder))
            files += [os.path.join(folder, name) for name in names if is_drop_in(name)]
        for file in files:
            here, name = wanted.way_to(file)
            there = os.path.join(here, name)
            if name == os.path.basename(file) or os.path.lexists(there):
                wanted.files.add(here)
        return wanted

    def _watch(self, wanted: _Wanted) -> None:
        names: dict[int, frozenset[str]] = {}
        drop_ins = set()
        holders = wanted.drop_ins | wanted.files
        # holders last: one folder may be reached by two paths, and the last mask holds
        for folder in sorted(wanted.names.keys() | holders, key=lambda one: one in holders):
            watch = self._add(folder, _HOLDS_FILES if folder in holders else _ON_THE_WAY)
            if watch is not None:
                inside = wanted.names.get(folder, set())
                names[watch] = names.get(watch, frozenset()) | inside
                if folder in wanted.drop_ins:
                    drop_ins.add(watch)
        for watch in self._names.keys() - names.keys():
            self._remove(watch)
        self._names, self._drop_ins = names, drop_ins

    def _add(self, folder: str, mask: int) -> int | None:
        """None where the folder is gone again or may not be read: its own parent tells then."""
        try:
            return int(self._inotify.add_watch(folder, mask))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                raise _limit(error) from error
            return None

    def _remove(self, watch: int) -> None:
        try:
            self._inotify.rm_watch(watch)
        except OSError as error:
            if error.errno != errno.EINVAL:  # EINVAL: its folder is gone, the watch with it
                raise


def _limit(error: OSError) -> WatchLimit:
    what = "max_user_watches" if error.errno == errno.ENOSPC else "max_user_instances"
    return WatchLimit(
        f"The configuration can't be watched for edits ({error.strerror}); raise "
        f"fs.inotify.{what} with sysctl, and meanwhile reload by hand after an edit."
    )
