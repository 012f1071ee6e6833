"""Pure: what a reload means for the workers."""

from collections.abc import Iterable
from dataclasses import dataclass

from autosyncd.config.settings import Configuration
from autosyncd.model import RepoConfig


@dataclass(frozen=True, slots=True)
class Changes:
    """Which workers end, which begin: each only when those with its path or name have ended."""

    added: tuple[RepoConfig, ...] = ()
    removed: tuple[RepoConfig, ...] = ()
    changed: tuple[tuple[RepoConfig, RepoConfig], ...] = ()
    """Old and new: the same path, or else the same name at another path."""
    outside: bool = False
    """The messenger's part is another."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed or self.outside)


def diff(old: Configuration, new: Configuration) -> Changes:
    """What has to happen so that workers that run by `old` run by `new`."""
    by_path = {config.path: config for config in new.repositories}
    pairs = [(one, by_path.pop(one.path)) for one in old.repositories if one.path in by_path]
    gone = _without(old.repositories, (one for one, _ in pairs))
    by_name = {config.name: config for config in by_path.values()}
    moved = [(one, by_name[one.name]) for one in gone if one.name in by_name]
    return Changes(
        added=_without(by_path.values(), (new_one for _, new_one in moved)),
        removed=_without(gone, (one for one, _ in moved)),
        changed=tuple((was, now) for was, now in (*pairs, *moved) if was != now),
        outside=old.outside != new.outside,
    )


def _without(configs: Iterable[RepoConfig], others: Iterable[RepoConfig]) -> tuple[RepoConfig, ...]:
    left_out = set(others)
    return tuple(config for config in configs if config not in left_out)
