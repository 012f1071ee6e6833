"""The command autosyncd(8)."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autosyncd import __version__
from autosyncd.service.streams import make_usable, parsed

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from autosyncd.supervisor.main import Options


def parser() -> "ArgumentParser":
    """The command line."""
    # a service that is started without a word keeps no room for it
    from autosyncd.service.commandline import Parser

    made = Parser(
        prog="autosyncd",
        description="Keeps version-controlled folders in sync between a person's machines.",
        epilog="See autosyncd(8), autosync.yaml(5), autosyncctl(1).",
    )
    made.add_argument("--config", metavar="FILE", help="read this instead of the main file")
    made.add_argument("--etc", metavar="FOLDER", default="/etc", help="what stands in for /etc")
    made.add_argument(
        "--check", action="store_true", help="show what the configuration comes to, and end"
    )
    made.add_argument(
        "--origin", action="store_true", help="with --check: say where each setting was made"
    )
    made.add_argument("--json", action="store_true", help="with --check: print JSON")
    made.add_argument("--verbose", action="store_true", help="tell the journal more")
    made.add_argument("--version", action="version", version=f"autosyncd {__version__}")
    return made


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run the supervisor; the exit status."""
    make_usable()
    words = sys.argv[1:] if arguments is None else arguments
    options = _options(words) if words else None
    from autosyncd.supervisor.main import Options, run  # after the answer to --help

    return run(options or Options())


def _options(words: Sequence[str]) -> "Options":
    given = parsed(parser(), words)
    if given.origin and not given.check:
        parser().error("--origin says more about --check; give both")
    if given.json and not given.check:
        parser().error("--json is how --check is printed; give both")
    from autosyncd.supervisor.main import Options

    return Options(
        config=given.config,
        check=given.check,
        origin=given.origin,
        json=given.json,
        verbose=given.verbose,
        etc=os.path.abspath(given.etc),
    )


if __name__ == "__main__":
    sys.exit(main())
