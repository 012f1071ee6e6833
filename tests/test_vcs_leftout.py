"""What is deliberately not committed, and that the person is told what and why."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autosyncd.vcs.git.lease import ignore_breaks
from autosyncd.vcs.outcomes import CommitMade, CommitOutcome, Failed, NothingToCommit, Ready, Synced
from tests.test_engine_held import OLD, THEIRS, Logger, exchange
from tests.trees import Clone, World, make_world


@pytest.fixture
def laptop(world: World) -> Clone:
    laptop = world.clone("laptop")
    laptop.edit("a.txt", "one\n")
    laptop.committed()
    return laptop


def left_out(outcome: CommitOutcome) -> dict[bytes, str]:
    """Path and kind of what an outcome names."""
    assert isinstance(outcome, CommitMade | NothingToCommit), outcome
    return {left.path: left.kind for left in outcome.left_out}


def make_nested(laptop: Clone, name: str, *, commit: bool) -> None:
    """A repository of its own inside the tree."""
    laptop.edit(f"{name}/inside.txt", "inside\n")
    laptop.git("init", "-q", name)
    if commit:
        laptop.git("-C", name, "add", "-A")
        laptop.git("-C", name, "commit", "-qm", "inside")


@pytest.mark.parametrize("commit", [True, False])
@pytest.mark.parametrize("scope", [(), ("nested",), ("nested/inside.txt",), ("nested/.git/index",)])
def test_a_nested_repository_never_becomes_a_gitlink(
    laptop: Clone, commit: bool, scope: tuple[str, ...]
) -> None:
    make_nested(laptop, "nested", commit=commit)
    outcome = laptop.commit(*scope)
    assert left_out(outcome) in (
        {b"nested": "nested"},
        {b"nested": "nested"} if scope == () else {},
    )
    assert laptop.tracked() == {b"a.txt"}
    assert laptop.read("nested/inside.txt") == b"inside\n"


@pytest.mark.parametrize("commit", [True, False])
def test_a_nested_repository_leaves_the_others_going(laptop: Clone, commit: bool) -> None:
    make_nested(laptop, "nested", commit=commit)
    laptop.edit("a.txt", "two\n")
    assert left_out(laptop.commit("a.txt", "nested")) == {b"nested": "nested"}
    assert laptop.git("show", "HEAD:a.txt") == "two"


def test_a_tracked_folder_that_becomes_a_repository_keeps_its_files_in_history(
    laptop: Clone,
) -> None:
    laptop.edit("project/code.py", "one\n")
    laptop.committed()
    make_nested(laptop, "project", commit=True)
    laptop.edit("project/code.py", "two\n")
    laptop.commit()
    assert "160000" not in laptop.git("ls-tree", "-r", "HEAD")
    assert laptop.read("project/code.py") == b"two\n"


def test_a_submodule_is_committed_as_its_link_and_never_touched(
    laptop: Clone, world: World, tmp_path: Path
) -> None:
    subprocess.run(["git", "init", "-q", tmp_path / "library"], env=world.environment, check=True)
    library = Clone(tmp_path / "library", world.environment)
    library.edit("code.py", "one\n")
    library.git("add", "-A")
    library.git("commit", "-qm", "one")
    allowed = ("-c", "protocol.file.allow=always")
    laptop.git(*allowed, "submodule", "--quiet", "add", f"{library.root}", "library")
    assert isinstance(laptop.commit(ignore_staged=True), CommitMade)
    laptop.is_clean()
    submodule = Clone(laptop.root / "library", world.environment)
    submodule.edit("code.py", "edited\n")
    assert isinstance(laptop.commit("library"), NothingToCommit)
    assert submodule.read("code.py") == b"edited\n"
    submodule.git("commit", "-qam", "two")
    assert isinstance(laptop.commit("library"), CommitMade)
    link = laptop.git("rev-parse", "HEAD:library")
    assert link == submodule.git("rev-parse", "HEAD")
    laptop.is_clean()


def test_a_new_file_larger_than_the_limit(laptop: Clone) -> None:
    laptop.reopen(large_file=1000)
    laptop.edit("big.bin", b"x" * 1001)
    laptop.edit("fits.bin", b"x" * 1000)
    outcome = laptop.commit()
    assert left_out(outcome) == {b"big.bin": "large"}
    assert laptop.tracked() == {b"a.txt", b"fits.bin"}


def test_a_tracked_file_may_grow_beyond_the_limit(laptop: Clone) -> None:
    laptop.reopen(large_file=1000)
    laptop.edit("a.txt", b"x" * 2000)
    assert laptop.committed().left_out == ()


def test_no_limit_is_no_limit(laptop: Clone) -> None:
    laptop.reopen(large_file=0)
    laptop.edit("big.bin", b"x" * 2000)
    assert laptop.committed().left_out == ()


SECRETS = [".env", "deep/.env.local", "id_ed25519", "server.key", "cert.pem", "pw.kdbx", ".netrc"]


@pytest.mark.parametrize("scope", [True, False])
def test_files_with_the_names_of_secrets_are_held_back_and_told(laptop: Clone, scope: bool) -> None:
    for name in SECRETS:
        laptop.edit(name, f"secret of {name}\n")
    outcome = laptop.commit(*(SECRETS if scope else ()))
    assert left_out(outcome) == {name.encode(): "secret" for name in SECRETS}
    assert laptop.tracked() == {b"a.txt"}


def test_a_secret_in_a_new_folder_is_told(laptop: Clone) -> None:
    laptop.edit("project/.env", "secret\n")
    laptop.edit("project/code.py", "code\n")
    assert left_out(laptop.commit("project")) == {b"project/.env": "secret"}


def test_an_exclude_with_an_exclamation_mark_takes_a_secret_in(laptop: Clone) -> None:
    laptop.reopen(exclude=("!.env",))
    laptop.edit(".env", "on purpose\n")
    assert left_out(laptop.commit()) == {}
    assert b".env" in laptop.tracked()
    laptop.is_clean()


def test_gitignore_takes_a_secret_in_or_keeps_it_out_without_a_word(laptop: Clone) -> None:
    laptop.edit(".gitignore", "!test.key\nserver.key\n")
    laptop.edit("test.key", "for tests\n")
    laptop.edit("server.key", "secret\n")
    assert left_out(laptop.commit()) == {}
    assert laptop.tracked() == {b"a.txt", b".gitignore", b"test.key"}


def test_a_secret_that_is_tracked_goes_on_being_tracked(laptop: Clone) -> None:
    laptop.edit(".env", "one\n")
    laptop.git("add", "-f", ".env")
    laptop.git("commit", "-qm", "On purpose")
    laptop.edit(".env", "two\n")
    assert laptop.committed(".env").files == 1


JUNK = [".a.swp", "4~", ".#lock", "#auto#", ".~lock.x.odt#", "~$x.docx", "x.part", ".DS_Store"]


def test_junk_is_not_committed_and_not_worth_a_word(laptop: Clone) -> None:
    for name in JUNK:
        laptop.edit(name, "junk\n")
    assert left_out(laptop.commit()) == {}
    assert laptop.tracked() == {b"a.txt"}


def test_junk_can_be_kept(laptop: Clone) -> None:
    laptop.reopen(junk="keep")
    for name in JUNK:
        laptop.edit(name, "kept\n")
    laptop.committed()
    assert laptop.tracked() == {b"a.txt", *(name.encode() for name in JUNK)}


def test_gitignore_exclude_and_info_exclude_all_hold(laptop: Clone) -> None:
    laptop.reopen(exclude=("*.iso", "build/"))
    laptop.edit(".git/info/exclude", "*.tmp\n")
    laptop.edit(".gitignore", "*.log\n")
    for name in ("x.iso", "build/out", "x.tmp", "x.log", "taken.txt"):
        laptop.edit(name, "x\n")
    laptop.commit()
    assert laptop.tracked() == {b"a.txt", b".gitignore", b"taken.txt"}


def test_the_persons_own_global_excludes_hold(laptop: Clone, tmp_path: Path) -> None:
    (tmp_path / "home/ignored").write_text("*.private\n")
    laptop.git("config", "--global", "core.excludesFile", "~/ignored")
    laptop.reopen()
    laptop.edit("x.private", "x\n")
    laptop.edit("x.txt", "x\n")
    laptop.committed()
    assert laptop.tracked() == {b"a.txt", b"x.txt"}


def test_the_default_place_of_global_excludes_holds(laptop: Clone, tmp_path: Path) -> None:
    laptop.edit(tmp_path.joinpath("home/.config/git/ignore").as_posix(), "*.private\n")
    laptop.reopen()
    laptop.edit("x.private", "x\n")
    assert isinstance(laptop.commit(), NothingToCommit)


@pytest.fixture(params=["the default place", "named", "named in a file that is included"])
def their_rules(request: pytest.FixtureRequest, laptop: Clone, tmp_path: Path) -> Path:
    """Where the person's own patterns will be; nothing is there yet, and git is told of it last."""
    home = tmp_path / "home"
    laptop.git("config", "--global", "include.path", "~/more")
    laptop.reopen()
    if request.param == "the default place":
        home.joinpath(".config/git").mkdir(parents=True)
        return home / ".config/git/ignore"
    home.joinpath("rules").write_text("")
    if request.param == "named":
        laptop.git("config", "--global", "core.excludesFile", "~/rules")
    else:
        home.joinpath("more").write_text("[core]\n\texcludesFile = ~/rules\n")
    laptop.has_nothing_to_commit()
    return home / "rules"


