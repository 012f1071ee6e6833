"""What works under the unit as it is shipped, and under the stricter drop-in: git's whole entourage."""

import base64
import os
import struct
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
EXPOSURE_AS_SHIPPED = 8.0
"""And without."""
SANDBOX = (
    "NoNewPrivileges",
    "LockPersonality",
    "RestrictRealtime",
    "RestrictAddressFamilies",
    "SystemCallArchitectures",
    "SystemCallErrorNumber",
    "SystemCallFilter",
)
"""The settings of the unit that make its sandbox."""


TWO_KINDS = os.uname().machine == "x86_64"
"""Whether the kernel runs programs of 32 bits beside its own."""


def place_32_bits(box: Box) -> None:
    """/usr/local/bin/32-bits, which ends with success."""
    code = bytes.fromhex("b801000000 31db cd80")  # exit(0)
    base, headers = 0x08048000, 84
    size = headers + len(code)
    kind = struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + headers, 52, 0, 0, 52, 32, 1, 40, 0, 0)
    load = struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 0x1000)
    program = b"\x7fELF\x01\x01\x01".ljust(16, b"\0") + kind + load + code
    made = "base64 -d" if TWO_KINDS else "cat /bin/true"
    script = f"{made} >/usr/local/bin/32-bits; chmod 755 /usr/local/bin/32-bits"
    box.run("sh", "-ec", script, user="root", input=base64.b64encode(program).decode())


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
        place_32_bits(box)
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
    java -version 2>&1 | grep -c version
    python3 -c 'import ctypes, ssl, subprocess; print("python", subprocess.run("true").returncode)'
    unshare -Ur id -u
    systemd-run --user -q --pipe --wait setuid-id -u
    echo here: setuid $(setuid-id -u), 32 bits $(32-bits && echo run)
    grep NoNewPrivs /proc/self/status
} >~/proof 2>&1
exit 0
"""


def hooked(service: Service) -> list[str]:
    """What a hook says that has been run for a push."""
    service.box.shell("rm -f proof")
    clone(service, 1)
    hook = ".git/hooks/pre-push"
    service.box.run("sh", "-ec", f"cat >notes/{hook}; chmod +x notes/{hook}", input=HOOK)
    service.start()
    pushed(service, "with-hook")
    return service.box.shell("cat proof").splitlines()


def test_hooks_may_start_what_they_like_but_setuid_programs(shipped: Service) -> None:
    """node and Java compile as they run; a namespace is what podman, bwrap and their like make."""
    require(programs={"node": "nodejs", "java": "default-jre-headless"})
    *said, here, flag = hooked(shipped)
    assert said[:5] == ["node 499999500000", "1", "python 0", "0", "0"]
    assert here != "here: setuid 0, 32 bits run"
    assert here.startswith("here: setuid ")
    assert flag.split() == ["NoNewPrivs:", "1"]


def test_a_drop_in_gives_back_what_the_sandbox_takes(shipped: Service) -> None:
    shipped.override((SYSTEMD / "no-sandbox.conf").read_text(), "no-sandbox")
    *_, here, flag = hooked(shipped)
    assert here == "here: setuid 0, 32 bits run"
    assert flag.split() == ["NoNewPrivs:", "0"]


def test_a_gpg_agent_that_is_started_on_demand_serves_the_shell_too(shipped: Service) -> None:
    """Where no socket of systemd's starts it, it is a child of the service, with its sandbox."""
    box = shipped.box
    box.shell("systemctl --user stop 'gpg-agent*.socket' gpg-agent; gpgconf --kill all")
    box.shell("git config --global commit.gpgSign true")
    try:
        clone(shipped, 1)
        shipped.start()
        pushed(shipped, "signed")
        agent = box.shell("pgrep -u alice -x gpg-agent")
        assert UNIT in box.shell(f"cat /proc/{agent}/cgroup")
        assert box.shell(f"grep NoNewPrivs /proc/{agent}/status").split()[1] == "1"
        box.shell("echo mine >notes/mine; git -C notes add mine; git -C notes commit -qm mine")
        assert box.shell("git -C notes log -1 --format=%G?") in ("G", "U")
        assert box.shell("pgrep -u alice -x gpg-agent") == agent
    finally:
        box.shell("git config --global --unset commit.gpgSign; gpgconf --kill all")


