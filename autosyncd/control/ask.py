"""The verbs of autosyncctl that ask the running daemon."""

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from shutil import get_terminal_size

from autosyncd import clock
from autosyncd.control import render
from autosyncd.control.client import Client, reach
from autosyncd.control.render import Row, plain
from autosyncd.control.verb import DONE, PROBLEM_FOUND, WrongUsage
from autosyncd.service.streams import in_colour, obeys, say

REPAINT_EVERY = 10.0
"""Seconds; the column SINCE grows old."""
CLEAR = "\x1b[H\x1b[J"
"""Cursor to the top, erase all below it (ECMA-48 CUP, ED)."""
Told = dict[str, tuple[str, str, float | None]]
"""What --watch has said of each repository: status, reason and the end of a pause."""


def status(options: Namespace) -> int:
    """Print what each repository is doing; PROBLEM_FOUND if one needs a person."""
    if not options.watch:
        return asyncio.run(_status(options))
    try:
        return asyncio.run(_watch(options))
    except KeyboardInterrupt:
        return DONE


def sync(options: Namespace) -> int:
    """Ask for a commit and a sync at once."""
    return asyncio.run(_each(options, _when_synced, Client.sync))


def _when_synced(repository: Row) -> str:
    if repository.status == "paused":
        return "is paused; it will be synced when the pause is over, as by `autosyncctl resume`"
    if repository.alarming:
        why = repository.reason.rstrip(".")
        return f"is {repository.status}, and will be synced when it goes on: {why}"
    return "will be committed and synced now"


def pause(options: Namespace) -> int:
    """Ask to touch nothing for a while."""
    seconds = options.seconds

    async def one(client: Client, name: str) -> None:
        await client.pause(name, seconds)

    until = f"for {render.exact_length(seconds)}" if seconds else "until resumed"
    return asyncio.run(_each(options, lambda _: f"paused {until}", one))


def resume(options: Namespace) -> int:
    """Ask to go on."""
    return asyncio.run(_each(options, lambda _: "goes on", Client.resume))


def reload(options: Namespace) -> int:
    """Ask to read the configuration again."""
    return asyncio.run(_reload(options))


async def _reload(options: Namespace) -> int:
    async with reach() as client:
        await client.reload()
    _say(options, render.asked_json("reload", []), "The configuration is read again.\n")
    return DONE


async def _each(
    options: Namespace,
    what: Callable[[Row], str],
    ask: Callable[[Client, str], Awaitable[None]],
) -> int:
    """Ask for each repository that was named, or with one call for all; `what` becomes of it is said."""
    async with reach() as client:
        chosen = choose(await client.repositories(), options.repositories)
        for name in [each.name for each in chosen] if options.repositories else [""]:
            await ask(client, name)
    names = [each.name for each in chosen]
    lines = "".join(plain(f"{each.name}: {what(each)}.") + "\n" for each in chosen)
    _say(options, render.asked_json(options.verb, names), lines or render.NONE_YET + "\n")
    return DONE


def _say(options: Namespace, as_json: str, text: str) -> None:
    say(as_json if options.json else text)


def choose(repositories: Sequence[Row], wanted: Sequence[str]) -> list[Row]:
    """The repositories of these names or paths, all if none is given. WrongUsage: no such one."""
    if not wanted:
        return list(repositories)
    chosen = {repository.name: repository for repository in map(_finder(repositories), wanted)}
    return list(chosen.values())


def _finder(repositories: Sequence[Row]) -> Callable[[str], Row]:
    names = {repository.name: repository for repository in repositories}
    paths = {repository.path: repository for repository in repositories}

    def find(wanted: str) -> Row:
        if wanted in names:
            return names[wanted]
        path = os.path.expanduser(wanted)
        found = _around(os.path.abspath(path), paths) or _around(os.path.realpath(path), paths)
        if found is None:  # only now is each repository looked at, which may take its time
            real = {os.path.realpath(one.path): one for one in repositories}
            found = _around(os.path.realpath(path), real)
        if found is None:
            raise WrongUsage(
                f"There is no repository named {plain(wanted)}, and none at that path; "
                "`autosyncctl status` lists those there are."
            )
        return found

    return find


def _around(path: str, paths: Mapping[str, Row]) -> Row | None:
    """The repository that the path lies in."""
    while path not in paths and path != "/":
        path = os.path.dirname(path)
    return paths.get(path)


async def _status(options: Namespace) -> int:
    async with reach() as client:
        chosen = choose(await client.repositories(), options.repositories)
        summary = await client.summary()
    _say(options, render.status_json(summary, chosen), _text(chosen, options))
    return _verdict(chosen)


def _verdict(repositories: Sequence[Row]) -> int:
    return PROBLEM_FOUND if any(each.alarming for each in repositories) else DONE


def _text(repositories: Sequence[Row], options: Namespace) -> str:
    now = clock.wall()
    if options.repositories and not options.watch:
        return "".join(render.card(repository, now=now) for repository in repositories)
    width = get_terminal_size().columns if sys.stdout.isatty() else None
    colour = in_colour(sys.stdout, os.environ)
    return render.table(repositories, now=now, width=width, colour=colour)


async def _watch(options: Namespace) -> int:
    """Print the state, then each change: a terminal is painted anew, anything else gets lines."""
    repaint = obeys(sys.stdout, os.environ) and not options.json
    async with reach() as client:
        await client.follow()
        chosen = choose(await client.repositories(), options.repositories)
        told: Told = {}
        while True:
            summary = await client.summary()
            text = CLEAR + _text(chosen, options) if repaint else _news(chosen, told, options)
            _say(options, render.status_json(summary, chosen), text)
            await _change(client, REPAINT_EVERY if repaint else None)
            known = await client.repositories()
            wanted = {each.name for each in chosen}
            chosen = [each for each in known if each.name in wanted or not options.repositories]


async def _change(client: Client, seconds: float | None) -> None:
    with suppress(TimeoutError):
        await asyncio.wait_for(client.change(), seconds)


def _news(repositories: Sequence[Row], told: Told, options: Namespace) -> str:
    """The table at first, then a line for each that does something else than was `told`."""
    doing: Told = {each.name: (each.status, each.reason, each.until) for each in repositories}
    news = [each for each in repositories if told.get(each.name) != doing[each.name]]
    first = not told
    told.clear()
    told.update(doing)
    if first:
        return _text(repositories, options)
    now = clock.wall()
    return "".join(render.change(each, now=now) for each in news)
