"""git over ssh: one connection a host, the person's agent, and no wait for somebody who is away."""

import contextlib
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from autosyncd.vcs.git import agent, command, sharing, ssh
from autosyncd.vcs.git.command import Git
from autosyncd.vcs.git.complaint import away
from autosyncd.vcs.git.ssh import Ssh
from autosyncd.vcs.git.sshcommand import host_of, works_elsewhere
from autosyncd.vcs.outcomes import AwayKind
from autosyncd.vcs.process import Runner
from tests.daemons import git
from tests.testbed import GitServers
from tests.waiting import eventually, listens


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServers]:
    with GitServers(tmp_path_factory.mktemp("servers")) as servers:
        yield servers


@pytest.fixture
def runtime() -> Iterator[Path]:
    """A short $XDG_RUNTIME_DIR, as people have; its connections end with it."""
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))
    yield folder
    for master in masters(folder):
        os.kill(master, signal.SIGKILL)
    shutil.rmtree(folder)


def masters(runtime: Path) -> list[int]:
    """The processes that hold a shared connection, which ssh names after its socket."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if line.startswith(b"ssh: " + os.fsencode(runtime)):
                found.append(int(entry.name))
    return found


def sockets(runtime: Path) -> list[str]:
    folder = runtime / "autosync"
    return sorted(path.name for path in folder.glob("ssh-*"))


class Place:
    """A repository with one remote, and our git in it."""

    def __init__(self, folder: Path, url: str, environment: Mapping[str, str]) -> None:
        folder.mkdir()
        self.url = url
        git(folder, "init", "-q", "-b", "main")
        git(folder, "remote", "add", "origin", url)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "SSH_", "XDG_"))}
        self.git = Git(os.fsencode(folder), Runner(), {**kept, "HOME": str(folder), **environment})
        self.git.use_quiet_ssh()

    def look(self) -> command.Result:
        return self.git.network("ls-remote", "origin")


def environment(servers: GitServers, runtime: Path, **more: str) -> dict[str, str]:
    return {**servers.environment, "XDG_RUNTIME_DIR": str(runtime), **more}


@pytest.fixture
def place(tmp_path: Path, servers: GitServers, runtime: Path) -> Place:
    return Place(tmp_path / "tree", servers.url("ssh"), environment(servers, runtime))


# one connection a host


def logins(servers: GitServers) -> int:
    return (servers.folder / "ssh.log").read_text().count("Accepted publickey")


def test_the_second_command_makes_no_connection(
    place: Place, servers: GitServers, runtime: Path
) -> None:
    before = logins(servers)
    assert [place.look().code for _ in range(3)] == [0, 0, 0]
    assert logins(servers) == before + 1
    assert len(masters(runtime)) == len(sockets(runtime)) == 1


def test_what_stays_does_not_hold_the_tree(place: Place, runtime: Path) -> None:
    """Or a stick with a repository on it could not be unmounted."""
    place.look()
    (master,) = masters(runtime)
    assert os.readlink(f"/proc/{master}/cwd") == "/"


def test_when_the_service_ends_nothing_of_it_is_left(place: Place, runtime: Path) -> None:
    """Or the service manager has to kill it, and says so at every stop."""
    place.look()
    (runtime / "autosync" / "instance.lock").touch()
    sharing.end_all({**os.environ, "XDG_RUNTIME_DIR": str(runtime)})
    eventually(lambda: not masters(runtime))
    assert "instance.lock" in os.listdir(runtime / "autosync")


def test_a_connection_that_hangs_does_not_hold_up_the_end(
    place: Place, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.look()
    os.kill(masters(runtime)[0], signal.SIGSTOP)
    monkeypatch.setattr(sharing, "ENDING", 0.2)
    sharing.end_all({**os.environ, "XDG_RUNTIME_DIR": str(runtime)})
    assert sockets(runtime) == []


def test_another_tree_of_the_same_host_shares_it(
    place: Place, servers: GitServers, runtime: Path, tmp_path: Path
) -> None:
    place.look()
    before = logins(servers)
    other = Place(tmp_path / "other", servers.url("ssh"), environment(servers, runtime))
    assert other.look().code == 0
    assert logins(servers) == before


def test_a_stale_socket_is_no_obstacle(place: Place, runtime: Path, servers: GitServers) -> None:
    place.look()
    for master in masters(runtime):
        os.kill(master, signal.SIGKILL)
    eventually(lambda: not masters(runtime))
    assert sockets(runtime)
    before = logins(servers)
    assert place.look().code == 0
    assert logins(servers) == before + 1


def test_an_answer_that_is_a_no_is_not_the_connections_fault(
    place: Place, servers: GitServers, runtime: Path
) -> None:
    """Or each push that another machine came before would cost a handshake more."""
    place.look()
    before = logins(servers)
    assert place.git.network("fetch", "origin", "refs/heads/nowhere").code != 0
    git(Path(os.fsdecode(place.git.root)), "commit", "-q", "--allow-empty", "-m", "one")
    lease = "--force-with-lease=refs/heads/refused:" + "1" * 40
    refused = place.git.network("push", lease, "origin", "HEAD:refs/heads/refused")
    assert "stale info" in refused.complaint
    assert logins(servers) == before
    assert len(masters(runtime)) == 1


def test_a_connection_that_is_left_ends(place: Place, runtime: Path) -> None:
    place.look()
    assert place.git.network("ls-remote", place.url + "-that-is-not-there").code != 0
    eventually(lambda: not masters(runtime))


def test_a_connection_that_hangs_is_left_after_one_failure(
    place: Place, runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "routes").write_text("the same network throughout, whatever other tests do\n")
    monkeypatch.setattr(sharing, "ROUTES", str(tmp_path / "routes"))
    place.look()
    (master,) = masters(runtime)
    os.kill(master, signal.SIGSTOP)
    monkeypatch.setattr(command, "SILENCE", 0.3)
    hung = place.look()
    assert hung.code != 0
    assert "fell silent" in hung.complaint
    assert sockets(runtime) == []
    monkeypatch.setattr(command, "SILENCE", 30.0)
    assert place.look().code == 0


def test_another_network_is_another_connection(
    place: Place, servers: GitServers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.look()
    before = logins(servers)
    routes = tmp_path / "routes"
    routes.write_text("wlan0\t00000000\t0101A8C0\t0003\t0\t0\t600\n")
    monkeypatch.setattr(sharing, "ROUTES", str(routes))
    assert place.look().code == 0
    assert logins(servers) == before + 1
    routes.write_text("wlan0\t00000000\t0101A8C0\t0003\t7\t9\t600\n")  # counters
    assert place.look().code == 0
    assert logins(servers) == before + 1


def test_a_machine_that_never_slept_has_one_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two clocks are read one after the other: their difference is a little more or less than 0."""
    found = set()
    for difference in (-1e-6, 1e-6):
        monkeypatch.setattr(sharing.clock, "now", lambda difference=difference: 1000.0 + difference)
        monkeypatch.setattr(sharing.clock, "monotonic_usec", lambda: 1_000_000_000)
        found.add(sharing._network())
    assert len(found) == 1


