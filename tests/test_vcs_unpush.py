"""A push that is refused for a file: the file leaves what is to be pushed, and nothing else does."""

import json
import os
import signal
from pathlib import Path

import pytest

from autosyncd.control import cli
from autosyncd.control.verb import DONE, PROBLEM_FOUND, WRONG_USAGE
from autosyncd.errors import AutosyncError
from autosyncd.vcs.git.finding import open_repository
from autosyncd.vcs.git.remotes import unpush
from autosyncd.vcs.git.remotes.answer import named_blobs, named_paths
from autosyncd.vcs.git.repository import Repository
from autosyncd.vcs.outcomes import CommitMade, NothingToCommit, Synced
from autosyncd.vcs.process import Runner
from tests.trees import MACHINE, Clone, World

SECRET = "token = abcdef\n"


@pytest.fixture
def laptop(world: World) -> Clone:
    """In sync with the hub, which from now on takes no history with SECRET in it."""
    (laptop,) = world.share({"a.txt": "one\n", "grows.bin": "small\n"}, "laptop")
    refuse(world)
    return laptop


def refuse(world: World, words: str = "$path: a secret was found, push declined") -> None:
    """A host that looks into each new commit."""
    hook = world.hub / "hooks/pre-receive"
    hook.write_text(
        "#!/bin/sh\nwhile read old new ref; do\n"
        "for c in $(git rev-list $new --not --all); do\n"
        "path=$(git grep -l 'token = ' $c | head -n 1 | cut -d: -f2-)\n"
        f'test -z "$path" || {{ echo "{words}" >&2; exit 1; }}\n'
        "done; done\n"
    )
    hook.chmod(0o755)


def refused(laptop: Clone) -> str:
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.refused
    assert not outcome.pushed
    return outcome.refused


def opened(clone: Clone) -> Repository:
    """As autosyncctl opens it, beside the worker."""
    return open_repository(str(clone.config.path), Runner(), clone.environment, machine=MACHINE)


def take_out(clone: Clone, path: str) -> unpush.Done:
    repository = opened(clone)
    try:
        return unpush.unpush(repository, unpush.plan(repository, os.fsencode(path)))
    finally:
        repository.rest()


def pushes(laptop: Clone, world: World) -> None:
    """What is here goes out, in a repository as sound as before."""
    outcome = laptop.sync()
    assert isinstance(outcome, Synced), outcome
    assert outcome.refused == ""
    assert world.hub_git("rev-parse", "main") == laptop.git("rev-parse", "HEAD")
    laptop.is_clean()


def on_hub(world: World) -> str:
    return world.hub_git("log", "-p", "--format=%s", "main")


def test_the_sentence_names_the_command_and_the_rest_goes_out(laptop: Clone, world: World) -> None:
    laptop.edit("keys/it is.txt", SECRET)
    laptop.edit("b.txt", "beside it\n")
    laptop.committed()
    laptop.edit("c.txt", "later\n")
    old = laptop.committed().head.commit
    words = refused(laptop)
    assert "a secret was found" in words
    assert words.endswith(f"autosyncctl unpush '{laptop.config.path}/keys/it is.txt'")
    done = take_out(laptop, "keys/it is.txt")
    assert done.excluded == (b"keys/it is.txt",)
    pushes(laptop, world)
    assert laptop.tracked() == {b"a.txt", b"grows.bin", b"b.txt", b"c.txt"}
    assert laptop.read("keys/it is.txt") == SECRET.encode()
    assert "token" not in on_hub(world)
    assert laptop.git("rev-parse", done.kept) == old
    assert laptop.history_has(SECRET)
    assert isinstance(laptop.commit(), NothingToCommit)


def test_a_commit_that_held_nothing_else_is_left_out(laptop: Clone, world: World) -> None:
    before = laptop.commits()
    laptop.edit("secret.txt", SECRET)
    laptop.committed()
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    refused(laptop)
    take_out(laptop, "secret.txt")
    assert laptop.commits() == before + 1
    pushes(laptop, world)


