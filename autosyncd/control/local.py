"""The verbs of autosyncctl that need no running daemon, and their command lines (cli.py)."""

from argparse import ArgumentParser

from autosyncd.control.verb import Verb


def _adoption(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--name", help="what to call it (default: the folder's name)")
    parser.add_argument(
        "--include",
        metavar="FILE",
        action="append",
        default=[],
        help="take in a file that is held back, because it looks like a key or password",
    )


def _add(parser: ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the folder")
    parser.add_argument("--dry-run", action="store_true", help="show it, and change nothing")
    _adoption(parser)


def _clone(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="where the repository is now")
    parser.add_argument("path", metavar="PATH", nargs="?", help="the folder to make")
    parser.set_defaults(dry_run=False)
    _adoption(parser)


def _remove(parser: ArgumentParser) -> None:
    parser.add_argument("repository", metavar="REPO", help="a name, or a path in it")


def _unpush(parser: ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the file or folder that is refused")
    parser.add_argument("--dry-run", action="store_true", help="show it, and change nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _install_unit(parser: ArgumentParser) -> None:
    parser.add_argument("--remove", action="store_true", help="stop the service, and take it away")


def _demo(parser: ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="end after the show")


def _nothing(_parser: ArgumentParser) -> None:
    pass


LOCAL = {
    "add": Verb("keep a folder in sync", "autosyncd.control.adopt:add", _add),
    "clone": Verb(
        "clone a repository and keep it in sync", "autosyncd.control.clone:clone", _clone
    ),
    "remove": Verb(
        "no longer keep a folder in sync (its files stay)",
        "autosyncd.control.remove:remove",
        _remove,
    ),
    "unpush": Verb(
        "take a file that the remote refuses out of what is still to be pushed (it stays here)",
        "autosyncd.control.unpush:unpush",
        _unpush,
    ),
    "doctor": Verb("find out what is in the way", "autosyncd.control.doctor:doctor", _nothing),
    "install-unit": Verb(
        "write the systemd unit of an autosyncd that came without one (pipx)",
        "autosyncd.control.unit:install_unit",
        _install_unit,
    ),
    "demo": Verb("two machines in a temporary folder", "autosyncd.control.demo:demo", _demo),
}
"""In the order in which --help shows them."""
