"""Where a remote is pushed to, if it has several addresses for that (git-remote(1), set-url --push).

git would push to all of them and give one answer for the whole. So each is pushed to by itself: the one
that is read as well says what others can have, and the others are told of if they don't take it.
"""

import os
from dataclasses import dataclass

from autosyncd.vcs.channel import normalise
from autosyncd.vcs.git.repository import Repository


@dataclass(frozen=True, slots=True)
class Address:
    """One of them. `given`: as the settings have it, which is what a push wants, since it replaces
    beginnings (git-config(1), url.BASE.insteadOf) by itself; `whole`: what it leads to."""

    given: str
    whole: str


@dataclass(frozen=True, slots=True)
class Addresses:
    """What a remote is pushed to."""

    read: Address | None
    """The one whose answer counts; None: none of them is known to be the one that is read."""
    further: tuple[Address, ...] = ()


def of(repository: Repository, remote: str) -> Addresses:
    """By its name, where there is one address alone."""
    git = repository.git
    to = git.addresses(remote, pushes=True)
    if len(to) == 1:
        return Addresses(Address(remote, to[0]))
    every = [Address(*pair) for pair in zip(_given(repository, remote, to), to, strict=True)]
    read = _place(repository, git.addresses(remote, pushes=False)[0])
    first = next((one for one in every if _place(repository, one.whole) == read), None)
    return Addresses(first, tuple(one for one in every if one is not first))


def _given(repository: Repository, remote: str, whole: list[str]) -> list[str]:
    for key in ("pushurl", "url"):
        said = repository.git("config", "--get-all", f"remote.{remote}.{key}", ok=(0, 1)).text
        if said:
            given = said.split("\n")
            return given if len(given) == len(whole) else whole
    return whole


def _place(repository: Repository, address: str) -> str:
    """The same for each way to spell it; a folder here by where it really is."""
    place = normalise(address, machine_id="")
    if not place.startswith("/"):
        return place
    path = address.removeprefix("file://")
    real = os.path.realpath(os.path.join(os.fsdecode(repository.root), path))
    return normalise(real, machine_id="")