def test_each_commit_stays_as_it_was_but_for_the_path(laptop: Clone, world: World) -> None:
    laptop.edit("secret.txt", SECRET)
    laptop.edit("b.txt", "one\n")
    laptop.git("add", "-A")
    author = ("-c", "user.name=Böb", "-c", "user.email=bob@example.org")
    laptop.git(*author, "commit", "-qm", "By hand\n\n Indented", "--date=2001-02-03T04:05:06+0700")
    laptop.edit("b.txt", "two\n")
    laptop.committed()
    form = "--format=%an %ae %ad %cn %cd %B"
    before = laptop.git("log", form, "origin/main..")
    refused(laptop)
    take_out(laptop, "secret.txt")
    assert laptop.git("log", form, "origin/main..") == before
    pushes(laptop, world)


def test_a_file_that_the_remote_has_keeps_its_older_version_there(
    laptop: Clone, world: World
) -> None:
    laptop.edit("grows.bin", SECRET)
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    refused(laptop)
    done = take_out(laptop, "grows.bin")
    assert done.set_aside == (b"grows.bin",)
    pushes(laptop, world)
    assert laptop.git("show", "HEAD:grows.bin") == "small"
    assert laptop.read("grows.bin") == SECRET.encode()
    assert isinstance(laptop.commit(), NothingToCommit)
    laptop.edit("grows.bin", "harmless again\n")
    laptop.git("update-index", "--no-skip-worktree", "grows.bin")
    laptop.committed()
    pushes(laptop, world)


def test_the_person_names_it_and_it_is_committed(laptop: Clone, world: World) -> None:
    laptop.edit("secret.txt", SECRET)
    laptop.committed()
    refused(laptop)
    take_out(laptop, "secret.txt")
    laptop.edit("secret.txt", "harmless\n")
    assert isinstance(laptop.commit(), NothingToCommit)
    laptop.git("add", "-f", "secret.txt")
    assert isinstance(laptop.commit(ignore_staged=True), CommitMade)
    pushes(laptop, world)
    assert world.hub_git("show", "main:secret.txt") == "harmless"


def test_a_copy_of_the_same_content_goes_along(laptop: Clone, world: World) -> None:
    laptop.edit("secret.txt", SECRET)
    laptop.committed()
    laptop.move("secret.txt", "elsewhere/moved.txt")
    laptop.committed()
    refused(laptop)
    done = take_out(laptop, "secret.txt")
    assert done.excluded == (b"elsewhere/moved.txt",)
    assert laptop.read("elsewhere/moved.txt") == SECRET.encode()
    pushes(laptop, world)


def test_a_folder_is_taken_out_as_a_whole(laptop: Clone, world: World) -> None:
    for name in ("keys/one", "keys/deep/two", "keysnot"):
        laptop.edit(name, f"{name} {SECRET if '/' in name else ''}\n")
    laptop.committed()
    refused(laptop)
    done = take_out(laptop, "keys")
    assert done.excluded == (b"keys/deep/two", b"keys/one")
    pushes(laptop, world)
    assert b"keysnot" in laptop.tracked()


def test_a_file_that_is_gone_again_leaves_history_alone(laptop: Clone, world: World) -> None:
    laptop.edit("secret.txt", SECRET)
    laptop.committed()
    laptop.delete("secret.txt")
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    refused(laptop)
    done = take_out(laptop, "secret.txt")
    assert done.excluded == ()
    pushes(laptop, world)


def test_merges_with_other_machines_stay_merges(laptop: Clone, world: World) -> None:
    (world.hub / "hooks/pre-receive").unlink()
    desktop = world.clone("desktop")
    desktop.edit("grows.bin", "from the desktop\n")
    desktop.committed()
    desktop.sync()
    refuse(world)
    laptop.edit("secret.txt", SECRET)
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    refused(laptop)  # merged here, and not published
    take_out(laptop, "secret.txt")
    pushes(laptop, world)
    assert laptop.read("grows.bin") == b"from the desktop\n"
    assert len(laptop.git("log", "-1", "--format=%p").split()) == 2
    desktop.sync()
    assert desktop.files() == {
        name: content for name, content in laptop.files().items() if name != b"secret.txt"
    }


