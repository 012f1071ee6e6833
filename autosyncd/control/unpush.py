"""The verb unpush: take a path that the remote refuses out of what is still to be pushed."""

import asyncio
import json
import os
from argparse import Namespace

from autosyncd.config.choice import inside
from autosyncd.config.load import load
from autosyncd.control import looking
from autosyncd.control.adopt import agreed, as_sentences, must_be_answerable
from autosyncd.control.client import Refused, reach
from autosyncd.control.ending import interruptible
from autosyncd.control.render import plain
from autosyncd.control.verb import DONE, PROBLEM_FOUND, WrongUsage
from autosyncd.errors import NotReachable
from autosyncd.model import RepoConfig
from autosyncd.service.streams import say
from autosyncd.vcs.git.remotes.unpush import Done, UnpushPlan, plan
from autosyncd.vcs.git.remotes.unpush import unpush as take_out

SHOWN = 10
"""Files that are listed by name."""


def unpush(options: Namespace) -> int:
    """Show what taking a path out comes to, ask, and do it. PROBLEM_FOUND if the person said no."""
    must_be_answerable(options)
    path = _real(options.path)
    config = _owner(path)
    wanted = os.fsencode(os.path.relpath(path, config.path))
    with interruptible(), as_sentences(), looking.opened(config.path) as tree:
        tree.memory.branch = looking.branch(tree, config)
        planned = plan(tree, wanted)
        if not options.json:
            say(plain_lines(planned))
        if options.dry_run:
            return _said(options, config, planned, None, DONE)
        if not agreed(options):
            return _said(options, config, planned, None, PROBLEM_FOUND)
        done = take_out(tree, planned)
    _sync(config.name)
    return _said(options, config, planned, done, DONE)


def _real(path: str) -> str:
    """The path as it lies in the tree: a link there is a file of its own, what it leads to is not."""
    folder, name = os.path.split(os.path.abspath(os.path.expanduser(path)))
    return os.path.join(os.path.realpath(folder), name)


def _owner(path: str) -> RepoConfig:
    """The repository that a path lies in. WrongUsage: there is none."""
    for config in load(None, environment=os.environ).repositories:
        if inside(path, config.path) and path != config.path:
            return config
    raise WrongUsage(
        f"{plain(path)} lies in no repository that is kept in sync; `autosyncd --check` lists them."
    )


def plain_lines(planned: UnpushPlan) -> str:
    """What will be done, for a person."""
    copies = set(planned.copies)
    names = [
        plain(os.fsdecode(path)) + (" (the same content)" if path in copies else "")
        for path in planned.paths
    ]
    more = [f"and {len(names) - SHOWN} more"] if len(names) > SHOWN else []
    count = len(planned.commits)
    commits = "1 commit that no remote has" if count == 1 else f"{count} commits that no remote has"
    return (
        f"To be taken out of {commits}:\n"
        + "".join(f"  {line}\n" for line in (*names[:SHOWN], *more))
        + "The files stay as they are, and are not committed again by themselves. The commits as "
        "they were stay in this repository.\n"
    )


def _said(
    options: Namespace, config: RepoConfig, planned: UnpushPlan, done: Done | None, status: int
) -> int:
    if options.json:
        say(json.dumps(_as_json(config, planned, done)) + "\n")
    elif done is None:
        say("Nothing was changed.\n")
    else:
        say(_farewell(done))
    return status


def _farewell(done: Done) -> str:
    lines = [f"Done; the commits as they were: git log {done.kept}"]
    if done.excluded:
        lines.append("To have a file committed after all: git add -f FILE")
    if done.set_aside:
        lines.append(
            "The remote keeps the older version of it; to have yours committed after all: "
            "git update-index --no-skip-worktree FILE"
        )
    return "".join(line + "\n" for line in lines)


def _as_json(config: RepoConfig, planned: UnpushPlan, done: Done | None) -> dict[str, object]:
    return {
        "repository": config.name,
        "paths": list(map(os.fsdecode, planned.paths)),
        "copies": list(map(os.fsdecode, planned.copies)),
        "commits": len(planned.commits),
        "done": done is not None,
        "head": done.head if done else planned.head,
        "kept": done.kept if done else "",
        "excluded": list(map(os.fsdecode, done.excluded)) if done else [],
        "set_aside": list(map(os.fsdecode, done.set_aside)) if done else [],
    }


def _sync(name: str) -> None:
    """A running daemon need not wait for its next try; without one there is nobody to tell."""

    async def ask() -> None:
        async with reach() as client:
            await client.sync(name)

    try:
        asyncio.run(ask())
    except (NotReachable, Refused):
        return
