"""The verb install-unit: a user unit for an autosyncd that came without one (pipx, pip, a checkout).

Packages and script/install place the unit where every user's manager looks, systemd.unit(5). A Python
wheel can't: it knows neither its own path nor the person's folders before it is installed.
"""

import json
import os
import site
import sys
import sysconfig
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

from autosyncd import __file__ as package
from autosyncd.control.adopt import as_sentences
from autosyncd.control.render import plain
from autosyncd.control.verb import DONE
from autosyncd.errors import AutosyncError
from autosyncd.service.streams import say
from autosyncd.vcs.process import Runner

UNIT = "autosyncd.service"
WRITTEN_BY_US = "# written by autosyncctl install-unit"
HEADER = f"{WRITTEN_BY_US}; for settings of your own: systemctl --user edit autosyncd\n"
PROGRAM = "/usr/bin/autosyncd"
"""What the unit that is shipped says; a packaged program lies there."""
EVERYBODYS = (
    "/etc/systemd/user",
    "/run/systemd/user",
    "/usr/local/lib/systemd/user",
    "/usr/local/share/systemd/user",
    "/usr/lib/systemd/user",
    "/usr/share/systemd/user",
)
"""Where packages and administrators put the units of every user, systemd.unit(5)."""
PATIENCE = 60.0
"""Seconds systemctl may take; stopping the daemon takes 30 at the most."""


def install_unit(options: Namespace) -> int:
    """Write the person's own unit, or take it away again. AutosyncError: it is not ours to do."""
    folder = _own_folder()
    with as_sentences():
        told = _remove(folder / UNIT) if options.remove else _install(folder / UNIT)
    done = "removed" if options.remove else "written"
    if options.json:
        known = {done: str(folder / UNIT), "systemd": "told" if told else "not reached"}
        say(json.dumps(known) + "\n")
        return DONE
    lines = [f"{folder / UNIT} is {done}."]
    if not told:
        lines.append("systemd could not be told; do so: systemctl --user daemon-reload")
    if not options.remove:
        lines.append("Now: systemctl --user enable --now autosyncd")
    say("".join(plain(line) + "\n" for line in lines))
    return DONE


def unit_text(shipped: str, program: str) -> str:
    """The shipped unit, for a program that lies elsewhere."""
    # systemd.service(5), "Command lines": quoted, with C's escapes and without specifiers
    quoted = program.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    command = f"ExecStart={PROGRAM}"
    return HEADER + shipped.replace(command, f'ExecStart="{quoted}"')


def _install(path: Path) -> bool:
    """Write it; whether systemd knows of it."""
    for folder in EVERYBODYS:
        if os.path.lexists(os.path.join(folder, UNIT)):
            raise AutosyncError(
                f"{folder}/{UNIT} is there already, for every user of this machine; one of your own "
                "would hide it, so nothing was written. Use it: systemctl --user enable --now autosyncd"
            )
    _refuse_foreign(path)
    text = unit_text(_shipped(), _program())
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{UNIT}.new")
    new.write_bytes(os.fsencode(text))
    new.replace(path)
    return _systemctl("daemon-reload")


def _remove(path: Path) -> bool:
    """Stop the service, and take its unit away; whether systemd knows of it."""
    if not os.path.lexists(path):
        raise AutosyncError(f"{path}: there is no such file, so there is nothing to remove.")
    _refuse_foreign(path)
    _systemctl("disable", "--now", UNIT)
    path.unlink()
    with suppress(FileNotFoundError):  # where no manager runs, nobody has taken this link away
        (path.parent / "default.target.wants" / UNIT).unlink()
    return _systemctl("daemon-reload")


def _refuse_foreign(path: Path) -> None:
    """AutosyncError if somebody else has written it."""
    ours = not os.path.lexists(path) or (
        not path.is_symlink() and path.read_bytes().startswith(WRITTEN_BY_US.encode())
    )
    if not ours:
        raise AutosyncError(
            f"{path} was not written by this command, so it stays as it is. "
            "Move it away, then say it again."
        )


def _own_folder() -> Path:
    config = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(config) if os.path.isabs(config) else Path.home() / ".config"
    return base / "systemd/user"


def _program() -> str:
    """The autosyncd that lies beside this autosyncctl. A link stays one: pipx puts it in ~/.local/bin,
    and what it leads to may move."""
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "autosyncd")
    for program in (beside, os.path.join(sysconfig.get_path("scripts"), "autosyncd")):
        if os.access(program, os.X_OK) and os.path.isfile(program):
            return program
    raise AutosyncError(f"{beside}: there is no such program, so there is nothing to start.")


def _shipped() -> str:
    """The unit as it came with the program."""
    checkout = Path(package).parents[1] / "systemd"
    places = (
        checkout,
        Path(sysconfig.get_path("data"), "share/autosyncd"),
        Path(site.getuserbase(), "share/autosyncd"),
    )
    for place in places:
        with suppress(FileNotFoundError):
            return (place / UNIT).read_text(encoding="utf-8")
    raise AutosyncError(f"{UNIT} did not come with this autosyncd; install it again.")


def _systemctl(*words: str) -> bool:
    """Whether systemd did it; without a manager of the person's own it can't."""
    try:
        argv = ["systemctl", "--user", *words]
        return Runner().run(argv, cwd="/", env=os.environ, timeout=PATIENCE).code == 0
    except FileNotFoundError:
        return False
