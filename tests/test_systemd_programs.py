"""What works under the unit as it is shipped, and under the stricter drop-in: git's whole entourage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.booted import UNIT, Service, cleaned, installed
from tests.testbed import Box
from tests.testbed.program import require
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]

SYSTEMD = Path(__file__).parent.parent / "systemd"
SERVERS = "/checkout/tests/testbed/git-servers"
PACKAGES = ("openssh-server", "lighttpd", "lighttpd-mod-openssl", "openssl", "curl", "gnupg")
PACKAGES += ("nodejs", "default-jre-headless")
"""Of Debian, for a bare machine."""
EXPOSURE = 2.5
"""What systemd-analyze security may find at most with the stricter drop-in."""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    require(programs={"sshd": "openssh-server", "lighttpd": "lighttpd", "gpg": "gnupg"})
    with installed(*PACKAGES) as box:
        box.shell(
            f"{SERVERS} start ~/srv notes >&2; mkdir -m 700 ~/.ssh; cp srv/known_hosts .ssh/;"
            # the key is in the agent alone, which is where the session's own would be
            "systemd-run --user -q ssh-agent -D -a $XDG_RUNTIME_DIR/ssh-agent.socket;"
            "export SSH_AUTH_SOCK=$XDG_RUNTIME_DIR/ssh-agent.socket;"
            "until ssh-add -q srv/client-key 2>/dev/null; do sleep 0.1; done;"
            "mv srv/client-key away;"
            "gpg -q --batch --passphrase '' --quick-gen-key 'Alice <a@example.org>';"
            "git config --global http.sslCAInfo ~/srv/ca.pem"
        )
        box.shell("install -m 4755 /usr/bin/id /usr/local/bin/setuid-id", user="root")
        yield box


@pytest.fixture(params=["as shipped", "hardened"])
def service(box: Box, request: pytest.FixtureRequest) -> Iterator[Service]:
    with cleaned(box) as service:
        if request.param == "hardened":
            service.override((SYSTEMD / "hardening.conf").read_text(), "hardening")
        yield service


@pytest.fixture
def shipped(box: Box) -> Iterator[Service]:
    with cleaned(box) as service:
        yield service


def address(service: Service, kind: int) -> str:
    """Of the hub: 1 ssh, 4 https; without what the person's own tools have to know."""
    url = service.box.shell(f"{SERVERS} urls ~/srv notes | sed -n {kind}p")
    return url.replace("git:secret@", "")


def clone(service: Service, kind: int, **settings: str) -> None:
    """~/notes with a fresh hub as its remote, and the daemon at work in it."""
    service.box.shell("rm -rf srv/srv/notes.git notes; git init -q -b main notes")
    service.box.shell(f"{SERVERS} repository ~/srv notes")
    service.box.shell(f"git -C notes remote add origin '{address(service, kind)}'")
    service.configure("notes", "~/notes", **settings)


def pushed(service: Service, name: str) -> None:
    """An edit, and the moment it is on the hub."""
    service.box.shell(f"echo {name} >notes/{name}")
    listing = "git -C srv/srv/notes.git ls-tree -r --name-only main 2>&1"
    try:
        eventually(lambda: name in service.box.shell(listing, check=False), 20, every=0.2)
    except AssertionError:
        raise AssertionError(service.journal()) from None


def test_ssh_with_a_key_that_only_the_agent_has(service: Service) -> None:
    clone(service, 1)
    service.start()
    pushed(service, "over-ssh")
    assert service.show("NRestarts") == "0"
    # one is kept for the next
    assert service.box.shell("ls $XDG_RUNTIME_DIR/autosync | grep ^ssh-")
    service.systemctl("stop", "autosyncd")
    assert "Killing process" not in service.journal("-n", "9")


def test_commits_signed_through_gpg_agent(service: Service) -> None:
    service.box.shell("git config --global commit.gpgSign true")
    try:
        clone(service, 1)
        service.start()
        pushed(service, "signed")
    finally:
        service.box.shell("git config --global --unset commit.gpgSign")
    assert service.box.shell("git -C notes log -1 --format=%G?") in ("G", "U")


def test_a_credential_helper_for_https(service: Service) -> None:
    helper = "!f() { test $1 = get && echo username=git && echo password=secret; }; f"
    service.box.run("git", "config", "--global", "credential.helper", helper)
    clone(service, 4)
    service.start()
    pushed(service, "over-https")