@pytest.mark.parametrize("setting", ["ControlMaster auto", "ControlPath ~/%C"])
def test_the_persons_own_sharing_is_left_alone(
    setting: str, tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    settings = tmp_path / "settings"
    settings.write_text(f"Host *\n  {setting}\n")
    given = environment(servers, runtime)
    given["GIT_SSH_COMMAND"] = given["GIT_SSH_COMMAND"].replace("-F none", f"-F {settings}")
    place = Place(tmp_path / "tree", servers.url("ssh"), given)
    assert place.look().code == 0
    assert sockets(runtime) == []


def test_a_command_that_says_no_is_heeded(
    tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    given = environment(servers, runtime)
    given["GIT_SSH_COMMAND"] += " -o ControlMaster=no -o ControlPath=none"
    place = Place(tmp_path / "tree", servers.url("ssh"), given)
    assert place.look().code == 0
    assert sockets(runtime) == []


@pytest.mark.parametrize("folder", ["x" * 60, "with blank", "100%"])
def test_a_folder_that_no_socket_fits_into_means_no_sharing(
    folder: str, tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    (runtime / folder).mkdir()
    given = environment(servers, runtime / folder)
    place = Place(tmp_path / "tree", servers.url("ssh"), given)
    assert place.look().code == 0
    assert sockets(runtime / folder) == []


def test_a_full_or_missing_runtime_folder_means_no_sharing(
    tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    (runtime / "autosync").write_text("in the way")
    place = Place(tmp_path / "tree", servers.url("ssh"), environment(servers, runtime))
    assert place.look().code == 0


def test_what_killed_connections_left_is_swept(place: Place, runtime: Path) -> None:
    (runtime / "autosync").mkdir()
    for name in ("ssh-0123-old", "0123.lock"):
        (runtime / "autosync" / name).touch()
        os.utime(runtime / "autosync" / name, (0, 0))
    place.look()
    assert "ssh-0123-old" not in sockets(runtime)
    assert (runtime / "autosync" / "0123.lock").exists()


def test_two_names_of_one_host_have_a_connection_each(runtime: Path) -> None:
    """Their keys, and so whom the server takes us for, may differ."""
    lines = [
        Ssh(Runner(), "ssh").line(host, {"XDG_RUNTIME_DIR": str(runtime), "HOME": "/nonexistent"})
        for host in ("git@work", "git@home")
    ]
    assert lines[0].sockets != lines[1].sockets


def test_a_remote_that_is_moved_is_not_sent_over_the_old_connection(
    place: Place, servers: GitServers
) -> None:
    place.look()
    git(Path(os.fsdecode(place.git.root)), "remote", "set-url", "origin", "nobody@127.0.0.1:x")
    assert place.look().code != 0


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("ssh://git@example.org:22/x.git", "git@example.org:22"),
        ("git+ssh://example.org/x", "example.org"),
        ("git@example.org:x.git", "git@example.org"),
        ("example.org:x", "example.org"),
        ("git@[::1]:x", "git@[::1]"),
        ("ssh://git@[fe80::1]:2222/x", "git@[fe80::1]:2222"),
        ("https://example.org/x", None),
        ("git://example.org/x", None),
        ("file:///srv/x", None),
        ("/srv/x", None),
        ("./a:b", None),
        ("", None),
    ],
)
def test_which_addresses_ssh_leads_to(address: str, host: str | None) -> None:
    assert host_of(address) == host


@pytest.mark.parametrize(
    ("words", "elsewhere"),
    [
        ("ssh", True),
        ("ssh -p 22 -o BatchMode=yes", True),
        ("/usr/bin/ssh -i /k -F none -o UserKnownHostsFile=/k", True),
        ("ssh -i ~/.ssh/key", True),
        ("ssh -i key", False),
        ("ssh -o IdentityFile=key", False),
        ("ssh -F sub/config", False),
        ("./ssh", False),
        ("ssh -i 'unfinished", False),
    ],
)
def test_a_command_that_needs_its_folder_is_told(words: str, elsewhere: bool) -> None:
    assert works_elsewhere(words) is elsewhere


# the agent


@pytest.fixture
def client(tmp_path: Path, servers: GitServers) -> tuple[str, Path]:
    """An ssh command without a key, and a copy of the key that the server takes."""
    key = tmp_path / "key"
    shutil.copy(servers.folder / "client-key", key)
    key.chmod(0o600)
    known = f"-o UserKnownHostsFile={servers.folder}/known_hosts"
    return f"ssh -F none -o IdentityFile=/proc/nonexistent {known}", key


@contextlib.contextmanager
def agent_at(address: Path, key: Path | None = None, *options: str) -> Iterator[None]:
    address.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(address)],
        env={**os.environ, "SSH_ASKPASS": "/bin/false", "DISPLAY": ":99"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: listens(address))
        if key is not None:
            env = {**os.environ, "SSH_AUTH_SOCK": str(address)}
            subprocess.run(
                ["ssh-add", "-q", *options, str(key)], env=env, check=True, capture_output=True
            )
        yield
    finally:
        process.terminate()
        process.wait(5)


@pytest.mark.parametrize(
    "place_of_it",
    ["ssh-agent.socket", "openssh_agent", "gcr/ssh", "keyring/ssh", "gnupg/S.gpg-agent.ssh"],
)
def test_an_agent_is_found_where_agents_listen(
    place_of_it: str, client: tuple[str, Path], tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime)}
    place = Place(tmp_path / "tree", servers.url("ssh"), given)
    with agent_at(runtime / place_of_it, client[1]):
        assert place.look().code == 0
        assert place.look().code == 0


