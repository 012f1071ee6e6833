"""Each check of the doctor, against the real thing where there is one to be had."""

import json
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autosyncd.config.load import load
from autosyncd.control import branches, checks, cli, client, doctor, remotes
from autosyncd.control.finding import Level, problem
from autosyncd.control.local import LOCAL
from autosyncd.link.outside import (
    RepositoryStatus,
    Summary,
)
from autosyncd.model import RepoConfig, Status
from autosyncd.vcs.process import Runner
from autosyncd.watch.limits import Limits
from tests.buses import private_bus, running_messenger
from tests.waiting import eventually, listens


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    for name in tuple(os.environ):
        if name.startswith(("GIT_", "XDG_", "DBUS_", "SSH_")):
            monkeypatch.delenv(name)
    folder = tmp_path.resolve() / "home"
    (folder / ".config/autosync/autosync.d").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name, verb in LOCAL.items():
        monkeypatch.setitem(cli.VERBS, name, verb)
    return folder


def repository(home: Path, name: str, url: str = "") -> RepoConfig:
    path = home / name
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True)
    subprocess.run(["git", "-C", path, "config", "user.email", "a@b"], check=True)
    if url:
        subprocess.run(["git", "-C", path, "remote", "add", "origin", url], check=True)
    return RepoConfig(path=str(path), name=name)


def only(findings):
    (finding,) = findings
    return finding


def test_the_whole_verb_names_problems_and_shows_no_password(home, capfd):
    config = repository(home, "notes", "http://bob:hunter2@127.0.0.1:1/x.git")
    file = home / ".config/autosync/autosync.d/notes.yaml"
    file.write_text(f"repositories: [{{path: {config.path}}}]\n")
    (home / ".config/autosync/autosync.yaml").write_text("repositorys: []\n")
    assert cli.main(["doctor"]) == 1
    out = capfd.readouterr().out
    assert "problem  configuration:" in out
    assert "autosync.yaml:1" in out
    assert "problem  daemon: autosyncd can't be asked" in out
    assert "hunter2" not in out
    (home / ".config/autosync/autosync.yaml").unlink()
    assert cli.main(["doctor", "--json"]) == 1
    said = json.loads(capfd.readouterr().out)
    assert said["problems"] == 2
    texts = [one["text"] for one in said["findings"] if one["what"] == "notes"]
    assert "origin can't be reached" in texts[-1]
    assert "hunter2" not in json.dumps(said)


def test_git_is_there():
    assert checks.git_version().level is Level.OK


