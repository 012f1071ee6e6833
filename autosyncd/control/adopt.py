"""The verb add: keep a folder in sync. It needs no running daemon."""

import asyncio
import os
import re
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from autosyncd.config.choice import inside
from autosyncd.config.given import Given
from autosyncd.config.load import default_name, load
from autosyncd.config.places import places
from autosyncd.config.settings import Configuration, repository
from autosyncd.config.write import entry_yaml, remove_drop_in, write_drop_in
from autosyncd.control import looking
from autosyncd.control.client import Refused, reach
from autosyncd.control.render import plain
from autosyncd.control.survey import Survey, as_json, text
from autosyncd.control.verb import DONE, PROBLEM_FOUND, WrongUsage
from autosyncd.errors import AutosyncError, ConfigError, NotReachable
from autosyncd.model import RepoConfig
from autosyncd.service.streams import say
from autosyncd.vcs.git import excludes, otherbranch
from autosyncd.vcs.git.finding import NotARepository
from autosyncd.vcs.git.repository import Repository

START = "systemctl --user enable --now autosyncd"


def add(options: Namespace) -> int:
    """Show what adding a folder comes to, ask, and write it into the configuration."""
    must_be_answerable(options)
    with as_sentences():
        return adopt(real_folder(options.path), options)


def adopt(path: str, options: Namespace) -> int:
    """add() of a real path. DONE, or PROBLEM_FOUND if the person said no."""
    config, entry = plan(path, options)
    with looking.opened(path) as tree:
        new = not looking.is_repository(path)
        survey = looking.look(tree, config, new=new)
        _check_included(tree, options.include)
    if not options.json:
        say(text(survey))
    if options.dry_run:
        return _said(options, survey, "Nothing was changed.")
    if not agreed(options):
        return _said(options, survey, "Nothing was changed.", status=PROBLEM_FOUND)
    if new:
        looking.make_repository(path)
    with looking.opened(path) as tree:
        file = _write(tree, survey, entry)
    told = tell_daemon()
    more = "autosyncd takes it up now." if told else f"To start autosyncd: {START}"
    return _said(options, survey, f"Added, in {file}. {more}", file=file, told=told)


def plan(path: str, options: Namespace) -> tuple[RepoConfig, dict[str, object]]:
    """What would hold for the folder, and the entry that says so. AutosyncError: it can't be added."""
    configuration = load(None, environment=os.environ)
    if configuration.defaults is None:
        raise ConfigError("\n".join(map(str, configuration.problems)))
    name = options.name or default_name(path)
    _check_free(path, name, configuration)
    config = repository(Given(), (configuration.defaults,), path, name)
    entry: dict[str, object] = {"path": path}
    if options.name:
        entry["name"] = name
    if options.include:
        # an entry's list takes the place of that in defaults:
        patterns = [*config.exclude, *(pattern_for(one) for one in options.include)]
        entry["exclude"] = patterns
        config = replace(config, exclude=tuple(patterns))
    entry_yaml(entry)
    return config, entry


def pattern_for(file: str) -> str:
    """The line of gitignore syntax that takes a file in again (gitignore(5))."""
    return "!" + re.sub(r"([\\*?\[])", r"\\\1", os.path.normpath(file))


def real_folder(path: str) -> str:
    """The real path of a folder that is there. WrongUsage if there is none."""
    real = os.path.realpath(os.path.expanduser(path))
    if not os.path.lexists(real):
        raise WrongUsage(f"There is no folder {plain(path)}; make it, or `autosyncctl clone` one.")
    if not os.path.isdir(real):
        raise WrongUsage(f"{plain(path)} is no folder; add the folder that it lies in.")
    return real


