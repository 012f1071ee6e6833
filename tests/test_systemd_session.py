"""What a person's session brings to the service: where their agent is, and a desktop for bubbles."""

from collections.abc import Iterator

import pytest

from tests.booted import SUITE, Service, cleaned, installed
from tests.testbed import Box
from tests.testbed.program import require
from tests.waiting import eventually

pytestmark = [pytest.mark.root, pytest.mark.slow]

SERVERS = "/checkout/tests/testbed/git-servers"
PACKAGES = ("openssh-server", "lighttpd", "lighttpd-mod-openssl", "openssl", "curl")
PACKAGES += ("xvfb", "dunst", "dbus-bin", "libglib2.0-bin", "gnome-keyring", "gnupg")
"""Of Debian, for a bare machine."""


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    require(programs={"sshd": "openssh-server", "lighttpd": "lighttpd", "dunst": "dunst"})
    require(programs={"Xvfb": "xvfb", "gnome-keyring-daemon": "gnome-keyring", "gpg": "gnupg"})
    with installed(*PACKAGES) as box:
        box.shell(
            f"{SERVERS} start ~/srv notes >&2; mkdir -m 700 ~/.ssh; cp srv/known_hosts .ssh/;"
            # the key is in the agent alone, at a place where nobody would look
            "systemd-run --user -q ssh-agent -D -a ~/srv/agent; export SSH_AUTH_SOCK=~/srv/agent;"
            "until ssh-add -q srv/client-key 2>/dev/null; do sleep 0.1; done; mv srv/client-key away"
        )
        yield box


@pytest.fixture
def service(box: Box) -> Iterator[Service]:
    with cleaned(box) as service:
        service.box.shell("rm -rf srv/srv/notes.git notes; git init -q -b main notes")
        yield service


def with_a_remote(service: Service) -> None:
    """~/notes has a hub that only the agent's key opens."""
    service.box.shell(f"{SERVERS} repository ~/srv notes")
    url = service.box.shell(f"{SERVERS} urls ~/srv notes | sed -n 1p").replace("git:secret@", "")
    service.box.shell(f"git -C notes remote add origin '{url}'")
    service.configure("notes", "~/notes")


def is_pushed(service: Service, name: str) -> bool:
    listing = "git -C srv/srv/notes.git ls-tree -r --name-only main 2>&1"
    return name in service.box.shell(listing, check=False)


def test_an_agent_that_environment_d_names_is_used(service: Service) -> None:
    """environment.d(5): read when the user manager starts, and when it reloads."""
    with_a_remote(service)
    service.box.shell(
        "mkdir -p .config/environment.d;"
        "echo 'SSH_AUTH_SOCK=${HOME}/srv/agent' >.config/environment.d/agent.conf"
    )
    service.systemctl("daemon-reload")
    service.start()
    service.box.shell("echo milk >notes/todo.md")
    try:
        eventually(lambda: is_pushed(service, "todo.md"), 30, every=0.2)
    finally:
        service.box.shell("rm .config/environment.d/agent.conf")
        service.systemctl("daemon-reload")
        service.systemctl("unset-environment", "SSH_AUTH_SOCK")


AGENTS = {"gnupg/S.gpg-agent.ssh": "systemctl --user start gpg-agent-ssh.socket"}
"""Where the agents of desktops listen, below the runtime folder; what starts each. (Debian 12's
gcr-ssh-agent crashes now and then when a key is used.)"""
if SUITE == "trixie":
    AGENTS["openssh_agent"] = "systemctl --user start ssh-agent.socket"
else:
    AGENTS["keyring/ssh"] = (
        "systemd-run --user -q --unit agent gnome-keyring-daemon -f --components=ssh"
    )


@pytest.mark.parametrize("address", AGENTS)
def test_the_agent_of_a_desktop_is_found(service: Service, address: str) -> None:
    """The real ones, of which nobody has told the service."""
    service.box.shell(
        # gpg-agent wants a word to keep a key under; this person has none
        "mkdir -pm 700 .gnupg; echo pinentry-program $HOME/.gnupg/mute >.gnupg/gpg-agent.conf;"
        "printf '#!/bin/sh\necho OK\nwhile read -r _; do echo OK; done\n' >.gnupg/mute;"
        f"chmod +x .gnupg/mute; {AGENTS[address]}; export SSH_AUTH_SOCK=$XDG_RUNTIME_DIR/{address};"
        "chmod 600 away; until ssh-add -q away; do sleep 0.1; done"
    )
    try:
        with_a_remote(service)
        service.start()
        service.box.shell("echo milk >notes/todo.md")
        eventually(lambda: is_pushed(service, "todo.md"), 30, every=0.2)
    finally:
        service.box.shell(
            f"SSH_AUTH_SOCK=$XDG_RUNTIME_DIR/{address} ssh-add -q -D;"
            "gpgconf --kill gpg-agent; rm -rf .gnupg;"
            "systemctl --user stop agent gpg-agent-ssh.socket ssh-agent.socket ssh-agent",
            check=False,
        )


def test_a_session_that_begins_later_brings_its_agent_and_its_bubbles(service: Service) -> None:
    """The service was there before anybody logged in. A desktop that starts tells the user manager of
    its agent and its screen, as gnome-session and its like do."""
    with_a_remote(service)
    service.start()
    service.box.shell("echo milk >notes/todo.md")
    status = "autosyncctl status --json"
    eventually(lambda: "ssh-agent" in service.box.shell(status), 30, every=0.5)
    assert not is_pushed(service, "todo.md")
    service.box.shell(
        "systemd-run --user -q --unit screen Xvfb :77 -screen 0 800x600x24 -nolisten tcp;"
        "export DISPLAY=:77 SSH_AUTH_SOCK=~/srv/agent;"
        "dbus-update-activation-environment --systemd DISPLAY SSH_AUTH_SOCK;"
        "until systemd-run --user -q --unit bubbles dunst && sleep 0.5 &&"
        "  systemctl --user -q is-active bubbles; do systemctl --user reset-failed bubbles; done"
    )
    try:
        service.box.shell("autosyncctl sync notes")
        eventually(lambda: is_pushed(service, "todo.md"), 60, every=0.2)
        service.box.shell("touch notes/id_rsa")
        eventually(lambda: "id_rsa" in bubbles(service.box), 30, every=0.5)
    finally:
        service.box.shell("systemctl --user stop bubbles screen", check=False)
        service.systemctl("unset-environment", "SSH_AUTH_SOCK", "DISPLAY")


def bubbles(box: Box) -> str:
    """What dunst shows, and has shown."""
    return box.shell("dunstctl close-all; dunstctl history", check=False)