@pytest.mark.parametrize("winner", ["laptop", "desktop"])
def test_what_the_other_machine_made_of_the_file_stays(
    laptop: Clone, world: World, winner: str
) -> None:
    """Both have edited it, so one version is a conflict copy in the merge that is refused."""
    (world.hub / "hooks/pre-receive").unlink()
    desktop = world.clone("desktop")
    for clone in (laptop, desktop):
        for n in range(3 if clone.root.name == winner else 1):
            clone.edit(f"{clone.root.name}.txt", f"{n}\n")
            clone.committed()
    desktop.edit("grows.bin", "from the desktop\n")
    desktop.committed()
    desktop.sync()
    refuse(world)
    laptop.edit("grows.bin", SECRET)
    laptop.committed()
    refused(laptop)
    take_out(laptop, "grows.bin")
    pushes(laptop, world)
    assert laptop.git("show", "HEAD:grows.bin") == "from the desktop"
    assert SECRET.encode() in laptop.files().values()
    assert isinstance(laptop.commit(), NothingToCommit)
    assert "token" not in on_hub(world)
    desktop.sync()
    assert desktop.read("grows.bin") == b"from the desktop\n"


def test_an_empty_hub_that_refuses(world: World) -> None:
    laptop = world.clone("laptop")
    refuse(world)
    laptop.edit("secret.txt", SECRET)
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    refused(laptop)
    take_out(laptop, "secret.txt")
    pushes(laptop, world)
    assert laptop.tracked() == {b"b.txt"}


def test_commits_that_the_remote_has_are_never_rewritten(laptop: Clone) -> None:
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    head = laptop.git("rev-parse", "HEAD")
    with pytest.raises(AutosyncError, match="no commit that is still to be pushed"):
        take_out(laptop, "a.txt")
    assert laptop.git("rev-parse", "HEAD") == head


def test_nothing_is_done_with_staged_changes_of_it(laptop: Clone) -> None:
    laptop.edit("secret.txt", SECRET)
    head = laptop.committed().head.commit
    laptop.edit("secret.txt", "staged\n")
    laptop.git("add", "secret.txt")
    with pytest.raises(AutosyncError, match="git restore --staged"):
        take_out(laptop, "secret.txt")
    assert laptop.git("rev-parse", "HEAD") == head


def test_what_else_is_staged_stays_staged(laptop: Clone, world: World) -> None:
    laptop.edit("secret.txt", SECRET)
    laptop.committed()
    laptop.edit("a.txt", "staged\n")
    laptop.git("add", "a.txt")
    take_out(laptop, "secret.txt")
    assert laptop.status() == "M  a.txt"


@pytest.mark.parametrize("what", ["lock", "merge", "branch"])
def test_nothing_is_done_while_git_is_in_use(laptop: Clone, what: str) -> None:
    laptop.edit("secret.txt", SECRET)
    head = laptop.committed().head.commit
    if what == "branch":
        laptop.git("switch", "-qc", "other")
    else:
        laptop.edit(".git/index.lock" if what == "lock" else ".git/MERGE_HEAD", "")
    with pytest.raises(AutosyncError, match="Nothing was changed"):
        take_out(laptop, "secret.txt")
    assert laptop.git("rev-parse", "main") == head
    assert os.path.exists(laptop.path(".git/index.lock")) is (what == "lock")


def test_a_commit_made_meanwhile_is_not_lost(laptop: Clone) -> None:
    laptop.edit("secret.txt", SECRET)
    laptop.committed()
    repository = opened(laptop)
    planned = unpush.plan(repository, b"secret.txt")
    laptop.edit("b.txt", "meanwhile\n")
    head = laptop.committed().head.commit
    repository.rest()
    with pytest.raises(unpush.CannotUnpush, match="meanwhile"):
        unpush.unpush(repository, planned)
    repository.rest()
    assert laptop.git("rev-parse", "HEAD") == head
    laptop.is_clean()