def _check_free(path: str, name: str, configuration: Configuration) -> None:
    """No other entry has the path, the name, or a part of the tree; nor does our configuration."""
    for there, what in configuration.guarded.items():
        if inside(there, path):
            raise AutosyncError(
                f"{path} can't be added: {what} lies in it, so a pull could change it."
            )
    for one, origin in zip(configuration.repositories, configuration.origins, strict=True):
        if one.path == path:
            raise AutosyncError(f"{path} is kept in sync already: {origin}.")
        if inside(path, one.path):
            raise AutosyncError(f"{path} lies inside {one.path}, which is in sync: {origin}.")
        if inside(one.path, path):
            raise AutosyncError(f"{path} contains {one.path}, which is in sync: {origin}.")
        if one.name == name:
            raise AutosyncError(
                f"Another repository is named {name}: {origin}; choose one with --name."
            )


def _check_included(tree: Repository, files: list[str]) -> None:
    """Each file that was named is there, and nothing else leaves it out."""
    for file in files:
        name = os.fsencode(os.path.normpath(file))
        if name.startswith((b"/", b"../")):
            raise WrongUsage(f"--include {plain(file)}: write the path as seen from the folder.")
        if not os.path.lexists(os.path.join(tree.root, name)):
            raise WrongUsage(f"There is no file {plain(file)} in the folder, so it can't be named.")
        for source, line, pattern, _ in excludes.matches(tree, [name]):
            place = f"{os.fsdecode(source)}:{os.fsdecode(line)}"
            raise WrongUsage(
                f"{plain(file)} stays left out: {place} says {os.fsdecode(pattern)}; change it there."
            )


def _write(tree: Repository, survey: Survey, entry: dict[str, object]) -> str:
    """Make the entry hold; the worker need not ask again, since the person has seen what it does."""
    memory = tree.memory
    otherbranch.take_up(tree, survey.branch)
    before, memory.adopted = memory.adopted, True
    tree.remember()  # first, since a running daemon notices the entry by itself
    folder = own_drop_ins()
    try:
        file = write_drop_in(folder, survey.name, entry)
        problems = load(None, environment=os.environ).problems
        ours = [str(problem) for problem in problems if problem.file == file]
        if ours:
            remove_drop_in(folder, survey.name)
            raise ConfigError("\n".join(ours))
    except (AutosyncError, OSError):
        memory.adopted = before
        tree.remember()
        raise
    return file


def own_drop_ins() -> str:
    """The folder of this user's drop-ins, whether it exists or not."""
    return places(None, os.environ).folders[-1]


def tell_daemon() -> bool:
    """Let a running daemon read its configuration again; False if none was reached."""

    async def reload() -> None:
        async with reach() as client:
            await client.reload()

    try:
        asyncio.run(reload())
    except (NotReachable, Refused):
        return False
    return True


def must_be_answerable(options: Namespace) -> None:
    """JSON has no room for a question. WrongUsage if one would have to be asked."""
    if options.json and not options.yes and not options.dry_run:
        raise WrongUsage("--json can't ask; say --yes or --dry-run too.")


def agreed(options: Namespace) -> bool:
    """Ask once. WrongUsage if there is nobody to ask."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise WrongUsage(
            "Nothing was changed, since there is no terminal to ask; say --yes to go on."
        )
    say("Go on? [y/N] ")
    try:
        return input().strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _said(
    options: Namespace,
    survey: Survey,
    sentence: str,
    *,
    file: str = "",
    told: bool = False,
    status: int = DONE,
) -> int:
    shown = as_json(survey, file=file, told=told) if options.json else plain(sentence) + "\n"
    say(shown)
    return status


@contextmanager
def as_sentences() -> Iterator[None]:
    """What the system refuses becomes a sentence."""
    try:
        yield
    except NotARepository as reason:
        raise AutosyncError(plain(str(reason))) from None
    except FileNotFoundError as reason:
        if reason.filename in ("git", b"git"):
            raise AutosyncError("git is not installed here; install it first.") from None
        raise AutosyncError(f"It could not be done: {reason}.") from None
    except OSError as reason:
        raise AutosyncError(f"It could not be done: {reason}.") from None
