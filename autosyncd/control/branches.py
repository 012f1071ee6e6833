"""Which branches a remote has: two machines that sync different ones of one remote never meet.

No error says so. Each pushes its own branch, and both are in sync with a remote that has two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from autosyncd.control.survey import some
from autosyncd.model import RepoConfig
from autosyncd.vcs.git.command import Result
from autosyncd.vcs.git.remotes import remote
from autosyncd.vcs.git.repository import Repository

HEADS = b"refs/heads/"


@dataclass(frozen=True, slots=True)
class Branches:
    """What a remote that answered has; `main` is the one that it names itself, if that is there."""

    names: tuple[str, ...]
    main: str = ""
    narrow: bool = False
    """Whether this clone fetches some branches alone (`git clone --single-branch`)."""

    def told(self, name: str, branch: str) -> str:
        """A sentence's beginning if the remote called `name` has branches and not this one."""
        if not self.names or branch in self.names:
            return ""
        has = "the branch" if len(self.names) == 1 else "the branches"
        return f"{name} has {has} {some(self.names)}, and not {branch}"

    @property
    def likely(self) -> str:
        """The one that other machines sync."""
        return self.main or self.names[0]

    def going_there(self, name: str) -> str:
        """The command that checks it out; what syncs another branch has not fetched it. A remote chooses
        how its branches are called, and `;` or `$` may be in such a name."""
        name, branch = quote(name), quote(self.likely)
        widen = f"git remote set-branches --add {name} {branch} && " if self.narrow else ""
        return f"{widen}git fetch {name} && git switch {branch}"


def ask(repository: Repository, name: str, *, within: float) -> Result:
    """What the remote says, which read() understands if its code is 0. `within`: seconds."""
    words = ("ls-remote", "--symref", name, "HEAD", "refs/heads/*")
    return repository.git.network(*words, timeout=within)


def is_narrow(repository: Repository, name: str) -> bool:
    """Whether the settings of that remote name the branches that are fetched."""
    fetched = repository.git("config", "--get-all", f"remote.{name}.fetch", ok=(0, 1)).text
    return "refs/heads/*" not in fetched


def read(said: Sequence[bytes], *, narrow: bool = False) -> Branches:
    """The lines of ask() (git-ls-remote(1), "OUTPUT")."""
    pairs = [line.split(b"\t", 1) for line in said if b"\t" in line]
    names = [ref[len(HEADS) :] for _, ref in pairs if ref.startswith(HEADS)]
    own = [what[len(b"ref: ") + len(HEADS) :] for what, ref in pairs if _is_head(what, ref)]
    main = _text(own[0]) if own and own[0] in names else ""
    return Branches(tuple(map(_text, names)), main, narrow)


def missing(repository: Repository, config: RepoConfig, name: str | None, *, within: float) -> str:
    """A sentence if the remote has branches, and not the one that will be synced here. It is asked where
    nothing is known of that branch; that it does not answer is no matter for now."""
    branch = repository.memory.branch
    if name is None or repository.commit_at(remote.tracking_ref(repository, name)) is not None:
        return ""
    said = ask(repository, name, within=within)
    if said.code != 0:
        return ""
    there = read(said.out.splitlines(), narrow=is_narrow(repository, name))
    told = there.told(name, branch)
    then = (
        f"with `branch: {there.likely}` in the entry" if told and config.branch else "then add it"
    )
    return told and (
        f"{told}, which would be synced here: nothing comes from there, and {branch} becomes one of its "
        f"own. To sync {there.likely}: {there.going_there(name)}, {then}"
    )


def _is_head(what: bytes, ref: bytes) -> bool:
    return ref == b"HEAD" and what.startswith(b"ref: " + HEADS)


def _text(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")
