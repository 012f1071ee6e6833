"""Real work trees for tests: a hub, and clones of it with a git driver each, as a worker has it."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from autosyncd.model import Head, RepoConfig
from autosyncd.vcs.changes import EVERYTHING, ChangeSet, Scope
from autosyncd.vcs.git.driver import GitDriver
from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.orders import CommitOrder, Stage, SyncOrder
from autosyncd.vcs.outcomes import (
    CommitMade,
    CommitOutcome,
    Identified,
    InspectOutcome,
    NothingToCommit,
    Question,
    Ready,
    Synced,
    SyncOutcome,
)
from autosyncd.worker import message, safety

MACHINE = "0123456789abcdef0123456789abcdef"


@dataclass
class Record:
    """A watcher that remembers what it was told."""

    stages: list[Stage] = field(default_factory=list)
    heads: list[Head] = field(default_factory=list)
    identities: list[Identified] = field(default_factory=list)

    def stage(self, stage: Stage) -> None:
        self.stages.append(stage)

    def identified(self, identity: Identified) -> None:
        self.identities.append(identity)

    def pushed(self, head: Head) -> None:
        self.heads.append(head)


class Clone:
    """A work tree on one of the person's machines."""

    def __init__(self, root: Path, environment: dict[str, str], **config: object) -> None:
        self.root, self.environment = root, environment
        self.config = RepoConfig(path=os.path.realpath(root), name="notes", **config)  # type: ignore[arg-type]
        self.told = Record()
        self.driver = self._driver()

    def _driver(self) -> GitDriver:
        config, host = self.config, self.root.name

        def guard(changes: ChangeSet) -> Question | None:
            return safety.check(changes, config.safety)

        def compose(changes: ChangeSet, branch: str, description: str) -> str:
            around = message.Circumstances(
                config.name, host, "alice", "2026-11-23 17:00:00", branch
            )
            return message.compose(config.message, changes, around, description)

        return GitDriver(
            config,
            guard=guard,
            compose=compose,
            watcher=self.told,
            host=host,
            machine=MACHINE,
            environment=self.environment,
        )

    # what the worker does

    def reopen(self, **config: object) -> InspectOutcome:
        """Another worker, perhaps with another configuration, takes the tree over."""
        self.driver.close()
        self.config = replace(self.config, **config)  # type: ignore[arg-type]
        self.driver = self._driver()
        return self.driver.inspect()

    def commit(self, *paths: str | bytes, **order: object) -> CommitOutcome:
        """Commit these paths, or everything."""
        scope = Scope(frozenset(os.fsencode(path) for path in paths)) if paths else EVERYTHING
        return self.driver.commit(CommitOrder(scope, **order))  # type: ignore[arg-type]

    def sync(self, *, fetch: bool = True, **order: object) -> SyncOutcome:
        return self.driver.sync(SyncOrder(fetch, **order))  # type: ignore[arg-type]

    def committed(self, *paths: str | bytes) -> CommitMade:
        """Commit, and be sure of it: the person's git sees a clean tree and a sound repository."""
        made = self.commit(*paths)
        assert isinstance(made, CommitMade), made
        self.is_clean()
        return made

    def has_nothing_to_commit(self) -> None:
        outcome = self.commit()
        assert isinstance(outcome, NothingToCommit), outcome

    # what the person does

    def git(self, *arguments: str | bytes, status: int | None = 0, stdin: bytes = b"") -> str:
        """The person's own git; `status` None: whatever it is."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert status is None or done.returncode == status, (
            arguments,
            done.returncode,
            done.stderr,
        )
        return os.fsdecode(done.stdout).rstrip("\n")

    def path(self, name: str | bytes) -> str:
        return os.path.join(os.fspath(self.root), os.fsdecode(name))

    def edit(self, name: str | bytes, content: str | bytes) -> None:
        """Write a file, and the folders it needs."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        data = content if isinstance(content, bytes) else content.encode()
        with open(path, "wb") as file:
            file.write(data)

    def read(self, name: str | bytes) -> bytes:
        with open(self.path(name), "rb") as file:
            return file.read()

    def move(self, old: str | bytes, new: str | bytes) -> None:
        os.makedirs(os.path.dirname(self.path(new)), exist_ok=True)
        os.rename(self.path(old), self.path(new))

    def delete(self, name: str | bytes) -> None:
        path = self.path(name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)

    def link(self, name: str | bytes, target: str) -> None:
        os.symlink(target, self.path(name))

    def commit_by_hand(self, name: str, content: str) -> None:
        """One file, edited and committed by the person's git."""
        self.edit(name, content)
        self.git("add", "--", name)
        self.git("commit", "-qm", f"By hand: {name}", "--", name)

    # what can be seen afterwards

    def files(self) -> dict[bytes, bytes]:
        """Every file on disk and what is in it; a symbolic link is `-> target`."""
        found = {}
        for folder, folders, names in os.walk(os.fsencode(self.root)):
            if b".git" in folders:
                folders.remove(b".git")
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in names + links:
                path = os.path.join(folder, name)
                relative = os.path.relpath(path, os.fsencode(self.root))
                if os.path.islink(path):
                    found[relative] = b"-> " + os.readlink(path)
                else:
                    found[relative] = Path(os.fsdecode(path)).read_bytes()
        return found

    def tracked(self, at: str = "HEAD") -> set[bytes]:
        listed = self.git("ls-tree", "-r", "-z", "--name-only", at)
        return {os.fsencode(name) for name in listed.split("\0") if name}

    def status(self) -> str:
        return self.git("status", "--porcelain")

    def is_clean(self) -> None:
        assert self.status() == ""
        self.is_sound()

    def is_sound(self) -> None:
        said = self.git("fsck", "--no-dangling", "--no-progress")
        assert said == "", said

    def commits(self) -> int:
        return int(self.git("rev-list", "--count", "HEAD"))

    def tree(self) -> str:
        return self.git("rev-parse", "HEAD^{tree}")

    def history_has(self, content: str | bytes) -> bool:
        """Whether these bytes are a file of any commit that can be reached."""
        data = content if isinstance(content, bytes) else content.encode()
        blob = self.git("hash-object", "--stdin", "--no-filters", stdin=data)
        return blob in self.git("rev-list", "--objects", "--all").split()


