"""The verb clone: git clone, then what add does."""

import os
import re
import sys
from argparse import Namespace

from autosyncd.control.adopt import adopt, as_sentences, must_be_answerable, plan
from autosyncd.control.program import Shown
from autosyncd.control.render import plain
from autosyncd.control.survey import some
from autosyncd.control.verb import DONE, WrongUsage
from autosyncd.errors import AutosyncError
from autosyncd.redaction import without_secrets
from autosyncd.service.streams import say
from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.complaint import away

WITHIN = 86_400.0
"""Seconds; a large clone over a slow line takes long, but it is never silent."""


def clone(options: Namespace) -> int:
    """Bring a repository here and keep it in sync."""
    must_be_answerable(options)
    if not options.yes and not sys.stdin.isatty():
        raise WrongUsage("Nothing was cloned, since there is no terminal to ask; say --yes.")
    target = os.path.realpath(os.path.expanduser(options.path or folder_of(options.url)))
    with as_sentences():
        plan(target, options)  # whatever forbids it is said before anything is fetched
        _fetch(options.url, target)
        _choose_branch(target)
        status = adopt(target, options)
    if status != DONE:
        say(plain(f"The clone stays in {target}.") + "\n")
    return status


def folder_of(url: str) -> str:
    """The folder that `git clone` would choose: the last part of the address, without .git."""
    address = re.sub(r"^[a-z][a-z0-9+.-]*://([^/@]*@)?", "", url, flags=re.I)
    last = re.split(r"[/:]", address.rstrip("/").removesuffix("/.git"))[-1]
    name = last.removesuffix(".git").removesuffix(".bundle")
    if not name or name.startswith("-"):
        raise WrongUsage(
            f"{plain(without_secrets(url))} does not tell a name for the folder; name one after it."
        )
    return name


def _fetch(url: str, target: str) -> None:
    """git clone. AutosyncError says why it could not be done; git removes what it began."""
    if url.startswith("-"):
        raise WrongUsage("An address does not begin with -.")
    address = os.path.abspath(url) if os.path.exists(url) else url
    git = Git(b"/", Shown(), os.environ)
    git.use_quiet_ssh()
    # the address with what secrets it may hold is in our own command line already
    said = git.network("clone", "--progress", "--", address, target, timeout=WITHIN)
    if said.code == 0:
        return
    if "already exists and is not an empty" in said.complaint:
        raise AutosyncError(
            f"{target} exists and is not empty; `autosyncctl add` takes a folder that is there."
        )
    shown = plain(without_secrets(url))
    lines = [line for line in said.complaint.splitlines() if not line.startswith("Cloning into ")]
    reason = away("\n".join(lines), shown)
    again = "it is tried again by itself"
    raise AutosyncError(reason.text.replace(again, "nothing was cloned"))


def _choose_branch(target: str) -> None:
    """A bare repository may name a branch that nobody has (`git init --bare` said master, machines push
    main): the clone would begin a branch of its own and never meet the others. AutosyncError: it
    can't be told which one is meant."""
    git = Git(os.fsencode(target), Shown(), os.environ)
    if git("rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1)).code == 0:
        return
    listed = git("for-each-ref", "--format=%(refname:lstrip=3)", "refs/remotes/origin")
    branches = [name for name in listed.text.splitlines() if name != "HEAD"]
    if len(branches) == 1:
        git("switch", "--quiet", branches[0])
    elif branches:
        raise AutosyncError(
            f"The remote does not say which of its branches is to be synced ({some(branches)}); "
            f"git switch to one in {target}, then: autosyncctl add {target}"
        )
