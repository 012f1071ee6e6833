"""autosyncd --check: what the configuration comes to, as the service would read it."""

import json
import sys

from autosyncd.config.asjson import as_json, refused
from autosyncd.config.describe import describe
from autosyncd.config.given import ConfigProblem
from autosyncd.config.load import with_links
from autosyncd.config.settings import Configuration
from autosyncd.errors import ConfigError
from autosyncd.service.journal import printable
from autosyncd.service.streams import leave_output
from autosyncd.supervisor.reading import read

EX_CONFIG = 78
"""Exit status: the configuration is at fault (sysexits.h); systemd does not try again."""
EX_UNWRITTEN = 1
"""Exit status: what was found could not be written."""


def check(main_file: str | None, etc: str, *, origin: bool = False, in_json: bool = False) -> int:
    """Show every problem of the configuration, and which repositories it comes to; with `origin`
    where each setting was made."""
    try:
        status = _checked(main_file, etc, origin=origin, in_json=in_json)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough (`| head`)
        leave_output()
        return EX_UNWRITTEN
    except OSError as reason:
        leave_output()
        sys.stderr.write(f"What was found can't be written ({reason.strerror}).\n")
        return EX_UNWRITTEN
    return status


def _checked(main_file: str | None, etc: str, *, origin: bool, in_json: bool) -> int:
    try:
        config = with_links(read(main_file, etc, None))
    except ConfigError as reason:
        _refuse(str(reason), main_file or "", in_json=in_json)
        return EX_CONFIG
    if in_json:
        sys.stdout.write(json.dumps(as_json(config, origin=origin)) + "\n")
    else:
        _show(config, origin=origin)
    return EX_CONFIG if config.problems else 0


def _show(config: Configuration, *, origin: bool) -> None:
    for problem in config.problems:
        sys.stderr.write(f"{printable(str(problem))}\n")
    known = {str(problem) for problem in config.problems}
    for line in describe(config, origin=origin):
        if line not in known:
            sys.stdout.write(f"{printable(line)}\n")
    if not config.repositories:
        sys.stdout.write("no repositories\n")


def _refuse(reason: str, file: str, *, in_json: bool) -> None:
    if in_json:
        problem = ConfigProblem(file, 0, reason.removeprefix(f"{file}: "))
        sys.stdout.write(json.dumps(refused(problem)) + "\n")
    else:
        sys.stderr.write(f"{printable(reason)}\n")