def test_a_global_rule_holds_from_the_moment_it_is_written(
    laptop: Clone, their_rules: Path
) -> None:
    """As it does for `git status`: what is private must not be published by the next verb."""
    laptop.edit("other.txt", "1\n")
    laptop.committed("other.txt")
    their_rules.write_text("*.private\n")
    laptop.edit("x.private", "x\n")
    assert isinstance(laptop.commit("x.private"), NothingToCommit)
    laptop.has_nothing_to_commit()
    their_rules.write_text("")
    laptop.committed("x.private")


def test_a_rules_file_that_is_named_later_holds_at_once(laptop: Clone, tmp_path: Path) -> None:
    tmp_path.joinpath("home/rules").write_text("*.private\n")
    laptop.edit("x.private", "x\n")
    laptop.git("config", "core.excludesFile", "~/rules")
    assert isinstance(laptop.commit("x.private"), NothingToCommit)
    laptop.git("config", "--unset", "core.excludesFile")
    laptop.committed("x.private")


def test_a_global_rule_holds_for_whatever_comes_next(laptop: Clone, their_rules: Path) -> None:
    """A snapshot goes to the remote, and a new folder is watched or not."""
    laptop.edit("a.txt", "staged\n")
    laptop.git("add", "a.txt")
    their_rules.write_text("*.private\nbuild/\n")
    laptop.edit("x.private", "x\n")
    laptop.edit("y.txt", "y\n")
    laptop.driver.snapshot()
    assert laptop.history_has("y\n")
    assert not laptop.history_has("x\n")
    their_rules.write_text("build/\n")
    laptop.edit("build/out", "x\n")
    assert laptop.driver.judge(frozenset({b"build"})) == {b"build"}


