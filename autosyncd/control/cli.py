"""autosyncctl: ask and steer the running daemon. See autosyncctl(1).

Exit status: 0 done, 1 a problem was found, 2 wrong usage, 3 the daemon is not reachable.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Sequence

from autosyncd import __version__
from autosyncd.control.local import LOCAL
from autosyncd.control.render import duration
from autosyncd.control.verb import NOT_REACHABLE, PROBLEM_FOUND, WRONG_USAGE, Verb, WrongUsage
from autosyncd.errors import AutosyncError, NotReachable
from autosyncd.service.commandline import Parser
from autosyncd.service.streams import complain, make_usable, parsed

INTERRUPTED = 130
"""What a shell reports of a program that SIGINT has ended."""


def _repositories(parser: ArgumentParser) -> None:
    parser.add_argument(
        "repositories", metavar="REPO", nargs="*", help="a name, or a path in it (default: all)"
    )


def _status(parser: ArgumentParser) -> None:
    _repositories(parser)
    parser.add_argument("--watch", action="store_true", help="go on until Ctrl-C")


def _pause(parser: ArgumentParser) -> None:
    _repositories(parser)
    parser.add_argument(
        "--for",
        dest="seconds",
        metavar="TIME",
        type=_duration,
        default=0,
        help="30m, 2h, 1d (default: until resumed)",
    )


def _nothing(_parser: ArgumentParser) -> None:
    pass


def _duration(text: str) -> int:
    try:
        return duration(text)
    except ValueError as reason:
        raise ArgumentTypeError(str(reason)) from None


VERBS = {
    "status": Verb("what each repository is doing", "autosyncd.control.ask:status", _status),
    "sync": Verb("commit and sync now", "autosyncd.control.ask:sync", _repositories),
    "pause": Verb("touch nothing for a while", "autosyncd.control.ask:pause", _pause),
    "resume": Verb(
        "end a pause, or tell a halted repository to go on",
        "autosyncd.control.ask:resume",
        _repositories,
    ),
    "reload": Verb("read the configuration again", "autosyncd.control.ask:reload", _nothing),
    **LOCAL,
}
"""Every verb, in the order in which --help shows them."""


def parser() -> ArgumentParser:
    """The whole command line; no verb's module is imported for it."""
    top = Parser(prog="autosyncctl", description="Ask and steer autosyncd.")
    top.add_argument("--version", action="version", version=f"autosyncctl {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, verb in VERBS.items():
        below = verbs.add_parser(name, help=verb.summary, description=verb.summary.capitalize())
        below.add_argument("--json", action="store_true", help="print JSON")
        verb.arguments(below)
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; the exit status."""
    make_usable()
    options = parsed(parser(), arguments)
    try:
        return _run(options)
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(options: Namespace) -> int:
    try:
        return VERBS[options.verb].run(options)
    except AutosyncError as reason:
        complain(str(reason), "autosyncctl")
        if isinstance(reason, NotReachable):
            return NOT_REACHABLE
        return WRONG_USAGE if isinstance(reason, WrongUsage) else PROBLEM_FOUND


if __name__ == "__main__":
    sys.exit(main())