def test_an_agent_that_comes_later_is_found_without_a_restart(
    client: tuple[str, Path], tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    gone = str(runtime / "gone")
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime), "SSH_AUTH_SOCK": gone}
    place = Place(tmp_path / "tree", servers.url("ssh"), given)
    assert "import-environment SSH_AUTH_SOCK" in place.look().complaint
    with agent_at(runtime / "gcr/ssh"):
        assert "holds no key; give it yours with: SSH_AUTH_SOCK=" in place.look().complaint
    with agent_at(runtime / "ssh-agent.socket", client[1]):
        assert place.look().code == 0


def as_typed(command: str, **environment: str) -> None:
    """A command that the status names, in a shell that knows of no agent."""
    kept = {key: value for key, value in os.environ.items() if key != "SSH_AUTH_SOCK"}
    subprocess.run(["sh", "-ec", command], env=kept | environment, check=True, capture_output=True)


def test_the_command_that_is_named_gives_the_agent_its_key(
    client: tuple[str, Path], tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime)}
    place = Place(tmp_path / "tree", servers.url("ssh"), given)
    with agent_at(runtime / "gcr/ssh"):
        text = away(place.look().complaint, "origin").text
        command = text.partition("give it yours with: ")[2].partition(" (or,")[0]
        as_typed(f"{command} -q {client[1]}")
        assert place.look().code == 0


