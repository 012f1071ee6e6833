"""Who a tree is to others: its remote and its channels; and whether that may have changed.

A person adds a remote, changes its address, renames or removes it while the tree is being worked in. The
files that say so are looked at before each verb, which costs a few stats, and asked about when they have
changed. A tree that began empty has one more channel from its first commit on.
"""

from autosyncd.model import RepoConfig
from autosyncd.vcs.git.committing.stamps import configuration_files, stamp
from autosyncd.vcs.git.remotes import remote as remotes
from autosyncd.vcs.git.repository import Repository, tree_id
from autosyncd.vcs.outcomes import Away, Identified


def identify(repository: Repository, config: RepoConfig, machine: str) -> Identified:
    """Ask git."""
    repository.chosen = None  # that goes by one file alone
    remote = remotes.choose(repository, config)
    why = remotes.none_chosen(config) if remote is None else None
    return Identified(
        tree=tree_id(repository),
        channels=remotes.channels(repository, config, remote, machine=machine),
        remote=remote,
        branch=repository.memory.branch,
        head=repository.head,
        url=remotes.address(repository, remote),
        missing=why.text if isinstance(why, Away) else "",
    )


class KnownIdentity:
    """What was last said of a tree. It is handed from process to process."""

    def __init__(self, said: Identified, stamps: object) -> None:
        self._said, self._stamps = said, stamps

    def news(self, repository: Repository, config: RepoConfig, machine: str) -> Identified | None:
        """Who it is, if that was not said yet."""
        now = stamps(repository)
        if now == self._stamps:
            return None
        found = identify(repository, config, machine)
        self._stamps = now
        before, self._said = self._said, found
        same = (before.remote, before.channels, before.url) == (
            found.remote,
            found.channels,
            found.url,
        )
        return None if same else found


def stamps(repository: Repository) -> object:
    """What the files look like that name remotes and rewrite their addresses (git-config(1)); and
    whether there are root commits that were not asked for yet."""
    rootless = not repository.memory.roots and repository.head is not None
    return rootless, *map(stamp, configuration_files(repository))