@pytest.mark.parametrize("moved", [False, True], ids=["before the branch", "after it"])
@pytest.mark.parametrize("published", [False, True], ids=["new", "has an older version"])
def test_a_kill_in_the_middle_commits_nothing_anew(
    laptop: Clone, world: World, moved: bool, published: bool
) -> None:
    """Whoever then removes the lock, as they are told, has it pushed by nobody."""
    path = "a.txt" if published else "secret.txt"
    laptop.edit(path, SECRET)
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    laptop.driver.close()
    child = os.fork()
    if child == 0:
        try:
            move = unpush._move_refs

            def killed(*arguments: object, **named: object) -> None:
                if moved:
                    move(*arguments, **named)  # type: ignore[arg-type]
                os.kill(os.getpid(), signal.SIGKILL)

            unpush._move_refs = killed
            take_out(laptop, path)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    laptop.delete(".git/index.lock")
    laptop.reopen()
    for _ in range(2):
        laptop.commit(ignore_staged=True)
    assert laptop.git("show", f"HEAD:{path}", status=None) == ("one" if published else "")
    assert laptop.read(path) == SECRET.encode()
    if moved:
        pushes(laptop, world)


def test_a_signal_in_the_middle_takes_all_back(laptop: Clone, configured: Clone) -> None:
    excludes = laptop.read(".git/info/exclude")
    head, index = laptop.git("rev-parse", "HEAD"), laptop.git("ls-files", "-s")
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup(1)

            def hung_up(*_: object, **_named: object) -> None:
                os.kill(os.getpid(), signal.SIGHUP)
                signal.sigtimedwait([], 10)

            unpush._move_refs = hung_up
            os._exit(cli.main(["unpush", "--yes", configured.path("secret.txt")]))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == cli.INTERRUPTED
    assert not os.path.exists(laptop.path(".git/index.lock"))
    assert laptop.read(".git/info/exclude") == excludes
    assert (laptop.git("rev-parse", "HEAD"), laptop.git("ls-files", "-s")) == (head, index)


def test_a_sync_that_was_on_its_way_does_not_bring_it_back(laptop: Clone, world: World) -> None:
    """The branch is rewritten between the push that is refused and the update of the tree."""
    laptop.edit("secret.txt", SECRET)
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    pushed = laptop.driver._runner.run

    def run(argv, **more):  # type: ignore[no-untyped-def]
        done = pushed(argv, **more)
        if "push" in argv:
            laptop.driver._runner.run = pushed  # type: ignore[method-assign]
            take_out(laptop, "secret.txt")
        return done

    laptop.driver._runner.run = run  # type: ignore[method-assign]
    laptop.sync()
    assert SECRET.strip() not in laptop.git("log", "-p", "HEAD")
    pushes(laptop, world)


def test_names_that_look_like_patterns(laptop: Clone, world: World) -> None:
    names = ["a[b]*?.txt", "#x", "!y", "tail ", "new\nline", os.fsdecode(b"\xff")]
    for name in names:
        laptop.edit(name, SECRET.encode() + os.fsencode(name))
    laptop.edit("abc.txt", "stays\n")
    laptop.committed()
    for name in names:
        take_out(laptop, name)
    pushes(laptop, world)
    assert isinstance(laptop.commit(), NothingToCommit)
    assert laptop.tracked() == {b"a.txt", b"grows.bin", b"abc.txt"}
    assert {os.fsencode(name) for name in names} < set(laptop.files())


# the words of hosts

