"""Write and remove the drop-in files of `autosyncctl add`; what a person wrote is never touched."""

import os
import tempfile
from collections.abc import Mapping

import yaml

from autosyncd.config import schema
from autosyncd.config.parse import parse
from autosyncd.errors import ConfigError

HEADER = "# written by autosyncctl add\n"


def entry_yaml(entry: Mapping[str, object]) -> str:
    """The text of a drop-in with this one repository.

    Keys and values are those of autosync.yaml(5) (`"commit_after": "5s"`), but `path` is the real
    path as it is: a dollar sign in it is escaped here. Raises ConfigError if it would not be read.
    """
    path = str(entry.get("path", ""))
    if any("\ud800" <= character <= "\udfff" for character in path):
        text = f"{path!a} is not UTF-8, which the configuration can't hold"
        raise ConfigError(f"{text}; rename it, or add a symbolic link to it instead.")
    written = dict(entry) | {"path": path.replace("$", "$$")}
    plain = path.isprintable()  # else in escapes: YAML folds some kinds of line end into a blank
    entries = {"repositories": [written]}
    body = yaml.safe_dump(entries, sort_keys=False, allow_unicode=plain, width=1000)
    problems = parse(body.encode(), "the new entry", schema.DROP_IN).problems
    if problems:
        raise ConfigError("\n".join(str(problem) for problem in problems))
    return HEADER + body


def drop_in_path(folder: str, name: str) -> str:
    """The file of the repository `name`; each name has its own, and none is hidden."""
    quoted = name.replace("%", "%25").replace("/", "%2F")
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    return os.path.join(folder, f"{quoted}.yaml")


def write_drop_in(folder: str, name: str, entry: Mapping[str, object]) -> str:
    """Write the entry into its own file, at once as a whole, mode 0600; the path of the file.

    Raises ConfigError if there is a file of that name that a person wrote, or if the entry would
    not be read; OSError if the folder can't be written.
    """
    text = entry_yaml(entry)
    path = drop_in_path(folder, name)
    os.makedirs(folder, mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".new", dir=folder)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(descriptor)
        _reserve(path)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)
    return path


def remove_drop_in(folder: str, name: str) -> str:
    """Remove the file that write_drop_in() made for `name`; its path.

    Raises ConfigError if there is none, or if a person wrote it.
    """
    path = drop_in_path(folder, name)
    if not os.path.lexists(path):
        raise ConfigError(f"{path}: there is no such file; see which file names the repository.")
    if not _is_ours(path):
        raise ConfigError(f"{path}: was written by hand; take the repository out of it by hand.")
    os.unlink(path)
    _sync_folder(folder)
    return path


def _reserve(path: str) -> None:
    """Make sure that what a rename to `path` replaces is nobody else's."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not _is_ours(path):
            text = (
                "exists and was written by hand; nothing was changed, add the entry there by hand"
            )
            raise ConfigError(f"{path}: {text}.") from None


def _is_ours(path: str) -> bool:
    """Whether the file begins with our line; empty is what a power cut left of a reservation."""
    if os.path.islink(path) or not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        begin = file.read(len(HEADER.encode()))
    return begin in (HEADER.encode(), b"")


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
