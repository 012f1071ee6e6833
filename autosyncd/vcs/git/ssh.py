"""How git's ssh is called: it never asks, finds the person's agent, and shares one connection a host.

An agent is looked for only when a server has refused us: many keys need none.

Connections are shared (sharing.py) unless the person has settings for that of their own; one over
which a command has failed is forgotten.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from autosyncd.vcs.conversation import Completed
from autosyncd.vcs.git import agent, sharing
from autosyncd.vcs.git.complaint import REMEDY
from autosyncd.vcs.git.sshcommand import is_openssh, works_elsewhere
from autosyncd.vcs.process import Runner

_QUICK = 10.0
_SHARING = re.compile(r"ControlSocket .* already exists|mux_client_|Control socket connect\(")
"""What ssh says of sharing alone; it goes on without."""
_ANSWER = re.compile(r"failed to push some refs|couldn't find remote ref")
"""What git says at last where the server has answered, only not as hoped."""
_LOST = re.compile(r"hung up|unexpected disconnect|early EOF|Could not read from remote|mux_client")
_REFUSED_BY_AGENT = "agent refused operation"
_NOT_LET_IN = re.compile(r"Permission denied \(")
_REFUSED = re.compile(r"Permission denied \([^)]*publickey")


@dataclass(frozen=True, slots=True)
class SshLine:
    """The way to one host, for one command."""

    host: str
    environment: Mapping[str, str]
    """To be laid over that of git."""
    sockets: str = ""
    """What the names of this connection's sockets begin with; empty: it is not shared."""