GH001 = """remote: error: Trace: 0123456789abcdef
remote: error: See https://gh.io/lfs for more information.
remote: error: File video/my film.mp4 is 123.45 MB; this exceeds GitHub's file size limit of 100.00 MB
remote: error: GH001: Large files detected. You may want to try Git Large File Storage."""
GH013 = """remote: error: GH013: Repository rule violations found for refs/heads/main.
remote:
remote: - GITHUB PUSH PROTECTION
remote:   ----------------------------------------
remote:     - Push cannot contain secrets
remote:       -- GitHub Personal Access Token ------
remote:        locations:
remote:          - commit: 0123456789abcdef0123456789abcdef01234567
remote:            path: config/it is.txt:12"""
GITLAB_SECRET = """remote: PUSH BLOCKED: Secrets detected in code changes
remote: Secret push protection found the following secrets in commit: 0123456789abcdef
remote: -- config/test.txt:2 | GitLab Personal Access Token"""
GITLAB_NAME = 'remote: GitLab: File name id_rsa was prohibited by the pattern "id_rsa$".'
GITLAB_SIZE = f"""remote: GitLab: You are attempting to check in files which exceed the 100MiB limit:
remote:
remote: - {"a" * 40} (120 MiB)"""
GITEA = "remote: error: branch main is protected from changing file .github/x.yml"


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (GH001, "video/my film.mp4"),
        (GH013, "config/it is.txt"),
        (GITLAB_SECRET, "config/test.txt"),
        (GITLAB_NAME, "id_rsa"),
        (GITEA, ".github/x.yml"),
    ],
)
def test_the_known_hosts_name_the_file(said: str, path: str) -> None:
    assert named_paths(said) == [path]


def test_gitlab_names_a_large_file_by_its_blob() -> None:
    assert named_blobs(GITLAB_SIZE) == ["a" * 40]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("'secret.txt' is not welcome", True),
        ("bad: secret.txt: no", True),
        ("- $(git rev-parse $new:secret.txt) (1 MiB)", True),
        ("refs/heads/main is closed, see the rules in not-secret.txt", False),
        ("main is closed", False),
    ],
)
def test_a_file_is_named_only_where_the_words_name_it(
    laptop: Clone, world: World, words: str, named: bool
) -> None:
    hook = world.hub / "hooks/pre-receive"
    hook.write_text(f'#!/bin/sh\nread old new ref\necho "{words}" >&2\nexit 1\n')
    laptop.edit("secret.txt", SECRET)
    laptop.edit("main", "a file named like a branch\n")
    laptop.committed()
    assert ("autosyncctl unpush" in refused(laptop)) is named


# the command


@pytest.fixture
def configured(laptop: Clone, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A file to be taken out, in a repository that the configuration lists."""
    folder = Path(os.environ["HOME"], ".config/autosync")
    folder.mkdir(parents=True)
    entry = json.dumps({"repositories": [{"path": str(laptop.config.path)}]})
    (folder / "autosync.yaml").write_text(entry)
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setattr("autosyncd.control.looking.machine_id", lambda: MACHINE)
    laptop.edit("secret.txt", SECRET)
    laptop.edit("b.txt", "one\n")
    laptop.committed()
    return laptop


def test_the_command_does_it_beside_a_worker(
    configured: Clone, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured.path("secret.txt")
    assert cli.main(["unpush", "--dry-run", path]) == DONE
    shown = capsys.readouterr().out
    assert "secret.txt" in shown
    assert "1 commit that no remote has" in shown
    assert shown.endswith("Nothing was changed.\n")
    assert b"secret.txt" in configured.tracked()
    assert cli.main(["unpush", "--yes", path]) == DONE
    assert "git add -f" in capsys.readouterr().out
    pushes(configured, world)
    assert b"secret.txt" not in configured.tracked()


def test_it_asks(
    configured: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured.path("secret.txt")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda *_: "n")
    assert cli.main(["unpush", path]) == PROBLEM_FOUND
    assert b"secret.txt" in configured.tracked()
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    assert cli.main(["unpush", path]) == DONE
    assert b"secret.txt" not in configured.tracked()


def test_json(configured: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["unpush", "--json", configured.path("secret.txt")]) == WRONG_USAGE
    capsys.readouterr()
    assert cli.main(["unpush", "--json", "--yes", configured.path("secret.txt")]) == DONE
    said = json.loads(capsys.readouterr().out)
    assert said["done"]
    assert said["paths"] == said["excluded"] == ["secret.txt"]
    assert said["commits"] == 1


def test_a_path_elsewhere_is_wrong_usage(configured: Clone, tmp_path: Path) -> None:
    assert cli.main(["unpush", "--yes", str(tmp_path / "x")]) == WRONG_USAGE
    assert cli.main(["unpush", "--yes", str(configured.root)]) == WRONG_USAGE
    assert cli.main(["unpush", "--yes", configured.path("nowhere")]) == PROBLEM_FOUND