def test_an_old_git_and_none(tmp_path, monkeypatch):
    old = tmp_path / "git"
    old.write_text("#!/bin/sh\necho git version 2.30.2\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = checks.git_version()
    assert finding.level is Level.PROBLEM
    assert "2.30.2 is too old; install 2.38" in finding.text
    old.unlink()
    assert "can't be run" in checks.git_version().text


def test_a_missing_module_is_a_finding_and_no_traceback():
    finding = only(doctor.missing_modules(("yaml", "no_such_module")))
    assert finding.level is Level.PROBLEM
    assert "install no_such_module" in finding.text


def test_nothing_but_the_standard_library_is_needed_to_say_what_is_missing():
    code = (
        "import sys; names=('yaml','inotify_simple','dbus_fast','sdnotify')\n"
        "for name in names: sys.modules[name] = None\n"
        "from autosyncd.control import doctor\n"
        "found = list(doctor.findings())\n"
        "assert len(found) == 4, found\n"
        "assert 'python3-yaml' in found[0].text\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent.parent, capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()


def test_an_empty_configuration_is_a_hint(home):
    finding = only(checks.configured(load(None, environment=os.environ)))
    assert (finding.level, "autosyncctl add" in finding.text) == (Level.HINT, True)


@pytest.mark.parametrize(
    ("folders", "limits", "level"),
    [
        (5, Limits(watches=10, instances=9), Level.OK),
        (50, Limits(watches=10, instances=9), Level.PROBLEM),
        (5, Limits(), Level.HINT),
    ],
)
def test_watches(folders, limits, level):
    assert only(checks.watch_limits(folders, 2, limits)).level is level


def test_too_few_inotify_instances():
    *_, finding = checks.watch_limits(1, 9, Limits(watches=10, instances=9))
    assert finding.level is Level.PROBLEM
    assert "sudo sysctl fs.inotify.max_user_instances=1024" in finding.text


def test_a_repository_is_counted_and_its_remote_asked(home):
    subprocess.run(["git", "init", "-q", "--bare", home / "hub"], check=True)
    config = repository(home, "notes", str(home / "hub"))
    for folder in ("a/b", "ignored/c"):
        (home / "notes" / folder).mkdir(parents=True)
        (home / "notes" / folder / "x").touch()
    (home / "notes/.gitignore").write_text("ignored/\n")
    folders, found = remotes.check_repository(config)
    assert folders == 3
    assert [(one.level, one.text) for one in found] == [(Level.OK, "origin answers")]


def hub_with(home: Path, *branches: str) -> Path:
    """A hub whose own branch is the first of these."""
    hub, seed = home / "hub", home / "seed"
    subprocess.run(["git", "init", "-q", "--bare", "-b", branches[0], hub], check=True)
    subprocess.run(["git", "init", "-q", seed], check=True)
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    commit = ["git", "-C", seed, *identity, "commit", "-q", "--allow-empty", "-m", "one"]
    subprocess.run(commit, check=True)
    refs = [f"HEAD:refs/heads/{name}" for name in branches]
    subprocess.run(["git", "-C", seed, "push", "-q", hub, *refs], check=True)
    return hub


@pytest.mark.parametrize(
    ("branches", "level", "words"),
    [
        (["main"], Level.OK, "origin answers"),
        (["main", "draft"], Level.OK, "origin answers"),
        (
            ["master"],
            Level.PROBLEM,
            "origin has the branch master, and not main, which is synced here: nothing comes from "
            "there; to sync master here: git fetch origin && git switch master, with `branch: master` "
            "in the entry",
        ),
        (
            ["trunk", "a", "b", "c"],
            Level.PROBLEM,
            "has the branches a, b, c and 1 more, and not main",
        ),
        (["master", "main"], Level.HINT, "its own branch is master, and main is synced here"),
    ],
)
def test_a_remote_with_other_branches_is_told(home, branches, level, words):
    config = repository(home, "notes", str(hub_with(home, *branches)))
    _, found = remotes.check_repository(config)
    assert found[-1].level is level
    assert words in found[-1].text


def test_what_a_remote_says_of_its_branches():
    hostile = (
        b"ref: refs/heads/main\tHEAD\nzero\n\t\n1\tHEAD\n1\trefs/heads/a/\xff\n2\trefs/tags/main"
    )
    assert branches.read(hostile.splitlines()) == branches.Branches(("a/\\xff",))
    assert branches.read([]).told("origin", "main") == ""


def test_the_way_to_another_branch_can_be_walked(home):
    """Whatever the remote calls it."""
    hub = hub_with(home, "it's;exit")
    repository(home, "notes", str(hub))
    there = branches.Branches(("it's;exit",))
    command = there.going_there("origin")
    subprocess.run(["sh", "-c", command], cwd=home / "notes", check=True)
    head = home / "notes/.git/HEAD"
    assert head.read_text() == "ref: refs/heads/it's;exit\n"
    assert branches.Branches(("master",)).going_there("origin").endswith(" git switch master")


def test_the_way_to_another_branch_can_be_walked_in_a_clone_of_one_branch(home):
    hub = hub_with(home, "main", "master")
    clone = ["git", "clone", "-q", "--single-branch", "-b", "main", f"file://{hub}", home / "notes"]
    subprocess.run(clone, check=True)
    subprocess.run(["git", "-C", home / "notes", "switch", "-qc", "mine"], check=True)
    config = RepoConfig(str(home / "notes"), "notes")
    _, found = remotes.check_repository(config)
    command = re.search(r"to sync main here: (.*), with", found[-1].text)
    assert command
    assert "set-branches" in command[1]
    walked = command[1].replace("main", "master")
    subprocess.run(["sh", "-c", walked], cwd=home / "notes", check=True)
    assert (home / "notes/.git/HEAD").read_text() == "ref: refs/heads/master\n"


@pytest.mark.parametrize(
    ("remote", "level", "words"),
    [
        ("none", Level.OK, "commits stay here"),
        ("auto", Level.HINT, "git remote add origin"),
        ("hub", Level.PROBLEM, "no remote named hub"),
    ],
)
def test_no_remote(home, remote, level, words):
    path = repository(home, "notes").path
    _, found = remotes.check_repository(RepoConfig(path=path, name="notes", remote=remote))
    assert (found[-1].level, words in found[-1].text) == (level, True)


def test_a_remote_that_is_no_repository_or_would_ask(home):
    _, found = remotes.check_repository(repository(home, "one", str(home / "nowhere")))
    assert found[-1].level is Level.PROBLEM
    ssh = home / "ssh"
    ssh.write_text("#!/bin/sh\necho 'me@host: Permission denied (publickey).' >&2; exit 255\n")
    ssh.chmod(0o755)
    config = repository(home, "two", "me@host:x.git")
    subprocess.run(["git", "-C", config.path, "config", "core.sshCommand", str(ssh)], check=True)
    _, found = remotes.check_repository(config)
    assert found[-1].level is Level.PROBLEM
    assert "ssh-agent" in found[-1].text


def test_a_folder_that_is_no_repository_or_not_there(home):
    (home / "plain").mkdir()
    for name, words in (("plain", "not a git repository"), ("gone", "isn't there")):
        config = RepoConfig(path=str(home / name), name=name)
        folders, found = remotes.check_repository(config)
        assert folders == 0
        assert (only(found).level, words in only(found).text) == (Level.PROBLEM, True)


def test_nobody_known_as_author(home):
    config = repository(home, "notes")
    subprocess.run(["git", "-C", config.path, "config", "--unset", "user.email"], check=True)
    _, found = remotes.check_repository(config)
    assert any(one.level is Level.HINT and "no author" in one.text for one in found)


@pytest.mark.parametrize(
    ("url", "ssh"),
    [
        ("ssh://me@host/x", True),
        ("me@host:x", True),
        ("host:x", True),
        ("https://host:443/x", False),
        ("/a:b/c", False),
        ("./a:b", False),
        ("", False),
    ],
)
def test_which_addresses_are_ssh(url, ssh):
    assert remotes.is_ssh(url) is ssh


def test_an_agent_matters_only_to_ssh(home):
    plain, ssh = repository(home, "plain", "https://h/x"), repository(home, "ssh", "me@h:x")
    assert list(checks.ssh_agent([plain], {})) == []
    finding = only(checks.ssh_agent([plain, ssh], {}))
    assert finding.level is Level.HINT
    assert finding.text.startswith("for ssh: No ssh-agent with a key answers")


def test_the_agent_is_the_one_that_the_service_finds(home, tmp_path):
    """Not the terminal's, which the service may know nothing of."""
    ssh = repository(home, "ssh", "me@h:x")
    key, place = tmp_path / "key", tmp_path / "ssh-agent.socket"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL)
    try:
        eventually(lambda: listens(place))
        there = {**os.environ, "SSH_AUTH_SOCK": str(place)}
        own = {"XDG_RUNTIME_DIR": str(tmp_path), "SSH_AUTH_SOCK": "/nobody"}
        finding = only(checks.ssh_agent([ssh], own))
        assert finding.level is Level.HINT
        assert f"SSH_AUTH_SOCK={place} ssh-add" in finding.text
        subprocess.run(["ssh-add", "-q", key], env=there, check=True, capture_output=True)
        finding = only(checks.ssh_agent([ssh], own))
        assert (finding.level, finding.text) == (Level.OK, f"{place} holds 1 key")
        elsewhere = {"SSH_AUTH_SOCK": str(place)}
        assert only(checks.ssh_agent([ssh], elsewhere)).level is Level.HINT
    finally:
        process.terminate()
        process.wait(5)


def test_the_daemon_and_what_it_says(home, monkeypatch):
    assert only(checks.daemon()).level is Level.PROBLEM
    with private_bus("session") as bus:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", bus.address)
        with running_messenger(DBUS_SESSION_BUS_ADDRESS=bus.address) as messenger:
            row = RepositoryStatus("notes", "/n", Status.HALTED, "too many files", 1.0)
            messenger.order(Summary("notes: halted"), row)
            eventually(lambda: len(list(checks.daemon())) == 2)
            first, second = checks.daemon()
    assert (first.level, first.text) == (Level.OK, "notes: halted")
    assert second == problem("notes", "halted: too many files")


def test_one_that_the_system_runs_is_named(home, tmp_path, monkeypatch):
    unit = f"autosyncd@{pwd.getpwuid(os.geteuid()).pw_name}"
    (tmp_path / unit.replace("@", "-")).mkdir()
    monkeypatch.setattr(client, "RUN", str(tmp_path))
    finding = only(checks.daemon())
    assert finding.level is Level.HINT
    assert finding.text.endswith(f"systemctl status {unit}")
    assert "--user" not in finding.text


@pytest.mark.parametrize(("says", "level"), [("yes", Level.OK), ("no", Level.HINT)])
def test_lingering(tmp_path, monkeypatch, says, level):
    program = tmp_path / "loginctl"
    program.write_text(f"#!/bin/sh\necho {says}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert only(checks.lingering()).level is level


def test_lingering_without_loginctl_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert list(checks.lingering()) == []


def test_the_journal(tmp_path):
    assert list(checks.lasting_journal(str(tmp_path))) == []
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    assert only(checks.lasting_journal(str(tmp_path))).level is Level.HINT
    (tmp_path / "var/log/journal").mkdir(parents=True)
    assert only(checks.lasting_journal(str(tmp_path))).level is Level.OK


def test_a_remote_that_never_answers_is_given_up(home, monkeypatch):
    monkeypatch.setattr(remotes, "ANSWER_WITHIN", 0.2)
    ssh = home / "ssh"
    ssh.write_text("#!/bin/sh\nexec sleep 60\n")
    ssh.chmod(0o755)
    config = repository(home, "slow", "me@host:x.git")
    subprocess.run(["git", "-C", config.path, "config", "core.sshCommand", str(ssh)], check=True)
    _, found = remotes.check_repository(config)
    assert "does not answer within" in found[-1].text
    assert Runner().end_predecessors() == 0
