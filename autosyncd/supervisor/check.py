"""autosyncd --check: what the configuration comes to, as the service would read it."""

import json
import os

from autosyncd.config.asjson import as_json, refused
from autosyncd.config.describe import describe
from autosyncd.config.given import ConfigProblem
from autosyncd.config.load import with_links
from autosyncd.config.settings import Configuration
from autosyncd.errors import ConfigError, Unwritten
from autosyncd.service.journal import printable
from autosyncd.service.streams import EX_UNWRITTEN, complain, say
from autosyncd.supervisor.reading import read


def check(main_file: str | None, etc: str, *, origin: bool = False, in_json: bool = False) -> int:
    """Show every problem of the configuration, and which repositories it comes to; with `origin`
    where each setting was made."""
    try:
        return _checked(main_file, etc, origin=origin, in_json=in_json)
    except Unwritten as reason:
        complain(str(reason))
        return EX_UNWRITTEN


def _checked(main_file: str | None, etc: str, *, origin: bool, in_json: bool) -> int:
    try:
        config = with_links(read(main_file, etc, None))
    except ConfigError as reason:
        _refuse(str(reason), main_file or "", in_json=in_json)
        return os.EX_CONFIG
    if in_json:
        say(json.dumps(as_json(config, origin=origin)) + "\n")
    else:
        _show(config, origin=origin)
    return os.EX_CONFIG if config.problems else 0


def _show(config: Configuration, *, origin: bool) -> None:
    for problem in config.problems:
        complain(printable(str(problem)))
    known = {str(problem) for problem in config.problems}
    told = [line for line in describe(config, origin=origin) if line not in known]
    if not config.repositories:
        told.append("no repositories")
    say("".join(f"{printable(line)}\n" for line in told))


def _refuse(reason: str, file: str, *, in_json: bool) -> None:
    if in_json:
        problem = ConfigProblem(file, 0, reason.removeprefix(f"{file}: "))
        say(json.dumps(refused(problem)) + "\n")
    else:
        complain(printable(reason))
