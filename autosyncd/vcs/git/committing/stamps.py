"""What a long-lived git child reads once: configuration, attributes, ignore rules.

Each of these files has a stamp (stat(2)); a child whose files have other stamps now answers by rules
that no longer hold, and has to go. Files that do not exist yet have a stamp as well.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autosyncd.vcs.git.repository import Repository

Stamp = tuple[int, int, int, int] | None
RULES = (b".gitattributes", b".gitignore")
NOT_PLAIN = (
    "commit.gpgsign",
    "core.ignorecase",
    "core.precomposeunicode",
    "core.protecthfs",
    "core.sparsecheckout",
)
TRUE = {"", "true", "yes", "on", "1"}


def stamp(path: bytes) -> Stamp:
    """Inode, size, time of content and time of change; None where there is nothing."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@dataclass(frozen=True, slots=True)
class Settings:
    """The configuration as it was read, and the stamps of all files that it may come from."""

    values: Mapping[str, str]
    stamps: Mapping[bytes, Stamp]

    @property
    def still_hold(self) -> bool:
        """Whether nobody has changed one of them."""
        return all(stamp(path) == known for path, known in self.stamps.items())

    def is_on(self, name: str) -> bool:
        """Whether a setting (in small letters) is there, and true as git reads it."""
        return name in self.values and self.values[name].lower() in TRUE

    @property
    def are_plain(self) -> bool:
        """Whether nothing is set that changes what a commit or a tree is made of in ways that only
        the general path has been shown to follow."""
        if any(map(self.is_on, NOT_PLAIN)) or "i18n.commitencoding" in self.values:
            return False
        return "core.symlinks" not in self.values or self.is_on("core.symlinks")

    @property
    def filters(self) -> set[bytes]:
        """The names of filters that change a file on its way in, but for that of git-lfs."""
        ends = (".clean", ".process")
        keys = (key for key in self.values if key.startswith("filter.") and key.endswith(ends))
        names = {os.fsencode(key.removeprefix("filter.").rpartition(".")[0]) for key in keys}
        return names - {b"lfs"}

    @property
    def two_way_filters(self) -> frozenset[str]:
        """The names of filters that change a file both ways."""
        names = {
            key.split(".", 1)[1].rpartition(".")[0]
            for key in self.values
            if key.startswith("filter.")
        }
        return frozenset(name for name in names if not self.missing_ways(name) and "=" not in name)

    def missing_ways(self, name: str) -> list[str]:
        """Which of `clean` and `smudge` a filter has no command for."""
        if self.values.get(f"filter.{name}.process"):
            return []
        return [way for way in ("clean", "smudge") if not self.values.get(f"filter.{name}.{way}")]

    def is_optional(self, name: str) -> bool | None:
        """Whether the person lets a filter fail; None: they don't say."""
        setting = f"filter.{name}.required"
        return not self.is_on(setting) if setting in self.values else None

    @property
    def has_filters_out(self) -> bool:
        """Whether there is a filter that changes a file on its way out."""
        ends = (".smudge", ".process")
        return any(key.startswith("filter.") and key.endswith(ends) for key in self.values)

    @property
    def may_convert(self) -> bool:
        """Whether line ends may be converted where no .gitattributes says so."""
        automatic = self.values.get("core.autocrlf", "false").lower()
        elsewhere = (b"/attributes", b"/gitattributes")
        return (
            automatic not in {"false", "no", "off", "0"}
            or "core.attributesfile" in self.values
            or any(found and path.endswith(elsewhere) for path, found in self.stamps.items())
        )


def read_settings(repository: Repository) -> Settings:
    """The configuration, with the stamps of all files that a child reads once."""
    return _read(repository, [*configuration_files(repository), *_files_of_rules(repository)])


def read_configuration(repository: Repository) -> Settings:
    """The configuration, with the stamps of its own files."""
    return _read(repository, configuration_files(repository))


def _read(repository: Repository, files: Iterable[bytes]) -> Settings:
    """Ask git for its configuration, and note the stamps first: what changes meanwhile is seen."""
    known = {path: stamp(path) for path in files}
    listed = repository.git("config", "--list", "--show-origin", "-z").records
    values: dict[str, str] = {}
    for origin, setting in zip(listed[::2], listed[1::2], strict=False):
        name, _, value = os.fsdecode(setting).partition("\n")
        kind, _, file = origin.partition(b":")
        if kind == b"command line":
            continue  # set by us (command.py), which must not pass for the person's
        values[name] = value
        if kind == b"file":
            file = os.path.join(repository.root, file)
            known.setdefault(file, stamp(file))
            if name == "include.path" or name.startswith("includeif."):
                included = os.path.join(os.path.dirname(file), os.path.expanduser(value).encode())
                known.setdefault(included, stamp(included))
        if name == "core.attributesfile":
            known.setdefault(_expanded(repository, value), stamp(_expanded(repository, value)))
    return Settings(values, known)


def _expanded(repository: Repository, value: str) -> bytes:
    return os.path.join(repository.root, os.fsencode(os.path.expanduser(value)))


def configuration_files(repository: Repository) -> list[bytes]:
    """Where git looks for its configuration in any case (git-config(1))."""
    home, personal = _homes(repository)
    ours = [repository.common_dir + b"/config", repository.git_dir + b"/config.worktree"]
    return [b"/etc/gitconfig", home + b"/.gitconfig", personal + b"/config", *ours]


def _files_of_rules(repository: Repository) -> list[bytes]:
    """Where it looks for attributes and for what is ignored (gitattributes(5), gitignore(5))."""
    _, personal = _homes(repository)
    common = repository.common_dir
    files = [b"/etc/gitattributes", personal + b"/attributes"]
    files += [common + b"/info/" + name for name in (b"attributes", b"exclude", b"grafts")]
    return [*files, repository.git.excludes or b"/nonexistent"]


def _homes(repository: Repository) -> tuple[bytes, bytes]:
    """The person's home, and the folder of git's files below their configuration."""
    home = os.fsencode(repository.git.variable("HOME") or "/nonexistent")
    base = repository.git.variable("XDG_CONFIG_HOME")
    return home, (os.fsencode(base) if base else home + b"/.config") + b"/git"


@dataclass(slots=True)
class Rules:
    """The rule files in folders of the work tree, as they were when a child may have read them."""

    root: bytes
    _known: dict[bytes, Stamp] = field(default_factory=dict)

    def still_hold(self, folders: Iterable[bytes]) -> bool:
        """Whether what was known of these folders is so still; they are known from now on."""
        same = True
        for folder in folders:
            for name in RULES:
                path = os.path.join(self.root, folder, name)
                now = stamp(path)
                same = self._known.setdefault(path, now) == now and same
        return same

    def exist(self, folder: bytes, name: bytes) -> bool:
        """Whether a folder that still_hold() was asked about has such a file."""
        return self._known.get(os.path.join(self.root, folder, name)) is not None

    def forget(self) -> None:
        """New children will read them anew."""
        self._known.clear()