def test_a_credential_helper_that_leaves_a_daemon(shipped: Service) -> None:
    box = shipped.box
    helper = "!f() { test $1 = get && touch ~/asked; test $1 = get && echo password=secret; }; f"
    box.run("git", "config", "--global", "credential.helper", "cache --timeout=600")
    box.run("git", "config", "--global", "--add", "credential.helper", helper)
    box.shell("git config --global credential.username git; rm -f asked")
    try:
        clone(shipped, 4)
        shipped.start()
        pushed(shipped, "asked-for")
        box.shell("rm asked")
        pushed(shipped, "remembered")
        assert box.shell("ls asked 2>&1", check=False) != "asked"
        daemon = box.shell("pgrep -u alice -f credential-cache--daemon | head -n 1")
        assert UNIT in box.shell(f"cat /proc/{daemon}/cgroup")
    finally:
        box.shell("git credential-cache exit; git config --global --unset-all credential.helper")
        box.shell("git config --global --unset credential.username")


def test_a_repository_that_is_shared_with_a_group(shipped: Service) -> None:
    """git sets the bit for setgid on the folders that it makes there."""
    clone(shipped, 1)
    shipped.box.shell("git -C notes config core.sharedRepository group")
    shipped.start()
    pushed(shipped, "shared")
    assert shipped.box.shell("find notes/.git/objects -perm -2000 -name '??' | head -n 1")


LEFT_OUT = {
    "MemoryDenyWriteExecute=yes": "node -e 'console.log(1)'",
    "RestrictNamespaces=yes": "unshare -Ur true",
    "RestrictSUIDSGID=yes": "git init -q --shared=group $(mktemp -d)",
    "PrivateUsers=yes": "test $(stat -c %U /etc) = root",
    "CapabilityBoundingSet=": "true",
    "PrivateDevices=yes": "test $(stat -c %U /etc) = root",
}
"""Settings that the unit lacks, and what works without them."""


@pytest.mark.parametrize("setting", LEFT_OUT)
def test_each_setting_that_the_unit_lacks_would_end_something(box: Box, setting: str) -> None:
    """Should a new systemd manage without, the setting belongs into the unit."""
    words = ["systemd-run", "--user", "-q", "--pipe", "--wait", "--collect"]
    works = ["sh", "-ec", LEFT_OUT[setting]]
    assert box.run(*words, *works, check=False).returncode == 0
    assert box.run(*words, "-p", setting, *works, check=False).returncode != 0


REFUSED = """
import ctypes, errno, os, signal, socket, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def says(work):
    try: return str(work())
    except OSError as error: return errno.errorcode[error.errno]
print(says(lambda: socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)))
print(says(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))))
print(says(lambda: libc.personality(0x0040000) == -1))
print(says(lambda: subprocess.run("32-bits").returncode == -signal.SIGSYS))
print(says(lambda: libc.adjtimex(ctypes.create_string_buffer(1024)) == -1))
"""


def test_each_setting_of_the_unit_is_in_force(box: Box) -> None:
    """systemd leaves out without a word what it can't do in a user's manager."""
    with cleaned(box) as service:
        service.start()
        unit = box.shell(f"systemctl --user cat {UNIT}").splitlines()
        lines = [line for line in unit if line.startswith(SANDBOX)]
        assert {line.partition("=")[0] for line in lines} == set(SANDBOX)
        words = [word for line in lines for word in ("-p", line)]
        run = ("systemd-run", "--user", "-q", "--pipe", "--wait", "--collect")
        said = box.run(*run, *words, "python3", "-c", REFUSED).stdout.split()
        assert said == ["EAFNOSUPPORT", "EPERM", "True", str(TWO_KINDS), "True"]


def exposure(box: Box) -> float:
    """What systemd-analyze security finds; 10 is the worst."""
    told = box.run("systemd-analyze", "security", "--user", "--no-pager", UNIT).stdout
    return float(told.rpartition(f"{UNIT}: ")[2].split()[0])


def test_the_service_as_shipped_is_less_exposed_than_without_a_sandbox(box: Box) -> None:
    with cleaned(box) as service:
        assert exposure(box) <= EXPOSURE_AS_SHIPPED
        service.override((SYSTEMD / "no-sandbox.conf").read_text(), "no-sandbox")
        assert exposure(box) > EXPOSURE_AS_SHIPPED


def test_the_stricter_service_is_little_exposed(box: Box) -> None:
    with cleaned(box) as service:
        service.override((SYSTEMD / "hardening.conf").read_text(), "hardening")
        assert exposure(box) <= EXPOSURE
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
