"""The command autosyncd, as a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from autosyncd import __version__
from autosyncd.config import schema
from tests.waiting import eventually


@pytest.fixture
def home(tmp_path):
    for name in ("home", "run", "config"):
        (tmp_path / name).mkdir()
    return tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH",)}
    return kept | {
        "HOME": str(home / "home"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        "PYTHONPATH": str(Path(__file__).parent.parent),
        **more,
    }


def autosyncd(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "autosyncd", *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        cwd=home,
    )


def test_version(home):
    assert autosyncd(home, "--version").stdout == f"autosyncd {__version__}\n"


def test_check_shows_the_repositories_with_every_setting(home):
    (home / "main.yaml").write_text(f"repositories:\n  - path: {home}/notes\n")
    ended = autosyncd(home, "--check", "--config", "main.yaml")
    assert ended.returncode == 0
    assert ended.stdout.startswith("repository notes (")
    assert f"  path: {home}/notes\n" in ended.stdout
    assert "  commit_after: 2s\n" in ended.stdout


def test_check_shows_every_problem_and_ends_with_78(home):
    (home / "main.yaml").write_text(
        "repositories:\n  - path: ~/notes\n    commit_affter: 2s\n    push: perhaps\n"
    )
    ended = autosyncd(home, "--check", "--config", "main.yaml")
    assert ended.returncode == 78
    assert "main.yaml:3: repositories[0].commit_affter: unknown key" in ended.stderr
    assert "main.yaml:4: repositories[0].push" in ended.stderr


@pytest.mark.parametrize("arguments", [["--check"], []])
def test_a_named_file_that_cannot_be_read_ends_with_78(home, arguments):
    ended = autosyncd(home, "--config", "missing.yaml", *arguments)
    assert ended.returncode == 78
    assert f"{home}/missing.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_whole_service_starts_refuses_a_second_and_ends(home):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(home / "notify"))
        systemd.settimeout(15)
        daemon = subprocess.Popen(
            [sys.executable, "-P", "-m", "autosyncd"],
            env=environment(home, NOTIFY_SOCKET=str(home / "notify")),
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            said = [systemd.recv(4096).decode() for _ in range(2)]
            assert said == [
                "READY=1",
                "STATUS=no repositories yet; add one with: autosyncctl add PATH",
            ]
            assert os.readlink(f"/proc/{daemon.pid}/cwd") == "/"
            second = autosyncd(home)
            assert second.returncode == 1
            who = f"Another autosyncd (process {daemon.pid}) runs with this configuration"
            assert second.stderr == f"error: {who}, so this one ends.\n"
            daemon.send_signal(signal.SIGTERM)
            _, log = daemon.communicate(timeout=15)
            assert daemon.returncode == 0
            assert "Traceback" not in log
        finally:
            daemon.kill()
            daemon.wait()


def test_it_starts_in_a_folder_that_was_removed(home):
    (home / "gone").mkdir()
    log = home / "log"
    with open(log, "wb") as stream:
        daemon = subprocess.Popen(
            ["sh", "-c", 'rmdir "$PWD"; exec "$0" -P -m autosyncd', sys.executable],
            env=environment(home),
            stderr=stream,
            cwd=home / "gone",
        )
    try:
        eventually(lambda: "started" in log.read_text())
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(15) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_a_file_named_from_a_folder_that_was_removed_is_said_to_be_missing(home):
    (home / "gone").mkdir()
    script = 'rmdir "$PWD"; exec "$0" -P -m autosyncd --config here.yaml'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable],
        env=environment(home),
        capture_output=True,
        text=True,
        cwd=home / "gone",
        check=False,
    )
    assert done.returncode == 78
    assert "here.yaml can't be found" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_edit_of_the_configuration_takes_effect_by_itself(home):
    (home / "main.yaml").write_text("repositories: []\n")
    log = home / "log"
    with open(log, "wb") as stream:
        daemon = subprocess.Popen(
            [sys.executable, "-P", "-m", "autosyncd", "--config", str(home / "main.yaml")],
            env=environment(home),
            stderr=stream,
        )
    try:
        eventually(lambda: "started" in log.read_text())
        (home / "main.yaml").write_text("repositories: []\nnonsense: 1\n")
        eventually(lambda: "main.yaml:2: nonsense: unknown key" in log.read_text(), 4)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(15) == 0
    finally:
        daemon.kill()
        daemon.wait()


def test_check_says_of_links_what_the_service_says(home):
    (home / "real/outer/inner").mkdir(parents=True)
    (home / "one").symlink_to("real/outer")
    (home / "two").symlink_to("real/outer/inner")
    text = f"repositories:\n  - path: {home}/one\n  - path: {home}/two\n"
    (home / "main.yaml").write_text(text)
    ended = autosyncd(home, "--check", "--config", "main.yaml")
    said = f"{home}/two leads to {os.path.realpath(home)}/real/outer/inner, which lies inside"
    assert ended.stderr.startswith(f"{home}/main.yaml:3: {said} the repository one;")
    assert "repository one (" in ended.stdout
    assert "repository two (" in ended.stdout
    assert ended.returncode == 78


def test_check_says_where_each_setting_was_made(home):
    text = "defaults:\n  push_after: 9s\nrepositories:\n  - path: %s\n    commit_after: 4s\n"
    text %= home / "notes"
    (home / "main.yaml").write_text(text + "alerts:\n  desktop: false\n")
    ended = autosyncd(home, "--check", "--origin", "--config", "main.yaml")
    main = home / "main.yaml"
    assert ended.returncode == 0
    for line in (
        f"  path: {home}/notes ({main}:4)",
        "  name: notes (from the path)",
        f"  commit_after: 4s ({main}:5)",
        f"  push_after: 9s ({main}:2)",
        "  safety.min_files: 20 (built in)",
        f"desktop alerts: off ({main}:7)",
        "transports: none; each repository is polled (built in)",
    ):
        assert line in ended.stdout.splitlines()


def through_shell(home: Path, script: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`script` in a shell, in which "$@" is autosyncd."""
    return subprocess.run(
        ["bash", "-c", script, "sh", sys.executable, "-P", "-m", "autosyncd"],
        env=environment(home, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=home,
    )


@pytest.mark.parametrize("option", ["", "--json"])
@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("| :", ""),
        (">/dev/full", "The output can't be written (No space left on device).\n"),
    ],
)
def test_a_check_that_can_not_be_written_says_so(home, option, where, said):
    many = "".join(f"  - path: {home}/r{number}\n" for number in range(200))
    (home / "main.yaml").write_text("repositories:\n" + many)
    script = f'"$@" --check {option} --config main.yaml {where}; exit "${{PIPESTATUS[0]}}"'
    done = through_shell(home, script)
    assert (done.returncode, done.stderr) == (1, said)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_check_needs_no_stream(home, closed):
    (home / "main.yaml").write_text(f"repositories:\n  - path: {home}/notes\n")
    done = through_shell(home, f'"$@" --check --config main.yaml {closed}')
    assert (done.returncode, done.stderr) == (0, "")


