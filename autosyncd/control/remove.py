"""The verb remove: no longer keep a folder in sync. It needs no running daemon."""

import json
import os
from argparse import Namespace

from autosyncd.config.choice import inside
from autosyncd.config.load import load
from autosyncd.config.write import HEADER, drop_in_path, remove_drop_in
from autosyncd.control.adopt import as_sentences, own_drop_ins, tell_daemon
from autosyncd.control.render import plain
from autosyncd.control.verb import DONE, WrongUsage
from autosyncd.errors import ConfigError
from autosyncd.service.streams import say


def remove(options: Namespace) -> int:
    """Take a repository out of the configuration again; its folder stays as it is."""
    with as_sentences():
        name, path = _find(options.repository)
        file = remove_drop_in(own_drop_ins(), name)
    told = tell_daemon()
    if options.json:
        known = {"removed": name, "file": file, "daemon": "told" if told else "not reached"}
        say(json.dumps(known) + "\n")
    else:
        where = f"; {path} itself stays as it is" if path else ""
        say(plain(f"{name} is no longer kept in sync{where}.") + "\n")
    return DONE


def _find(wanted: str) -> tuple[str, str]:
    """Name and path of the repository that add() wrote. ConfigError, WrongUsage: there is none."""
    configuration = load(None, environment=os.environ)
    real = os.path.realpath(os.path.expanduser(wanted))
    rows = list(zip(configuration.repositories, configuration.origins, strict=True))
    found = [row for row in rows if row[0].name == wanted] or [
        row for row in rows if inside(real, row[0].path)
    ]
    if not found:
        if os.path.lexists(drop_in_path(own_drop_ins(), wanted)):
            return wanted, ""  # a drop-in that can't be read at present
        raise WrongUsage(
            f"There is no repository named {plain(wanted)}, and none at that path; "
            "`autosyncd --check` lists those there are."
        )
    config, origin = found[0]
    file, _, _line = origin.rpartition(":")
    beside = sum(other.rpartition(":")[0] == file for _, other in rows) > 1
    if file != drop_in_path(own_drop_ins(), config.name) or beside or not _written_by_add(file):
        raise ConfigError(
            f"{config.name} was added by hand, so take it out by hand: edit {origin}."
        )
    return config.name, config.path


def _written_by_add(file: str) -> bool:
    with open(file, encoding="utf-8", errors="replace") as opened:
        return opened.readline() == HEADER
