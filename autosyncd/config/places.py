"""Where the configuration lies, and what its paths mean on this machine.

Folders follow the XDG Base Directory Specification. A path is taken apart link by link, so that
each name is known whose change would make the path mean something else.
"""

import os
import pwd
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from autosyncd.config.choice import inside
from autosyncd.config.given import ConfigProblem, Given
from autosyncd.config.values import Mistake, shown
from autosyncd.errors import ConfigError

_VARIABLE = re.compile(r"\$(?:(\$)|(\w+)|\{(\w+)\})", re.ASCII)
_LINKS_LIMIT = 40
"""As the kernel's own (path_resolution(7))."""
_FIRST_PERSON = 1000
_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Places:
    """The files and folders that are looked at, whether they exist or not."""

    main: tuple[str, ...]
    """The first that exists is the main file."""
    folders: tuple[str, ...]
    """Of drop-ins, in reading order."""
    named: bool
    """The main file was named with --config."""
    system: str
    """The folder of drop-ins that are for every user of the machine."""


def places(main_file: str | None, environment: Mapping[str, str], etc: str = "/etc") -> Places:
    """What design and autosync.yaml(5) say, for this user; `etc` is another folder in tests."""
    own = os.path.join(config_home(environment), "autosync")
    if main_file is not None:
        main: tuple[str, ...] = (os.path.abspath(main_file),)
    else:
        main = (f"{own}/autosync.yaml", f"{etc}/autosync/autosync.yaml")
    system = f"{etc}/autosync.d"
    return Places(main, (system, f"{own}/autosync.d"), main_file is not None, system)


def config_home(environment: Mapping[str, str]) -> str:
    """$XDG_CONFIG_HOME if it is an absolute path, else ~/.config, as the specification says."""
    given = environment.get("XDG_CONFIG_HOME", "")
    return given.rstrip("/") if os.path.isabs(given) else os.path.join(home(environment), ".config")


def state_home(environment: Mapping[str, str]) -> str:
    """$XDG_STATE_HOME if it is an absolute path, else ~/.local/state."""
    given = environment.get("XDG_STATE_HOME", "")
    return given if os.path.isabs(given) else os.path.join(home(environment), ".local/state")


def home(environment: Mapping[str, str]) -> str:
    """The home of the user that runs the service. ConfigError where nobody knows it."""
    given = environment.get("HOME", "")
    if os.path.isabs(given):
        return given
    try:
        return pwd.getpwuid(os.geteuid()).pw_dir
    except KeyError:
        text = "No home folder is known: $HOME is not set, and the system doesn't know user"
        raise ConfigError(f"{text} {os.geteuid()}; set HOME=.") from None


def is_drop_in(name: str) -> bool:
    """Whether a file of this name is read from a folder of drop-ins (editors' files are not)."""
    return name.endswith(".yaml") and not name.startswith(".")


def expand(text: str, environment: Mapping[str, str]) -> str | Mistake:
    """A path of the configuration with ~, ~user, $VAR and ${VAR} replaced; $$ is a dollar sign."""
    head, slash, rest = text.partition("/")
    if head.startswith("~"):
        start = home(environment) if head == "~" else _home_of(head[1:])
        if isinstance(start, Mistake):
            return start
        text = slash + rest
    else:
        start = ""
    for match in _VARIABLE.finditer(text):
        name = match[2] or match[3]
        if name and not environment.get(name):
            hint = "set it for the service, or write $$ for a dollar sign"
            return Mistake(f"${name} is not set in the environment of the service; {hint}")
    path = start + _VARIABLE.sub(
        lambda match: "$" if match[1] else environment[match[2] or match[3]], text
    )
    return (
        path if os.path.isabs(path) else Mistake(f"{shown(path)} is relative; begin with / or ~/")
    )


def expand_given(
    file: str,
    given: Given,
    key: str,
    environment: Mapping[str, str],
    *,
    upwards: bool = True,
    secret: bool = False,
) -> str | ConfigProblem | None:
    """The absolute path under `key`, None where the key is not given.

    `upwards`: `..` may be in it; where that leads can't be told without a look at the disk.
    `secret`: a problem does not show it, since it may be a password in the wrong place.
    """
    if key not in given.values:
        return None
    path = expand(given.values[key], environment)
    if not upwards and isinstance(path, str) and ".." in path.split("/"):
        path = Mistake(f"{shown(path)} goes up with `..`; write the folder that it leads to")
    if not isinstance(path, Mistake):
        return path
    text = "is no path that can be used here; begin with / or ~/" if secret else path.text
    return ConfigProblem(file, given.lines[key], f"{given.label(key)}: {text}")


def as_written(path: str) -> str:
    """An absolute path without empty parts, `.` and a trailing slash. No disk is looked at."""
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _home_of(user: str) -> str | Mistake:
    try:
        return pwd.getpwnam(user).pw_dir
    except (KeyError, ValueError):
        return Mistake(f"~{user} is nobody's home here; write ~/ for your own, or a full path")


def foreign_home(
    path: str, environment: Mapping[str, str], real: Callable[[str], str] = os.path.realpath
) -> str | None:
    """The name of another person in whose home `path` lies, if there is one.

    `real`: what was made of `path`, and is made of homes, which may lie on other machines.
    """
    own = real(home(environment))
    if inside(path, own):
        return None
    people = [entry for entry in pwd.getpwall() if entry.pw_uid in range(_FIRST_PERSON, _NOBODY)]
    people += [entry for entry in pwd.getpwall() if entry.pw_uid == 0]
    for part in path.split("/"):  # a directory service may answer by name and yet list nobody
        try:
            people.append(pwd.getpwnam(part))
        except (KeyError, ValueError, OSError):
            continue
    for entry in people:
        theirs = real(entry.pw_dir) if os.path.isabs(entry.pw_dir) else "/"
        if theirs != "/" and entry.pw_uid != os.geteuid() and inside(path, theirs):
            return entry.pw_name
    return None


def hops(path: str) -> Iterator[tuple[str, str]]:
    """Each (real folder, name in it) on the way to `path`, through symbolic links, as they are now.

    If none of these names changes, the path means what it meant. The way ends at a missing name.
    Nothing is asked of a name before the next one is asked for.
    """
    here, names, links = "/", path.split("/")[::-1], 0
    while names:
        name = names.pop()
        if name in ("", ".", ".."):
            here = os.path.dirname(here) if name == ".." else here
            continue
        yield here, name
        there = os.path.join(here, name)
        try:
            target = os.readlink(there)
        except OSError:  # no link
            if not os.path.lexists(there):
                return
            here = there
            continue
        links += 1
        if links > _LINKS_LIMIT:
            return
        names += target.split("/")[::-1]
        here = "/" if os.path.isabs(target) else here