def test_an_agent_of_gpg_without_keys_is_not_the_one_to_give_them_to(
    client: tuple[str, Path], tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    """systemd has it listen for everybody on Debian; it asks where nobody sees it."""
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime)}
    with agent_at(runtime / agent.GPG):
        place = Place(tmp_path / "tree", servers.url("ssh"), given)
        said = place.look().complaint
        assert "eval $(ssh-agent) && ssh-add" in said
        assert "import-environment SSH_AUTH_SOCK" in said
        given["SSH_AUTH_SOCK"] = str(runtime / agent.GPG)  # unless somebody has said so
        told = Place(tmp_path / "other", servers.url("ssh"), given)
        assert f"{agent.GPG} holds no key" in told.look().complaint


def test_what_the_session_told_its_manager_is_heard(runtime: Path, tmp_path: Path) -> None:
    (runtime / "systemd/private").mkdir(parents=True)
    told = tmp_path / "bin"
    told.mkdir()
    (told / "systemctl").write_text(f"#!/bin/sh\necho SSH_AUTH_SOCK={runtime}/theirs\n")
    (told / "systemctl").chmod(0o755)
    path = f"{told}:{os.environ['PATH']}"
    it = Ssh(Runner(), "ssh")
    with agent_at(runtime / "theirs"):
        line = ssh.SshLine("h", {})
        given = {"XDG_RUNTIME_DIR": str(runtime), "PATH": path}
        said, again = it.failed(line, "git@h: Permission denied (publickey).", given)
    assert f"{runtime}/theirs holds no key" in said
    assert not again


def test_nobody_looks_for_an_agent_that_is_not_needed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "find", lambda *_: pytest.fail("it was looked for"))
    assert place.look().code == 0


