"""Which remote, what it is called on the wire, and bringing its branch here."""

import os
import re
from pathlib import Path

from autosyncd import clock
from autosyncd.model import Channel, RepoConfig
from autosyncd.redaction import without_secrets
from autosyncd.vcs import channel
from autosyncd.vcs.git import refs
from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.complaint import away, branch_missing
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import Away, AwayKind, NoRemote

BRANCH_MISSING = "branch-missing"
"""fetch(): the remote is there and has no such branch."""

FETCH = (
    "fetch",
    "--progress",
    "--no-tags",
    "--no-auto-maintenance",
    "--no-recurse-submodules",
    "--no-write-fetch-head",
)
REFUSED_FOR = 86400.0
"""Seconds until a remote that took none of our own refs is offered one again."""
DEEPEN_FIRST, DEEPEN_MOST = 32, 1 << 16
"""Commits of history that a shallow clone fetches more, doubling, before it fetches all."""


def choose(repository: Repository, config: RepoConfig) -> str | None:
    """The remote's name: as configured, else the upstream's, else the only one, else origin."""
    if config.remote == "none":
        return None
    settings = os.stat(repository.common_dir + b"/config")
    stamp = (settings.st_ino, settings.st_size, settings.st_mtime_ns)
    if repository.chosen is None or repository.chosen[0] != stamp:
        name = _choose(repository, config)
        repository.chosen = (stamp, name, _place(repository, name))
    return repository.chosen[1]


def none_chosen(config: RepoConfig) -> Away | NoRemote:
    """Why there is none: it isn't there, or none is wanted."""
    name = config.remote
    if name in ("auto", "none"):
        return NoRemote()
    text = f"There is no remote called {name}; add it with: git remote add {name} URL"
    return Away(AwayKind.NOT_FOUND, text)


def _choose(repository: Repository, config: RepoConfig) -> str | None:
    names = repository.git("remote").text.split("\n")
    names = [name for name in names if name]
    if config.remote != "auto":
        return config.remote if config.remote in names else None
    upstream = repository.git.config(f"branch.{repository.memory.branch}.remote")
    if upstream in names:
        return upstream
    if len(names) == 1:
        return names[0]
    return "origin" if "origin" in names else None


def tracking_ref(repository: Repository, remote: str) -> str:
    """Where the remote's branch was when we last saw it."""
    return f"refs/remotes/{remote}/{repository.memory.branch}"


def address(repository: Repository, remote: str | None) -> str:
    """The remote's address as a person may see it; empty where there is none."""
    if remote is None:
        return ""
    text = repository.git("remote", "get-url", remote, ok=(0, 2, 128)).text
    return without_secrets(text.strip())


def channels(
    repository: Repository, config: RepoConfig, remote: str | None, *, machine: str
) -> tuple[Channel, ...]:
    """The tree's channels, root commits remembered: finding them costs the whole history."""
    memory = repository.memory
    if not memory.roots and repository.head and not _shallow(repository):
        walk = ("rev-list", "--max-parents=0", repository.ref, "--")
        memory.roots = repository.git(*walk, timeout=LONG).text.split()
        repository.remember()
    known = channel.channels(
        _url(repository, remote), memory.roots, machine_id=machine, override=config.channel
    )
    return (*known, *_sparkleshare(repository))


def _sparkleshare(repository: Repository) -> tuple[Channel, ...]:
    """What SparkleShare's clients announce a folder by: the content of its `.sparkleshare`."""
    try:
        text = Path(os.fsdecode(repository.root), ".sparkleshare").read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ()
    words = text.split()
    is_id = len(words) == 1 and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", words[0])
    return (Channel(words[0]),) if is_id else ()


def _place(repository: Repository, remote: str | None) -> str:
    """What the remote leads to, the same for each way to spell its address, and without credentials."""
    url = _url(repository, remote)
    return channel.normalise(url, machine_id=repository.memory.machine) if url else ""


def _url(repository: Repository, remote: str | None) -> str:
    """The remote's whole address; empty where there is none. A path relative to the work tree means the
    same folder from everywhere (git-clone(1))."""
    if remote is None:
        return ""
    url = repository.git("remote", "get-url", remote, ok=(0, 2, 128)).text
    if url.startswith("."):
        return os.path.realpath(os.path.join(os.fsdecode(repository.root), url))
    return url


def _shallow(repository: Repository) -> bool:
    return Path(os.fsdecode(repository.common_dir), "shallow").exists()


def is_empty(repository: Repository, remote: str) -> bool:
    """Whether the remote answers and has no branch at all: somebody has made it anew."""
    said = repository.git.network("ls-remote", "--heads", remote)
    return said.code == 0 and not said.out.strip()


def deepen(repository: Repository, remote: str, here: str, there: str) -> Away | None:
    """In a shallow clone, fetch older history until the two have a common beginning or there is no
    more (git-fetch(1), --deepen). None: done."""
    depth = DEEPEN_FIRST
    while _shallow(repository) and repository.git("merge-base", here, there, ok=(0, 1)).code:
        how = f"--deepen={depth}" if depth <= DEEPEN_MOST else "--unshallow"
        branch = repository.memory.branch
        said = repository.git.network(
            *FETCH,
            how,
            remote,
            f"+refs/heads/{branch}:{tracking_ref(repository, remote)}",
        )
        if said.code:
            return away(said.complaint, remote)
        repository.rest()  # what was known of who contains whom
        if depth > DEEPEN_MOST:
            break
        depth *= 2
    return None


def own_refs_refused(repository: Repository) -> None:
    """The remote has taken one of refs/autosync not: to be told, once."""
    _refusal(repository).touch()


def own_refs_taken(repository: Repository) -> None:
    """It has taken one."""
    _refusal(repository).unlink(missing_ok=True)


def refuses_own_refs(repository: Repository) -> bool:
    """Whether it has said so lately. It may have meant the content of one alone, or may have learnt."""
    try:
        refused = _refusal(repository).stat().st_mtime
    except FileNotFoundError:
        return False
    return clock.wall() - refused < REFUSED_FOR


def to_tell(repository: Repository, remote: str) -> str:
    """The sentence about that, the first time it is asked for; else an empty text."""
    file = _refusal(repository)
    if not file.exists() or file.stat().st_size:
        return ""
    file.write_text("told\n", encoding="ascii")
    return (
        f"{remote} does not take what is pushed below {refs.OWN}, so other machines can't help this "
        "one when it is always too slow, and snapshots stay here; all else works, and it is tried "
        "again once a day."
    )


def _refusal(repository: Repository) -> Path:
    """Its time says when the remote last refused one, its content whether that was told."""
    return Path(os.fsdecode(repository.state), "own-refs-refused")


def fetch(repository: Repository, remote: str) -> Away | str | None:
    """Bring the remote's branch here. None: done; BRANCH_MISSING; or why it could not be read."""
    branch = repository.memory.branch
    said = repository.git.network(
        *FETCH,
        "--prune",
        remote,
        f"+refs/heads/{branch}:{tracking_ref(repository, remote)}",
        refs.tips_refspec(branch),
    )
    if said.code == 0:
        return None
    if branch_missing(said.complaint):
        return BRANCH_MISSING
    return away(said.complaint, remote)
