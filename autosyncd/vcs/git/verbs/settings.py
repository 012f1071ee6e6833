"""The person's settings that every verb goes by: what they ignore everywhere, and whether modes count.

They are read when the tree is opened, and anew before a verb if a file that says so has changed since.
A pattern that is written while the tree is being worked in holds for the next verb, as it holds for
`git status`. That costs a stat(2) for each such file.

Where a filter that changes a file both ways fails, git takes the file as it is, unless that filter is
`required`: what is to be encrypted goes into history as plain text, and what could not be decrypted
comes out of the next commit as another file. A person sees git's warning; here nobody does. So it is
required unless they say that it is not. So it is when its commands have gone (`git-crypt lock` takes
them out of the configuration): git then does as if nothing was to be done to its files.
"""

from autosyncd.model import RepoConfig
from autosyncd.vcs.git import excludes
from autosyncd.vcs.git.committing.stamps import Settings, read_configuration, stamp
from autosyncd.vcs.git.repository import Repository


def follow(repository: Repository, config: RepoConfig) -> None:
    """Go by the settings as they are now. Raises GitFailed where git can't read them."""
    known = repository.settings
    if known and all(stamp(path) == before for path, before in known.items()):
        return
    configuration = read_configuration(repository)
    ignored = excludes.place_of_own(repository)
    known = {**configuration.stamps, ignored: stamp(ignored)}  # before it is read
    excludes.install(repository, config)
    off = "core.filemode" in configuration.values and not configuration.is_on("core.filemode")
    repository.file_modes = not off
    repository.git.required_filters = _required_filters(repository, configuration)
    repository.settings = known


def _required_filters(
    repository: Repository, configuration: Settings
) -> dict[str, tuple[str, ...]]:
    """Those of now and of before that the person does not let fail. A command that has gone is to fail
    as well: without one git stores a file as it is, and puts it into the tree as it was stored."""
    memory, now = repository.memory, configuration.two_way_filters
    if not now <= set(memory.filters):
        memory.filters = sorted(now.union(memory.filters))
        repository.remember()
    settings: dict[str, tuple[str, ...]] = {}
    for name in memory.filters:
        optional = configuration.is_optional(name)
        if optional:
            continue
        required = () if optional is False else ("required=true",)
        gone = (f"{way}=false" for way in configuration.missing_ways(name))
        if found := (*required, *gone):
            settings[name] = found
    return settings