@dataclass(slots=True)
class Ssh:
    """ssh for one work tree's git."""

    runner: Runner
    command: str
    """With all its options but those for sharing."""
    found: agent.Agent | None = None
    """Where $SSH_AUTH_SOCK was of no use: the agent to ask instead."""
    _own: dict[str, tuple[object, bool]] = field(default_factory=dict)
    """Host → the state of the person's settings, and whether they say something about sharing."""
    _swept: bool = False

    def line(self, host: str, environment: Mapping[str, str]) -> SshLine:
        """What a command that goes to this host is to be called with."""
        more = {} if self.found is None else {"SSH_AUTH_SOCK": self.found.address}
        sockets = self._sockets(host, environment)
        if sockets:
            # it outlives the command: from / it keeps no file system from being unmounted
            more["GIT_SSH_COMMAND"] = f"cd / && {self.command} {sharing.options(sockets)}"
            more["GIT_SSH_VARIANT"] = "ssh"
        return SshLine(host, more, sockets)

    def failed(
        self, line: SshLine, complaint: str, environment: Mapping[str, str], *, silent: bool = False
    ) -> tuple[str, bool]:
        """After a failure: the complaint, with what helps; and whether another try is worth it.

        `silent`: it was ended, since nothing came. The shared connection is trusted no more.
        """
        let_in = False
        if line.sockets and (silent or not _answered(complaint)):
            # there is one only after the server has let us in
            let_in = sharing.forget(line.sockets, environment)
        said = "\n".join(text for text in complaint.split("\n") if not _SHARING.match(text))
        used = line.environment.get("SSH_AUTH_SOCK", environment.get("SSH_AUTH_SOCK", ""))
        asked = silent and used and not let_in
        if asked and (why := self._asking(line.host, used, environment)):
            return f"{said}\n{why}", False
        if not _REFUSED.search(said) or _REFUSED_BY_AGENT in said:
            return said, False
        self.found = agent.find(environment, lambda: self.told(environment))
        if self.found is not None and self.found.keys and self.found.address != used:
            return said, True
        return f"{said}\n{REMEDY}{agent.remedy(self.found)}", False

    def _asking(self, host: str, address: str, environment: Mapping[str, str]) -> str:
        """Why the agent there, and not the remote, may be what nothing comes from; empty: it is not.

        An agent may ask the person whether a key may be used (`ssh-add -c`, gpg-agent, KeePassXC), and
        ssh waits for the answer. Asked for no key, a server that is well refuses us at once.
        """
        asked = agent.ask(address)
        if asked is None:
            busy = agent.listens(address)
            return "Perhaps the ssh-agent waits for somebody's answer." if busy else ""
        if asked.touch:
            return "Perhaps the security key in the ssh-agent waits for a touch."
        if not asked.keys or not is_openssh(self.command):
            return ""
        refusal = f"{self.command} -o PreferredAuthentications=none -o ControlPath=none"
        said = self._connect(refusal, host, environment)
        if said is None or not _NOT_LET_IN.search(said.err.decode("utf-8", "replace")):
            return ""
        return "Perhaps the ssh-agent waits for somebody's answer."

    def _sockets(self, host: str, environment: Mapping[str, str]) -> str:
        """What this connection's sockets' names begin with; empty: not to be shared."""
        place = sharing.folder(environment)
        if place is None or not works_elsewhere(self.command):
            return ""
        sockets = sharing.beginning(place, host, self.command)
        if sockets is None or self._has_own(host, environment):
            return ""
        try:
            os.makedirs(place, mode=0o700, exist_ok=True)
        except OSError:
            return ""
        if not self._swept:
            self._swept = True
            sharing.sweep(place)
        return sockets if os.access(place, os.W_OK) else ""

    def _has_own(self, host: str, environment: Mapping[str, str]) -> bool:
        """Whether the person's settings share connections to this host (`ssh -G`), or can't be read."""
        state = _stamp(environment)
        known = self._own.get(host)
        if known is None or known[0] != state:
            known = (state, self._ask(host, environment))
            self._own[host] = known
        return known[1]

    def _ask(self, host: str, environment: Mapping[str, str]) -> bool:
        said = self._connect(f"{self.command} -G", host, environment)
        if said is None or said.code:
            return True
        lines = said.out.decode("utf-8", "replace").lower().splitlines()
        return "controlmaster false" not in lines or any(
            line.startswith("controlpath ") for line in lines
        )

    def _connect(self, command: str, host: str, environment: Mapping[str, str]) -> Completed | None:
        name, port = _parts(host)
        where = [*(("-p", port) if port else ()), name]
        return self._run(["sh", "-c", f'{command} "$@" </dev/null', "sh", *where], environment)

    def told(self, environment: Mapping[str, str]) -> str:
        """SSH_AUTH_SOCK as the user manager knows it by now."""
        if not os.path.exists(environment.get("XDG_RUNTIME_DIR", "") + "/systemd/private"):
            return ""
        said = self._run(["systemctl", "--user", "show-environment"], environment)
        lines = said.out.decode("utf-8", "replace").splitlines() if said else []
        found = [line.partition("=")[2] for line in lines if line.startswith("SSH_AUTH_SOCK=")]
        return found[0] if found else ""

    def _run(self, argv: list[str], environment: Mapping[str, str]) -> Completed | None:
        try:
            return self.runner.run(argv, cwd="/", env=environment, timeout=_QUICK, network=True)
        except OSError:
            return None


def _answered(complaint: str) -> bool:
    """Whether the failure says nothing against the connection."""
    return bool(_ANSWER.search(complaint)) and not _LOST.search(complaint)


def _parts(host: str) -> tuple[str, str]:
    """[USER@]HOST and PORT, without the brackets of an IPv6 address."""
    found = re.fullmatch(r"((?:[^@]*@)?)(\[[^\]]+\]|[^:\[]*)(?::(\d*))?", host)
    if found is None:
        return host, ""
    return found[1] + found[2].strip("[]"), found[3] or ""


def _stamp(environment: Mapping[str, str]) -> object:
    """Changes when the person's or the machine's settings of ssh do."""
    stamps = []
    for path in (environment.get("HOME", "") + "/.ssh/config", "/etc/ssh/ssh_config"):
        try:
            found = os.stat(path)
            stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
        except OSError:
            stamps.append((0, 0, 0))
    return tuple(stamps)
