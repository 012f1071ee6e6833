"""add, clone and remove through the real command line, with real git and a home of their own."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from autosyncd.config.load import load
from autosyncd.control import cli
from autosyncd.control.adopt import pattern_for
from autosyncd.control.clone import folder_of
from autosyncd.control.local import LOCAL
from autosyncd.control.survey import File, Survey, as_json, size_text, some, text
from autosyncd.control.verb import DONE, NOT_REACHABLE, PROBLEM_FOUND, WRONG_USAGE, WrongUsage
from autosyncd.link.outside import Asked
from autosyncd.vcs.changes import EVERYTHING
from autosyncd.vcs.git.driver import GitDriver
from autosyncd.vcs.orders import CommitOrder, SyncOrder
from autosyncd.vcs.outcomes import CommitMade, Question, Ready
from autosyncd.worker import safety
from autosyncd.worker.main import machine_id
from tests.buses import private_bus, running_messenger
from tests.testbed import CHECKOUT
from tests.waiting import eventually


class Person:
    """Somebody at a terminal: what they type and what they see."""

    def __init__(self, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.home, self._capfd = home, capfd
        self.out = self.err = ""
        self.drop_ins = home / ".config/autosync/autosync.d"

    def types(self, *words: str) -> int:
        status = cli.main(words)
        self.out, self.err = self._capfd.readouterr()
        return status

    def git(self, *words: str) -> str:
        done = subprocess.run(["git", *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def folder(self, name: str, *files: str) -> Path:
        path = self.home / name
        for file in files:
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            (path / file).write_text(f"{file}\n")
        return path

    def repository(self, name: str, *files: str) -> Path:
        path = self.folder(name, *files)
        self.git("init", "-q", "-b", "main", str(path))
        return path

    def listed(self) -> list[str]:
        return [one.path for one in load(None, environment=os.environ).repositories]


@pytest.fixture
def person(tmp_path, monkeypatch, capfd) -> Person:
    for name in tuple(os.environ):
        if name.startswith(("GIT_", "XDG_", "DBUS_")):
            monkeypatch.delenv(name)
    home = tmp_path.resolve() / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(home)
    for name, verb in LOCAL.items():
        monkeypatch.setitem(cli.VERBS, name, verb)
    return Person(home, capfd)


def answering(monkeypatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda: answer)


def driver_for(path: Path) -> tuple[GitDriver, list[Question | None]]:
    (config,) = [
        one for one in load(None, environment=os.environ).repositories if one.path == str(path)
    ]
    answers: list[Question | None] = []

    def guard(changes):
        answers.append(safety.check(changes, config.safety))
        return answers[-1]

    class Watcher:
        def stage(self, stage):
            pass

        def identified(self, identity):
            pass

        def pushed(self, head):
            pass

    driver = GitDriver(
        config,
        guard=guard,
        compose=lambda *_: "all",
        watcher=Watcher(),
        host="here",
        machine=machine_id(),
        environment=os.environ,
    )
    return driver, answers


def test_a_dry_run_shows_everything_and_changes_nothing(person):
    path = person.repository(
        "notes", "a.txt", ".env", "keys/id_rsa", ".b.swp", "build/x", ".gitignore", "sub/c/d"
    )
    (path / ".gitignore").write_text("build/\n")
    (path / "big").write_bytes(b"x" * 2_000_000)
    person.repository("notes/sub/own", "q")
    person.git("-C", str(path), "remote", "add", "origin", "https://bob:hunter2@example.org/n.git")
    assert person.types("add", "notes", "--dry-run") == DONE
    lines = [" ".join(line.split()) for line in person.out.splitlines()]
    assert lines[0] == f"{path} (named notes)"
    assert "branch main" in lines
    assert "remote origin: https://example.org/n.git" in lines
    assert "now 4 files, 2.0 MB, would be committed and pushed" in lines
    assert "largest 2.0 MB big" in lines
    assert "left out ignored by git: build/" in lines
    assert "leftovers of editors and downloads: .b.swp" in lines
    assert "repositories of their own: sub/own" in lines
    assert "held back .env, keys/id_rsa: by the name, keys or passwords" in lines
    assert "hunter2" not in person.out + person.err
    assert not (path / ".git/autosync").exists()
    assert not person.drop_ins.exists()


def test_yes_writes_a_drop_in_and_the_worker_does_not_ask_again(person):
    path = person.repository("notes", *(f"f{number}" for number in range(30)), ".env")
    main = person.home / ".config/autosync/autosync.yaml"
    main.parent.mkdir(parents=True)
    main.write_text('defaults: {exclude: ["*.iso"], safety: {max_new: 3}}\n')
    assert person.types("add", str(path), "--yes", "--include", ".env") == DONE
    assert "Added, in" in person.out
    assert "systemctl --user enable --now autosyncd" in person.out
    (config,) = load(None, environment=os.environ).repositories
    assert (config.path, config.name, config.exclude) == (str(path), "notes", ("*.iso", "!.env"))
    driver, answers = driver_for(path)
    assert isinstance(driver.inspect(), Ready)
    outcome = driver.commit(CommitOrder(EVERYTHING))
    driver.close()
    assert isinstance(outcome, CommitMade)
    assert outcome.files == 31
    assert answers == [None]
    assert ".env" in person.git("-C", str(path), "ls-files").split()


def test_without_add_the_worker_would_have_asked(person):
    path = person.repository("notes", *(f"f{number}" for number in range(5)))
    main = person.home / ".config/autosync/autosync.yaml"
    main.parent.mkdir(parents=True)
    main.write_text(f"repositories: [{{path: {path}, safety: {{max_new: 3}}}}]\n")
    driver, _ = driver_for(path)
    driver.inspect()
    outcome = driver.commit(CommitOrder(EVERYTHING))
    driver.close()
    assert isinstance(outcome, Question)


def test_the_question_is_asked_once_and_no_leaves_no_trace(person, monkeypatch):
    path = person.repository("notes", "a")
    answering(monkeypatch, "")
    assert person.types("add", "notes") == PROBLEM_FOUND
    assert person.out.count("Go on? [y/N] ") == 1
    assert person.out.endswith("Go on? [y/N] Nothing was changed.\n")
    assert person.listed() == []
    assert not (path / ".git/autosync").exists()
    answering(monkeypatch, "y")
    assert person.types("add", "notes") == DONE
    assert person.listed() == [str(path)]


def test_without_a_terminal_or_yes_it_says_so(person):
    person.repository("notes", "a")
    assert person.types("add", "notes") == WRONG_USAGE
    assert "no terminal to ask" in person.err
    assert "1 file" in person.out
    assert person.types("add", "notes", "--json") == WRONG_USAGE
    assert person.listed() == []


def test_a_plain_folder_becomes_a_repository_only_after_yes(person, monkeypatch):
    path = person.folder("plain", "a", "b", ".env", "x/.c.swp")
    answering(monkeypatch, "n")
    assert person.types("add", "plain") == PROBLEM_FOUND
    assert "git init -b main" in person.out
    assert "2 files" in person.out
    assert "x/.c.swp" in person.out
    assert "held back .env" in person.out
    assert "waiting" not in person.out
    assert not (path / ".git").exists()
    answering(monkeypatch, "yes")
    assert person.types("add", "plain") == DONE
    assert person.git("-C", str(path), "symbolic-ref", "HEAD") == "refs/heads/main"
    driver, _ = driver_for(path)
    assert isinstance(driver.inspect(), Ready)
    assert isinstance(driver.commit(CommitOrder(EVERYTHING)), CommitMade)
    driver.close()


def test_nothing_is_in_the_way_of_a_folder_that_is_no_repository_yet(person):
    person.folder("plain", "a")
    assert person.types("add", "plain", "--dry-run", "--json") == DONE
    said = json.loads(person.out)
    assert (said["new_repository"], said["obstacle"]) == (True, "")


def test_json_says_it_all(person):
    path = person.repository("notes", "a", ".env")
    assert person.types("add", "notes", "--yes", "--json") == DONE
    said = json.loads(person.out)
    assert said["path"] == str(path)
    assert (said["files"], said["bytes"], said["added"], said["daemon"]) == (
        1,
        2,
        True,
        "not reached",
    )
    assert said["left_out"]["secret"] == {"count": 1, "names": [".env"]}
    assert said["largest"] == [{"path": "a", "bytes": 2}]
    assert Path(said["file"]).parent == person.drop_ins


def test_commits_that_are_not_pushed_yet_are_counted(person):
    path = person.repository("notes", "a")
    hub = person.home / "hub"
    person.git("init", "-q", "--bare", str(hub))
    person.git("-C", str(path), "remote", "add", "origin", str(hub))
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for subject in ("one", "two"):
        person.git("-C", str(path), *identity, "commit", "-q", "--allow-empty", "-m", subject)
    assert person.types("add", "notes", "--dry-run") == DONE
    assert "2 commits not known to be on origin would be pushed too" in person.out


def test_a_remote_that_has_another_branch_is_told_before_the_two_part(person):
    hub = person.home / "hub"
    person.git("init", "-q", "--bare", "-b", "master", str(hub))
    path = person.repository("notes", "a")
    person.git("-C", str(path), "remote", "add", "origin", str(hub))
    assert person.types("add", "notes", "--dry-run") == DONE
    assert "has the branch" not in person.out  # it has none yet
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    person.git("-C", str(path), *identity, "commit", "-q", "--allow-empty", "-m", "one")
    person.git("-C", str(path), "push", "-q", str(hub), "HEAD:refs/heads/master")
    assert person.types("add", "notes", "--dry-run") == DONE
    said = (
        "origin has the branch master, and not main, which would be synced here: nothing comes from"
    )
    assert said in person.out
    assert person.types("add", "notes", "--dry-run", "--json") == DONE
    assert json.loads(person.out)["apart"].startswith(said)
    person.git("-C", str(path), "push", "-q", "origin", "main")
    hub.rename(person.home / "away")  # what is known of the branch suffices
    assert person.types("add", "notes", "--dry-run") == DONE
    assert "has the branch" not in person.out


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("missing",), WRONG_USAGE, "There is no folder missing"),
        (("notes/a",), WRONG_USAGE, "is no folder; add the folder"),
        (("notes/sub",), PROBLEM_FOUND, "lies inside the repository"),
        ((".",), PROBLEM_FOUND, "the configuration"),
        (("notes", "--include", "nots"), WRONG_USAGE, "There is no file nots"),
        (("notes", "--include", "../x"), WRONG_USAGE, "as seen from the folder"),
        (("notes", "--include", "log"), WRONG_USAGE, "stays left out: .gitignore:1 says log"),
        (("notes", "--name", "a/b"), PROBLEM_FOUND, "is no name"),
        (("bare",), PROBLEM_FOUND, "is a bare repository"),
    ],
)
def test_what_can_not_be_added_is_told_in_a_sentence(person, words, status, sentence):
    path = person.repository("notes", "a", "sub/b", "log")
    (path / ".gitignore").write_text("log\n")
    person.git("init", "-q", "--bare", "bare")
    assert person.types("add", *words, "--yes") == status
    assert sentence in person.err
    assert person.err.startswith("autosyncctl: ")
    assert person.listed() == []


def test_a_folder_that_is_listed_already(person):
    path = person.repository("notes", "a")
    person.repository("other/notes", "a")
    link = person.home / "link"
    link.symlink_to(path)
    assert person.types("add", "link", "--yes") == DONE
    assert person.listed() == [str(path)]
    assert person.types("add", "notes", "--yes") == PROBLEM_FOUND
    assert f"is kept in sync already: {person.drop_ins}/notes.yaml:3" in person.err
    assert person.types("add", "other/notes", "--yes") == PROBLEM_FOUND
    assert "choose one with --name" in person.err
    assert person.types("add", "other/notes", "--yes", "--name", "more") == DONE
    assert len(person.listed()) == 2


def test_a_running_daemon_is_told(person, monkeypatch):
    person.repository("notes", "a")
    with private_bus("session") as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        with running_messenger(DBUS_SESSION_BUS_ADDRESS=bus.address) as messenger:
            eventually(lambda: person.types("reload") != NOT_REACHABLE)
            messenger.reported(Asked("reload"))
            messenger.reports.clear()
            assert person.types("add", "notes", "--yes") == DONE
            assert "autosyncd takes it up now." in person.out
            messenger.reported(Asked("reload"))


def test_remove_takes_back_what_add_wrote(person):
    path = person.repository("notes", "a")
    person.types("add", "notes", "--yes")
    assert person.types("remove", "notes") == DONE
    assert f"{path} itself stays as it is" in person.out
    assert (path / "a").exists()
    assert person.listed() == []
    assert person.types("remove", "notes") == WRONG_USAGE
    person.types("add", "notes", "--yes")
    assert person.types("remove", str(path / ".git"), "--json") == DONE
    assert json.loads(person.out)["removed"] == "notes"


def test_remove_leaves_what_a_person_wrote(person):
    person.folder("a", "x")
    person.folder("b", "x")
    main = person.home / ".config/autosync/autosync.yaml"
    main.parent.mkdir(parents=True)
    main.write_text(f"repositories:\n- path: {person.home}/a\n")
    assert person.types("remove", "a") == PROBLEM_FOUND
    assert f"edit {main}:2" in person.err
    person.drop_ins.mkdir()
    by_hand = person.drop_ins / "b.yaml"
    by_hand.write_text(f"repositories:\n- path: {person.home}/b\n")
    assert person.types("remove", "b") == PROBLEM_FOUND
    assert f"edit {by_hand}:2" in person.err
    assert len(person.listed()) == 2


def test_clone_then_add(person):
    person.repository("seed", "a")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    person.git("-C", "seed", "add", ".")
    person.git("-C", "seed", *identity, "commit", "-q", "-m", "a")
    person.git("clone", "-q", "--bare", "seed", "hub.git")
    assert person.types("clone", "hub.git", "--yes") == DONE
    assert (person.home / "hub/a").read_text() == "a\n"
    assert person.listed() == [str(person.home / "hub")]
    assert "nothing new would be committed" in person.out
    assert person.types("clone", "hub.git", "seed", "--yes", "--name", "x") == PROBLEM_FOUND
    assert "exists and is not empty" in person.err


def hub_that_names_no_branch_of_its(person, *branches: str) -> None:
    """As `git init --bare` makes it where that says master, and machines push others."""
    person.git("init", "-q", "--bare", "-b", "master", "hub.git")
    person.repository("seed", "a")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    person.git("-C", "seed", "add", ".")
    person.git("-C", "seed", *identity, "commit", "-q", "-m", "a")
    for branch in branches:
        person.git("-C", "seed", "push", "-q", "../hub.git", f"HEAD:refs/heads/{branch}")


def test_a_clone_takes_the_branch_that_there_is(person):
    hub_that_names_no_branch_of_its(person, "main")
    assert person.types("clone", "hub.git", "--yes") == DONE
    assert (person.home / "hub/a").read_text() == "a\n"
    head = (person.home / "hub/.git/HEAD").read_text()
    assert head == "ref: refs/heads/main\n"


def test_a_clone_does_not_guess_between_several_branches(person):
    hub_that_names_no_branch_of_its(person, "main", "work")
    assert person.types("clone", "hub.git", "--yes") == PROBLEM_FOUND
    target = person.home / "hub"
    assert f"(main, work); git switch to one in {target}, then: autosyncctl add" in person.err
    person.git("-C", "hub", "switch", "-q", "work")
    assert person.types("add", "hub", "--yes") == DONE


def test_a_clone_does_not_recite_all_branches(person):
    hub_that_names_no_branch_of_its(person, *"abcde")
    assert person.types("clone", "hub.git", "--yes") == PROBLEM_FOUND
    assert "is to be synced (a, b, c and 2 more); git switch" in person.err


def from_one_machine_to_the_next() -> list[list[str]]:
    """The commands that the front door names for that, word by word."""
    text = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    section = text.split("\n## From one machine to the next\n")[1].split("\n## ")[0]
    block = re.search(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert block
    return [line.partition(" #")[0].split() for line in block[1].splitlines()]


def test_the_readme_leads_from_one_machine_to_the_next(person, monkeypatch):
    make, name, clone = from_one_machine_to_the_next()
    nas, next_home = person.folder("nas", "disk"), person.home / "next"
    assert make[:2] == ["ssh", "nas"]
    subprocess.run(make[2:], cwd=nas, check=True, capture_output=True)

    def typed(words: list[str], home: Path) -> list[str]:
        return [word.replace("nas:", f"{nas}/").replace("~", str(home)) for word in words]

    path = person.folder("notes", "todo.md")
    assert person.types("add", "notes", "--yes") == DONE
    person.git(*typed(name, person.home)[1:])
    driver, _ = driver_for(path)
    driver.inspect()
    driver.commit(CommitOrder(EVERYTHING))
    driver.sync(SyncOrder(fetch=True))
    driver.close()

    next_home.mkdir()
    monkeypatch.setenv("HOME", str(next_home))
    program, *words = typed(clone, next_home)
    assert program == "autosyncctl"
    assert person.types(*words, "--yes") == DONE
    assert (next_home / "notes/todo.md").read_text() == "todo.md\n"


def test_a_clone_of_nothing_says_what_git_said(person):
    assert person.types("clone", "nothing", "x", "--yes") == PROBLEM_FOUND
    assert "nothing was cloned. (fatal: repository 'nothing' does not exist)" in person.err


def test_a_folder_that_holds_what_the_configuration_names_is_refused_untouched(person):
    folder = person.folder("certs", "ca.pem")
    main = person.home / ".config/autosync/autosync.yaml"
    main.parent.mkdir(parents=True)
    main.write_text("transports: {fanout: {server: localhost, ca_file: ~/certs/ca.pem}}\n")
    for words in (("--dry-run",), ("--yes",)):
        assert person.types("add", "certs", *words) == PROBLEM_FOUND
        assert f"{folder} can't be added: the ca_file ({folder}/ca.pem) lies in it" in person.err
    assert os.listdir(folder) == ["ca.pem"]
    assert person.types("add", ".config", "--yes") == PROBLEM_FOUND
    assert f"the configuration ({main}) lies in it" in person.err


def test_a_clone_that_fails_shows_no_password_and_leaves_nothing(person):
    url = "http://bob:hunter2@127.0.0.1:1/x.git"
    assert person.types("clone", url, "--yes") == PROBLEM_FOUND
    assert "nothing was cloned" in person.err
    assert "hunter2" not in person.out + person.err
    assert not (person.home / "x").exists()
    assert person.types("clone", url) == WRONG_USAGE
    assert person.types("clone", "--yes", "--", "--upload-pack=x") == WRONG_USAGE


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://example.org/a/notes.git", "notes"),
        ("host:notes", "notes"),
        ("me@host:a/b/", "b"),
        ("/srv/hub/.git", "hub"),
        ("https://bob:hunter2@example.org/.git", "example.org"),
    ],
)
def test_the_folder_of_a_clone(url, name):
    assert folder_of(url) == name


def test_an_address_without_a_name():
    with pytest.raises(WrongUsage, match="name one after it"):
        folder_of("/")


def test_patterns_take_a_file_literally(person):
    names = ("a*.key", "b?.pem", "[c].pem", "d\\e.key", "sub/.env")
    path = person.repository("notes", *names, "ax.key")
    includes = [word for name in names for word in ("--include", name)]
    assert person.types("add", "notes", "--yes", *includes) == DONE
    assert "6 files" not in person.out
    assert "5 files" in person.out
    assert "held back ax.key" in person.out
    assert pattern_for("./sub/.env") == "!sub/.env"
    assert person.listed() == [str(path)]


def test_sizes_and_names_as_people_read_them():
    assert [size_text(n) for n in (0, 999, 1000, 99_400, 999_499, 999_500, 2 * 10**12)] == [
        *("0 B", "999 B", "1.0 kB", "99 kB", "999 kB", "1.0 MB", "2.0 TB")
    ]
    assert some(["a"]) == "a"
    assert some(["a", "b", "c", "d"]) == "a, b, c and 1 more"


def test_names_that_are_not_utf_8_survive():
    survey = Survey(
        "/x", "x", "main", files=(File("\udcff\x1b[2J", 1),), left_out={"secret": ("\udcfe",)}
    )
    assert "\x1b" not in text(survey)
    text(survey).encode()
    as_json(survey).encode()
    assert json.loads(as_json(survey))["largest"][0]["path"] == "\udcff\x1b[2J"