def lying_agent(address: Path, answer: bytes) -> None:
    """Answers once, whatever it is asked."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(address))
    listening.listen()

    def serve() -> None:
        with listening, contextlib.suppress(OSError):
            line, _ = listening.accept()
            with line:
                line.recv(100)
                line.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0\0\0",
        b"\xff\xff\xff\xff\x0c",
        b"\0\0\0\1\x05",
        b"\0\0\0\5\x05\0\0\0\1",
        b"HTTP/1.1 400",
    ],
)
def test_what_is_no_agent_is_none(runtime: Path, answer: bytes) -> None:
    lying_agent(runtime / "a", answer)
    assert agent.ask(str(runtime / "a")) is None


def test_an_agent_that_is_silent_is_none(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "PATIENCE", 0.1)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(runtime / "a"))
        listening.listen()
        assert agent.ask(str(runtime / "a")) is None


# what would ask a person


def told(place: Place) -> tuple[AwayKind, str]:
    said = away(place.look().complaint, "origin")
    return said.kind, said.text


def test_a_key_with_a_passphrase_says_what_to_do(
    client: tuple[str, Path], tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    key = client[1]
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "secret-1", "-f", str(key)],
        check=True,
        capture_output=True,
    )
    command_line = client[0].replace("/proc/nonexistent", str(key))
    given = {"GIT_SSH_COMMAND": command_line, "XDG_RUNTIME_DIR": str(runtime)}
    kind, text = told(Place(tmp_path / "tree", servers.url("ssh"), given))
    assert kind is AwayKind.CREDENTIALS
    assert "systemctl --user import-environment SSH_AUTH_SOCK" in text


def test_settings_that_ssh_refuses_are_the_persons_to_mend(
    place: Place, servers: GitServers, tmp_path: Path
) -> None:
    settings = tmp_path / "config"
    settings.write_text("Host *\n  Compresion yes\n")
    env = {"GIT_SSH_COMMAND": f"ssh -F {settings}"}
    kind, text = told(Place(tmp_path / "other", servers.url("ssh"), env))
    assert kind is AwayKind.CREDENTIALS
    assert "ssh refuses its own settings on this machine; mend what it names. (" in text
    assert "line 2: Bad configuration option: compresion" in text


def test_a_key_that_others_can_read_is_named(
    client: tuple[str, Path], tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    client[1].chmod(0o644)
    command_line = client[0].replace("/proc/nonexistent", str(client[1]))
    given = {"GIT_SSH_COMMAND": command_line, "XDG_RUNTIME_DIR": str(runtime)}
    kind, text = told(Place(tmp_path / "tree", servers.url("ssh"), given))
    assert kind is AwayKind.CREDENTIALS
    assert "chmod 600" in text
    assert str(client[1]) in text


def test_https_without_a_password_names_the_helper_and_it_helps(
    servers: GitServers, tmp_path: Path
) -> None:
    address = re.sub("//.*@", "//", servers.url("https"))
    place = Place(tmp_path / "tree", address, servers.environment)
    kind, text = told(place)
    assert kind is AwayKind.CREDENTIALS
    assert "ssh" not in text
    assert "/bin/false" not in text
    commands = text.partition("such as: ")[2].partition(". (")[0].split("; ")
    assert (
        commands[1] == "and then, once by hand, so that it can ask: git push --dry-run origin HEAD"
    )
    answers = tmp_path / "person"
    answers.write_text("#!/bin/sh\ncase $1 in User*) echo git ;; *) echo secret ;; esac\n")
    answers.chmod(0o755)
    home = {**servers.environment, "HOME": str(tmp_path / "tree"), "GIT_ASKPASS": str(answers)}
    git(tmp_path / "tree", "commit", "-q", "--allow-empty", "-m", "one")
    as_typed(f"cd {tmp_path}/tree && {commands[0]} && {commands[1].partition('ask: ')[2]}", **home)
    assert place.look().code == 0


def test_a_key_that_wants_a_consent_is_not_asked_for_again_soon(
    client: tuple[str, Path], tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    """`ssh-add -c`: the agent asks the person each time, by a program that says no here."""
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime)}
    given["SSH_AUTH_SOCK"] = str(runtime / "a")
    place = Place(tmp_path / "tree", servers.url("ssh"), given)
    with agent_at(runtime / "a", client[1], "-c"):
        kind, text = told(place)
    assert kind is AwayKind.CONFIRMATION
    assert "when you are there: autosyncctl sync" in text


@contextlib.contextmanager
def asking_agent(address: Path, real: Path) -> Iterator[list[bytes]]:
    """Passes all on to a real agent, but asks somebody who isn't there before it signs."""
    signs: list[bytes] = []

    def serve(line: socket.socket) -> None:
        with line, socket.socket(socket.AF_UNIX) as other, contextlib.suppress(OSError, ValueError):
            other.connect(str(real))
            while True:
                for source, sink in ((line, other), (other, line)):
                    head = agent._exactly(source, 4)
                    body = agent._exactly(source, struct.unpack("!I", head)[0])
                    if source is line and body[0] == 13:  # SSH_AGENTC_SIGN_REQUEST
                        signs.append(body)
                        line.recv(1)
                        return
                    sink.sendall(head + body)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listening.accept()[0],), daemon=True).start()

    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(address))
    listening.listen()
    threading.Thread(target=accept, daemon=True).start()
    yield signs
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()