def test_a_password_that_a_command_knows(service: Service) -> None:
    """Nobody listens there; the command runs all the same, and its password is nowhere to be seen."""
    service.box.shell(
        "mkdir -p .config/autosync; rm -f asked; umask 077; cat >.config/autosync/autosync.yaml <<END\n"
        "transports:\n"
        "  xmpp: {jid: alice@localhost, server: 'localhost:1',"
        " password_command: [sh, -c, 'touch ~/asked; echo secret-7']}\nEND"
    )
    service.start()
    eventually(lambda: service.box.shell("ls asked", check=False), 20, every=0.2)
    assert "secret-7" not in service.journal()
    service.box.shell("rm .config/autosync/autosync.yaml")


HOOK = """#!/bin/sh
{
    node -e 'let n = 0; for (let i = 0; i < 1e6; i++) n += i; console.log("node", n)'
    java -version 2>&1 | head -n 1
    echo setuid $(setuid-id -u)
} >~/proof 2>&1
exit 0
"""


def test_hooks_may_start_what_they_like(shipped: Service) -> None:
    """node and Java compile as they run; sudo and its like are setuid."""
    require(programs={"node": "nodejs", "java": "default-jre-headless"})
    shipped.box.shell("rm -f proof")
    clone(shipped, 1)
    hook = ".git/hooks/pre-push"
    shipped.box.run("sh", "-ec", f"cat >notes/{hook}; chmod +x notes/{hook}", input=HOOK)
    shipped.start()
    pushed(shipped, "with-hook")
    said = shipped.box.shell("cat proof").splitlines()
    assert said[0] == "node 499999500000"
    assert "version" in said[1]
    assert said[2] == "setuid 0"


SETTINGS = (
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "PrivateUsers=yes",
)


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_setting_that_the_unit_lacks_would_end_setuid_programs(box: Box, setting: str) -> None:
    """Should a new systemd manage without, the setting belongs into the unit."""
    words = ["systemd-run", "--user", "-q", "--pipe", "--wait", "--collect", "-p", setting]
    assert box.run(*words, "setuid-id", "-u", check=False).stdout.strip() != "0"


def test_the_stricter_service_is_little_exposed(box: Box) -> None:
    with cleaned(box) as service:
        service.override((SYSTEMD / "hardening.conf").read_text(), "hardening")
        told = box.run("systemd-analyze", "security", "--user", "--no-pager", UNIT).stdout
        assert float(told.rpartition(f"{UNIT}: ")[2].split()[0]) <= EXPOSURE
        service.start()
        pid = service.show("MainPID")
        status = box.shell(f"grep -h 'NoNewPrivs\\|^Seccomp:' /proc/{pid}/status").split()
        assert status == ["NoNewPrivs:", "1", "Seccomp:", "2"]
        mounts = box.shell(f"cat /proc/{pid}/mountinfo").splitlines()
        options = {line.split()[4]: line.split()[5] for line in mounts}
        assert options["/usr"].startswith("ro")
        assert options["/etc"].startswith("ro")


def test_the_stricter_service_believes_the_machines_drop_ins(box: Box) -> None:
    """In its user namespace root's files look like nobody's."""
    box.shell(
        "mkdir -p /etc/autosync.d; printf 'repositories:\\n  - path: ~/notes\\n'"
        " >/etc/autosync.d/all.yaml",
        user="root",
    )
    try:
        with cleaned(box) as service:
            box.shell("git init -q -b main notes")
            service.override((SYSTEMD / "hardening.conf").read_text(), "hardening")
            service.start()
            eventually(lambda: "in sync" in service.show("StatusText"), 20, every=0.2)
    finally:
        box.shell("rm /etc/autosync.d/all.yaml", user="root")


def test_a_credential_of_systemds_reaches_the_service_and_nobody_else(box: Box) -> None:
    with cleaned(box) as service:
        box.shell("mkdir -p .config/autosync; echo secret-9 >.config/autosync/xmpp-password")
        service.override((SYSTEMD / "credentials.conf").read_text(), "credentials")
        service.start()
        pid = service.show("MainPID")
        folder = box.shell(
            f"tr '\\0' '\\n' </proc/{pid}/environ | sed -n 's/^CREDENTIALS_DIRECTORY=//p'"
        )
        assert box.shell(f"cat {folder}/xmpp-password") == "secret-9"
        assert box.shell(f"stat -c %a {folder}/xmpp-password") == "400"
