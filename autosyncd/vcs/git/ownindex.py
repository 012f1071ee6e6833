"""What is known of the person's own index without asking git: it is asked again only after somebody else
has written it."""

import os

from autosyncd.vcs.git.command import LONG
from autosyncd.vcs.git.repository import Inventory, Repository, Signature


def signature(repository: Repository) -> Signature | None:
    """That of the person's index; None where there is none."""
    return _signature(repository.index)


def _signature(index: bytes) -> Signature | None:
    try:
        found = os.stat(index)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def about_to_publish(repository: Repository) -> None:
    """The private index is finished and is about to become the person's."""
    repository.ready = _signature(repository.private_index)


def was_published(repository: Repository, tree: str) -> None:
    """The index that was ready is the person's: it stands for this tree, unless another git was
    quicker with one of its own since."""
    now, ready = signature(repository), repository.ready
    same = now is not None and ready is not None and now[:3] == ready[:3]
    repository.clean = (now, tree) if same else None


def nothing_staged(repository: Repository, head: str, tree: str) -> bool:
    """Whether the person's index is known to stand for the tree of HEAD. git is asked only when
    somebody has written it since that was known."""
    now = signature(repository)
    if repository.clean is None or repository.clean[0] != now:
        if now is None:
            return False
        compare = ("diff-index", "--cached", "--quiet", "--ignore-submodules=none", head, "--")
        said = repository.git(*compare, ok=(0, 1), timeout=LONG)
        if said.code or signature(repository) != now:
            return False
        repository.clean = (now, tree)
    return repository.clean[1] == tree


def take_inventory(repository: Repository) -> Inventory | None:
    """What the person's index holds, counted once as long as nobody writes it; None while it is being
    written."""
    now = signature(repository)
    known = repository.inventory
    if known is None or known.signature != now:
        listed = repository.git("ls-files", "-v", "-z", timeout=LONG).out
        set_aside = frozenset((*_set_aside(listed), *_intended(repository)))
        repository.inventory = Inventory(now, listed.count(b"\0"), set_aside)
    return repository.inventory if signature(repository) == now else None


def keep_inventory(repository: Repository, before: Signature | None, growth: int) -> None:
    """The index that had the signature `before` was replaced by one of ours with so many files more:
    what is in it is known without counting."""
    known, clean = repository.inventory, repository.clean
    if known is not None and known.signature == before and clean is not None:
        repository.inventory = Inventory(clean[0], known.tracked + growth, known.set_aside)


def _intended(repository: Repository) -> list[bytes]:
    """What was added without its content (`git add -N`): tracked, and yet in no tree. Compared with
    the last commit it shows only if that is asked for."""
    compare = (
        "diff-index",
        "--cached",
        "--ita-visible-in-index",
        "--diff-filter=A",
        "--no-renames",
    )
    return repository.git(*compare, "--name-only", "-z", "HEAD", "--", timeout=LONG).records


def _set_aside(listed: bytes) -> list[bytes]:
    """The paths that `ls-files -v -z` gives another letter than H, of mostly none."""
    if listed.count(b"\0H ") + listed.startswith(b"H ") == listed.count(b"\0"):
        return []
    return [record[2:] for record in listed.split(b"\0")[:-1] if not record.startswith(b"H ")]