def test_a_check_is_shown_in_any_encoding(home):
    (home / "main.yaml").write_text(f"repositories:\n  - path: {home}/日本\n", "utf-8")
    done = through_shell(home, '"$@" --check --config main.yaml', PYTHONIOENCODING="latin-1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("repository \\u65e5\\u672c (")


def test_it_runs_without_any_standard_stream(home):
    """What is opened first must not get the numbers that children are given as their streams."""
    (home / "tree").mkdir()
    subprocess.run(["git", "init", "-q", str(home / "tree")], check=True)
    (home / "main.yaml").write_text(f"repositories:\n  - path: {home}/tree\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(home / "notify"))
        systemd.settimeout(30)
        script = 'exec "$0" -P -m autosyncd --config "$1" <&- >&- 2>&-'
        daemon = subprocess.Popen(
            ["sh", "-c", script, sys.executable, str(home / "main.yaml")],
            env=environment(home, NOTIFY_SOCKET=str(home / "notify")),
        )
        try:
            while "in sync" not in systemd.recv(4096).decode():
                pass
            here = f"/proc/{daemon.pid}/fd"
            assert [os.readlink(f"{here}/{number}") for number in range(3)] == [os.devnull] * 3
            daemon.send_signal(signal.SIGTERM)
            assert daemon.wait(15) == 0
        finally:
            daemon.kill()
            daemon.wait()


@pytest.mark.root
@pytest.mark.parametrize("option", ["", "--check"])
def test_a_user_without_a_home_is_told_what_is_missing(home, option):
    script = f'unset HOME XDG_CONFIG_HOME; exec setpriv --reuid 61234 --clear-groups "$@" {option}'
    done = through_shell(home, script)
    text = "No home folder is known: $HOME is not set, and the system doesn't know user 61234"
    assert done.returncode == 78
    assert done.stderr.removeprefix("error: ") == f"{text}; set HOME=.\n"


@pytest.mark.parametrize("option", ["--origin", "--json"])
def test_what_only_a_check_can_say_is_refused_without_one(home, option):
    assert autosyncd(home, option).returncode == 2


def test_check_speaks_json(home):
    (home / "main.yaml").write_text(
        f"defaults: {{push_after: 9s, safety: {{max_new: 7}}}}\nrepositories:\n"
        f"  - path: {home}/notes\n    alerts: [pulled, conflict]\n    exclude: [a/, b]\n"
        "alerts: {desktop: false}\ntransports:\n  fanout: {server: 'h.org:7', tls: false}\n"
        "  xmpp: {jid: a@b.org, password_command: [echo, secret-8]}\n"
    )
    main = f"{home}/main.yaml"
    ended = autosyncd(home, "--check", "--json", "--origin", "--config", "main.yaml")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "secret-8" not in ended.stdout
    said = json.loads(ended.stdout)
    (one,) = said["repositories"]
    assert (said["problems"], said["notes"]) == ([], [])
    assert (one["file"], one["line"]) == (main, 3)
    held = one["settings"]
    assert set(held) == set(schema.REPOSITORY.keys) == set(one["origin"])
    assert set(held["safety"]) == set(schema.SAFETY.keys) == set(one["origin"]["safety"])
    assert (held["path"], held["name"], held["branch"]) == (f"{home}/notes", "notes", None)
    assert (held["push_after"], held["large_file"], held["push"]) == (9.0, 100_000_000, True)
    assert (held["alerts"], held["exclude"]) == (["conflict", "pulled"], ["a/", "b"])
    assert (held["safety"]["max_new"], held["safety"]["max_deleted"]) == (7, 0.5)
    origin = one["origin"]
    assert (origin["push_after"], origin["safety"]["max_new"]) == (f"{main}:1", f"{main}:1")
    assert (origin["alerts"], origin["junk"]) == (f"{main}:4", "built in")
    assert said["transports"] == {
        "fanout": {"server": "h.org:7", "tls": False, "ca_file": None},
        "xmpp": {
            "jid": "a@b.org",
            "password_from": "a command",
            "server": None,
            "ca_file": None,
            "allow_plain": False,
        },
    }
    assert said["alerts"] == {"desktop": False, "xmpp": None}
    assert said["origin"]["transports"]["fanout"] == f"{main}:8"
    plain = json.loads(autosyncd(home, "--check", "--json", "--config", "main.yaml").stdout)
    assert "origin" not in plain
    assert "origin" not in plain["repositories"][0]


def test_problems_in_json_have_their_places(home):
    (home / "main.yaml").write_text("repositories:\n  - path: ~/notes\n    pusch: false\n")
    ended = autosyncd(home, "--check", "--json", "--config", "main.yaml")
    assert (ended.returncode, ended.stderr) == (78, "")
    (problem,) = json.loads(ended.stdout)["problems"]
    assert (problem["file"], problem["line"]) == (f"{home}/main.yaml", 3)
    assert problem["text"].startswith("repositories[0].pusch: unknown key")
    ended = autosyncd(home, "--check", "--json", "--config", "missing.yaml")
    said = json.loads(ended.stdout)
    assert (ended.returncode, said["repositories"]) == (78, [])
    (problem,) = said["problems"]
    assert (problem["file"], problem["line"]) == (f"{home}/missing.yaml", None)
    assert problem["text"].startswith("can't be read: ")