class World:
    """A folder with `hub.git` and the clones in it; as a whole it can be copied elsewhere."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.clones: dict[str, Clone] = {}

    @property
    def hub(self) -> Path:
        return self.folder / "hub.git"

    def hub_git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.hub, env=self.environment, capture_output=True, check=True
        )
        return os.fsdecode(done.stdout).rstrip("\n")

    def clone(self, name: str, *options: str, inspect: bool = True, **config: object) -> Clone:
        """Another clone of the hub, which it knows by a relative path."""
        subprocess.run(
            ["git", "clone", "-q", *options, "./hub.git", name],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            check=True,
        )
        clone = self.adopt(name, **config)
        clone.git("remote", "set-url", "origin", "../hub.git")
        if inspect:
            ready = clone.driver.inspect()
            assert isinstance(ready, Ready), ready
        return clone

    def adopt(self, name: str, **config: object) -> Clone:
        """A folder that is there already, without a look at it."""
        clone = Clone(self.folder / name, self.environment, **config)
        self.clones[name] = clone
        return clone

    def share(self, files: dict[str, str | bytes], *names: str) -> list[Clone]:
        """Clones (laptop and desktop) that both have these files."""
        first, *others = names or ("laptop", "desktop")
        author = self.clone(first)
        for name, content in files.items():
            author.edit(name, content)
        author.committed()
        author.sync()
        return [author, *(self.clone(name) for name in others)]

    def copy(self, folder: Path) -> "World":
        """The same world once more, with clones of the same names that went another way."""
        for clone in self.clones.values():
            clone.driver.close()
        shutil.copytree(self.folder, folder, symlinks=True)
        other = World(folder, self.environment)
        for name in self.clones:
            assert isinstance(other.adopt(name).driver.inspect(), Ready)
            assert isinstance(self.clones[name].reopen(), Ready)
        return other


def make_world(folder: Path, monkeypatch: pytest.MonkeyPatch, *, author: bool = True) -> World:
    """An empty hub in `folder`/world, and a person of whom git knows nothing else."""
    ignore_breaks()  # as a worker does
    home = folder / "home"
    home.mkdir()
    if author:
        identity = "[user]\n\tname = Alice\n\temail = alice@example.org\n"
        (home / ".gitconfig").write_text(identity + "[init]\n\tdefaultBranch = main\n")
    else:
        (home / ".gitconfig").write_text("[init]\n\tdefaultBranch = main\n")
    for name in [name for name in os.environ if name.startswith(("GIT_", "XDG_", "EMAIL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", os.fspath(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    world = World(folder / "world", dict(os.environ))
    world.folder.mkdir()
    subprocess.run(
        ["git", "init", "-q", "--bare", "hub.git"],
        cwd=world.folder,
        env=world.environment,
        check=True,
    )
    return world


def ahead(world: World) -> Clone:
    """A clone with one commit here and on the hub, and one more only here."""
    (clone,) = world.share({"a.txt": "one\n"}, "laptop")
    clone.edit("a.txt", "two\n")
    clone.committed()
    return clone


def push_from(clone: Clone, name: str, content: str) -> str:
    """Another machine edits, commits and pushes; the new head."""
    clone.edit(name, content)
    made = clone.committed()
    outcome = clone.sync()
    assert isinstance(outcome, Synced)
    assert outcome.pushed
    return made.head.commit