def test_an_ignored_folder_that_holds_tracked_files_is_not_an_ignored_folder(
    laptop: Clone,
) -> None:
    laptop.edit(".gitignore", "build/\nempty/\n")
    laptop.edit("build/keep.txt", "one\n")
    laptop.edit("build/out.o", "x\n")
    laptop.edit("empty/out.o", "x\n")
    laptop.git("add", "-f", "build/keep.txt")
    laptop.git("commit", "-qm", "Keep one")
    laptop.committed()
    ready = laptop.reopen()
    assert isinstance(ready, Ready)
    assert ready.ignored == {b"empty"}
    asked = frozenset({b"build", b"empty", b"nowhere"})
    assert laptop.driver.judge(asked) == {b"empty"}
    laptop.edit("build/keep.txt", "two\n")
    laptop.committed("build")
    assert laptop.git("show", "HEAD:build/keep.txt") == "two"


def test_judge_takes_names_literally(laptop: Clone) -> None:
    laptop.edit(".gitignore", "/b1/\n/[[]b]*/\n")
    for folder in ("b1", "[b]1", "*", "new\nline", "-x"):
        laptop.edit(f"{folder}/x", "x\n")
    asked = frozenset({b"b1", b"[b]1", b"*", b"new\nline", b"-x"})
    assert laptop.driver.judge(asked) == {b"b1", b"[b]1"}