def test_an_agent_whose_question_nobody_answers_is_not_asked_again_soon(
    client: tuple[str, Path],
    tmp_path: Path,
    servers: GitServers,
    runtime: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "SILENCE", 1.0)
    asks = runtime / "asks"
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime)}
    given["SSH_AUTH_SOCK"] = str(asks)
    with agent_at(runtime / "a", client[1]), asking_agent(asks, runtime / "a") as signs:
        kind, text = told(Place(tmp_path / "tree", servers.url("ssh"), given))
        assert kind is AwayKind.CONFIRMATION
        assert "waits for somebody's answer" in text
        assert len(signs) == 1


def test_a_server_that_is_silent_itself_is_away_whatever_the_agent_has(
    client: tuple[str, Path],
    tmp_path: Path,
    servers: GitServers,
    runtime: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(command, "SILENCE", 1.0)
    monkeypatch.setattr(ssh, "_QUICK", 1.0)
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime)}
    given["SSH_AUTH_SOCK"] = str(runtime / "a")
    servers.pause("ssh")
    try:
        with agent_at(runtime / "a", client[1]):
            assert told(Place(tmp_path / "tree", servers.url("ssh"), given))[0] is AwayKind.NETWORK
    finally:
        servers.resume("ssh")


def test_a_shared_connection_that_hangs_has_nothing_to_do_with_the_agent(
    client: tuple[str, Path],
    tmp_path: Path,
    servers: GitServers,
    runtime: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"GIT_SSH_COMMAND": client[0], "XDG_RUNTIME_DIR": str(runtime)}
    given["SSH_AUTH_SOCK"] = str(runtime / "a")
    with agent_at(runtime / "a", client[1]):
        place = Place(tmp_path / "tree", servers.url("ssh"), given)
        assert place.look().code == 0
        (master,) = masters(runtime)
        os.kill(master, signal.SIGSTOP)
        monkeypatch.setattr(command, "SILENCE", 1.0)
        assert told(place)[0] is AwayKind.NETWORK


def test_an_agent_that_answers_nobody_while_it_asks_is_thought_of(runtime: Path) -> None:
    """OpenSSH's own hears nobody else meanwhile."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(runtime / "a"))
        listening.listen()
        given = {"SSH_AUTH_SOCK": str(runtime / "a")}
        said, again = Ssh(Runner(), "ssh").failed(
            ssh.SshLine("h", {}), "silence", given, silent=True
        )
    assert away(said, "origin").kind is AwayKind.CONFIRMATION
    assert not again


def test_a_security_key_that_nobody_touches_is_thought_of(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = b"sk-ssh-ed25519@openssh.com"
    blob = struct.pack("!I", len(name)) + name
    keys = struct.pack("!BI", 12, 1) + struct.pack("!I", len(blob)) + blob + struct.pack("!I", 0)
    lying_agent(runtime / "a", struct.pack("!I", len(keys)) + keys)
    found = agent.ask(str(runtime / "a"))
    assert found == agent.Agent(str(runtime / "a"), 1, touch=True)
    monkeypatch.setattr(agent, "ask", lambda _: found)
    given = {"SSH_AUTH_SOCK": str(runtime / "a")}
    said, again = Ssh(Runner(), "ssh").failed(ssh.SshLine("h", {}), "silence", given, silent=True)
    assert away(said, "origin").kind is AwayKind.CONFIRMATION
    assert not again


def test_a_host_nobody_knows_says_what_to_do(
    tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    given = environment(servers, runtime)
    given["GIT_SSH_COMMAND"] = f"ssh -F none -o UserKnownHostsFile={tmp_path}/none"
    kind, text = told(Place(tmp_path / "tree", servers.url("ssh"), given))
    assert kind is AwayKind.HOST_KEY
    assert "connect to it once by hand" in text


def test_https_that_asks_says_what_to_do(
    tmp_path: Path, servers: GitServers, runtime: Path
) -> None:
    url = servers.url("https").replace("git:secret@", "")
    kind, text = told(Place(tmp_path / "tree", url, environment(servers, runtime)))
    assert kind is AwayKind.CREDENTIALS
    assert "credential helper" in text