def test_judge_of_nothing_and_before_a_look(world: World) -> None:
    desktop = world.clone("desktop", inspect=False)
    assert desktop.driver.judge(frozenset({b"x"})) == frozenset()
    desktop.driver.inspect()
    assert desktop.driver.judge(frozenset()) == frozenset()


def test_our_state_is_never_committed_nor_seen(laptop: Clone) -> None:
    ready = laptop.driver.inspect()
    assert isinstance(ready, Ready)
    assert os.fsdecode(ready.state_folder) == laptop.path(".git/autosync")
    laptop.is_clean()


# as somebody who is not root


@pytest.fixture
def commons(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world where an ordinary user can work."""
    folder = Path(tempfile.mkdtemp(prefix="autosync-test-"))
    try:
        yield make_world(folder, monkeypatch)
    finally:
        shutil.rmtree(folder)


def as_nobody(world: World, script: Callable[[], None], kept: str = "") -> None:
    """Run in a child that has given up root, as has all but `kept`; its assertions count."""
    if os.geteuid() == 0:
        for path in (world.folder.parent, *world.folder.parent.rglob("*")):
            if str(path) != kept:
                os.chown(path, 65534, 65534, follow_symlinks=False)
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            script()
            os._exit(0)
        except BaseException as problem:
            os.write(2, f"{problem!r}\n".encode())
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def test_an_unreadable_file_leaves_the_others_going(commons: World) -> None:
    def script() -> None:
        laptop = commons.clone("laptop")
        for name in ("secret.txt", "a.txt"):
            laptop.edit(name, "one\n")
        laptop.committed()
        for name in ("secret.txt", "a.txt", "new.txt"):
            laptop.edit(name, "changed\n")
        os.chmod(laptop.path("secret.txt"), 0)
        os.chmod(laptop.path("new.txt"), 0)
        found = left_out(laptop.commit())
        assert found == {b"secret.txt": "unreadable", b"new.txt": "unreadable"}, found
        assert laptop.git("show", "HEAD:a.txt") == "changed"
        assert laptop.git("show", "HEAD:secret.txt") == "one"
        os.chmod(laptop.path("secret.txt"), 0o644)
        os.chmod(laptop.path("new.txt"), 0o644)
        laptop.committed()

    as_nobody(commons, script)


def test_an_unreadable_folder_is_not_taken_for_deleted(commons: World) -> None:
    def script() -> None:
        laptop = commons.clone("laptop")
        for name in ("locked/a.txt", "b.txt"):
            laptop.edit(name, "one\n")
        laptop.committed()
        laptop.edit("b.txt", "changed\n")
        os.chmod(laptop.path("locked"), 0)
        try:
            laptop.commit()
            assert laptop.tracked() == {b"locked/a.txt", b"b.txt"}, laptop.tracked()
            assert laptop.git("show", "HEAD:b.txt") == "changed"
        finally:
            os.chmod(laptop.path("locked"), 0o755)

    as_nobody(commons, script)


def test_a_held_file_in_a_folder_that_is_shut_for_a_moment_stays_held(commons: World) -> None:
    def script() -> None:
        ignore_breaks()
        laptop, desktop = commons.share({"shut/app.log": OLD})
        logger = Logger(desktop.path("shut/app.log"))
        laptop.edit("shut/app.log", THEIRS)
        exchange(laptop)
        (synced,) = exchange(desktop)
        assert synced.held
        os.chmod(desktop.path("shut"), 0)
        try:
            desktop.commit()
        finally:
            os.chmod(desktop.path("shut"), 0o755)
        logger.close()
        assert isinstance(desktop.commit(), NothingToCommit)
        exchange(desktop, laptop)
        assert laptop.read("shut/app.log").decode() == THEIRS
        assert desktop.read("shut/app.log").decode() == THEIRS

    as_nobody(commons, script)


@pytest.mark.parametrize("scope", [(), ("shut",)])
def test_an_unreadable_folder_is_told_until_it_can_be_read(
    commons: World, scope: tuple[str, ...]
) -> None:
    def script() -> None:
        laptop = commons.clone("laptop")
        laptop.edit("a.txt", "one\n")
        laptop.committed()
        laptop.edit("shut/new.txt", "one\n")
        os.chmod(laptop.path("shut"), 0)
        try:
            assert left_out(laptop.commit(*scope)) == {b"shut": "unreadable"}
            assert laptop.tracked() == {b"a.txt"}
        finally:
            os.chmod(laptop.path("shut"), 0o755)
        assert left_out(laptop.commit(*scope)) == {}
        assert laptop.tracked() == {b"a.txt", b"shut/new.txt"}
        os.chmod(laptop.path("shut"), 0)
        try:
            assert left_out(laptop.commit(*scope)) == {b"shut": "unreadable"}
            assert laptop.tracked() == {b"a.txt", b"shut/new.txt"}
        finally:
            os.chmod(laptop.path("shut"), 0o755)
        laptop.is_clean()

    as_nobody(commons, script)


@pytest.mark.parametrize("where", ["objects", "refs/heads", ""])
def test_a_git_directory_that_can_not_be_written_is_named_with_the_way_out(
    commons: World, where: str
) -> None:
    def script() -> None:
        laptop = commons.clone("laptop")
        laptop.edit("a.txt", "one\n")
        laptop.committed()
        place = os.path.join(laptop.path(".git"), where).rstrip("/")
        shut = [place, *(Path(place).glob("??") if where == "objects" else ())]
        modes = [os.stat(one).st_mode for one in shut]
        for one in shut:
            os.chmod(one, 0o500)
        laptop.edit("a.txt", "two\n")
        try:
            outcome = laptop.commit()
            assert isinstance(outcome, Failed), outcome
            assert outcome.kind == "not-writable"
            assert outcome.text.startswith(f"{place} can't be written, since you have taken")
            assert f"chmod -R u+rwX {laptop.path('.git')}" in outcome.text
        finally:
            for one, mode in zip(shut, modes, strict=True):
                os.chmod(one, mode)
        laptop.committed()

    as_nobody(commons, script)


@pytest.mark.parametrize("scope", [(), ("a.txt",)])
def test_a_log_that_can_not_be_written_leaves_branch_and_index_together(
    commons: World, scope: tuple[str, ...]
) -> None:
    def script() -> None:
        laptop = commons.clone("laptop")
        laptop.edit("a.txt", "one\n")
        laptop.committed()
        laptop.edit("a.txt", "two\n")
        os.chmod(laptop.path(".git/logs/HEAD"), 0o400)
        try:
            outcome = laptop.commit(*scope)
            assert isinstance(outcome, CommitMade), outcome
            assert laptop.git("show", "HEAD:a.txt") == "two"
            laptop.is_clean()
        finally:
            os.chmod(laptop.path(".git/logs/HEAD"), 0o600)

    as_nobody(commons, script)


def test_what_belongs_to_somebody_else_is_told_with_the_command_that_gives_it_back(
    commons: World,
) -> None:
    laptop = commons.clone("laptop")
    laptop.edit("a.txt", "one\n")
    laptop.committed()
    objects = laptop.path(".git/objects")

    def script() -> None:
        laptop.edit("a.txt", "two\n")
        outcome = laptop.commit()
        assert isinstance(outcome, Failed), outcome
        assert f"{objects} can't be written, since it belongs to root" in outcome.text
        assert f"sudo chown -R nobody: {laptop.path('.git')}" in outcome.text

    if os.geteuid():
        pytest.skip("only root can give a folder away")
    laptop.driver.close()
    assert isinstance(laptop.reopen(), Ready)
    as_nobody(commons, script, kept=objects)


def test_a_hub_that_can_only_be_read_refuses_and_pulls_go_on(commons: World) -> None:
    def script() -> None:
        laptop, desktop = commons.share({"a.txt": "one\n"})
        desktop.edit("b.txt", "from the desktop\n")
        desktop.committed()
        desktop.sync()
        folders = [commons.hub, *(path for path in commons.hub.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(0o555)
        try:
            laptop.edit("a.txt", "two\n")
            laptop.committed()
            outcome = laptop.sync()
        finally:
            for folder in folders:
                folder.chmod(0o755)
        assert isinstance(outcome, Synced), outcome
        assert outcome.refused
        assert not outcome.pushed
        assert laptop.read("b.txt") == b"from the desktop\n"

    as_nobody(commons, script)


def long_path(length: int) -> str:
    """A path of that many bytes, in folders."""
    folders = "/".join(["f" * 200] * (length // 201 - 1))
    rest = length - len(folders) - 1
    return f"{folders}/{'g' * (rest // 2)}/{'h' * (rest - rest // 2 - 1)}"


def write_deep(laptop: Clone, path: str) -> None:
    """A file that no system call takes by its whole name."""
    *folders, name = path.split("/")
    above = os.open(laptop.root, os.O_RDONLY)
    for folder in folders:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, dir_fd=above)
        below = os.open(folder, os.O_RDONLY, dir_fd=above)
        os.close(above)
        above = below
    os.close(os.open(name, os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=above))
    os.close(above)


@pytest.fixture
def deep(laptop: Clone) -> Iterator[Clone]:
    """A tree in which paths may be made that pytest could not take away."""
    yield laptop
    subprocess.run(["rm", "-rf", *(str(one) for one in laptop.root.glob("f*"))], check=True)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("length", [4090, 4095])
def test_a_path_that_is_too_long_only_with_the_tree_before_it(
    deep: Clone, length: int, named: bool
) -> None:
    path = long_path(length)
    write_deep(deep, path)
    deep.committed(*([path] if named else []))
    assert deep.tracked() == {b"a.txt", path.encode()}


@pytest.mark.parametrize("length", [4096, 4200, 5025])
def test_a_path_that_is_too_long_is_told_and_leaves_the_others_going(
    deep: Clone, length: int
) -> None:
    path = long_path(length)
    write_deep(deep, path)
    deep.edit("b.txt", "one\n")
    for outcome in (deep.commit(), deep.commit()):
        ((told, kind),) = left_out(outcome).items()
        assert f"{path}/".startswith(os.fsdecode(told) + "/"), told
        assert kind == "name"
    assert deep.tracked() == {b"a.txt", b"b.txt"}


def test_a_path_that_is_too_long_here_is_held_and_named(world: World) -> None:
    laptop, desktop = world.share({"a.txt": "one\n"})
    path = long_path(4090)
    blob = laptop.git("hash-object", "-w", "--stdin", stdin=b"deep\n")
    laptop.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
    laptop.git("commit", "-qm", "Deep")
    laptop.git("push", "-q", "origin", "HEAD:main")
    try:
        (synced,) = exchange(desktop)
        (told,) = synced.held
        assert told.endswith("its name or path is longer than this system takes"), told
        assert isinstance(desktop.commit(), NothingToCommit), "it is not taken for a deletion"
        assert desktop.git("rev-parse", f"HEAD:{path}") == blob
    finally:
        subprocess.run(["rm", "-rf", desktop.path("f" * 200)], check=True)
